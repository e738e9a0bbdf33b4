//! What follows a failed attempt, for every route and dialect: the next one, after a pause where one is due, or the last word.
//! Which one is next is `policy`'s decision; here it is told what happened.

use std::time::Duration;

use bytes::Bytes;
use engine::dice::ThreadDice;
use engine::hold::Hold;
use engine::ledger::{self, Denied};
use http::header;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use policy::decision::{Reason, Refusal};
use policy::route::{Attempt, Circumstances, Failure};
use policy::snapshot::Snapshot;
use providers::error::VendorError;
use providers::resume::Mode;
use providers::translate::Untranslatable;
use providers::verdict;

use super::ctx::{Call, ErrorAnswer, RequestCtx, Stage, Told};
use super::foreign::Foreign;
use super::route::Asked;
use super::{Edge, answer, fail};
use crate::telemetry::record::Record;

impl Edge {
    /// Moves the call on after its attempt, which is settled, failed. `false`: that was the last one. `told` is what the caller
    /// would be told of it; of all failures, the one of the first target counts.
    pub(super) fn another(&self, ctx: &mut RequestCtx, failure: Failure, told: Told) -> bool {
        let client_left = ctx.held.as_ref().is_some_and(|held| held.client_left());
        let Stage::Admitted(call) = &mut ctx.stage else { return false };
        let now_us = self.clock.micros();
        if let Some(flight) = call.flight.take() {
            flight.failed(failure, now_us);
        }
        if ctx.first_error.is_none() || call.walk.is_at_first_target() {
            ctx.first_error = Some(told);
        }
        if client_left {
            return false;
        }
        if !ctx.held.as_ref().is_some_and(|held| held.header_is_out())
            && let Some(said) = &mut ctx.said
        {
            said.begin_answer_anew();
        }
        let left = time_left(call, now_us.saturating_sub(ctx.record.started_us));
        let view = self.health.at(now_us);
        let mut now = Circumstances { health: &view, accounts: &(), dice: &mut ThreadDice, seen: &mut () };
        let retries = call.walk.retries();
        let Some(wait) = call.walk.after(failure, left, &mut now) else { return false };
        if let Some(attempt) = call.attempt().filter(|_| call.walk.retries() > retries) {
            ctx.record.retries(attempt);
        }
        // A target that gives a call less time than it has taken already cannot answer it.
        while time_left(call, now_us.saturating_sub(ctx.record.started_us)).is_zero() {
            if !call.walk.skip(&mut now) {
                return false;
            }
        }
        call.wait = wait;
        (call.repeats, call.addresses) = (0, 0);
        call.refused_prefill = failure == Failure::PrefillRefused;
        true
    }

    /// Makes the attempt that is next ready and opens its circuit's gate, passing over those that cannot be made and those whose gate
    /// stays shut. `is_begun`: the client has the beginning of the answer. `None`: none is left, or the caller's own account is short.
    pub(super) fn take_off(&self, call: &mut Call, asked: &Asked, is_begun: bool, record: &mut Record) -> Option<Hold> {
        let snapshot = self.live.snapshot();
        let now_us = self.clock.micros();
        let view = self.health.at(now_us);
        while call.walk.attempt().is_some() {
            // Another credential of a target that cannot be asked this changes nothing.
            let is_hopeless = call.walk.target().is_some_and(|target| call.passed_over.cannot_be_asked(target));
            if !is_hopeless {
                match self.make_ready(&snapshot, call, asked, is_begun) {
                    Ok(hold) if self.open_gate(call, now_us) => return Some(hold),
                    Ok(_) => {}
                    Err(obstacle) => {
                        if !pass_over(call, obstacle, record) {
                            return None;
                        }
                    }
                }
            }
            let mut now = Circumstances { health: &view, accounts: &(), dice: &mut ThreadDice, seen: &mut () };
            if !call.walk.skip(&mut now) {
                break;
            }
        }
        None
    }

    /// Reserves for the attempt that is next, and puts its request into the vendor's wire format where that is another one.
    fn make_ready(
        &self,
        snapshot: &Snapshot,
        call: &mut Call,
        asked: &Asked,
        is_begun: bool,
    ) -> Result<Hold, Obstacle> {
        call.foreign = None;
        if is_begun && call.translation(asked).is_some() {
            // What the client has been given tells nothing that a stream of another format could go on from.
            let refusal =
                Refusal::new(Reason::UpstreamUnreachable, "no target is left that could go on with the stream");
            return Err(Obstacle { refusal, word: "cannot_continue", kind: Kind::Targets });
        }
        let hold = self.reserve(snapshot, call, asked)?;
        call.foreign = Foreign::request(call, asked, &hold, snapshot.settings())?.map(Box::new);
        Ok(hold)
    }

