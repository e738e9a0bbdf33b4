//! The request as it goes to the vendor: path, credential, headers and body of this attempt. From here on it is `Sent`.

use bytes::Bytes;
use engine::hold::Sending;
use http::header::{self, HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::RequestHeader;
use policy::decision::{Reason, Refusal};
use policy::provider::Provider;
use policy::request::{Dialect, Operation};
use policy::route::Attempt;
use providers::splice::{Edit, splice};
use providers::vendor::{self, CredentialStyle, Quirks};

use super::ctx::{Call, RequestCtx, Stage};
use super::resume::Unsent;
use super::route::Asked;
use super::{Edge, fail, query};

/// The client's headers that a vendor may see, by name. All others stay here, credentials of whatever kind among them.
const PASSED_ON: [HeaderName; 2] = [header::ACCEPT, header::USER_AGENT];
/// More of them, by the beginning of their name.
const PASSED_ON_PREFIXES: [&str; 2] = ["traceparent", "tracestate"];
/// Those that a vendor may see that speaks the client's own dialect.
const OF_DIALECT: [HeaderName; 1] = [HeaderName::from_static("openai-beta")];
/// More of them, by the beginning of their name.
const OF_DIALECT_PREFIXES: [&str; 3] = ["anthropic-", "x-stainless-", "x-goog-api-client"];
/// Headers that say whose account is used: passed on only beside the caller's own credential.
const ACCOUNT: [&str; 2] = ["openai-organization", "openai-project"];

impl Edge {
    /// Makes the request of the current attempt and turns its hold into `Sent`.
    pub(super) fn send(&self, upstream: &mut RequestHeader, ctx: &mut RequestCtx) -> Result<()> {
        let Stage::Connecting(mut call, hold) = ctx.stage.take() else {
            return Err(fail::internal("a request is sent without a hold"));
        };
        call.clamped = hold.clamped();
        let (Some(attempt), Some(asked), Some(held)) = (call.attempt(), ctx.asked.as_ref(), ctx.held.as_ref()) else {
            return Err(fail::internal("a request is sent without its attempt"));
        };
        let mut body = body_of(&call, attempt, asked);
        if held.header_is_out() {
            body = call.continued(body, asked);
        } else {
            ctx.unsent = Unsent::beginning_at(held.received());
        }
        call.error = None;
        ctx.record.dropped_params =
            call.foreign.as_ref().map_or_else(String::new, |foreign| foreign.dropped().to_owned());
        let Some(attempt) = call.attempt() else {
            return Err(fail::internal("a request lost its attempt"));
        };
        let request = header_of(upstream, &call, attempt, asked, &body, &ctx.request_id).inspect_err(|_| {
            let message = format!("the request to provider `{}` could not be built", attempt.provider.name);
            ctx.failure = Some(Refusal::new(Reason::Internal, message));
        })?;
        *upstream = request;
        let deadlines = &attempt.provider.deadlines;
        held.begin_attempt(body, deadlines, call.stream);
        call.sent_us = self.clock.micros();
        (call.first_content_us, call.last_content_us) = (None, None);
        let Some(attempt) = call.attempt() else {
            return Err(fail::internal("a request lost its attempt"));
        };
        let (caller, at_ms) = (&call.walk.plan().caller, self.clock.now().wall_ms);
        let sending = Sending { caller, attempt, admission: call.admission.as_ref(), at_ms };
        match hold.dispatch(&sending) {
            Ok(sent) => {
                ctx.stage = Stage::Sending(call, sent);
                Ok(())
            }
            Err(refusal) => Err(self.unwritten(ctx, call, refusal)),
        }
    }

    /// What the attempt may spend could not be written down: it is not sent, and no other one would fare better.
    fn unwritten(&self, ctx: &mut RequestCtx, mut call: Box<Call>, refusal: Refusal) -> Box<pingora::Error> {
        call.flight = None;
        ctx.stage = Stage::Admitted(call);
        ctx.failure = Some(refusal);
        fail::refused()
    }
}

/// The client's bytes, with this attempt's splices, or what they say in the vendor's wire format.
fn body_of(call: &Call, attempt: &Attempt, asked: &Asked) -> Bytes {
    if let Some(foreign) = &call.foreign {
        return foreign.body().clone();
    }
    let named = call.peek.model.as_deref().is_some_and(|model| model != attempt.model.as_str());
    let quirks = vendor::find(attempt.provider.vendor).map_or(Quirks::NONE, |vendor| vendor.quirks);
    let edit = Edit {
        // Gemini has the model in the path; where a body repeats it, it must be the same.
        model: (named || asked.gemini.is_some()).then(|| attempt.model.as_str()),
        max_output: call.clamped,
        limit_field: Some(quirks.limit_field),
        request_usage: quirks.usage_on_request && hides_usage(call, asked),
        drop_stream_options: !quirks.usage_on_request,
        drop_gateway_fields: true,
    };
    call.body.as_ref().map_or_else(Bytes::new, |body| splice(body.bytes(), &call.peek, &edit))
}

/// Whether the stream has usage though the client did not ask: it is metered, and hidden from the client. What is translated is told as
/// the client wants it anyway.
pub(super) fn hides_usage(call: &Call, asked: &Asked) -> bool {
    let streams_usage_on_request = matches!(asked.operation, Operation::ChatCompletion | Operation::TextCompletion);
    asked.dialect == Dialect::OpenAi
        && streams_usage_on_request
        && call.stream
        && !call.peek.client_wants_usage
        && call.foreign.is_none()
}

fn header_of(
    client: &RequestHeader,
    call: &Call,
    attempt: &Attempt,
    asked: &Asked,
    body: &Bytes,
    request_id: &str,
) -> Result<RequestHeader> {
    let provider = &attempt.provider;
    let path =
        if call.foreign.is_some() { foreign_path(call, attempt) } else { path_of(client, attempt, asked, call.stream) };
    let mut request = RequestHeader::build("POST", path.as_bytes(), Some(16))?;
    let brings_own = call.walk.plan().caller.own_credential.is_some();
    let is_alike = asked.dialect == provider.dialect;
    for (name, value) in client.headers.iter().filter(|(name, _)| is_passed_on(name, brings_own, is_alike)) {
        request.append_header(name.clone(), value.clone())?;
    }
    if call.foreign.is_some() {
        let accepted = if call.stream { "text/event-stream" } else { "application/json" };
        request.insert_header(header::ACCEPT, accepted)?;
    }
    add_vendor_headers(&mut request, provider)?;
    for (name, value) in &provider.extra_headers {
        request.insert_header(name.to_string(), &**value)?;
    }
    add_credential(&mut request, call, attempt)?;
    request.insert_header(header::HOST, attempt.endpoint().authority())?;
    request.insert_header(header::ACCEPT_ENCODING, "identity")?;
    request.insert_header(header::CONTENT_LENGTH, body.len())?;
    request.insert_header("x-request-id", request_id)?;
    // The body was read as JSON, so that is what it is, whatever the client calls it.
    request.insert_header(header::CONTENT_TYPE, "application/json")?;
    Ok(request)
}

fn path_of(client: &RequestHeader, attempt: &Attempt, asked: &Asked, stream: bool) -> String {
    let prefix = &attempt.endpoint().prefix;
    let gemini = asked.gemini.as_ref();
    let (version, action) = (gemini.and_then(|gemini| gemini.version), gemini.map(|gemini| gemini.action));
    let model = attempt.model.as_str();
    let path = vendor::find(attempt.provider.vendor)
        .map(|vendor| vendor::path(vendor, asked.operation, model, stream, version, action))
        .unwrap_or_default();
    match client.uri.query().and_then(|query| passed_on_query(asked.dialect, query)) {
        Some(query) => format!("{prefix}{path}?{query}"),
        None => format!("{prefix}{path}"),
    }
}

/// The path of what a call is served as in another format than it was asked in: nothing of the client's own path is in it.
fn foreign_path(call: &Call, attempt: &Attempt) -> String {
    let model = attempt.model.as_str();
    let path = vendor::find(attempt.provider.vendor)
        .map(|vendor| vendor::path(vendor, attempt.served_as, model, call.stream, None, None))
        .unwrap_or_default();
    // Else Gemini streams a JSON array.
    let query = if attempt.provider.dialect == Dialect::Gemini && call.stream { "?alt=sse" } else { "" };
    format!("{}{path}{query}", attempt.endpoint().prefix)
}

/// What a vendor may see of the query. Others of its parameters carry credentials, or change the answer so that it cannot be
/// metered any more (Google's `fields`, `alt=proto`).
fn passed_on_query(dialect: Dialect, query: &str) -> Option<&'static str> {
    match dialect {
        Dialect::Gemini => (query::value(query, "alt") == Some("sse")).then_some("alt=sse"),
        Dialect::Anthropic => (query::value(query, "beta") == Some("true")).then_some("beta=true"),
        Dialect::OpenAi => None,
    }
}

