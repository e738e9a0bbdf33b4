//! A peek in the making: the reader, what was found so far, and the steps that every dialect needs.

use std::borrow::Cow;

use policy::demand::{Demand, OPEN_SEARCHES};
use policy::request::{Dialect, Operation};

use crate::count;
use crate::json::{Cut, Kind, Reader, Span, Text};
use crate::peek::{Peek, PeekError};
use crate::splice::{Inside, NEWER_LIMIT, Placed, SplicePoints};
use crate::tier;

mod field;
mod media;

use field::find;
pub(crate) use field::{FALLBACKS, Field, Governed, Input, camel_case};
pub(crate) use media::Media;

type Result<T> = std::result::Result<T, PeekError>;

/// Reads the value of an input field; the reader stands before it and is to stand behind it.
pub(crate) type ReadInput = fn(&mut Draft<'_>, Input) -> Result<()>;

/// A peek in the making.
pub(crate) struct Draft<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) operation: Operation,
    pub(crate) peek: Peek,
    /// The field whose value is being read, for errors.
    pub(crate) field: &'static str,
    /// How many prompts the request has, as far as they were met.
    pub(crate) prompts: u32,
    /// How many hosted tools the vendor may call at most, where the request says.
    tool_calls: Option<u64>,
    dialect: Dialect,
    text: u64,
    media: u64,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(dialect: Dialect, operation: Operation, body: &'a [u8]) -> Self {
        let demand = Demand { choices: 1, ..Demand::default() };
        let splices = SplicePoints::new(dialect, operation);
        Self {
            reader: Reader::new(body),
            operation,
            peek: Peek { demand, splices, ..Peek::default() },
            field: "",
            prompts: 0,
            tool_calls: None,
            dialect,
            text: 0,
            media: 0,
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Peek {
        let demand = &mut self.peek.demand;
        demand.text_bytes = self.text.saturating_sub(self.media);
        demand.prompts = self.prompts.max(1);
        demand.choices = demand.choices.max(1).saturating_mul(demand.prompts);
        if let Some(most) = self.tool_calls.filter(|_| demand.searches > 0) {
            demand.searches = most;
        }
        demand.max_output = match self.operation {
            Operation::Embedding | Operation::CountTokens | Operation::ListModels => Some(0),
            // https://platform.openai.com/docs/api-reference/completions/create (2026-11): `max_tokens` is 16 where absent.
            // Those who copy the API may know another default, or none.
            Operation::TextCompletion => {
                demand.limit_is_assumed = demand.max_output.is_none();
                demand.max_output.or(Some(16))
            }
            Operation::ChatCompletion | Operation::Responses => {
                demand.limit_is_open = demand.max_output == Some(0);
                demand.max_output
            }
        };
        self.peek
    }

    /// Reads the body's members: what is known is taken for what it is, the rest counts as input.
    pub(crate) fn body(&mut self, fields: &'static [Field], read: ReadInput) -> Result<()> {
        let mut seen = 0_u64;
        let mut walk = self.reader.object()?;
        self.peek.splices.open = self.reader.at();
        while let Some(key) = self.reader.next_key(&mut walk)? {
            self.peek.splices.gateway = self.peek.splices.gateway.map(|cut| cut.until(walk.comma));
            let row = find(fields, &self.name(key))?;
            self.reader.kind()?;
            let start = self.reader.at();
            match row {
                None | Some((_, Field(_, Governed::Plain))) => self.skip()?,
                Some((index, Field(name, governed))) => {
                    if seen & 1 << index != 0 {
                        return Err(PeekError::DuplicateField(name));
                    }
                    seen |= 1 << index;
                    self.field = name;
                    if *name == NEWER_LIMIT {
                        self.peek.splices.newer_limit = Some(walk.key);
                    }
                    self.governed(*governed, walk.comma, read)?;
                }
            }
            if row.is_none_or(|(_, field)| matches!(field.1, Governed::Input(_))) {
                let span = Span { start, end: self.reader.at() };
                self.text = self.text.saturating_add(bytes(span.len()));
            }
        }
        self.peek.splices.members = walk.count;
        self.reader.finish()?;
        Ok(())
    }

    fn governed(&mut self, governed: Governed, comma: Option<usize>, read: ReadInput) -> Result<()> {
        match governed {
            Governed::Model => self.model(),
            Governed::ModelPlace => self.model_place().map(|_| ()),
            Governed::Stream => self.flag().map(|flag| self.peek.stream = flag),
            Governed::StreamOptions => self.stream_options(),
            Governed::MaxOutput => self.max_output(),
            Governed::Choices => self.choices(),
            Governed::Tier => self.tier(),
            Governed::Speed => self.speed(),
            Governed::Region => self.region(),
            Governed::Pointer => self.pointer(),
            Governed::Search => self.search_options(),
            Governed::ToolCalls => self.count().map(|most| self.tool_calls = most),
            Governed::Background => self.flag().map(|flag| self.peek.is_background = flag),
            Governed::Fallbacks => self.fallbacks(comma),
            Governed::Input(input) => read(self, input),
            Governed::Plain => self.skip(),
        }
    }

    /// Walks through an object's members; `each` gets the name and reads or skips the value. What is no object is skipped.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        if self.reader.kind()? != Kind::Object {
            return self.skip();
        }
        let mut walk = self.reader.object()?;
        while let Some(key) = self.reader.next_key(&mut walk)? {
            each(self, &self.name(key))?;
        }
        Ok(())
    }

    /// Walks through an array's elements; `each` reads or skips one. What is no array is skipped.
    pub(crate) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.reader.kind()? != Kind::Array {
            return self.skip();
        }
        let mut walk = self.reader.array()?;
        while self.reader.next_element(&mut walk)? {
            each(self)?;
        }
        Ok(())
    }

    /// Skips a value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        self.reader.skip()?;
        Ok(())
    }

    /// Reads a string; anything else is skipped.
    pub(crate) fn text(&mut self) -> Result<Option<Text<'a>>> {
        if self.reader.kind()? == Kind::String {
            return Ok(Some(self.reader.string()?));
        }
        self.skip()?;
        Ok(None)
    }

    /// Reads a whole number that is not negative, or null.
    pub(crate) fn count(&mut self) -> Result<Option<u64>> {
        const EXPECTED: &str = "a whole number, not negative";
        match self.reader.kind()? {
            Kind::Null => self.skip().map(|()| None),
            Kind::Number => {
                let span = self.reader.skip()?;
                match count::read(self.reader.slice(span)) {
                    Some(count) => Ok(Some(count)),
                    None => Err(PeekError::WrongType { field: self.field, expected: EXPECTED }),
                }
            }
            _ => self.wrong(EXPECTED),
        }
    }

    /// Reads an output limit; of several, the largest counts.
    pub(crate) fn max_output(&mut self) -> Result<()> {
        let start = self.start()?;
        let limit = self.count()?;
        self.peek.splices.max_output.push(self.span_from(start));
        self.peek.demand.max_output = self.peek.demand.max_output.max(limit);
        Ok(())
    }

    /// Reads how many answers are asked for; of several such fields, the largest counts.
    pub(crate) fn choices(&mut self) -> Result<()> {
        let choices = self.count()?.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX));
        self.peek.demand.choices = self.peek.demand.choices.max(choices);
        Ok(())
    }

    /// Reads something that points at input which is not there: anything but null, false and what is empty.
    pub(crate) fn pointer(&mut self) -> Result<()> {
        let span = self.reader.skip()?;
        let is_nothing = matches!(self.reader.slice(span), b"null" | b"false" | b"[]" | b"{}" | b"\"\"");
        self.peek.demand.unseen |= !is_nothing;
        Ok(())
    }

    /// Notes a tool by which the vendor searches the web, as often as it may at most.
    pub(crate) fn searches(&mut self, most: Option<u64>) {
        let demand = &mut self.peek.demand;
        demand.searches = demand.searches.saturating_add(most.unwrap_or(OPEN_SEARCHES));
    }

    /// Reads a number of any kind. `None`: it is no count.
    pub(crate) fn number(&mut self) -> Result<Option<u64>> {
        let kind = self.reader.kind()?;
        let span = self.reader.skip()?;
        Ok(count::read(self.reader.slice(span)).filter(|_| kind == Kind::Number))
    }

    /// Reads the options of a search: it is made where they are there, be they empty.
    fn search_options(&mut self) -> Result<()> {
        let span = self.reader.skip()?;
        if !matches!(self.reader.slice(span), b"null" | b"false") {
            self.peek.demand.unseen = true;
            self.searches(None);
        }
        Ok(())
    }

    /// Reads a place where a model's name stands.
    pub(crate) fn model_place(&mut self) -> Result<Option<Text<'a>>> {
        let start = self.start()?;
        let name = self.text_or_null()?;
        self.peek.splices.models.push(self.span_from(start));
        Ok(name)
    }

    /// Takes an inline medium of this many base64 characters out of the text. Gives its decoded size.
    pub(crate) fn base64(&mut self, characters: usize) -> u64 {
        let characters = bytes(characters);
        self.media = self.media.saturating_add(characters);
        characters.div_ceil(4).saturating_mul(3)
    }

    /// Names the nested field that is read next, which must not have come before. `times`: how often it came, with this.
    pub(crate) fn once(&mut self, field: &'static str, times: u32) -> Result<()> {
        self.field = field;
        if times > 1 { Err(PeekError::DuplicateField(field)) } else { Ok(()) }
    }

    /// Where the next value begins.
    pub(crate) fn start(&mut self) -> Result<usize> {
        self.reader.kind()?;
        Ok(self.reader.at())
    }

    pub(crate) fn span_from(&self, start: usize) -> Span {
        Span { start, end: self.reader.at() }
    }

    /// The name that a key means. Google's JSON takes each name in camel case and in snake case.
    fn name(&self, key: Text<'a>) -> Cow<'a, str> {
        let name = key.name();
        if self.dialect == Dialect::Gemini && name.contains('_') { camel_case(&name).into() } else { name }
    }

    fn model(&mut self) -> Result<()> {
        let Some(name) = self.model_place()? else { return Ok(()) };
        let name = name.decoded().ok_or(PeekError::WrongType { field: self.field, expected: "a valid string" })?;
        self.peek.model = Some(name.into_owned()).filter(|name| !name.is_empty());
        Ok(())
    }

    fn tier(&mut self) -> Result<()> {
        if let Some(tier) = self.text_or_null()? {
            let name = tier.name();
            self.peek.demand.tier_is_open |= !tier::is_standard(&name);
            self.peek.demand.tier_is_named |= !name.is_empty();
        }
        Ok(())
    }

    fn speed(&mut self) -> Result<()> {
        if let Some(speed) = self.text_or_null()? {
            self.peek.demand.is_fast |= tier::is_fast(&speed.name());
        }
        Ok(())
    }

    fn region(&mut self) -> Result<()> {
        if let Some(region) = self.text_or_null()? {
            self.peek.demand.is_regional |= tier::is_regional(&region.name());
        }
        Ok(())
    }

    fn stream_options(&mut self) -> Result<()> {
        let kind = self.reader.kind()?;
        let start = self.reader.at();
        let mut include_usage = None;
        let mut inside = None;
        if kind == Kind::Object {
            let mut walk = self.reader.object()?;
            let open = self.reader.at();
            while let Some(key) = self.reader.next_key(&mut walk)? {
                if key.is("include_usage") {
                    include_usage = Some(self.include_usage(include_usage)?);
                } else {
                    self.skip()?;
                }
            }
            inside = Some(Inside { open, is_empty: walk.count == 0 });
        } else if kind == Kind::Null {
            self.skip()?;
        } else {
            return self.wrong("an object");
        }
        self.peek.splices.stream_options = Some(Placed { value: self.span_from(start), inside, member: include_usage });
        Ok(())
    }

    fn include_usage(&mut self, earlier: Option<Span>) -> Result<Span> {
        self.once("stream_options.include_usage", 1 + u32::from(earlier.is_some()))?;
        let start = self.start()?;
        self.peek.client_wants_usage = self.flag()?;
        Ok(self.span_from(start))
    }

    fn fallbacks(&mut self, comma: Option<usize>) -> Result<()> {
        let is_list = self.reader.kind()? == Kind::Array;
        let mut named = Vec::new();
        self.elements(|draft| draft.fallback(&mut named))?;
        self.peek.fallbacks = is_list.then_some(named);
        self.peek.splices.gateway = Some(Cut::new(comma, self.peek.splices.open, self.reader.at()));
        Ok(())
    }

    /// `"provider/model"`, or an object with `provider` and `model`. What names nothing is left out.
    fn fallback(&mut self, named: &mut Vec<String>) -> Result<()> {
        if self.reader.kind()? == Kind::String {
            named.extend(self.reader.string()?.decoded().map(Cow::into_owned).filter(|name| !name.is_empty()));
            return Ok(());
        }
        let (mut provider, mut model) = (None, None);
        self.members(|draft, name| {
            let place = match name {
                "provider" => &mut provider,
                "model" => &mut model,
                _ => return draft.skip(),
            };
            *place = draft.text()?.and_then(Text::decoded);
            Ok(())
        })?;
        named.extend(match (provider, model) {
            (Some(provider), Some(model)) => Some(format!("{provider}/{model}")),
            (Some(only), None) | (None, Some(only)) => Some(only.into_owned()),
            (None, None) => None,
        });
        Ok(())
    }

    fn text_or_null(&mut self) -> Result<Option<Text<'a>>> {
        match self.reader.kind()? {
            Kind::String => Ok(Some(self.reader.string()?)),
            Kind::Null => self.skip().map(|()| None),
            _ => self.wrong("a string"),
        }
    }

    fn flag(&mut self) -> Result<bool> {
        let kind = self.reader.kind()?;
        if !matches!(kind, Kind::True | Kind::False | Kind::Null) {
            return self.wrong("true or false");
        }
        self.skip()?;
        Ok(kind == Kind::True)
    }

    /// Refuses the value that is next. That it is no JSON at all would be said first.
    fn wrong<T>(&mut self, expected: &'static str) -> Result<T> {
        self.skip()?;
        Err(PeekError::WrongType { field: self.field, expected })
    }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
