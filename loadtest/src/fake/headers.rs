//! The headers of an answer that clients look at, named as each vendor names them.

use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::anthropic;
use super::asked::Asked;
use super::clock::unix_ms;
use super::controls::Controls;
use super::route::Dialect;

const OPENAI_LIMIT: u64 = 10_000;
const ANTHROPIC_LIMIT: u64 = 4_000;

/// The headers of an answer of this status and type.
pub(super) fn headers(asked: &Asked, status: StatusCode, content_type: &str) -> HeaderMap {
    let controls = &asked.controls;
    let mut headers = of_vendor(asked);
    set(&mut headers, CONTENT_TYPE, controls.content_type.as_deref().unwrap_or(content_type));
    if !status.is_success() {
        retry_after(&mut headers, controls);
    } else if controls.faults.gzip_bomb_mib > 0 {
        set(&mut headers, CONTENT_ENCODING, "gzip");
    }
    if controls.close {
        set(&mut headers, CONNECTION, "close");
    }
    if let Some(bytes) = controls.huge_header {
        set(&mut headers, HeaderName::from_static("x-huge"), &"h".repeat(bytes));
    }
    headers
}

fn of_vendor(asked: &Asked) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let request_id = anthropic::request_id(asked.seq);
    // One request is used up where nothing else is asked for.
    let left = |limit: u64| match asked.controls.headroom {
        Some(thousandths) => (limit * thousandths / 1_000).to_string(),
        None => (limit - 1).to_string(),
    };
    match asked.dialect() {
        Dialect::OpenAi => {
            set(&mut headers, HeaderName::from_static("x-request-id"), &request_id);
            set(&mut headers, HeaderName::from_static("openai-version"), "2020-10-01");
            set(&mut headers, HeaderName::from_static("openai-processing-ms"), "1");
            set(&mut headers, HeaderName::from_static("x-ratelimit-limit-requests"), &OPENAI_LIMIT.to_string());
            set(&mut headers, HeaderName::from_static("x-ratelimit-remaining-requests"), &left(OPENAI_LIMIT));
        }
        Dialect::Anthropic => {
            set(&mut headers, HeaderName::from_static("request-id"), &request_id);
            let limit = ANTHROPIC_LIMIT.to_string();
            set(&mut headers, HeaderName::from_static("anthropic-ratelimit-requests-limit"), &limit);
            set(
                &mut headers,
                HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
                &left(ANTHROPIC_LIMIT),
            );
        }
        Dialect::Gemini => set(&mut headers, HeaderName::from_static("x-gemini-service-tier"), "standard"),
    }
    headers
}

fn retry_after(headers: &mut HeaderMap, controls: &Controls) {
    if let Some(text) = &controls.retry_after {
        set(headers, RETRY_AFTER, text);
    }
    if let Some(ms) = controls.retry_after_ms {
        set(headers, HeaderName::from_static("retry-after-ms"), &ms.to_string());
    }
    if let Some(seconds) = controls.retry_after_date {
        // Dates have whole seconds; the next one is never too early.
        let second = unix_ms().div_ceil(1_000).saturating_add(seconds);
        let date = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
        let text = date.and_then(|date| DateTimePrinter::new().timestamp_to_rfc9110_string(&date).ok());
        set(headers, RETRY_AFTER, text.as_deref().unwrap_or_default());
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
