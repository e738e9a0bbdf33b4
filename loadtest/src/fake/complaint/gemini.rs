//! As Gemini says it.

use serde_json::{Value, json};

use super::{About, Complaint, put_inside};
use crate::fake::gemini;

impl Complaint {
    /// In Gemini's words.
    pub(super) fn by_gemini(self, about: &About<'_>) -> (u16, Value) {
        let model = about.model;
        let unknown = format!(
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
        );
        let spent = "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.";
        let (status, message) = match self {
            Self::ContextLength => {
                (400, "The input token count (1200021) exceeds the maximum number of tokens allowed (1048576).")
            }
            Self::ContentPolicy | Self::ContentFilter => (
                400,
                "The prompt could not be submitted. This prompt contains sensitive words that violate Google's Responsible AI practices. Try rephrasing the prompt.",
            ),
            Self::PromptBlocked => return (200, blocked(about)),
            Self::NoModel | Self::NoDeployment => (404, unknown.as_str()),
            Self::Forbidden => (403, "The caller does not have permission"),
            Self::NoCredit => (
                400,
                "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
            ),
            Self::Quota | Self::RateLimit => (429, spent),
            Self::BadKey => (400, "API key not valid. Please pass a valid API key."),
            Self::Overloaded => (503, "The model is overloaded. Please try again later."),
            Self::ServerError => (
                500,
                "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
            ),
            Self::NoPrefill => {
                (400, "Please ensure that multiturn requests ends with a user role or a function response.")
            }
        };
        let mut body = gemini::error(status, message);
        match self {
            Self::NoCredit => put_inside(&mut body, "status", json!("FAILED_PRECONDITION")),
            Self::BadKey => put_inside(&mut body, "details", bad_key_details(message)),
            Self::Quota => put_inside(&mut body, "details", quota_details(model, "PerDay")),
            Self::RateLimit => put_inside(&mut body, "details", quota_details(model, "PerMinute")),
            _ => {}
        }
        (status, body)
    }
}

fn blocked(about: &About<'_>) -> Value {
    json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 2, "totalTokenCount": 2},
        "modelVersion": about.model,
        "responseId": format!("fake{:010}", about.seq),
    })
}

fn bad_key_details(message: &str) -> Value {
    json!([
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
    ])
}

fn quota_details(model: &str, period: &str) -> Value {
    json!([
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                "quotaId": format!("GenerateRequests{period}PerProjectPerModel-FreeTier"),
                "quotaDimensions": {"location": "global", "model": model},
                "quotaValue": "50",
            }],
        },
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}],
        },
    ])
}
