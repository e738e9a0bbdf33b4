//! The answer's body on its way: metered, judged by its first content, and never presented as whole when it is not.

mod given_up;

use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::route::Failure;
use policy::settings::StreamRecovery;
use providers::meter::Meter;
use providers::verdict;

use super::Edge;
use super::attempts::quotes_credential;
use super::ctx::{Call, RequestCtx, Stage};
use super::foreign::Untold;
use super::held::Held;
use super::resume::join;

/// An error's body is looked into this far.
const MAX_ERROR_BYTES: usize = 64 * 1024;

impl Edge {
    /// Lets a piece of the answer through. `Err` before anything reached the client sends the call on to its next attempt.
    pub(super) fn pass(&self, body: &mut Option<Bytes>, end: bool, ctx: &mut RequestCtx) -> Result<()> {
        self.pass_piece(body, end, ctx)?;
        ctx.answers(body.as_deref().unwrap_or_default());
        if let Stage::Answering(call, _, meter) = &mut ctx.stage
            && meter.is_complete()
        {
            // Before the client has the end of its answer: its next call is not to find this one in its way.
            call.admission = None;
            if end {
                self.settle_whole(ctx);
            }
        }
        Ok(())
    }

    fn pass_piece(&self, body: &mut Option<Bytes>, end: bool, ctx: &mut RequestCtx) -> Result<()> {
        let (Stage::Answering(call, _, meter), Some(held)) = (&mut ctx.stage, &ctx.held) else {
            return pass_rest(body, &ctx.stage);
        };
        let piece = body.take().unwrap_or_default();
        let is_progress = call.stream && call.progress.is_made_by(&piece);
        let piece = meter.pass(piece, end);
        if call.error.is_some() {
            return self.pass_error(body, piece, end, ctx);
        }
        let told = call.told(piece, end, meter.is_complete());
        if meter.has_content() {
            held.content_came();
            call.content_came(self.clock.micros(), ctx.record.started_us);
        }
        if is_progress {
            held.next_piece_within(Some(self.stream_idle(call.attempt())));
        }
        let seen = Seen::of(meter, held, end);
        if seen.is_out && !call.is_resumable() && call.body.take().is_some() {
            held.forget_body();
            call.forget_request();
        }
        if !seen.is_out && (seen.has_error || seen.is_broken || meter.is_malformed() || told.is_err()) {
            return self.give_up_on_answer(body, told, end, ctx);
        }
        let is_untold = told.as_ref().is_err_and(Untold::is_ours);
        let is_let_out = seen.is_let_out(call, meter, told.as_ref().map_or(0, Bytes::len));
        let piece = match seen.passable(call, meter, told) {
            Ok(piece) => piece,
            Err(unsent) => return Err(self.stop_stream(ctx, unsent, seen.is_broken, is_untold)),
        };
        if is_let_out {
            held.let_out();
        }
        let piece = seen.in_whole_events(call, piece, |piece| ctx.unsent.with(piece, held.received()));
        ctx.record.answer_bytes += piece.len() as u64;
        *body = (!piece.is_empty()).then_some(piece);
        if seen.is_broken && !seen.has_error {
            self.tell_truncation(body, ctx);
        }
        Ok(())
    }

    /// A stream whose beginning the client has can be given no further from here.
    fn stop_stream(&self, ctx: &mut RequestCtx, unsent: Bytes, is_broken: bool, is_untold: bool) -> Box<Error> {
        let name = ctx.stage.call().and_then(|call| call.attempt()).map(|attempt| attempt.provider.name.clone());
        let name = name.as_ref().map_or("", |name| name.as_str());
        let what =
            if is_broken { "ended its answer before it was complete" } else { "failed in the middle of its answer" };
        let reason = Refusal::new(Reason::UpstreamUnreachable, format!("provider `{name}` {what}"));
        let failure = ctx.stage.failure_told().unwrap_or(Failure::BadAnswer);
        if let Stage::Answering(call, _, meter) = &mut ctx.stage {
            call.spare_route(meter, is_untold && !is_broken);
        }
        self.break_off(ctx, unsent, failure, reason)
    }

    /// Keeps an error's body until it can be judged.
    fn pass_error(&self, body: &mut Option<Bytes>, piece: Bytes, end: bool, ctx: &mut RequestCtx) -> Result<()> {
        let Stage::Answering(call, _, _) = &mut ctx.stage else { return Ok(()) };
        let Some(error) = &mut call.error else { return Ok(()) };
        error.body.extend_from_slice(&piece);
        if !end && error.body.len() < MAX_ERROR_BYTES {
            return Ok(());
        }
        let whole = Bytes::from(self.judge_error(ctx)?.body);
        ctx.record.answer_bytes = whole.len() as u64;
        *body = (!whole.is_empty()).then_some(whole);
        if let Some(held) = &ctx.held {
            held.let_out();
            held.next_piece_within(None);
        }
        Ok(())
    }

