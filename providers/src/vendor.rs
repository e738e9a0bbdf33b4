//! The vendors: where each is, which credential it wants, what it can do, and the path of each operation.

use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use policy::provider::Endpoint;
use policy::request::{Dialect, Operation, OperationSet};
use thiserror::Error;

/// How a vendor wants its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStyle {
    /// `Authorization: Bearer …`.
    Bearer,
    /// The bare secret in a header of this (lower-case) name.
    Header(&'static str),
}

/// One vendor.
#[derive(Debug)]
pub struct Vendor {
    /// The name in configuration and in the price list.
    pub name: &'static str,
    /// The wire format it speaks.
    pub dialect: Dialect,
    /// Where it is, unless the configuration says otherwise.
    pub base_url: &'static str,
    /// How it wants its credential.
    pub credential: CredentialStyle,
    /// What it can do.
    pub operations: OperationSet,
    /// Headers (lower-case name, value) that it wants in every request; sent where the client sent none of that name.
    pub required_headers: &'static [(&'static str, &'static str)],
    /// How it differs from others of its dialect.
    pub quirks: Quirks,
}

/// How a vendor differs from others of its dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Its chat completions' name for the output limit: `max_completion_tokens`, or the older `max_tokens`.
    pub limit_field: &'static str,
    /// Whether its streams report usage only when asked with `stream_options.include_usage`.
    pub usage_on_request: bool,
}

impl Quirks {
    /// None.
    pub const NONE: Self = Self { limit_field: "max_completion_tokens", usage_on_request: true };
}

impl Vendor {
    /// The version segments that SDKs and operators put at the end of its base URL; [`path`] brings them itself.
    const fn versions(&self) -> &'static [&'static str] {
        match self.dialect {
            Dialect::OpenAi | Dialect::Anthropic => &["v1"],
            Dialect::Gemini => &["v1beta", "v1"],
        }
    }
}

/// All vendors that can be used.
pub static VENDORS: LazyLock<[Vendor; 3]> = LazyLock::new(|| {
    [
        // https://platform.openai.com/docs/api-reference (2026-11)
        Vendor {
            name: "openai",
            dialect: Dialect::OpenAi,
            base_url: "https://api.openai.com",
            credential: CredentialStyle::Bearer,
            operations: Operation::ALL.iter().copied().collect(),
            required_headers: &[],
            quirks: Quirks::NONE,
        },
        // https://platform.claude.com/docs/en/api/overview (2026-11): `x-api-key` and a bearer token are both taken;
        // the older version is the one that every model understands.
        Vendor {
            name: "anthropic",
            dialect: Dialect::Anthropic,
            base_url: "https://api.anthropic.com",
            credential: CredentialStyle::Header("x-api-key"),
            operations: of(&[Operation::ChatCompletion, Operation::CountTokens, Operation::ListModels]),
            required_headers: &[("anthropic-version", "2023-06-01")],
            quirks: Quirks::NONE,
        },
        // https://ai.google.dev/api (2026-11)
        Vendor {
            name: "gemini",
            dialect: Dialect::Gemini,
            base_url: "https://generativelanguage.googleapis.com",
            credential: CredentialStyle::Header("x-goog-api-key"),
            operations: of(&[
                Operation::ChatCompletion,
                Operation::Embedding,
                Operation::CountTokens,
                Operation::ListModels,
            ]),
            required_headers: &[],
            quirks: Quirks::NONE,
        },
    ]
});

/// Vendors that configurations name and that cannot be used yet, so that the error can say so.
pub const KNOWN_ELSEWHERE: &[&str] = &[
    "azure",
    "bedrock",
    "cerebras",
    "cohere",
    "databricks",
    "deepseek",
    "elevenlabs",
    "fireworks",
    "groq",
    "huggingface",
    "mistral",
    "nebius",
    "nvidia",
    "ollama",
    "openrouter",
    "parasail",
    "perplexity",
    "replicate",
    "sgl",
    "together",
    "vertex",
    "vllm",
    "xai",
];

