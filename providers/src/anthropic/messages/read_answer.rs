//! A whole answer in Anthropic's Messages, read (`types/message.py` of the Python SDK).

use crate::anthropic::usage::Report;
use crate::hub::answer::{Answer, Candidate, Stop};
use crate::hub::part::Part;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

use super::blocks::Blocks;
use super::stop;

/// Reads an answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer<'_>> {
    let mut answer = Answer::default();
    let (mut blocks, mut end) = (Blocks::default(), End::default());
    Source::new(body)?.whole(|source| {
        source.members(|source, name| {
            match name {
                "id" => answer.head.id = source.text_or_null()?,
                "model" => answer.head.model = source.text_or_null()?,
                "content" => blocks.content(source)?,
                "usage" => answer.usage = Report::read(source.json()?.raw().as_bytes()).map(|r| r.reading().usage),
                _ => end.member(source, name)?,
            }
            Ok(())
        })
    })?;
    if let Some(explanation) = end.explanation.take() {
        blocks.parts.push(Part::Refusal(explanation));
    }
    let candidate = Candidate { index: 0, parts: blocks.parts, stop: end.stop(), logprobs: Vec::new() };
    answer.candidates.push(candidate);
    Ok(answer)
}

/// What an answer or an event says of why it ended.
#[derive(Debug, Default)]
pub(super) struct End<'a> {
    reason: Option<Str<'a>>,
    sequence: Option<Str<'a>>,
    /// Why it was refused, in the vendor's words.
    pub(super) explanation: Option<Str<'a>>,
}

impl<'a> End<'a> {
    /// Reads or skips a member.
    pub(super) fn member(&mut self, source: &mut Source<'a>, name: &str) -> Result<()> {
        match name {
            "stop_reason" => self.reason = source.text_or_null()?,
            "stop_sequence" => self.sequence = source.text_or_null()?,
            "stop_details" => self.details(source)?,
            _ => source.skip()?,
        }
        Ok(())
    }

    fn details(&mut self, source: &mut Source<'a>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        source.members(|source, name| {
            match name {
                "explanation" => self.explanation = source.text_or_null()?.filter(|text| !text.is_empty()),
                _ => source.skip()?,
            }
            Ok(())
        })
    }

    pub(super) fn stop(self) -> Option<Stop<'a>> {
        self.reason.map(|reason| stop::read(&reason, self.sequence))
    }
}
