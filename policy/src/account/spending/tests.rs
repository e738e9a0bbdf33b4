//! Tests of what is spent of a budget.

mod model;

use super::*;
use crate::window::{ResetDuration, zone};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn window(every: &str) -> BudgetWindow {
    BudgetWindow::tiled(every.parse::<ResetDuration>().unwrap())
}

fn aligned(every: &str, name: &str) -> BudgetWindow {
    BudgetWindow { calendar_aligned: true, zone: zone(name).unwrap(), ..window(every) }
}

fn budget(limit: u64, window: BudgetWindow) -> Budget {
    Budget { id: "b".into(), limit: NanoUsd(limit), window, mode: Mode::Hard }
}

fn soft(limit: u64) -> Budget {
    Budget { mode: Mode::Soft, ..budget(limit, window("1d")) }
}

/// One of which nothing was spent, and its budget.
fn fresh(limit: u64, every: &str) -> (Spending, Budget) {
    (Spending::new(window(every), 0), budget(limit, window(every)))
}

/// Spent and held, as they stand.
fn stands(spending: &Spending, budget: &Budget, wall_ms: u64) -> (u64, u64) {
    let standing = spending.standing(budget, wall_ms);
    (standing.spent.0, standing.held.0)
}

fn charge(spending: &mut Spending, cost: u64) -> SpendingMark {
    let mark = spending.hold(NanoUsd(cost));
    spending.settle(mark, NanoUsd(cost), NanoUsd(cost));
    mark
}

#[test]
fn a_budget_of_nothing_lets_nothing_through() {
    for budget in [budget(0, window("1d")), soft(0)] {
        let spending = Spending::new(budget.window.clone(), 0);
        assert_eq!(spending.check(&budget, NanoUsd(0)), Err(Short::Spent));
        assert_eq!(spending.check(&budget, NanoUsd(1)), Err(Short::Spent));
    }
}

#[test]
fn what_others_reserved_is_told_apart_from_what_is_spent() {
    let (mut spending, budget) = fresh(10, "1d");
    charge(&mut spending, 2);
    let mark = spending.hold(NanoUsd(5));
    assert_eq!(spending.check(&budget, NanoUsd(3)), Ok(()));
    assert_eq!(spending.check(&budget, NanoUsd(4)), Err(Short::Reserved));
    assert_eq!(spending.check(&budget, NanoUsd(8)), Err(Short::Reserved));
    assert_eq!(spending.check(&budget, NanoUsd(9)), Err(Short::Spent), "it would not fit without the others either");
    assert_eq!(spending.rest(&budget), NanoUsd(8));
    spending.release(mark, NanoUsd(5));
    assert_eq!(spending.check(&budget, NanoUsd(8)), Ok(()));
}

#[test]
fn a_soft_budget_admits_while_anything_is_left() {
    let budget = soft(10);
    let mut spending = Spending::new(budget.window.clone(), 0);
    assert_eq!(spending.check(&budget, NanoUsd(1_000)), Ok(()));
    spending.hold(NanoUsd(1_000));
    assert_eq!(spending.check(&budget, NanoUsd(1_000)), Ok(()), "what is reserved does not count");
    charge(&mut spending, 9);
    assert_eq!(spending.check(&budget, NanoUsd(1_000)), Ok(()));
    charge(&mut spending, 9);
    assert_eq!(spending.check(&budget, NanoUsd(0)), Err(Short::Spent));
}

#[test]
fn more_than_was_held_is_charged_in_full() {
    let (mut spending, budget) = fresh(10, "1d");
    let mark = spending.hold(NanoUsd(4));
    spending.settle(mark, NanoUsd(4), NanoUsd(25));
    assert_eq!(stands(&spending, &budget, 0), (25, 0));
    assert_eq!(spending.rest(&budget), NanoUsd(0));
    assert_eq!(spending.check(&budget, NanoUsd(0)), Err(Short::Spent));
}

#[test]
fn a_charge_belongs_to_the_window_of_its_admission() {
    let (mut spending, budget) = fresh(10, "1d");
    let mark = spending.hold(NanoUsd(4));
    spending.roll(&budget, DAY);
    assert_eq!(stands(&spending, &budget, DAY), (0, 0), "the new window owes nothing for it");
    assert_eq!(spending.held_in_all(), NanoUsd(4), "but it is still reserved");
    let of_today = spending.hold(NanoUsd(5));
    spending.settle(mark, NanoUsd(4), NanoUsd(3));
    assert_eq!(stands(&spending, &budget, DAY), (0, 5));
    assert_eq!((spending.total(), spending.held_in_all()), (NanoUsd(3), NanoUsd(5)));
    spending.release(of_today, NanoUsd(5));
    assert_eq!(spending.held_in_all(), NanoUsd(0));
}

