//! Broken input to every decoder: fixtures, mutated by a seeded generator that knows their structure. Nothing panics, the time is
//! bounded by the size, what comes out is JSON or events, and is no more than a multiple of what went in.
//!
//! `TOLLGATE_FUZZ_SECONDS` says for how long (all targets together, from a seed of chance); without it a few rounds of each, always
//! the same. `TOLLGATE_FUZZ_SEED` repeats a run. A failing input is printed, to become a fixture.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod limits;
mod mutation;
mod targets;

use limits::{CpuTime, Deadline};
use mutation::Mutation;
use targets::{Target, targets};

/// Rounds of each target where no time is given.
const ROUNDS: u64 = 60;

#[test]
fn broken_input_does_no_harm() {
    let targets = targets();
    let seconds: Option<u64> = setting("TOLLGATE_FUZZ_SECONDS");
    let deadline = seconds.map(Deadline::in_seconds);
    let seed = setting("TOLLGATE_FUZZ_SEED").unwrap_or_else(|| if deadline.is_some() { fastrand::u64(..) } else { 1 });
    println!("seed {seed}, {} targets", targets.len());
    let (mut round, mut taken) = (0, vec![0_u64; targets.len()]);
    while deadline.as_ref().map_or(round < ROUNDS, |deadline| !deadline.is_over()) {
        for (target, taken) in targets.iter().zip(&mut taken) {
            *taken += u64::from(try_one(target, seed.wrapping_add(round)));
        }
        round += 1;
    }
    println!("{round} rounds of each");
    for (target, taken) in targets.iter().zip(&taken) {
        println!("{}: something came of {taken}", target.name);
        // Where all is refused at the door, nothing behind it is tried.
        assert!(taken * 20 > round || round < ROUNDS, "{}: something came of {taken} in {round}", target.name);
    }
}

/// Inputs that once did harm, by their targets.
const REGRESSIONS: &[(&str, &[u8])] = &[("streams of Chat", b"data: [DONE]\n\n")];

#[test]
fn what_once_did_harm_does_none() {
    let targets = targets();
    for (name, input) in REGRESSIONS {
        let target = targets.iter().find(|target| target.name == *name).expect("a target of that name");
        for number in 0..12 {
            assert!((target.run)(input, number).is_ok(), "{name}: {}", input.escape_ascii());
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Whether something came of it.
fn try_one(target: &Target, seed: u64) -> bool {
    let input = Mutation::new(seed).of(&target.seeds, target.is_stream);
    let before = CpuTime::of_thread();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&input, seed)));
    let spent = CpuTime::of_thread().since(before);
    let outcome = outcome.unwrap_or_else(|_| Err("it panics".to_owned()));
    let problem = outcome.as_ref().err().cloned().or_else(|| limits::too_long(spent, input.len()));
    if let Some(problem) = problem {
        panic!("{}, seed {seed}: {problem}\ninput ({} bytes): {}", target.name, input.len(), shown(&input));
    }
    outcome == Ok(true)
}

/// The input as it could stand in a test; a long one is put into a file.
fn shown(input: &[u8]) -> String {
    if input.len() <= 4_000 {
        return format!("b\"{}\"", input.escape_ascii());
    }
    let path = std::env::temp_dir().join(format!("tollgate-fuzz-{}.bin", std::process::id()));
    std::fs::write(&path, input).unwrap();
    path.display().to_string()
}
