//! The assistant's own words as the last message of a conversation, from which the answer is to go on.

use serde_json::Value;

use super::route::{Dialect, Operation};

/// The text of the last message, if that is the assistant's.
pub(super) fn of(dialect: Dialect, operation: Operation, body: &Value) -> Option<String> {
    let (messages, role) = match (dialect, operation) {
        (Dialect::OpenAi, Operation::Responses) => (&body["input"], "assistant"),
        (Dialect::OpenAi | Dialect::Anthropic, Operation::Chat) => (&body["messages"], "assistant"),
        (Dialect::Gemini, Operation::Chat) => (&body["contents"], "model"),
        _ => return None,
    };
    let last = messages.as_array()?.last()?;
    (last["role"] == role).then(|| text(last.get("content").unwrap_or(&last["parts"])))
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// What is left of `pieces` behind `prefill`; `None` if they do not begin with it.
pub(super) fn rest(pieces: &[String], prefill: &str) -> Option<Vec<String>> {
    let mut said = prefill;
    for (n, piece) in pieces.iter().enumerate() {
        if let Some(behind) = said.strip_prefix(piece.as_str()) {
            said = behind;
            continue;
        }
        let cut = piece.strip_prefix(said)?.to_owned();
        return Some(std::iter::once(cut).chain(pieces.iter().skip(n + 1).cloned()).collect());
    }
    said.is_empty().then(Vec::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_assistants_last_message_counts() {
        let turns = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"text": "c"}]}]);
        let chat = json!({"messages": turns});
        assert_eq!(of(Dialect::Anthropic, Operation::Chat, &chat).as_deref(), Some("bc"));
        assert_eq!(of(Dialect::OpenAi, Operation::Responses, &json!({"input": turns})).as_deref(), Some("bc"));
        let gemini = json!({"contents": [{"role": "model", "parts": [{"text": "b"}]}]});
        assert_eq!(of(Dialect::Gemini, Operation::Chat, &gemini).as_deref(), Some("b"));
        assert_eq!(
            of(Dialect::OpenAi, Operation::Chat, &json!({"messages": [{"role": "user", "content": "a"}]})),
            None
        );
        assert_eq!(of(Dialect::OpenAi, Operation::Responses, &json!({"input": "a"})), None);
    }

    #[test]
    fn the_rest_begins_where_the_prefill_ends() {
        let pieces: Vec<String> = ["w0", " w1", " w2"].map(str::to_owned).into();
        for (prefill, left) in [("", "w0 w1 w2"), ("w0", " w1 w2"), ("w0 w", "1 w2"), ("w0 w1 w2", "")] {
            assert_eq!(rest(&pieces, prefill).map(|left| left.concat()).as_deref(), Some(left), "{prefill}");
        }
        for prefill in ["x", "w0x", "w0 w1 w2 w3"] {
            assert_eq!(rest(&pieces, prefill), None, "{prefill}");
        }
    }
}