    /// Reserves what the attempt that is next may use. Operations that cost nothing are under no limit.
    fn reserve(&self, snapshot: &Snapshot, call: &mut Call, asked: &Asked) -> Result<Hold, Denied> {
        let (Some(attempt), Some(target)) = (call.walk.attempt(), call.walk.target()) else { return Ok(Hold::free()) };
        if !asked.operation.costs() {
            return Ok(Hold::free());
        }
        let (hold, admission) = self.ledger.hold(&ledger::Request {
            snapshot,
            caller: &call.walk.plan().caller,
            asked: &target.model,
            attempt,
            more_input: call.more_input(),
            may_clamp: call.peek.demand.own_limit().is_none() && asked.operation.has_output_limit(),
            is_admitted: call.admission.is_some(),
            now: self.clock.now(),
        })?;
        if let Some(admission) = admission {
            call.admission = Some(admission);
        }
        Ok(hold)
    }

    /// Opens the circuit's gate for the attempt that is next; `false`: it stays shut.
    fn open_gate(&self, call: &mut Call, now_us: u64) -> bool {
        if call.flight.is_some() {
            return true;
        }
        let brings_own = call.walk.plan().caller.own_credential.is_some();
        let Some(attempt) = call.walk.attempt() else { return false };
        let Some(flight) = self.health.begin(attempt.route(), now_us) else { return false };
        if call.walk.is_first_of_target() {
            self.health.count_first(&attempt.provider);
        }
        call.flight = Some(if brings_own { flight.with_callers_own_credential() } else { flight });
        true
    }

    /// Waits before an attempt, until the time is over or the client leaves.
    pub(super) async fn pause(&self, session: &mut Session, ctx: &mut RequestCtx, wait: Duration) -> Result<()> {
        let Some(held) = &ctx.held else { return Err(fail::internal("a call waits without its session")) };
        held.pause();
        let from_us = self.clock.micros();
        let left = session.downstream_session.read_body_or_idle(true);
        let paused = tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            heard = left => match heard {
                Err(error) => Err(error),
                Ok(_) => Err(fail::internal("a held session heard of a request")),
            },
        };
        ctx.record.paused_us += self.clock.micros().saturating_sub(from_us);
        paused
    }

    /// Decides on the error answer that has come whole, or as far as it is looked into. `Ok`: it is what the client is told.
    /// `Err`: another attempt follows, or another error is told.
    pub(super) fn judge_error(&self, ctx: &mut RequestCtx) -> Result<ErrorAnswer> {
        let Stage::Answering(call, _, _) = &mut ctx.stage else {
            return Err(fail::internal("an error came to nothing that was sent"));
        };
        let (Some(error), Some(attempt)) = (call.error.take(), call.walk.attempt()) else {
            return Err(fail::internal("an error came to no attempt"));
        };
        let failure = match call.mode {
            Some(Mode::Prefill) if error.refuses_prefill(attempt) => Failure::PrefillRefused,
            _ => error.failure(attempt, self.clock.now().wall_ms),
        };
        ctx.record.answered_with(error.status);
        let is_out = ctx.held.as_ref().is_some_and(|held| held.header_is_out());
        let own_words_before = own_words(call, attempt, failure, &error);
        let error = match &ctx.asked {
            Some(asked) if call.foreign.is_some() => error.translated(asked, &ctx.request_id),
            _ => error,
        };
        // Escapes that hid a credential are gone from a translated text.
        let own_words = own_words_before.or_else(|| own_words(call, attempt, failure, &error));
        let may_pass = own_words.is_none() && !is_out;
        let was_first = ctx.first_error.is_none() || call.walk.is_at_first_target();
        let told = own_words.map_or_else(|| Told::Answer(error.clone()), Told::Refusal);
        self.settle(ctx, failure.as_str());
        if self.another(ctx, failure, told) {
            return Err(next_attempt(ErrorType::HTTPStatus(ctx.record.vendor_status.unwrap_or_default())));
        }
        // What blames the request is told, whoever says it.
        if may_pass && (was_first || failure == Failure::Final) {
            ctx.first_error = None;
            if failure != Failure::Final {
                ctx.amend_trail();
            }
            return Ok(error);
        }
        Err(self.last_word(ctx))
    }

    /// No attempt is left: what is told is the error of the first target.
    pub(super) fn last_word(&self, ctx: &mut RequestCtx) -> Box<Error> {
        if let Some(refusal) = ctx.broke_off.take() {
            ctx.failure = Some(refusal);
        } else if let Some(Told::Refusal(refusal)) = &ctx.first_error {
            ctx.failure = Some(refusal.clone());
        }
        Error::explain(ErrorType::HTTPStatus(502), "no attempt is left").into_up()
    }

    /// Tells the client the error answer of the first target.
    pub(super) async fn tell_answer(
        &self,
        session: &mut Session,
        error: ErrorAnswer,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        let mut header = ResponseHeader::build(error.status, Some(12))?;
        for (name, value) in &error.headers {
            let is_framing = *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING;
            if !is_framing && answer::is_passed_on(name) {
                header.append_header(name.clone(), value.clone())?;
            }
        }
        if !ctx.record.trail().is_empty() {
            let _ = header.insert_header("x-tollgate-attempts", ctx.record.trail());
        }
        fail::respond(session, header, Bytes::from(error.body), ctx).await
    }
}

