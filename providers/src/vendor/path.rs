//! The path of each operation.

use std::fmt::Write as _;

use policy::request::{Dialect, Operation};

use super::Vendor;

/// The path of an operation, to follow the endpoint's prefix. No query: `alt=sse` and the like are the client's.
///
/// `model` and `stream` matter to Gemini alone, which has them in the path; `client_version` is the version in the client's path
/// (`v1`, `v1beta`; `None`: `v1beta`), and `action` the client's own word behind the colon, which tells `embedContent`
/// from `batchEmbedContents`, what requests translated into Gemini's dialect are for; one that does not belong to the operation is
/// not used.
#[must_use]
pub fn path(
    vendor: &Vendor,
    operation: Operation,
    model: &str,
    stream: bool,
    client_version: Option<&str>,
    action: Option<&str>,
) -> String {
    let own = vendor.paths.iter().find(|(of, _)| *of == operation).map(|(_, path)| *path);
    let path = match vendor.dialect {
        Dialect::OpenAi => own.unwrap_or(openai_path(operation)),
        Dialect::Anthropic => own.unwrap_or(anthropic_path(operation)),
        Dialect::Gemini => return gemini_path(operation, model, stream, client_version, action),
    };
    format!("{}{path}", vendor.version)
}

const fn openai_path(operation: Operation) -> &'static str {
    match operation {
        Operation::ChatCompletion => "/chat/completions",
        Operation::TextCompletion => "/completions",
        Operation::Responses => "/responses",
        Operation::Embedding => "/embeddings",
        Operation::CountTokens => "/responses/input_tokens",
        Operation::ListModels => "/models",
    }
}

/// Operations that Anthropic does not have are never sent there; they get the path of the conversation.
const fn anthropic_path(operation: Operation) -> &'static str {
    match operation {
        Operation::CountTokens => "/messages/count_tokens",
        Operation::ListModels => "/models",
        _ => "/messages",
    }
}

fn gemini_path(
    operation: Operation,
    model: &str,
    stream: bool,
    client_version: Option<&str>,
    action: Option<&str>,
) -> String {
    let version = if client_version == Some("v1") { "v1" } else { "v1beta" };
    let actions: &[&'static str] = match operation {
        Operation::ListModels => return format!("/{version}/models"),
        Operation::CountTokens => &["countTokens"],
        Operation::Embedding => &["batchEmbedContents", "embedContent"],
        _ if stream => &["streamGenerateContent"],
        _ => &["generateContent"],
    };
    let action = actions.iter().find(|known| Some(**known) == action).or(actions.first()).copied().unwrap_or_default();
    let (collection, name) = match model.split_once('/') {
        Some(("tunedModels", name)) => ("tunedModels", name),
        Some(("models", name)) => ("models", name),
        _ => ("models", model),
    };
    format!("/{version}/{collection}/{}:{action}", percent_encode(name))
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3), so a name is always one segment.
fn percent_encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn of(vendor: &str, operation: Operation) -> String {
        path(find(vendor).unwrap(), operation, "m", true, None, None)
    }

    #[test]
    fn each_operation_has_its_path() {
        assert_eq!(of("openai", Operation::ChatCompletion), "/v1/chat/completions");
        assert_eq!(of("openai", Operation::Responses), "/v1/responses");
        assert_eq!(of("anthropic", Operation::ChatCompletion), "/v1/messages");
        assert_eq!(of("anthropic", Operation::CountTokens), "/v1/messages/count_tokens");
    }

    #[test]
    fn some_have_paths_of_their_own() {
        assert_eq!(of("groq", Operation::ChatCompletion), "/v1/chat/completions");
        assert_eq!(of("deepseek", Operation::ChatCompletion), "/chat/completions");
        assert_eq!(of("deepseek", Operation::TextCompletion), "/beta/completions");
        assert_eq!(of("databricks", Operation::Embedding), "/serving-endpoints/embeddings");
    }

    #[test]
    fn gemini_has_model_stream_and_action_in_the_path() {
        let gemini = |operation, model, stream, version, action| {
            path(find("gemini").unwrap(), operation, model, stream, version, action)
        };
        let chat = Operation::ChatCompletion;
        assert_eq!(gemini(chat, "gemini-2.5-pro", false, None, None), "/v1beta/models/gemini-2.5-pro:generateContent");
        assert_eq!(gemini(chat, "models/m", true, Some("v1"), None), "/v1/models/m:streamGenerateContent");
        assert_eq!(gemini(chat, "m", true, None, Some("generateContent")), "/v1beta/models/m:streamGenerateContent");
        assert_eq!(gemini(chat, "../x?y", false, None, None), "/v1beta/models/..%2Fx%3Fy:generateContent");
        assert_eq!(gemini(chat, "tunedModels/a b", false, None, None), "/v1beta/tunedModels/a%20b:generateContent");
        let embed = Operation::Embedding;
        assert_eq!(gemini(embed, "m", false, None, None), "/v1beta/models/m:batchEmbedContents");
        let single = gemini(embed, "m", false, None, Some("embedContent"));
        assert_eq!(single, "/v1beta/models/m:embedContent");
        assert_eq!(gemini(Operation::ListModels, "", false, Some("v1"), None), "/v1/models");
    }
}
