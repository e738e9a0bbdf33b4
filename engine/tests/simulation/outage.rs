//! A primary that goes down for a minute at steady load, with a standby of weight zero.

use engine::health::RouteHealth;
use policy::route::Failure;
use policy::route::balance::{Balance, Choice, Stick};

use crate::world::{Agenda, MS, SECOND, Seeded, Upstream, order};

const DOWN_FROM_US: u64 = 30 * SECOND;
const DOWN_UNTIL_US: u64 = 90 * SECOND;
const LASTS_US: u64 = 120 * SECOND;

/// What the primary does while it is down.
#[derive(Clone, Copy, Debug)]
struct Outage {
    failure: Failure,
    /// How long a call takes to fail.
    fails_after_us: u64,
}

enum Event {
    Arrival,
    /// A call looks for its next upstream.
    Attempt {
        call: usize,
    },
    End {
        call: usize,
        flight: engine::health::Flight,
        verdict: Option<Failure>,
    },
}

#[derive(Default)]
struct Call {
    began_us: u64,
    left: Vec<usize>,
    attempts: u64,
    answered_by: Option<usize>,
}

fn is_down(upstream: usize, now_us: u64) -> bool {
    upstream == 0 && (DOWN_FROM_US..DOWN_UNTIL_US).contains(&now_us)
}

/// All calls, with who answered them, at so many in a second.
fn calls(outage: Outage, balance: Balance, per_second: u64, is_in_sessions: bool) -> Vec<Call> {
    let upstreams = [Upstream::new("primary", "1"), Upstream::new("standby", "0")];
    let health = RouteHealth::default();
    let mut dice = Seeded::new(5);
    let mut agenda = Agenda::new();
    let mut calls: Vec<Call> = Vec::new();
    agenda.put(0, Event::Arrival);
    while let Some((now_us, event)) = agenda.next() {
        match event {
            Event::Arrival if now_us < LASTS_US => {
                let stick_to = is_in_sessions.then_some(Stick::Session(calls.len() as u64 % 500));
                let choice = Choice { balance, stick_to };
                let mut left = order(&upstreams, &health, choice, &mut dice, now_us);
                left.reverse();
                agenda.put(now_us, Event::Attempt { call: calls.len() });
                calls.push(Call { began_us: now_us, left, ..Call::default() });
                agenda.put(now_us + dice.exponential(SECOND / per_second), Event::Arrival);
            }
            Event::Arrival => {}
            Event::Attempt { call: number } => {
                let call = &mut calls[number];
                let begun = std::iter::from_fn(|| call.left.pop())
                    .find_map(|upstream| Some((upstream, health.begin(upstreams[upstream].route(), now_us)?)));
                if let Some((upstream, flight)) = begun {
                    call.attempts += 1;
                    let down = is_down(upstream, now_us);
                    call.answered_by = (!down).then_some(upstream);
                    let after_us = if down { outage.fails_after_us } else { 200 * MS + dice.exponential(300 * MS) };
                    let verdict = down.then_some(outage.failure);
                    agenda.put(now_us + after_us, Event::End { call: number, flight, verdict });
                }
            }
            Event::End { flight, verdict: None, .. } => flight.succeeded(now_us),
            Event::End { call, flight, verdict: Some(failure) } => {
                flight.failed(failure, now_us);
                agenda.put(now_us, Event::Attempt { call });
            }
        }
    }
    calls
}

/// The part of the calls that began between two times and were answered by the primary, in hundredths.
fn on_primary(calls: &[Call], from_us: u64, to_us: u64) -> usize {
    let within: Vec<_> = calls.iter().filter(|call| (from_us..to_us).contains(&call.began_us)).collect();
    within.iter().filter(|call| call.answered_by == Some(0)).count() * 100 / within.len()
}

fn is_survived(outage: Outage, balance: Balance, per_second: u64, is_in_sessions: bool) {
    let calls = calls(outage, balance, per_second, is_in_sessions);
    let told = format!("{outage:?} {balance:?} {per_second} calls a second, sessions: {is_in_sessions}");
    assert!(calls.iter().all(|call| call.answered_by.is_some()), "{told}: a call was not answered");
    let during: Vec<_> = calls.iter().filter(|call| (DOWN_FROM_US..DOWN_UNTIL_US).contains(&call.began_us)).collect();
    let attempts: u64 = during.iter().map(|call| call.attempts).sum();
    assert!(attempts * 10 <= during.len() as u64 * 12, "{told}: {attempts} attempts for {} calls", during.len());
    assert_eq!(on_primary(&calls, 0, DOWN_FROM_US - SECOND), 100, "{told}");
    assert_eq!(on_primary(&calls, DOWN_FROM_US, DOWN_UNTIL_US), 0, "{told}");
    let back = on_primary(&calls, DOWN_UNTIL_US + 5 * SECOND, LASTS_US);
    assert!(back >= 90, "{told}: {back} in a hundred are back");
}

#[test]
fn a_minute_of_refused_connections_costs_no_answer_and_hardly_an_attempt() {
    let outage = Outage { failure: Failure::Unreachable, fails_after_us: MS };
    for per_second in [5, 50, 500] {
        for balance in [Balance::Weighted, Balance::Adaptive] {
            is_survived(outage, balance, per_second, false);
        }
    }
}

#[test]
fn so_does_a_minute_of_errors() {
    let outage = Outage { failure: Failure::Unavailable { retry_after: None }, fails_after_us: 300 * MS };
    for per_second in [5, 50, 500] {
        is_survived(outage, Balance::Weighted, per_second, false);
    }
}

#[test]
fn so_does_a_minute_of_broken_answers_to_sessions() {
    let outage = Outage { failure: Failure::BadAnswer, fails_after_us: 500 * MS };
    is_survived(outage, Balance::Weighted, 50, true);
}

#[test]
fn a_minute_without_any_answer_is_survived_too() {
    // Connections are given up after five seconds: until then nobody knows.
    let outage = Outage { failure: Failure::Unreachable, fails_after_us: 5 * SECOND };
    is_survived(outage, Balance::Weighted, 50, false);
}
