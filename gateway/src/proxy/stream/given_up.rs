//! An answer that failed before anything of it reached the client.

use bytes::Bytes;
use pingora::{ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::route::Failure;
use providers::error::VendorError;
use providers::meter::Meter;
use providers::verdict;

use super::super::Edge;
use super::super::attempts::{next_attempt, quotes_credential};
use super::super::ctx::{Call, ErrorAnswer, RequestCtx, Stage, Told};
use super::super::foreign::Untold;
use super::super::resume::{Script, join};
use super::may_be_shown;

/// What is thought of an answer that failed.
struct Verdict {
    failure: Failure,
    /// The status that it should have come with.
    status: u16,
    /// What the client is told if nothing else can be tried.
    message: String,
    /// Whether the vendor's own error may be shown.
    is_shown: bool,
}

impl Verdict {
    /// `piece` is what there is of the answer, `untold` why it cannot be told. `None`: there is no attempt.
    fn of(call: &Call, meter: &Meter, piece: &[u8], untold: Option<String>) -> Option<Self> {
        let attempt = call.attempt()?;
        let error = meter.error_seen();
        let (failure, status) = match &error {
            Some(error) => verdict::failure_in_body(attempt.provider.vendor, attempt.provider.dialect, error),
            None => (Failure::BadAnswer, 502),
        };
        let quotes = |error: &VendorError| {
            quotes_credential(attempt, error.message.as_bytes()) || quotes_credential(attempt, piece)
        };
        let is_safe = may_be_shown(failure, status) && !error.as_ref().is_some_and(quotes);
        let is_shown = is_safe || call.walk.plan().caller.own_credential.is_some();
        let name = &attempt.provider.name;
        let message = match &error {
            Some(error) if is_shown => format!("provider `{name}` answered with an error: {}", error.message),
            Some(_) => format!("provider `{name}` answered with an error about its credential"),
            None => {
                let what = untold.unwrap_or_else(|| "ended its answer before it was complete".to_owned());
                format!("provider `{name}` {what}")
            }
        };
        Some(Self { failure, status, message, is_shown })
    }
}

impl Edge {
    /// The next attempt, or what there is to say. A stream's own error goes to the client as it is where it is the first target's.
    pub(super) fn give_up_on_answer(
        &self,
        body: &mut Option<Bytes>,
        told: std::result::Result<Bytes, Untold>,
        end: bool,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        let (Stage::Answering(call, _, meter), Some(held)) = (&mut ctx.stage, &ctx.held) else {
            return Ok(());
        };
        // One that broke off is at fault by itself.
        let is_ours = (meter.is_complete() || !end) && told.as_ref().is_err_and(Untold::is_ours);
        call.spare_route(meter, is_ours);
        let untold = told.as_ref().err().map(ToString::to_string);
        let piece = told.unwrap_or_default();
        let withheld = call.script.as_mut().map(Script::take_withheld).unwrap_or_default();
        let piece = join(call.whole_events.rest(), join(piece, withheld));
        // Of an answer that is told when it is whole, or cannot be, there is nothing to pass on.
        let is_untold = untold.is_some() || call.foreign.as_ref().is_some_and(|foreign| foreign.is_gathered());
        let Some(verdict) = Verdict::of(call, meter, &piece, untold) else { return Ok(()) };
        let failure = verdict.failure;
        let blames_request = failure == Failure::Final && verdict.is_shown;
        if blames_request && !is_untold {
            held.let_out();
            *body = Some(piece);
            // Nobody is to go on with it.
            call.script = None;
            return Ok(());
        }
        let has_error = meter.error_seen().is_some() && verdict.is_shown;
        let may_pass = call.is_stream && !meter.is_document() && has_error && !is_untold;
        if blames_request {
            ctx.first_error = None;
        }
        let was_first = ctx.first_error.is_none() || call.walk.is_at_first_target();
        let error = meter.error_seen().filter(|_| has_error && is_untold);
        let told = match error.zip(ctx.asked.as_ref()) {
            Some((error, asked)) => Told::Answer(ErrorAnswer::of(asked, &error, verdict.status, &ctx.request_id)),
            None => Told::Refusal(Refusal::new(Reason::UpstreamUnreachable, verdict.message)),
        };
        self.settle(ctx, failure.as_str());
        if self.another(ctx, failure, told) {
            return Err(next_attempt(ErrorType::InvalidHTTPHeader));
        }
        if !(was_first && may_pass) {
            return Err(self.last_word(ctx));
        }
        ctx.first_error = None;
        ctx.amend_trail();
        if let Some(held) = &ctx.held {
            held.let_out();
        }
        *body = Some(piece);
        Ok(())
    }
}
