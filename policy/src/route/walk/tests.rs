//! What follows each kind of failure.

use std::cell::Cell;

use proptest::prelude::*;

use super::super::health::{Health, Reading, Route};
use super::super::tests::{ask_plan, credential, key, listed, provider};
use super::super::{Caller, Dice};
use super::*;
use crate::list::AllowList;
use crate::provider::{Provider, Retries};
use crate::snapshot::{Change, Snapshot};

const LONG: Duration = Duration::from_secs(600);
const REFUSED: Failure = Failure::CredentialRefused;
const UNAVAILABLE: Failure = Failure::Unavailable { retry_after: None };

/// Throws the largest number there is.
struct Last;

impl Dice for Last {
    fn below(&mut self, bound: u64) -> u64 {
        bound.saturating_sub(1)
    }
}

/// Routes of the named credentials are down; so many retries are left.
#[derive(Debug, Default)]
struct Weather {
    down: Vec<&'static str>,
    retries: Cell<u32>,
}

impl Health for Weather {
    fn reading(&self, route: Route<'_>) -> Reading {
        let is_down = self.down.contains(&route.credential.name.as_str());
        let state = if is_down { State::Down { until_ms: 1 } } else { State::Up };
        Reading { state, ..Reading::WELL }
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        self.retries.replace(self.retries.get().saturating_sub(1)) > 0
    }
}

fn weather(retries: u32) -> Weather {
    Weather { retries: Cell::new(retries), ..Weather::default() }
}

