//! Another target's stream, made into the rest of the one that died.

use bytes::Bytes;
use serde_json::{Map, Value};
use thiserror::Error;

use super::told::{End, Nature, Speech, Told};
use super::{Framing, Transcript, anthropic, can_be_read, framing_of, gemini, openai, raw_of, responses, withhold};
use crate::sse::{Decoder, Event, Item};

/// What the other target was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To go on behind the text that the client has ([`super::with_prefill`]).
    Prefill,
    /// The same request from its start: what the client has must come again, and is dropped.
    Restart,
}

/// The other target's stream does not go on where the first one broke off. Nothing of the piece in which that showed was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the continuing stream is not the same answer")]
pub struct Diverged;

/// A stream that goes on where another broke off.
///
/// What it used is told to the client in the continuing target's own figures: they describe the whole answer where it was begun
/// anew, and otherwise what the last call took; what the dead attempt used, its vendor never said.
#[derive(Debug)]
pub struct Continuation {
    transcript: Transcript,
    framing: Framing,
    decoder: Decoder,
    overlap: Overlap,
    /// The event that names the first stream's answer.
    head: Option<Value>,
    /// The continuing stream's content block that is passed with another index: theirs, ours.
    block: Option<(u64, u64)>,
    has_diverged: bool,
}

/// The text that the client has and the continuing stream says again.
#[derive(Clone, Copy, Debug)]
struct Overlap {
    mode: Mode,
    from: usize,
    until: usize,
}

/// One event's way from the continuing stream to the client.
pub(super) struct Line<'a> {
    pub(super) told: &'a mut Told,
    pub(super) head: Option<&'a Value>,
    pub(super) block: &'a mut Option<(u64, u64)>,
    overlap: &'a mut Overlap,
    out: &'a mut Vec<u8>,
}

impl Continuation {
    /// Goes on with a transcript that [`Transcript::is_resumable`]. What is left there of an event that never became whole, and
    /// what was withheld, is let go.
    #[must_use]
    pub fn new(transcript: Transcript, mode: Mode) -> Self {
        let mut told = transcript.told;
        told.has_failed = false;
        let head = told.head.as_deref().and_then(|head| serde_json::from_slice(head).ok());
        let until = told.text.len();
        let from = match (mode, &told.speech) {
            (Mode::Restart, _) => 0,
            (Mode::Prefill, Some(Speech::Anthropic(_))) => told.text.trim_end().len(),
            (Mode::Prefill, _) => until,
        };
        Self {
            has_diverged: !told.is_resumable(),
            transcript: Transcript::going_on(Framing::Events, told),
            framing: Framing::Unknown,
            decoder: Decoder::default(),
            overlap: Overlap { mode, from, until },
            head,
            block: None,
        }
    }

    /// Takes the continuing stream's next bytes and gives what the client must see next. `end`: these are the last; that they
    /// came too early is seen from [`Transcript::is_finished`].
    ///
    /// # Errors
    /// When it does not go on where the first stream broke off; once that has happened, always.
    pub fn pass(&mut self, piece: Bytes, end: bool) -> Result<Bytes, Diverged> {
        if self.framing == Framing::Unknown {
            self.framing = framing_of(&piece);
        }
        self.has_diverged |= self.framing == Framing::Opaque;
        if self.has_diverged {
            return Err(Diverged);
        }
        let checkpoint = self.transcript.told.checkpoint();
        let passed = self.take(&piece, end);
        if passed.is_err() {
            self.has_diverged = true;
            self.transcript.told.restore(checkpoint);
        }
        passed
    }

    /// What the client has been given so far, by both streams.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// What the client has been given, for yet another target to go on from.
    #[must_use]
    pub fn into_transcript(self) -> Transcript {
        self.transcript
    }

