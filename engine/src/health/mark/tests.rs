//! How long marks last, and whom they are for.

use super::*;

const SECOND: u64 = 1_000_000;

fn secret() -> Secret {
    Secret::new("sk-one")
}

/// Marks at a time for a call that began just before, and tells how long the mark lasts from then.
fn lasts(mark: &mut Option<Mark>, now_us: u64, growth: Growth, until: Option<Duration>) -> u64 {
    let secret = secret();
    put(mark, Heard { secret: &secret, began_us: now_us - 1, now_us }, growth, until);
    match mark.as_ref().unwrap().standing(Some(&secret), now_us) {
        Standing::Until(until_us) => until_us - now_us,
        Standing::Share(_) => 0,
    }
}

fn heard(secret: &Secret, began_us: u64, now_us: u64) -> Heard<'_> {
    Heard { secret, began_us, now_us }
}

/// The lengths, in seconds, of marks that follow each other, each as soon as the last one is over.
fn one_after_the_other(growth: Growth, times: usize) -> Vec<u64> {
    let (mut mark, mut now) = (None, SECOND);
    let next = |_| {
        let lasts = lasts(&mut mark, now, growth, None);
        now += lasts + 2;
        lasts / SECOND
    };
    (0..times).map(next).collect()
}

#[test]
fn refusals_double_the_mark_up_to_five_minutes() {
    assert_eq!(one_after_the_other(Growth::REFUSED, 9), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
}

#[test]
fn throttling_doubles_the_mark_up_to_half_a_minute() {
    assert_eq!(one_after_the_other(Growth::THROTTLED, 7), [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn what_the_vendor_says_holds_up_to_five_minutes() {
    let said = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(lasts(&mut None, SECOND, Growth::THROTTLED, said(17)), 17 * SECOND);
    assert_eq!(lasts(&mut None, SECOND, Growth::THROTTLED, said(86_400)), 300 * SECOND);
    assert_eq!(lasts(&mut None, SECOND, Growth::THROTTLED, Some(Duration::MAX)), 300 * SECOND);
    let mut mark = None;
    lasts(&mut mark, SECOND, Growth::THROTTLED, said(60));
    assert_eq!(lasts(&mut mark, 2 * SECOND, Growth::THROTTLED, said(5)), 59 * SECOND, "a longer word stands");
    let mut mark = None;
    lasts(&mut mark, SECOND, Growth::THROTTLED, said(60));
    assert_eq!(lasts(&mut mark, 70 * SECOND, Growth::THROTTLED, None), SECOND, "our own guess starts at the beginning");
}

#[test]
fn calls_that_were_under_way_together_count_as_one_refusal() {
    let secret = secret();
    let mut mark = None;
    for now in 10..60 {
        put(&mut mark, heard(&secret, 5, now), Growth::REFUSED, None);
    }
    assert_eq!(mark.unwrap().standing(Some(&secret), 60), Standing::Until(10 + 5 * SECOND));
}

#[test]
fn it_comes_back_within_five_seconds_of_its_end() {
    let mut mark = None;
    lasts(&mut mark, SECOND, Growth::REFUSED, None);
    let mark = mark.unwrap();
    let at = |second: u64| mark.standing(Some(&secret()), second * SECOND);
    assert_eq!(at(5), Standing::Until(6 * SECOND));
    assert_eq!([6, 8, 11].map(at), [100, 460, 1_000].map(Standing::Share));
    assert_eq!(mark.gone_us(), 11 * SECOND);
}

#[test]
fn another_secret_is_not_marked() {
    let (old, new) = (secret(), Secret::new("sk-two"));
    let mut mark = None;
    for second in [1, 20, 60] {
        lasts(&mut mark, second * SECOND, Growth::REFUSED, None);
    }
    let now = 61 * SECOND;
    assert_eq!(mark.as_ref().unwrap().standing(Some(&new), now), Standing::Share(1_000));
    assert!(matches!(mark.as_ref().unwrap().standing(Some(&old), now), Standing::Until(_)));
    assert!(matches!(mark.as_ref().unwrap().standing(None, now), Standing::Until(_)));
    put(&mut mark, heard(&new, now, now + 1), Growth::REFUSED, None);
    assert_eq!(mark.unwrap().standing(Some(&new), now + 1), Standing::Until(now + 1 + 5 * SECOND), "not doubled");
}

#[test]
fn a_success_ends_a_refusal_and_starts_the_doubling_again() {
    let secret = secret();
    let mut mark = None;
    lasts(&mut mark, SECOND, Growth::REFUSED, None);
    lasts(&mut mark, 10 * SECOND, Growth::REFUSED, None);
    lift(&mut mark, heard(&secret, 9 * SECOND, 11 * SECOND));
    assert_eq!(
        mark.as_ref().unwrap().standing(Some(&secret), 11 * SECOND),
        Standing::Until(20 * SECOND),
        "began before"
    );
    lift(&mut mark, heard(&secret, 11 * SECOND, 12 * SECOND));
    assert_eq!(mark.as_ref().unwrap().standing(Some(&secret), 12 * SECOND), Standing::Share(100));
    assert_eq!(lasts(&mut mark, 13 * SECOND, Growth::REFUSED, None), 5 * SECOND);
}

#[test]
fn a_success_does_not_overrule_what_the_vendor_says_about_its_limit() {
    let secret = secret();
    let mut mark = None;
    lasts(&mut mark, SECOND, Growth::THROTTLED, None);
    lasts(&mut mark, 3 * SECOND, Growth::THROTTLED, None);
    soften(&mut mark, heard(&secret, 4 * SECOND, 4 * SECOND));
    assert_eq!(mark.as_ref().unwrap().standing(Some(&secret), 4 * SECOND), Standing::Until(5 * SECOND));
    assert_eq!(lasts(&mut mark, 6 * SECOND, Growth::THROTTLED, None), SECOND);
}
