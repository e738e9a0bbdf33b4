//! What rolling windows promise, against a list of all requests that were admitted.

use proptest::prelude::*;

use super::*;

/// A second has slices that do not add up to it; a hundred years are the longest that anyone will think of.
pub(super) const WINDOWS: [&str; 6] = ["1s", "7s", "1m", "1h", "1M", "100Y"];

/// When to begin: at the beginning of time, and now.
pub(super) fn start_ms() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_000_u64, 1_790_000_000_000..1_800_000_000_000_u64]
}

/// How long to wait, in thousandths of the window, and in milliseconds.
pub(super) fn pause() -> impl Strategy<Value = (u64, u64)> {
    (prop_oneof![4 => Just(0), 6 => 0..100_u64, 1 => 0..1_400_u64], 0..4_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Never more than the limit in any window, wherever it begins and both its ends included; a refusal is right if the window
    /// is one slice longer; and what is refused may come after just the wait that it was told.
    #[test]
    fn no_window_has_more_than_the_limit_and_each_wait_is_exact(
        window in proptest::sample::select(WINDOWS.to_vec()),
        most in 1..12_u64,
        start_ms in start_ms(),
        bursts in prop::collection::vec((pause(), 1..6_u32), 1..60),
    ) {
        let limit = limit(quota(most, window), None);
        let window_ms = limit.requests.unwrap().window.nominal_ms();
        let slice_ms = window_ms.div_ceil(12);
        let mut pace = Pace::default();
        let mut admitted: Vec<u64> = Vec::new();
        let mut now_ms = start_ms;
        for ((permille, ms), requests) in bursts {
            now_ms += window_ms / 1_000 * permille + ms;
            for _ in 0..requests {
                match attempt(&mut pace, &limit, slot(0), now_ms) {
                    Ok(_) => admitted.push(now_ms),
                    Err(Short::Limited { requests: true, tokens: false, wait }) => {
                        let since = |age_ms: u64| admitted.iter().filter(|at| **at + age_ms > now_ms).count() as u64;
                        prop_assert!(since(window_ms + slice_ms) >= most, "refused though there was room");
                        let wait_ms = u64::try_from(wait.as_millis()).unwrap();
                        let at = |ms: u64| attempt(&mut pace.clone(), &limit, slot(0), ms).is_ok();
                        prop_assert!(at(now_ms + wait_ms) && !at(now_ms + wait_ms - 1), "told {wait_ms}");
                    }
                    Err(other) => prop_assert!(false, "{other:?}"),
                }
            }
        }
        for first in &admitted {
            let in_window = admitted.iter().filter(|at| (*first..=first + window_ms).contains(*at)).count() as u64;
            prop_assert!(in_window <= most, "{in_window} from {first}");
        }
    }
}

#[test]
fn a_steady_stream_is_admitted_at_twelve_thirteenths_of_the_limit_at_least() {
    let limit = limit(quota(1_200, "1m"), None);
    let mut pace = Pace::default();
    let admitted = (0..600_000_u64).step_by(10).filter(|now| attempt(&mut pace, &limit, slot(0), *now).is_ok()).count();
    assert!((11_077..=12_000 + 1_200).contains(&admitted), "{admitted} of 12,000 in ten minutes");
}
