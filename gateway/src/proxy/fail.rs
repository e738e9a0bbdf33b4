//! Every refusal and failure, in the client's own dialect, while there is still something to say and someone to hear it.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession as HttpSession;
use pingora::proxy::{FailToProxy, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use policy::route::Failure;
use providers::error;

use super::attempts::time_left;
use super::ctx::{Call, RequestCtx, Stage, Told};
use super::held::Cut;
use super::{Edge, answer, limits};

/// A body that was not read is read on for this long, and up to this many bytes, so that the client gets to see the answer.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 1024 * 1024;

/// Nobody comes back after so long.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 100);

/// How many more addresses of a name are tried in one attempt.
const MAX_ADDRESSES: u8 = 2;
/// How often an attempt is begun again because its pooled connection was already dead.
const MAX_REPEATS: u8 = 4;
/// A connection that was dead before shows it at once. One that breaks later may have carried the request to a vendor that
/// worked on it, so that doing it again would be paid for twice.
const DEAD_WITHIN_US: u64 = 250_000;

/// A failure of our own: a broken invariant. The client learns nothing of it but the request's id.
pub(super) fn internal(what: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InternalError, what)
}

impl Edge {
    /// The connection to the provider failed: nothing was sent.
    pub(super) fn connect_failed(&self, ctx: &mut RequestCtx, mut failed: Box<Error>) -> Box<Error> {
        let Stage::Connecting(mut call, hold) = ctx.stage.take() else {
            return failed;
        };
        drop(hold);
        let elapsed_us = self.clock.micros().saturating_sub(ctx.record.started_us);
        if call.addresses < MAX_ADDRESSES && !time_left(&call, elapsed_us).is_zero() && self.has_other_address(&call) {
            call.addresses += 1;
            failed.set_retry(true);
            ctx.stage = Stage::Admitted(call);
            return failed;
        }
        let is_late = matches!(failed.etype(), ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout);
        let name = call.attempt().map(|attempt| attempt.provider.name.clone());
        let name = name.as_ref().map_or("", |name| name.as_str());
        let (failure, refusal) = if is_late {
            let message = format!("provider `{name}` did not accept a connection in time");
            (Failure::Silent, Refusal::new(Reason::UpstreamTimeout, message))
        } else {
            let message = format!("provider `{name}` could not be connected to");
            (Failure::Unreachable, Refusal::new(Reason::UpstreamUnreachable, message))
        };
        if let Some(attempt) = call.attempt() {
            ctx.record.tried(attempt, if is_late { "connect_timeout" } else { "connect_failed" });
        }
        ctx.stage = Stage::Admitted(call);
        let goes_on = self.another(ctx, failure, Told::Refusal(refusal));
        if !goes_on {
            drop(self.last_word(ctx));
        }
        failed.set_retry(goes_on);
        failed
    }

    /// Whether the provider's name has another address to try, which is no attempt of its own: nothing was sent.
    fn has_other_address(&self, call: &Call) -> bool {
        let tried = call.address.zip(call.attempt());
        tried.is_some_and(|(address, attempt)| self.resolver.failed(&attempt.endpoint().host, address.ip()))
    }

