//! The end of a request: every attempt settled exactly once, the session put back, the record written.

use pingora::proxy::Session;
use policy::route::Failure;
use policy::usage::{Metered, Usage, UsageSource};

use super::Edge;
use super::ctx::{Call, RequestCtx, Stage};

impl Edge {
    /// Settles the attempt under way by what it used. The call stays admitted, so that another attempt can follow.
    pub(super) fn settle(&self, ctx: &mut RequestCtx, outcome: &'static str) {
        let is_success = ctx.record.vendor_status.is_some_and(|status| (200..300).contains(&status));
        let was_cut = ctx.was_cut || ctx.held.as_ref().is_some_and(|held| held.cut().is_some());
        let (call, sent, metered) = match ctx.stage.take() {
            Stage::Sending(call, sent) => {
                let metered = unanswered(&call);
                (call, sent, Some(metered))
            }
            Stage::Answering(call, sent, meter) => {
                let cut_short = !meter.is_complete();
                let extra = if cut_short && was_cut { one_second_more(&call, meter.output_estimate()) } else { 0 };
                let measured = bounded(&call, meter.metered(&call.peek.demand, extra));
                ctx.record.vendor_cost = meter.vendor_cost();
                let metered = match (is_success, cut_short, measured.source) {
                    // An error costs nothing unless the vendor says otherwise.
                    (false, _, UsageSource::Reported) => Some(measured),
                    (false, ..) => None,
                    // A whole answer that broke off says nothing of what it took to make it.
                    (true, true, _) if !call.stream => Some(abandoned()),
                    // The vendor works on after its answer.
                    (true, _, source) if call.peek.is_background && source != UsageSource::Reported => {
                        Some(abandoned())
                    }
                    (true, ..) => Some(measured),
                };
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
        let at_ms = self.clock.now().wall_ms;
        if let Some(attempt) = call.attempt() {
            let price = attempt.price();
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
        ctx.stage = Stage::Admitted(call);
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
        self.telemetry.record(&ctx.record, &ctx.request_id);
    }
}

/// An attempt whose request was written and that got no answer: streamed, its input was read; otherwise the vendor may have
/// worked to the end.
fn unanswered(call: &Call) -> Metered {
    if !call.stream || call.peek.is_background {
        return abandoned();
    }
    let usage = Usage { input: call.peek.demand.input_estimate(), ..Usage::default() };
    Metered { usage, source: UsageSource::Estimated }
}

fn abandoned() -> Metered {
    Metered { usage: Usage::default(), source: UsageSource::Abandoned }
}

/// What a vendor goes on making of a stream that was cut: one second's worth at the rate seen so far.
fn one_second_more(call: &Call, output: u64) -> u64 {
    let seen = call.first_content_us.zip(call.last_content_us);
    let more = seen.map_or(0, |(first, last)| per_second(output, last.saturating_sub(first)));
    // Nothing beyond the limit can come.
    most_output(call).map_or(more, |most| more.min(most.saturating_sub(output)))
}

/// The most output that can come: by the client's own limit, the one that was set here, or the model's.
fn most_output(call: &Call) -> Option<u64> {
    let limit = call.clamped.or_else(|| call.attempt()?.worst_case.map(|worst| worst.output_limit()));
    limit.or(call.peek.demand.max_output).map(|limit| call.peek.demand.output_bound(limit))
}

/// An estimate of the output is no larger than what can have come.
fn bounded(call: &Call, measured: Metered) -> Metered {
    let over = most_output(call).map_or(0, |most| measured.usage.output_total().saturating_sub(most));
    if measured.source == UsageSource::Reported || over == 0 {
        return measured;
    }
    let output = measured.usage.output.saturating_sub(over);
    Metered { usage: Usage { output, ..measured.usage }, ..measured }
}

/// A rate. Pieces that came at once say little of it, so it is taken over a second at least.
fn per_second(output: u64, elapsed_us: u64) -> u64 {
    output.saturating_mul(1_000_000).div_ceil(elapsed_us.max(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::per_second;

    #[test]
    fn a_rate_is_taken_over_a_second_at_least() {
        assert_eq!(per_second(50, 2_000_000), 25);
        assert_eq!(per_second(50, 500_000), 50);
        assert_eq!(per_second(5, 1), 5);
        assert_eq!(per_second(0, 0), 0);
    }
}
