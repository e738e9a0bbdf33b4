//! Whole answers (`completion.py`): the text of a conversation's answer; thoughts and calls have no place.

use super::read_request::echoed;
use super::{finish_reason, logprobs};
use crate::hub::answer::{Answer, Candidate, Stop};
use crate::hub::part::Part;
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::openai::chat::{characters, write_head, write_tier, write_usage};
use crate::translate::Context;

/// Writes an answer.
pub(crate) fn write_answer(answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    let echo = echoed(&context.asked).unwrap_or_default();
    let mut sink = Sink::with_capacity(2048);
    sink.object(|sink| {
        write_head(&answer.head, "cmpl-", "text_completion", context, sink);
        sink.key("choices").array(|sink| {
            answer.candidates.iter().for_each(|candidate| choice(candidate, &echo, sink));
        });
        if let Some(usage) = &answer.usage {
            sink.key("usage");
            write_usage(usage, sink);
            write_tier(usage, sink);
        }
    });
    sink.into_bytes()
}

fn choice(candidate: &Candidate<'_>, echo: &Str<'_>, sink: &mut Sink) {
    let mut text = echo.by_ref();
    for part in &candidate.parts {
        match part {
            Part::Text(part) => text.push(&part.text),
            Part::Refusal(words) => text.push(words),
            _ => {}
        }
    }
    sink.object(|sink| {
        sink.text_member("text", &text);
        sink.count_member("index", u64::from(candidate.index));
        logprobs::write(&candidate.logprobs, characters(echo), sink);
        sink.plain_member("finish_reason", finish_reason(candidate.stop.as_ref().unwrap_or(&Stop::End)));
    });
}