#[test]
fn a_window_is_over_at_its_end_and_not_before() {
    let (mut spending, budget) = fresh(10, "1d");
    charge(&mut spending, 10);
    assert_eq!(stands(&spending, &budget, DAY - 1), (10, 0));
    assert_eq!(spending.standing(&budget, DAY - 1).resets_at_ms, DAY);
    assert_eq!(stands(&spending, &budget, DAY), (0, 0));
    assert_eq!(spending.standing(&budget, DAY).resets_at_ms, 2 * DAY);
    spending.roll(&budget, DAY - 1);
    assert_eq!(spending.check(&budget, NanoUsd(1)), Err(Short::Spent));
    spending.roll(&budget, 40 * DAY + HOUR);
    assert_eq!(spending.check(&budget, NanoUsd(10)), Ok(()));
    assert_eq!(spending.standing(&budget, 0).resets_at_ms, 41 * DAY, "idle windows are passed over");
}

#[test]
fn a_clock_that_is_set_back_opens_no_window_again() {
    let (mut spending, budget) = fresh(10, "1d");
    charge(&mut spending, 10);
    spending.roll(&budget, 3 * DAY);
    charge(&mut spending, 7);
    for wall_ms in [3 * DAY - 1, DAY, 0, 3 * DAY + 1] {
        spending.roll(&budget, wall_ms);
        assert_eq!(stands(&spending, &budget, wall_ms), (7, 0), "{wall_ms}");
    }
    assert_eq!(spending.total(), NanoUsd(17));
}

#[test]
fn a_reset_frees_what_was_spent_and_neither_what_is_reserved_nor_the_total() {
    let (mut spending, budget) = fresh(100, "1d");
    let mark = spending.hold(NanoUsd(30));
    spending.settle(mark, NanoUsd(30), NanoUsd(20));
    spending.hold(NanoUsd(10));
    let (window_ms, spent) = spending.reset();
    assert_eq!((spent.0, spending.standing(&budget, 0).spent.0, spending.standing(&budget, 0).held.0), (20, 0, 10));
    assert_eq!(spending.total().0, 20);
    spending.unreset(window_ms + 1, spent);
    assert_eq!(spending.standing(&budget, 0).spent.0, 0, "another window is not concerned");
    spending.unreset(window_ms, spent);
    assert_eq!(spending.standing(&budget, 0).spent.0, 20);
}

#[test]
fn a_change_of_the_limit_keeps_what_is_used() {
    let (mut spending, mut budget) = fresh(10, "1d");
    charge(&mut spending, 6);
    spending.hold(NanoUsd(3));
    budget.limit = NanoUsd(100);
    spending.roll(&budget, HOUR);
    assert_eq!(stands(&spending, &budget, HOUR), (6, 3));
    assert_eq!(spending.check(&budget, NanoUsd(91)), Ok(()));
    assert_eq!(spending.check(&budget, NanoUsd(92)), Err(Short::Reserved));
    budget.limit = NanoUsd(5);
    assert_eq!(spending.check(&budget, NanoUsd(0)), Err(Short::Spent), "it may be less than is spent");
    budget.mode = Mode::Soft;
    spending.roll(&budget, HOUR);
    assert_eq!(stands(&spending, &budget, HOUR), (6, 3));
}

#[test]
fn a_change_of_the_windows_begins_one_and_keeps_the_total() {
    let (mut spending, mut budget) = fresh(10, "1d");
    charge(&mut spending, 6);
    let held = spending.hold(NanoUsd(3));
    budget.window = window("1w");
    assert_eq!(spending.standing(&budget, 5 * HOUR).resets_at_ms, 7 * DAY + 5 * HOUR);
    spending.roll(&budget, 5 * HOUR);
    assert_eq!(stands(&spending, &budget, 5 * HOUR), (0, 0));
    assert_eq!(spending.began_ms(), 5 * HOUR);
    spending.settle(held, NanoUsd(3), NanoUsd(2));
    assert_eq!(stands(&spending, &budget, 5 * HOUR), (0, 0), "it was admitted before");
    assert_eq!((spending.total(), spending.held_in_all()), (NanoUsd(8), NanoUsd(0)));
}

#[test]
fn windows_that_are_changed_twice_in_a_millisecond_do_not_mix() {
    let (mut spending, mut budget) = fresh(10, "1d");
    let mut marks = vec![spending.hold(NanoUsd(1))];
    for every in ["1w", "1d", "1w"] {
        budget.window = window(every);
        spending.roll(&budget, 0);
        marks.push(spending.hold(NanoUsd(1)));
    }
    for mark in marks {
        spending.settle(mark, NanoUsd(1), NanoUsd(1));
    }
    assert_eq!(stands(&spending, &budget, 0), (1, 0), "only the last is of the window under way");
    assert_eq!((spending.total(), spending.held_in_all()), (NanoUsd(4), NanoUsd(0)));
}

