//! As OpenAI says it, and those who offer its API.

use serde_json::{Value, json};

use super::{About, Complaint};
use crate::fake::openai;
use crate::fake::route::Operation;

impl Complaint {
    /// In OpenAI's words.
    pub(super) fn by_openai(self, about: &About<'_>) -> (u16, Value) {
        let model = about.model;
        let invalid = |message: &str, param: Option<&str>, code: &str| json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}});
        match self {
            Self::ContextLength if about.operation == Some(Operation::Responses) => {
                let message =
                    "Your input exceeds the context window of this model. Please adjust your input and try again.";
                (400, invalid(message, Some("input"), "context_length_exceeded"))
            }
            Self::ContextLength => {
                let message = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130021 tokens. Please reduce the length of the messages.";
                (400, invalid(message, Some("messages"), "context_length_exceeded"))
            }
            Self::ContentPolicy | Self::PromptBlocked => {
                let message = "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting";
                (400, invalid(message, None, "invalid_prompt"))
            }
            Self::ContentFilter => (400, azure_filter()),
            Self::NoModel => {
                let message = format!("The model `{model}` does not exist or you do not have access to it.");
                (404, invalid(&message, None, "model_not_found"))
            }
            Self::NoDeployment => {
                let message = "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.";
                (404, json!({"error": {"code": "DeploymentNotFound", "message": message}}))
            }
            Self::Forbidden => {
                let message = format!("Project `proj_fake` does not have access to model `{model}`");
                (403, invalid(&message, None, "model_not_found"))
            }
            Self::NoCredit => (
                402,
                json!({"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": null, "code": "invalid_request_error"}}),
            ),
            Self::Quota => {
                let message = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";
                (
                    429,
                    json!({"error": {"message": message, "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}),
                )
            }
            Self::RateLimit => {
                let message = format!(
                    "Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms. Visit https://platform.openai.com/account/rate-limits to learn more."
                );
                (429, openai::error(429, &message))
            }
            Self::BadKey => {
                let masked = masked(about.credential);
                let message = format!(
                    "Incorrect API key provided: {masked}. You can find your API key at https://platform.openai.com/account/api-keys."
                );
                (401, openai::error(401, &message))
            }
            Self::Overloaded => {
                let message = "That model is currently overloaded with other requests. You can retry your request, or contact us through our help center at help.openai.com if the error persists.";
                (503, openai::error(503, message))
            }
            Self::ServerError => {
                (500, openai::error(500, "The server had an error while processing your request. Sorry about that!"))
            }
            Self::NoPrefill => {
                let message =
                    "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant";
                (
                    400,
                    json!({"object": "error", "message": message, "type": "invalid_request_message_order", "param": null, "code": "3230"}),
                )
            }
        }
    }
}

/// Azure's answer to a prompt that its filter stopped.
fn azure_filter() -> Value {
    let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";
    let safe = json!({"filtered": false, "severity": "safe"});
    let result = json!({
        "hate": safe, "self_harm": safe, "sexual": safe, "jailbreak": {"filtered": true, "detected": true},
        "violence": {"filtered": true, "severity": "medium"},
    });
    let inner = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": result});
    json!({"error": {"message": message, "type": null, "param": "prompt", "code": "content_filter", "status": 400, "innererror": inner}})
}

/// A credential as OpenAI repeats it: only its ends.
fn masked(credential: &str) -> String {
    let letters: Vec<char> = credential.chars().collect();
    if letters.len() < 16 {
        return "*".repeat(letters.len());
    }
    let (first, rest) = letters.split_at(8);
    let (middle, last) = rest.split_at(rest.len() - 4);
    first.iter().chain(&vec!['*'; middle.len()]).chain(last).collect()
}
