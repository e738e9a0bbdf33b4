//! OpenAI's Responses API, read into the neutral form and written from it, after the types of its SDK
//! (`openai/types/responses`, openai 3.52.0 for Python, 2026-11). A conversation that is kept by the vendor
//! (`previous_response_id`, `conversation`, items by reference) cannot be asked of others.

use crate::hub::field::Field;

mod call_ids;
mod content;
mod conversation;
mod echo;
mod image;
mod items;
mod parts;
mod proof;
mod queue;
mod read_answer;
mod read_output;
mod read_request;
mod read_stream;
mod response;
mod tools;
mod usage;
mod write_answer;

mod write_input;
mod write_media;
mod write_request;
mod write_stream;
mod write_tools;

pub(crate) use read_answer::read_answer;
pub(crate) use read_request::read_request;
pub(crate) use read_stream::StreamReader;
pub(crate) use write_answer::write_answer;
pub(crate) use write_request::write_request;
pub(crate) use write_stream::StreamWriter;

/// How it calls what a request may ask.
pub(crate) const fn name(field: Field) -> &'static str {
    match field {
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::Seed => "seed",
        Field::Stop => "stop",
        Field::Choices => "n",
        Field::Logprobs => "include",
        Field::TopLogprobs => "top_logprobs",
        Field::User => "user",
        Field::Format => "text.format",
        Field::Thinking => "reasoning",
        Field::Verbosity => "text.verbosity",
        Field::Modalities => "modalities",
        Field::HostedTool => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelTools => "parallel_tool_calls",
        Field::StrictTool => "tools[].strict",
        Field::CacheMark => "input[].content[].prompt_cache_breakpoint",
        Field::ParticipantName => "input[].name",
        Field::Image => "input[].content[].image_url",
        Field::Audio => "input[].content[].input_audio",
        Field::Video => "input[].content[].input_video",
        Field::File => "input[].content[].file_data",
        Field::MediaUrl => "input[].content[].file_url",
        Field::MediaId => "input[].content[].file_id",
        Field::ToolMedia => "input[].output",
        Field::Refusal => "input[].content[].refusal",
        Field::Part => "input[].type",
    }
}

#[cfg(test)]
mod tests;
