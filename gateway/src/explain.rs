//! `tollgate explain`: what would become of a request, from the same code that reads requests and decides on them.

mod accounts;
mod running;
mod text;
mod view;

use std::fs::File as DiskFile;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use engine::clock::Clock;
use engine::explain::Books;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use policy::admit::enter;
use policy::decision::Refusal;
use policy::declare::File;
use policy::id::VirtualKeyId;
use policy::request::{Dialect, Operation};
use policy::route::Caller;
use policy::route::health::{AllWell, Health};
use policy::snapshot::Snapshot;
use policy::window::Now;
use serde_json::json;
use thiserror::Error;

pub(crate) use self::running::Running;
use self::view::View;
use crate::boot;
use crate::cli::Explain;
use crate::config::{self, ConfigError};
use crate::keyring::{self, KeyringError};
use crate::place;
use crate::proxy::fields::HeaderFields;
use crate::proxy::gate::{self, Wish};
use crate::proxy::route::{self, Asked, Route};
use crate::proxy::{BodyLimits, too_large};

/// The answer of the command.
#[derive(Debug)]
pub(crate) struct Explained {
    /// For people, or as JSON.
    pub(crate) text: String,
    /// Whether the request would go ahead.
    pub(crate) is_admitted: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ExplainError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokens of virtual keys without `value` cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No model is called at that path.
    #[error("--path {path}: no model is called there{hint}")]
    NoSuchPath {
        /// The path.
        path: String,
        /// The path that was meant.
        hint: String,
    },
    /// A header is none. Its value is not repeated: it may be a secret.
    #[error("--header: the {0}. one is no `name: value`")]
    BadHeader(usize),
    /// The key is no header's value.
    #[error("--key: no key has such characters")]
    BadKey,
    /// The request is not there.
    #[error("--request {}: {error}", path.display())]
    NoRequest {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was used before cannot be read.
    #[error("--data: {0}")]
    Unreadable(#[from] store::StoreError),
    /// Nothing is asked.
    #[error("say what is asked: --request FILE, or --model NAME")]
    NothingAsked,
    /// The answer cannot be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// One request, as a client would send it.
#[derive(Debug)]
struct Sent {
    asked: Asked,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Explains the request that the arguments describe.
///
/// # Errors
/// When the configuration cannot be served, or the arguments describe no request.
pub(crate) fn explain(arguments: &Explain) -> Result<Explained, ExplainError> {
    let mut loaded = config::load(&arguments.config)?;
    if loaded.file.governance.virtual_keys.iter().any(|key| key.value.is_none()) {
        keyring::complete(&mut loaded.file, &arguments.data)?;
    }
    let snapshot = boot::compile(&loaded, Some(&arguments.data))?;
    let limits = boot::body_limits(&loaded.file);
    let sent = Sent::of(arguments, &loaded.file, limits)?;
    let mut view = View::of_request(&sent);
    let now = Clock::start().now();
    let ledger = crate::ledger::read(&place::of(&loaded.file, &arguments.data), &snapshot, now)?;
    let caller = sent.caller(&snapshot, now);
    // How a running gateway's routes do is known to that gateway alone.
    let judged = judge(&mut view, &snapshot, (&sent, caller), limits, &AllWell, Books { ledger: &ledger, now });
    if let Err(refusal) = judged {
        view.refuse(&refusal);
    }
    let text = if arguments.json { serde_json::to_string_pretty(&view)? } else { text::of(&view) };
    Ok(Explained { text, is_admitted: view.is_admitted() })
}

/// The way that a request goes in the gateway: who calls, then what its body says, then the plan.
fn judge(
    view: &mut View,
    snapshot: &Snapshot,
    (sent, caller): (&Sent, Result<Caller, Refusal>),
    limits: BodyLimits,
    health: &dyn Health,
    books: Books<'_>,
) -> Result<(), Refusal> {
    let caller = caller?;
    view.note_caller(snapshot, &caller);
    gate::expect_plain(&sent.headers)?;
    if sent.body.len() as u64 > limits.max_bytes {
        return Err(too_large(limits));
    }
    let wish = Wish::read(&sent.asked, &sent.body)?;
    view.note_wish(snapshot, &wish);
    let headers = HeaderFields(&sent.headers);
    let request = wish.request(&sent.asked, &headers, sent.query.as_deref(), &sent.body);
    let explanation = engine::explain::explain(snapshot, &caller, &request, health, books);
    view.note(snapshot, &request, &explanation);
    Ok(())
}

impl Sent {
    fn of(arguments: &Explain, file: &File, limits: BodyLimits) -> Result<Self, ExplainError> {
        let no_such_path = |hint| ExplainError::NoSuchPath { path: arguments.path.clone(), hint };
        let uri: Uri = arguments.path.parse().map_err(|_| no_such_path(String::new()))?;
        let path = uri.path().to_owned();
        let Route::Inference(asked) = route::find(&Method::POST, &path) else {
            let near = route::nearest(&Method::POST, &path);
            return Err(no_such_path(near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()));
        };
        let headers = headers(arguments, file)?;
        let body = match (&arguments.request, &arguments.model) {
            (Some(path), _) => read(path, limits)?,
            (None, Some(model)) => small_body(&asked, model),
            (None, None) if asked.gemini.is_some() => small_body(&asked, ""),
            (None, None) => return Err(ExplainError::NothingAsked),
        };
        Ok(Self { asked, path, query: uri.query().map(str::to_owned), headers, body })
    }

    fn caller(&self, snapshot: &Snapshot, now: Now) -> Result<Caller, Refusal> {
        let presented = gate::presented(snapshot, &self.headers, self.query.as_deref(), &self.asked)?;
        enter(snapshot, &presented, self.asked.operation, now)
    }
}

fn headers(arguments: &Explain, file: &File) -> Result<HeaderMap, ExplainError> {
    let mut headers = HeaderMap::new();
    for (text, n) in arguments.headers.iter().zip(1..) {
        let (name, value) = text.split_once(':').ok_or(ExplainError::BadHeader(n))?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| ExplainError::BadHeader(n))?;
        let value = HeaderValue::try_from(value.trim()).map_err(|_| ExplainError::BadHeader(n))?;
        headers.append(name, value);
    }
    if let Some(key) = &arguments.key {
        let value = HeaderValue::try_from(token(file, key)).map_err(|_| ExplainError::BadKey)?;
        headers.append("x-bf-vk", value);
    }
    Ok(headers)
}

/// The token of the key of that id; what is no id is a token itself.
fn token<'a>(file: &'a File, key: &'a str) -> &'a str {
    let id = VirtualKeyId::from(key);
    let known = file.governance.virtual_keys.iter().find(|known| known.id == id);
    known.and_then(|known| known.value.as_ref()).map_or(key, |token| token.reveal())
}

/// The body, as far as one byte more than is allowed.
fn read(path: &Path, limits: BodyLimits) -> Result<Vec<u8>, ExplainError> {
    let failed = |error| ExplainError::NoRequest { path: path.to_owned(), error };
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(DiskFile::open(path).map_err(failed)?) };
    let mut body = Vec::new();
    source.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut body).map_err(failed)?;
    Ok(body)
}

/// The least that a client would send.
fn small_body(asked: &Asked, model: &str) -> Vec<u8> {
    let text = "Hello!";
    let messages = json!([{"role": "user", "content": text}]);
    let body = match (asked.dialect, asked.operation) {
        (Dialect::Gemini, Operation::Embedding) => json!({"content": {"parts": [{"text": text}]}}),
        (Dialect::Gemini, _) => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        (Dialect::Anthropic, Operation::CountTokens) => json!({"model": model, "messages": messages}),
        (Dialect::Anthropic, _) => json!({"model": model, "max_tokens": 64, "messages": messages}),
        (Dialect::OpenAi, Operation::TextCompletion) => json!({"model": model, "prompt": text}),
        (Dialect::OpenAi, Operation::Responses | Operation::Embedding) => json!({"model": model, "input": text}),
        (Dialect::OpenAi, _) => json!({"model": model, "messages": messages}),
    };
    body.to_string().into_bytes()
}
