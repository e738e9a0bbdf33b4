//! Errors both ways: the gateway's refusals in the client's own dialect, and the vendors' errors as one form.

use std::time::Duration;

use bytes::Bytes;
use policy::decision::Refusal;
use policy::request::{Dialect, Operation};
use serde_json::Value;

use crate::verdict::duration;
use crate::{anthropic, gemini, openai};

mod foreign;

pub use foreign::{vendor_body, vendor_event};

/// The body of an error answer, in the client's dialect, so that its SDK raises its own typed exception.
#[must_use]
pub fn body(dialect: Dialect, refusal: &Refusal, request_id: &str) -> Vec<u8> {
    let body = match dialect {
        Dialect::OpenAi => openai::error::body(refusal),
        Dialect::Anthropic => anthropic::error::body(refusal, request_id),
        Dialect::Gemini => gemini::error::body(refusal, request_id),
    };
    body.to_string().into_bytes()
}

/// An error as the last event of a stream that has begun, in the client's dialect.
#[must_use]
pub fn event(dialect: Dialect, operation: Operation, refusal: &Refusal, request_id: &str) -> Bytes {
    let event = match (dialect, operation) {
        (Dialect::OpenAi, Operation::Responses) => format!("event: error\ndata: {}\n\n", openai::error::event(refusal)),
        (Dialect::OpenAi, _) => format!("data: {}\n\n", openai::error::body(refusal)),
        (Dialect::Anthropic, _) => format!("event: error\ndata: {}\n\n", anthropic::error::body(refusal, request_id)),
        (Dialect::Gemini, _) => format!("data: {}\n\n", gemini::error::body(refusal, request_id)),
    };
    Bytes::from(event)
}

/// An error that a vendor reported, in an error answer, in the body of a 200, or as an event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VendorError {
    /// The vendor's word for its class: OpenAI's and Anthropic's `type`, Gemini's `status`. `None`: not given.
    pub kind: Option<String>,
    /// OpenAI's `code` (`context_length_exceeded`, say). `None`: not given.
    pub code: Option<String>,
    /// The vendor's text. It may name the account or the key: not for the eyes of other tenants.
    pub message: String,
    /// The HTTP status that it stands for. `None`: neither given nor known from its class.
    pub status: Option<u16>,
    /// What it is in detail: Google's `ErrorInfo.reason`, Azure's `innererror.code`, OpenRouter's `flagged_input`. `None`: not given.
    pub reason: Option<String>,
    /// The member of the request that is at fault, as OpenAI names it. `None`: not given.
    pub param: Option<String>,
    /// When to come back, as Google's `RetryInfo` says it within the error. `None`: not given, or no sensible time.
    pub retry_after: Option<Duration>,
}

/// An error body longer than this is not looked into, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

impl VendorError {
    /// Reads an error answer's body, whichever of the vendors' shapes it has. `None`: it is no JSON, or tells of no error.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let body = body.get(..MAX_ERROR_BYTES.min(body.len()))?;
        let mut value: Value = serde_json::from_slice(body).ok()?;
        // Gemini's streams that are no event streams are arrays, their errors too.
        if let Some(first) = value.as_array_mut().and_then(|items| items.first_mut()) {
            value = first.take();
        }
        match value.get("error") {
            None | Some(Value::Null) => Self::from_error(&value),
            // xAI has the text where others have the object, and the class beside it.
            Some(Value::String(message)) => Some(Self {
                code: text(&value, "code").map(str::to_owned),
                message: message.clone(),
                status: numeric_status(&value),
                ..Self::default()
            }),
            Some(error) => Self::from_error(error),
        }
    }

    /// Reads the value of an `error` member, or an event that is an error itself.
    pub(crate) fn from_member(raw: &[u8]) -> Option<Self> {
        Self::from_error(&serde_json::from_slice(raw).ok()?)
    }

    fn from_error(error: &Value) -> Option<Self> {
        if let Some(message) = error.as_str() {
            return Some(Self { message: message.to_owned(), ..Self::default() });
        }
        let message = text(error, "message").or_else(|| text(error, "detail"));
        let kind = text(error, "status").or_else(|| text(error, "type"));
        let code = text(error, "code");
        if message.is_none() && kind.is_none() && code.is_none() {
            return None;
        }
        Some(Self {
            status: numeric_status(error).or_else(|| [code, kind].into_iter().flatten().find_map(status_of)),
            kind: kind.map(str::to_owned),
            code: code.map(str::to_owned),
            message: message.unwrap_or_default().to_owned(),
            reason: reason(error).map(str::to_owned),
            param: text(error, "param").map(str::to_owned),
            retry_after: detail(error, "google.rpc.RetryInfo")
                .and_then(|info| duration(info.get("retryDelay")?.as_str()?)),
        })
    }
}

