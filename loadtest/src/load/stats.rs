//! Medians and their uncertainty.

/// Resamplings for an interval; more do not change its second digit.
const RESAMPLES: usize = 10_000;

/// A median with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The median; `None` of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The `q`-quantile, interpolated between neighbours; `None` of nothing.
pub(super) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * usize_to_f64(last);
    let below = (0..=last).rev().find(|n| usize_to_f64(*n) <= position)?;
    let (low, high) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    Some(low + (high - low) * (position - usize_to_f64(below)))
}

/// The median of `values` and the interval in which it lies with 95 % certainty, by resampling. Always the same for the same values.
pub(super) fn bootstrap(values: &[f64]) -> Option<Interval> {
    let mut dice = fastrand::Rng::with_seed(1);
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let sample: Vec<f64> = values.iter().filter_map(|_| dice.choice(values).copied()).collect();
        medians.push(median(&sample)?);
    }
    medians.sort_by(f64::total_cmp);
    let at = |per_mille: usize| medians.get(RESAMPLES * per_mille / 1000).copied();
    Some(Interval { median: median(values)?, low: at(25)?, high: at(975)? })
}

fn usize_to_f64(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(quantile(&[0.0, 10.0], 0.99), Some(9.9));
        assert_eq!(quantile(&[5.0], 0.99), Some(5.0));
    }

    #[test]
    fn the_interval_holds_the_median_and_ignores_an_outlier() {
        let interval = bootstrap(&[2.0, 2.1, 1.9, 2.0, 2.05, 1.95, 9.0, 2.0]).unwrap();
        assert_eq!(interval.median, 2.0);
        assert!(interval.low >= 1.9 && interval.high <= 2.1, "{interval:?}");
        assert_eq!(bootstrap(&[]), None);
    }
}
