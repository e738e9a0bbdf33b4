//! Why answers end, in Gemini's words (<https://ai.google.dev/api/generate-content#FinishReason>, 2026-11).

use crate::hub::answer::Stop;

/// What a `finishReason` says. `calls`: the answer calls tools, which Gemini has no word for.
pub(super) fn read(reason: &str, calls: bool) -> Option<Stop<'static>> {
    Some(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "MAX_TOKENS" => Stop::Length,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => Stop::BadToolCall,
        "CONTINUATION" => Stop::Pause,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER"
        | "NO_IMAGE"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "MODEL_ARMOR"
        | "OTHER" => Stop::Filter,
        _ if calls => Stop::Tools,
        _ => Stop::End,
    })
}

/// The `finishReason` that says it. One that went on without a token to go on with would be no `CONTINUATION`.
pub(super) const fn write(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::End | Stop::Tools | Stop::Sequence(_) => "STOP",
        Stop::Length | Stop::Context => "MAX_TOKENS",
        Stop::Filter | Stop::Refusal => "SAFETY",
        Stop::Pause => "OTHER",
        Stop::BadToolCall => "MALFORMED_FUNCTION_CALL",
    }
}
