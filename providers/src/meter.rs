//! What an answer used, read from its bytes as they pass. How each dialect tells is its own business (`openai::stream` and so
//! on); here is how the bytes are taken apart, whatever their borders, and what goes on to the client.

use bytes::Bytes;
use policy::demand::Demand;
use policy::money::NanoUsd;
use policy::request::{Dialect, Operation};
use policy::usage::Metered;

use crate::anthropic::usage::Report;
pub use crate::error::VendorError as StreamError;
use crate::estimate::TextCount;
use crate::json::Span;
use crate::json_tap::JsonTap;
use crate::sse::{Decoder, Event, Item};
use crate::{anthropic, gemini, openai};

mod elements;
pub(crate) mod tally;

use elements::{Element, Elements};
use tally::Tally;

/// The meter of one attempt's answer.
#[derive(Debug)]
pub struct Meter {
    framing: Framing,
    tracker: Tracker,
    /// The gateway asked for usage and the client did not.
    hides_usage: bool,
    is_stream: bool,
    delivered: u64,
}

/// How the answer is put together; seen from its first byte, since an error may come as a document where a stream was asked for.
#[derive(Debug)]
enum Framing {
    Unknown,
    Events(Decoder),
    Elements(Elements),
    Document(JsonTap),
}

/// What is done to an event on its way to a client that did not ask for usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drop,
    /// Keep it without this span of its data.
    Cut(Span),
}

/// What the answer tells, in its dialect.
#[derive(Debug)]
struct Tracker {
    speech: Speech,
    tally: Tally,
    /// An event that is too long to be read at once.
    long: Option<JsonTap>,
}

#[derive(Debug)]
enum Speech {
    Chat,
    Responses,
    Anthropic(Box<Report>),
    Gemini,
}

impl Meter {
    /// A meter for an answer in this dialect to this operation. `stream`: a stream was asked for; what really comes is seen from
    /// its first byte. `hide_usage`: the gateway asked for usage and the client did not.
    #[must_use]
    pub fn new(dialect: Dialect, operation: Operation, stream: bool, hide_usage: bool) -> Self {
        let speech = match (dialect, operation) {
            (Dialect::OpenAi, Operation::Responses) => Speech::Responses,
            (Dialect::OpenAi, _) => Speech::Chat,
            (Dialect::Anthropic, _) => Speech::Anthropic(Box::default()),
            (Dialect::Gemini, _) => Speech::Gemini,
        };
        let tally = Tally {
            events_are_tokens: dialect == Dialect::OpenAi,
            has_no_output: matches!(operation, Operation::Embedding | Operation::CountTokens | Operation::ListModels),
            ..Tally::default()
        };
        Self {
            framing: Framing::Unknown,
            hides_usage: hide_usage && matches!(speech, Speech::Chat),
            tracker: Tracker { speech, tally, long: None },
            is_stream: stream,
            delivered: 0,
        }
    }

    /// Takes the answer's next bytes and gives those for the client: the same ones, not copied, unless usage is hidden.
    /// `end`: these are the last.
    pub fn pass(&mut self, chunk: Bytes, end: bool) -> Bytes {
        if matches!(self.framing, Framing::Unknown) {
            self.framing = self.framing_of(&chunk);
        }
        let passed = match &mut self.framing {
            Framing::Events(decoder) if self.hides_usage => {
                let mut kept = Vec::with_capacity(chunk.len());
                decoder.push(&chunk, |item| self.tracker.filter(&item, &mut kept));
                if end {
                    decoder.finish(|item| self.tracker.filter(&item, &mut kept));
                }
                Bytes::from(kept)
            }
            Framing::Events(decoder) => {
                decoder.push(&chunk, |item| self.tracker.watch(&item));
                if end {
                    decoder.finish(|item| self.tracker.watch(&item));
                }
                chunk
            }
            Framing::Elements(elements) => {
                elements.push(&chunk, |element| self.tracker.element(&element));
                if end {
                    elements.finish(|element| self.tracker.element(&element));
                }
                chunk
            }
            Framing::Document(tap) => {
                let was_closed = tap.is_closed();
                if !was_closed {
                    tap.push(&chunk);
                    self.tracker.read_on(tap);
                }
                if !was_closed && (tap.is_closed() || end) {
                    self.tracker.document(tap, false);
                }
                chunk
            }
            Framing::Unknown => chunk,
        };
        self.delivered = self.delivered.saturating_add(u64::try_from(passed.len()).unwrap_or(u64::MAX));
        passed
    }

    /// Whether something that counts has passed: of a document, its first byte; of a stream, an event with content, one that
    /// ends the answer, or an error.
    #[must_use]
    pub fn has_content(&self) -> bool {
        matches!(self.framing, Framing::Document(_)) || self.tracker.tally.has_content
    }

    /// The error that the answer, although its status was good, turned out to be or to end with.
    #[must_use]
    pub fn error_seen(&self) -> Option<StreamError> {
        self.tracker.tally.error.clone()
    }

    /// Whether the answer is one document, whatever it was to be.
    #[must_use]
    pub fn is_document(&self) -> bool {
        matches!(self.framing, Framing::Document(_))
    }

