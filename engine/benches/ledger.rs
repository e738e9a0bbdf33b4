//! What admission costs with limits on four levels, and the ledger's part of it; what threads do on one shared account.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "what criterion does not measure is printed")]

#[path = "../tests/support/four_levels.rs"]
mod four_levels;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use engine::hold::{Admission, Hold, Sending, Sent};
use engine::ledger::{Ledger, Request};
use policy::route::Walk;
use policy::snapshot::Snapshot;

use four_levels::{KEYS_OF_A_CUSTOMER, NOW, one_budget, snapshot, token, used, walk, wanted};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 100_000;

fn sent(hold: Hold, request: &Request<'_>) -> Sent {
    let sending = Sending { caller: request.caller, attempt: request.attempt, admission: None, at_ms: NOW.wall_ms };
    hold.dispatch(&sending).unwrap()
}

/// Few at a time, as are in flight on one core: what was made is dropped outside the measured time.
const BATCH: BatchSize = BatchSize::NumIterations(64);

/// From the token to the reservation and to its settlement, with one key of many or with many of them in turn.
fn admission(bench: &mut Criterion) {
    let (snapshot, ledger) = (snapshot(KEYS), Ledger::new(None, 0));
    for (which, keys) in [("one key", 1), ("1,000 keys in turn", 1_000)] {
        // Far from each other, so that they share little of what the processor has at hand.
        let tokens: Vec<String> = (0..keys).map(|at| token(at * 97)).collect();
        let mut next = tokens.iter().cycle();
        let mut begin = || walk(&snapshot, next.next().unwrap(), &ledger.at(NOW));
        tokens.iter().for_each(|_| drop(ledger.hold(&wanted(&snapshot, &begin())).unwrap()));

        let mut next = tokens.iter().cycle();
        let mut at = || next.next().unwrap();
        let name = |what: &str| format!("{what}: four levels, {which} of {KEYS}");
        bench.bench_function(&name("enter, plan, first attempt, hold"), |timer| {
            timer.iter_batched(
                &mut at,
                |token| {
                    let walk = walk(&snapshot, black_box(token), &ledger.at(NOW));
                    let held = ledger.hold(&wanted(&snapshot, &walk)).unwrap();
                    (held, walk)
                },
                BATCH,
            );
        });
        bench.bench_function(&name("of that: hold"), |timer| {
            let hold = |walk: Walk| (ledger.hold(black_box(&wanted(&snapshot, &walk))).unwrap(), walk);
            timer.iter_batched(&mut begin, hold, BATCH);
        });
        bench.bench_function(&name("settle"), |timer| {
            let mut setup = || {
                let walk = begin();
                let request = wanted(&snapshot, &walk);
                let (hold, admission) = ledger.hold(&request).unwrap();
                let sent = sent(hold, &request);
                (sent, admission, walk)
            };
            let settle = |(sent, admission, walk): (Sent, Option<Admission>, Walk)| {
                let charge = sent.settle(&used(), walk.attempt().unwrap().price(), NOW.wall_ms);
                (charge, admission, walk)
            };
            timer.iter_batched(&mut setup, settle, BATCH);
        });
    }
}

/// Holds and settlements a second of so many threads together.
fn pairs_per_second(snapshot: &Snapshot, threads: usize, key_of: impl Fn(usize) -> usize + Sync) -> f64 {
    const EACH: u32 = 160_000;
    let ledger = Ledger::new(None, 0);
    #[expect(clippy::disallowed_methods, reason = "what is measured is time")]
    let began = Instant::now();
    std::thread::scope(|scope| {
        for at in 0..threads {
            let (ledger, key_of) = (&ledger, &key_of);
            scope.spawn(move || {
                let walk = walk(snapshot, &token(key_of(at)), &ledger.at(NOW));
                let request = wanted(snapshot, &walk);
                for _ in 0..EACH as usize / threads {
                    let (hold, admission) = ledger.hold(black_box(&request)).unwrap();
                    sent(hold, &request).settle(&used(), request.attempt.price(), NOW.wall_ms);
                    drop(admission);
                }
            });
        }
    });
    f64::from(EACH) / began.elapsed().as_secs_f64()
}

/// Which key a thread uses.
type KeyOf = fn(usize) -> usize;

/// Threads whose keys have nothing in common but the provider, and threads that share all four levels.
fn contention(_bench: &mut Criterion) {
    let (four_levels, one_budget) = (snapshot(8 * KEYS_OF_A_CUSTOMER), one_budget());
    let shares: [(&str, &Snapshot, KeyOf); 3] = [
        ("one account, shared", &one_budget, |_| 0),
        ("one level of four shared", &four_levels, |at| at * KEYS_OF_A_CUSTOMER),
        ("all four levels shared", &four_levels, |_| 0),
    ];
    for (which, snapshot, key_of) in shares {
        for threads in [1, 2, 8] {
            let best = (0..5).map(|_| pairs_per_second(snapshot, threads, key_of)).fold(0.0, f64::max);
            println!("holds and settlements a second, {which}, {threads} threads: {best:.0}");
        }
    }
}

criterion_group!(benches, admission, contention);
criterion_main!(benches);
