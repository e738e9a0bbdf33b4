//! The answers of OpenAI's dialect, event by event and as whole documents.

use crate::error::VendorError;
use crate::json::{Cut, JsonError, Kind, Reader, Span};
use crate::json_tap::JsonTap;
use crate::meter::Verdict;
use crate::meter::tally::{Key, Seen, Tally};
use crate::openai::usage;

/// The members of whole answers that matter.
pub(crate) const PATHS: &[&str] = &[
    "usage",
    "tool_usage",
    "service_tier",
    "status",
    "error",
    "type",
    "response.usage",
    "response.tool_usage",
    "response.service_tier",
    "response.error",
];

/// Reads an event of a chat or text completion. The verdict is for a client that did not ask for usage.
pub(crate) fn chat(tally: &mut Tally, data: &[u8]) -> Verdict {
    if data == b"[DONE]" {
        tally.has_content = true;
        tally.is_complete = true;
        tally.is_final |= tally.reading.has_input;
        return Verdict::Keep;
    }
    chunk(tally, data).unwrap_or_else(|_| {
        tally.malformed(data);
        Verdict::Keep
    })
}

fn chunk(tally: &mut Tally, data: &[u8]) -> Result<Verdict, JsonError> {
    let mut reader = Reader::new(data);
    let mut walk = reader.object()?;
    let open = reader.at();
    let (mut seen, mut usage, mut cut): (Seen, Option<Span>, Option<Cut>) = Default::default();
    let (mut has_choices, mut has_more) = (false, false);
    while let Some(key) = reader.next_key(&mut walk)? {
        cut = cut.map(|cut| cut.until(walk.comma));
        match key.raw() {
            b"choices" => {
                reader.kind()?;
                let start = reader.at();
                tally.words(&mut reader, Key::Other, &mut seen)?;
                let choices = reader.slice(Span { start, end: reader.at() });
                has_choices = choices != b"null" && choices.iter().any(|byte| !b"[] \r\n\t".contains(byte));
            }
            b"usage" => {
                let span = reader.skip()?;
                usage = Some(span);
                cut = Some(Cut::new(walk.comma, open, span.end));
            }
            b"service_tier" => take_tier(tally, &mut reader)?,
            b"error" => take_error(tally, &mut reader)?,
            b"x_groq" if reader.kind()? == Kind::Object => {
                groq(tally, &mut reader)?;
                has_more = true;
            }
            b"id" | b"object" | b"created" | b"model" | b"system_fingerprint" | b"obfuscation" | b"provider" => {
                reader.skip()?;
            }
            _ => {
                has_more |= reader.kind()? != Kind::Null;
                reader.skip()?;
            }
        }
    }
    tally.take(seen);
    // A search is not reported here, and is billed once for a call.
    tally.searches = tally.searches.max(u64::from(seen.cites));
    let is_null = usage.is_none_or(|usage| reader.slice(usage) == b"null");
    if let (Some(span), false) = (usage, is_null) {
        take_usage(tally, reader.slice(span), !has_choices);
    }
    Ok(match cut {
        None => Verdict::Keep,
        Some(cut) if is_null => Verdict::Cut(cut.span()),
        Some(_) if has_choices => Verdict::Keep,
        Some(cut) if has_more => Verdict::Cut(cut.span()),
        Some(_) => Verdict::Drop,
    })
}

/// Groq tells what was used in the last chunk of every stream, whether it is asked or not
/// (<https://console.groq.com/docs/text-chat#streaming>, 2026-11).
fn groq(tally: &mut Tally, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut walk = reader.object()?;
    while let Some(key) = reader.next_key(&mut walk)? {
        let span = reader.skip()?;
        if key.raw() == b"usage" && reader.slice(span) != b"null" {
            take_usage(tally, reader.slice(span), true);
        }
    }
    Ok(())
}

fn take_usage(tally: &mut Tally, raw: &[u8], is_last: bool) {
    match usage::read(raw) {
        Some(reading) => {
            tally.reading = reading;
            tally.is_final = is_last || tally.has_finish;
            tally.is_complete |= tally.has_finish;
        }
        None => tally.is_final = false,
    }
}

fn take_tier(tally: &mut Tally, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let span = reader.skip()?;
    tally.tier = usage::tier(reader.slice(span)).unwrap_or(tally.tier);
    Ok(())
}

