//! Real threads on shared accounts: exact totals, never over.

use policy::decision::Reason;
use policy::limit::{Accounts, Algorithm, Budget, Mode, Quota, RateLimit};
use policy::money::NanoUsd;
use policy::route::Caller;
use policy::usage::{Metered, Usage, UsageSource};
use policy::window::{BudgetWindow, Now};

use super::world::{Ask, Goal, Hung, Key, World};
use crate::hold::{Admission, Hold, Sending};
use crate::ledger::{Ledger, Request};

const THREADS: usize = 8;
const CALLS: u64 = 400;
const NOW: Now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };
const GOAL: Goal = Goal { provider: 0, model: 0, is_aliased: false, is_listed: false };

fn hung(budget: usize, rate: usize) -> Hung {
    Hung { budgets: [budget].into(), rate: Some(rate) }
}

/// Two keys, each with a budget of its own, and a provider that both share.
fn world(limits: [u64; 3]) -> World {
    let day = || BudgetWindow::tiled("1d".parse().unwrap());
    let budget =
        |at: usize| Budget { id: format!("b{at}").into(), limit: NanoUsd(limits[at]), window: day(), mode: Mode::Hard };
    let quota = |most| Some(Quota { most, window: "1d".parse().unwrap() });
    let rate = |at: usize| RateLimit {
        id: format!("r{at}").into(),
        requests: quota(u64::MAX),
        tokens: quota(u64::MAX),
        concurrent: Some(6),
        algorithm: Algorithm::Rolling,
    };
    let key = |at: usize| Key { hung: hung(at, at), ..Key::default() };
    World {
        budgets: (0..3).map(budget).collect(),
        rates: (0..3).map(rate).collect(),
        keys: [key(0), key(1), Key::default()],
        providers: [hung(2, 2), Hung::default()],
        prices: [[Some((0, 1_000)); 2]; 2],
        ..World::default()
    }
}

/// What one thread was charged: calls, amount and tokens.
#[derive(Clone, Copy, Default)]
struct Made {
    calls: u64,
    charged: u64,
    tokens: u64,
}

/// One thread's calls with one of the keys; each reserves 100 nano-dollars and ends in one of all ways.
fn calls(world: &World, ledger: &Ledger, seed: usize) -> Made {
    let (snapshot, key) = (world.snapshot(), seed % 2);
    let caller: Caller = world.caller(&snapshot, Some(key));
    let attempt = world.attempt(GOAL, Ask { text_bytes: 0, max_output: Some(100), choices: 1 });
    let asked = GOAL.asked();
    let mut made = Made::default();
    for number in (0..CALLS).map(|number| number + seed as u64) {
        let request = Request {
            snapshot: &snapshot,
            caller: &caller,
            asked: &asked,
            attempt: &attempt,
            more_input: 0,
            may_clamp: false,
            is_admitted: false,
            now: NOW,
        };
        let Some((hold, _admission)) = sooner_or_later(ledger, &request) else { continue };
        let view = ledger.at(NOW);
        for budget in world.budgets.iter().filter(|budget| ["b2", &format!("b{key}")].contains(&budget.id.as_str())) {
            let standing = view.of_budget(budget);
            assert!(standing.spent.saturating_add(standing.held) <= budget.limit, "{standing:?}");
            assert!(standing.held.0 <= 800);
        }
        assert!(view.of_rate_limit(&world.rates[2]).concurrent <= 6);
        made.calls += 1;
        let sending = Sending { caller: &caller, attempt: &attempt, admission: None, at_ms: 0 };
        let output = number % 101;
        match number % 5 {
            0 => drop(hold),
            1 => {
                drop(hold.dispatch(&sending).unwrap());
                (made.charged, made.tokens) = (made.charged + 100, made.tokens + 100);
            }
            2 => hold.dispatch(&sending).unwrap().settle_free(0),
            _ => {
                let usage = Usage { output, ..Usage::default() };
                let metered = Metered { usage, source: UsageSource::Reported };
                let charge = hold.dispatch(&sending).unwrap().settle(&metered, attempt.price(), 0);
                assert_eq!(charge.cost, NanoUsd(output));
                (made.charged, made.tokens) = (made.charged + output, made.tokens + output);
            }
        }
    }
    made
}

/// Tries until the others let it through; `None`: the money is spent.
fn sooner_or_later(ledger: &Ledger, request: &Request<'_>) -> Option<(Hold, Option<Admission>)> {
    loop {
        match ledger.hold(request) {
            Ok(made) => return Some(made),
            Err(denied) if denied.refusal.reason == Reason::BudgetExceeded => return None,
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// What all threads of each key were charged.
fn made_by_all(world: &World, ledger: &Ledger) -> [Made; 2] {
    let mut made = [Made::default(); 2];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || calls(world, ledger, seed))).collect();
        for (seed, thread) in threads.into_iter().enumerate() {
            let (of, sum) = (thread.join().unwrap(), &mut made[seed % 2]);
            *sum =
                Made { calls: sum.calls + of.calls, charged: sum.charged + of.charged, tokens: sum.tokens + of.tokens };
        }
    });
    made
}

#[test]
fn what_threads_charge_adds_up_on_every_account() {
    let world = world([u64::MAX / 2; 3]);
    let ledger = Ledger::new(None, 0);
    let made = made_by_all(&world, &ledger);
    let view = ledger.at(NOW);
    let all = made[0].charged + made[1].charged;
    for (at, expected) in [made[0].charged, made[1].charged, all].into_iter().enumerate() {
        let standing = view.of_budget(&world.budgets[at]);
        assert_eq!((standing.spent.0, standing.held.0), (expected, 0), "budget {at}");
    }
    for (at, of) in made.into_iter().enumerate() {
        let standing = view.of_rate_limit(&world.rates[at]);
        assert_eq!((standing.requests.used, standing.tokens.used), (of.calls, of.tokens), "rate limit {at}");
        assert_eq!((standing.concurrent, standing.tokens.held), (0, 0));
    }
    assert_eq!(made.map(|of| of.calls), [4 * CALLS; 2], "each call was made in the end");
}

#[test]
fn threads_never_spend_more_than_there_is_and_leave_less_than_one_call_needs() {
    let world = world([20_000, 1_000_000, 35_000]);
    let ledger = Ledger::new(None, 0);
    let made = made_by_all(&world, &ledger);
    let view = ledger.at(NOW);
    let standing = |at: usize| view.of_budget(&world.budgets[at]);
    assert!(standing(0).spent.0 <= 20_000 && standing(2).spent.0 <= 35_000);
    assert!(standing(2).spent.0 > 35_000 - 100, "calls were refused that could be paid: {:?}", standing(2));
    assert_eq!(standing(2).spent.0, made[0].charged + made[1].charged);
    assert!((0..3).all(|at| standing(at).held == NanoUsd::ZERO));
}
