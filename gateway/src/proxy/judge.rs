//! Whether an answer is kept, or another attempt is made: from its header, before anything of it is passed on. An error's body
//! is looked at too: its status alone does not say what it means.

use std::time::Duration;

use http::header;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use policy::route::{Attempt, Failure};
use providers::meter::Meter;
use providers::translate::Context;
use providers::verdict;

use super::attempts::next_attempt;
use super::ctx::{Call, ErrorAnswer, RequestCtx, Stage, Told};
use super::fields::HeaderFields;
use super::whole_events::WholeEvents;
use super::{Edge, fail, foreign, send};

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
        let form = Form::of(&call, attempt, answer);
        let hides_usage = form.is_stream && send::hides_usage(&call, asked);
        let idle = call.stream.then_some(attempt.provider.deadlines.stream_idle);
        let within = if is_success { idle } else { Some(ERROR_BODY_TIME) };
        if let Some(held) = &ctx.held {
            held.next_piece_within(within);
        }
        if let Some((flight, left)) = call.flight.as_ref().zip(verdict::headroom(&HeaderFields(&answer.headers))) {
            flight.headroom(left, self.clock.micros());
        }
        let meter = Meter::new(attempt.provider.dialect, attempt.served_as, form.is_stream, hides_usage);
        call.streams_array = form.streams_array;
        call.is_stream = form.is_stream;
        call.whole_events = WholeEvents::default();
        let is_empty = is_empty(answer);
        let what = unusable(answer);
        let is_out = ctx.held.as_ref().is_some_and(|held| held.header_is_out());
        if call.foreign.is_some() {
            foreign::rewrite_header(answer, form.is_stream && !form.streams_array);
            call.begin_foreign(is_success, &ctx.request_id, self.clock.now().wall_ms);
        } else if form.is_stream {
            // A stream may end with an error of ours, or go on from another target: its length is not known.
            answer.remove_header(&header::CONTENT_LENGTH);
            call.begin_script(asked, is_out);
        }
        if !is_success {
            let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
            call.error = Some(ErrorAnswer { status, headers, body: Vec::new() });
        }
        ctx.stage = Stage::Answering(call, sent, Box::new(meter));
        match what {
            Some(_) if !is_success && is_empty => self.judge_empty_error(ctx),
            Some(what) if is_success => Err(self.refuse_answer(ctx, what)),
            None if is_success && is_out && !form.is_stream => {
                Err(self.refuse_answer(ctx, "did not stream its answer"))
            }
            _ => Ok(()),
        }
    }

    /// An error without a body goes out as it is, unless one is put in its place that the client's SDK can read.
    fn judge_empty_error(&self, ctx: &mut RequestCtx) -> Result<()> {
        let error = self.judge_error(ctx)?;
        if error.body.is_empty() {
            return Ok(());
        }
        ctx.first_error = Some(Told::Answer(error));
        Err(self.last_word(ctx))
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

/// In which form an answer comes, and goes on.
#[derive(Clone, Copy)]
struct Form {
    /// It is a stream.
    is_stream: bool,
    /// The client gets it as a JSON array instead of events.
    streams_array: bool,
}

impl Form {
    fn of(call: &Call, attempt: &Attempt, answer: &ResponseHeader) -> Self {
        let may_stream = call.stream && answer.status.is_success();
        if call.foreign.is_some() {
            // It was asked for as events, whatever the dialect.
            let is_stream = may_stream && is_event_stream(answer);
            return Self { is_stream, streams_array: is_stream && call.wants_array };
        }
        let is_stream = may_stream && is_streamed(answer, attempt.provider.dialect);
        Self { is_stream, streams_array: is_stream && !is_event_stream(answer) }
    }
}

impl Call {
    /// Begins the translation of an answer.
    fn begin_foreign(&mut self, is_success: bool, request_id: &str, now_ms: u64) {
        self.script = None;
        let model = self.attempt().map(|attempt| attempt.model.to_string()).unwrap_or_default();
        let Some(foreign) = self.foreign.as_mut().filter(|_| is_success) else { return };
        let context = Context {
            request_id: request_id.to_owned(),
            model,
            now_s: now_ms / 1_000,
            wants_usage: self.peek.client_wants_usage,
            as_array: self.wants_array,
            asked: self.body.as_ref().map(|body| body.bytes().clone()).unwrap_or_default(),
        };
        foreign.begin(context, self.is_stream, self.stream);
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