/// A member that is text, and not the empty one.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The HTTP status that an error names, as a number or, as Azure does, in digits.
fn numeric_status(error: &Value) -> Option<u16> {
    let status = |value: &Value| {
        let number = value.as_str().map_or_else(|| value.as_u64(), |digits| digits.parse().ok());
        number.and_then(|number| u16::try_from(number).ok()).filter(|status| (400..600).contains(status))
    };
    ["code", "status", "status_code"].into_iter().find_map(|name| status(error.get(name)?))
}

/// What an error is in detail, in the words of whichever vendor says it.
fn reason(error: &Value) -> Option<&str> {
    let google = detail(error, "google.rpc.ErrorInfo").and_then(|info| text(info, "reason"));
    let azure = || error.get("innererror").and_then(|inner| text(inner, "code"));
    let flagged = || error.get("metadata")?.get("flagged_input").map(|_| "flagged_input");
    google.or_else(azure).or_else(flagged)
}

/// The first of a google.rpc.Status's details that is of this type.
fn detail<'a>(error: &'a Value, kind: &str) -> Option<&'a Value> {
    let details = error.get("details")?.as_array()?;
    details.iter().find(|detail| text(detail, "@type").is_some_and(|name| name.ends_with(kind)))
}

/// The status of an error class that comes without one. OpenAI: error codes guide; Anthropic: errors page; Gemini: google.rpc.Code.
fn status_of(class: &str) -> Option<u16> {
    Some(match class {
        "invalid_request_error" | "context_length_exceeded" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" => 400,
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => 401,
        "billing_error" => 402,
        "permission_error" | "PERMISSION_DENIED" => 403,
        "not_found_error" | "model_not_found" | "NOT_FOUND" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "RESOURCE_EXHAUSTED" => 429,
        "api_error" | "server_error" | "internal_error" | "INTERNAL" => 500,
        "service_unavailable" | "UNAVAILABLE" => 503,
        "timeout_error" | "vector_store_timeout" | "DEADLINE_EXCEEDED" => 504,
        "overloaded_error" => 529,
        "empty_image_file" | "failed_to_download_image" | "unsupported_image_media_type" => 400,
        _ if class.starts_with("invalid_") || class.starts_with("image_") => 400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use policy::decision::Reason;
    use serde_json::json;

    use super::*;

    fn parsed(dialect: Dialect, refusal: &Refusal) -> Value {
        serde_json::from_slice(&body(dialect, refusal, "req-1")).unwrap()
    }

    #[test]
    fn a_refusal_speaks_openai() {
        let refusal = Refusal::new(Reason::InvalidRequest, "no \"model\"").about("model");
        let expected = json!({
            "error": {
                "message": "no \"model\"", "type": "invalid_request_error",
                "code": "invalid_request_error", "param": "model",
            },
            "type": "invalid_request_error",
            "status_code": 400,
        });
        assert_eq!(parsed(Dialect::OpenAi, &refusal), expected);
    }

    #[test]
    fn a_refusal_speaks_anthropic() {
        let refusal = Refusal::new(Reason::VirtualKeyNotFound, "unknown");
        let expected = json!({
            "type": "error",
            "error": {"type": "virtual_key_not_found", "message": "unknown"},
            "request_id": "req-1",
        });
        assert_eq!(parsed(Dialect::Anthropic, &refusal), expected);
    }

    #[test]
    fn a_refusal_speaks_gemini() {
        let refusal = Refusal::new(Reason::VirtualKeyBlocked, "blocked").retry_after(Duration::from_millis(1_500));
        let expected = json!({"error": {
            "code": 403, "message": "blocked", "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "virtual_key_blocked",
                    "domain": "tollgate", "metadata": {"request_id": "req-1"},
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"},
            ],
        }});
        assert_eq!(parsed(Dialect::Gemini, &refusal), expected);
    }

    #[test]
    fn every_reason_has_a_body_that_reads_back_in_every_dialect() {
        for reason in Reason::ALL {
            for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
                let error = VendorError::read(&body(dialect, &Refusal::new(*reason, "text"), "r")).unwrap();
                assert_eq!(error.message, "text", "{dialect} {reason:?}");
                if dialect == Dialect::Gemini {
                    assert_eq!(error.status, Some(reason.status()));
                }
            }
        }
    }

    #[test]
    fn an_event_is_framed_as_the_dialect_wants_it() {
        let refusal = Refusal::new(Reason::UpstreamUnreachable, "cut\noff");
        let text = |dialect, operation| String::from_utf8(event(dialect, operation, &refusal, "r").to_vec()).unwrap();
        let chat = text(Dialect::OpenAi, Operation::ChatCompletion);
        assert!(chat.starts_with("data: {\"error\":{") && chat.ends_with("}\n\n"), "{chat}");
        let responses = text(Dialect::OpenAi, Operation::Responses);
        let data = responses.strip_prefix("event: error\ndata: ").unwrap();
        let value: Value = serde_json::from_str(data).unwrap();
        assert_eq!((value["type"].as_str(), value["message"].as_str()), (Some("error"), Some("cut\noff")));
        assert_eq!(value["error"]["code"], "upstream_unreachable");
        assert!(text(Dialect::Anthropic, Operation::ChatCompletion).starts_with("event: error\ndata: {"));
        assert!(text(Dialect::Gemini, Operation::ChatCompletion).starts_with("data: {\"error\":{"));
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            assert_eq!(text(dialect, Operation::ChatCompletion).matches("\n\n").count(), 1);
        }
    }

    #[test]
    fn the_vendors_errors_become_one_form() {
        let cases = [
            (
                r#"{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
                (Some("invalid_request_error"), Some("context_length_exceeded"), "too long", Some(400)),
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
                (Some("overloaded_error"), None, "Overloaded", Some(529)),
            ),
            (
                r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#,
                (Some("UNAVAILABLE"), None, "busy", Some(503)),
            ),
            (r#"{"error":"nope"}"#, (None, None, "nope", None)),
            (
                r#"{"type":"error","code":"server_error","message":"m","param":null}"#,
                (Some("error"), Some("server_error"), "m", Some(500)),
            ),
            (r#"{"detail":"Not authenticated"}"#, (None, None, "Not authenticated", None)),
            (r#"{"error":{"code":"429","message":"slow"}}"#, (None, Some("429"), "slow", Some(429))),
            (r#"{"error":"nope","code":"no such thing"}"#, (None, Some("no such thing"), "nope", None)),
            (r#"{"message":"m","type":"t","code":"3051"}"#, (Some("t"), Some("3051"), "m", None)),
        ];
        for (body, (kind, code, message, status)) in cases {
            let expected = VendorError {
                kind: kind.map(str::to_owned),
                code: code.map(str::to_owned),
                message: message.to_owned(),
                status,
                param: body.contains("\"param\":\"messages\"").then(|| "messages".to_owned()),
                ..VendorError::default()
            };
            assert_eq!(VendorError::read(body.as_bytes()), Some(expected), "{body}");
        }
        for body in ["", "<html>", "{}", "[]", "null", r#"{"id":"x"}"#] {
            assert_eq!(VendorError::read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn an_errors_details_are_found() {
        let details = |body: &str| {
            let error = VendorError::read(body.as_bytes()).unwrap();
            (error.reason, error.retry_after)
        };
        let google = r#"{"error":{"code":429,"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.Help"},
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}"#;
        assert_eq!(details(google), (Some("RATE_LIMIT_EXCEEDED".to_owned()), Some(Duration::from_millis(1_500))));
        let azure = r#"{"error":{"message":"m","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
        assert_eq!(details(azure), (Some("ResponsibleAIPolicyViolation".to_owned()), None));
        let openrouter = r#"{"error":{"message":"m","metadata":{"flagged_input":"x"}}}"#;
        assert_eq!(details(openrouter), (Some("flagged_input".to_owned()), None));
        let broken = r#"{"error":{"message":"m","details":[{"@type":"google.rpc.RetryInfo","retryDelay":"-1s"},7]}}"#;
        assert_eq!(details(broken), (None, None));
    }
}
