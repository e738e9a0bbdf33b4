//! An answer, read: a whole one, or the piece of one that a stream's event is. They have the same shape.

use super::grounding::{Grounding, Said};
use super::names::{members, members_if_any, one_or_many};
use super::{logprobs, part, stop, usage};
use crate::error::VendorError;
use crate::hub::answer::{Answer, Candidate, Head, Logprob, Stop};
use crate::hub::part::Part;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;
use policy::usage::Usage;

/// Reads a whole answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer<'_>> {
    let chunk = Source::new(body)?.whole(Chunk::read)?;
    let searches = chunk.searches();
    let mut candidates: Vec<_> = chunk.candidates.into_iter().map(Piece::candidate).collect();
    if candidates.is_empty() && chunk.is_blocked {
        candidates.push(Candidate { stop: Some(Stop::Filter), ..Candidate::default() });
    }
    let usage = chunk.usage.map(|usage| Usage { searches, ..usage });
    Ok(Answer { head: chunk.head, candidates, usage })
}

/// What a document or an event says.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub(super) head: Head<'a>,
    pub(super) candidates: Vec<Piece<'a>>,
    pub(super) usage: Option<Usage>,
    /// The prompt was not let through; no candidate was made.
    pub(super) is_blocked: bool,
    pub(super) error: Option<VendorError>,
}

/// What it says of a candidate.
#[derive(Debug, Default)]
pub(super) struct Piece<'a> {
    pub(super) index: u32,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) finish: Option<Str<'a>>,
    pub(super) grounding: Grounding<'a>,
    pub(super) logprobs: Vec<Logprob<'a>>,
}

impl<'a> Chunk<'a> {
    pub(super) fn read(source: &mut Source<'a>) -> Result<Self> {
        let mut chunk = Self::default();
        members(source, |source, name| {
            match name {
                "candidates" => one_or_many(source, |source| {
                    chunk.candidates.push(Piece::read(source)?);
                    Ok(())
                })?,
                "promptFeedback" => chunk.is_blocked = is_blocked(source)?,
                "usageMetadata" => chunk.usage = usage::read(source)?,
                "modelVersion" => chunk.head.model = source.text_or_null()?,
                "responseId" => chunk.head.id = source.text_or_null()?.filter(|id| !id.is_empty()),
                "createTime" => chunk.head.created = source.text_or_null()?.and_then(|time| seconds(&time.plain())),
                "error" => {
                    let error = source.json_or_null()?;
                    chunk.error =
                        error.map(|error| VendorError::from_member(error.raw().as_bytes()).unwrap_or_default());
                }
                _ => source.skip()?,
            }
            Ok(())
        })?;
        Ok(chunk)
    }

    /// How many searches of the web it tells of.
    pub(super) fn searches(&self) -> u64 {
        self.candidates.iter().fold(0, |sum, piece| sum.saturating_add(piece.grounding.searches))
    }
}

impl<'a> Piece<'a> {
    fn read(source: &mut Source<'a>) -> Result<Self> {
        let mut piece = Self::default();
        members_if_any(source, |source, name| {
            match name {
                "index" => piece.index = source.count()?.and_then(|index| u32::try_from(index).ok()).unwrap_or(0),
                "content" => members_if_any(source, |source, name| match name {
                    "parts" => one_or_many(source, |source| {
                        // What is said about a part is for Gemini's own clients.
                        piece.parts.extend(part::read(source, &mut Vec::new())?);
                        Ok(())
                    }),
                    _ => source.skip(),
                })?,
                "finishReason" => piece.finish = source.text_or_null()?,
                "groundingMetadata" => piece.grounding.read(source)?,
                "citationMetadata" => piece.grounding.read_recited(source)?,
                "logprobsResult" => piece.logprobs = logprobs::read(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        Ok(piece)
    }

    /// Why it ended. `calls`: it calls tools, in this or an earlier piece.
    pub(super) fn stop(&self, calls: bool) -> Option<Stop<'static>> {
        stop::read(&self.finish.as_ref()?.plain(), calls)
    }

    pub(super) fn calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }

    fn candidate(mut self) -> Candidate<'a> {
        let stop = self.stop(self.calls());
        if !self.grounding.is_empty() {
            self.cite();
        }
        Candidate { index: self.index, parts: self.parts, stop, logprobs: self.logprobs }
    }

    /// Brings the citations to their texts.
    fn cite(&mut self) {
        let said: Vec<_> = self.parts.iter().zip(0..).filter_map(|(part, place)| said(part, place)).collect();
        let found = self.grounding.citations(&said);
        let places: Vec<_> = said.into_iter().map(|said| said.part).collect();
        for (index, citation) in found {
            let part = places.get(index).and_then(|place| self.parts.get_mut(usize::try_from(*place).ok()?));
            if let Some(Part::Text(text)) = part {
                text.citations.push(citation);
            }
        }
    }
}

fn said(part: &Part<'_>, place: u32) -> Option<Said<String>> {
    match part {
        Part::Text(text) => Some(Said { part: place, text: text.text.plain().into_owned() }),
        _ => None,
    }
}

fn is_blocked(source: &mut Source<'_>) -> Result<bool> {
    let mut is_blocked = false;
    members_if_any(source, |source, name| {
        match name {
            "blockReason" => is_blocked = source.text_or_null()?.is_some_and(|reason| !reason.is_empty()),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(is_blocked)
}

/// The seconds since 1970 of a time as `2026-11-20T12:34:56.789Z`.
fn seconds(time: &str) -> Option<u64> {
    let part = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    const DAYS_UNTIL_1970: u64 = 719_469;
    Some((days.checked_sub(DAYS_UNTIL_1970)? * 24 + hour) * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_is_so_many_seconds() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T23:59:59.5Z", Some(951_868_799)),
            ("2026-11-20T12:34:56.789Z", Some(1_795_178_096)),
            ("1969-12-31T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("tomorrow", None),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }
}
