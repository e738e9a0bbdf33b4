//! Records, read back. Nothing is copied: what an attempt reserved is read out of the segment where it is needed.

use super::{CALLED, CLOSED, HEADER, MAX_PAYLOAD, OPENED};
use crate::journal::{AttemptId, Called, Closed, Entry, Kind, Outcome};
use crate::{Amount, Attempted};

/// What a segment tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// An attempt is about to be sent.
    Opened(Recorded<'a>),
    /// One is over.
    Closed(Closed),
    /// A call is over.
    Called(Box<Called<'a>>),
}

/// An attempt as its record has it, which is known to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded<'a> {
    pub(crate) attempt: AttemptId,
    /// The number of the first attempt of its call; 0: it is that.
    pub(crate) call: u64,
    /// When it was opened, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) payload: &'a [u8],
}

/// The call that a payload of a record is of.
pub(crate) fn called_of(payload: &[u8]) -> Option<Called<'_>> {
    match read(payload)? {
        Record::Called(called) => Some(*called),
        Record::Opened(_) | Record::Closed(_) => None,
    }
}

impl<'a> Recorded<'a> {
    /// Out of the payload of a record. `None`: it is not one of an attempt.
    pub(crate) fn of(payload: &'a [u8]) -> Option<Self> {
        match read(payload)? {
            Record::Opened(recorded) => Some(recorded),
            Record::Closed(_) | Record::Called(_) => None,
        }
    }

    /// What it reserved.
    pub(crate) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let (mut fields, count) = Fields(self.payload).skip_to_entries().unwrap_or((Fields(&[]), 0));
        (0..count).map_while(move |_| fields.entry(self.at_ms))
    }

    /// The virtual key, the provider and the model.
    pub(crate) fn names(self) -> [&'a str; 3] {
        let mut fields = Fields(self.payload).behind_name();
        ["key", "provider", "model"].map(|_| fields.as_mut().and_then(Fields::text).unwrap_or_default())
    }

    /// What the journal calls its call.
    pub(crate) fn call(self) -> AttemptId {
        AttemptId { number: if self.call == 0 { self.attempt.number } else { self.call }, ..self.attempt }
    }

    /// All of it, in a form of its own.
    pub(crate) fn attempted(self) -> Attempted {
        let [key, provider, model] = self.names().map(str::to_owned);
        let amounts = self.entries().map(|entry| Amount::from(&entry)).collect();
        Attempted { attempt: self.attempt, call: self.call, at_ms: self.at_ms, key, provider, model, amounts }
    }
}

/// The records at the beginning of a segment, up to what is none.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    segment: u64,
}

impl<'a> Records<'a> {
    pub(crate) fn of(bytes: &'a [u8], segment: u64) -> Self {
        Self { rest: bytes, segment }
    }

    /// What was not read: once it has ended, what is no record, and all behind it.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (header, rest) = self.rest.split_first_chunk::<HEADER>()?;
        let [a, b, c, d, checksum @ ..] = *header;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let length = Some(length).filter(|length| (1..=MAX_PAYLOAD).contains(length))?;
        let (payload, rest) = rest.split_at_checked(length)?;
        let stamp = crc32fast::hash(payload) ^ u32::from_le_bytes(checksum);
        if u64::from(stamp) != self.segment & u64::from(u32::MAX) {
            return None;
        }
        let record = read(payload)?;
        self.rest = rest;
        Some(record)
    }
}

/// Takes a payload apart. `None`: it is not one, or one that only a newer version knows.
fn read(payload: &[u8]) -> Option<Record<'_>> {
    let mut fields = Fields(payload);
    match fields.byte()? {
        OPENED => {
            let (attempt, at_ms, call) = fields.name_of_attempt()?;
            let (mut fields, count) = Fields(payload).skip_to_entries()?;
            for _ in 0..count {
                fields.entry(at_ms)?;
            }
            fields.0.is_empty().then_some(Record::Opened(Recorded { attempt, call, at_ms, payload }))
        }
        CLOSED => {
            let closed = fields.closed()?;
            fields.0.is_empty().then_some(Record::Closed(closed))
        }
        CALLED => {
            let called = fields.called()?;
            fields.0.is_empty().then(|| Record::Called(Box::new(called)))
        }
        _ => None,
    }
}

/// What is left of a payload.
#[derive(Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// What follows the kind of record and the attempt's name.
    fn behind_name(mut self) -> Option<Self> {
        self.byte()?;
        self.name_of_attempt()?;
        Some(self)
    }

    /// The name of an attempt, the time, and the number of its call.
    fn name_of_attempt(&mut self) -> Option<(AttemptId, u64, u64)> {
        let attempt = AttemptId { run: self.varint()?, number: self.varint()? };
        Some((attempt, self.varint()?, self.varint()?))
    }

    /// The entries of an attempt's payload, and how many these are.
    fn skip_to_entries(self) -> Option<(Self, usize)> {
        let mut fields = self.behind_name()?;
        for _ in ["key", "provider", "model"] {
            fields.text()?;
        }
        let count = usize::try_from(fields.varint()?).ok()?;
        Some((fields, count))
    }

    fn entry(&mut self, at_ms: u64) -> Option<Entry<'a>> {
        let kind = match self.byte()? {
            0 => Kind::Budget,
            1 => Kind::Requests,
            2 => Kind::Tokens,
            _ => return None,
        };
        let id = self.text()?;
        let start_ms = at_ms.wrapping_sub(unzigzag(self.varint()?));
        Some(Entry { kind, id, start_ms, length_ms: self.varint()?, amount: self.varint()? })
    }

    fn closed(&mut self) -> Option<Closed> {
        let (attempt, at_ms, outcome) = (self.attempt()?, self.number()?, self.byte()?);
        let (nano, tokens) = (self.number()?, self.number()?);
        let outcome = match outcome {
            0 => Outcome::Charged { nano, tokens },
            1 => Outcome::Abandoned,
            2 => Outcome::Unsent,
            _ => return None,
        };
        Some(Closed { attempt, at_ms, outcome })
    }

    fn attempt(&mut self) -> Option<AttemptId> {
        Some(AttemptId { run: self.number()?, number: self.number()? })
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = u64::from(self.byte()?);
            let part = byte & 0x7f;
            if (part << shift) >> shift != part {
                return None;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }
}

/// Back from a number of which the lowest bit is the sign.
fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}
