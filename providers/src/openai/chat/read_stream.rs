//! Streamed answers: chunks as parts that begin, grow and end. Chunks carry no marks of where a part ends, so that is where another
//! begins or the answer ends; why a choice ended is told at the end, as some go on behind it.

use std::collections::BTreeMap;

use super::call::Call;
use super::read_answer::{citations, index, stop};
use super::read_chunk::{Choice, Chunk};
use super::thought::Detail;
use crate::error::VendorError;
use crate::hub::answer::{Head, Logprob, Stop};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Arguments, Part, Reasoning};
use crate::hub::source::{ReadError, Result};
use crate::hub::text::Str;

/// Reads a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_head: bool,
    has_ended: bool,
    candidates: BTreeMap<u32, Candidate>,
    /// What was found on the web, where each chunk repeats it.
    found: String,
}

type Each<'e> = &'e mut dyn FnMut(Delta<'_>);

impl StreamReader {
    /// Reads one event's data.
    pub(crate) fn event(&mut self, data: &str, each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        let data = data.trim_ascii();
        if data == "[DONE]" {
            self.end(each);
            return Ok(());
        }
        if data.is_empty() || self.has_ended {
            return Ok(());
        }
        let chunk = Chunk::read(data)?;
        if chunk.is_error {
            self.has_ended = true;
            each(Delta::Error(VendorError::read(data.as_bytes()).unwrap_or_default()));
            return Ok(());
        }
        self.chunk(chunk, each)
    }

    /// The stream has come to its end. One that was cut off before any choice ended has none.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Delta<'_>)) {
        if self.candidates.values().any(|candidate| candidate.finish.is_some()) {
            self.end(each);
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, each: Each<'_>) -> Result<()> {
        let usage = chunk.frame.usage();
        if let Some(found) = chunk.frame.found().filter(|found| !found.is(&self.found)) {
            found.raw().clone_into(&mut self.found);
        }
        // Azure's first chunk has neither id nor choices.
        if !self.has_head && (chunk.frame.head.id.is_some() || !chunk.choices.is_empty()) {
            self.head(chunk.frame.head, each);
        }
        for choice in chunk.choices {
            self.candidate(choice.index).take(choice, each)?;
        }
        if let Some(usage) = usage {
            each(Delta::Usage(usage));
        }
        Ok(())
    }

    fn head(&mut self, head: Head<'_>, each: Each<'_>) {
        self.has_head = true;
        each(Delta::Head(head));
    }

    fn candidate(&mut self, number: Option<u64>) -> &mut Candidate {
        let number = index(number.or(Some(0)));
        self.candidates.entry(number).or_insert_with(|| Candidate { number, ..Candidate::default() })
    }

    fn end(&mut self, each: Each<'_>) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        if !self.has_head {
            self.head(Head::default(), each);
        }
        if let (Some(first), false) = (self.candidates.values().next(), self.found.is_empty()) {
            first.cite(&self.found, each);
        }
        for candidate in self.candidates.values_mut() {
            candidate.end(each);
        }
        each(Delta::End);
    }
}

/// A choice so far.
#[derive(Debug, Default)]
struct Candidate {
    number: u32,
    /// How many parts were begun.
    parts: u32,
    open: Option<Open>,
    /// How many calls were begun.
    calls: u64,
    /// A call whose name is still to come: its id.
    nameless: Option<Str<'static>>,
    has_refusal: bool,
    finish: Option<Finish>,
}

/// The part that grows.
#[derive(Debug, PartialEq)]
enum Open {
    Text,
    Refusal,
    Thought { index: Option<u64>, is_summary: bool },
    Call { index: Option<u64>, id: Option<Str<'static>> },
}

/// Why it ended, in the vendor's word.
#[derive(Debug)]
struct Finish(String);

impl Candidate {
    fn take(&mut self, choice: Choice<'_>, each: Each<'_>) -> Result<()> {
        for detail in choice.thoughts.into_details() {
            self.thought(detail, each);
        }
        if let Some(text) = choice.text {
            self.text(text, each);
        }
        for part in choice.parts.into_iter().chain(choice.media) {
            self.part(part, each);
        }
        if let Some(text) = choice.refusal {
            self.has_refusal = true;
            let at = self.grow(|open| *open == Open::Refusal, || (Open::Refusal, Opened::Refusal), each);
            each(Delta::Text { at, text });
        }
        for citation in choice.citations {
            let at = self.text_part(each);
            each(Delta::Citation { at, citation });
        }
        if let Some(signature) = choice.signature {
            let at = self.text_part(each);
            each(Delta::Signature { at, signature });
        }
        self.logprobs(choice.logprobs, each);
        for call in choice.calls {
            self.call(call, each)?;
        }
        if let (Some(finish), None) = (choice.finish, &self.finish) {
            self.finish = Some(Finish(finish.raw().to_owned()));
        }
        Ok(())
    }

    fn at(&self) -> At {
        At { candidate: self.number, part: self.parts.saturating_sub(1) }
    }

    fn close(&mut self, each: Each<'_>) {
        if self.open.take().is_some() {
            each(Delta::Close { at: self.at() });
        }
    }

