//! The gate, as this request meets it: required headers, who, body, plan. Decisions are `policy`'s; this brings it the facts.

use std::time::Duration;

use engine::dice::ThreadDice;
use engine::ledger::caller_owners;
use http::HeaderMap;
use pingora::proxy::Session;
use policy::admit::{Presented, admit, enter};
use policy::decision::{Decision, Reason, Refusal};
use policy::headers::check_required;
use policy::request::{Dialect, Request};
use policy::route::{Caller, Circumstances, Walk};
use policy::settings::StreamRecovery;
use policy::snapshot::Snapshot;
use providers::peek::{Peek, peek};

use super::body::{self, BodyError};
use super::ctx::{Call, RequestCtx, Stage};
use super::fields::HeaderFields;
use super::held::{Drain, Held};
use super::route::Asked;
use super::{Edge, query};

/// No model has a longer name, and names go into accounts, logs and headers.
const MAX_MODEL_BYTES: usize = 256;

/// Why a request goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client is told.
    Refused(Refusal),
    /// There is nobody to tell.
    ClientLeft,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Edge {
    /// Takes a request through the gate; then its plan stands and its session is held.
    pub(super) async fn admit(&self, session: &mut Session, ctx: &mut RequestCtx, asked: &Asked) -> Result<(), Stop> {
        let snapshot = self.live.snapshot();
        let caller = self.identify(&snapshot, session, ctx, asked)?;
        expect_plain(&session.req_header().headers)?;
        let body = body::read(session, self.limits.body, &self.bodies).await.map_err(|error| match error {
            BodyError::Refused(refusal) => Stop::Refused(refusal),
            BodyError::ClientLeft => Stop::ClientLeft,
        })?;
        ctx.record.body_bytes = body.bytes().len() as u64;
        let peeked = peek(asked.dialect, asked.operation, body.bytes()).map_err(|error| error.refusal())?;
        let (model, stream) = model_and_stream(asked, &peeked)?;
        ctx.record.asked(&model, stream);
        let headers = HeaderFields(&session.req_header().headers);
        let request = Request {
            dialect: asked.dialect,
            operation: asked.operation,
            model: &model,
            stream,
            demand: peeked.demand,
            headers: &headers,
            query: session.req_header().uri.query().unwrap_or_default(),
            body: body.bytes(),
            fallbacks: peeked.fallbacks.as_deref(),
        };
        let owners = caller_owners(&snapshot, &caller);
        let view = self.health.at(self.clock.micros());
        let mut now = Circumstances { health: &view, dice: &mut ThreadDice, seen: &mut () };
        let plan = match admit(&snapshot, caller, &request, &mut now) {
            Decision::Admit(plan) => plan,
            Decision::Refuse(refusal) => return Err(refusal.into()),
        };
        let recovery = snapshot.settings().stream_recovery;
        let call = Call {
            walk: Walk::begin(plan, &mut now),
            wait: Duration::ZERO,
            flight: None,
            error: None,
            recovery,
            stream,
            peek: peeked,
            body: Some(body),
            owners,
            repeats: 0,
            address: None,
            sent_us: 0,
            streams_array: false,
            first_content_us: None,
            last_content_us: None,
        };
        ctx.stage = Stage::Admitted(Box::new(call));
        ctx.held = Some(Held::install(session, self.drain(stream), max_waiting(recovery)));
        Ok(())
    }

    /// Says who calls, from the header alone.
    pub(super) fn identify(
        &self,
        snapshot: &Snapshot,
        session: &Session,
        ctx: &mut RequestCtx,
        asked: &Asked,
    ) -> Result<Caller, Refusal> {
        let header = session.req_header();
        let settings = snapshot.settings();
        check_required(&settings.required_headers, |name| text(&header.headers, name))?;
        let presented = presented(&header.headers, header.uri.query(), asked.dialect)?;
        let entered = enter(snapshot, &presented, asked.operation, self.clock.now());
        match &entered {
            Ok(caller) => ctx.record.caller(snapshot, caller),
            Err(refusal) if refusal.reason == Reason::VirtualKeyNotFound => self.throttle.check(session)?,
            Err(_) => {}
        }
        entered
    }

    fn drain(&self, stream: bool) -> Drain {
        if stream {
            Drain::Bounded { time: self.limits.drain_time, bytes: self.limits.drain_bytes }
        } else {
            Drain::ToTheEnd
        }
    }
}

/// How much of an answer waits for the first bytes that count.
fn max_waiting(recovery: StreamRecovery) -> usize {
    match recovery {
        StreamRecovery::Error | StreamRecovery::Resume => 64 * 1024,
        StreamRecovery::Buffer => 32 * 1024 * 1024,
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

/// A body that is compressed cannot be looked into; no SDK sends one unasked.
fn expect_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    match text(headers, "content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        Some(coding) => {
            let coding: String = coding.chars().take(32).collect();
            let message = format!("the request body is compressed (`content-encoding: {coding}`); send it as it is");
            Err(Refusal::new(Reason::InvalidRequest, message))
        }
        None => Ok(()),
    }
}

/// Every place where an SDK may put its key. A header sent twice is refused: which of the two a vendor would read is a guess.
fn presented<'a>(headers: &'a HeaderMap, query: Option<&'a str>, dialect: Dialect) -> Result<Presented<'a>, Refusal> {
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
        let found = presented(&sent, Some("alt=sse&key=query"), Dialect::Gemini).unwrap();
        assert_eq!(found.explicit, Some("explicit"));
        assert_eq!(found.general, [Some("token"), Some("anthropic"), Some("gemini"), Some("azure"), Some("query")]);
    }

    #[test]
    fn basic_authorization_and_a_foreign_query_key_are_no_keys() {
        let sent = headers(&[("authorization", "Basic dXNlcjpwYXNz")]);
        let found = presented(&sent, Some("key=query"), Dialect::OpenAi).unwrap();
        assert_eq!(found.general, [None; 5]);
    }

    #[test]
    fn a_key_header_sent_twice_is_refused() {
        let sent = headers(&[("x-api-key", "one"), ("x-api-key", "two")]);
        let refusal = presented(&sent, None, Dialect::Anthropic).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidRequest);
    }
}
