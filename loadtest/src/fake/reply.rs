//! From an understood request to a response: picks the answer or the error, sets the headers, and starts the play.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::body::PlayedBody;
use super::books::{Books, Pen};
use super::conn::Link;
use super::controls::Controls;
use super::entry::Credential;
use super::play::Stage;
use super::route::{Dialect, Operation, Route};
use super::script::{Ask, text_tokens};
use super::wire::{Answer, Event, Payload, put};
use super::{anthropic, catalog, embed, gemini, openai, responses};

/// A request as understood.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) route: Option<Route>,
    pub(super) body: Option<Value>,
    /// As received; empty if none was named.
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) controls: Controls,
    pub(super) text_tokens: u64,
    alt_sse: bool,
    presented: Vec<Credential>,
    seq: u64,
    /// What is wrong with the request, if anything.
    problem: Option<(u16, String)>,
}

impl Asked {
    pub(super) fn new(
        route: Option<Route>,
        body: Option<Value>,
        alt_sse: bool,
        presented: Vec<Credential>,
        seq: u64,
        defaults: &Controls,
    ) -> Self {
        let in_path = route.as_ref().and_then(|route| route.model.clone());
        let in_body = body.as_ref().and_then(|body| body["model"].as_str()).map(str::to_owned);
        let model = in_path.or(in_body).unwrap_or_default();
        let stream = route.as_ref().is_some_and(|route| route.stream)
            || body.as_ref().is_some_and(|body| body["stream"] == true);
        let (controls, bad_control) = match defaults.clone().with(&model) {
            Ok(controls) => (controls, None),
            Err(problem) => (Controls::default(), Some((400, problem))),
        };
        let text_tokens = body.as_ref().map_or(0, text_tokens);
        let mut asked =
            Self { route, body, model, stream, controls, text_tokens, alt_sse, presented, seq, problem: None };
        asked.problem = asked.problem_with_shape().or(bad_control);
        asked
    }

    fn dialect(&self) -> Dialect {
        self.route.as_ref().map_or(Dialect::OpenAi, |route| route.dialect)
    }

    fn operation(&self) -> Option<Operation> {
        self.route.as_ref().map(|route| route.operation)
    }

    fn problem_with_shape(&self) -> Option<(u16, String)> {
        let Some(operation) = self.operation() else {
            return Some((404, "no such path".to_owned()));
        };
        if operation == Operation::Models {
            return None;
        }
        if !self.body.as_ref().is_some_and(Value::is_object) {
            return Some((400, "the body is not a JSON object".to_owned()));
        }
        self.model.is_empty().then(|| (400, "no model is named".to_owned()))
    }

    /// The error that this request gets by its own fault or by its controls.
    fn failure(&self, books: &Books) -> Option<(u16, String)> {
        if let Some(problem) = &self.problem {
            return Some(problem.clone());
        }
        let (status, count) = (self.controls.status, self.controls.fail_first);
        let (status, is_due) = match &self.controls.bad_key {
            Some(prefix) => (status.or(Some(401)), self.presents(prefix)),
            None if count > 0 => (status.or(Some(503)), true),
            None => (status, true),
        };
        let is_due = is_due && (count == 0 || books.is_failure_due(&self.model, count));
        status.filter(|_| is_due).map(|status| (status, format!("failed with {status} on demand")))
    }

    fn presents(&self, prefix: &str) -> bool {
        self.presented.iter().any(|credential| credential.value.starts_with(prefix))
    }

    fn answer(&self) -> Answer {
        let ask = Ask {
            model: &self.model,
            controls: &self.controls,
            body: self.body.as_ref().unwrap_or(&Value::Null),
            stream: self.stream,
            alt_sse: self.alt_sse,
            seq: self.seq,
            text_tokens: self.text_tokens,
        };
        match (self.dialect(), self.operation()) {
            (dialect, None | Some(Operation::Models)) => catalog::models(dialect),
            (Dialect::Gemini, Some(Operation::CountTokens)) => gemini::count_tokens(&ask),
            (Dialect::Gemini, Some(Operation::Embeddings)) => embed::gemini(&ask),
            (Dialect::Gemini, Some(Operation::BatchEmbeddings)) => embed::gemini_batch(&ask),
            (Dialect::Gemini, Some(_)) => gemini::generate(&ask),
            (Dialect::Anthropic, Some(Operation::CountTokens)) => anthropic::count_tokens(&ask),
            (Dialect::Anthropic, Some(_)) => anthropic::message(&ask),
            (Dialect::OpenAi, Some(Operation::Completion)) => openai::completion(&ask),
            (Dialect::OpenAi, Some(Operation::Responses)) => responses::answer(&ask),
            (Dialect::OpenAi, Some(Operation::Embeddings)) => embed::openai(&ask),
            (Dialect::OpenAi, Some(_)) => openai::chat(&ask),
        }
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let mut error = match self.dialect() {
            Dialect::OpenAi => openai::error(status, message),
            Dialect::Anthropic => anthropic::error(status, message, self.seq),
            Dialect::Gemini => gemini::error(status, message, self.controls.retry_after.as_deref()),
        };
        if let Some(code) = &self.controls.code {
            let field = match self.dialect() {
                Dialect::OpenAi => "code",
                Dialect::Anthropic => "type",
                Dialect::Gemini => "status",
            };
            if let Some(inner) = error.get_mut("error") {
                put(inner, field, json!(code));
            }
        }
        error
    }

