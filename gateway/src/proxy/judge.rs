//! Whether an answer is kept, or another attempt is made: from its header, before anything of it is passed on. An error's body
//! is looked at too: its status alone does not say what it means.

use std::time::Duration;

use http::header;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use policy::route::Failure;
use providers::meter::Meter;
use providers::verdict;

use super::attempts::next_attempt;
use super::ctx::{ErrorAnswer, RequestCtx, Stage, Told};
use super::fields::HeaderFields;
use super::whole_events::WholeEvents;
use super::{Edge, fail, send};

/// How long an error's body may take: its status says most of what there is to know.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

impl Edge {
    /// Judges an answer's header. `Err` sends the call on to its next attempt.
    pub(super) fn judge(&self, answer: &mut ResponseHeader, ctx: &mut RequestCtx) -> Result<()> {
        if answer.status.is_informational() {
            return Ok(());
        }
        let Stage::Sending(mut call, sent) = ctx.stage.take() else {
            return Err(fail::internal("an answer came to nothing that was sent"));
        };
        let (Some(attempt), Some(asked)) = (call.attempt(), ctx.asked.as_ref()) else {
            return Err(fail::internal("an answer came to no attempt"));
        };
        ctx.record.vendor_status = Some(answer.status.as_u16());
        let is_success = answer.status.is_success();
        let is_stream = call.stream && is_success && is_streamed(answer, asked.dialect);
        let streams_array = is_stream && !is_event_stream(answer);
        let hides_usage = is_stream && send::hides_usage(&call, asked);
        let idle = call.stream.then_some(attempt.provider.deadlines.stream_idle);
        let within = if is_success { idle } else { Some(ERROR_BODY_TIME) };
        if let Some(held) = &ctx.held {
            held.next_piece_within(within);
        }
        if let Some((flight, left)) = call.flight.as_ref().zip(verdict::headroom(&HeaderFields(&answer.headers))) {
            flight.headroom(left, self.clock.micros());
        }
        let meter = Meter::new(attempt.provider.dialect, asked.operation, is_stream, hides_usage);
        call.streams_array = streams_array;
        call.is_stream = is_stream;
        call.whole_events = WholeEvents::default();
        let is_out = ctx.held.as_ref().is_some_and(|held| held.header_is_out());
        if is_stream {
            // A stream may end with an error of ours, or go on from another target: its length is not known.
            answer.remove_header(&header::CONTENT_LENGTH);
            call.begin_script(asked, is_out);
        }
        if !is_success {
            let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
            call.error = Some(ErrorAnswer { status, headers, body: Vec::new() });
        }
        ctx.stage = Stage::Answering(call, sent, Box::new(meter));
        match unusable(answer) {
            Some(_) if !is_success && is_empty(answer) => self.judge_error(ctx).map(|_| ()),
            Some(what) if is_success => Err(self.refuse_answer(ctx, what)),
            None if is_success && is_out && !is_stream => Err(self.refuse_answer(ctx, "did not stream its answer")),
            _ => Ok(()),
        }
    }

    /// A success that is no answer: the next attempt, or an error.
    fn refuse_answer(&self, ctx: &mut RequestCtx, what: &str) -> Box<Error> {
        let name = ctx.stage.call().and_then(|call| call.attempt()).map(|attempt| attempt.provider.name.clone());
        let name = name.as_ref().map_or("", |name| name.as_str());
        let told = Refusal::new(Reason::UpstreamUnreachable, format!("provider `{name}` {what}"));
        self.settle(ctx, Failure::BadAnswer.as_str());
        if self.another(ctx, Failure::BadAnswer, Told::Refusal(told)) {
            return next_attempt(ErrorType::InvalidHTTPHeader);
        }
        self.last_word(ctx)
    }
}

/// Why a success cannot be used; `None`: it can.
fn unusable(answer: &ResponseHeader) -> Option<&'static str> {
    let coding = answer.headers.get(header::CONTENT_ENCODING);
    if is_empty(answer) {
        Some("answered with nothing")
    } else if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Some("compressed its answer, though it was asked not to")
    } else {
        None
    }
}

fn is_empty(answer: &ResponseHeader) -> bool {
    let length = answer.headers.get(header::CONTENT_LENGTH);
    matches!(answer.status.as_u16(), 204 | 304) || length.is_some_and(|length| length.as_bytes() == b"0")
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
    let content_type = answer.headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(kind.as_bytes()))
}
