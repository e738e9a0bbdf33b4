//! Gemini's generateContent, read into the neutral form and written from it (<https://ai.google.dev/api/generate-content>, 2026-11,
//! and the types of google-genai 3.4.0). Google's JSON takes each name in camel case and in snake case; it writes camel case.

use crate::hub::field::Field;

mod blob;
mod config;
mod grounding;
mod logprobs;
mod model;
mod names;
mod part;
mod read_answer;
mod read_request;
mod read_stream;
mod schema;
mod stop;
mod tools;
mod usage;
mod write_answer;
mod write_config;
mod write_part;
mod write_request;
mod write_stream;

pub(crate) use read_answer::read_answer;
pub(crate) use read_request::read_request;
pub(crate) use read_stream::StreamReader;
pub(crate) use write_answer::write_answer;
pub(crate) use write_request::write_request;
pub(crate) use write_stream::StreamWriter;

#[cfg(test)]
mod tests;

/// How it calls what a request may ask.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Temperature => "generationConfig.temperature",
        Field::TopP => "generationConfig.topP",
        Field::TopK => "generationConfig.topK",
        Field::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Field::PresencePenalty => "generationConfig.presencePenalty",
        Field::Seed => "generationConfig.seed",
        Field::Stop => "generationConfig.stopSequences",
        Field::Choices => "generationConfig.candidateCount",
        Field::Logprobs => "generationConfig.responseLogprobs",
        Field::TopLogprobs => "generationConfig.logprobs",
        Field::User => "labels",
        Field::Format => "generationConfig.responseSchema",
        Field::Thinking => "generationConfig.thinkingConfig",
        Field::Verbosity => "generationConfig.responseFormat",
        Field::Modalities => "generationConfig.responseModalities",
        Field::HostedTool => "tools",
        Field::ToolChoice | Field::ParallelTools | Field::StrictTool => "toolConfig.functionCallingConfig",
        Field::CacheMark => "cachedContent",
        Field::ParticipantName => "contents[].role",
        Field::Image | Field::Audio | Field::Video | Field::File => "contents[].parts[].inlineData",
        Field::MediaUrl | Field::MediaId => "contents[].parts[].fileData",
        Field::ToolMedia => "contents[].parts[].functionResponse.parts",
        Field::Refusal => "contents[].parts[].text",
        Field::Part => "contents[].parts[]",
    }
}