    fn stream_idle(&self, attempt: Option<&policy::route::Attempt>) -> std::time::Duration {
        attempt.map(|attempt| attempt.provider.deadlines.stream_idle).unwrap_or_default()
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

/// What is known of an answer with the piece that just came.
#[derive(Clone, Copy)]
struct Seen {
    /// The client has its header.
    is_out: bool,
    /// This is its last piece.
    is_end: bool,
    /// It ended before it was complete.
    is_broken: bool,
    /// It says that it failed.
    has_error: bool,
}

impl Seen {
    fn of(meter: &Meter, held: &Held, is_end: bool) -> Self {
        let (is_out, is_broken) = (held.header_is_out(), is_end && !meter.is_complete());
        Self { is_out, is_end, is_broken, has_error: meter.error_seen().is_some() }
    }

    /// Whether the client is to have the header of a stream with these bytes of it.
    fn is_let_out(self, call: &mut Call, meter: &Meter, bytes: usize) -> bool {
        let is_buffered = !self.is_out && call.buffers(bytes);
        let has_content = meter.has_content() && call.foreign.as_ref().is_none_or(|foreign| foreign.has_told());
        call.is_stream && has_content && !meter.is_document() && !is_buffered
    }

    /// What may be passed on. `Err`: the stream can be given no further from here; inside, what of it the client is still to have.
    fn passable(self, call: &Call, meter: &Meter, told: Result<Bytes, Untold>) -> Result<Bytes, Bytes> {
        let piece = told.map_err(|_| Bytes::new())?;
        if call.script.as_ref().is_some_and(|script| self.is_broken || script.transcript().has_failed()) {
            return Err(piece);
        }
        if self.is_out && (meter.is_malformed() || tells_of_credential(call, meter, &piece)) {
            return Err(Bytes::new());
        }
        Ok(piece)
    }

    /// What of the piece goes out now: of a stream whole events only. A script and a translation give none but those, and what is
    /// passed on of a script is to be noted.
    fn in_whole_events(self, call: &mut Call, piece: Bytes, note: impl FnOnce(Bytes) -> Bytes) -> Bytes {
        match call.is_stream && !call.streams_array {
            _ if call.script.is_some() => note(piece),
            _ if call.foreign.is_some() => piece,
            true if self.is_end && (self.has_error || !self.is_broken) => join(call.whole_events.rest(), piece),
            true => call.whole_events.pass(piece),
            false => piece,
        }
    }
}

impl Call {
    /// What of an answer's next bytes is for the client. Behind its last bytes a translation that is whole ends what it has written;
    /// one that is not has no end.
    fn told(&mut self, piece: Bytes, end: bool, is_complete: bool) -> Result<Bytes, Untold> {
        match (&mut self.foreign, &mut self.script) {
            (Some(foreign), _) if foreign.is_gathered() => {
                // It is paid for, and bounded by itself: it is told even where there is no room for it beside the others.
                let _ = self.body.as_mut().is_some_and(|body| body.hold_more(piece.len() as u64));
                foreign.pass(&piece, end && is_complete)
            }
            (Some(foreign), _) => foreign.pass(&piece, end && is_complete),
            (None, Some(script)) => Ok(script.pass(piece, end)?),
            (None, None) => Ok(piece),
        }
    }

    /// Lets the route of an answer that cannot be told, though its meter finds no fault in it, go unblamed: those who ask it in its own
    /// format may be well served.
    fn spare_route(&mut self, meter: &Meter, is_untold: bool) {
        if is_untold && !meter.is_malformed() && meter.error_seen().is_none() {
            self.flight = None;
        }
    }

    /// Content of the current answer came; times are on the process's clock.
    fn content_came(&mut self, now_us: u64, started_us: u64) {
        if let Some(flight) = self.flight.as_mut().filter(|_| self.first_content_us.is_none()) {
            flight.first_content(now_us);
        }
        let elapsed = now_us.saturating_sub(started_us);
        self.first_content_us.get_or_insert(elapsed);
        self.last_content_us = Some(elapsed);
    }

    /// Whether these bytes of the answer wait until it is whole, as far as there is room for them.
    fn buffers(&mut self, bytes: usize) -> bool {
        self.recovery == StreamRecovery::Buffer && self.body.as_mut().is_some_and(|body| body.hold_more(bytes as u64))
    }
}

/// Whether a stream's own error says of the credential what the client is not to know.
fn tells_of_credential(call: &Call, meter: &Meter, piece: &[u8]) -> bool {
    let (Some(error), Some(attempt)) = (meter.error_seen(), call.attempt()) else { return false };
    let (failure, status) = verdict::failure_in_body(attempt.provider.vendor, attempt.provider.dialect, &error);
    let is_own = call.walk.plan().caller.own_credential.is_some();
    let quotes = || quotes_credential(attempt, error.message.as_bytes()) || quotes_credential(attempt, piece);
    !is_own && (!may_be_shown(failure, status) || quotes())
}

/// Whether an error that came without a status of its own may be shown. That a model is not there, or only not for this
/// account, is then a guess.
fn may_be_shown(failure: Failure, status: u16) -> bool {
    failure != Failure::NotForCredential && verdict::is_safe_to_show(failure, status)
}

/// What comes of an error answer behind the part that was judged: it must not quote the credential either.
fn pass_rest(body: &mut Option<Bytes>, stage: &Stage) -> Result<()> {
    let Some((call, attempt)) = stage.call().and_then(|call| Some((call, call.attempt()?))) else { return Ok(()) };
    if call.foreign.is_some() {
        // What is told in its stead was whole.
        *body = None;
        return Ok(());
    }
    let piece = body.as_deref().unwrap_or_default();
    if call.walk.plan().caller.own_credential.is_none() && quotes_credential(attempt, piece) {
        return Err(Error::explain(ErrorType::InvalidHTTPHeader, "an error quotes a credential").into_up());
    }
    Ok(())
}

impl Stage {
    /// What the answer under way says that it failed for.
    pub(super) fn failure_told(&self) -> Option<Failure> {
        let Self::Answering(call, _, meter) = self else { return None };
        let (error, attempt) = meter.error_seen().zip(call.attempt())?;
        Some(verdict::failure_in_body(attempt.provider.vendor, attempt.provider.dialect, &error).0)
    }
}
