//! The answer's body on its way: metered, judged by its first content, and never presented as whole when it is not.

use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};

use super::ctx::{Failure, RequestCtx, Stage};
use super::{Edge, judge};

impl Edge {
    /// Lets a piece of the answer through. `Err` before anything reached the client sends the call on to its next attempt.
    pub(super) fn pass(&self, body: &mut Option<Bytes>, end: bool, ctx: &mut RequestCtx) -> Result<()> {
        let (Stage::Answering(call, _, meter), Some(held)) = (&mut ctx.stage, &ctx.held) else {
            return Ok(());
        };
        let piece = meter.pass(body.take().unwrap_or_default(), end);
        ctx.record.answer_bytes += piece.len() as u64;
        *body = (!piece.is_empty()).then_some(piece);
        if meter.has_content() {
            let elapsed = self.clock.micros().saturating_sub(ctx.record.started_us);
            call.first_content_us.get_or_insert(elapsed);
            call.last_content_us = Some(elapsed);
        }
        held.next_piece_within(call.stream.then_some(self.stream_idle(call.attempt())));
        if held.header_is_out() && call.body.take().is_some() {
            held.forget_body();
        }
        let is_success = ctx.record.vendor_status.is_some_and(|status| (200..300).contains(&status));
        let failed = is_success && (meter.error_seen().is_some() || (end && !meter.is_complete()));
        let next = call.next_after(Failure::Provider).filter(|_| failed && !held.header_is_out());
        if let Some(next) = next {
            return Err(self.give_up_on_answer(next, ctx));
        }
        if is_success && end && !meter.is_complete() && meter.error_seen().is_none() {
            if !call.stream || !held.header_is_out() {
                return Err(Error::explain(ErrorType::ConnectionClosed, "the answer is not whole").into_up());
            }
            self.tell_truncation(body, ctx);
        } else if call.stream && (meter.has_content() || !is_success) {
            held.let_out();
        }
        Ok(())
    }

    fn stream_idle(&self, attempt: Option<&policy::route::Attempt>) -> std::time::Duration {
        attempt.map(|attempt| attempt.provider.deadlines.stream_idle).unwrap_or_default()
    }

    /// Drops an answer that failed before it counted, and settles its attempt by what it used.
    fn give_up_on_answer(&self, next: usize, ctx: &mut RequestCtx) -> Box<Error> {
        self.settle(ctx, "failed_answer");
        if let Stage::Admitted(call) = &mut ctx.stage {
            call.current = next;
            call.repeats = 0;
        }
        judge::next_attempt(ErrorType::InvalidHTTPHeader)
    }

    /// Ends a stream that broke off without its end mark with an error: a clean end would look like a whole answer.
    fn tell_truncation(&self, body: &mut Option<Bytes>, ctx: &mut RequestCtx) {
        let Some(attempt) = ctx.stage.call().and_then(|call| call.attempt()) else { return };
        let message = format!("provider `{}` ended its answer before it was complete", attempt.provider.name);
        let refusal = Refusal::new(Reason::UpstreamUnreachable, message);
        let mut whole = body.take().map(Vec::from).unwrap_or_default();
        whole.extend_from_slice(&ctx.last_words(&refusal));
        *body = Some(Bytes::from(whole));
        ctx.record.refused_in_stream(&refusal);
        ctx.failure = Some(refusal);
    }
}
