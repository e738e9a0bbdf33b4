//! What earlier processes left counts on.

use policy::limit::{Accounts, Algorithm, Budget, BudgetStanding, Mode, Quota, RateLimit};
use policy::money::NanoUsd;
use policy::window::{BudgetWindow, Now};
use store::{Amount, Began, BudgetState, Kind, SliceState, State};

use super::world::World;
use crate::ledger::Ledger;

const HOUR_MS: u64 = 3_600_000;
/// When the budget began, which is no round time.
const BEGAN_MS: u64 = 1_790_000_012_345;

fn world(window: &str) -> World {
    let window = BudgetWindow::tiled(window.parse().unwrap());
    let quota = Some(Quota { most: 100, window: "1h".parse().unwrap() });
    let (id, algorithm) = ("r0".into(), Algorithm::Rolling);
    World {
        budgets: vec![Budget { id: "b0".into(), limit: NanoUsd(1_000), window, mode: Mode::Hard }],
        rates: vec![RateLimit { id, requests: quota, tokens: quota, concurrent: None, algorithm }],
        ..World::default()
    }
}

/// A budget by the hour, of which so much was spent in its second window.
fn state(spent_nano: u64) -> State {
    let (id, window) = ("b0".to_owned(), "1h".to_owned());
    let (began_ms, window_ms) = (BEGAN_MS, BEGAN_MS + HOUR_MS);
    let budgets = vec![BudgetState { id, window, began_ms, window_ms, spent_nano, total_nano: spent_nano + 500 }];
    State { run: 4, budgets, ..State::default() }
}

fn at(ms: u64) -> Now {
    Now { wall_ms: ms, mono_ms: ms }
}

fn restored(world: &World, state: &State, now_ms: u64) -> (Ledger, Vec<Began>) {
    Ledger::restored(&world.snapshot(), state, None, at(now_ms))
}

fn standing(ledger: &Ledger, world: &World, now_ms: u64) -> BudgetStanding {
    ledger.at(at(now_ms)).of_budget(&world.budgets[0])
}

fn amount(start_ms: u64, amount: u64) -> Amount {
    Amount { kind: Kind::Budget, id: "b0".to_owned(), start_ms, length_ms: 0, amount }
}

#[test]
fn a_budget_goes_on_in_the_window_in_which_it_was_left() {
    let (world, later) = (world("1h"), BEGAN_MS + HOUR_MS + 10);
    let (ledger, began) = restored(&world, &state(300), later);
    assert_eq!(began, [], "the store knows it");
    let resets_at_ms = BEGAN_MS + 2 * HOUR_MS;
    let expected = BudgetStanding { spent: NanoUsd(300), held: NanoUsd::ZERO, resets_at_ms };
    assert_eq!(standing(&ledger, &world, later), expected);
    assert_eq!(standing(&ledger, &world, resets_at_ms).spent, NanoUsd::ZERO);
}

#[test]
fn windows_go_on_tiling_from_where_the_budget_began() {
    let (world, later) = (world("1h"), BEGAN_MS + 7 * HOUR_MS + 10);
    let (ledger, _) = restored(&world, &state(300), later);
    let expected = BudgetStanding { resets_at_ms: BEGAN_MS + 8 * HOUR_MS, ..BudgetStanding::default() };
    assert_eq!(standing(&ledger, &world, later), expected);
}

#[test]
fn a_clock_that_was_set_back_opens_no_budget() {
    let (world, earlier) = (world("1h"), BEGAN_MS - 10 * HOUR_MS);
    let (ledger, _) = restored(&world, &state(1_000), earlier);
    assert_eq!(standing(&ledger, &world, earlier).spent, NanoUsd(1_000));
}

#[test]
fn a_new_budget_and_one_with_other_windows_begin_now() {
    let later = BEGAN_MS + HOUR_MS + 10;
    for (window, state) in [("1h", State::default()), ("1d", state(300))] {
        let world = world(window);
        let (ledger, began) = restored(&world, &state, later);
        let expected = Began { id: "b0".to_owned(), window: window.to_owned(), began_ms: later };
        assert_eq!(began, [expected]);
        assert_eq!(standing(&ledger, &world, later).spent, NanoUsd::ZERO);
    }
}

#[test]
fn what_was_counted_of_rate_limits_counts_on() {
    let world = world("1h");
    let length_ms = HOUR_MS / 12;
    let start_ms = BEGAN_MS / length_ms * length_ms;
    let slice = |kind, id: &str, used| SliceState { kind, id: id.to_owned(), start_ms, length_ms, used };
    let slices =
        vec![slice(Kind::Requests, "r0", 3), slice(Kind::Tokens, "r0", 40), slice(Kind::Tokens, "unknown", 50)];
    let (ledger, _) = restored(&world, &State { slices, ..State::default() }, BEGAN_MS);
    let used = |now_ms| {
        let standing = ledger.at(at(now_ms)).of_rate_limit(&world.rates[0]);
        (standing.requests.used, standing.tokens.used)
    };
    let end_ms = start_ms + length_ms + HOUR_MS;
    assert_eq!((used(BEGAN_MS), used(end_ms - 1), used(end_ms)), ((3, 40), (3, 40), (0, 0)));
}

#[test]
fn a_charge_that_is_taken_back_leaves_its_own_window() {
    let (world, later) = (world("1h"), BEGAN_MS + HOUR_MS + 10);
    let (ledger, _) = restored(&world, &state(300), later);
    ledger.void(&[amount(BEGAN_MS, 50)]);
    assert_eq!(standing(&ledger, &world, later).spent, NanoUsd(300), "it was charged in the window before");
    ledger.void(&[amount(BEGAN_MS + HOUR_MS, 50), Amount { id: "gone".to_owned(), ..amount(0, 5) }]);
    assert_eq!(standing(&ledger, &world, later).spent, NanoUsd(250));
}

#[test]
fn what_another_process_reserves_can_be_shown() {
    let (world, later) = (world("1h"), BEGAN_MS + HOUR_MS + 10);
    let (ledger, _) = restored(&world, &state(300), later);
    ledger.note_held(&[amount(BEGAN_MS + HOUR_MS, 20), amount(BEGAN_MS + HOUR_MS, 30)]);
    assert_eq!(standing(&ledger, &world, later).held, NanoUsd(50));
}
