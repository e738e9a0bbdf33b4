//! The lists of models, and the one date on which everything here was created.

use serde_json::{Value, json};

use super::route::Dialect;
use super::wire::Answer;

/// 2026-11-01T00:00:00Z: fixed, so that answers are reproducible.
pub(super) const CREATED: u64 = 1_793_491_200;
const CREATED_TEXT: &str = "2026-11-01T00:00:00Z";

/// Answers a list request; one page holds everything.
pub(super) fn models(dialect: Dialect) -> Answer {
    let list = match dialect {
        Dialect::OpenAi => openai(&["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]),
        Dialect::Anthropic => anthropic(&["claude-sonnet-4-5", "claude-haiku-4-5"]),
        Dialect::Gemini => gemini(&["gemini-2.5-pro", "gemini-2.5-flash"]),
    };
    Answer::whole(list, 0, None)
}

fn openai(ids: &[&str]) -> Value {
    let data: Vec<Value> =
        ids.iter().map(|id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "system"})).collect();
    json!({"object": "list", "data": data})
}

fn anthropic(ids: &[&str]) -> Value {
    let data: Vec<Value> = ids
        .iter()
        .map(|id| json!({"type": "model", "id": id, "display_name": id, "created_at": CREATED_TEXT}))
        .collect();
    json!({"data": data, "has_more": false, "first_id": ids.first(), "last_id": ids.last()})
}

fn gemini(ids: &[&str]) -> Value {
    let models: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({
                "name": format!("models/{id}"),
                "version": "001",
                "displayName": id,
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            })
        })
        .collect();
    json!({"models": models})
}
