//! A vendor's error as another dialect words it, so that the client's SDK raises what it would raise for its own vendor.

use bytes::Bytes;
use policy::request::{Dialect, Operation};
use serde_json::{Value, json};

use super::VendorError;
use crate::verdict::words::Class;
use crate::{gemini, verdict};

/// The body of an error answer with this status, in the client's dialect.
#[must_use]
pub fn vendor_body(dialect: Dialect, error: &VendorError, status: u16, request_id: &str) -> Vec<u8> {
    value(dialect, error, status, request_id).to_string().into_bytes()
}

/// The error as the last event of a stream, in the client's dialect.
#[must_use]
pub fn vendor_event(dialect: Dialect, operation: Operation, error: &VendorError, request_id: &str) -> Bytes {
    let value = value(dialect, error, error.status.unwrap_or(500), request_id);
    Bytes::from(match (dialect, operation) {
        (Dialect::OpenAi, Operation::Responses) => format!("event: error\ndata: {}\n\n", responses_event(value)),
        (Dialect::Anthropic, _) => format!("event: error\ndata: {value}\n\n"),
        (Dialect::OpenAi | Dialect::Gemini, _) => format!("data: {value}\n\n"),
    })
}

fn value(dialect: Dialect, error: &VendorError, status: u16, request_id: &str) -> Value {
    let message = if error.message.is_empty() { "the provider gave no reason" } else { &error.message };
    match dialect {
        Dialect::OpenAi => json!({"error": {
            "message": message,
            "type": openai_type(error, status),
            "param": error.param,
            "code": openai_code(error, status),
        }}),
        Dialect::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(error, status), "message": message},
            "request_id": request_id,
        }),
        Dialect::Gemini => json!({"error": {
            "code": status,
            "message": message,
            "status": error.kind.as_deref().filter(|kind| is_google(kind)).unwrap_or(gemini::error::status_name(status)),
        }}),
    }
}

/// How many events came before is not known here, so the sequence number is 0.
fn responses_event(mut body: Value) -> Value {
    let error = body.get_mut("error").map(Value::take).unwrap_or_default();
    let of = |name: &str| error.get(name).cloned().unwrap_or_default();
    json!({
        "type": "error",
        "code": of("code"),
        "message": of("message"),
        "param": of("param"),
        "sequence_number": 0,
        "error": error,
    })
}

/// The vendor's own word where it is one of OpenAI's kind, else the one that stands for the status.
fn openai_type(error: &VendorError, status: u16) -> &str {
    let own = error.kind.as_deref().filter(|kind| *kind != "error" && !is_google(kind));
    own.unwrap_or(match status {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => class_of(status),
    })
}

