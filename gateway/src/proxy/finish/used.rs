//! What an attempt is said to have used, by how far its answer came.

use policy::usage::{Metered, Usage, UsageSource};
use providers::meter::Meter;

use crate::proxy::ctx::Call;

/// An attempt whose request was written and that got no answer: streamed, its input was read; otherwise the vendor may have
/// worked to the end.
pub(super) fn unanswered(call: &Call) -> Metered {
    if !call.stream || call.peek.is_background {
        return abandoned();
    }
    let usage = Usage { input: call.peek.demand.input_estimate(), ..Usage::default() };
    Metered { usage, source: UsageSource::Estimated }
}

/// An attempt that was answered, wholly or in part. `None`: it costs nothing.
pub(super) fn answered(call: &Call, meter: &Meter, is_success: bool, was_cut: bool) -> Option<Metered> {
    let cut_short = !meter.is_complete();
    let extra = if cut_short && was_cut { one_second_more(call, meter.output_estimate()) } else { 0 };
    let measured = bounded(call, meter.metered(&call.peek.demand, extra));
    match (is_success, cut_short, measured.source) {
        // An error costs nothing unless the vendor says otherwise.
        (false, _, UsageSource::Reported) => Some(measured),
        (false, ..) => None,
        // A whole answer that broke off says nothing of what it took to make it.
        (true, true, _) if !call.stream => Some(abandoned()),
        // The vendor works on after its answer.
        (true, _, source) if call.peek.is_background && source != UsageSource::Reported => Some(abandoned()),
        (true, ..) => Some(measured),
    }
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
    limit.or(call.peek.demand.own_limit()).map(|limit| call.peek.demand.output_bound(limit))
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

/// The time that pieces which came at once were made in, at the least.
const SHORTEST_US: u64 = 100_000;

/// A rate, from the first content to the last.
///
/// The wait for the first content does not count: a vendor that thinks for a minute and then says all in a second would go on at
/// the pace of that second. Pieces that came at once say little; they are taken for a tenth of a second's work, as vendors send
/// what they have several times a second. Whoever collects longer is charged too much rather than too little, and never beyond
/// the hold.
fn per_second(output: u64, elapsed_us: u64) -> u64 {
    output.saturating_mul(1_000_000).div_ceil(elapsed_us.max(SHORTEST_US))
}

#[cfg(test)]
mod tests {
    use super::per_second;

    #[test]
    fn a_rate_is_taken_from_the_first_content_to_the_last() {
        assert_eq!(per_second(50, 2_000_000), 25);
        assert_eq!(per_second(50, 500_000), 100);
        assert_eq!(per_second(7, 2_000_000), 4, "rounded up");
        assert_eq!(per_second(0, 0), 0);
        assert_eq!(per_second(u64::MAX, 1), u64::MAX / 100_000 + 1, "no overflow");
    }

    #[test]
    fn pieces_that_came_at_once_are_a_tenth_of_a_seconds_work() {
        assert_eq!([per_second(5, 0), per_second(5, 99_999), per_second(5, 100_000)], [50, 50, 50]);
        assert_eq!(per_second(5, 200_000), 25);
    }
}
