//! Which of the kept sums answer a question: days where they fit, hours and minutes at the edges. Pure.

use super::rollup::Size;

/// From when on sums of each size are kept; earlier ones were dropped. The beginning of an hour, and of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) minutes_from_ms: u64,
    pub(crate) hours_from_ms: u64,
}

/// A row of stretches of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) size: Size,
    pub(crate) from_ms: u64,
    /// Where it ends; `u64::MAX`: nowhere.
    pub(crate) to_ms: u64,
}

impl Kept {
    /// The shortest size of which sums are kept at this moment.
    fn shortest(self, at_ms: u64) -> Size {
        if at_ms < self.hours_from_ms {
            Size::Day
        } else if at_ms < self.minutes_from_ms {
            Size::Hour
        } else {
            Size::Minute
        }
    }
}

/// The stretches between two moments, which are rounded to the shortest that are kept.
pub(crate) fn between(from_ms: u64, to_ms: u64, kept: Kept) -> Vec<Stretch> {
    let from_ms = kept.shortest(from_ms).floor(from_ms);
    let to_ms = kept.shortest(to_ms).ceil(to_ms);
    let mut stretches = Vec::new();
    fill(Size::Day, from_ms, to_ms, &mut stretches);
    stretches
}

/// Hours alone, of which sums of owners are kept.
pub(crate) fn hours_between(from_ms: u64, to_ms: u64) -> Vec<Stretch> {
    let (from_ms, to_ms) = (Size::Hour.floor(from_ms), Size::Hour.ceil(to_ms));
    Vec::from_iter((from_ms < to_ms).then_some(Stretch { size: Size::Hour, from_ms, to_ms }))
}

fn fill(size: Size, from_ms: u64, to_ms: u64, stretches: &mut Vec<Stretch>) {
    if from_ms >= to_ms {
        return;
    }
    let first = size.ceil(from_ms);
    let last = if to_ms == u64::MAX { to_ms } else { size.floor(to_ms) };
    let Some(shorter) = shorter(size) else {
        stretches.push(Stretch { size, from_ms, to_ms });
        return;
    };
    if first >= last {
        return fill(shorter, from_ms, to_ms, stretches);
    }
    fill(shorter, from_ms, first, stretches);
    stretches.push(Stretch { size, from_ms: first, to_ms: last });
    fill(shorter, last, to_ms, stretches);
}

fn shorter(size: Size) -> Option<Size> {
    match size {
        Size::Day => Some(Size::Hour),
        Size::Hour => Some(Size::Minute),
        Size::Minute => None,
    }
}

/// A length of bars that sums of one size fill, no shorter than is asked for; and that size.
pub(crate) fn bars(bar_ms: u64, from_ms: u64, kept: Kept) -> (u64, Size) {
    let shortest = kept.shortest(from_ms);
    let bar_ms = shortest.ceil(bar_ms.clamp(1, MOST_BAR_MS));
    let size = Size::ALL.into_iter().rev().find(|size| bar_ms.is_multiple_of(size.ms()));
    (bar_ms, size.unwrap_or(Size::Minute))
}

/// No bar is longer than some ten years.
const MOST_BAR_MS: u64 = 3_660 * 86_400_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400_000;
    const HOUR: u64 = 3_600_000;
    const MINUTE: u64 = 60_000;

    proptest! {
        #[test]
        fn stretches_follow_each_other_without_a_gap_and_are_kept(
            from in 0..40 * DAY, length in 1..40 * DAY, minutes in 0..960_u64, hours in 0..40_u64,
        ) {
            let kept = Kept { minutes_from_ms: minutes * HOUR, hours_from_ms: hours * DAY };
            let stretches = between(from, from + length, kept);
            prop_assert!(stretches[0].from_ms <= from && from - stretches[0].from_ms < DAY);
            let end = stretches.last().unwrap().to_ms;
            prop_assert!(end >= from + length && end - from - length < DAY);
            for pair in stretches.windows(2) {
                prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
            }
            for stretch in &stretches {
                prop_assert!(stretch.from_ms < stretch.to_ms);
                prop_assert!(stretch.from_ms.is_multiple_of(stretch.size.ms()));
                prop_assert!(stretch.to_ms.is_multiple_of(stretch.size.ms()));
                let since = match stretch.size {
                    Size::Minute => kept.minutes_from_ms.max(kept.hours_from_ms),
                    Size::Hour => kept.hours_from_ms,
                    Size::Day => 0,
                };
                prop_assert!(stretch.from_ms >= since, "{:?}", stretch);
            }
            let short: u64 = stretches
                .iter()
                .filter(|stretch| stretch.size != Size::Day)
                .map(|stretch| (stretch.to_ms - stretch.from_ms) / stretch.size.ms())
                .sum();
            prop_assert!(short <= 2 * (23 + 59) + 60, "{} are asked for", short);
        }
    }

    #[test]
    fn all_of_time_is_days() {
        let all = Stretch { size: Size::Day, from_ms: 0, to_ms: u64::MAX };
        assert_eq!(between(0, u64::MAX, Kept::default()), [all]);
        assert_eq!(between(5, 5, Kept::default()).len(), 1, "the minute that it is in");
        assert!(between(MINUTE, MINUTE, Kept::default()).is_empty());
    }

    #[test]
    fn bars_are_as_long_as_is_asked_for_where_that_is_kept() {
        let kept = Kept { minutes_from_ms: 10 * DAY, hours_from_ms: 5 * DAY };
        assert_eq!(bars(5 * MINUTE, 10 * DAY, kept), (5 * MINUTE, Size::Minute));
        assert_eq!(bars(5 * MINUTE, 9 * DAY, kept), (HOUR, Size::Hour));
        assert_eq!(bars(2 * HOUR, 4 * DAY, kept), (DAY, Size::Day));
        assert_eq!(bars(2 * DAY, 20 * DAY, kept), (2 * DAY, Size::Day));
        assert_eq!(bars(0, 20 * DAY, kept), (MINUTE, Size::Minute));
        assert_eq!(bars(u64::MAX, 20 * DAY, kept).1, Size::Day);
    }
}