/// The codes that clients look at: a conversation that is too long is shortened, a limit is waited for.
fn openai_code(error: &VendorError, status: u16) -> Option<&str> {
    let is_word = |code: &&str| !code.is_empty() && code.bytes().any(|byte| byte.is_ascii_alphabetic());
    if verdict::speaks_of(Class::TooLong, error) {
        return Some("context_length_exceeded");
    }
    if let Some(code) = error.code.as_deref().filter(is_word) {
        return Some(code);
    }
    match status {
        _ if verdict::speaks_of(Class::NoModel, error) => Some("model_not_found"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    }
}

/// Anthropic's classes (`anthropic/types/shared` of its SDK 2.11).
const ANTHROPIC: [&str; 9] = [
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
];

fn anthropic_type(error: &VendorError, status: u16) -> &str {
    let own = error.kind.as_deref().filter(|kind| ANTHROPIC.contains(kind));
    own.unwrap_or_else(|| class_of(status))
}

/// Anthropic's class for a status (<https://platform.claude.com/docs/en/api/errors>, 2026-11).
const fn class_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Whether it is a google.rpc code.
fn is_google(kind: &str) -> bool {
    kind.contains('_') && kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        || matches!(kind, "INTERNAL" | "UNAVAILABLE" | "UNAUTHENTICATED" | "UNIMPLEMENTED" | "ABORTED" | "CANCELLED")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dialect: Dialect, vendors: &str, status: u16) -> Value {
        let error = VendorError::read(vendors.as_bytes()).unwrap();
        serde_json::from_slice(&vendor_body(dialect, &error, status, "req-1")).unwrap()
    }

    const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    const QUOTA: &str = r#"{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    const TOO_LONG: &str =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}}"#;
    const PARAM: &str =
        r#"{"error":{"message":"No","type":"invalid_request_error","param":"messages","code":"invalid_value"}}"#;

    #[test]
    fn an_error_speaks_openai() {
        let cases = [
            (OVERLOADED, 529, "overloaded_error", None, "Overloaded"),
            (QUOTA, 429, "rate_limit_error", Some("rate_limit_exceeded"), "Slow down"),
            (TOO_LONG, 400, "invalid_request_error", Some("context_length_exceeded"), "prompt is too long: 9 tokens"),
            (PARAM, 400, "invalid_request_error", Some("invalid_value"), "No"),
            (r#"{"error":{"code":500,"message":"x","status":"INTERNAL"}}"#, 500, "server_error", None, "x"),
        ];
        for (vendors, status, kind, code, message) in cases {
            let error = &told(Dialect::OpenAi, vendors, status)["error"];
            assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some(kind), code), "{vendors}");
            assert_eq!(error["message"], message);
        }
        assert_eq!(told(Dialect::OpenAi, PARAM, 400)["error"]["param"], "messages");
    }

    #[test]
    fn an_error_speaks_anthropic() {
        let cases = [
            (QUOTA, 429, "rate_limit_error"),
            (OVERLOADED, 529, "overloaded_error"),
            (PARAM, 400, "invalid_request_error"),
            (r#"{"error":{"message":"m","type":"server_error"}}"#, 500, "api_error"),
            (r#"{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}"#, 429, "rate_limit_error"),
        ];
        for (vendors, status, kind) in cases {
            let told = told(Dialect::Anthropic, vendors, status);
            assert_eq!(
                (told["type"].as_str(), told["error"]["type"].as_str()),
                (Some("error"), Some(kind)),
                "{vendors}"
            );
            assert_eq!(told["request_id"], "req-1");
        }
    }

    #[test]
    fn an_error_speaks_gemini() {
        let cases = [
            (OVERLOADED, 529, "INTERNAL"),
            (PARAM, 400, "INVALID_ARGUMENT"),
            (r#"{"error":{"message":"m","type":"requests"}}"#, 429, "RESOURCE_EXHAUSTED"),
            (r#"{"error":{"message":"m","code":400,"status":"FAILED_PRECONDITION"}}"#, 400, "FAILED_PRECONDITION"),
        ];
        for (vendors, status, kind) in cases {
            let error = &told(Dialect::Gemini, vendors, status)["error"];
            assert_eq!(
                (error["code"].as_u64(), error["status"].as_str()),
                (Some(status.into()), Some(kind)),
                "{vendors}"
            );
        }
    }

    #[test]
    fn every_told_error_reads_back_with_its_message() {
        for vendors in [OVERLOADED, QUOTA, TOO_LONG, PARAM] {
            let error = VendorError::read(vendors.as_bytes()).unwrap();
            for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
                let body = vendor_body(dialect, &error, 429, "r");
                assert_eq!(VendorError::read(&body).unwrap().message, error.message, "{dialect} {vendors}");
            }
        }
    }

    #[test]
    fn an_event_is_framed_as_the_dialect_wants_it() {
        let error = VendorError::read(OVERLOADED.as_bytes()).unwrap();
        let text =
            |dialect, operation| String::from_utf8(vendor_event(dialect, operation, &error, "r").to_vec()).unwrap();
        assert!(text(Dialect::OpenAi, Operation::ChatCompletion).starts_with("data: {\"error\":{"));
        assert!(text(Dialect::Anthropic, Operation::ChatCompletion).starts_with("event: error\ndata: {"));
        assert!(text(Dialect::Gemini, Operation::ChatCompletion).starts_with("data: {\"error\":{"));
        let responses = text(Dialect::OpenAi, Operation::Responses);
        let data: Value = serde_json::from_str(responses.strip_prefix("event: error\ndata: ").unwrap()).unwrap();
        assert_eq!((&data["type"], &data["message"]), (&json!("error"), &json!("Overloaded")));
        assert_eq!(data["error"]["type"], "overloaded_error");
    }
}
