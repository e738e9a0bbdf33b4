//! Tests of what is used of a rate limit.

mod model;
mod rolling;

use super::*;
use crate::window::ResetDuration;

const MINUTE: u64 = 60_000;

fn quota(most: u64, window: &str) -> Option<Quota> {
    Some(Quota { most, window: window.parse::<ResetDuration>().unwrap() })
}

fn limit(requests: Option<Quota>, tokens: Option<Quota>) -> RateLimit {
    RateLimit { id: "r".into(), requests, tokens, concurrent: None, algorithm: Algorithm::Rolling }
}

fn slot(tokens: u64) -> Slot {
    Slot { request: true, tokens }
}

/// Counts an attempt if it may be made.
fn attempt(pace: &mut Pace, limit: &RateLimit, slot: Slot, steady_ms: u64) -> Result<PaceMark, Short> {
    pace.roll(limit, steady_ms);
    pace.check(limit, slot, steady_ms)?;
    Ok(pace.hold(limit, slot))
}

/// Requests and tokens used, as they stand.
fn used(pace: &Pace, limit: &RateLimit, steady_ms: u64) -> (u64, u64) {
    let standing = pace.standing(limit, steady_ms);
    (standing.requests.used, standing.tokens.used)
}

fn limited(requests: bool, tokens: bool, wait_ms: u64) -> Short {
    Short::Limited { requests, tokens, wait: Duration::from_millis(wait_ms) }
}

#[test]
fn a_refusal_says_which_limit_is_reached_and_for_how_long() {
    let limit = limit(quota(2, "1m"), quota(100, "1h"));
    let mut pace = Pace::default();
    attempt(&mut pace, &limit, slot(60), 0).map(|mark| pace.settle(mark, None)).unwrap();
    let tokens_end = 300_000 + 60 * MINUTE;
    assert_eq!(attempt(&mut pace, &limit, slot(41), 0), Err(limited(false, true, tokens_end)));
    attempt(&mut pace, &limit, slot(40), 0).map(|mark| pace.settle(mark, None)).unwrap();
    assert_eq!(attempt(&mut pace, &limit, slot(0), 1), Err(limited(true, false, 65_000 - 1)));
    assert_eq!(
        attempt(&mut pace, &limit, slot(1), 1),
        Err(limited(true, true, tokens_end - 1)),
        "the longer of the two"
    );
}

#[test]
fn an_attempt_that_is_no_request_is_asked_for_its_tokens_only() {
    let limit = RateLimit { concurrent: Some(1), ..limit(quota(1, "1m"), quota(10, "1m")) };
    let mut pace = Pace::default();
    attempt(&mut pace, &limit, slot(4), 0).unwrap();
    let fallback = Slot { request: false, tokens: 4 };
    let mark = attempt(&mut pace, &limit, fallback, 0).unwrap();
    assert_eq!((mark.request(&limit), used(&pace, &limit, 0)), (None, (1, 8)));
    assert_eq!(pace.standing(&limit, 0).concurrent, 1);
    assert_eq!(attempt(&mut pace, &limit, fallback, 0), Err(limited(false, true, 1_000)), "reserved, for a moment");
}

#[test]
fn an_estimate_is_never_more_than_the_limit_itself() {
    let limit = limit(None, quota(100, "1m"));
    let mut pace = Pace::default();
    let mark = attempt(&mut pace, &limit, slot(5_000), 0).expect("else it could never be made");
    assert_eq!(mark.tokens(&limit), Some((0, 5_000, 100)));
    pace.settle(mark, Some(4_000));
    assert_eq!(used(&pace, &limit, 0), (0, 4_000), "more than was held counts in full");
    assert_eq!(attempt(&mut pace, &limit, slot(1), 0), Err(limited(false, true, 65_000)));
}

#[test]
fn tokens_are_settled_down_and_what_was_abandoned_counts_as_held() {
    let limit = limit(None, quota(100, "1m"));
    let mut pace = Pace::default();
    let marks = [30, 30, 30].map(|tokens| attempt(&mut pace, &limit, slot(tokens), 0).unwrap());
    pace.settle(marks[0], Some(5));
    pace.settle(marks[1], None);
    pace.settle(marks[2], Some(0));
    let standing = pace.standing(&limit, 0).tokens;
    assert_eq!((standing.used, standing.held), (35, 0));
}

#[test]
fn a_request_that_was_not_sent_is_taken_back() {
    let limit = limit(quota(1, "1m"), quota(10, "1m"));
    let mut pace = Pace::default();
    let mark = attempt(&mut pace, &limit, slot(10), 0).unwrap();
    assert!(attempt(&mut pace, &limit, slot(1), 1).is_err());
    pace.take_back_request(mark);
    pace.settle(mark, Some(0));
    pace.leave();
    assert_eq!(pace.standing(&limit, 1), RateStanding::default());
    assert!(attempt(&mut pace, &limit, slot(10), 1).is_ok());
}

#[test]
fn calls_in_flight_are_counted_exactly() {
    let limit = RateLimit { concurrent: Some(2), ..limit(None, None) };
    let mut pace = Pace::default();
    attempt(&mut pace, &limit, slot(0), 0).unwrap();
    attempt(&mut pace, &limit, slot(0), 0).unwrap();
    assert_eq!(attempt(&mut pace, &limit, slot(0), 500 * MINUTE), Err(Short::Crowded), "time frees none");
    pace.leave();
    assert!(attempt(&mut pace, &limit, slot(0), 0).is_ok());
    assert_eq!(attempt(&mut pace, &limit, slot(0), 0), Err(Short::Crowded));
    let wider = RateLimit { concurrent: Some(3), ..limit.clone() };
    assert!(attempt(&mut pace, &wider, slot(0), 0).is_ok(), "a change of the limit keeps the count");
    (0..9).for_each(|_| pace.leave());
    assert_eq!(pace.standing(&limit, 0).concurrent, 0, "never below zero");
    assert!(attempt(&mut pace, &limit, slot(0), 0).is_ok());
    let none = RateLimit { concurrent: Some(0), ..limit };
    assert_eq!(attempt(&mut Pace::default(), &none, slot(0), 0), Err(Short::Crowded));
}

