//! Requests, answers and streams in Anthropic's Messages, both ways.

use proptest::prelude::*;
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

proptest! {
    /// A byte is another, or the rest is missing: what is read may be refused, no more.
    #[test]
    fn nothing_that_comes_breaks_a_reader(at in 0..4_000_usize, byte in prop::option::of(any::<u8>()), name in 0..NAMES.len()) {
        let mut bytes = fixture(NAMES[name]);
        let at = at % bytes.len();
        match byte {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        let _ = SAME.request(&bytes, &target("claude-opus-4-6"));
        let _ = SAME.answer(&bytes, &context());
        let _ = SAME.stream(context()).pass(&bytes, true);
    }
}

const NAMES: [&str; 8] = [
    "media.request.json",
    "tools.request.json",
    "forced.request.json",
    "thinking.request.json",
    "tools.answer.json",
    "search.answer.json",
    "tools.stream.sse",
    "refusal.stream.sse",
];
