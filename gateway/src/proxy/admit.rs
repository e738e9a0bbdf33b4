//! The gate, as this request meets it: required headers, who, body, plan. Decisions are `policy`'s; this brings it the facts.

use std::time::Duration;

use engine::dice::ThreadDice;
use pingora::proxy::Session;
use policy::admit::{admit, enter};
use policy::decision::{Decision, Reason, Refusal};
use policy::route::{Caller, Circumstances, DropReason, Walk};
use policy::settings::StreamRecovery;
use policy::snapshot::Snapshot;

use super::Edge;
use super::body::{self, BodyError, HeldBody};
use super::ctx::{Call, Progress, RequestCtx, Stage};
use super::fields::HeaderFields;
use super::gate::{self, Wish};
use super::held::{Drain, Held};
use super::passed_over::PassedOver;
use super::route::Asked;
use super::whole_events::WholeEvents;

/// Why a request goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client is told.
    Refused(Refusal),
    /// There is nobody to tell.
    ClientLeft,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Edge {
    /// Takes a request through the gate; then its plan stands and its session is held.
    pub(super) async fn admit(&self, session: &mut Session, ctx: &mut RequestCtx, asked: &Asked) -> Result<(), Stop> {
        let snapshot = self.live.snapshot();
        let caller = self.identify(&snapshot, session, ctx, asked)?;
        let keeps_content = self.keeps_content(&snapshot, session, &caller);
        gate::expect_plain(&session.req_header().headers)?;
        let body = body::read(session, self.limits.body, &self.bodies).await.map_err(|error| match error {
            BodyError::Refused(refusal) => Stop::Refused(refusal),
            BodyError::ClientLeft => Stop::ClientLeft,
        })?;
        ctx.record.body_bytes = body.bytes().len() as u64;
        if keeps_content {
            let draft = self.telemetry.contents.begin(ctx.record.started_wall_ms, body.bytes());
            ctx.said = draft.map(Box::new);
        }
        let wish = Wish::read(asked, body.bytes())?;
        ctx.record.asked(&wish.model, wish.stream);
        let headers = HeaderFields(&session.req_header().headers);
        let request = wish.request(asked, &headers, session.req_header().uri.query(), body.bytes());
        let view = self.health.at(self.clock.micros());
        let accounts = self.ledger.at(self.clock.now());
        let mut now = Circumstances { health: &view, accounts: &accounts, dice: &mut ThreadDice, seen: &mut () };
        let plan = match admit(&snapshot, caller, &request, &mut now) {
            Decision::Admit(plan) => plan,
            Decision::Refuse(refusal) => return Err(refusal.into()),
        };
        ctx.record.rules = plan.rules.to_vec();
        for dropped in plan.dropped.iter().filter(|dropped| dropped.reason == DropReason::Exhausted) {
            ctx.record.passed_over(&dropped.provider, "exhausted");
        }
        let (recovery, stream) = (snapshot.settings().stream_recovery, wish.stream);
        let mut call = call(Walk::begin(plan, &mut now), wish, body, recovery);
        call.wants_array = stream && asked.wants_array(session.req_header().uri.query());
        // What cannot be paid for, or not be asked, is refused here, while the connection can go on being used.
        call.hold = self.take_off(&mut call, asked, false, &mut ctx.record);
        if call.hold.is_none()
            && let Some(refusal) = call.passed_over.refusal(call.walk.plan())
        {
            return Err(refusal.into());
        }
        ctx.stage = Stage::Admitted(Box::new(call));
        ctx.held = Some(Held::install(session, self.drain(stream), max_waiting(recovery)));
        Ok(())
    }

    /// Says who calls, from the header alone.
    pub(super) fn identify(
        &self,
        snapshot: &Snapshot,
        session: &Session,
        ctx: &mut RequestCtx,
        asked: &Asked,
    ) -> Result<Caller, Refusal> {
        let header = session.req_header();
        let presented = gate::presented(snapshot, &header.headers, header.uri.query(), asked)?;
        let entered = enter(snapshot, &presented, asked.operation, self.clock.now());
        match &entered {
            Ok(caller) => ctx.record.caller(snapshot, caller),
            Err(refusal) if refusal.reason == Reason::VirtualKeyNotFound => self.throttle.check(session)?,
            Err(_) => {}
        }
        entered
    }

    /// Whether what is said in a call is to be kept in the request log.
    fn keeps_content(&self, snapshot: &Snapshot, session: &Session, caller: &Caller) -> bool {
        // One line that does not plainly allow it forbids it, whatever others say.
        let lines = session.req_header().headers.get_all("x-bf-disable-content-logging");
        let asked = lines.iter().map(|line| allows_content(line.as_bytes())).reduce(|one, other| one && other);
        let key = caller.key.as_ref().and_then(|key| key.keeps_content);
        self.has_request_log && snapshot.settings().logging.keeps_content_of(key, asked)
    }

    fn drain(&self, stream: bool) -> Drain {
        if stream {
            Drain::Bounded { time: self.limits.drain_time, bytes: self.limits.drain_bytes }
        } else {
            Drain::ToTheEnd
        }
    }
}

/// Whether a `disable` header's value says that it is not to be disabled.
fn allows_content(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    value == b"0" || value.eq_ignore_ascii_case(b"false")
}

/// A call of which nothing was tried yet.
fn call(walk: Walk, wish: Wish, body: HeldBody, recovery: StreamRecovery) -> Call {
    Call {
        walk,
        wait: Duration::ZERO,
        flight: None,
        error: None,
        recovery,
        script: None,
        mode: None,
        refused_prefill: false,
        stream: wish.stream,
        peek: wish.peek,
        body: Some(body),
        hold: None,
        admission: None,
        passed_over: PassedOver::default(),
        foreign: None,
        clamped: None,
        repeats: 0,
        addresses: 0,
        address: None,
        sent_us: 0,
        whole_events: WholeEvents::default(),
        progress: Progress::default(),
        is_stream: false,
        wants_array: false,
        streams_array: false,
        first_content_us: None,
        last_content_us: None,
    }
}

/// How much of an answer waits for the first bytes that count.
fn max_waiting(recovery: StreamRecovery) -> usize {
    match recovery {
        StreamRecovery::Error | StreamRecovery::Resume => 64 * 1024,
        StreamRecovery::Buffer => 32 * 1024 * 1024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_plainly_disables_nothing_allows_content_to_be_kept() {
        for (value, allows) in
            [("false", true), (" FALSE ", true), ("0", true), ("true", false), ("yes", false), ("", false)]
        {
            assert_eq!(allows_content(value.as_bytes()), allows, "{value:?}");
        }
        assert!(!allows_content(b"fals\xe9"));
    }
}
