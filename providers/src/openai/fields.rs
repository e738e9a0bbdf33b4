//! The fields of requests in OpenAI's dialect (<https://platform.openai.com/docs/api-reference>, 2026-11).

use policy::request::Operation;

use crate::draft::{FALLBACKS, Field, Governed, Input};

/// The fields of an operation's body. Each output limit is taken only where the operation has it: elsewhere a lenient vendor
/// would ignore it.
pub(crate) const fn of(operation: Operation) -> &'static [Field] {
    match operation {
        Operation::ChatCompletion => CHAT,
        Operation::TextCompletion => COMPLETIONS,
        Operation::Embedding => EMBEDDINGS,
        Operation::Responses | Operation::CountTokens | Operation::ListModels => RESPONSES,
    }
}

const CHAT: &[Field] = &[
    FALLBACKS,
    Field("model", Governed::Model),
    Field("messages", Governed::Input(Input::Messages)),
    Field("stream", Governed::Stream),
    Field("stream_options", Governed::StreamOptions),
    Field("max_completion_tokens", Governed::MaxOutput),
    Field("max_tokens", Governed::MaxOutput),
    Field("n", Governed::Choices),
    Field("service_tier", Governed::Tier),
    Field("tools", Governed::Input(Input::Tools)),
    Field("prediction", Governed::Input(Input::Prediction)),
    Field("web_search_options", Governed::Search),
    Field("audio", Governed::Plain),
    Field("frequency_penalty", Governed::Plain),
    Field("logit_bias", Governed::Plain),
    Field("logprobs", Governed::Plain),
    Field("metadata", Governed::Plain),
    Field("modalities", Governed::Plain),
    Field("parallel_tool_calls", Governed::Plain),
    Field("presence_penalty", Governed::Plain),
    Field("prompt_cache_key", Governed::Plain),
    Field("reasoning_effort", Governed::Plain),
    Field("safety_identifier", Governed::Plain),
    Field("seed", Governed::Plain),
    Field("stop", Governed::Plain),
    Field("store", Governed::Plain),
    Field("temperature", Governed::Plain),
    Field("top_logprobs", Governed::Plain),
    Field("top_p", Governed::Plain),
    Field("user", Governed::Plain),
];

const COMPLETIONS: &[Field] = &[
    FALLBACKS,
    Field("model", Governed::Model),
    Field("prompt", Governed::Input(Input::Prompts)),
    Field("stream", Governed::Stream),
    Field("stream_options", Governed::StreamOptions),
    Field("max_tokens", Governed::MaxOutput),
    Field("n", Governed::Choices),
    Field("best_of", Governed::Choices),
    Field("service_tier", Governed::Tier),
    Field("echo", Governed::Plain),
    Field("frequency_penalty", Governed::Plain),
    Field("logit_bias", Governed::Plain),
    Field("logprobs", Governed::Plain),
    Field("presence_penalty", Governed::Plain),
    Field("seed", Governed::Plain),
    Field("stop", Governed::Plain),
    Field("temperature", Governed::Plain),
    Field("top_p", Governed::Plain),
    Field("user", Governed::Plain),
];

const RESPONSES: &[Field] = &[
    FALLBACKS,
    Field("model", Governed::Model),
    Field("input", Governed::Input(Input::Messages)),
    Field("stream", Governed::Stream),
    Field("max_output_tokens", Governed::MaxOutput),
    Field("service_tier", Governed::Tier),
    Field("tools", Governed::Input(Input::Tools)),
    Field("previous_response_id", Governed::Pointer),
    Field("conversation", Governed::Pointer),
    Field("prompt", Governed::Pointer),
    Field("background", Governed::Background),
    Field("include", Governed::Plain),
    Field("max_tool_calls", Governed::ToolCalls),
    Field("metadata", Governed::Plain),
    Field("parallel_tool_calls", Governed::Plain),
    Field("prompt_cache_key", Governed::Plain),
    Field("reasoning", Governed::Plain),
    Field("safety_identifier", Governed::Plain),
    Field("store", Governed::Plain),
    Field("stream_options", Governed::Plain),
    Field("temperature", Governed::Plain),
    Field("top_logprobs", Governed::Plain),
    Field("top_p", Governed::Plain),
    Field("truncation", Governed::Plain),
    Field("user", Governed::Plain),
];

const EMBEDDINGS: &[Field] = &[
    FALLBACKS,
    Field("model", Governed::Model),
    Field("input", Governed::Input(Input::Messages)),
    Field("dimensions", Governed::Plain),
    Field("encoding_format", Governed::Plain),
    Field("user", Governed::Plain),
];