    /// The part that grows where it is such a one, else a new one.
    fn grow<'o>(
        &mut self,
        is_such: impl FnOnce(&Open) -> bool,
        new: impl FnOnce() -> (Open, Opened<'o>),
        each: Each<'_>,
    ) -> At {
        if !self.open.as_ref().is_some_and(is_such) {
            self.close(each);
            let (open, part) = new();
            self.open = Some(open);
            self.parts += 1;
            each(Delta::Open { at: self.at(), part });
        }
        self.at()
    }

    fn text_part(&mut self, each: Each<'_>) -> At {
        self.grow(|open| *open == Open::Text, || (Open::Text, Opened::Text), each)
    }

    fn text(&mut self, text: Str<'_>, each: Each<'_>) {
        let at = self.text_part(each);
        each(Delta::Text { at, text });
    }

    fn logprobs(&mut self, logprobs: Vec<Logprob<'_>>, each: Each<'_>) {
        if logprobs.is_empty() {
            return;
        }
        let at = if self.open == Some(Open::Refusal) { self.at() } else { self.text_part(each) };
        each(Delta::Logprobs { at, logprobs });
    }

    fn thought(&mut self, detail: Detail<'_>, each: Each<'_>) {
        let Detail { index, thought } = detail;
        let Reasoning { text, is_summary, signature, sealed, id } = thought;
        if sealed.is_some() && text.is_empty() && signature.is_none() {
            let sealed = Reasoning { sealed, id, ..Reasoning::default() };
            return self.whole(Part::Reasoning(sealed), each);
        }
        let goes_on = |open: &Open| {
            matches!(open, Open::Thought { index: own, is_summary: is_own }
                if *is_own == is_summary && (index.is_none() || own.is_none() || *own == index))
        };
        let new = || (Open::Thought { index, is_summary }, Opened::Reasoning { id, is_summary });
        let at = self.grow(goes_on, new, each);
        if !text.is_empty() {
            each(Delta::Text { at, text });
        }
        if let Some(signature) = signature {
            each(Delta::Signature { at, signature });
        }
    }

    fn part(&mut self, part: Part<'_>, each: Each<'_>) {
        match part {
            Part::Text(text) if text.text.is_empty() => {}
            Part::Text(text) => self.text(text.text, each),
            Part::Reasoning(thought) => self.thought(Detail { index: None, thought }, each),
            other => self.whole(other, each),
        }
    }

    fn whole(&mut self, part: Part<'_>, each: Each<'_>) {
        self.close(each);
        self.parts += 1;
        each(Delta::Open { at: self.at(), part: Opened::Whole(part) });
        each(Delta::Close { at: self.at() });
    }

    /// A call or a piece of one. Some leave the index out, some have 0 for all, some repeat id and name in each piece.
    fn call(&mut self, call: Call<'_>, each: Each<'_>) -> Result<()> {
        let Call { index, id, name, arguments, signature, .. } = call;
        let goes_on = match &self.open {
            Some(Open::Call { index: own, id: own_id }) => {
                let is_other = index.is_some() && own.is_some() && index != *own;
                let is_renamed = name.is_some() && id.is_some() && *own_id != id;
                let is_nameless_next = name.is_some() && id.is_none() && index.is_none();
                !is_other && !is_renamed && !is_nameless_next
            }
            _ => false,
        };
        if !goes_on {
            let Some(name) = name else { return self.nameless(index, id, arguments.as_ref()) };
            let id = id.or_else(|| self.nameless.take());
            self.close(each);
            self.calls += 1;
            self.parts += 1;
            self.open = Some(Open::Call { index, id: id.clone().map(Str::into_owned) });
            each(Delta::Open { at: self.at(), part: Opened::ToolCall { id, name } });
        }
        let at = self.at();
        let text = arguments.as_ref().map(Arguments::text).filter(|text| !text.is_empty());
        if let Some(text) = text {
            each(Delta::Text { at, text });
        }
        if let Some(signature) = signature {
            each(Delta::Signature { at, signature });
        }
        Ok(())
    }

    /// A call that has no name yet. Arguments cannot come before it, nor behind those of the next call: parts do not mingle.
    fn nameless(&mut self, index: Option<u64>, id: Option<Str<'_>>, arguments: Option<&Arguments<'_>>) -> Result<()> {
        if arguments.is_some_and(|arguments| !arguments.text().is_empty()) {
            let is_late = index.is_some_and(|index| index < self.calls);
            let expected = if is_late { "one call behind the other" } else { "a call's name before its arguments" };
            return Err(ReadError::wrong(expected).under("tool_calls").under("delta"));
        }
        self.nameless = id.map(Str::into_owned).or(self.nameless.take());
        Ok(())
    }

    fn cite(&self, found: &str, each: Each<'_>) {
        if self.open == Some(Open::Text) {
            for citation in citations(found) {
                each(Delta::Citation { at: self.at(), citation });
            }
        }
    }

    fn end(&mut self, each: Each<'_>) {
        self.close(each);
        let reason = self.finish.as_ref().map_or("stop", |Finish(reason)| reason);
        let stop: Stop<'static> = stop(reason, self.calls > 0, self.has_refusal);
        each(Delta::Stop { candidate: self.number, stop });
    }
}
