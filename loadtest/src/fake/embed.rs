//! Embeddings of OpenAI and Gemini: the same made-up vector for every input.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::script::Ask;
use super::wire::{Answer, put};

const DEFAULT_DIMENSIONS: u64 = 8;
const MAX_DIMENSIONS: u64 = 4096;

/// Answers OpenAI's `/embeddings`.
pub(super) fn openai(ask: &Ask<'_>) -> Answer {
    let values = vector(ask.body["dimensions"].as_u64());
    let embedding = if ask.body["encoding_format"] == "base64" {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        json!(BASE64_STANDARD.encode(bytes))
    } else {
        json!(values)
    };
    let data: Vec<Value> = (0..inputs(&ask.body["input"]))
        .map(|n| json!({"object": "embedding", "index": n, "embedding": embedding}))
        .collect();
    let mut answer = json!({"object": "list", "data": data, "model": ask.model});
    let tokens = super::script::Script::new(ask, Some(0), 1, None).reported().map(|tokens| tokens.text_in);
    let usage = tokens.map(|tokens| json!({"prompt_tokens": tokens, "total_tokens": tokens}));
    if let Some(usage) = &usage {
        put(&mut answer, "usage", usage.clone());
    }
    Answer::whole(answer, 0, usage)
}

/// Answers `:embedContent`.
pub(super) fn gemini(ask: &Ask<'_>) -> Answer {
    let values = vector(ask.body["outputDimensionality"].as_u64());
    Answer::whole(json!({"embedding": {"values": values}}), 0, None)
}

/// Answers `:batchEmbedContents`.
pub(super) fn gemini_batch(ask: &Ask<'_>) -> Answer {
    let requests = ask.body["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let embeddings: Vec<Value> =
        requests.iter().map(|request| json!({"values": vector(request["outputDimensionality"].as_u64())})).collect();
    Answer::whole(json!({"embeddings": embeddings}), 0, None)
}

/// How many vectors are wanted: a list of texts or of token lists holds several inputs, a list of numbers is one.
fn inputs(input: &Value) -> usize {
    match input.as_array() {
        Some(list) if !list.iter().any(Value::is_number) => list.len(),
        _ => 1,
    }
}

/// 1/2, 1/4, 1/8, 1/16, 1/2, … : exact in binary, so that every encoding gives the same numbers back.
fn vector(dimensions: Option<u64>) -> Vec<f32> {
    const CYCLE: [f32; 4] = [0.5, 0.25, 0.125, 0.0625];
    let dimensions = dimensions.unwrap_or(DEFAULT_DIMENSIONS).min(MAX_DIMENSIONS);
    (0..dimensions).zip(CYCLE.into_iter().cycle()).map(|(_, value)| value).collect()
}