/// `one` has the credentials a and b, `two` has c; both serve `m`, `two` also `larger`.
fn world(retries: Retries) -> Snapshot {
    let only = |models: &[&'static str]| AllowList::only(models.iter().copied());
    let put = |name: &str, order: u32, credentials| match provider(name, "openai", order, credentials) {
        Change::PutProvider(provider) => {
            Change::PutProvider(std::sync::Arc::new(Provider { retries, ..(*provider).clone() }))
        }
        other => other,
    };
    let one = put("one", 0, vec![credential("a", only(&["m"]), &[]), credential("b", only(&["m"]), &[])]);
    let two = put("two", 1, vec![credential("c", only(&["m", "larger"]), &[])]);
    [one, two].into_iter().fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn retries(max: u8) -> Retries {
    Retries { max, ..Retries::default() }
}

fn both() -> Caller {
    key(vec![listed("one", AllowList::All, Some("1")), listed("two", AllowList::All, Some("0"))])
}

fn only(provider: &str) -> Caller {
    key(vec![listed(provider, AllowList::All, Some("1"))])
}

/// The credentials of the attempts, and the pauses before them, in milliseconds.
fn walked(world: &Snapshot, caller: Caller, failures: &[Failure], health: &dyn Health) -> Vec<(String, u128)> {
    let mut now = Circumstances { health, accounts: &(), dice: &mut Last, seen: &mut () };
    let mut walk = Walk::begin(ask_plan(world, caller, "m", &["two/larger"]), &mut now);
    let name = |walk: &Walk| walk.attempt().map_or("-".to_owned(), |attempt| attempt.credential.name.to_string());
    let mut seen = vec![(name(&walk), 0)];
    for failure in failures {
        match walk.after(*failure, LONG, &mut now) {
            Some(wait) => seen.push((name(&walk), wait.as_millis())),
            None => break,
        }
    }
    seen
}

fn names(seen: &[(String, u128)]) -> String {
    seen.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_refused_credential_costs_no_retry_and_each_is_tried_once() {
    let seen = walked(&world(retries(0)), only("one"), &[REFUSED; 9], &weather(0));
    assert_eq!(names(&seen).len(), 2, "{seen:?}");
    assert!(seen.iter().all(|(_, wait)| *wait == 0), "{seen:?}");
    let seen = walked(&world(retries(0)), both(), &[REFUSED; 9], &weather(0));
    assert_eq!(names(&seen), "bac", "{seen:?}");
}

#[test]
fn an_unavailable_target_is_asked_again_with_growing_pauses_and_then_left() {
    let seen = walked(&world(retries(3)), both(), &[UNAVAILABLE; 4], &weather(9));
    assert_eq!(names(&seen), "babac", "credentials take turns: {seen:?}");
    let pauses: Vec<_> = seen.iter().map(|(_, wait)| *wait).collect();
    assert_eq!(pauses, [0, 499, 999, 1_999, 0], "full jitter: up to 0.5 s, 1 s, 2 s");
}

#[test]
fn pauses_end_at_the_longest() {
    let bounded = Retries { max: 5, backoff_max: Duration::from_secs(1), ..Retries::default() };
    let seen = walked(&world(bounded), only("two"), &[UNAVAILABLE; 5], &weather(9));
    assert_eq!(seen.iter().map(|(_, wait)| *wait).collect::<Vec<_>>()[1..], [499, 999, 999, 999, 999]);
}

#[test]
fn without_a_retry_left_the_next_target_is_asked_at_once() {
    let seen = walked(&world(retries(3)), both(), &[UNAVAILABLE; 9], &weather(0));
    assert_eq!(seen, [("b".to_owned(), 0), ("c".to_owned(), 0)]);
}

#[test]
fn a_vendor_that_says_when_to_come_back_is_waited_for_if_nobody_else_can_answer() {
    let throttled = |secs| Failure::Throttled { retry_after: Some(Duration::from_secs(secs)) };
    let alone = |secs| names(&walked(&world(retries(1)), only("one"), &[throttled(secs); 3], &weather(9)));
    assert_eq!(alone(5).len(), 4, "both credentials, and after the pause both again");
    assert_eq!(alone(6).len(), 2, "six seconds are longer than the longest pause");
    let seen = walked(&world(retries(1)), both(), &[throttled(2); 2], &weather(9));
    assert_eq!(names(&seen), "bac", "another target is there: {seen:?}");
    let short = Failure::Throttled { retry_after: Some(Duration::from_millis(300)) };
    let seen = walked(&world(retries(1)), both(), &[short, short, short, short], &weather(9));
    assert_eq!((names(&seen).as_str(), seen[2].1), ("babac", 300), "a moment is waited for: {seen:?}");
}

#[test]
fn a_silent_or_broken_route_is_not_asked_again() {
    for failure in [Failure::Silent, Failure::BadAnswer, Failure::Broken { may_repeat: false }] {
        assert_eq!(names(&walked(&world(retries(3)), both(), &[failure; 9], &weather(9))), "bc", "{failure:?}");
    }
    let early = Failure::Broken { may_repeat: true };
    assert_eq!(names(&walked(&world(retries(1)), both(), &[early; 2], &weather(9))), "bac");
}

#[test]
fn what_is_too_long_for_a_model_goes_to_another_model_only() {
    let world = world(retries(3));
    let mut now = Circumstances { health: &weather(9), accounts: &(), dice: &mut Last, seen: &mut () };
    let plan = ask_plan(&world, both(), "m", &["two", "two/larger"]);
    let mut walk = Walk::begin(plan, &mut now);
    assert_eq!(walk.after(Failure::TooLong, LONG, &mut now), Some(Duration::ZERO));
    let attempt = walk.attempt().unwrap();
    assert_eq!((attempt.provider.name.as_str(), attempt.model.as_str()), ("two", "larger"));
    assert_eq!(walk.after(Failure::TooLong, LONG, &mut now), None);
}

#[test]
fn a_credential_that_was_refused_is_not_asked_again_after_a_pause() {
    let seen = walked(&world(retries(3)), only("one"), &[REFUSED, UNAVAILABLE, UNAVAILABLE], &weather(9));
    assert_eq!(names(&seen), "baaa");
}

#[test]
fn what_blames_the_request_ends_the_walk() {
    assert_eq!(names(&walked(&world(retries(3)), both(), &[Failure::Final], &weather(9))), "b");
}

#[test]
fn a_refused_prefill_is_left_out_once_at_each_target() {
    let seen = walked(&world(retries(3)), both(), &[Failure::PrefillRefused; 9], &weather(9));
    assert_eq!(names(&seen), "bbcc");
}

#[test]
fn a_callers_own_credential_is_sent_once_however_many_of_ours_there_are() {
    let own = |key: Caller| Caller { own_credential: Some(crate::provider::Secret::new("sk-own")), ..key };
    let throttled = Failure::Throttled { retry_after: Some(Duration::from_secs(9)) };
    for failure in [REFUSED, throttled, Failure::Silent] {
        assert_eq!(names(&walked(&world(retries(3)), own(both()), &[failure; 3], &weather(9))).len(), 1, "{failure:?}");
    }
    assert_eq!(names(&walked(&world(retries(2)), own(both()), &[UNAVAILABLE; 9], &weather(9))).len(), 3);
}

#[test]
fn nobody_waits_beyond_the_time_that_is_left() {
    let world = world(retries(3));
    let mut now = Circumstances { health: &weather(9), accounts: &(), dice: &mut Last, seen: &mut () };
    let mut walk = Walk::begin(ask_plan(&world, only("two"), "m", &[]), &mut now);
    assert_eq!(walk.after(UNAVAILABLE, Duration::from_millis(499), &mut now), None);
    assert!(walk.after(UNAVAILABLE, Duration::from_millis(500), &mut now).is_some());
}

#[test]
fn credentials_that_are_down_are_passed_over() {
    let down = Weather { down: vec!["b", "c"], ..weather(9) };
    assert_eq!(names(&walked(&world(retries(0)), both(), &[REFUSED; 9], &down)), "a");
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let wait = || prop::option::of((0..20_000_u64).prop_map(Duration::from_millis));
    prop_oneof![
        Just(Failure::CredentialRefused),
        Just(Failure::NotForCredential),
        wait().prop_map(|retry_after| Failure::Throttled { retry_after }),
        wait().prop_map(|retry_after| Failure::Unavailable { retry_after }),
        Just(Failure::Unreachable),
        any::<bool>().prop_map(|may_repeat| Failure::Broken { may_repeat }),
        Just(Failure::Silent),
        Just(Failure::BadAnswer),
        Just(Failure::TooLong),
        Just(Failure::PrefillRefused),
    ]
}

proptest! {
    /// A walk ends, makes no more attempts than its targets have credentials and retries, and never goes back to a target.
    #[test]
    fn every_walk_ends(failures in prop::collection::vec(any_failure(), 64), max in 0..4_u8, budget in 0..20_u32) {
        let world = world(retries(max));
        let health = weather(budget);
        let mut now = Circumstances { health: &health, accounts: &(), dice: &mut Last, seen: &mut () };
        let mut walk = Walk::begin(ask_plan(&world, both(), "m", &["two/larger"]), &mut now);
        let (mut made, mut at, mut waited) = (1_u32, walk.at, Duration::ZERO);
        for failure in failures {
            let before = walk.attempt().map(|attempt| attempt.credential.name.clone());
            let Some(wait) = walk.after(failure, LONG, &mut now) else {
                prop_assert_eq!(walk.attempt().map(|attempt| attempt.credential.name.clone()), before);
                break;
            };
            prop_assert!(walk.at >= at);
            prop_assert!(wait <= Duration::from_secs(5));
            (at, made, waited) = (walk.at, made + 1, waited + wait);
        }
        // Three targets, the first with two credentials; each retry may find both of them again; prefills are left out.
        prop_assert!(made <= 4 + 3 + 2 * 3 * u32::from(max), "{made} attempts");
        prop_assert!(waited <= Duration::from_secs(5) * budget);
    }
}

#[test]
fn who_is_passed_over_is_not_come_back_to() {
    for (caller, names) in [(only("two"), "cc"), (only("one"), "ba"), (both(), "bac")] {
        let world = world(retries(3));
        let health = weather(9);
        let mut now = Circumstances { health: &health, accounts: &(), dice: &mut Last, seen: &mut () };
        let mut walk = Walk::begin(ask_plan(&world, caller, "m", &["two/larger"]), &mut now);
        let mut seen = String::new();
        for _ in 0..9 {
            seen.push_str(walk.attempt().map_or("-", |attempt| attempt.credential.name.as_str()));
            if !walk.skip(&mut now) {
                break;
            }
        }
        assert_eq!(seen, names);
    }
}
