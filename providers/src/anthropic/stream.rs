//! The answers of Anthropic's dialect, event by event and as whole documents
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>, 2026-11).

use crate::anthropic::usage::Report;
use crate::error::VendorError;
use crate::json::{JsonError, Kind, Reader};
use crate::json_tap::JsonTap;
use crate::meter::tally::{Key, Seen, Tally};

/// The members of whole answers that matter.
pub(crate) const PATHS: &[&str] = &["usage", "error", "message.usage"];

/// Reads an event. `report` is what earlier ones have reported.
pub(crate) fn event(tally: &mut Tally, report: &mut Report, data: &[u8]) {
    if read_event(tally, report, data).is_err() {
        tally.malformed(data);
    }
}

fn read_event(tally: &mut Tally, report: &mut Report, data: &[u8]) -> Result<(), JsonError> {
    let mut reader = Reader::new(data);
    let mut walk = reader.object()?;
    let (mut seen, mut is_stop) = (Seen::default(), false);
    while let Some(key) = reader.next_key(&mut walk)? {
        match key.raw() {
            b"type" if reader.kind()? == Kind::String => is_stop = reader.string()?.raw() == b"message_stop",
            b"delta" => tally.words(&mut reader, Key::Other, &mut seen)?,
            b"content_block" if reader.kind()? == Kind::Object => block(tally, &mut reader, &mut seen)?,
            b"message" if reader.kind()? == Kind::Object => message(tally, report, &mut reader)?,
            b"usage" => {
                let span = reader.skip()?;
                take_report(tally, report, Report::read(reader.slice(span)));
            }
            b"error" => {
                let span = reader.skip()?;
                tally.fail(VendorError::from_member(reader.slice(span)));
            }
            _ => {
                reader.skip()?;
            }
        }
    }
    tally.take(seen);
    // The event that says why the answer ended has its final counts.
    tally.is_final |= tally.has_finish && tally.reading.has_output;
    tally.is_complete |= is_stop;
    tally.has_content |= is_stop;
    Ok(())
}

/// The start of a content block. All but empty text and thinking are content themselves: a tool's call, or what one found.
fn block(tally: &mut Tally, reader: &mut Reader<'_>, seen: &mut Seen) -> Result<(), JsonError> {
    let mut walk = reader.object()?;
    while let Some(key) = reader.next_key(&mut walk)? {
        match key.raw() {
            b"type" if reader.kind()? == Kind::String => {
                seen.has_content |= !matches!(reader.string()?.raw(), b"text" | b"thinking");
            }
            b"name" | b"text" | b"thinking" => tally.words(reader, Key::Text, seen)?,
            _ => {
                reader.skip()?;
            }
        }
    }
    Ok(())
}

fn message(tally: &mut Tally, report: &mut Report, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut walk = reader.object()?;
    while let Some(key) = reader.next_key(&mut walk)? {
        let span = reader.skip()?;
        if key.raw() == b"usage" {
            take_report(tally, report, Report::read(reader.slice(span)).map(Report::without_output));
        }
    }
    Ok(())
}

fn take_report(tally: &mut Tally, report: &mut Report, later: Option<Report>) {
    if let Some(later) = later {
        report.update(later);
        tally.reading = report.reading();
        tally.tier = report.tier();
        tally.is_fast = report.is_fast();
        tally.is_regional = report.is_regional();
    }
}

/// Reads an answer that came as one document. `is_event`: it is one event of a stream, too long to be read as such.
pub(crate) fn document(tally: &mut Tally, report: &mut Report, tap: &JsonTap, is_event: bool) {
    if let Some(error) = tap.value("error").filter(|error| *error != b"null") {
        tally.fail(VendorError::from_member(error));
    }
    let start = tap.value("message.usage").and_then(Report::read).map(Report::without_output);
    take_report(tally, report, start);
    take_report(tally, report, tap.value("usage").and_then(Report::read));
    tally.is_final |= !is_event && tap.is_closed();
}