fn take_error(tally: &mut Tally, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let span = reader.skip()?;
    let raw = reader.slice(span);
    if raw != b"null" {
        tally.fail(VendorError::from_member(raw));
    }
    Ok(())
}

/// Reads an event of the Responses API.
pub(crate) fn responses(tally: &mut Tally, data: &[u8]) {
    if responses_event(tally, data).is_err() {
        tally.malformed(data);
    }
}

fn responses_event(tally: &mut Tally, data: &[u8]) -> Result<(), JsonError> {
    let mut reader = Reader::new(data);
    let mut walk = reader.object()?;
    let (mut kind, mut delta) = (None, None);
    while let Some(key) = reader.next_key(&mut walk)? {
        match key.raw() {
            b"type" if reader.kind()? == Kind::String => kind = Some(reader.string()?.raw()),
            b"delta" if reader.kind()? == Kind::String => delta = Some(reader.string()?.raw()),
            b"response" if reader.kind()? == Kind::Object => response(tally, &mut reader)?,
            _ => {
                reader.skip()?;
            }
        }
    }
    let kind = kind.unwrap_or_default();
    if kind == b"error" {
        tally.fail(VendorError::read(data));
    }
    let delta = delta.filter(|delta| !delta.is_empty());
    if let Some(delta) = delta
        && kind != b"response.audio.delta"
    {
        tally.text.add_string(delta);
    }
    tally.take(Seen { has_content: delta.is_some(), ..Seen::default() });
    event_kind(tally, kind);
    Ok(())
}

/// Takes in what an event's type alone tells.
fn event_kind(tally: &mut Tally, kind: &[u8]) {
    const NO_CONTENT_YET: [&[u8]; 9] =
        [b"", b"created", b"queued", b"in_progress", b"added", b"searching", b"generating", b"interpreting", b"delta"];
    let last = kind.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    tally.has_content |= !NO_CONTENT_YET.contains(&last);
    if kind == b"response.web_search_call.completed" {
        tally.searches += 1;
    }
    if matches!(kind, b"response.completed" | b"response.incomplete" | b"response.failed") {
        tally.is_complete = true;
        tally.is_final = true;
    }
}

fn response(tally: &mut Tally, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut walk = reader.object()?;
    let (mut usage, mut tools) = (None, None);
    while let Some(key) = reader.next_key(&mut walk)? {
        match key.raw() {
            b"usage" => usage = Some(reader.skip()?),
            b"tool_usage" => tools = Some(reader.skip()?),
            b"service_tier" => take_tier(tally, reader)?,
            b"error" => take_error(tally, reader)?,
            _ => {
                reader.skip()?;
            }
        }
    }
    let slice = |span: Option<Span>| span.map(|span| reader.slice(span));
    take_report(tally, slice(usage), slice(tools));
    Ok(())
}

fn take_report(tally: &mut Tally, usage: Option<&[u8]>, tools: Option<&[u8]>) {
    if let Some(reading) = usage.and_then(usage::read) {
        tally.reading = reading;
        if let Some(tools) = tools {
            usage::add_tools(&mut tally.reading.usage, tools);
        }
    }
}

/// Reads an answer that came as one document. `is_event`: it is one event of a stream, too long to be read as such.
pub(crate) fn document(tally: &mut Tally, tap: &JsonTap, is_event: bool) {
    let either = |outer, inner| tap.value(outer).or_else(|| tap.value(inner));
    if let Some(tier) = either("service_tier", "response.service_tier").and_then(usage::tier) {
        tally.tier = tier;
    }
    if let Some(error) = either("error", "response.error").filter(|error| *error != b"null") {
        tally.fail(VendorError::from_member(error));
    }
    let usage = either("usage", "response.usage");
    take_report(tally, usage, either("tool_usage", "response.tool_usage"));
    if !is_event {
        tally.is_final = tap.is_closed();
        let is_open = matches!(tap.value("status"), Some(b"\"queued\"" | b"\"in_progress\""));
        tally.is_background = is_open && usage.is_none_or(|usage| usage == b"null");
        return;
    }
    if let Some(kind) = tap.value("type").and_then(|kind| kind.strip_prefix(b"\"")?.strip_suffix(b"\"")) {
        event_kind(tally, kind);
    }
}
