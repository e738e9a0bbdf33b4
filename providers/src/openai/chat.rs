//! OpenAI's chat completions (`openai/types/chat` of its SDK 3.52.0, 2026-11), read into the neutral form and written from it, and
//! what those who copy the API add to it or do otherwise.

mod call;
mod content;
mod frame;
mod growing_call;
mod logprobs;
mod message;
mod read_answer;
mod read_chunk;
mod read_request;
mod read_stream;
mod thought;
mod tool;
mod write_answer;
mod write_message;
mod write_request;
mod write_stream;

pub(super) use frame::ChunkFrame;
pub(crate) use read_answer::read_answer;
pub(crate) use read_request::read_request;
pub(super) use read_request::{stop as read_stop, stream_options as read_stream_options};
pub(crate) use read_stream::StreamReader;
pub(crate) use write_answer::write_answer;
pub(super) use write_answer::{characters, write_head, write_tier, write_usage};
pub(crate) use write_request::write_request;
pub(crate) use write_stream::StreamWriter;

use crate::hub::field::Field;

/// How it calls what a request may ask.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::Seed => "seed",
        Field::Stop => "stop",
        Field::Choices => "n",
        Field::Logprobs => "logprobs",
        Field::TopLogprobs => "top_logprobs",
        Field::User => "user",
        Field::Format => "response_format",
        Field::Thinking => "reasoning_effort",
        Field::Verbosity => "verbosity",
        Field::Modalities => "modalities",
        Field::HostedTool => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelTools => "parallel_tool_calls",
        Field::StrictTool => "tools[].function.strict",
        Field::CacheMark => "messages[].content[].cache_control",
        Field::ParticipantName => "messages[].name",
        Field::Image => "messages[].content[].image_url",
        Field::Audio => "messages[].content[].input_audio",
        Field::Video => "messages[].content[].video_url",
        Field::File => "messages[].content[].file",
        Field::MediaUrl => "messages[].content[].image_url.url",
        Field::MediaId => "messages[].content[].file.file_id",
        Field::ToolMedia | Field::Part => "messages[].content[]",
        Field::Refusal => "messages[].refusal",
    }
}

#[cfg(test)]
mod tests;