    /// What `error_after` puts into a stream.
    fn error_event(&self) -> Event {
        const MESSAGE: &str = "broken off on demand";
        match (self.dialect(), self.operation()) {
            (_, Some(Operation::Responses)) => responses::error_event(MESSAGE),
            (Dialect::Anthropic, _) => Event::named("error", &self.error(529, MESSAGE)),
            (Dialect::Gemini, _) => Event::data(&self.error(503, MESSAGE)),
            (Dialect::OpenAi, _) => Event::data(&self.error(500, MESSAGE)),
        }
    }
}

const PAGE: &[u8] = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n";

/// The response to `asked`, its body already waiting to be played.
pub(super) fn reply(asked: Asked, pen: Pen, books: &Books, link: Arc<Link>) -> Response<PlayedBody> {
    let (status, answer) = match asked.failure(books) {
        Some((status, _)) if asked.controls.html => (status, Answer::page()),
        Some((status, message)) => (status, Answer::whole(asked.error(status, &message), 0, None)),
        None if asked.controls.error_200 => (200, Answer::whole(asked.error(500, "failed on demand"), 0, None)),
        None => (200, asked.answer()),
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
    let mut response = Response::new(body(asked, answer.payload, pen, books, link));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn body(asked: Asked, payload: Payload, pen: Pen, books: &Books, link: Arc<Link>) -> PlayedBody {
    let error = asked.error_event();
    let controls = asked.controls;
    let lockstep = controls.lockstep.as_deref().map(|token| books.lockstep(token));
    let stage = Stage { controls, pen, lockstep, link: Arc::clone(&link) };
    match payload {
        Payload::Page => {
            let page = Bytes::from_static(PAGE);
            PlayedBody::new(&link, None, |outlet| stage.whole(outlet, page, 0, false))
        }
        Payload::Whole { json, tokens } => {
            let bytes = Bytes::from(json.to_string());
            let is_chunked = stage.controls.no_content_length || stage.controls.cut_after.is_some();
            let length = u64::try_from(bytes.len()).ok().filter(|_| !is_chunked);
            PlayedBody::new(&link, length, |outlet| stage.whole(outlet, bytes, tokens, length.is_some()))
        }
        Payload::Events { events, framing } => {
            PlayedBody::new(&link, None, |outlet| stage.events(outlet, events, framing, error))
        }
    }
}

/// The headers that clients look at, named as each vendor names them.
fn headers(asked: &Asked, status: StatusCode, content_type: &str) -> HeaderMap {
    let controls = &asked.controls;
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_TYPE, controls.content_type.as_deref().unwrap_or(content_type));
    let request_id = anthropic::request_id(asked.seq);
    match asked.dialect() {
        Dialect::OpenAi => {
            set(HeaderName::from_static("x-request-id"), &request_id);
            set(HeaderName::from_static("openai-version"), "2020-10-01");
            set(HeaderName::from_static("openai-processing-ms"), "1");
            set(HeaderName::from_static("x-ratelimit-limit-requests"), "10000");
            set(HeaderName::from_static("x-ratelimit-remaining-requests"), "9999");
        }
        Dialect::Anthropic => {
            set(HeaderName::from_static("request-id"), &request_id);
            set(HeaderName::from_static("anthropic-ratelimit-requests-limit"), "4000");
            set(HeaderName::from_static("anthropic-ratelimit-requests-remaining"), "3999");
        }
        Dialect::Gemini => set(HeaderName::from_static("x-gemini-service-tier"), "standard"),
    }
    if let Some(seconds) = controls.retry_after.as_deref().filter(|_| !status.is_success()) {
        set(RETRY_AFTER, seconds);
    }
    if controls.close {
        set(CONNECTION, "close");
    }
    if let Some(bytes) = controls.huge_header {
        set(HeaderName::from_static("x-huge"), &"h".repeat(bytes));
    }
    headers
}