/// Why an attempt cannot be made.
struct Obstacle {
    /// What the client is told if nothing else can be tried.
    refusal: Refusal,
    /// The same in a word, for the trail.
    word: &'static str,
    kind: Kind,
}

/// Whom an obstacle lies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The caller: no other target can help.
    Callers,
    /// The target, at present.
    Targets,
    /// What is asked, which the target's format has no words for: no other credential can help.
    Formats,
}

impl From<Denied> for Obstacle {
    fn from(Denied { refusal, is_callers }: Denied) -> Self {
        let kind = if is_callers { Kind::Callers } else { Kind::Targets };
        Self { word: refusal.reason.as_str(), refusal, kind }
    }
}

impl From<Untranslatable> for Obstacle {
    /// A target that is asked in the client's own format may take what cannot be translated.
    fn from(reason: Untranslatable) -> Self {
        Self { refusal: reason.refusal(), word: "untranslatable", kind: Kind::Formats }
    }
}

/// Notes why the attempt that is next cannot be made. `false`: no other can either.
fn pass_over(call: &mut Call, Obstacle { refusal, word, kind }: Obstacle, record: &mut Record) -> bool {
    call.flight = None;
    match (kind, call.walk.target()) {
        (Kind::Callers, _) => {
            call.passed_over.denied_to_caller(refusal);
            return false;
        }
        (Kind::Formats, Some(target)) => call.passed_over.untranslatable(target, refusal),
        (Kind::Targets | Kind::Formats, _) => call.passed_over.denied(refusal),
    }
    if let Some(attempt) = call.walk.attempt() {
        record.passed_over(&attempt.provider.name, word);
    }
    true
}

/// An error that makes Pingora ask for the next peer.
pub(super) fn next_attempt(kind: ErrorType) -> Box<Error> {
    let mut error = Error::explain(kind, "trying the next target");
    error.as_up();
    error.set_retry(true);
    error
}

/// What is told instead of an error answer that cannot be shown; `None`: it can.
fn own_words(call: &Call, attempt: &Attempt, failure: Failure, error: &ErrorAnswer) -> Option<Refusal> {
    let name = &attempt.provider.name;
    if failure == Failure::BadAnswer {
        let message =
            format!("provider `{name}` answered {}, which is no answer: is its base URL right?", error.status);
        return Some(Refusal::new(Reason::UpstreamUnreachable, message));
    }
    if call.walk.plan().caller.own_credential.is_some() {
        return None;
    }
    if !verdict::is_safe_to_show(failure, error.status) {
        let message = format!("provider `{name}` refused every credential that it was shown");
        return Some(Refusal::new(Reason::CredentialsExhausted, message));
    }
    let quotes = || {
        let told = VendorError::read(&error.body);
        told.is_some_and(|told| quotes_credential(attempt, told.message.as_bytes()))
    };
    (quotes_credential(attempt, &error.body) || quotes()).then(|| {
        let message = format!("provider `{name}` answered {} with a text that cannot be shown", error.status);
        Refusal::new(Reason::UpstreamUnreachable, message)
    })
}

/// Whether a vendor's text quotes the credential that it was shown.
pub(super) fn quotes_credential(attempt: &Attempt, text: &[u8]) -> bool {
    let secret = attempt.credential.secret.reveal().as_bytes();
    !secret.is_empty() && memchr::memmem::find(text, secret).is_some()
}

/// How much time a call has left at its present target.
pub(super) fn time_left(call: &Call, elapsed_us: u64) -> Duration {
    let total = call.attempt().map(|attempt| attempt.provider.deadlines.total).unwrap_or_default();
    total.saturating_sub(Duration::from_micros(elapsed_us))
}
