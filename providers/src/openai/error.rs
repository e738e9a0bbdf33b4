//! Refusals as OpenAI words errors (<https://platform.openai.com/docs/guides/error-codes>, 2026-11), and the words of those who
//! copy its API.

use policy::decision::Refusal;
use serde_json::{Value, json};

use crate::verdict::words::{Class, Words};

/// What OpenAI says of failures, and Azure, xAI, OpenRouter, Groq, Mistral, DeepSeek, Fireworks, Together, Databricks, vLLM, llama.cpp and other servers of its
/// dialect. "You exceeded your current quota" is not among the sentences: Google says it of every rate limit.
pub(crate) const WORDS: Words = Words {
    codes: &[
        (
            Class::Credential,
            &[
                "insufficient_quota",
                "billing_hard_limit_reached",
                "billing_not_active",
                "account_deactivated",
                "access_terminated",
                "invalid_api_key",
                "authentication_error",
                "exceeded_current_quota_error",
                "AuthenticationTypeDisabled",
            ],
        ),
        (
            Class::Policy,
            &[
                "content_policy_violation",
                "image_content_policy_violation",
                "content_filter",
                "ResponsibleAIPolicyViolation",
                "moderation_blocked",
                "bio_policy",
                "misalignment_policy_violation",
                "invalid_prompt",
                "flagged_input",
                "data_inspection_failed",
                "unsupported_country_region_territory",
            ],
        ),
        (Class::Overloaded, &["engine_overloaded_error", "capacity_exceeded"]),
        (Class::Throttled, &["rate_limit_exceeded", "rate_limit_error", "RateLimitReached"]),
        (
            Class::NoModel,
            &[
                "model_not_found",
                "DeploymentNotFound",
                "model_decommissioned",
                "invalid_model",
                "unknown_model",
                "unknown_url",
                "model_not_available",
                "dedicated_endpoint_not_running",
            ],
        ),
        (
            Class::TooLong,
            &[
                "context_length_exceeded",
                "exceed_context_size_error",
                "model_max_prompt_tokens_exceeded",
                "tokens_limit_reached",
            ],
        ),
    ],
    sentences: &[
        (
            Class::Credential,
            &[
                "Incorrect API key provided",
                "Key limit exceeded",
                "Insufficient Balance",
                "Insufficient credits",
                "Your newly created team",
                "Your team * has either used all available credits",
            ],
        ),
        (
            Class::Policy,
            &[
                "Content violates usage guidelines",
                "Your chosen model requires moderation",
                "Country, region, or territory",
            ],
        ),
        (
            Class::NoModel,
            &[
                "The model * does not exist",
                "Model Not Exist$",
                "Model not found",
                "model '*' not found",
                "model \"*\" not found",
                "Invalid model: ",
                "Invalid model '",
                "No endpoints found",
                "* is not a valid model ID",
                "Endpoint with name '*' does not exist",
            ],
        ),
        (Class::NotThere, &["Not Found$", "Resource not found$", "Invalid URL ("]),
        (
            Class::TooLong,
            &[
                "This model's maximum context length is #",
                "This endpoint's maximum context length is #",
                "This model's maximum prompt length is #",
                "'max_tokens' or 'max_completion_tokens' is too large: #. This model's maximum context length is #",
                "You passed # input tokens and requested # output tokens. However, the model's context length is only #",
                "The decoder prompt (length #) is longer than the maximum model length of #",
                "Please reduce the length of the messages",
                "The request exceeds the available context size",
                "Request (# tokens) exceeds the available context size",
                "The prompt is too long: #, model maximum context length: #",
                "Prompt contains # tokens, too large for model with # maximum context length",
                "Prompt contains # tokens and # draft tokens, too large for model with # maximum context length",
                "The input (# tokens) is longer than the model's context length",
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= #",
                "The input length exceeds the context length",
                "litellm.ContextWindowExceededError:",
            ],
        ),
        (
            Class::Prefill,
            &[
                "Expected last role User or Tool",
                "Last message must have role `user`",
                "Assistant response prefill is incompatible with",
                "Cannot have 2 or more assistant messages at the end",
            ],
        ),
    ],
};

/// The body: OpenAI's error, with its class and status at the top level too, where clients of older gateways look for them.
pub(crate) fn body(refusal: &Refusal) -> Value {
    let reason = refusal.reason;
    json!({"error": error(refusal), "type": reason.as_str(), "status_code": reason.status()})
}

/// The data of the Responses API's `error` event. The SDKs raise on its `error` member and show the others.
/// How many events came before is not known here, so the sequence number is 0.
pub(crate) fn event(refusal: &Refusal) -> Value {
    json!({
        "type": "error",
        "code": refusal.reason.as_str(),
        "message": refusal.message,
        "param": refusal.param,
        "sequence_number": 0,
        "error": error(refusal),
    })
}

fn error(refusal: &Refusal) -> Value {
    let code = refusal.reason.as_str();
    json!({"message": refusal.message, "type": code, "code": code, "param": refusal.param})
}