    /// An exchange that had begun broke off. Decides whether another attempt follows, and settles this one.
    pub(super) fn exchange_failed(
        &self,
        peer: &HttpPeer,
        ctx: &mut RequestCtx,
        failed: Box<Error>,
        reused: bool,
    ) -> Box<Error> {
        let mut failed = failed.more_context(format!("Peer: {peer}"));
        if matches!(ctx.stage, Stage::Admitted(_)) {
            // A phase before this one settled the attempt and asked for the next.
            return failed;
        }
        let (header_is_out, cut) = match &ctx.held {
            Some(held) => (held.header_is_out(), held.cut()),
            None => (false, None),
        };
        let is_dead_connection = reused
            && cut.is_none()
            && *failed.esource() == ErrorSource::Upstream
            && matches!(failed.etype(), ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError)
            && matches!(&ctx.stage, Stage::Sending(call, _)
                if call.repeats < MAX_REPEATS && self.clock.micros().saturating_sub(call.sent_us) < DEAD_WITHIN_US);
        if is_dead_connection {
            return self.repeat(ctx, failed);
        }
        if matches!(ctx.stage, Stage::Connecting(..)) && cut.is_none() {
            return self.unsent(ctx, failed);
        }
        if cut != Some(Cut::ClientLeft) && matches!(ctx.stage.call(), Some(Call { error: Some(_), .. })) {
            return self.judge_broken_error(ctx, failed);
        }
        let reason = failure_reason(ctx, cut);
        let failure = self.failure_of_break(ctx, cut);
        if header_is_out && cut != Some(Cut::ClientLeft) {
            let stopped = self.break_off(ctx, Bytes::new(), failure, reason);
            failed.set_retry(stopped.retry());
            return failed;
        }
        let outcome = if cut == Some(Cut::ClientLeft) { "client_left" } else { failure.as_str() };
        self.settle(ctx, outcome);
        if cut == Some(Cut::ClientLeft) {
            failed.set_retry(false);
            return failed;
        }
        let goes_on = self.another(ctx, failure, Told::Refusal(reason));
        if !goes_on {
            drop(self.last_word(ctx));
        }
        failed.set_retry(goes_on);
        failed
    }

    /// A pooled connection was already dead: the same target again, on another connection. Nothing reached the vendor.
    fn repeat(&self, ctx: &mut RequestCtx, mut failed: Box<Error>) -> Box<Error> {
        if let Stage::Sending(mut call, sent) = ctx.stage.take() {
            sent.take_back(call.admission.as_ref(), self.clock.now().wall_ms);
            call.repeats += 1;
            ctx.stage = Stage::Admitted(call);
        }
        failed.set_retry(true);
        failed
    }

    /// The request could not be made or written: that says nothing about the provider, and another one would fare no better.
    fn unsent(&self, ctx: &mut RequestCtx, mut failed: Box<Error>) -> Box<Error> {
        self.settle(ctx, "unsent");
        if let Stage::Admitted(call) = &mut ctx.stage {
            call.flight = None;
        }
        let is_theirs = *failed.etype() == ErrorType::InvalidHTTPHeader;
        ctx.failure.get_or_insert_with(|| match is_theirs {
            true => Refusal::new(Reason::InvalidRequest, "the request's header cannot be passed on"),
            false => unexplained(&failed),
        });
        failed.set_retry(false);
        failed
    }

    /// An error answer broke off in its body: its status, and what came, say what it means.
    fn judge_broken_error(&self, ctx: &mut RequestCtx, mut failed: Box<Error>) -> Box<Error> {
        let judged = self.judge_error(ctx);
        failed.set_retry(judged.as_ref().is_err_and(|next| next.retry()));
        if let Ok(answer) = judged {
            ctx.first_error = Some(Told::Answer(answer));
        }
        failed
    }

    /// What an exchange that broke off says of its route.
    fn failure_of_break(&self, ctx: &RequestCtx, cut: Option<Cut>) -> Failure {
        match (cut, &ctx.stage) {
            (Some(_), _) => Failure::Silent,
            // A stream costs no more than its input; another vendor can hardly have begun to work in so short a time.
            (None, Stage::Sending(call, _)) => {
                let elapsed_us = self.clock.micros().saturating_sub(call.sent_us);
                Failure::Broken { may_repeat: call.stream || elapsed_us < DEAD_WITHIN_US }
            }
            (None, _) => Failure::Broken { may_repeat: false },
        }
    }

