//! How records look in a file: the length and the checksum of a payload, then the payload. All numbers are little-endian.
//!
//! The checksum is that of the payload, xor the number of the segment: what was written into one file is no record in another.

use std::io;

use super::{AttemptId, Closed, Kind, Opened, Outcome};
use crate::{Amount, Attempted};

/// Length and checksum.
const HEADER: usize = 8;
/// No record is longer; what claims to be is none.
const MAX_PAYLOAD: usize = 1 << 20;

const OPENED: u8 = 1;
const CLOSED: u8 = 2;

/// What a segment tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// An attempt is about to be sent.
    Opened(Attempted),
    /// One is over.
    Closed(Closed),
}

/// Appends the record of an attempt that is about to be sent.
///
/// # Errors
/// When it is longer than a record can be.
pub(crate) fn write_opened(buffer: &mut Vec<u8>, opened: &Opened<'_>) -> io::Result<()> {
    let begin = begin(buffer);
    buffer.push(OPENED);
    put_attempt(buffer, opened.attempt, opened.at_ms);
    for text in [opened.key, opened.provider, opened.model] {
        put_text(buffer, text)?;
    }
    put_length(buffer, opened.entries.len())?;
    for entry in opened.entries {
        buffer.push(kind_number(entry.kind));
        put_text(buffer, entry.id)?;
        for number in [entry.start_ms, entry.length_ms, entry.amount] {
            put(buffer, number);
        }
    }
    finish(buffer, begin)
}

/// Appends the record of an attempt that is over.
///
/// # Errors
/// None that could happen: it is short.
pub(crate) fn write_closed(buffer: &mut Vec<u8>, closed: &Closed) -> io::Result<()> {
    let begin = begin(buffer);
    buffer.push(CLOSED);
    put_attempt(buffer, closed.attempt, closed.at_ms);
    let (number, nano, tokens) = match closed.outcome {
        Outcome::Charged { nano, tokens } => (0, nano, tokens),
        Outcome::Abandoned => (1, 0, 0),
        Outcome::Unsent => (2, 0, 0),
    };
    buffer.push(number);
    put(buffer, nano);
    put(buffer, tokens);
    finish(buffer, begin)
}

/// Makes whole records those of a segment.
pub(crate) fn stamp(mut records: &mut [u8], segment: u64) {
    let [stamp @ .., _, _, _, _] = segment.to_le_bytes();
    while let Some((header, rest)) = records.split_first_chunk_mut::<HEADER>() {
        let [a, b, c, d, checksum @ ..] = header;
        checksum.iter_mut().zip(stamp).for_each(|(byte, stamp)| *byte ^= stamp);
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        records = rest.get_mut(length..).unwrap_or_default();
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

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let ([length, checksum], rest) = header(self.rest)?;
        let length = usize::try_from(length).ok().filter(|length| (1..=MAX_PAYLOAD).contains(length))?;
        let (payload, rest) = rest.split_at_checked(length)?;
        if u64::from(crc32fast::hash(payload) ^ checksum) != self.segment & u64::from(u32::MAX) {
            return None;
        }
        let record = read(payload)?;
        self.rest = rest;
        Some(record)
    }
}

/// The payload of an open attempt, as databases keep it.
pub(crate) fn to_payload(attempted: &Attempted) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    let entries: Vec<_> = attempted.amounts.iter().map(Amount::entry).collect();
    write_opened(&mut buffer, &attempted.opened(&entries))?;
    Ok(buffer.split_off(HEADER))
}

/// Back from that.
pub(crate) fn from_payload(payload: &[u8]) -> Option<Attempted> {
    match read(payload)? {
        Record::Opened(attempted) => Some(attempted),
        Record::Closed(_) => None,
    }
}

fn header(bytes: &[u8]) -> Option<([u32; 2], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    Some(([u32::from_le_bytes(*length), u32::from_le_bytes(*checksum)], rest))
}

fn begin(buffer: &mut Vec<u8>) -> usize {
    let begin = buffer.len();
    buffer.extend_from_slice(&[0; HEADER]);
    begin
}

fn finish(buffer: &mut [u8], begin: usize) -> io::Result<()> {
    let Some((header, payload)) = buffer.get_mut(begin..).and_then(|record| record.split_at_mut_checked(HEADER)) else {
        return Err(too_long());
    };
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD).ok_or_else(too_long)?;
    let (place_of_length, place_of_checksum) = header.split_at_mut(HEADER / 2);
    place_of_length.copy_from_slice(&length.to_le_bytes());
    place_of_checksum.copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    Ok(())
}

fn put(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(&number.to_le_bytes());
}

fn put_attempt(buffer: &mut Vec<u8>, attempt: AttemptId, at_ms: u64) {
    put(buffer, attempt.run);
    put(buffer, attempt.number);
    put(buffer, at_ms);
}

fn put_length(buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let length = u16::try_from(length).map_err(|_| too_long())?;
    buffer.extend_from_slice(&length.to_le_bytes());
    Ok(())
}

fn put_text(buffer: &mut Vec<u8>, text: &str) -> io::Result<()> {
    put_length(buffer, text.len())?;
    buffer.extend_from_slice(text.as_bytes());
    Ok(())
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the record is too long")
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Budget => 0,
        Kind::Requests => 1,
        Kind::Tokens => 2,
    }
}

/// Takes a payload apart. `None`: it is not one, or one that only a newer version knows.
fn read(payload: &[u8]) -> Option<Record> {
    let mut fields = Fields(payload);
    let record = match fields.byte()? {
        OPENED => Record::Opened(fields.attempted()?),
        CLOSED => Record::Closed(fields.closed()?),
        _ => return None,
    };
    fields.0.is_empty().then_some(record)
}

/// What is left of a payload.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn attempted(&mut self) -> Option<Attempted> {
        let (attempt, at_ms) = (self.attempt()?, self.number()?);
        let (key, provider, model) = (self.text()?, self.text()?, self.text()?);
        let mut amounts = Vec::new();
        for _ in 0..self.length()? {
            amounts.push(self.amount()?);
        }
        let (key, provider, model) = (key.to_owned(), provider.to_owned(), model.to_owned());
        Some(Attempted { attempt, at_ms, key, provider, model, amounts })
    }

    fn amount(&mut self) -> Option<Amount> {
        let kind = match self.byte()? {
            0 => Kind::Budget,
            1 => Kind::Requests,
            2 => Kind::Tokens,
            _ => return None,
        };
        let id = self.text()?.to_owned();
        Some(Amount { kind, id, start_ms: self.number()?, length_ms: self.number()?, amount: self.number()? })
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

    fn byte(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        self.chunk().map(u16::from_le_bytes).map(usize::from)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
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

#[cfg(test)]
mod tests;
