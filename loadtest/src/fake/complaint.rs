//! Errors in the vendors' own shapes and words, as far as they are known from their documentation and from what their users have
//! reported (November 2026).

mod anthropic;
mod gemini;
mod openai;

use serde_json::Value;

use super::route::{Dialect, Operation};
use super::wire::put;

/// What a vendor complains of: `error=NAME`, the name being the variant's in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// `context_length`: 400, more input than the model takes.
    ContextLength,
    /// `content_policy`: 400, the input is against the vendor's rules.
    ContentPolicy,
    /// `content_filter`: the same as Azure says it; the other vendors as `content_policy`.
    ContentFilter,
    /// `prompt_blocked`: Gemini's 200 with `promptFeedback` and no candidates; the other vendors as `content_policy`.
    PromptBlocked,
    /// `no_model`: 404, no such model.
    NoModel,
    /// `no_deployment`: 404, no such deployment, as Azure says it; the other vendors as `no_model`.
    NoDeployment,
    /// `forbidden`: 403, the credential may not use the model.
    Forbidden,
    /// `no_credit`: 402, no money left; Gemini says 400 `FAILED_PRECONDITION`.
    NoCredit,
    /// `quota`: nothing left until somebody pays or the day is over: 429, but 400 at Anthropic.
    Quota,
    /// `rate_limit`: 429, too much in this minute.
    RateLimit,
    /// `bad_key`: 401, no such credential; 400 at Gemini.
    BadKey,
    /// `overloaded`: 503; 529 at Anthropic.
    Overloaded,
    /// `server_error`: 500.
    ServerError,
    /// `no_prefill`: 400, the last message may not be the assistant's. OpenAI takes it; this is how Mistral refuses.
    NoPrefill,
}

/// Whose request is complained of.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) dialect: Dialect,
    pub(super) operation: Option<Operation>,
    pub(super) model: &'a str,
    pub(super) credential: &'a str,
    pub(super) seq: u64,
}

impl Complaint {
    /// The complaint of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "context_length" => Self::ContextLength,
            "content_policy" => Self::ContentPolicy,
            "content_filter" => Self::ContentFilter,
            "prompt_blocked" => Self::PromptBlocked,
            "no_model" => Self::NoModel,
            "no_deployment" => Self::NoDeployment,
            "forbidden" => Self::Forbidden,
            "no_credit" => Self::NoCredit,
            "quota" => Self::Quota,
            "rate_limit" => Self::RateLimit,
            "bad_key" => Self::BadKey,
            "overloaded" => Self::Overloaded,
            "server_error" => Self::ServerError,
            "no_prefill" => Self::NoPrefill,
            _ => return None,
        })
    }

    /// The status, and the body.
    pub(super) fn put(self, about: &About<'_>) -> (u16, Value) {
        match about.dialect {
            Dialect::OpenAi => self.by_openai(about),
            Dialect::Anthropic => self.by_anthropic(about),
            Dialect::Gemini => self.by_gemini(about),
        }
    }
}

/// Sets a field of the error inside an error body.
pub(super) fn put_inside(body: &mut Value, name: &str, value: Value) {
    if let Some(inner) = body.get_mut("error") {
        put(inner, name, value);
    }
}
