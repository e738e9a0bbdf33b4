//! The answers of Gemini's dialect, chunk by chunk and as whole documents
//! (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>, 2026-11).

use crate::error::VendorError;
use crate::gemini::usage;
use crate::json::{JsonError, Kind, Reader};
use crate::json_tap::JsonTap;
use crate::meter::tally::{Key, Seen, Tally};

/// The members of whole answers that matter.
pub(crate) const PATHS: &[&str] = &["usageMetadata", "error", "promptFeedback.blockReason"];

/// Reads a chunk: an event of an event stream, or an element of an array.
pub(crate) fn chunk(tally: &mut Tally, data: &[u8]) {
    if read_chunk(tally, data).is_err() {
        tally.malformed(data);
    }
}

fn read_chunk(tally: &mut Tally, data: &[u8]) -> Result<(), JsonError> {
    let mut reader = Reader::new(data);
    let mut walk = reader.object()?;
    let mut seen = Seen::default();
    while let Some(key) = reader.next_key(&mut walk)? {
        match key.raw() {
            b"candidates" => tally.words(&mut reader, Key::Other, &mut seen)?,
            b"usageMetadata" => {
                let span = reader.skip()?;
                take_usage(tally, reader.slice(span));
            }
            b"promptFeedback" if reader.kind()? == Kind::Object => {
                let mut walk = reader.object()?;
                while let Some(key) = reader.next_key(&mut walk)? {
                    tally.has_finish |= key.raw() == b"blockReason" && reader.kind()? == Kind::String;
                    reader.skip()?;
                }
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
    // Each chunk tells all queries again.
    tally.searches = tally.searches.max(seen.queries);
    tally.take(seen);
    settle(tally);
    Ok(())
}

/// Every chunk reports what was used up to it; only the last one, which says why the answer ended, is final.
fn settle(tally: &mut Tally) {
    tally.is_complete |= tally.has_finish;
    tally.is_final = tally.has_finish && tally.reading.has_output;
}

fn take_usage(tally: &mut Tally, raw: &[u8]) {
    if let Some((reading, tier)) = usage::read(raw) {
        tally.reading = reading;
        tally.tier = tier;
    }
}

/// Reads an answer that came as one document. `is_event`: it is one chunk of a stream, too long to be read as such.
pub(crate) fn document(tally: &mut Tally, tap: &JsonTap, is_event: bool) {
    if let Some(error) = tap.value("error").filter(|error| *error != b"null") {
        tally.fail(VendorError::from_member(error));
    }
    if let Some(usage) = tap.value("usageMetadata") {
        take_usage(tally, usage);
    }
    tally.has_finish |= tap.found().has_finish_reason || tap.value("promptFeedback.blockReason").is_some();
    settle(tally);
    tally.is_final |= !is_event && tap.is_closed();
}