#[test]
fn aligned_windows_with_one_beginning_do_not_mix() {
    let first_of_may = 120 * DAY;
    let mut budget = budget(10, aligned("1d", "UTC"));
    let mut spending = Spending::new(budget.window.clone(), first_of_may);
    let of_the_day = charge(&mut spending, 4);
    budget.window = aligned("1M", "UTC");
    spending.roll(&budget, first_of_may + HOUR);
    charge(&mut spending, 5);
    spending.void(of_the_day.window_ms, NanoUsd(4));
    assert_eq!(stands(&spending, &budget, first_of_may + HOUR), (5, 0), "what is taken back was not charged here");
    assert_eq!(spending.standing(&budget, 0).resets_at_ms, first_of_may + 31 * DAY);
}

#[test]
fn a_charge_that_is_taken_back_is_free_again_in_its_own_window_only() {
    let (mut spending, budget) = fresh(10, "1d");
    let yesterday = charge(&mut spending, 4);
    spending.roll(&budget, DAY);
    let today = charge(&mut spending, 6);
    spending.void(yesterday.window_ms, NanoUsd(4));
    assert_eq!((stands(&spending, &budget, DAY), spending.total()), ((6, 0), NanoUsd(6)));
    spending.void(today.window_ms, NanoUsd(5));
    assert_eq!((stands(&spending, &budget, DAY), spending.total()), ((1, 0), NanoUsd(1)));
}

#[test]
fn what_was_saved_goes_on_in_its_window() {
    let monthly = aligned("1M", "Europe/Berlin");
    let budget = budget(10, monthly.clone());
    // The beginning, a month later the window, 15 days later the restart: 1970-01-16, the end of January in Berlin, 1970-02-15.
    let (began_ms, window_ms, now_ms) = (15 * DAY, 31 * DAY - HOUR, 46 * DAY);
    let mut spending = Spending::restored(monthly, began_ms, window_ms, NanoUsd(7), NanoUsd(30));
    spending.roll(&budget, now_ms);
    assert_eq!(stands(&spending, &budget, now_ms), (7, 0));
    assert_eq!((spending.total(), spending.began_ms()), (NanoUsd(30), began_ms));
    assert_eq!(spending.standing(&budget, now_ms).resets_at_ms, 59 * DAY - HOUR);
    spending.void(window_ms, NanoUsd(2));
    assert_eq!(stands(&spending, &budget, now_ms), (5, 0));
}

#[test]
fn what_was_saved_of_a_window_that_is_over_counts_in_the_total_only() {
    let (_, budget) = fresh(10, "1d");
    let mut spending = Spending::restored(window("1d"), HOUR, HOUR, NanoUsd(7), NanoUsd(7));
    spending.roll(&budget, DAY + HOUR);
    assert_eq!((stands(&spending, &budget, DAY + HOUR), spending.total()), ((0, 0), NanoUsd(7)));
}

#[test]
fn a_window_that_was_saved_in_the_future_stays_until_it_ends() {
    let (_, budget) = fresh(10, "1d");
    let mut spending = Spending::restored(window("1d"), 0, 5 * DAY, NanoUsd(7), NanoUsd(7));
    spending.roll(&budget, DAY);
    assert_eq!(stands(&spending, &budget, DAY), (7, 0));
    assert_eq!(spending.standing(&budget, DAY).resets_at_ms, 6 * DAY);
}

#[test]
fn holds_that_nothing_checks_are_freed_one_by_one() {
    let budget = soft(u64::MAX);
    let mut spending = Spending::new(budget.window.clone(), 0);
    let marks = [(); 3].map(|()| spending.hold(NanoUsd(u64::MAX)));
    assert_eq!(spending.held_in_all(), NanoUsd(u64::MAX), "as much as can be shown");
    spending.release(marks[0], NanoUsd(u64::MAX));
    spending.release(marks[1], NanoUsd(u64::MAX));
    assert_eq!(stands(&spending, &budget, 0), (0, u64::MAX));
    spending.release(marks[2], NanoUsd(u64::MAX));
    assert_eq!(spending.held_in_all(), NanoUsd(0));
}

#[test]
fn the_last_window_stays_to_the_end_of_time() {
    let (mut spending, budget) = fresh(10, "1Y");
    spending.roll(&budget, u64::MAX);
    charge(&mut spending, 10);
    spending.roll(&budget, u64::MAX);
    assert_eq!(spending.check(&budget, NanoUsd(1)), Err(Short::Spent));
}