    /// Whether an event of the stream could not be read: no client can either.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.tracker.tally.is_malformed
    }

    /// Whether the answer has come to its own end: a stream to its terminator, a document to its last bracket.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.framing {
            Framing::Document(tap) => tap.is_closed(),
            _ => self.tracker.tally.is_complete,
        }
    }

    /// Bytes given to the client so far.
    #[must_use]
    pub const fn delivered_bytes(&self) -> u64 {
        self.delivered
    }

    /// What is to be charged. `Reported`: the vendor's own final figures. `Partial`: it told some, the rest is estimated from
    /// `demand` and from what was delivered. `Estimated`: it told nothing; an error before any output then counts as nothing
    /// used. `Abandoned`: it works on in the background and will report elsewhere.
    ///
    /// `extra_output`: tokens to add for a stream that was cut, which the vendor went on writing; not added to final figures.
    #[must_use]
    pub fn metered(&self, demand: &Demand, extra_output: u64) -> Metered {
        self.tracker.tally.metered(demand, extra_output)
    }

    /// What the vendor says that it cost, where it says so: to be recorded, not charged.
    #[must_use]
    pub fn vendor_cost(&self) -> Option<NanoUsd> {
        self.tracker.tally.reading.cost
    }

    /// Tokens of what was delivered so far, estimated.
    #[must_use]
    pub fn output_estimate(&self) -> u64 {
        self.tracker.tally.output_estimate()
    }

    fn framing_of(&self, chunk: &[u8]) -> Framing {
        match chunk.trim_ascii_start().first() {
            None => Framing::Unknown,
            Some(b'[') if self.is_stream && matches!(self.tracker.speech, Speech::Gemini) => {
                Framing::Elements(Elements::default())
            }
            Some(b'{' | b'[') => Framing::Document(self.tracker.tap()),
            Some(_) if self.is_stream => Framing::Events(Decoder::default()),
            Some(_) => Framing::Document(self.tracker.tap()),
        }
    }
}

impl Tracker {
    fn tap(&self) -> JsonTap {
        JsonTap::new(match self.speech {
            Speech::Chat | Speech::Responses => openai::stream::PATHS,
            Speech::Anthropic(_) => anthropic::stream::PATHS,
            Speech::Gemini => gemini::stream::PATHS,
        })
    }

    /// Reads an item, and keeps of it what a client that did not ask for usage is to see.
    fn filter(&mut self, item: &Item<'_>, kept: &mut Vec<u8>) {
        match (self.item(item), item) {
            (Verdict::Drop, _) => {}
            (Verdict::Cut(span), Item::Event(Event { raw, data_at: Some(at), .. })) => {
                kept.extend_from_slice(raw.get(..at + span.start).unwrap_or_default());
                kept.extend_from_slice(raw.get(at + span.end..).unwrap_or_default());
            }
            (_, Item::Event(Event { raw, .. })) => kept.extend_from_slice(raw),
            (_, Item::Piece(piece)) => kept.extend_from_slice(piece.raw),
        }
    }

    fn watch(&mut self, item: &Item<'_>) {
        self.item(item);
    }

    fn item(&mut self, item: &Item<'_>) -> Verdict {
        match item {
            Item::Event(Event { data: Some(data), .. }) => return self.event(data),
            Item::Event(_) => {}
            Item::Piece(piece) => self.piece(piece.data, piece.is_last),
        }
        Verdict::Keep
    }

    fn element(&mut self, element: &Element<'_>) {
        match element {
            Element::Whole(data) => {
                self.event(data);
            }
            Element::Piece { data, is_last } => self.piece(data, *is_last),
        }
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        match &mut self.speech {
            Speech::Chat => return openai::stream::chat(&mut self.tally, data),
            Speech::Responses => openai::stream::responses(&mut self.tally, data),
            Speech::Anthropic(report) => anthropic::stream::event(&mut self.tally, report, data),
            Speech::Gemini => gemini::stream::chunk(&mut self.tally, data),
        }
        Verdict::Keep
    }

    /// Reads on in an event that is too long to be read at once. So long an event has content.
    fn piece(&mut self, data: &[u8], is_last: bool) {
        self.tally.has_content = true;
        let mut tap = self.long.take().unwrap_or_else(|| self.tap());
        tap.push(data);
        if is_last {
            self.tally.text += tap.found().text;
            self.document(&tap, true);
        } else {
            self.long = Some(tap);
        }
    }

    /// Takes in what a document tells before its end.
    fn read_on(&mut self, tap: &JsonTap) {
        let found = tap.found();
        self.tally.text = found.text;
        // Chat completions report no searches, and one is billed for a call.
        self.tally.searches = found.searches.max(u64::from(found.cites));
    }

    fn document(&mut self, tap: &JsonTap, is_event: bool) {
        if tap.is_closed() && tap.value("error").is_some_and(|error| error != b"null") {
            // An error's text is none that the model wrote.
            self.tally.text = TextCount::default();
        }
        match &mut self.speech {
            Speech::Chat | Speech::Responses => openai::stream::document(&mut self.tally, tap, is_event),
            Speech::Anthropic(report) => anthropic::stream::document(&mut self.tally, report, tap, is_event),
            Speech::Gemini => gemini::stream::document(&mut self.tally, tap, is_event),
        }
    }
}

#[cfg(test)]
mod tests;
