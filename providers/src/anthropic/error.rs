//! Refusals as Anthropic words errors (<https://platform.claude.com/docs/en/api/errors>, 2026-11), and its own words.

use policy::decision::Refusal;
use serde_json::{Value, json};

use crate::verdict::words::{Class, Words};

/// What Anthropic says of failures. It has a class for each and no code, so much is told by sentences only.
pub(crate) const WORDS: Words = Words {
    codes: &[
        (Class::Credential, &["authentication_error", "billing_error"]),
        (Class::Overloaded, &["overloaded_error"]),
        (Class::Throttled, &["rate_limit_error"]),
        (Class::TooLong, &["request_too_large"]),
    ],
    sentences: &[
        (
            Class::Credential,
            &[
                "Your credit balance is too low",
                "You have reached your specified API usage limits",
                "This organization has been disabled",
                "OAuth token has been revoked",
                "OAuth authentication is currently not",
            ],
        ),
        (Class::Policy, &["Output blocked by content filtering policy"]),
        (Class::NotThere, &["model: ", "Not Found$"]),
        (
            Class::TooLong,
            &[
                "prompt is too long",
                "input length and `max_tokens` exceed context limit: #",
                "input is too long for requested model",
            ],
        ),
        (
            Class::Prefill,
            &[
                "This model does not support assistant message prefill",
                "The conversation must end with a user message",
                "Your API request included an `assistant` message in the final position",
                "messages: final assistant content cannot end with trailing whitespace",
                "messages.#.content.#.type: Expected `thinking` or `redacted_thinking`, but found `text`",
            ],
        ),
    ],
};

/// The body of an error answer, and the data of an `error` event: they are the same.
pub(crate) fn body(refusal: &Refusal, request_id: &str) -> Value {
    let error = json!({"type": refusal.reason.as_str(), "message": refusal.message});
    json!({"type": "error", "error": error, "request_id": request_id})
}
