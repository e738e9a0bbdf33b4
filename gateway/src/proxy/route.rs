//! From path and method to what is asked, in which dialect. The dialect comes from the path, never from a header.

use std::borrow::Cow;

use http::Method;
use policy::request::{Dialect, Operation};

use super::query;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To a model.
    Inference(Asked),
    /// The list of models, in the shape of that API.
    Models(ModelList),
    /// The process lives.
    Live,
    /// The process takes requests.
    Ready,
    /// Prometheus metrics.
    Metrics,
    /// To the management API.
    Manage,
    /// Nowhere.
    NotFound,
    /// The path exists for another method.
    WrongMethod(&'static str),
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whose API the client speaks.
    pub(crate) dialect: Dialect,
    /// What is asked for.
    pub(crate) operation: Operation,
    /// What only the path tells: Gemini's model and action.
    pub(crate) gemini: Option<GeminiPath>,
}

/// The parts of a Gemini path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GeminiPath {
    /// The model, percent-decoded.
    pub(crate) model: String,
    /// The API version the client asked for, if any.
    pub(crate) version: Option<&'static str>,
    /// What comes after the colon.
    pub(crate) action: &'static str,
}

/// Whose shape a list of models has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelList {
    /// `/v1/models` is shared by several SDKs: every field of each.
    Superset,
    /// One dialect's own path.
    Of(Dialect),
}

impl Asked {
    /// Whether a stream is to come as a JSON array, as Gemini's does unless events are asked for.
    pub(crate) fn wants_array(&self, query: Option<&str>) -> bool {
        let asks_for_events = query.is_some_and(|query| query::value(query, "alt") == Some("sse"));
        self.dialect == Dialect::Gemini && !asks_for_events
    }
}

const OPENAI_PREFIXES: [&str; 4] = ["/openai", "/litellm", "/langchain", "/pydanticai"];
const POST: &str = "POST";
const GET: &str = "GET";

/// Finds the route of a request.
pub(crate) fn find(method: &Method, path: &str) -> Route {
    match (path, method == Method::GET || method == Method::HEAD) {
        ("/livez", true) => return Route::Live,
        ("/readyz" | "/health", true) => return Route::Ready,
        ("/metrics", true) => return Route::Metrics,
        ("/livez" | "/readyz" | "/health" | "/metrics", false) => return Route::WrongMethod(GET),
        _ => {}
    }
    if is_api(path) {
        return Route::Manage;
    }
    if let Some(rest) = OPENAI_PREFIXES.iter().find_map(|prefix| under(path, prefix)) {
        return openai(method, rest.strip_prefix("/v1").unwrap_or(rest))
            .or_else(|| vendor_prefixed(method, rest))
            .unwrap_or(Route::NotFound);
    }
    if let Some(route) = vendor_prefixed(method, path) {
        return route;
    }
    if path == "/v1/models" {
        return expect_method(method, GET, Route::Models(ModelList::Superset));
    }
    let versioned = path.strip_prefix("/v1");
    let found = versioned
        .and_then(|rest| openai(method, rest).or_else(|| anthropic(method, rest)))
        .or_else(|| gemini(method, path));
    found.unwrap_or(Route::NotFound)
}

/// Whether a path is for those who run the gateway, and not for callers of models.
pub(crate) fn is_for_operators(path: &str) -> bool {
    is_api(path) || path == "/metrics"
}

/// Whether a path tells how the process is, which whoever reaches it may ask.
pub(crate) fn is_health(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/health")
}

fn is_api(path: &str) -> bool {
    path == "/api" || under(path, "/api").is_some()
}

/// The path that a client with a slip in its base URL meant: one `/v1` too few or too many.
pub(crate) fn nearest(method: &Method, path: &str) -> Option<String> {
    let with_version = format!("/v1{path}");
    let once = path.replacen("/v1/v1/", "/v1/", 1);
    [with_version, once].into_iter().find(|near| near != path && matches!(find(method, near), Route::Inference(_)))
}

