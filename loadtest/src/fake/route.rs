//! Which dialect and operation a request is for. Any path prefix is accepted, because a vendor's base URL may carry one.

use hyper::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

/// The wire format of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's API, all of its endpoints.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

/// What is asked for, whatever the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A chat turn: `/chat/completions`, `/messages`, `:generateContent`, `:streamGenerateContent`.
    Chat,
    /// OpenAI's text completion.
    Completion,
    /// OpenAI's Responses API.
    Responses,
    /// `/embeddings`, `:embedContent`.
    Embeddings,
    /// `:batchEmbedContents`.
    BatchEmbeddings,
    /// `/messages/count_tokens`, `:countTokens`, `/responses/input_tokens`.
    CountTokens,
    /// The list of models.
    Models,
}

/// A recognised path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// Whether the path alone asks for a stream.
    pub(super) stream: bool,
}

impl Route {
    /// The route of a request, or `None` for a path that no vendor serves.
    pub(super) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Option<Self> {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(percent_decoded).collect();
        let last = segments.last()?.as_str();
        let before = segments.iter().rev().nth(1).map_or("", String::as_str);
        if *method == Method::GET {
            return (last == "models").then(|| Self::new(list_dialect(before, headers), Operation::Models));
        }
        if let Some(route) = Self::of_gemini(path) {
            return Some(route);
        }
        let (dialect, operation) = match (before, last) {
            ("chat", "completions") => (Dialect::OpenAi, Operation::Chat),
            (_, "completions") => (Dialect::OpenAi, Operation::Completion),
            (_, "responses") => (Dialect::OpenAi, Operation::Responses),
            ("responses", "input_tokens") => (Dialect::OpenAi, Operation::CountTokens),
            (_, "embeddings") => (Dialect::OpenAi, Operation::Embeddings),
            ("messages", "count_tokens") => (Dialect::Anthropic, Operation::CountTokens),
            (_, "messages") => (Dialect::Anthropic, Operation::Chat),
            _ => return None,
        };
        // Azure's paths name the model as a deployment: /openai/deployments/{model}/chat/completions.
        let model = segments.iter().skip_while(|s| *s != "deployments").nth(1).cloned();
        Some(Self { model, ..Self::new(dialect, operation) })
    }

    /// `…/models/{model}:{verb}`. The model may hold slashes and colons of its own.
    fn of_gemini(path: &str) -> Option<Self> {
        let path = percent_decoded(path);
        let (_, rest) = path.split_once("models/")?;
        let (model, verb) = rest.rsplit_once(':')?;
        let operation = match verb {
            "generateContent" | "streamGenerateContent" => Operation::Chat,
            "countTokens" => Operation::CountTokens,
            "embedContent" => Operation::Embeddings,
            "batchEmbedContents" => Operation::BatchEmbeddings,
            _ => return None,
        };
        let stream = verb == "streamGenerateContent";
        Some(Self { model: Some(model.to_owned()), stream, ..Self::new(Dialect::Gemini, operation) })
    }

    fn new(dialect: Dialect, operation: Operation) -> Self {
        Self { dialect, operation, model: None, stream: false }
    }
}

/// All three vendors list models under the same path; only headers tell them apart.
fn list_dialect(version: &str, headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else if version == "v1beta" || headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

/// Undoes percent encoding; what is not valid encoding stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%');
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(path: &str) -> Route {
        Route::of(&Method::POST, path, &HeaderMap::new()).unwrap()
    }

    #[test]
    fn paths_are_found_under_any_prefix() {
        assert_eq!(post("/groq/openai/v1/chat/completions").operation, Operation::Chat);
        assert_eq!(post("/v1/completions").operation, Operation::Completion);
        assert_eq!(post("/x/v1/messages/count_tokens").operation, Operation::CountTokens);
        assert_eq!(post("/x/v1/messages").dialect, Dialect::Anthropic);
        assert_eq!(post("/openai/deployments/gpt-4o/chat/completions").model.as_deref(), Some("gpt-4o"));
    }

    #[test]
    fn gemini_models_come_out_of_the_path_decoded() {
        let route = post("/p/v1beta/models/gemini-x%7Ewords%3D3%7Econtenttype%3Da/b:streamGenerateContent");
        assert_eq!(route.model.as_deref(), Some("gemini-x~words=3~contenttype=a/b"));
        assert!(route.stream);
        assert!(!post("/models/m%3AgenerateContent").stream);
    }

    #[test]
    fn unknown_paths_have_no_route() {
        assert_eq!(Route::of(&Method::POST, "/v1/files", &HeaderMap::new()), None);
        assert_eq!(Route::of(&Method::POST, "/", &HeaderMap::new()), None);
    }
}
