//! Anthropic's Messages, read into the neutral form and written from it
//! (<https://platform.claude.com/docs/en/api/messages>, 2026-11, and the types of its Python SDK 2.11.0). What is written here keeps
//! to API version 2023-06-01; that of 2026-10-21 has the same bodies.

use crate::hub::field::Field;

mod answer_blocks;
mod blocks;
mod media;
mod model;
mod proof;
mod read_answer;
mod read_request;
mod read_stream;
mod request_blocks;
mod request_media;
mod schema;
mod stop;
#[cfg(test)]
mod tests;
mod thinking;
mod tools;
mod write_answer;
mod write_request;
mod write_stream;

pub(crate) use read_answer::read_answer;
pub(crate) use read_request::read_request;
pub(crate) use read_stream::StreamReader;
pub(crate) use write_answer::write_answer;
pub(crate) use write_request::write_request;
pub(crate) use write_stream::StreamWriter;

/// How it calls what a request may ask.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::Seed => "seed",
        Field::Stop => "stop_sequences",
        Field::Choices => "n",
        Field::Logprobs => "logprobs",
        Field::TopLogprobs => "top_logprobs",
        Field::User => "metadata.user_id",
        Field::Format => "output_config.format",
        Field::Thinking => "thinking",
        Field::Verbosity => "verbosity",
        Field::Modalities => "modalities",
        Field::HostedTool => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelTools => "tool_choice.disable_parallel_tool_use",
        Field::StrictTool => "tools[].strict",
        Field::CacheMark => "cache_control",
        Field::ParticipantName => "messages[].name",
        Field::Image | Field::Audio | Field::Video | Field::File => "messages[].content[].source",
        Field::MediaUrl => "messages[].content[].source.url",
        Field::MediaId => "messages[].content[].source.file_id",
        Field::ToolMedia => "messages[].content[].content",
        Field::Refusal => "messages[].content[].text",
        Field::Part => "messages[].content[].type",
    }
}