    /// Tells the client why there is no answer, or no more of it.
    pub(super) async fn tell_failure(
        &self,
        session: &mut Session,
        failed: &Error,
        ctx: &mut RequestCtx,
    ) -> FailToProxy {
        let header_is_out = ctx.held.as_ref().is_some_and(|held| held.header_is_out());
        let client_left = ctx.held.as_ref().is_some_and(|held| held.client_left());
        if let Stage::Admitted(call) = &mut ctx.stage {
            // Nothing follows; before the client knows, its next call is not to find this one in its way.
            (call.hold, call.admission) = (None, None);
        }
        if let Some(held) = ctx.held.take() {
            ctx.was_cut |= held.cut().is_some();
            held.restore(session);
            if ctx.closing.is_none() {
                // Pingora closes the connection after a failed exchange, so the client must not count on it.
                session.downstream_session.set_keepalive(None);
            }
        }
        if let Some(closing) = ctx.closing.take().filter(|_| !client_left) {
            let rest = [ctx.unsent.take(), closing].concat();
            ctx.answers(&rest);
            let told = session.downstream_session.write_response_body(Bytes::from(rest), true).await;
            return FailToProxy { error_code: 200, can_reuse_downstream: told.is_ok() };
        }
        let answer = match ctx.first_error.take().filter(|_| ctx.failure.is_none() && !header_is_out) {
            Some(Told::Answer(answer)) => Some(answer),
            Some(Told::Refusal(refusal)) => {
                ctx.failure = Some(refusal);
                None
            }
            None => None,
        };
        let is_theirs = *failed.esource() == ErrorSource::Downstream && ctx.failure.is_none() && answer.is_none();
        if client_left || is_theirs {
            ctx.record.client_left = true;
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        if let Some(answer) = answer {
            let told = self.tell_answer(session, answer, ctx).await;
            return FailToProxy { error_code: ctx.record.status, can_reuse_downstream: told.is_ok() };
        }
        let refusal = ctx.failure.get_or_insert_with(|| unexplained(failed)).clone();
        if header_is_out {
            self.end_stream_with_error(session, &refusal, ctx).await;
            return FailToProxy { error_code: refusal.reason.status(), can_reuse_downstream: false };
        }
        let told = self.refuse(session, ctx, refusal).await;
        FailToProxy { error_code: ctx.record.status, can_reuse_downstream: told.is_ok() }
    }

    /// Answers a request with a refusal, in its dialect.
    pub(super) async fn refuse(&self, session: &mut Session, ctx: &mut RequestCtx, refusal: Refusal) -> Result<()> {
        let dialect = ctx.dialect();
        let body = Bytes::from(error::body(dialect, &refusal, &ctx.request_id));
        let mut header = ResponseHeader::build(refusal.reason.status(), Some(10))?;
        header.insert_header(header::CONTENT_TYPE, "application/json")?;
        if let Some(wait) = refusal.retry_after.filter(|wait| *wait < FOR_EVER) {
            let seconds = wait.as_millis().div_ceil(1_000).clamp(1, u64::MAX.into());
            header.insert_header(header::RETRY_AFTER, u64::try_from(seconds).unwrap_or(u64::MAX))?;
        }
        if let Some(left) = &refusal.limits {
            let wait_ms = refusal.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            limits::add(&mut header, left, wait_ms)?;
        }
        if refusal.is_final() {
            header.insert_header("x-should-retry", "false")?;
        }
        if let Some(method) = ctx.allowed_method.filter(|_| refusal.reason == Reason::MethodNotAllowed) {
            header.insert_header(header::ALLOW, method)?;
        }
        if !ctx.record.trail().is_empty() {
            // A name may hold what no header can; the trail is then left out.
            let _ = header.insert_header("x-tollgate-attempts", ctx.record.trail());
        }
        ctx.record.refused(&refusal);
        ctx.failure = Some(refusal);
        respond(session, header, body, ctx).await
    }

    /// After the header is out, an event is all that can be said; a connection that ends without one says the same to SDKs
    /// that check, and nothing to the others.
    async fn end_stream_with_error(&self, session: &mut Session, refusal: &Refusal, ctx: &mut RequestCtx) {
        ctx.record.refused_in_stream(refusal);
        if ctx.record.stream {
            let last_words = [ctx.unsent.take(), ctx.last_words(refusal)].concat();
            ctx.answers(&last_words);
            let written = session.downstream_session.write_response_body(Bytes::from(last_words), true).await;
            if written.is_ok() {
                return;
            }
        }
        session.downstream_session.shutdown().await;
    }
}

/// Writes an answer of our own. The connection stays usable if the request's body was read, or is small.
pub(super) async fn respond(
    session: &mut Session,
    mut header: ResponseHeader,
    body: Bytes,
    ctx: &mut RequestCtx,
) -> Result<()> {
    ctx.record.status = header.status.as_u16();
    ctx.record.answer_bytes = body.len() as u64;
    ctx.answers_anew();
    ctx.answers(&body);
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    answer::add_request_id(&mut header, &ctx.request_id)?;
    let rest = Rest::of(session);
    let downstream = &mut *session.downstream_session;
    match rest {
        Rest::None => {}
        Rest::Small => downstream.set_total_drain_timeout(Some(LINGER)),
        Rest::Large => downstream.set_keepalive(None),
    }
    downstream.write_response_header(Box::new(header)).await?;
    downstream.write_response_body(body, true).await?;
    if rest == Rest::Large {
        linger(downstream).await;
    }
    Ok(())
}

/// What is left unread of a request that is answered without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing, or nothing that is in the way: HTTP/2 streams end on their own.
    None,
    /// So little that it is read, and the connection used again.
    Small,
    /// So much, or nobody knows how much, that the connection is closed.
    Large,
}

