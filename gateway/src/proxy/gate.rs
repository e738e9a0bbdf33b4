//! What the gate reads out of a request: where its keys are, its model, whether its answer is streamed. Without a connection,
//! so that `tollgate explain` reads it with the same code.

use http::HeaderMap;
use policy::admit::Presented;
use policy::decision::{Reason, Refusal};
use policy::headers::check_required;
use policy::request::{Dialect, Request};
use policy::snapshot::Snapshot;
use providers::peek::{Peek, peek};

use super::fields::HeaderFields;
use super::query;
use super::route::Asked;

/// No model has a longer name, and names go into accounts, logs and headers.
const MAX_MODEL_BYTES: usize = 256;

/// No vendor gives more answers to one request: OpenAI's own bound.
const MAX_CHOICES: u32 = 128;

/// What a request's body and path ask for.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The model as the client named it.
    pub(crate) model: String,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// What else the body says.
    pub(crate) peek: Peek,
}

impl Wish {
    /// Reads a body that came to a path.
    ///
    /// # Errors
    /// The refusal, where the body cannot be governed or no model is named.
    pub(crate) fn read(asked: &Asked, body: &[u8]) -> Result<Self, Refusal> {
        let peek = peek(asked.dialect, asked.operation, body).map_err(|error| error.refusal())?;
        if peek.demand.choices > MAX_CHOICES {
            let message =
                format!("more than {MAX_CHOICES} answers are asked for; no vendor gives as many to one request");
            return Err(Refusal::new(Reason::InvalidRequest, message).about("n"));
        }
        let (model, stream) = model_and_stream(asked, &peek)?;
        Ok(Self { model, stream, peek })
    }

    /// The request as decisions see it.
    pub(crate) fn request<'a>(
        &'a self,
        asked: &Asked,
        headers: &'a HeaderFields<'_>,
        query: Option<&'a str>,
        body: &'a [u8],
    ) -> Request<'a> {
        Request {
            dialect: asked.dialect,
            operation: asked.operation,
            model: &self.model,
            stream: self.stream,
            demand: self.peek.demand,
            headers,
            query: query.unwrap_or_default(),
            body,
            fallbacks: self.peek.fallbacks.as_deref(),
        }
    }
}

/// The credentials of a request that has every header that the operator requires.
///
/// # Errors
/// The refusal, where a required header is missing or wrong, or where a credential stands there twice.
pub(crate) fn presented<'a>(
    snapshot: &Snapshot,
    headers: &'a HeaderMap,
    query: Option<&'a str>,
    asked: &Asked,
) -> Result<Presented<'a>, Refusal> {
    check_required(&snapshot.settings().required_headers, |name| text(headers, name))?;
    credentials(headers, query, asked.dialect)
}

/// A body that is compressed cannot be looked into; no SDK sends one unasked.
pub(crate) fn expect_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    match text(headers, "content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        Some(coding) => {
            let coding: String = coding.chars().take(32).collect();
            let message = format!("the request body is compressed (`content-encoding: {coding}`); send it as it is");
            Err(Refusal::new(Reason::InvalidRequest, message))
        }
        None => Ok(()),
    }
}

/// The model and whether the answer is streamed: from the path for Gemini, else from the body.
fn model_and_stream(asked: &Asked, peeked: &Peek) -> Result<(String, bool), Refusal> {
    let (model, stream) = match &asked.gemini {
        // The vendor takes `models/x` for `x`; what is decided on must be what is sent.
        Some(gemini) => (Some(gemini.model.trim_start_matches("models/")), gemini.action == "streamGenerateContent"),
        None => (peeked.model.as_deref(), peeked.stream),
    };
    let Some(model) = model.filter(|model| !model.is_empty()) else {
        return Err(Refusal::new(Reason::InvalidRequest, "the request names no `model`").about("model"));
    };
    if model.len() > MAX_MODEL_BYTES {
        let message = format!("the name of the model is longer than {MAX_MODEL_BYTES} bytes");
        return Err(Refusal::new(Reason::InvalidRequest, message).about("model"));
    }
    Ok((model.to_owned(), stream))
}

/// Every place where an SDK may put its key. A header sent twice is refused: which of the two a vendor would read is a guess.
fn credentials<'a>(headers: &'a HeaderMap, query: Option<&'a str>, dialect: Dialect) -> Result<Presented<'a>, Refusal> {
    for name in ["x-bf-vk", "authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        if headers.get_all(name).iter().nth(1).is_some() {
            let message = format!("the request carries more than one `{name}` header; send one");
            return Err(Refusal::new(Reason::InvalidRequest, message));
        }
    }
    let query_key = query.filter(|_| dialect == Dialect::Gemini).and_then(|query| query::value(query, "key"));
    Ok(Presented {
        explicit: text(headers, "x-bf-vk"),
        general: [
            text(headers, "authorization").and_then(bearer),
            text(headers, "x-api-key"),
            text(headers, "x-goog-api-key"),
            text(headers, "api-key"),
            query_key,
        ],
    })
}

/// A header's value. One that is no visible ASCII is no key of anybody, but it is there.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}").trim())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_place_of_a_key_is_looked_at_in_order() {
        let sent = headers(&[
            ("x-bf-vk", "explicit"),
            ("authorization", "bearer  token "),
            ("x-api-key", "anthropic"),
            ("x-goog-api-key", "gemini"),
            ("api-key", "azure"),
        ]);
        let found = credentials(&sent, Some("alt=sse&key=query"), Dialect::Gemini).unwrap();
        assert_eq!(found.explicit, Some("explicit"));
        assert_eq!(found.general, [Some("token"), Some("anthropic"), Some("gemini"), Some("azure"), Some("query")]);
    }

    #[test]
    fn basic_authorization_and_a_foreign_query_key_are_no_keys() {
        let sent = headers(&[("authorization", "Basic dXNlcjpwYXNz")]);
        let found = credentials(&sent, Some("key=query"), Dialect::OpenAi).unwrap();
        assert_eq!(found.general, [None; 5]);
    }

    #[test]
    fn a_key_header_sent_twice_is_refused() {
        let sent = headers(&[("x-api-key", "one"), ("x-api-key", "two")]);
        let refusal = credentials(&sent, None, Dialect::Anthropic).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidRequest);
    }
}
