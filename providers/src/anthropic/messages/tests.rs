//! Requests, answers and streams in Anthropic's Messages, both ways.

use serde_json::Value;

use crate::hub::Wire;
use crate::translate::{Context, Target, Translation};
use crate::vendor::Quirks;

mod answer;
mod read;
mod stream;
mod write;

/// From Anthropic's Messages to them again, through the neutral form.
const SAME: Translation = Translation::between(Wire::Messages, Wire::Messages);

fn target(model: &str) -> Target<'_> {
    Target { model, stream: false, limit: None, limit_if_none: 4_096, quirks: Quirks::NONE, drops: false }
}

fn context() -> Context {
    Context { request_id: "req-1".into(), model: "m".into(), ..Context::default() }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/messages/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
