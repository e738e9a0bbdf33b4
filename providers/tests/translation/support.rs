//! The wire formats, their fixtures, and what a call is known by in all of these tests.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use policy::request::{Dialect, Operation};
use providers::translate::{Context, Target, Translation, Wire};
use providers::vendor::Quirks;

pub(crate) mod layout;
pub(crate) mod words;

/// The formats in which clients ask.
pub(crate) const CLIENTS: [Wire; 5] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Generate, Wire::Completions];

/// The formats in which vendors are asked.
pub(crate) const VENDORS: [Wire; 4] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Generate];

/// What a fixture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Answer,
    Stream,
}

impl Kind {
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Request => ".request.json",
            Self::Answer => ".answer.json",
            Self::Stream => ".stream.sse",
        }
    }
}

/// A document of one format.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) wire: Wire,
    pub(crate) case: String,
    pub(crate) bytes: Vec<u8>,
}

impl Fixture {
    /// Whether it is an error in an answer's place, which not every client is told as an answer.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.case.as_str(), "failed" | "malformed-call")
    }

    /// Whether the vendor broke off, so that the client's stream has no end either.
    pub(crate) fn is_cut(&self) -> bool {
        self.case == "cut"
    }

    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.wire.as_str(), self.case)
    }
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// All fixtures of a kind, sorted by name.
pub(crate) fn fixtures(kind: Kind) -> Vec<Fixture> {
    let mut found: Vec<Fixture> = CLIENTS.into_iter().flat_map(|wire| of_wire(wire, kind)).collect();
    found.sort_by_key(Fixture::name);
    assert!(!found.is_empty(), "no fixtures of {kind:?}");
    found
}

fn of_wire(wire: Wire, kind: Kind) -> Vec<Fixture> {
    let Ok(entries) = fs::read_dir(folder().join(wire.as_str())) else { return Vec::new() };
    let read = |path: PathBuf| {
        let case = path.file_name()?.to_str()?.strip_suffix(kind.ending())?.to_owned();
        Some(Fixture { wire, case, bytes: fs::read(&path).unwrap() })
    };
    entries.filter_map(|entry| read(entry.unwrap().path())).collect()
}

/// Where requests go.
pub(crate) fn target(drops: bool) -> Target<'static> {
    Target { model: "target-model", stream: false, limit: None, limit_if_none: 4_096, quirks: Quirks::NONE, drops }
}

/// What is known of a call that a client made in this format.
pub(crate) fn context(client: Wire) -> Context {
    let asked = match client {
        Wire::Chat => r#"{"model":"asked-model","messages":[{"role":"user","content":"Hi"}]}"#,
        Wire::Responses => r#"{"model":"asked-model","input":"Hi"}"#,
        Wire::Messages => r#"{"model":"asked-model","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#,
        Wire::Generate => {
            r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}"#
        }
        Wire::Completions => r#"{"model":"asked-model","prompt":"Hi"}"#,
    };
    Context {
        request_id: "0199a1b2c3d4".to_owned(),
        model: "target-model".to_owned(),
        now_s: 1_790_000_000,
        wants_usage: true,
        as_array: false,
        asked: Bytes::from_static(asked.as_bytes()),
    }
}

/// A stream in these pieces as the client gets it, or why it cannot.
pub(crate) fn streamed<'a>(
    client: Wire,
    vendor: Wire,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, String> {
    let mut stream = Translation::between(client, vendor).stream(context(client));
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.pass(piece, false).map_err(|error| error.to_string())?);
    }
    out.extend_from_slice(&stream.pass(b"", true).map_err(|error| error.to_string())?);
    Ok(out)
}

/// A whole answer as the client gets it, or why it cannot.
pub(crate) fn answered(client: Wire, vendor: Wire, answer: &[u8]) -> Result<Vec<u8>, String> {
    Translation::between(client, vendor).answer(answer, &context(client)).map_err(|error| error.to_string())
}

/// The call that is made in a format.
pub(crate) const fn call(wire: Wire) -> (Dialect, Operation) {
    match wire {
        Wire::Chat => (Dialect::OpenAi, Operation::ChatCompletion),
        Wire::Responses => (Dialect::OpenAi, Operation::Responses),
        Wire::Messages => (Dialect::Anthropic, Operation::ChatCompletion),
        Wire::Generate => (Dialect::Gemini, Operation::ChatCompletion),
        Wire::Completions => (Dialect::OpenAi, Operation::TextCompletion),
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// The data of a stream's events, parsed; `[DONE]` left out.
pub(crate) fn events(stream: &[u8]) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    let mut decoder = providers::sse::Decoder::default();
    let mut each = |item: providers::sse::Item<'_>| match item {
        providers::sse::Item::Event(event) => {
            if let Some(data) = event.data.filter(|data| &**data != b"[DONE]") {
                let value = serde_json::from_slice(&data);
                found.push(value.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&data))));
            }
        }
        providers::sse::Item::Piece(_) => panic!("a long event"),
    };
    decoder.push(stream, &mut each);
    decoder.finish(&mut each);
    found
}
