//! A stream that dies after its first words goes on from another target of the same dialect, and the client sees one stream.
//!
//! [`Transcript`] watches what the client is given, [`with_prefill`] asks another target to go on from there, and
//! [`Continuation`] makes that target's stream into the rest of the first. How each dialect tells is in its own file.

use bytes::Bytes;
use policy::request::{Dialect, Operation};

use crate::json::Reader;
use crate::sse::{Decoder, Event, Item, MAX_EVENT_BYTES};

mod anthropic;
mod continuation;
mod gemini;
mod openai;
mod prefill;
mod responses;
mod told;

pub use continuation::{Continuation, Diverged, Mode};
pub use prefill::with_prefill;
use told::{End, Speech, Told};

/// More text than this is not remembered, in bytes: a longer answer cannot be continued.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// What the client has been given of a stream, whole events only.
#[derive(Debug)]
pub struct Transcript {
    framing: Framing,
    decoder: Decoder,
    /// Bytes of an event that is not whole yet; the decoder has them.
    held: usize,
    /// The event that told of a failure, and what came after it.
    withheld: Vec<u8>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Nothing but white space came so far.
    Unknown,
    Events,
    /// No event stream, so nothing is known of it and nothing is held back.
    Opaque,
}

impl Transcript {
    /// The transcript of a stream that has not begun. `array`: Gemini was asked for a JSON array instead of an event stream,
    /// which cannot be continued and passes as it comes.
    #[must_use]
    pub fn new(dialect: Dialect, operation: Operation, array: bool) -> Self {
        let speech = Speech::of(dialect, operation).filter(|_| !array);
        Self::going_on(if speech.is_some() { Framing::Unknown } else { Framing::Opaque }, Told::new(speech))
    }

    fn going_on(framing: Framing, told: Told) -> Self {
        Self { framing, decoder: Decoder::default(), held: 0, withheld: Vec::new(), told }
    }

    /// Takes the stream's next bytes, as the meter let them through, and gives those for the client: all that end a whole event,
    /// not copied where none had begun in an earlier piece. `end`: these are the last.
    ///
    /// As long as the stream could be continued, an event that tells of a failure or cannot be read is withheld, with all that
    /// follows. What is left of an event at the end is dropped unless only its blank line is missing.
    pub fn pass(&mut self, piece: Bytes, end: bool) -> Bytes {
        if self.framing == Framing::Unknown {
            self.framing = framing_of(&piece);
        }
        if self.framing != Framing::Events {
            return piece;
        }
        let whole = self.take(piece);
        if end { self.take_rest(whole) } else { whole }
    }

    fn take(&mut self, piece: Bytes) -> Bytes {
        let Self { decoder, told, withheld, held, .. } = self;
        let mut joined = (*held > 0).then(Vec::new);
        let (mut seen, mut released) = (0, 0);
        decoder.push(&piece, |item| {
            let raw = raw_of(&item);
            seen += raw.len();
            if !told.admits(&item) {
                withhold(withheld, raw);
                return;
            }
            released += raw.len();
            if let Some(joined) = &mut joined {
                joined.extend_from_slice(raw);
            }
        });
        *held = (*held + piece.len()).saturating_sub(seen);
        match joined {
            Some(joined) => Bytes::from(joined),
            None if released == piece.len() => piece,
            None => piece.slice(..released),
        }
    }

    fn take_rest(&mut self, whole: Bytes) -> Bytes {
        let Self { decoder, told, withheld, held, .. } = self;
        let mut rest = Vec::new();
        decoder.finish(|item| {
            if !can_be_read(&item) {
                return;
            }
            let raw = raw_of(&item);
            if !told.admits(&item) {
                return withhold(withheld, raw);
            }
            rest.extend_from_slice(raw);
            // Another target's events may follow.
            if told.is_resumable() {
                rest.extend_from_slice(b"\n\n");
            }
        });
        *held = 0;
        if rest.is_empty() { whole } else { Bytes::from([&*whole, &*rest].concat()) }
    }

    /// Whether another target can go on from here: so far it was plain text of one answer, all of it understood, and no reason
    /// why it ended was given.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.framing != Framing::Opaque && self.told.is_resumable()
    }

    /// Whether the stream has given the reason why it ended. The answer is then whole but for [`Self::closing`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.told.end != End::Open
    }

    /// Whether an error, or an event that cannot be read, came and was withheld from the client.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.told.has_failed
    }

    /// The events that a stream which has given its reason still lacks to be whole. Empty where nothing is missing, or where the
    /// stream is not finished.
    #[must_use]
    pub fn closing(&self) -> Bytes {
        match (self.told.end, &self.told.speech) {
            (End::Finished, Some(Speech::Chat | Speech::Completion)) => Bytes::from_static(openai::DONE),
            (End::Finished, Some(Speech::Anthropic(_))) => Bytes::from_static(anthropic::STOP),
            _ => Bytes::new(),
        }
    }

    /// The vendor's own event of failure that was withheld, with what came after it, for a client whose stream nobody continues.
    pub fn take_withheld(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.withheld))
    }

    /// The text that the client has been given. Empty also where the stream is not one of plain text or has become too long.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.told.text
    }

    /// Whether the client has been given anything of an answer that another target could not simply give anew: text, or
    /// something that is not understood.
    #[must_use]
    pub fn has_content(&self) -> bool {
        !self.told.text.is_empty() || !self.told.is_plain
    }
}

fn framing_of(piece: &[u8]) -> Framing {
    match piece.trim_ascii_start().first() {
        None => Framing::Unknown,
        Some(b'{' | b'[') => Framing::Opaque,
        Some(_) => Framing::Events,
    }
}

fn raw_of<'a>(item: &Item<'a>) -> &'a [u8] {
    match item {
        Item::Event(event) => event.raw,
        Item::Piece(piece) => piece.raw,
    }
}

fn withhold(withheld: &mut Vec<u8>, raw: &[u8]) {
    if withheld.len() + raw.len() <= MAX_EVENT_BYTES {
        withheld.extend_from_slice(raw);
    }
}

/// Whether the last item of a stream lacks at most its blank line.
fn can_be_read(item: &Item<'_>) -> bool {
    match item {
        Item::Event(Event { is_whole: true, .. }) => true,
        Item::Event(Event { data: Some(data), .. }) => &**data == b"[DONE]" || is_object(data),
        Item::Event(Event { data: None, .. }) | Item::Piece(_) => false,
    }
}

fn is_object(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    data.trim_ascii_start().starts_with(b"{") && reader.skip().and_then(|_| reader.finish()).is_ok()
}

#[cfg(test)]
mod tests;
