//! What the model thought. The API has no field for it; those who copy it have several: `reasoning_content` (DeepSeek, xAI, vLLM),
//! `reasoning` (Groq, Cerebras, OpenRouter), OpenRouter's `reasoning_details` with the vendors' proofs
//! (<https://openrouter.ai/docs/use-cases/reasoning-tokens>, 2026-11), and LiteLLM's `thinking_blocks`.

use crate::hub::part::{Part, Reasoning};
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// The thoughts of a message, in whichever fields they came.
#[derive(Debug, Default)]
pub(super) struct Thoughts<'a> {
    text: Option<Str<'a>>,
    details: Vec<Detail<'a>>,
}

/// One of `reasoning_details`.
#[derive(Debug, Default)]
pub(super) struct Detail<'a> {
    /// Pieces of one thought have the same.
    pub(super) index: Option<u64>,
    pub(super) thought: Reasoning<'a>,
}

impl<'a> Thoughts<'a> {
    /// Reads a member of a message, where it is one of these.
    pub(super) fn member(&mut self, source: &mut Source<'a>, name: &str) -> Result<bool> {
        match name {
            "reasoning_content" | "reasoning" if source.kind()? == Kind::String => {
                let text = source.text()?;
                self.text = self.text.take().or(Some(text)).filter(|text| !text.is_empty());
            }
            "reasoning_content" | "reasoning" => source.skip()?,
            "reasoning_details" | "thinking_blocks" if source.kind()? == Kind::Array => {
                let details = source.list(detail)?;
                if self.details.is_empty() {
                    self.details = details;
                }
            }
            "reasoning_details" | "thinking_blocks" => source.skip()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The pieces as they stand. A text of its own counts only where none of them has any.
    pub(super) fn into_details(self) -> Vec<Detail<'a>> {
        let Self { text, mut details } = self;
        let has_text = details.iter().any(|detail| !detail.thought.text.is_empty());
        match text {
            Some(text) if !has_text => {
                // A proof without words belongs to the words beside it.
                match details.iter_mut().find(|detail| detail.thought.signature.is_some()) {
                    Some(detail) => detail.thought.text = text,
                    None => {
                        details.insert(0, Detail { index: None, thought: Reasoning { text, ..Reasoning::default() } });
                    }
                }
            }
            _ => {}
        }
        details
    }

    /// The thoughts, pieces of one put together.
    pub(super) fn into_parts(self, parts: &mut Vec<Part<'a>>) {
        let mut last: Option<Detail<'a>> = None;
        for detail in self.into_details() {
            match &mut last {
                Some(before) if before.goes_on_with(&detail) => before.add(detail),
                _ => parts.extend(last.replace(detail).map(|detail| Part::Reasoning(detail.thought))),
            }
        }
        parts.extend(last.map(|detail| Part::Reasoning(detail.thought)));
    }
}

impl<'a> Detail<'a> {
    fn goes_on_with(&self, next: &Self) -> bool {
        let is_same_item = self.thought.id.is_some() && self.thought.id == next.thought.id;
        if next.thought.sealed.is_some() {
            return is_same_item && self.thought.sealed.is_none();
        }
        self.thought.is_summary == next.thought.is_summary
            && (is_same_item || (self.index.is_some() && self.index == next.index))
    }

    fn add(&mut self, next: Self) {
        self.thought.text.push(&next.thought.text);
        self.thought.signature = self.thought.signature.take().or(next.thought.signature);
        self.thought.sealed = self.thought.sealed.take().or(next.thought.sealed);
    }
}

fn detail<'a>(source: &mut Source<'a>) -> Result<Detail<'a>> {
    let mut detail = Detail::default();
    source.members(|source, name| {
        let thought = &mut detail.thought;
        match name {
            "index" if source.kind()? == Kind::Number => detail.index = source.count()?,
            "id" => thought.id = source.text_or_null()?,
            "text" | "thinking" => thought.text = source.text_or_null()?.unwrap_or_default(),
            "summary" if source.kind()? == Kind::String => {
                thought.text = source.text()?;
                thought.is_summary = true;
            }
            "signature" => thought.signature = source.text_or_null()?.filter(|signature| !signature.is_empty()),
            "data" => thought.sealed = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(detail)
}

/// Writes the thoughts among these parts as members of a message. Their words are there twice, as clients know one or the other.
pub(super) fn write(parts: &[Part<'_>], sink: &mut Sink) {
    write_words(parts, sink);
    write_all_details(parts, sink);
}

/// Writes their words, where there are any.
pub(super) fn write_words(parts: &[Part<'_>], sink: &mut Sink) {
    let mut words = Str::default();
    thoughts(parts).for_each(|thought| words.push(&thought.text));
    if !words.is_empty() {
        sink.text_member("reasoning_content", &words);
    }
}

/// Writes them with their proofs, where there are any.
pub(super) fn write_all_details(parts: &[Part<'_>], sink: &mut Sink) {
    if thoughts(parts).next().is_some() {
        sink.key("reasoning_details").array(|sink| {
            for (index, thought) in (0..).zip(thoughts(parts)) {
                write_details(thought, index, sink);
            }
        });
    }
}

fn thoughts<'b, 'a>(parts: &'b [Part<'a>]) -> impl Iterator<Item = &'b Reasoning<'a>> {
    parts.iter().filter_map(|part| if let Part::Reasoning(thought) = part { Some(thought) } else { None })
}

/// Writes one thought as elements of `reasoning_details`.
pub(super) fn write_details(thought: &Reasoning<'_>, index: u64, sink: &mut Sink) {
    let (kind, member) = kind_of(thought.is_summary);
    if !thought.text.is_empty() || thought.signature.is_some() || thought.sealed.is_none() {
        write_detail(kind, thought.id.as_ref(), index, sink, |sink| {
            sink.text_member(member, &thought.text);
            if let Some(signature) = &thought.signature {
                sink.text_member("signature", signature);
            }
        });
    }
    if let Some(sealed) = &thought.sealed {
        write_detail("reasoning.encrypted", thought.id.as_ref(), index, sink, |sink| sink.text_member("data", sealed));
    }
}

/// The type of a detail, and where its words are.
pub(super) const fn kind_of(is_summary: bool) -> (&'static str, &'static str) {
    if is_summary { ("reasoning.summary", "summary") } else { ("reasoning.text", "text") }
}

/// Writes one element of `reasoning_details`.
pub(super) fn write_detail(
    kind: &str,
    id: Option<&Str<'_>>,
    index: u64,
    sink: &mut Sink,
    members: impl FnOnce(&mut Sink),
) {
    sink.object(|sink| {
        sink.plain_member("type", kind);
        if let Some(id) = id {
            sink.text_member("id", id);
        }
        members(sink);
        sink.count_member("index", index);
    });
}
