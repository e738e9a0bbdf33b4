//! How records look in a file: the length and the checksum of a payload, then the payload. Numbers are little-endian; those of
//! attempts and calls are in groups of seven bits, the lowest first, as most of them are small.
//!
//! The checksum is that of the payload, xor the number of the segment: what was written into one file is no record in another.

mod call;
mod read;

pub(crate) use call::{whole, write_called};
pub(crate) use read::{Record, Recorded, Records, called_of};

use std::io;

use super::{AttemptId, Called, Closed, Kind, Opened, Outcome};
use crate::{Amount, Attempted};

/// Length and checksum.
const HEADER: usize = 8;
/// No record is longer; what claims to be is none.
const MAX_PAYLOAD: usize = 1 << 20;

/// 1 was an attempt with numbers of fixed length.
const OPENED: u8 = 3;
const CLOSED: u8 = 2;
const CALLED: u8 = 4;

/// Appends the record of an attempt that is about to be sent.
///
/// # Errors
/// When it is longer than a record can be.
pub(crate) fn write_opened(buffer: &mut Vec<u8>, opened: &Opened<'_>) -> io::Result<()> {
    let begin = begin(buffer);
    buffer.push(OPENED);
    for number in [opened.attempt.run, opened.attempt.number, opened.at_ms, opened.call] {
        put_varint(buffer, number);
    }
    for text in [opened.key, opened.provider, opened.model] {
        put_text(buffer, text)?;
    }
    put_length(buffer, opened.entries.len())?;
    for entry in opened.entries {
        buffer.push(kind_number(entry.kind));
        put_text(buffer, entry.id)?;
        // Most windows began not long ago.
        for number in [zigzag(opened.at_ms.wrapping_sub(entry.start_ms)), entry.length_ms, entry.amount] {
            put_varint(buffer, number);
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

/// The payload of an attempt, as databases keep it.
///
/// # Errors
/// When it is longer than a record can be.
pub(crate) fn payload_of(attempted: &Attempted) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    let entries: Vec<_> = attempted.amounts.iter().map(Amount::entry).collect();
    write_opened(&mut buffer, &attempted.opened(&entries))?;
    Ok(buffer.split_off(HEADER))
}

/// The payload of a call, as databases keep it.
///
/// # Errors
/// None that could happen: it is short.
pub(crate) fn payload_of_call(called: &Called<'_>) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    write_called(&mut buffer, called)?;
    Ok(buffer.split_off(HEADER))
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

fn put_varint(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        buffer.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    buffer.push(low);
}

/// A difference as a number of which the lowest bit is the sign.
fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ (difference >> 63).wrapping_neg()
}

fn put_attempt(buffer: &mut Vec<u8>, attempt: AttemptId, at_ms: u64) {
    put(buffer, attempt.run);
    put(buffer, attempt.number);
    put(buffer, at_ms);
}

fn put_length(buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let length = u16::try_from(length).map_err(|_| too_long())?;
    put_varint(buffer, length.into());
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

#[cfg(test)]
mod tests;
