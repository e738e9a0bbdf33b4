//! Tests of counting in slices.

use super::*;
use crate::window::ResetDuration;

const SECOND: Duration = Duration::from_secs(1);

fn counter<const HELD: usize>(algorithm: Algorithm, window: &str) -> Counter<HELD> {
    Counter::new(1, algorithm, quota(window))
}

fn quota(window: &str) -> Quota {
    Quota { most: 1, window: window.parse::<ResetDuration>().unwrap() }
}

fn add<const HELD: usize>(counter: &mut Counter<HELD>, now_ms: u64, used: u64, held: u64) -> u64 {
    counter.roll(now_ms);
    counter.add(used, held)
}

fn ms(wait: u64) -> Duration {
    Duration::from_millis(wait)
}

#[test]
fn a_slice_counts_until_its_end_is_one_window_old() {
    // A second has slices of 84 ms, of which twelve are 1,008.
    for (window, slice_ms, window_ms) in [("1s", 84, 1_000), ("1m", 5_000, 60_000), ("1h", 300_000, 3_600_000)] {
        for into_ms in [0, 1, slice_ms - 1] {
            let mut requests: Requests = counter(Algorithm::Rolling, window);
            let start_ms = add(&mut requests, 10 * slice_ms + into_ms, 1, 0);
            assert_eq!((start_ms, requests.slice_ms()), (10 * slice_ms, slice_ms), "{window}");
            let end_ms = 11 * slice_ms + window_ms;
            for (now_ms, used) in [(end_ms - slice_ms, 1), (end_ms - 1, 1), (end_ms, 0), (end_ms + 9 * window_ms, 0)] {
                assert_eq!(requests.used(now_ms), used, "{window}: read at {now_ms}");
                let mut rolled = requests.clone();
                rolled.roll(now_ms);
                assert_eq!(rolled.used(now_ms), used, "{window}: rolled to {now_ms}");
            }
        }
    }
}

#[test]
fn slices_leave_one_by_one() {
    let mut requests: Requests = counter(Algorithm::Rolling, "1m");
    for slice in 0..13 {
        add(&mut requests, slice * 5_000, slice + 1, 0);
    }
    for gone in 0..13 {
        let now_ms = 65_000 + gone * 5_000;
        assert_eq!(requests.used(now_ms - 1), (gone + 1..=13).sum::<u64>(), "{now_ms}");
        requests.roll(now_ms);
        assert_eq!(requests.used(now_ms), (gone + 2..=13).sum::<u64>(), "{now_ms}");
    }
}

#[test]
fn the_wait_is_until_enough_has_rolled_out() {
    let mut requests: Requests = counter(Algorithm::Rolling, "1m");
    for (now_ms, used) in [(0, 3), (12_000, 4), (31_000, 5)] {
        add(&mut requests, now_ms, used, 0);
    }
    let now_ms = 32_000;
    assert_eq!(requests.wait(13, 1, now_ms), Duration::ZERO);
    assert_eq!(requests.wait(12, 1, now_ms), ms(65_000 - now_ms), "the three of the first slice");
    assert_eq!(requests.wait(12, 3, now_ms), ms(65_000 - now_ms));
    assert_eq!(requests.wait(12, 4, now_ms), ms(75_000 - now_ms), "and the four after them");
    assert_eq!(requests.wait(12, 8, now_ms), ms(95_000 - now_ms), "all");
    assert_eq!(requests.wait(2, 1, now_ms), ms(95_000 - now_ms), "the limit was lowered");
}

#[test]
fn for_what_is_only_reserved_the_wait_is_a_second_at_most() {
    let mut tokens: Tokens = counter(Algorithm::Rolling, "1m");
    add(&mut tokens, 0, 3, 0);
    let reserved = add(&mut tokens, 31_000, 6, 6);
    assert_eq!(tokens.wait(10, 5, 32_000), SECOND, "without what is reserved it would fit");
    assert_eq!(tokens.wait(10, 4, 64_500), ms(500), "sooner what was used rolls out");
    assert_eq!(tokens.wait(10, 8, 32_000), ms(95_000 - 32_000), "without what is reserved it would not fit");
    tokens.settle(reserved, 6, 6);
    assert_eq!(tokens.wait(10, 4, 32_000), ms(33_000));
}

#[test]
fn a_fixed_window_begins_with_its_first_count() {
    let mut requests: Requests = counter(Algorithm::Fixed, "1m");
    requests.roll(7_000);
    assert_eq!(add(&mut requests, 50_000, 1, 0), 50_000, "looking at it begins nothing");
    assert_eq!(add(&mut requests, 109_999, 1, 0), 50_000);
    assert_eq!((requests.used(109_999), requests.wait(2, 1, 100_000)), (2, ms(10_000)));
    assert_eq!(requests.used(110_000), 0);
    requests.roll(110_000);
    assert_eq!(add(&mut requests, 170_001, 1, 0), 170_001, "the next begins with the next count");
    assert_eq!(requests.standing(170_001), QuotaStanding { used: 1, held: 0, frees_in_ms: 60_000 });
}

#[test]
fn a_fixed_window_that_counted_nothing_but_began_keeps_what_is_settled_in_it() {
    let mut tokens: Tokens = counter(Algorithm::Fixed, "1m");
    let start_ms = add(&mut tokens, 1_000, 0, 0);
    tokens.roll(2_000);
    tokens.settle(start_ms, 0, 9);
    assert_eq!(tokens.used(2_000), 9, "an estimate may be none");
    tokens.roll(61_000);
    tokens.settle(start_ms, 0, 9);
    assert_eq!(tokens.used(61_000), 0, "it is over");
}