#[test]
fn a_change_of_the_limit_keeps_what_is_used() {
    let mut limit = limit(quota(2, "1m"), quota(10, "1m"));
    let mut pace = Pace::default();
    let mark = attempt(&mut pace, &limit, slot(8), 0).unwrap();
    (limit.requests, limit.tokens) = (quota(5, "1m"), quota(9, "1m"));
    pace.roll(&limit, 0);
    assert_eq!(used(&pace, &limit, 0), (1, 8));
    pace.settle(mark, Some(9));
    assert_eq!(attempt(&mut pace, &limit, slot(1), 0), Err(limited(false, true, 65_000)));
}

#[test]
fn a_change_of_the_window_begins_anew_and_old_marks_do_not_touch_it() {
    let minute = limit(quota(5, "1m"), quota(100, "1m"));
    let changed = [
        limit(quota(5, "1h"), quota(100, "1h")),
        RateLimit { algorithm: Algorithm::Fixed, ..minute.clone() },
        limit(None, None),
    ];
    for other in changed {
        let mut pace = Pace::default();
        let old = attempt(&mut pace, &minute, slot(60), 3_600_000).unwrap();
        assert_eq!(used(&pace, &other, 3_600_000), (0, 0), "as it will stand");
        pace.roll(&other, 3_600_000);
        // And back again: the same slice of the same window, but of another counter.
        pace.roll(&minute, 3_600_000);
        let new = attempt(&mut pace, &minute, slot(50), 3_600_000).unwrap();
        assert_eq!((old.request_ms, old.tokens_ms), (new.request_ms, new.tokens_ms));
        pace.take_back_request(old);
        pace.settle(old, Some(0));
        assert_eq!(used(&pace, &minute, 3_600_000), (1, 50));
        pace.settle(new, Some(7));
        assert_eq!(used(&pace, &minute, 3_600_000), (1, 7));
    }
}

#[test]
fn each_quota_changes_alone() {
    let mut limit = limit(quota(5, "1m"), quota(100, "1m"));
    let mut pace = Pace::default();
    let mark = attempt(&mut pace, &limit, slot(60), 0).unwrap();
    limit.requests = quota(5, "1h");
    pace.roll(&limit, 0);
    assert_eq!(used(&pace, &limit, 0), (0, 60));
    pace.settle(mark, Some(20));
    assert_eq!(used(&pace, &limit, 0), (0, 20));
}

#[test]
fn an_idle_fixed_window_begins_with_the_next_request() {
    let limit = RateLimit { algorithm: Algorithm::Fixed, ..limit(quota(1, "1m"), None) };
    let mut pace = Pace::default();
    pace.roll(&limit, 1_000);
    assert_eq!(pace.check(&limit, slot(0), 1_000), Ok(()), "asked, but not made");
    attempt(&mut pace, &limit, slot(0), 50_000).unwrap();
    assert_eq!(attempt(&mut pace, &limit, slot(0), 61_000), Err(limited(true, false, 110_000 - 61_000)));
    assert_eq!(attempt(&mut pace, &limit, slot(0), 109_999), Err(limited(true, false, 1)));
    assert_eq!(attempt(&mut pace, &limit, slot(0), 300_000).unwrap().request(&limit), Some((300_000, MINUTE)));
}

#[test]
fn what_an_earlier_process_counted_counts_on() {
    let limit = limit(quota(10, "1m"), quota(100, "1m"));
    let mut pace = Pace::default();
    pace.restore_requests(&limit, (0, 5_000), 3, 62_000);
    pace.restore_requests(&limit, (60_000, 5_000), 4, 62_000);
    pace.restore_tokens(&limit, (60_000, 5_000), 70, 62_000);
    pace.restore_tokens(&limit, (60_000, 300_000), 1_000, 62_000);
    pace.restore_tokens(&limit, (60_000, 0), 1_000, 62_000);
    pace.roll(&limit, 62_000);
    assert_eq!(used(&pace, &limit, 62_000), (7, 70), "slices of other windows do not");
    assert_eq!(used(&pace, &limit, 65_000), (4, 70));
    assert_eq!(used(&pace, &limit, 125_000), (0, 0));
    assert_eq!(attempt(&mut pace, &limit, slot(31), 62_000), Err(limited(false, true, 63_000)));
}

#[test]
fn a_million_of_them_fit_and_counting_allocates_nothing() {
    assert!(size_of::<Pace>() <= 24);
    assert!(size_of::<Requests>() <= 160 && size_of::<Tokens>() <= 264);
    let limit = limit(quota(1_000, "1s"), quota(100_000, "1m"));
    let mut pace = Pace::default();
    pace.roll(&limit, 0);
    let counted = allocation_counter::measure(|| {
        for steady_ms in (0..100_000).step_by(997) {
            let mark = attempt(&mut pace, &limit, slot(10), steady_ms).unwrap();
            assert!(pace.standing(&limit, steady_ms).tokens.held > 0);
            pace.settle(mark, Some(20));
            pace.leave();
        }
    });
    assert_eq!(counted.count_total, 0);
}
