//! A stream, read: each event is an answer in itself, with what came since the last one. Calls of tools come whole.

use std::collections::BTreeMap;

use policy::usage::Usage;

use super::grounding::Said;
use super::read_answer::{Chunk, Piece};
use crate::error::VendorError;
use crate::hub::answer::{Head, Stop};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{Citation, Part, Reasoning, Text, ToolCall};
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

/// Reads the events of streamGenerateContent.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_head: bool,
    candidates: BTreeMap<u32, Told>,
    searches: u64,
}

/// What was told of a candidate.
#[derive(Debug, Default)]
struct Told {
    index: u32,
    /// How many parts were begun.
    parts: u32,
    open: Option<Open>,
    /// Its texts: the sources come last, and say of which bytes they are.
    said: Vec<Said<String>>,
    cited: Vec<Citation<'static>>,
    calls: bool,
    has_stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thought,
}

impl StreamReader {
    /// Reads one event's data.
    pub(crate) fn event(&mut self, data: &str, each: &mut dyn FnMut(Delta<'_>)) -> Result<()> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        // An error may come in an array, as it does where the stream is one.
        if data.starts_with('[') {
            each(Delta::Error(VendorError::read(data.as_bytes()).unwrap_or_default()));
            return Ok(());
        }
        let chunk = Source::of(data).whole(Chunk::read)?;
        self.chunk(chunk, each);
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        if let Some(error) = chunk.error {
            each(Delta::Error(error));
            return;
        }
        // Each event tells all searches again.
        self.searches = self.searches.max(chunk.searches());
        if !self.has_head {
            self.has_head = true;
            each(Delta::Head(Head { id: chunk.head.id, model: chunk.head.model, created: chunk.head.created }));
        }
        for piece in chunk.candidates {
            self.told(piece.index).take(piece, each);
        }
        if chunk.is_blocked && self.candidates.is_empty() {
            self.told(0).stop(Stop::Filter, each);
        }
        if let Some(usage) = chunk.usage {
            each(Delta::Usage(Usage { searches: self.searches, ..usage }));
        }
    }

    fn told(&mut self, index: u32) -> &mut Told {
        self.candidates.entry(index).or_insert_with(|| Told { index, ..Told::default() })
    }

    /// The stream has come to its end, which Gemini has no event for. One in which nothing ended broke off.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Delta<'_>)) {
        if self.candidates.values().any(|told| told.has_stopped) {
            each(Delta::End);
        }
    }
}

impl Told {
    fn take(&mut self, piece: Piece<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        if self.has_stopped {
            return;
        }
        self.calls |= piece.calls();
        let stop = piece.stop(self.calls);
        for part in piece.parts {
            self.part(part, each);
        }
        if !piece.logprobs.is_empty() && self.open == Some(Open::Text) {
            each(Delta::Logprobs { at: self.at(), logprobs: piece.logprobs });
        }
        // Sources without places may get them in a later event, if there is one.
        let is_placed = stop.is_some() || piece.grounding.has_places();
        if is_placed && !piece.grounding.is_empty() && self.open == Some(Open::Text) {
            for (index, citation) in piece.grounding.citations(&self.said) {
                self.cite(index, citation, each);
            }
        }
        if let Some(stop) = stop {
            self.stop(stop, each);
        }
    }

    fn part(&mut self, part: Part<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        match part {
            Part::Text(text) => self.text(text, each),
            Part::Reasoning(thought) => self.thought(thought, each),
            Part::ToolCall(call) => self.call(call, each),
            part => {
                self.close(each);
                let at = self.begin(each, Opened::Whole(part));
                each(Delta::Close { at });
            }
        }
    }

    /// A proof that comes with a text is worth nothing where it does not come back to Gemini, and then the bytes pass.
    fn text(&mut self, text: Text<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        if text.text.is_empty() {
            return;
        }
        if self.open != Some(Open::Text) {
            self.close(each);
            let at = self.begin(each, Opened::Text);
            self.open = Some(Open::Text);
            self.said.push(Said { part: at.part, text: String::new() });
        }
        if let Some(said) = self.said.last_mut() {
            said.text.push_str(&text.text.plain());
        }
        each(Delta::Text { at: self.at(), text: text.text });
    }

    fn thought(&mut self, thought: Reasoning<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        if self.open != Some(Open::Thought) {
            self.close(each);
            self.begin(each, Opened::Reasoning { id: None, is_summary: thought.is_summary });
            self.open = Some(Open::Thought);
        }
        if !thought.text.is_empty() {
            each(Delta::Text { at: self.at(), text: thought.text });
        }
        if let Some(signature) = thought.signature {
            each(Delta::Signature { at: self.at(), signature });
        }
    }

    fn call(&mut self, call: ToolCall<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        self.close(each);
        let arguments = call.arguments.text().into_owned();
        let at = self.begin(each, Opened::ToolCall { id: call.id, name: call.name });
        each(Delta::Text { at, text: arguments });
        if let Some(signature) = call.signature {
            each(Delta::Signature { at, signature });
        }
        each(Delta::Close { at });
    }

    /// Events may tell the same sources again. Texts that are closed take no more.
    fn cite(&mut self, index: usize, citation: Citation<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        if index + 1 != self.said.len() || self.cited.contains(&citation) {
            return;
        }
        self.cited.push(owned(&citation));
        each(Delta::Citation { at: self.at(), citation });
    }

    /// The part that was begun last.
    const fn at(&self) -> At {
        At { candidate: self.index, part: self.parts.saturating_sub(1) }
    }

    fn begin(&mut self, each: &mut dyn FnMut(Delta<'_>), part: Opened<'_>) -> At {
        self.parts += 1;
        let at = self.at();
        each(Delta::Open { at, part });
        at
    }

    fn close(&mut self, each: &mut dyn FnMut(Delta<'_>)) {
        if self.open.take().is_some() {
            each(Delta::Close { at: self.at() });
        }
    }

    fn stop(&mut self, stop: Stop<'_>, each: &mut dyn FnMut(Delta<'_>)) {
        self.close(each);
        self.has_stopped = true;
        each(Delta::Stop { candidate: self.index, stop });
    }
}

/// The citation, owing nothing to the event that it was read from.
pub(super) fn owned(citation: &Citation<'_>) -> Citation<'static> {
    let text = |text: &Option<Str<'_>>| text.clone().map(Str::into_owned);
    Citation {
        url: text(&citation.url),
        title: text(&citation.title),
        quote: text(&citation.quote),
        range: citation.range,
    }
}