#[test]
fn a_time_before_the_newest_slice_counts_as_in_it() {
    let mut requests: Requests = counter(Algorithm::Rolling, "1m");
    add(&mut requests, 100_000, 1, 0);
    assert_eq!(add(&mut requests, 99_999, 1, 0), 100_000, "another thread was faster");
    assert_eq!(requests.used(99_999), 2);
    let mut requests: Requests = counter(Algorithm::Fixed, "1m");
    add(&mut requests, 100_000, 1, 0);
    assert_eq!(add(&mut requests, 99_999, 1, 0), 100_000);
    assert_eq!(requests.used(99_999), 2);
}

#[test]
fn a_fixed_window_that_is_over_is_not_seen_again_by_a_thread_whose_time_is_old() {
    let mut tokens: Tokens = counter(Algorithm::Fixed, "1m");
    let old = add(&mut tokens, 0, 3, 3);
    tokens.roll(60_000);
    assert_eq!(add(&mut tokens, 59_999, 1, 0), 60_000, "nor does the next begin in it");
    tokens.settle(old, 3, 9);
    assert_eq!(tokens.used(59_999), 1);
}

#[test]
fn what_is_settled_counts_in_the_slice_of_its_admission() {
    let mut tokens: Tokens = counter(Algorithm::Rolling, "1m");
    let first = add(&mut tokens, 0, 10, 10);
    let second = add(&mut tokens, 30_000, 10, 10);
    tokens.settle(first, 10, 400);
    assert_eq!((tokens.used(30_000), tokens.held(30_000)), (410, 10), "more than the estimate, in full");
    tokens.settle(second, 10, 3);
    assert_eq!((tokens.used(64_999), tokens.used(65_000), tokens.held(30_000)), (403, 3, 0));
    tokens.roll(70_000);
    tokens.settle(first, 0, 1_000);
    assert_eq!(tokens.used(70_000), 3, "a slice that is gone stays so");
}

#[test]
fn slices_of_an_earlier_process_are_restored_in_any_order() {
    let saved = [(40_000, 4), (0, 1), (5_000, 2), (60_000, 8), (35_000, 3)];
    for turn in 0..saved.len() {
        let mut order = saved;
        order.rotate_left(turn);
        let mut requests: Requests = counter(Algorithm::Rolling, "1m");
        order.iter().for_each(|(slice_ms, used)| requests.restore(*slice_ms, *used, 68_000));
        requests.roll(68_000);
        assert_eq!(requests.used(68_000), 17, "{turn}: the first slice is over");
        assert_eq!(requests.used(100_000), 12);
    }
}

#[test]
fn slices_of_the_future_count_as_of_now() {
    for (algorithm, slices, end_ms) in [
        (Algorithm::Rolling, [80_000, 500_000], 45_000 + 60_000),
        (Algorithm::Fixed, [81_234, 500_000], 42_000 + 60_000),
    ] {
        let mut requests: Requests = counter(algorithm, "1m");
        slices.into_iter().for_each(|slice_ms| requests.restore(slice_ms, 2, 42_000));
        requests.roll(42_000);
        assert_eq!(
            (requests.used(42_000), requests.used(end_ms - 1), requests.used(end_ms)),
            (4, 4, 0),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_fixed_window_goes_on_after_a_restart_until_it_ends() {
    let mut requests: Requests = counter(Algorithm::Fixed, "1m");
    requests.restore(1_234, 9, 100_000);
    requests.roll(100_000);
    assert_eq!(requests.standing(100_000), QuotaStanding::default(), "one that is over does not");
    requests.restore(71_234, 5, 100_000);
    requests.roll(100_000);
    assert_eq!(add(&mut requests, 100_000, 1, 0), 71_234);
    assert_eq!((requests.used(131_233), requests.used(131_234)), (6, 0));
}

#[test]
fn a_fixed_window_is_no_slice_of_a_rolling_one() {
    let mut requests: Requests = counter(Algorithm::Rolling, "12h");
    assert_eq!(requests.slice_ms(), 3_600_000, "as long as a fixed window of an hour");
    requests.restore(3_600_001, 9, 7_000_000);
    assert_eq!(requests.used(7_000_000), 0);
}

#[test]
fn no_window_is_too_long_and_no_time_too_late() {
    for algorithm in [Algorithm::Rolling, Algorithm::Fixed] {
        for window in ["1s", "100Y", "4294967295w", "4294967295Y"] {
            let mut tokens: Tokens = counter(algorithm, window);
            for now_ms in [0, 1_800_000_000_000, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
                let slice_ms = add(&mut tokens, now_ms, 5, 5);
                tokens.settle(slice_ms, 5, 9);
                tokens.restore(now_ms, u64::MAX, now_ms);
                let _ = (tokens.wait(10, 5, now_ms), tokens.standing(now_ms));
            }
        }
        let mut tokens: Tokens = counter(algorithm, "4294967295Y");
        add(&mut tokens, 0, 5, 0);
        tokens.roll(1_800_000_000_000);
        assert_eq!(tokens.used(1_800_000_000_000), 5);
        assert!(tokens.wait(5, 1, 1_800_000_000_000) > Duration::from_secs(1 << 40));
    }
}