/// The vendor of that name. `None`: it is unknown, or [`KNOWN_ELSEWHERE`].
#[must_use]
pub fn find(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

fn of(operations: &[Operation]) -> OperationSet {
    operations.iter().copied().collect()
}

/// A base URL that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It begins with neither `http://` nor `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// There is no host, or it has characters that no host has.
    #[error("has no valid host")]
    Host,
    /// What stands behind the host's colon is no port.
    #[error("has no valid port")]
    Port,
    /// It carries a user name or password: credentials have their own place.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// It carries a query or a fragment.
    #[error("must not carry a query or fragment")]
    Query,
    /// The path has characters that no path has.
    #[error("has no valid path")]
    Path,
}

/// Reads a provider's base URL: `http(s)://host[:port][/prefix]`. A slash at the end and the API's version segment before it
/// are taken off, because [`path`] brings the version; the prefix keeps its slash in front.
///
/// # Errors
/// When it is no such URL.
pub fn endpoint(vendor: &Vendor, base_url: &str) -> Result<Endpoint, EndpointError> {
    let (tls, rest) = strip_scheme(base_url.trim()).ok_or(EndpointError::Scheme)?;
    if rest.contains(['?', '#']) {
        return Err(EndpointError::Query);
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(EndpointError::Port)?,
        None if tls => 443,
        None => 80,
    };
    Ok(Endpoint { tls, host: valid_host(host)?, port, prefix: prefix(vendor, path)? })
}

fn strip_scheme(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Some((true, rest)),
        "http" => Some((false, rest)),
        _ => None,
    }
}

/// Host (IPv6 still in brackets) and port.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), EndpointError> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(EndpointError::Host)?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(EndpointError::Host),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn valid_host(host: &str) -> Result<Box<str>, EndpointError> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.map(|address| address.to_string().into()).ok_or(EndpointError::Host);
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || host.starts_with('.') || !host.bytes().all(is_name) {
        return Err(EndpointError::Host);
    }
    Ok(host.to_ascii_lowercase().into())
}

fn prefix(vendor: &Vendor, path: &str) -> Result<Box<str>, EndpointError> {
    let is_path = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if !path.bytes().all(is_path) || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(EndpointError::Path);
    }
    let path = path.trim_end_matches('/');
    let version = vendor.versions().iter().find_map(|version| path.strip_suffix(version)?.strip_suffix('/'));
    Ok(version.unwrap_or(path).trim_end_matches('/').into())
}

/// The path of an operation, to follow the endpoint's prefix. No query: `alt=sse` and the like are the client's.
///
/// `model` and `stream` matter to Gemini alone, which has them in the path; `client_version` is the version in the client's path
/// (`v1`, `v1beta`; `None`: `v1beta`), and `action` the client's own word behind the colon, which tells `embedContent`
/// from `batchEmbedContents`, what requests translated into Gemini's dialect are for; one that does not belong to the operation is
/// not used.
#[must_use]
pub fn path(
    dialect: Dialect,
    operation: Operation,
    model: &str,
    stream: bool,
    client_version: Option<&str>,
    action: Option<&str>,
) -> String {
    match dialect {
        Dialect::OpenAi => openai_path(operation).to_owned(),
        Dialect::Anthropic => anthropic_path(operation).to_owned(),
        Dialect::Gemini => gemini_path(operation, model, stream, client_version, action),
    }
}

const fn openai_path(operation: Operation) -> &'static str {
    match operation {
        Operation::ChatCompletion => "/v1/chat/completions",
        Operation::TextCompletion => "/v1/completions",
        Operation::Responses => "/v1/responses",
        Operation::Embedding => "/v1/embeddings",
        Operation::CountTokens => "/v1/responses/input_tokens",
        Operation::ListModels => "/v1/models",
    }
}

