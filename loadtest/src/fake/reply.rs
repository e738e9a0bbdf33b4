//! From an understood request to a response: the answer or the error, its headers, and the play that sends it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::{Response, StatusCode};

use super::asked::Asked;
use super::body::PlayedBody;
use super::bomb;
use super::books::Books;
use super::conn::Link;
use super::headers::headers;
use super::pen::Pen;
use super::play::{Announced, Stage};
use super::wire::{Answer, Event, Framing, Payload, SseStyle};

const PAGE: &[u8] = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n";

/// The response to `asked`, its body already waiting to be played.
pub(super) fn reply(asked: Asked, pen: Pen, books: &Books, link: Arc<Link>, is_http2: bool) -> Response<PlayedBody> {
    let (status, answer) = match asked.failure() {
        Some((status, _)) if asked.controls.html => (status, Answer::page()),
        Some((status, error)) => (status, Answer::whole(error, 0, None)),
        None => (200, asked.error_in_200().map_or_else(|| asked.answer(), |error| Answer::whole(error, 0, None))),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(usage) = answer.usage {
        pen.note(|entry| entry.usage = Some(usage));
    }
    pen.header_sent(status.as_u16());
    let content_type = match &answer.payload {
        Payload::Whole { .. } => "application/json",
        Payload::Page => "text/html; charset=UTF-8",
        Payload::Events { framing, .. } => framing.content_type(),
    };
    let headers = headers(&asked, status, content_type);
    let error = asked.error_event();
    let controls = asked.controls;
    let lockstep = controls.lockstep.as_deref().map(|token| books.lockstep(token));
    let stage = Stage { controls, pen, lockstep, link: Arc::clone(&link), is_http2 };
    let body = if stage.controls.faults.gzip_bomb_mib > 0 && status.is_success() {
        packed_body(stage, answer.payload, &link)
    } else {
        body(stage, answer.payload, error, &link)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn body(stage: Stage, payload: Payload, error: Event, link: &Link) -> PlayedBody {
    match payload {
        Payload::Page => {
            let page = Bytes::from_static(PAGE);
            PlayedBody::new(link, None, |outlet| stage.whole(outlet, page, 0, Announced::Nothing))
        }
        Payload::Whole { json, tokens } => {
            let bytes = Bytes::from(json.to_string());
            let is_chunked = stage.controls.no_content_length || stage.controls.cut_after.is_some();
            let announced = if is_chunked { Announced::Nothing } else { stage.announced(bytes.len()) };
            PlayedBody::new(link, announced.bytes(), |outlet| stage.whole(outlet, bytes, tokens, announced))
        }
        Payload::Events { events, framing } => {
            PlayedBody::new(link, None, |outlet| stage.events(outlet, events, framing, error))
        }
    }
}

/// The whole answer in one packed piece, streams too.
fn packed_body(stage: Stage, payload: Payload, link: &Link) -> PlayedBody {
    let (answer, tokens) = match payload {
        Payload::Page => (Bytes::from_static(PAGE), 0),
        Payload::Whole { json, tokens } => (Bytes::from(json.to_string()), tokens),
        Payload::Events { events, framing } => joined(&events, framing),
    };
    let bytes = bomb::packed(stage.controls.faults.gzip_bomb_mib, &answer);
    let announced = Announced::Exactly(bytes.len());
    PlayedBody::new(link, announced.bytes(), |outlet| stage.whole(outlet, bytes, tokens, announced))
}

fn joined(events: &[Event], framing: Framing) -> (Bytes, u64) {
    let mut bytes = BytesMut::new();
    for (n, event) in events.iter().enumerate() {
        bytes.extend(framing.frame(event, n, SseStyle::default()));
    }
    bytes.extend(framing.closing());
    (bytes.freeze(), events.iter().map(|event| event.tokens).sum())
}
