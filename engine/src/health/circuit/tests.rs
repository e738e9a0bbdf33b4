//! When a circuit opens, who tries it, and how it closes.

use super::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn closed() -> Circuit {
    Circuit::new(7)
}

/// A circuit that was opened by failures in a row at a time.
fn opened_at(now_us: u64) -> Circuit {
    let mut circuit = closed();
    for _ in 0..FAILURES_IN_A_ROW {
        circuit.failed(None, now_us, now_us);
    }
    circuit
}

fn wait_us(circuit: &Circuit, now_us: u64) -> u64 {
    match circuit.position(now_us) {
        Position::OpenUntil(until_us) => until_us - now_us,
        other => panic!("not open: {other:?}"),
    }
}

fn try_it(circuit: &mut Circuit, now_us: u64) -> Probe {
    match circuit.enter(now_us) {
        Entry::Probe(probe) => probe,
        other => panic!("not to be tried: {other:?}"),
    }
}

#[test]
fn the_fifth_failure_in_a_row_opens_it_and_a_success_starts_the_count_again() {
    let mut circuit = closed();
    for round in 0..10 {
        for _ in 0..4 {
            circuit.failed(None, round * 30 * SECOND, round * 30 * SECOND);
        }
        assert_eq!(circuit.position(round * 30 * SECOND), Position::Closed(1_000));
        circuit.succeeded(None, round * 30 * SECOND, round * 30 * SECOND);
    }
    assert!(matches!(opened_at(0).position(0), Position::OpenUntil(_)));
}

#[test]
fn half_of_twenty_attempts_within_ten_seconds_open_it() {
    let run = |attempts: u64, every_us: u64| {
        let mut circuit = closed();
        for attempt in 0..attempts {
            let now = attempt * every_us;
            if attempt % 2 == 1 { circuit.failed(None, now, now) } else { circuit.succeeded(None, now, now) }
        }
        circuit.position(attempts * every_us)
    };
    assert!(matches!(run(20, 10 * MS), Position::OpenUntil(_)));
    assert_eq!(run(19, 10 * MS), Position::Closed(1_000));
    assert_eq!(run(1_000, SECOND), Position::Closed(1_000), "ten attempts in ten seconds are too few");
}

#[test]
fn one_failure_in_a_hundred_never_opens_it() {
    let mut circuit = closed();
    let mut dice = fastrand::Rng::with_seed(3);
    for attempt in 0..100_000_u64 {
        let now = attempt * 5 * MS;
        if dice.u32(0..100) == 0 {
            circuit.failed(None, now, now)
        } else {
            circuit.succeeded(None, now, now)
        }
        assert_eq!(circuit.position(now), Position::Closed(1_000), "attempt {attempt}");
    }
}

#[test]
fn each_failed_try_doubles_the_wait_up_to_two_seconds() {
    let mut now = 0;
    let mut circuit = opened_at(now);
    for expected in [250, 500, 1_000, 2_000, 2_000, 2_000] {
        let waited = wait_us(&circuit, now);
        assert!(waited <= expected * MS && waited > expected * MS * 7 / 8 - 1, "{waited} for {expected} ms");
        assert_eq!(circuit.enter(now + waited - 1), Entry::Refused);
        now += waited;
        assert_eq!(circuit.position(now), Position::Due);
        let probe = try_it(&mut circuit, now);
        circuit.failed(Some(probe), now, now);
    }
}

#[test]
fn circuits_that_opened_together_are_not_all_tried_together() {
    let waits: std::collections::BTreeSet<_> = (0..32)
        .map(|seed| {
            let mut circuit = Circuit::new(seed << 40);
            (0..FAILURES_IN_A_ROW).for_each(|_| circuit.failed(None, 0, 0));
            wait_us(&circuit, 0)
        })
        .collect();
    assert!(waits.len() > 16, "{waits:?}");
}

#[test]
fn one_call_tries_it_and_a_success_lets_traffic_come_back_within_two_seconds() {
    let mut circuit = opened_at(0);
    let now = 300 * MS;
    let probe = try_it(&mut circuit, now);
    assert_eq!(circuit.enter(now), Entry::Refused);
    circuit.succeeded(Some(probe), now, now);
    let shares = [0, 500, 1_000, 1_500, 2_000].map(|after_ms| circuit.position(now + after_ms * MS));
    assert_eq!(shares, [100, 325, 550, 775, 1_000].map(Position::Closed));
    assert_eq!(circuit.enter(now), Entry::Free);
}

