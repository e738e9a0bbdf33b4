//! Refusals as Anthropic words errors (<https://platform.claude.com/docs/en/api/errors>, 2026-11).

use policy::decision::Refusal;
use serde_json::{Value, json};

/// The body of an error answer, and the data of an `error` event: they are the same.
pub(crate) fn body(refusal: &Refusal, request_id: &str) -> Value {
    let error = json!({"type": refusal.reason.as_str(), "message": refusal.message});
    json!({"type": "error", "error": error, "request_id": request_id})
}
