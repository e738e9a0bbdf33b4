//! Decision 4.2: whose output limit is lowered, and to what.

use policy::decision::Reason;
use policy::limit::{Accounts, Algorithm, Budget, Mode, Quota, RateLimit};
use policy::money::NanoUsd;
use policy::window::{BudgetWindow, Now};

use super::world::{Ask, Goal, Hung, MOST_OUTPUT, World};
use crate::hold::{Admission, Hold};
use crate::ledger::{Denied, Ledger, Request};

const NOW: Now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };
/// The second model can answer with 16,384 tokens.
const GOAL: Goal = Goal { provider: 0, model: 1, is_aliased: false, is_listed: false };
const FREE_INPUT: (u64, u64) = (0, 1_000);

/// A provider with a budget of so many nano-dollars; a token of output costs one.
fn world(limit: u64, mode: Mode) -> World {
    let window = BudgetWindow::tiled("1d".parse().unwrap());
    let quota = Some(Quota { most: 100_000, window: "1m".parse().unwrap() });
    let rate =
        RateLimit { id: "r0".into(), requests: None, tokens: quota, concurrent: None, algorithm: Algorithm::Rolling };
    World {
        budgets: vec![Budget { id: "b0".into(), limit: NanoUsd(limit), window, mode }],
        rates: vec![rate],
        providers: [Hung { budgets: [0].into(), rate: Some(0) }, Hung::default()],
        prices: [[Some(FREE_INPUT); 2]; 2],
        ..World::default()
    }
}

fn hold(world: &World, ledger: &Ledger, max_output: Option<u64>, may_clamp: bool) -> Result<Hold, Denied> {
    let snapshot = world.snapshot();
    let attempt = world.attempt(GOAL, Ask { text_bytes: 400, max_output, choices: 1 });
    let (caller, asked) = (world.caller(&snapshot, None), GOAL.asked());
    let request = Request {
        snapshot: &snapshot,
        caller: &caller,
        asked: &asked,
        attempt: &attempt,
        more_input: 0,
        may_clamp,
        is_admitted: false,
        now: NOW,
    };
    ledger.hold(&request).map(|(hold, _): (Hold, Option<Admission>)| hold)
}

/// What a first call without a limit of its own is made of such a budget.
fn first(limit: u64, mode: Mode) -> Result<(u64, Option<u64>), Reason> {
    let (world, ledger) = (world(limit, mode), Ledger::new(None, 0));
    let hold = hold(&world, &ledger, None, true).map_err(|denied| denied.refusal.reason)?;
    assert_eq!(ledger.counts().clamped(), u64::from(hold.clamped().is_some()));
    Ok((hold.amount().0, hold.clamped()))
}

#[test]
fn what_fits_is_not_lowered() {
    assert_eq!(first(MOST_OUTPUT[1], Mode::Hard), Ok((MOST_OUTPUT[1], None)));
}

#[test]
fn what_does_not_fit_is_lowered_to_an_eighth_of_the_rest() {
    assert_eq!(first(MOST_OUTPUT[1] - 1, Mode::Hard), Ok((2_047, Some(2_047))));
    assert_eq!(first(8_000, Mode::Hard), Ok((1_000, Some(1_000))));
}

#[test]
fn it_is_lowered_to_no_less_than_the_floor_and_refused_where_that_does_not_fit() {
    assert_eq!(first(2_000, Mode::Hard), Ok((256, Some(256))));
    assert_eq!(first(256, Mode::Hard), Ok((256, Some(256))));
    assert_eq!(first(255, Mode::Hard), Err(Reason::BudgetExceeded));
}

#[test]
fn a_soft_budget_lowers_nothing() {
    assert_eq!(first(1, Mode::Soft), Ok((MOST_OUTPUT[1], None)));
}

#[test]
fn a_clients_own_limit_is_never_lowered() {
    let (world, ledger) = (world(8_000, Mode::Hard), Ledger::new(None, 0));
    assert_eq!(hold(&world, &ledger, Some(8_000), false).unwrap().clamped(), None);
    let denied = hold(&world, &ledger, Some(8_001), false).unwrap_err();
    assert_eq!((denied.refusal.reason, denied.is_callers), (Reason::BudgetExceeded, false));
}

#[test]
fn what_would_fit_but_for_holds_of_others_is_not_lowered_but_comes_again() {
    let (world, ledger) = (world(MOST_OUTPUT[1], Mode::Hard), Ledger::new(None, 0));
    let other = hold(&world, &ledger, Some(1), false).unwrap();
    let denied = hold(&world, &ledger, None, true).unwrap_err();
    assert_eq!(denied.refusal.reason, Reason::BudgetReserved);
    drop(other);
    assert_eq!(hold(&world, &ledger, None, true).unwrap().clamped(), None);
}

#[test]
fn a_rest_that_is_reserved_refuses_the_lowered_limit_too() {
    let (world, ledger) = (world(8_000, Mode::Hard), Ledger::new(None, 0));
    let _other = hold(&world, &ledger, Some(7_500), false).unwrap();
    let denied = hold(&world, &ledger, None, true).unwrap_err();
    assert_eq!(denied.refusal.reason, Reason::BudgetReserved);
}

#[test]
fn a_lowered_limit_reserves_the_tokens_that_can_still_come() {
    for (limit, clamped) in [(8_000, 1_000), (16_000, 2_000)] {
        let (world, ledger) = (world(limit, Mode::Hard), Ledger::new(None, 0));
        let hold = hold(&world, &ledger, None, true).unwrap();
        assert_eq!(hold.clamped(), Some(clamped));
        let tokens = ledger.at(NOW).of_rate_limit(&world.rates[0]).tokens;
        // A hundred of input, which are likely, and the output.
        assert_eq!((tokens.used, tokens.held), (100 + clamped, 100 + clamped));
    }
}

#[test]
fn a_limit_that_is_only_assumed_is_sent_though_it_fits() {
    let world = world(1_000_000, Mode::Hard);
    let (snapshot, ledger) = (world.snapshot(), Ledger::new(None, 0));
    let mut attempt = world.attempt(GOAL, Ask { text_bytes: 400, max_output: None, choices: 1 });
    attempt.worst_case = attempt.worst_case.map(|worst| worst.assumed(true));
    let (caller, asked) = (world.caller(&snapshot, None), GOAL.asked());
    let made = |may_clamp, more_input| {
        let request = Request {
            snapshot: &snapshot,
            caller: &caller,
            asked: &asked,
            attempt: &attempt,
            more_input,
            may_clamp,
            is_admitted: false,
            now: NOW,
        };
        ledger.hold(&request).map(|(hold, _)| (hold.amount().0, hold.clamped())).unwrap()
    };
    assert_eq!(made(true, 0), (MOST_OUTPUT[1], Some(MOST_OUTPUT[1])));
    assert_eq!(made(false, 0), (MOST_OUTPUT[1], None), "the client's own");
}