/// `is_alike`: the vendor speaks the client's dialect. One that speaks another has no use for the headers of that dialect's SDKs.
fn is_passed_on(name: &HeaderName, brings_own: bool, is_alike: bool) -> bool {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.as_str().starts_with(prefix));
    let is_of_dialect = || {
        OF_DIALECT.contains(name) || begins(&OF_DIALECT_PREFIXES) || (brings_own && ACCOUNT.contains(&name.as_str()))
    };
    PASSED_ON.contains(name) || begins(&PASSED_ON_PREFIXES) || (is_alike && is_of_dialect())
}

/// Headers that the vendor needs and that the client did not send.
fn add_vendor_headers(request: &mut RequestHeader, provider: &Provider) -> Result<()> {
    let required = vendor::find(provider.vendor).map_or(&[][..], |vendor| vendor.required_headers);
    for (name, value) in required {
        if !request.headers.contains_key(*name) {
            request.insert_header(*name, *value)?;
        }
    }
    Ok(())
}

fn add_credential(request: &mut RequestHeader, call: &Call, attempt: &Attempt) -> Result<()> {
    if attempt.provider.keyless {
        return Ok(());
    }
    let own = call.walk.plan().caller.own_credential.as_ref();
    let secret = own.unwrap_or(&attempt.credential.secret).reveal();
    if secret.is_empty() {
        return Ok(());
    }
    let style = vendor::find(attempt.provider.vendor).map_or(CredentialStyle::Bearer, |vendor| vendor.credential);
    let (name, text) = match style {
        CredentialStyle::Bearer => (header::AUTHORIZATION, format!("Bearer {secret}")),
        CredentialStyle::Header(name) => (HeaderName::from_static(name), secret.to_owned()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| fail::internal("a credential is no header value"))?;
    value.set_sensitive(true);
    request.insert_header(name, value)
}