    fn take(&mut self, piece: &[u8], end: bool) -> Result<Bytes, Diverged> {
        let Self { transcript: Transcript { told, withheld, .. }, decoder, overlap, head, block, .. } = self;
        let (mut out, mut outcome) = (Vec::new(), Ok(()));
        let mut each = |item: Item<'_>| {
            if outcome.is_ok() && told.has_failed {
                withhold(withheld, raw_of(&item));
            } else if outcome.is_ok() {
                let mut line = Line { told, head: head.as_ref(), block, overlap, out: &mut out };
                outcome = line.item(&item);
                if line.told.has_failed {
                    withhold(withheld, raw_of(&item));
                }
            }
        };
        decoder.push(piece, &mut each);
        if end {
            decoder.finish(|item| {
                if can_be_read(&item) {
                    each(item);
                }
            });
        }
        outcome.map(|()| Bytes::from(out))
    }
}

impl Line<'_> {
    fn item(&mut self, item: &Item<'_>) -> Result<(), Diverged> {
        match item {
            Item::Event(Event { data: Some(data), .. }) if !data.is_empty() => self.event(data),
            // A comment keeps the connection awake, whatever it says.
            Item::Event(Event { raw, is_whole: true, .. }) if raw.starts_with(b":") => {
                self.raw(b":\n\n");
                Ok(())
            }
            Item::Event(_) => Ok(()),
            Item::Piece(_) => Err(Diverged),
        }
    }

    fn event(&mut self, data: &[u8]) -> Result<(), Diverged> {
        if self.told.end == End::Complete {
            return Ok(());
        }
        // Read apart, since what the client is told is what comes out here.
        if Told::new(self.told.speech.clone()).read(data) == Nature::Failure {
            self.told.has_failed = true;
            return Ok(());
        }
        if data == b"[DONE]" {
            return openai::done(self);
        }
        let event = serde_json::from_slice(data).map_err(|_| Diverged)?;
        match &self.told.speech {
            None => Err(Diverged),
            Some(Speech::Chat | Speech::Completion) => openai::rewrite(self, event),
            Some(Speech::Anthropic(_)) => anthropic::rewrite(self, event),
            Some(Speech::Responses(_)) => responses::rewrite(self, event),
            Some(Speech::Gemini) => gemini::rewrite(self, event),
        }
    }

    /// What of a text the client does not have yet.
    pub(super) fn rest_of<'t>(&mut self, text: &'t str) -> Result<&'t str, Diverged> {
        let known = self.told.text.get(self.overlap.from..self.overlap.until).unwrap_or_default();
        let common = match self.overlap.mode {
            Mode::Restart if text.starts_with(known) => known.len(),
            Mode::Restart if known.starts_with(text) => text.len(),
            Mode::Restart => return Err(Diverged),
            Mode::Prefill => {
                known.chars().zip(text.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
            }
        };
        let rest = text.get(common..).unwrap_or_default();
        let is_over = self.overlap.mode == Mode::Prefill && !rest.is_empty();
        self.overlap.from = if is_over { self.overlap.until } else { self.overlap.from + common };
        Ok(rest)
    }

    /// Whether the text that the client has did come again, where it must.
    pub(super) fn is_joined(&self) -> bool {
        self.overlap.mode == Mode::Prefill || self.overlap.from == self.overlap.until
    }

    /// That nothing is missing of the text that the client has.
    pub(super) fn must_have_joined(&self) -> Result<(), Diverged> {
        if self.is_joined() { Ok(()) } else { Err(Diverged) }
    }

    /// Gives these members the values that the first stream gave them; those that it did not have go.
    pub(super) fn name(&self, fields: &mut Map<String, Value>, identity: &[&str]) {
        if let Some(Value::Object(head)) = self.head {
            rename(head, fields, identity);
        }
    }

    /// Gives an event to the client.
    pub(super) fn emit(&mut self, name: Option<&str>, event: &Value) {
        let data = event.to_string();
        if let Some(name) = name {
            self.raw(b"event: ");
            self.raw(name.as_bytes());
            self.raw(b"\n");
        }
        self.raw(b"data: ");
        self.raw(data.as_bytes());
        self.raw(b"\n\n");
        self.told.read(data.as_bytes());
    }

    /// Gives bytes to the client that tell nothing.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

/// Gives these members the values of the first object; those that it does not have go.
pub(super) fn rename(first: &Map<String, Value>, fields: &mut Map<String, Value>, identity: &[&str]) {
    for key in identity {
        match first.get(*key) {
            Some(value) => fields.insert((*key).to_owned(), value.clone()),
            None => fields.remove(*key),
        };
    }
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}
