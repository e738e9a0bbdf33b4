//! The record of a call that is over.

use std::borrow::Cow;
use std::io;

use super::read::Fields;
use super::{CALLED, begin, finish, put_text, put_varint};
use crate::journal::{AttemptId, CallStatus, Called, TokenCounts};

/// An id, or another name, is cut off there.
const LONGEST_NAME: usize = 1_024;
/// What was said, or tried, is cut off there.
const LONGEST_TEXT: usize = 600;

const HAS_CALL: u8 = 1;
const IS_STREAM: u8 = 2;
const IS_PRICED: u8 = 4;
const HAS_CONTENT: u8 = 8;
const HAS_VENDOR_COST: u8 = 16;
const IS_UNLOGGED: u8 = 32;

/// Appends the record of a call that is over. Texts that are too long are cut off.
///
/// # Errors
/// None that could happen: it is short.
pub(crate) fn write_called(buffer: &mut Vec<u8>, called: &Called<'_>) -> io::Result<()> {
    let begin = begin(buffer);
    buffer.extend_from_slice(&[CALLED, flags(called), status_number(called.status)]);
    if let Some(call) = called.call {
        put_varint(buffer, call.run);
        put_varint(buffer, call.number);
    }
    for number in numbers(called) {
        put_varint(buffer, number);
    }
    for number in called.tokens.numbers() {
        put_varint(buffer, number);
    }
    for text in names(called) {
        put_text(buffer, cut(text, LONGEST_NAME))?;
    }
    for text in [&called.reason_text, &called.trail, &called.rules] {
        put_text(buffer, cut(text, LONGEST_TEXT))?;
    }
    finish(buffer, begin)
}

/// The length of the whole records at the beginning of what [`write_called`] wrote: so many bytes at most, but one record at least.
pub(crate) fn whole(records: &[u8], most: usize) -> usize {
    let mut length = 0;
    while let Some((header, _)) = records.get(length..).and_then(<[u8]>::split_first_chunk::<4>) {
        let payload = usize::try_from(u32::from_le_bytes(*header)).unwrap_or(usize::MAX);
        let next = length.saturating_add(super::HEADER).saturating_add(payload);
        if length > 0 && next > most {
            break;
        }
        length = next;
    }
    length.min(records.len())
}

fn flags(called: &Called<'_>) -> u8 {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    flag(called.call.is_some(), HAS_CALL)
        | flag(called.is_stream, IS_STREAM)
        | flag(called.is_priced, IS_PRICED)
        | flag(called.first_content_us.is_some(), HAS_CONTENT)
        | flag(called.vendor_cost_nano.is_some(), HAS_VENDOR_COST)
        | flag(called.is_unlogged, IS_UNLOGGED)
}

fn numbers(called: &Called<'_>) -> [u64; 13] {
    [
        called.at_ms,
        called.http_status.into(),
        called.vendor_status.into(),
        called.first_content_us.unwrap_or_default(),
        called.total_us,
        called.paused_us,
        called.total_tokens,
        called.cost_nano,
        called.vendor_cost_nano.unwrap_or_default(),
        called.attempts.into(),
        called.retries.into(),
        called.bytes_in,
        called.bytes_out,
    ]
}

fn names<'a>(called: &'a Called<'_>) -> [&'a str; 13] {
    [
        &called.request_id,
        &called.key,
        &called.team,
        &called.customer,
        &called.provider,
        &called.credential,
        &called.model,
        &called.model_asked,
        &called.operation,
        &called.dialect,
        &called.reason,
        &called.source,
        &called.price_override,
    ]
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

fn status_number(status: CallStatus) -> u8 {
    match status {
        CallStatus::Success => 0,
        CallStatus::Error => 1,
        CallStatus::Refused => 2,
        CallStatus::ClientLeft => 3,
        CallStatus::Abandoned => 4,
    }
}

impl<'a> Fields<'a> {
    /// A call that is over, behind the kind of record.
    pub(super) fn called(&mut self) -> Option<Called<'a>> {
        let (flags, status) = (self.byte()?, self.byte()?);
        let status = CallStatus::ALL.into_iter().find(|known| status_number(*known) == status)?;
        let is = |flag: u8| flags & flag != 0;
        let call = if is(HAS_CALL) { Some(AttemptId { run: self.varint()?, number: self.varint()? }) } else { None };
        let numbers: [u64; 13] = self.varints()?;
        let [at_ms, http_status, vendor_status, first_content_us, total_us, paused_us, total_tokens, rest @ ..] =
            numbers;
        let [cost_nano, vendor_cost_nano, attempts, retries, bytes_in, bytes_out] = rest;
        let tokens = TokenCounts::of(self.varints()?);
        let mut text = || self.text().map(Cow::Borrowed);
        Some(Called {
            call,
            at_ms,
            request_id: text()?,
            key: text()?,
            team: text()?,
            customer: text()?,
            provider: text()?,
            credential: text()?,
            model: text()?,
            model_asked: text()?,
            operation: text()?,
            dialect: text()?,
            reason: text()?,
            source: text()?,
            price_override: text()?,
            reason_text: text()?,
            trail: text()?,
            rules: text()?,
            status,
            http_status: u16::try_from(http_status).ok()?,
            vendor_status: u16::try_from(vendor_status).ok()?,
            is_stream: is(IS_STREAM),
            is_priced: is(IS_PRICED),
            first_content_us: is(HAS_CONTENT).then_some(first_content_us),
            total_us,
            paused_us,
            tokens,
            total_tokens,
            cost_nano,
            vendor_cost_nano: is(HAS_VENDOR_COST).then_some(vendor_cost_nano),
            attempts: u32::try_from(attempts).ok()?,
            retries: u32::try_from(retries).ok()?,
            bytes_in,
            bytes_out,
            is_unlogged: is(IS_UNLOGGED),
        })
    }

    fn varints<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.varint()?;
        }
        Some(numbers)
    }
}