/// Routes whose prefix names the vendor: `/anthropic/…`, `/genai/…`.
fn vendor_prefixed(method: &Method, path: &str) -> Option<Route> {
    if let Some(rest) = under(path, "/anthropic") {
        let rest = rest.strip_prefix("/v1").unwrap_or(rest);
        return Some(anthropic(method, rest).unwrap_or(Route::NotFound));
    }
    let rest = under(path, "/genai")?;
    Some(gemini(method, rest).unwrap_or(Route::NotFound))
}

fn openai(method: &Method, rest: &str) -> Option<Route> {
    let operation = match rest {
        "/chat/completions" => Operation::ChatCompletion,
        "/completions" => Operation::TextCompletion,
        "/responses" => Operation::Responses,
        "/embeddings" => Operation::Embedding,
        "/models" => {
            let list = Route::Models(ModelList::Of(Dialect::OpenAi));
            return Some(expect_method(method, GET, list));
        }
        _ => return None,
    };
    Some(inference(method, Dialect::OpenAi, operation, None))
}

fn anthropic(method: &Method, rest: &str) -> Option<Route> {
    let operation = match rest {
        "/messages" => Operation::ChatCompletion,
        "/messages/count_tokens" => Operation::CountTokens,
        "/models" => {
            let list = Route::Models(ModelList::Of(Dialect::Anthropic));
            return Some(expect_method(method, GET, list));
        }
        _ => return None,
    };
    Some(inference(method, Dialect::Anthropic, operation, None))
}

/// `[/v1|/v1beta]/models[/{model}:{action}]`
fn gemini(method: &Method, path: &str) -> Option<Route> {
    let (version, rest) = ["v1beta", "v1"]
        .into_iter()
        .find_map(|version| Some((Some(version), under(path.strip_prefix('/')?, version)?)))
        .unwrap_or((None, path));
    if rest == "/models" {
        let list = Route::Models(ModelList::Of(Dialect::Gemini));
        return Some(expect_method(method, GET, list));
    }
    let (model, action) = rest.strip_prefix("/models/")?.rsplit_once(':')?;
    let (action, operation) = match action {
        "generateContent" => ("generateContent", Operation::ChatCompletion),
        "streamGenerateContent" => ("streamGenerateContent", Operation::ChatCompletion),
        "countTokens" => ("countTokens", Operation::CountTokens),
        "embedContent" => ("embedContent", Operation::Embedding),
        "batchEmbedContents" => ("batchEmbedContents", Operation::Embedding),
        _ => return None,
    };
    let model = percent_decode(model)?.into_owned();
    Some(inference(method, Dialect::Gemini, operation, Some(GeminiPath { model, version, action })))
}

fn inference(method: &Method, dialect: Dialect, operation: Operation, gemini: Option<GeminiPath>) -> Route {
    expect_method(method, POST, Route::Inference(Asked { dialect, operation, gemini }))
}

fn expect_method(method: &Method, wanted: &'static str, route: Route) -> Route {
    if method.as_str() == wanted { route } else { Route::WrongMethod(wanted) }
}

/// What is left of a path under a prefix that ends at a segment.
fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))
}

