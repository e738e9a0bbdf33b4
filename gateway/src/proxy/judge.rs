//! Whether an answer is kept, or another attempt is made: from its status, before anything of it is passed on.

use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use providers::meter::Meter;

use super::ctx::{Failure, RequestCtx, Stage};
use super::{Edge, fail, send};

impl Edge {
    /// Judges an answer's header. `Err` sends the call on to its next attempt; without one, the answer is passed through
    /// as it is, whatever it says, unless it refuses a credential of ours: its text may quote that.
    pub(super) fn judge(&self, answer: &mut ResponseHeader, ctx: &mut RequestCtx) -> Result<()> {
        if answer.status.is_informational() {
            return Ok(());
        }
        let Stage::Sending(mut call, sent) = ctx.stage.take() else {
            return Err(fail::internal("an answer came to nothing that was sent"));
        };
        let status = answer.status.as_u16();
        let (Some(attempt), Some(asked)) = (call.attempt(), ctx.asked.as_ref()) else {
            return Err(fail::internal("an answer came to no attempt"));
        };
        if let Some(next) = failure_of(status).and_then(|failure| call.next_after(failure)) {
            ctx.record.tried(attempt, status_text(status));
            sent.settle_free();
            call.current = next;
            call.repeats = 0;
            ctx.stage = Stage::Admitted(call);
            return Err(next_attempt(ErrorType::HTTPStatus(status)));
        }
        if answer.status.is_success() && is_empty(answer) {
            ctx.stage = Stage::Sending(call, sent);
            return Err(self.refuse_nothing(ctx));
        }
        if refuses_credential(status) && call.plan.caller.own_credential.is_none() {
            let message = format!("provider `{}` refused every credential that it was shown", attempt.provider.name);
            ctx.failure = Some(Refusal::new(Reason::CredentialsExhausted, message));
            ctx.record.vendor_status = Some(status);
            ctx.record.tried(attempt, status_text(status));
            sent.settle_free();
            ctx.stage = Stage::Admitted(call);
            return Err(Error::explain(ErrorType::HTTPStatus(status), "no credential is left").into_up());
        }
        let is_stream = call.stream && answer.status.is_success() && is_streamed(answer, asked.dialect);
        let streams_array = is_stream && !is_event_stream(answer);
        let hides_usage = is_stream && send::hides_usage(&call, asked);
        if hides_usage {
            answer.remove_header(&http::header::CONTENT_LENGTH);
        }
        if let Some(held) = &ctx.held {
            held.next_piece_within(call.stream.then_some(attempt.provider.deadlines.stream_idle));
        }
        let meter = Meter::new(attempt.provider.dialect, asked.operation, is_stream, hides_usage);
        ctx.record.vendor_status = Some(status);
        call.streams_array = streams_array;
        ctx.stage = Stage::Answering(call, sent, Box::new(meter));
        Ok(())
    }

    /// A success without a body is no answer: the next attempt, or an error.
    fn refuse_nothing(&self, ctx: &mut RequestCtx) -> Box<Error> {
        let next = ctx.stage.call().and_then(|call| call.next_after(Failure::Provider));
        self.settle(ctx, "empty_answer");
        let Stage::Admitted(call) = &mut ctx.stage else {
            return fail::internal("an attempt was not settled");
        };
        if let Some(next) = next {
            call.current = next;
            call.repeats = 0;
            return next_attempt(ErrorType::InvalidHTTPHeader);
        }
        let name = call.attempt().map_or("", |attempt| attempt.provider.name.as_str());
        ctx.failure =
            Some(Refusal::new(Reason::UpstreamUnreachable, format!("provider `{name}` answered with nothing")));
        Error::explain(ErrorType::InvalidHTTPHeader, "an empty answer").into_up()
    }
}

fn is_empty(answer: &ResponseHeader) -> bool {
    let length = answer.headers.get(http::header::CONTENT_LENGTH);
    answer.status.as_u16() == 204 || length.is_some_and(|length| length.as_bytes() == b"0")
}

/// An error that makes Pingora ask for the next peer.
pub(super) fn next_attempt(kind: ErrorType) -> Box<Error> {
    let mut error = Error::explain(kind, "trying the next target");
    error.as_up();
    error.set_retry(true);
    error
}

/// What a status says of the attempt; `None`: it is the answer, even if it is an error.
fn failure_of(status: u16) -> Option<Failure> {
    match status {
        401..=403 | 429 => Some(Failure::Credential),
        408 | 409 | 500..=599 => Some(Failure::Provider),
        _ => None,
    }
}

fn refuses_credential(status: u16) -> bool {
    matches!(status, 401..=403)
}

/// Whether an answer that was to be streamed is. Gemini streams a JSON array to those who do not ask for events.
fn is_streamed(answer: &ResponseHeader, dialect: Dialect) -> bool {
    let is_json = || has_content_type(answer, "application/json");
    is_event_stream(answer) || (dialect == Dialect::Gemini && is_json())
}

fn is_event_stream(answer: &ResponseHeader) -> bool {
    has_content_type(answer, "text/event-stream")
}

fn has_content_type(answer: &ResponseHeader, kind: &str) -> bool {
    let content_type = answer.headers.get(http::header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(kind.as_bytes()))
}

fn status_text(status: u16) -> &'static str {
    match status {
        _ if refuses_credential(status) => "credential_refused",
        429 => "throttled",
        408 => "timeout",
        409 => "conflict",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_tell_whom_to_try_next() {
        for status in [401, 402, 403, 429] {
            assert_eq!(failure_of(status), Some(Failure::Credential), "{status}");
        }
        for status in [408, 409, 500, 502, 503, 504, 529] {
            assert_eq!(failure_of(status), Some(Failure::Provider), "{status}");
        }
        for status in [200, 201, 301, 400, 404, 413, 422, 451] {
            assert_eq!(failure_of(status), None, "{status}");
        }
    }
}