impl Rest {
    fn of(session: &mut Session) -> Self {
        if session.downstream_session.is_http2() || session.downstream_session.is_body_done() {
            return Self::None;
        }
        let headers = &session.req_header().headers;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let waits_for_leave = headers.contains_key(header::EXPECT);
        match length {
            Some(length) if length <= LINGER_BYTES && !waits_for_leave => Self::Small,
            _ => Self::Large,
        }
    }
}

/// Reads a little of what the client is still sending: closing on unread bytes would reset the connection, and the client
/// might never see the answer.
async fn linger(downstream: &mut HttpSession) {
    let read = async {
        let mut left = LINGER_BYTES;
        while let Ok(Some(piece)) = downstream.read_request_body().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, read).await;
}

fn failure_reason(ctx: &RequestCtx, cut: Option<Cut>) -> Refusal {
    let provider = ctx.stage.call().and_then(|call| call.attempt()).map(|attempt| attempt.provider.name.clone());
    let name = provider.as_ref().map_or("", |name| name.as_str());
    let (reason, what) = match cut {
        Some(Cut::HeaderLate) => (Reason::UpstreamTimeout, "did not begin its answer in time"),
        Some(Cut::ContentLate) => (Reason::UpstreamTimeout, "did not send any content in time"),
        Some(Cut::PieceLate) => (Reason::UpstreamTimeout, "stopped in the middle of its answer"),
        Some(Cut::CallLate) => (Reason::UpstreamTimeout, "did not finish its answer in time"),
        Some(Cut::ClientLeft) | None => (Reason::UpstreamUnreachable, "broke off its answer"),
    };
    Refusal::new(reason, format!("provider `{name}` {what}"))
}

fn unexplained(failed: &Error) -> Refusal {
    match failed.etype() {
        ErrorType::InvalidHTTPHeader if *failed.esource() == ErrorSource::Downstream => {
            Refusal::new(Reason::InvalidRequest, "the request is no valid HTTP")
        }
        _ => Refusal::new(Reason::Internal, "the gateway failed; its log has the reason under this request's id"),
    }
}

impl RequestCtx {
    /// An error as the end of a stream that has begun, framed as that stream is. Its last piece may have ended anywhere, so
    /// events begin with a blank line, which means nothing between two of them.
    pub(super) fn last_words(&self, refusal: &Refusal) -> Bytes {
        let Some(asked) = &self.asked else { return Bytes::new() };
        if self.stage.call().is_some_and(|call| call.streams_array) {
            let error = error::body(asked.dialect, refusal, &self.request_id);
            return Bytes::from([b",\r\n", &*error, b"]"].concat());
        }
        let event = error::event(asked.dialect, asked.operation, refusal, &self.request_id);
        Bytes::from([b"\n\n", &*event].concat())
    }

    fn dialect(&self) -> Dialect {
        self.asked.as_ref().map_or(self.fallback_dialect, |asked| asked.dialect)
    }
}

/// The error that a raised `Err` stands for when the client's request is refused before `request_filter`.
pub(super) fn refused() -> Box<Error> {
    Error::explain(ErrorType::HTTPStatus(400), "refused")
}
