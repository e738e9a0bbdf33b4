//! The requests of each dialect, and their streams taken apart.

use serde_json::{Value, json};

/// One way to ask for an answer, in one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Completion,
    Responses,
    Messages,
    Gemini,
    /// Gemini's stream without `alt=sse`: one JSON array.
    GeminiArray,
}

impl Api {
    pub(crate) const ALL: [Self; 6] =
        [Self::Chat, Self::Completion, Self::Responses, Self::Messages, Self::Gemini, Self::GeminiArray];

    /// The vendor whose API it is.
    pub(crate) fn vendor(self) -> &'static str {
        match self {
            Self::Chat | Self::Completion | Self::Responses => "openai",
            Self::Messages => "anthropic",
            Self::Gemini | Self::GeminiArray => "gemini",
        }
    }

    /// A model that is in the price list.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "gpt-4o",
            Self::Completion => "gpt-3.5-turbo-instruct",
            Self::Messages => "claude-sonnet-4-5",
            Self::Gemini | Self::GeminiArray => "gemini-2.5-flash",
        }
    }

    /// The path, with its query.
    pub(crate) fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Completion, _) => "/v1/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini | Self::GeminiArray, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            (Self::GeminiArray, true) => format!("/v1beta/models/{model}:streamGenerateContent"),
        }
    }

    /// A body that asks `text`, with a limit of 4,000 tokens.
    pub(crate) fn body(self, model: &str, stream: bool, text: &str) -> Value {
        let turn = json!([{"role": "user", "content": text}]);
        match self {
            Self::Chat => json!({"model": model, "stream": stream, "max_tokens": 4000, "messages": turn}),
            Self::Completion => json!({"model": model, "stream": stream, "max_tokens": 4000, "prompt": text}),
            Self::Responses => json!({"model": model, "stream": stream, "max_output_tokens": 4000, "input": text}),
            Self::Messages => json!({"model": model, "stream": stream, "max_tokens": 4000, "messages": turn}),
            Self::Gemini | Self::GeminiArray => json!({
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": {"maxOutputTokens": 4000},
            }),
        }
    }

    /// Events that the fake provider sends before the first one with content.
    pub(crate) fn preludes(self) -> usize {
        match self {
            Self::Chat => 1,
            Self::Completion | Self::Gemini | Self::GeminiArray => 0,
            Self::Responses => 4,
            Self::Messages => 3,
        }
    }

    /// What only a whole stream ends with.
    pub(crate) fn end_mark(self) -> &'static str {
        match self {
            Self::Chat | Self::Completion => "[DONE]",
            Self::Responses => "response.completed",
            Self::Messages => "message_stop",
            Self::Gemini | Self::GeminiArray => "finishReason",
        }
    }
}

/// The data of a stream's events; what is no JSON as a text.
pub(crate) fn events(api: Api, text: &str) -> Vec<Value> {
    if api == Api::GeminiArray {
        return serde_json::from_str(text).unwrap_or_else(|error| panic!("no array: {error}: {text}"));
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(|data| serde_json::from_str(data.trim()).unwrap_or_else(|_| json!(data.trim()))).collect()
}

/// The reason of an error of the gateway's own, in whatever dialect it is worded.
pub(crate) fn reason(error: &Value) -> Option<&str> {
    let inner = error.get("error")?;
    let told = inner.pointer("/details/0/reason").or_else(|| inner.get("code").filter(|code| code.is_string()));
    told.or_else(|| inner.get("type"))?.as_str()
}
