//! Whether a request is exactly what its API takes: no member that is not known there, none of another type. The schemas are
//! made from the official SDKs' own types (`make request-schemas`).

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::Value;

use super::route::{Dialect, Operation};

/// What is wrong with a request, by the schema of its API. `None`: nothing.
pub(super) fn problem(dialect: Dialect, operation: Operation, body: &Value) -> Option<String> {
    let validator = validator(dialect, operation)?;
    let problems: Vec<String> = validator.iter_errors(body).take(3).map(|error| told(&error)).collect();
    (!problems.is_empty()).then(|| format!("not what the API takes: {}", problems.join("; ")))
}

/// The place, what is wrong there, and of several shapes that it could have the one that it comes nearest to.
fn told(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let depth = |errors: &Vec<ValidationError<'_>>| {
                let deepest = errors.iter().map(|error| error.instance_path().as_str().len()).max().unwrap_or(0);
                (deepest, std::cmp::Reverse(errors.len()))
            };
            let nearest = context.iter().max_by_key(|errors| depth(errors));
            let inner: Vec<String> = nearest.into_iter().flatten().take(2).map(told).collect();
            if inner.is_empty() { format!("{place}: {error}") } else { inner.join("; ") }
        }
        _ => format!("{place}: {error}").chars().take(600).collect(),
    }
}

macro_rules! schemas {
    ($($name:ident: $dialect:pat, $operation:pat => $file:literal;)*) => {
        $(static $name: LazyLock<Option<Validator>> = LazyLock::new(|| {
            compiled(include_str!(concat!("../../schemas/", $file, ".json")))
        });)*

        fn validator(dialect: Dialect, operation: Operation) -> Option<&'static Validator> {
            match (dialect, operation) {
                $(($dialect, $operation) => $name.as_ref(),)*
                _ => None,
            }
        }

        #[cfg(test)]
        static ALL: &[(&str, &LazyLock<Option<Validator>>)] = &[$(($file, &$name),)*];
    };
}

schemas! {
    CHAT: Dialect::OpenAi, Operation::Chat => "openai.chat";
    COMPLETION: Dialect::OpenAi, Operation::Completion => "openai.completion";
    RESPONSES: Dialect::OpenAi, Operation::Responses => "openai.responses";
    EMBEDDINGS: Dialect::OpenAi, Operation::Embeddings => "openai.embeddings";
    COUNT_INPUT: Dialect::OpenAi, Operation::CountTokens => "openai.count_tokens";
    MESSAGES: Dialect::Anthropic, Operation::Chat => "anthropic.chat";
    COUNT_MESSAGES: Dialect::Anthropic, Operation::CountTokens => "anthropic.count_tokens";
    GENERATE: Dialect::Gemini, Operation::Chat => "gemini.chat";
    EMBED: Dialect::Gemini, Operation::Embeddings => "gemini.embeddings";
    EMBED_BATCH: Dialect::Gemini, Operation::BatchEmbeddings => "gemini.batch_embeddings";
    COUNT_CONTENT: Dialect::Gemini, Operation::CountTokens => "gemini.count_tokens";
}

fn compiled(schema: &str) -> Option<Validator> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    jsonschema::options().build(&schema).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_schema_is_one() {
        for (name, validator) in ALL {
            assert!(validator.is_some(), "{name}");
        }
    }

    #[test]
    fn what_the_apis_take_is_taken() {
        let tool = json!({"type": "object", "properties": {"any": {"type": "string"}}});
        for (dialect, operation, body) in [
            (
                Dialect::OpenAi,
                Operation::Chat,
                json!({"model": "m", "stream": true, "stream_options": {"include_usage": true}, "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:x"}}]},
                    {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "1", "content": "y"},
                ], "tools": [{"type": "function", "function": {"name": "f", "parameters": tool}}]}),
            ),
            (
                Dialect::Anthropic,
                Operation::Chat,
                json!({"model": "m", "max_tokens": 1, "system": "s", "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "y"}]},
                ], "tools": [{"name": "f", "input_schema": tool}]}),
            ),
            (
                Dialect::Gemini,
                Operation::Chat,
                json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {"maxOutputTokens": 3}}),
            ),
        ] {
            assert_eq!(problem(dialect, operation, &body), None, "{body}");
        }
    }

    #[test]
    fn what_they_do_not_know_is_named() {
        let chat = |body| problem(Dialect::OpenAi, Operation::Chat, &body).unwrap_or_default();
        let told = chat(json!({"model": "m", "messages": [], "top_k": 4}));
        assert!(told.contains("top_k"), "{told}");
        let told = chat(json!({"model": "m", "messages": [{"role": "user", "content": "x", "cache_control": {}}]}));
        assert!(told.contains("cache_control"), "{told}");
        let told = problem(Dialect::Gemini, Operation::Chat, &json!({"contents": [{"parts": [{"type": "text"}]}]}));
        assert!(told.unwrap_or_default().contains("/contents/0/parts/0"));
    }
}