/// The dialect in which a request to this path is answered, whether there is anything at the path or not.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    let path = OPENAI_PREFIXES.iter().find_map(|prefix| under(path, prefix)).unwrap_or(path);
    let is_under = |prefix: &str| path == prefix || under(path, prefix).is_some();
    if is_under("/anthropic") || is_under("/v1/messages") {
        Dialect::Anthropic
    } else if ["/genai", "/v1beta"].into_iter().any(is_under) || (path.contains("/models/") && path.contains(':')) {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

/// Decodes `%xx`. `None` when that is no UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let decoded = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after)),
            _ => None,
        };
        let (byte, after) = decoded.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(path: &str) -> Route {
        find(&Method::POST, path)
    }

    fn asked(path: &str) -> (Dialect, Operation) {
        match post(path) {
            Route::Inference(asked) => (asked.dialect, asked.operation),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn every_openai_path_is_found_under_every_prefix() {
        let operations = [
            ("/chat/completions", Operation::ChatCompletion),
            ("/completions", Operation::TextCompletion),
            ("/responses", Operation::Responses),
            ("/embeddings", Operation::Embedding),
        ];
        for (path, operation) in operations {
            assert_eq!(asked(&format!("/v1{path}")), (Dialect::OpenAi, operation));
            for prefix in OPENAI_PREFIXES {
                assert_eq!(asked(&format!("{prefix}/v1{path}")), (Dialect::OpenAi, operation));
                assert_eq!(asked(&format!("{prefix}{path}")), (Dialect::OpenAi, operation));
            }
        }
    }

    #[test]
    fn anthropic_paths_are_found_with_and_without_prefix() {
        for prefix in ["/v1", "/anthropic/v1", "/anthropic", "/litellm/anthropic/v1"] {
            assert_eq!(asked(&format!("{prefix}/messages")), (Dialect::Anthropic, Operation::ChatCompletion));
            let count = asked(&format!("{prefix}/messages/count_tokens"));
            assert_eq!(count, (Dialect::Anthropic, Operation::CountTokens));
        }
    }

    #[test]
    fn gemini_paths_carry_model_version_and_action() {
        let cases = [
            ("/v1beta/models/gemini-2.5-pro:generateContent", Some("v1beta"), "gemini-2.5-pro"),
            ("/v1/models/gemini-2.5-pro:streamGenerateContent", Some("v1"), "gemini-2.5-pro"),
            ("/models/gemini-2.5-pro:countTokens", None, "gemini-2.5-pro"),
            ("/genai/v1beta/models/gemini-2.5-pro:embedContent", Some("v1beta"), "gemini-2.5-pro"),
            ("/genai/v1/models/a:b:generateContent", Some("v1"), "a:b"),
            ("/genai/models/gemini%2Fx:generateContent", None, "gemini/x"),
        ];
        for (path, version, model) in cases {
            let Route::Inference(Asked { gemini: Some(gemini), .. }) = post(path) else { panic!("{path}") };
            assert_eq!((gemini.version, gemini.model.as_str()), (version, model), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_in_the_dialect_of_its_prefix() {
        let cases = [
            ("/", Dialect::OpenAi),
            ("/v1/nothing", Dialect::OpenAi),
            ("/openai/v1/nothing", Dialect::OpenAi),
            ("/openaix/v1/chat/completions", Dialect::OpenAi),
            ("/anthropic/v1/nothing", Dialect::Anthropic),
            ("/v1/messages/nothing", Dialect::Anthropic),
            ("/genai/v1beta/models/x:nothing", Dialect::Gemini),
            ("/v1beta/nothing", Dialect::Gemini),
            ("/v1/models/gpt-4o", Dialect::OpenAi),
            ("/v1/models/gemini-2.5-pro:nothing", Dialect::Gemini),
            ("/genai/models/%ff:generateContent", Dialect::Gemini),
        ];
        for (path, dialect) in cases {
            assert_eq!(post(path), Route::NotFound, "{path}");
            assert_eq!(dialect_of(path), dialect, "{path}");
        }
    }

    #[test]
    fn a_slip_in_the_base_url_is_recognised() {
        let near = |path| nearest(&Method::POST, path);
        assert_eq!(near("/chat/completions").as_deref(), Some("/v1/chat/completions"));
        assert_eq!(near("/v1/v1/messages").as_deref(), Some("/v1/messages"));
        assert_eq!(near("/nothing"), None);
    }

    #[test]
    fn management_is_under_its_prefix_alone_whatever_the_method() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            for path in ["/api", "/api/", "/api/governance/virtual-keys"] {
                assert_eq!(find(&method, path), Route::Manage, "{method} {path}");
            }
        }
        for path in ["/apis", "/api-keys", "/v1/api/version", "/API/version", "//api/version"] {
            assert_eq!(find(&Method::GET, path), Route::NotFound, "{path}");
        }
    }

    #[test]
    fn the_method_counts() {
        let chat = "/v1/chat/completions";
        assert_eq!(find(&Method::GET, chat), Route::WrongMethod("POST"));
        assert_eq!(post("/v1/models"), Route::WrongMethod("GET"));
        assert_eq!(find(&Method::GET, "/v1/models"), Route::Models(ModelList::Superset));
        assert_eq!(find(&Method::GET, "/v1beta/models"), Route::Models(ModelList::Of(Dialect::Gemini)));
        assert_eq!(find(&Method::GET, "/readyz"), Route::Ready);
    }
}
