//! The end of a request: every attempt settled exactly once, the session put back, the record written.

mod used;

use engine::hold::Sent;
use pingora::proxy::Session;
use policy::route::Failure;
use policy::usage::Metered;
use store::{Called, Journal};

use self::used::{answered, unanswered};
use super::Edge;
use super::ctx::{Call, RequestCtx, Stage};

impl Edge {
    /// Settles the attempt under way by what it used. The call stays admitted, so that another attempt can follow.
    pub(super) fn settle(&self, ctx: &mut RequestCtx, outcome: &'static str) {
        let was_cut = ctx.was_cut || ctx.held.as_ref().is_some_and(|held| held.cut().is_some());
        let (call, sent, metered) = match ctx.stage.take() {
            Stage::Sending(call, sent) => {
                let metered = unanswered(&call);
                (call, sent, Some(metered))
            }
            Stage::Answering(call, sent, meter) => {
                let is_success = ctx.record.vendor_status.is_some_and(|status| (200..300).contains(&status));
                ctx.record.vendor_cost = meter.vendor_cost();
                let metered = answered(&call, &meter, is_success, was_cut);
                (call, sent, metered)
            }
            Stage::Connecting(call, hold) => {
                drop(hold);
                ctx.stage = Stage::Admitted(call);
                return;
            }
            other => {
                ctx.stage = other;
                return;
            }
        };
        self.charge(ctx, &call, sent, metered, outcome);
        ctx.stage = Stage::Admitted(call);
    }

    /// Charges an attempt what it used, or nothing.
    fn charge(&self, ctx: &mut RequestCtx, call: &Call, sent: Sent, metered: Option<Metered>, outcome: &'static str) {
        let Some(attempt) = call.attempt() else { return };
        ctx.record.call = ctx.record.call.or(sent.call());
        let (at_ms, price) = (self.clock.now().wall_ms, attempt.price());
        let charge = match metered.filter(|_| ctx.record.costs()) {
            Some(metered) => {
                let charge = sent.settle(&metered, price, at_ms);
                Some((metered, charge, price.is_some()))
            }
            None => {
                sent.settle_free(at_ms);
                None
            }
        };
        ctx.record.settled(attempt, outcome, charge);
    }

    /// Settles an attempt whose whole answer came.
    pub(super) fn settle_whole(&self, ctx: &mut RequestCtx) {
        let client_left = ctx.held.as_ref().is_some_and(|held| held.client_left());
        ctx.record.first_content_us = ctx.stage.call().and_then(|call| call.first_content_us);
        self.settle(ctx, if client_left { "client_left" } else { "answered" });
        self.note_success(ctx);
    }

    /// Tells the route of the attempt, which is settled, that it answered.
    fn note_success(&self, ctx: &mut RequestCtx) {
        if let Stage::Admitted(call) = &mut ctx.stage
            && let Some(flight) = call.flight.take()
        {
            flight.succeeded(self.clock.micros());
        }
    }

    /// Tells the route of the attempt, which is settled, that it failed where nothing can follow.
    pub(super) fn note_failure(&self, ctx: &mut RequestCtx, failure: Failure) {
        if let Stage::Admitted(call) = &mut ctx.stage
            && let Some(flight) = call.flight.take()
        {
            flight.failed(failure, self.clock.micros());
        }
    }

    /// Ends a request: settles what is open, puts the session back, and writes the record.
    pub(super) fn finish(&self, session: &mut Session, ctx: &mut RequestCtx) {
        if let Some(held) = ctx.held.take() {
            ctx.record.client_left |= held.client_left();
            ctx.was_cut |= held.cut().is_some();
            held.restore(session);
        }
        ctx.record.first_content_us = ctx.stage.call().and_then(|call| call.first_content_us);
        let outcome = if ctx.record.client_left { "client_left" } else { "answered" };
        let is_whole = match &ctx.stage {
            Stage::Answering(_, _, meter) => Some(meter.is_complete()),
            _ => None,
        };
        let failure = ctx.stage.failure_told().unwrap_or(Failure::BadAnswer);
        self.settle(ctx, outcome);
        match is_whole {
            Some(true) => self.note_success(ctx),
            Some(false) if !ctx.record.client_left => self.note_failure(ctx, failure),
            _ => {}
        }
        ctx.stage = Stage::Done;
        if let Some(written) = session.response_written() {
            ctx.record.status = written.status.as_u16();
        }
        ctx.record.total_us = self.clock.micros().saturating_sub(ctx.record.started_us);
        self.take_down(ctx);
    }

    /// Writes the record down, as far as calls are logged at this moment.
    fn take_down(&self, ctx: &RequestCtx) {
        let RequestCtx { record, request_id, .. } = ctx;
        let are_logged = self.live.logging().is_enabled;
        self.telemetry.record(record, request_id, are_logged);
        let Some(journal) = &self.journal else { return };
        if are_logged && self.has_request_log {
            record.called(request_id).iter().for_each(|called| journal.called(called));
        } else if let Some(call) = record.call {
            // Else the journal would wait for the end of a call of which it has seen attempts.
            journal.called(&Called { call: Some(call), is_unlogged: true, ..Called::default() });
        }
    }
}
