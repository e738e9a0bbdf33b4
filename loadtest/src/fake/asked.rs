//! A request as understood, and what it gets: the answer of its dialect, or the error that the controls or its own fault ask for.

use serde_json::{Value, json};

use super::books::Books;
use super::complaint::{About, Complaint, put_inside};
use super::controls::Controls;
use super::entry::Credential;
use super::route::{Dialect, Operation, Route};
use super::script::{Ask, text_tokens};
use super::wire::{Answer, Event};
use super::{anthropic, catalog, embed, gemini, openai, prefill, responses, strict};

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
    /// The text of the last message, if that is the assistant's.
    pub(super) prefill: Option<String>,
    pub(super) seq: u64,
    alt_sse: bool,
    presented: Vec<Credential>,
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
        let prefill = route
            .as_ref()
            .zip(body.as_ref())
            .and_then(|(route, body)| prefill::of(route.dialect, route.operation, body));
        let mut asked =
            Self { route, body, model, stream, controls, text_tokens, prefill, seq, alt_sse, presented, problem: None };
        asked.problem = asked.problem_with_shape().or(bad_control);
        asked
    }

    pub(super) fn dialect(&self) -> Dialect {
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
        if self.model.is_empty() {
            return Some((400, "no model is named".to_owned()));
        }
        // Anthropic's own rule and words.
        let is_ragged = self.prefill.as_ref().is_some_and(|text| text.ends_with(char::is_whitespace));
        (is_ragged && self.dialect() == Dialect::Anthropic)
            .then(|| (400, "messages: final assistant content cannot end with trailing whitespace".to_owned()))
            .or_else(|| self.problem_by_schema(operation))
    }

    fn problem_by_schema(&self, operation: Operation) -> Option<(u16, String)> {
        let body = self.body.as_ref().filter(|_| self.controls.strict)?;
        strict::problem(self.dialect(), operation, body).map(|problem| (400, problem))
    }

    /// Settles whether this request gets the faults of its controls, if only some requests do. To be called once.
    pub(super) fn draw_lots(&mut self, books: &Books) {
        let whom = self.controls.whom;
        if self.problem.is_some() || (!whom.is_some() && self.controls.bad_key.is_none()) {
            return;
        }
        let is_suspect = self.controls.bad_key.as_ref().is_none_or(|prefix| self.presents(prefix));
        if !is_suspect || (whom.is_some() && !whom.names(books.count_failable(&self.model))) {
            return self.controls.spare();
        }
        if !self.controls.has_fault() {
            self.controls.status = Some(if self.controls.bad_key.is_some() { 401 } else { 503 });
        }
    }

    fn presents(&self, prefix: &str) -> bool {
        self.presented.iter().any(|credential| credential.value.starts_with(prefix))
    }

    /// The error that this request gets instead of an answer.
    pub(super) fn failure(&self) -> Option<(u16, Value)> {
        if let Some((status, message)) = &self.problem {
            return Some((*status, self.error(*status, message)));
        }
        let controls = &self.controls;
        let is_elsewhere = controls.error_200 || (self.stream && controls.error_after.is_some());
        let complaint = controls.faults.error.filter(|_| !is_elsewhere || controls.status.is_some());
        let complaint = complaint.or((controls.no_prefill && self.prefill.is_some()).then_some(Complaint::NoPrefill));
        if let Some(complaint) = complaint {
            let (status, body) = self.complain(complaint);
            // What comes with a 200 is an answer.
            return (status != 200).then(|| (controls.status.unwrap_or(status), body));
        }
        controls.status.map(|status| (status, self.error(status, &format!("failed with {status} on demand"))))
    }

    /// The error in a 200, if there is to be one.
    pub(super) fn error_in_200(&self) -> Option<Value> {
        self.controls.error_200.then(|| match self.controls.faults.error {
            Some(complaint) => self.complain(complaint).1,
            None => self.error(500, "failed on demand"),
        })
    }

    pub(super) fn answer(&self) -> Answer {
        let ask = Ask {
            model: &self.model,
            controls: &self.controls,
            body: self.body.as_ref().unwrap_or(&Value::Null),
            stream: self.stream,
            alt_sse: self.alt_sse,
            seq: self.seq,
            text_tokens: self.text_tokens,
            prefill: self.prefill.as_deref(),
        };
        match (self.dialect(), self.operation()) {
            (dialect, None | Some(Operation::Models)) => catalog::models(dialect),
            (Dialect::Gemini, Some(Operation::CountTokens)) => gemini::count_tokens(&ask),
            (Dialect::Gemini, Some(Operation::Embeddings)) => embed::gemini(&ask),
            (Dialect::Gemini, Some(Operation::BatchEmbeddings)) => embed::gemini_batch(&ask),
            (Dialect::Gemini, Some(_)) if self.is_blocked() => self.blocked(&ask),
            (Dialect::Gemini, Some(_)) => gemini::generate(&ask),
            (Dialect::Anthropic, Some(Operation::CountTokens)) => anthropic::count_tokens(&ask),
            (Dialect::Anthropic, Some(_)) => anthropic::message(&ask),
            (Dialect::OpenAi, Some(Operation::Completion)) => openai::completion(&ask),
            (Dialect::OpenAi, Some(Operation::Responses)) => responses::answer(&ask),
            (Dialect::OpenAi, Some(Operation::CountTokens)) => responses::count_tokens(&ask),
            (Dialect::OpenAi, Some(Operation::Embeddings)) => embed::openai(&ask),
            (Dialect::OpenAi, Some(_)) => openai::chat(&ask),
        }
    }

    fn is_blocked(&self) -> bool {
        self.controls.faults.error == Some(Complaint::PromptBlocked)
    }

    fn blocked(&self, ask: &Ask<'_>) -> Answer {
        let (_, body) = self.complain(Complaint::PromptBlocked);
        let usage = body.get("usageMetadata").cloned();
        if self.stream {
            return Answer::stream(vec![Event::data(&body)], gemini::framing(ask), usage);
        }
        Answer::whole(body, 0, usage)
    }

    /// What `error_after` puts into a stream.
    pub(super) fn error_event(&self) -> Event {
        const MESSAGE: &str = "broken off on demand";
        let complaint = self.controls.faults.error.map(|complaint| self.complain(complaint).1);
        match (self.dialect(), self.operation()) {
            (_, Some(Operation::Responses)) => match complaint {
                Some(body) => {
                    let field =
                        |name: &str| body.get("error").and_then(|inner| inner.get(name)).unwrap_or(&Value::Null);
                    responses::error_event(field("code"), field("message"))
                }
                None => responses::error_event(&json!("server_error"), &json!(MESSAGE)),
            },
            (Dialect::Anthropic, _) => Event::named("error", &complaint.unwrap_or_else(|| self.error(529, MESSAGE))),
            (Dialect::Gemini, _) => Event::data(&complaint.unwrap_or_else(|| self.error(503, MESSAGE))),
            (Dialect::OpenAi, _) => Event::data(&complaint.unwrap_or_else(|| self.error(500, MESSAGE))),
        }
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let error = match self.dialect() {
            Dialect::OpenAi => openai::error(status, message),
            Dialect::Anthropic => anthropic::error(status, message, self.seq),
            Dialect::Gemini => gemini::error(status, message),
        };
        self.adjusted(error)
    }

    fn complain(&self, complaint: Complaint) -> (u16, Value) {
        let credential = self.presented.first().map_or("", |credential| credential.value.as_str());
        let about = About {
            dialect: self.dialect(),
            operation: self.operation(),
            model: &self.model,
            credential,
            seq: self.seq,
        };
        let (status, body) = complaint.put(&about);
        (status, self.adjusted(body))
    }

    /// An error with the code that is asked for, and with Gemini's word on when to come back.
    fn adjusted(&self, mut error: Value) -> Value {
        let controls = &self.controls;
        if let Some(code) = &controls.code {
            let field = match self.dialect() {
                Dialect::OpenAi => "code",
                Dialect::Anthropic => "type",
                Dialect::Gemini => "status",
            };
            put_inside(&mut error, field, json!(code));
        }
        let in_seconds = controls.retry_after.as_ref().map(|seconds| format!("{seconds}s"));
        let in_ms = || controls.retry_after_ms.map(|ms| format!("{}.{:03}s", ms / 1_000, ms % 1_000));
        if let Some(delay) = in_seconds.or_else(in_ms).filter(|_| self.dialect() == Dialect::Gemini) {
            let known = error.pointer("/error/details").and_then(Value::as_array);
            let mut details = known.cloned().unwrap_or_default();
            details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
            put_inside(&mut error, "details", details.into());
        }
        error
    }
}
