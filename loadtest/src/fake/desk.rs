//! The books over HTTP: `GET /_fake/health`, `GET` and `DELETE /_fake/books`, `GET /_fake/totals`, `POST /_fake/ack/TOKEN`.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::body::PlayedBody;
use super::books::Books;
use super::conn::Link;
use super::route::percent_decoded;

/// Answers a control request; `rest` is the path after `/_fake/`.
pub(super) fn reply(method: &Method, rest: &str, books: &Books, link: &Link) -> Response<PlayedBody> {
    let (name, argument) = rest.split_once('/').unwrap_or((rest, ""));
    let answer = match (method.as_str(), name) {
        ("GET", "health") => Some(json!({"status": "ok"})),
        ("GET", "books") => Some(json!({"entries": books.entries(), "totals": books.totals()})),
        ("GET", "totals") => Some(json!(books.totals())),
        ("DELETE", "books") => {
            books.clear();
            Some(json!({"cleared": true}))
        }
        ("POST", "ack") if !argument.is_empty() => {
            books.ack(&percent_decoded(argument));
            Some(json!({"acknowledged": true}))
        }
        _ => None,
    };
    let status = if answer.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let answer = answer.unwrap_or_else(|| json!({"error": "no such control"}));
    respond(status, &answer, link)
}

fn respond(status: StatusCode, answer: &Value, link: &Link) -> Response<PlayedBody> {
    let bytes = Bytes::from(answer.to_string());
    let length = u64::try_from(bytes.len()).ok();
    let body = PlayedBody::new(link, length, |outlet| async move { outlet.send_last(bytes) });
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
