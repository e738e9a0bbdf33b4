//! As Anthropic says it.

use serde_json::Value;

use super::{About, Complaint};
use crate::fake::anthropic;

impl Complaint {
    /// In Anthropic's words.
    pub(super) fn by_anthropic(self, about: &About<'_>) -> (u16, Value) {
        let unknown = format!("model: {}", about.model);
        let (status, message) = match self {
            Self::ContextLength => (400, "prompt is too long: 208310 tokens > 200000 maximum"),
            Self::ContentPolicy | Self::ContentFilter | Self::PromptBlocked => {
                (400, "Output blocked by content filtering policy")
            }
            Self::NoModel | Self::NoDeployment => (404, unknown.as_str()),
            Self::Forbidden => (403, "Your API key does not have permission to use the specified resource."),
            Self::NoCredit => (402, "There's an issue with your billing or payment information."),
            Self::Quota => (
                400,
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            ),
            Self::RateLimit => (
                429,
                "This request would exceed your organization's rate limit of 50 requests per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits.",
            ),
            Self::BadKey => (401, "invalid x-api-key"),
            Self::Overloaded => (529, "Overloaded"),
            Self::ServerError => (500, "Internal server error"),
            Self::NoPrefill => (
                400,
                "This model does not support assistant message prefill. The conversation must end with a user message.",
            ),
        };
        (status, anthropic::error(status, message, about.seq))
    }
}
