//! The server: reads each request into the books, and hands it on to be answered.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response, Uri, Version};
use parking_lot::RwLock;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::asked::Asked;
use super::body::PlayedBody;
use super::books::Books;
use super::conn::{Leave, Link};
use super::controls::Controls;
use super::desk;
use super::entry::{Credential, Entry};
use super::pen::Pen;
use super::play::pause;
use super::reply::reply;
use super::route::{Route, percent_decoded};

const MAX_BODY_BYTES: usize = 256 << 20;
const MAX_KEPT_JSON_BYTES: usize = 1 << 20;

/// What every connection shares.
#[derive(Debug)]
pub(super) struct House {
    pub(super) books: Books,
    /// What a model without controls of its own gets.
    pub(super) defaults: RwLock<Controls>,
}

/// Reads a request and answers it.
pub(super) async fn handle(request: Request<Incoming>, house: &House, link: Arc<Link>) -> Response<PlayedBody> {
    let books = &house.books;
    let (head, body) = request.into_parts();
    if let Some(rest) = head.uri.path().strip_prefix("/_fake/") {
        return desk::reply(&head.method, rest, books, &link);
    }
    let entry = if books.keeps_entries() { first_note(&head, link.id) } else { Entry::default() };
    let pen = books.open(entry, Arc::clone(&link));
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        // The caller broke the upload off, or sent more than any vendor takes; dropping the pen notes that it has gone, before
        // the provider leaves as well.
        drop(pen);
        link.leave(Leave::Reset);
        return pending().await;
    };
    pen.read_body();
    let body = body.to_bytes();
    let mut asked = understand(&head, &body, &pen, house);
    if books.keeps_entries() {
        note_body(&pen, &body, &asked);
    }
    asked.draw_lots(books);
    pause(asked.controls.header_delay).await;
    if let Some(pen) = refuse_to_answer(&asked.controls, pen, &link).await {
        return reply(asked, pen, books, link, head.version == Version::HTTP_2);
    }
    pending().await
}

/// The faults that leave a request without any answer; gives the pen back if there is none.
async fn refuse_to_answer(controls: &Controls, mut pen: Pen, link: &Link) -> Option<Pen> {
    if controls.faults.no_answer {
        // The pen is kept: the caller's patience is what gets noted.
        return pending().await;
    }
    let leave = match controls {
        Controls { reset_before_header: true, .. } => Leave::Reset,
        controls if controls.faults.hang_up_before_header => Leave::HangUp,
        _ => return Some(pen),
    };
    pen.over(false);
    link.leave(leave);
    None
}

fn first_note(head: &hyper::http::request::Parts, connection: u64) -> Entry {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Entry {
        connection,
        version: format!("{:?}", head.version),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        credentials: credentials(&head.headers, &head.uri),
        ..Entry::default()
    }
}

fn understand(head: &hyper::http::request::Parts, body: &Bytes, pen: &Pen, house: &House) -> Asked {
    let route = Route::of(&head.method, head.uri.path(), &head.headers);
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let alt_sse = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let presented = credentials(&head.headers, &head.uri);
    let asked = Asked::new(route, body, alt_sse, presented, pen.seq(), &house.defaults.read());
    pen.asked(&asked.model, asked.text_tokens);
    asked
}

fn note_body(pen: &Pen, body: &Bytes, asked: &Asked) {
    let digest = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    pen.note(|entry| {
        entry.body_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        entry.body_sha256 = digest;
        entry.body = asked.body.clone().filter(|_| body.len() <= MAX_KEPT_JSON_BYTES);
        entry.model = Some(asked.model.clone()).filter(|model| !model.is_empty());
        entry.stream = asked.stream;
        entry.prefill = asked.prefill.clone();
        entry.dialect = asked.route.as_ref().map(|route| route.dialect);
        entry.operation = asked.route.as_ref().map(|route| route.operation);
        entry.input_tokens = asked.text_tokens;
    });
}

/// Every place in which a vendor looks for a credential.
fn credentials(headers: &HeaderMap, uri: &Uri) -> Vec<Credential> {
    let mut found = Vec::new();
    for header in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        for value in headers.get_all(header) {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = value.strip_prefix("Bearer ").unwrap_or(&value).to_owned();
            found.push(Credential { header: header.to_owned(), value });
        }
    }
    let query = uri.query().unwrap_or_default();
    for key in query.split('&').filter_map(|pair| pair.strip_prefix("key=")) {
        found.push(Credential { header: "?key".to_owned(), value: percent_decoded(key) });
    }
    found
}