/// Operations that Anthropic does not have are never sent there; they get the path of the conversation.
const fn anthropic_path(operation: Operation) -> &'static str {
    match operation {
        Operation::CountTokens => "/v1/messages/count_tokens",
        Operation::ListModels => "/v1/models",
        _ => "/v1/messages",
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
    use super::*;

    fn read(vendor: &str, url: &str) -> Result<(bool, String, u16, String), EndpointError> {
        let endpoint = endpoint(find(vendor).unwrap(), url)?;
        Ok((endpoint.tls, endpoint.host.into(), endpoint.port, endpoint.prefix.into()))
    }

    #[test]
    fn every_vendor_is_found_and_its_own_base_url_is_valid() {
        for vendor in VENDORS.iter() {
            assert_eq!(find(vendor.name).unwrap().name, vendor.name);
            assert!(endpoint(vendor, vendor.base_url).unwrap().tls);
            assert!(!KNOWN_ELSEWHERE.contains(&vendor.name));
        }
        assert!(find("azure").is_none());
    }

    #[test]
    fn base_urls_lose_their_slash_and_version() {
        let cases = [
            ("openai", "https://api.openai.com", (true, "api.openai.com", 443, "")),
            ("openai", "https://api.openai.com/v1/", (true, "api.openai.com", 443, "")),
            ("openai", "HTTP://Localhost:8000/openai/v1", (false, "localhost", 8000, "/openai")),
            ("openai", "http://[::1]:9/x/", (false, "::1", 9, "/x")),
            ("openai", "http://[2001:DB8::1]", (false, "2001:db8::1", 80, "")),
            ("openai", "https://host/v1beta", (true, "host", 443, "/v1beta")),
            ("openai", "https://host/xv1", (true, "host", 443, "/xv1")),
            ("anthropic", "https://host/v1", (true, "host", 443, "")),
            ("gemini", "https://host/v1beta/", (true, "host", 443, "")),
            ("gemini", "https://host/a/v1", (true, "host", 443, "/a")),
        ];
        for (vendor, url, (tls, host, port, prefix)) in cases {
            assert_eq!(read(vendor, url), Ok((tls, host.to_owned(), port, prefix.to_owned())), "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let cases = [
            ("ftp://host", EndpointError::Scheme),
            ("api.openai.com", EndpointError::Scheme),
            ("https://", EndpointError::Host),
            ("https:///v1", EndpointError::Host),
            ("https://ho st", EndpointError::Host),
            ("https://[::1", EndpointError::Host),
            ("https://[::1]x", EndpointError::Host),
            ("https://[nonsense]", EndpointError::Host),
            ("https://host:0", EndpointError::Port),
            ("https://host:65536", EndpointError::Port),
            ("https://host:", EndpointError::Port),
            ("https://user:secret@host", EndpointError::UserInfo),
            ("https://host?x=1", EndpointError::Query),
            ("https://host/#x", EndpointError::Query),
            ("https://host/a b", EndpointError::Path),
            ("https://host/../v1", EndpointError::Path),
        ];
        for (url, error) in cases {
            assert_eq!(read("openai", url), Err(error), "{url}");
        }
    }

    #[test]
    fn each_operation_has_its_path() {
        let openai = |operation| path(Dialect::OpenAi, operation, "m", true, None, None);
        assert_eq!(openai(Operation::ChatCompletion), "/v1/chat/completions");
        assert_eq!(openai(Operation::Responses), "/v1/responses");
        let anthropic = |operation| path(Dialect::Anthropic, operation, "m", false, None, None);
        assert_eq!(anthropic(Operation::ChatCompletion), "/v1/messages");
        assert_eq!(anthropic(Operation::CountTokens), "/v1/messages/count_tokens");
    }

    #[test]
    fn gemini_has_model_stream_and_action_in_the_path() {
        let gemini = |operation, model, stream, version, action| {
            path(Dialect::Gemini, operation, model, stream, version, action)
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
