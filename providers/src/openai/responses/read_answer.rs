//! A whole answer of the Responses API, read.

use super::read_output::{Report, Says, read_item};
use crate::hub::answer::{Answer, Candidate};
use crate::hub::source::{ReadError, Result, Source};

/// Reads an answer. One that failed is none.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer<'_>> {
    let report = Report::new(Source::new(body)?.whole(Source::unread_members)?);
    if report.is_failed()? {
        return Err(ReadError::wrong("`completed` or `incomplete`").under("status"));
    }
    let (mut candidate, mut says) = (Candidate::default(), Says::default());
    report.items(|item| {
        for (part, logprobs) in read_item(item)? {
            says.note(&part);
            candidate.parts.push(part);
            candidate.logprobs.extend(logprobs);
        }
        Ok(())
    })?;
    candidate.stop = Some(report.stop(says)?);
    Ok(Answer { head: report.head()?, candidates: vec![candidate], usage: report.usage() })
}