#[test]
fn a_try_without_a_verdict_leaves_it_to_the_next_call() {
    let mut circuit = opened_at(0);
    let probe = try_it(&mut circuit, SECOND);
    circuit.gave_up(Some(probe));
    assert_eq!(circuit.position(SECOND), Position::Due);
    let next = try_it(&mut circuit, SECOND);
    assert_ne!(next, probe);
    circuit.gave_up(Some(probe));
    assert_eq!(circuit.enter(SECOND), Entry::Refused, "the first cannot give back what is the second's");
}

#[test]
fn a_try_that_hangs_keeps_others_away_for_two_seconds_only() {
    let mut circuit = opened_at(0);
    let hanging = try_it(&mut circuit, SECOND);
    assert_eq!(circuit.enter(SECOND + LONGEST_WAIT_US - 1), Entry::Refused);
    let second = try_it(&mut circuit, SECOND + LONGEST_WAIT_US);
    circuit.failed(Some(hanging), SECOND, 4 * SECOND);
    assert_eq!(circuit.enter(4 * SECOND), Entry::Refused, "the second still tries");
    circuit.succeeded(Some(second), 3 * SECOND, 4 * SECOND);
    assert_eq!(circuit.enter(4 * SECOND), Entry::Free);
}

#[test]
fn a_slow_try_closes_it_though_another_took_its_place() {
    let mut circuit = opened_at(0);
    let slow = try_it(&mut circuit, SECOND);
    let _second = try_it(&mut circuit, 3 * SECOND);
    circuit.succeeded(Some(slow), SECOND, 4 * SECOND);
    assert_eq!(circuit.enter(4 * SECOND), Entry::Free);
}

#[test]
fn calls_from_before_it_opened_neither_close_it_nor_hold_it_open() {
    let mut circuit = opened_at(SECOND);
    let waits = wait_us(&circuit, SECOND);
    circuit.succeeded(None, 0, SECOND);
    circuit.failed(None, 0, SECOND);
    assert_eq!(wait_us(&circuit, SECOND), waits);
    let probe = try_it(&mut circuit, 2 * SECOND);
    circuit.succeeded(Some(probe), 2 * SECOND, 2 * SECOND);
    for _ in 0..100 {
        circuit.failed(None, 0, 30 * SECOND);
    }
    assert_eq!(circuit.position(30 * SECOND), Position::Closed(1_000), "what hung through the outage is no news");
}

#[test]
fn content_closes_it_on_trust_until_the_end() {
    let mut circuit = opened_at(0);
    let probe = try_it(&mut circuit, SECOND);
    circuit.reached(Some(probe), SECOND);
    assert_eq!(circuit.enter(SECOND), Entry::Free);
    circuit.failed(Some(probe), SECOND, SECOND + 100 * MS);
    assert!(wait_us(&circuit, SECOND + 100 * MS) > 400 * MS, "it was too early: the wait is doubled");

    let probe = try_it(&mut circuit, 3 * SECOND);
    circuit.reached(Some(probe), 3 * SECOND);
    circuit.succeeded(None, 3 * SECOND, 4 * SECOND);
    circuit.failed(Some(probe), 3 * SECOND, 5 * SECOND);
    assert_eq!(circuit.enter(5 * SECOND), Entry::Free, "others have shown since that it is well");
}

#[test]
fn a_relapse_while_traffic_comes_back_waits_longer_and_a_later_failure_starts_anew() {
    let reopened_after = |healthy_us: u64| {
        let mut circuit = opened_at(0);
        let probe = try_it(&mut circuit, SECOND);
        circuit.succeeded(Some(probe), SECOND, SECOND);
        let again = SECOND + healthy_us;
        (0..FAILURES_IN_A_ROW).for_each(|_| circuit.failed(None, again, again));
        wait_us(&circuit, again)
    };
    assert!(reopened_after(SECOND) > 400 * MS);
    assert!(reopened_after(3 * SECOND) <= 250 * MS);
}
