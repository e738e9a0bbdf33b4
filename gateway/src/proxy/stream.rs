//! The answer's body on its way: metered, judged by its first content, and never presented as whole when it is not.

use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::route::Failure;
use policy::settings::StreamRecovery;
use providers::error::VendorError;
use providers::meter::Meter;
use providers::verdict;

use super::Edge;
use super::attempts::{next_attempt, quotes_credential};
use super::ctx::{Call, RequestCtx, Stage, Told};
use super::resume::{Script, join};

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
            return pass_rest(body.as_deref().unwrap_or_default(), &ctx.stage);
        };
        let piece = body.take().unwrap_or_default();
        let is_progress = call.stream && call.progress.is_made_by(&piece);
        let piece = meter.pass(piece, end);
        if call.error.is_some() {
            return self.pass_error(body, piece, end, ctx);
        }
        let scripted = match &mut call.script {
            Some(script) => script.pass(piece, end),
            None => Ok(piece),
        };
        if meter.has_content() {
            held.content_came();
            call.content_came(self.clock.micros(), ctx.record.started_us);
        }
        if is_progress {
            held.next_piece_within(Some(self.stream_idle(call.attempt())));
        }
        let is_out = held.header_is_out();
        if is_out && !call.is_resumable() && call.body.take().is_some() {
            held.forget_body();
        }
        let is_broken = end && !meter.is_complete();
        let has_error = meter.error_seen().is_some();
        if !is_out && (has_error || is_broken || meter.is_malformed()) {
            return self.give_up_on_answer(body, scripted.unwrap_or_default(), ctx);
        }
        let has_failed = call.script.as_ref().is_some_and(|script| script.transcript().has_failed());
        let is_buffered = !is_out && call.buffers(scripted.as_ref().map_or(0, Bytes::len));
        let is_let_out = call.is_stream && meter.has_content() && !meter.is_document() && !is_buffered;
        let is_scripted = call.script.is_some();
        let piece = match scripted {
            Ok(piece) if !(is_scripted && (is_broken || has_failed)) => piece,
            Ok(piece) => return Err(self.stop_stream(ctx, piece, is_broken)),
            Err(_) => return Err(self.stop_stream(ctx, Bytes::new(), is_broken)),
        };
        if is_out && (meter.is_malformed() || tells_of_credential(call, meter, &piece)) {
            return Err(self.stop_stream(ctx, Bytes::new(), is_broken));
        }
        if is_let_out {
            held.let_out();
        }
        let piece = match call.is_stream && !call.streams_array {
            _ if is_scripted => ctx.unsent.with(piece, held.received()),
            true if end && (has_error || !is_broken) => join(call.whole_events.rest(), piece),
            true => call.whole_events.pass(piece),
            false => piece,
        };
        ctx.record.answer_bytes += piece.len() as u64;
        *body = (!piece.is_empty()).then_some(piece);
        if is_broken && !has_error {
            self.tell_truncation(body, ctx);
        }
        Ok(())
    }

    /// A stream whose beginning the client has can be given no further from here.
    fn stop_stream(&self, ctx: &mut RequestCtx, unsent: Bytes, is_broken: bool) -> Box<Error> {
        let name = ctx.stage.call().and_then(|call| call.attempt()).map(|attempt| attempt.provider.name.clone());
        let name = name.as_ref().map_or("", |name| name.as_str());
        let what =
            if is_broken { "ended its answer before it was complete" } else { "failed in the middle of its answer" };
        let reason = Refusal::new(Reason::UpstreamUnreachable, format!("provider `{name}` {what}"));
        let failure = ctx.stage.failure_told().unwrap_or(Failure::BadAnswer);
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

    /// An answer that failed before anything of it reached the client: the next attempt, or what there is to say. A stream's own
    /// error goes to the client as it is where it is the first target's.
    fn give_up_on_answer(&self, body: &mut Option<Bytes>, piece: Bytes, ctx: &mut RequestCtx) -> Result<()> {
        let (Stage::Answering(call, _, meter), Some(held)) = (&mut ctx.stage, &ctx.held) else {
            return Ok(());
        };
        let withheld = call.script.as_mut().map(Script::take_withheld).unwrap_or_default();
        let piece = join(call.whole_events.rest(), join(piece, withheld));
        let Some(attempt) = call.attempt() else { return Ok(()) };
        let (vendor, dialect) = (attempt.provider.vendor, attempt.provider.dialect);
        let (name, is_stream) = (&attempt.provider.name, call.is_stream);
        let error = meter.error_seen();
        let (failure, status) = match &error {
            Some(error) => verdict::failure_in_body(vendor, dialect, error),
            None => (Failure::BadAnswer, 502),
        };
        let brings_own = call.walk.plan().caller.own_credential.is_some();
        let quotes = |error: &VendorError| {
            quotes_credential(attempt, error.message.as_bytes()) || quotes_credential(attempt, &piece)
        };
        let is_safe = may_be_shown(failure, status) && !error.as_ref().is_some_and(quotes);
        let is_shown = brings_own || is_safe;
        let message = match &error {
            Some(error) if is_shown => {
                format!("provider `{name}` answered with an error: {}", error.message)
            }
            Some(_) => format!("provider `{name}` answered with an error about its credential"),
            None => format!("provider `{name}` ended its answer before it was complete"),
        };
        if failure == Failure::Final && is_shown {
            held.let_out();
            *body = Some(piece);
            // Nobody is to go on with it.
            call.script = None;
            return Ok(());
        }
        let may_pass = is_stream && !meter.is_document() && error.is_some() && is_shown;
        let told = Told::Refusal(Refusal::new(Reason::UpstreamUnreachable, message));
        let was_first = ctx.first_error.is_none() || call.walk.is_at_first_target();
        self.settle(ctx, failure.as_str());
        if self.another(ctx, failure, told) {
            return Err(next_attempt(ErrorType::InvalidHTTPHeader));
        }
        if was_first && may_pass {
            ctx.first_error = None;
            ctx.amend_trail();
            if let Some(held) = &ctx.held {
                held.let_out();
            }
            *body = Some(piece);
            return Ok(());
        }
        Err(self.last_word(ctx))
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

impl Call {
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
fn pass_rest(piece: &[u8], stage: &Stage) -> Result<()> {
    let Some((call, attempt)) = stage.call().and_then(|call| Some((call, call.attempt()?))) else { return Ok(()) };
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
