//! Refusals as OpenAI words errors (<https://platform.openai.com/docs/guides/error-codes>, 2026-11).

use policy::decision::Refusal;
use serde_json::{Value, json};

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
