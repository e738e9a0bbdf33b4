//! OpenAI's older text completions (`openai/types/completion*.py` of its SDK 3.52.0, 2026-11), asked for here and served as
//! conversations: the prompt is what the user says.

mod logprobs;
mod read_request;
mod write_answer;
mod write_stream;

pub(crate) use read_request::read_request;
pub(crate) use write_answer::write_answer;
pub(crate) use write_stream::StreamWriter;

use crate::hub::answer::Stop;
use crate::hub::field::Field;

/// How it calls what a request may ask. What it cannot ask is never lost.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        // Others in a token's place are asked for by the same field.
        Field::TopLogprobs => "logprobs",
        Field::Image | Field::Audio | Field::Video | Field::File | Field::Part => "prompt",
        other => super::chat::name(other),
    }
}

/// The word for why a choice ended.
const fn finish_reason(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::Length | Stop::Context => "length",
        Stop::Filter | Stop::Refusal => "content_filter",
        Stop::End | Stop::Tools | Stop::Sequence(_) | Stop::Pause | Stop::BadToolCall => "stop",
    }
}

#[cfg(test)]
mod tests;
