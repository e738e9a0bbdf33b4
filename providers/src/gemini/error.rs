//! Refusals as Google words errors: a google.rpc.Status in JSON (<https://cloud.google.com/apis/design/errors>, 2026-11), and its own words.

use policy::decision::Refusal;
use serde_json::{Value, json};

use crate::verdict::words::{Class, Words};

/// What Google says of failures. The reasons are those of google.api.ErrorReason, and Google gives them with some errors only.
/// An API that is switched off or barred for a project or key (403) serves none of its models, so it counts against the
/// credential; a permission that is denied for any other reason does not.
pub(crate) const WORDS: Words = Words {
    codes: &[
        (
            Class::Credential,
            &[
                "UNAUTHENTICATED",
                "API_KEY_INVALID",
                "API_KEY_SERVICE_BLOCKED",
                "API_KEY_HTTP_REFERRER_BLOCKED",
                "API_KEY_IP_ADDRESS_BLOCKED",
                "API_KEY_ANDROID_APP_BLOCKED",
                "API_KEY_IOS_APP_BLOCKED",
                "CREDENTIALS_MISSING",
                "ACCESS_TOKEN_EXPIRED",
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "ACCOUNT_STATE_INVALID",
                "BILLING_DISABLED",
                "CONSUMER_INVALID",
                "CONSUMER_SUSPENDED",
                "SERVICE_DISABLED",
                "USER_PROJECT_DENIED",
            ],
        ),
        (Class::Policy, &["LOCATION_POLICY_VIOLATED"]),
        (Class::Throttled, &["RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"]),
    ],
    sentences: &[
        (
            Class::Credential,
            &[
                "API key not valid",
                "API key expired",
                "Your API key was reported as leaked",
                "Method doesn't allow unregistered callers",
                "Permission denied: Consumer ",
                "Generative Language API has not been used in project",
                "This API method requires billing to be enabled",
                "Gemini API free tier is not available",
                "Your prepayment credits are depleted",
                "Your project has exceeded its monthly spending cap",
            ],
        ),
        (Class::Policy, &["User location is not supported"]),
        (
            Class::NoModel,
            &["models/* is not found", "Publisher Model * was not found", "This model * is no longer available"],
        ),
        (
            Class::TooLong,
            &[
                "The input token count (#) exceeds the maximum number of tokens allowed",
                "The input token count exceeds the maximum number of tokens allowed",
                "Unable to submit request because the input token count is # but",
                "Request payload size exceeds the limit: #",
            ],
        ),
        (Class::Prefill, &["Please ensure that multiturn requests end", "Please ensure that single turn requests end"]),
    ],
};

/// The body of an error answer, and the data of an error in a stream: they are the same.
pub(crate) fn body(refusal: &Refusal, request_id: &str) -> Value {
    let reason = refusal.reason;
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason.as_str(),
        "domain": "tollgate",
        "metadata": {"request_id": request_id},
    })];
    if let Some(wait) = refusal.retry_after {
        // A google.protobuf.Duration in JSON: seconds with 0, 3, 6 or 9 digits after the point.
        let delay = format!("{}.{:03}s", wait.as_secs(), wait.subsec_millis());
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    json!({"error": {
        "code": reason.status(),
        "message": refusal.message,
        "status": status_name(reason.status()),
        "details": details,
    }})
}

/// The google.rpc code that stands for an HTTP status.
pub(crate) const fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        402 | 429 => "RESOURCE_EXHAUSTED",
        405 | 501 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        502 | 503 => "UNAVAILABLE",
        500..=599 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
