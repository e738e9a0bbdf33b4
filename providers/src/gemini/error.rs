//! Refusals as Google words errors: a google.rpc.Status in JSON (<https://cloud.google.com/apis/design/errors>, 2026-11).

use policy::decision::Refusal;
use serde_json::{Value, json};

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
const fn status_name(status: u16) -> &'static str {
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
