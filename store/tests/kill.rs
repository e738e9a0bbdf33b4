//! A process that is killed while threads open and close attempts: what it had acknowledged is accounted for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use store::{
    Abandoned, AbandonedCharge, AttemptId, CallStatus, Called, Closed, Entry, Journal, Kind, LogFilter, LogRow, Logs,
    Opened, Order, Outcome, Page, State, Store,
};

/// Tells this binary that it is the process to be killed, and which folder is its.
const FOLDER: &str = "TOLLGATE_TEST_FOLDER";
const THREADS: u64 = 4;
const RESERVED: u64 = 1000;
const COST: u64 = 3;

/// Not a test of its own: what the killed process does.
#[test]
fn the_process_to_be_killed() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (store, state) = Store::open(Path::new(&folder), 1_000_000).unwrap();
    say(&format!("run {}", state.run));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, run) = (store.journal(), state.run);
            scope.spawn(move || {
                for number in (0..).map(|number| number * THREADS + thread) {
                    let attempt = AttemptId { run, number };
                    let entry = |kind| Entry { kind, id: "b", start_ms: 1_000_000, length_ms: 0, amount: RESERVED };
                    let entries =
                        [entry(Kind::Budget), Entry { amount: 1, length_ms: 60_000, ..entry(Kind::Requests) }];
                    let opened = Opened {
                        attempt,
                        call: 0,
                        at_ms: 1_000_000,
                        key: "",
                        provider: "p",
                        model: "m",
                        entries: &entries,
                    };
                    journal.open(&opened).unwrap();
                    say(&format!("open {number}"));
                    // Some stay open for a while, some for ever.
                    let back = number.saturating_sub(THREADS * (number % 64));
                    if number % 5 != 0 {
                        let attempt = AttemptId { run, number: back };
                        journal.close(Closed {
                            attempt,
                            at_ms: 1_000_000,
                            outcome: Outcome::Charged { nano: COST, tokens: 0 },
                        });
                        say(&format!("close {back}"));
                        // Of some, the call goes on behind that.
                        if back % 7 != 0 {
                            journal.called(&Called {
                                call: Some(attempt),
                                at_ms: 1_000_000 + back,
                                cost_nano: COST,
                                ..Called::default()
                            });
                            say(&format!("tell {back}"));
                        }
                    }
                }
            });
        }
    });
}

/// One `write(2)`, so that lines of several threads do not mix.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn start(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_process_to_be_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets it acknowledge so many lines, kills it, and gives all lines that it wrote.
fn kill_after(mut child: Child, lines: usize) -> Vec<String> {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut said = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if line.ends_with('\n') {
            said.push(line.trim_end().to_owned());
        }
        line.clear();
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "it ended by itself: {said:?}");
    said
}

fn numbers(said: &[String], word: &str) -> HashSet<u64> {
    said.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
}

/// What was spent, in all, and how many requests were counted.
fn totals(state: &State) -> (u64, u64) {
    let spent = state.budgets.first().map_or(0, |budget| budget.total_nano);
    (spent, state.slices.first().map_or(0, |slice| slice.used))
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = (0, 0);
    let mut run = 0;
    for lines in [2, 700, 5_000, 60_000] {
        let said = kill_after(start(folder.path()), lines);
        let (store, state) = Store::open(folder.path(), 2_000_000).unwrap();
        let its_run = *numbers(&said, "run ").iter().next().unwrap();
        assert!(its_run > run && state.run > its_run);
        run = state.run;
        check(&said, its_run, &state, before, &store);
        check_rows(&said, its_run, totals(&state).0 - before.0, folder.path());
        before = totals(&state);
        store.close().unwrap();
        // Recovering once more changes nothing.
        let (store, again) = Store::open(folder.path(), 2_000_000).unwrap();
        assert_eq!((totals(&again), again.abandoned.attempts), (before, 0));
        store.close().unwrap();
    }
}

/// Each attempt is charged either its cost or all that it reserved, and those whose `open` had returned are all there. Each
/// thread may have opened or closed one more that it did not come to tell.
fn check(said: &[String], run: u64, state: &State, before: (u64, u64), store: &Store) {
    let (opened, closed) = (numbers(said, "open "), numbers(said, "close "));
    let page = Page { before: None, most: u32::MAX };
    let of_run = |charge: &AbandonedCharge| charge.attempted.attempt.run == run;
    let charges: Vec<_> = store.abandoned(page).unwrap().into_iter().filter(of_run).collect();
    assert!(charges.iter().all(|charge| charge.attempted.nano() == RESERVED));
    let abandoned: HashSet<u64> = charges.iter().map(|charge| charge.attempted.attempt.number).collect();
    let count = abandoned.len() as u64;
    assert_eq!(state.abandoned, Abandoned { attempts: count, nano: count * RESERVED });
    let (spent, requests) = totals(state);
    let (spent, requests) = (spent - before.0, requests - before.1);
    let told = opened.len() as u64;
    assert!((told..=told + THREADS).contains(&requests), "{told} were acknowledged, {requests} are there");
    assert_eq!(spent, (requests - count) * COST + count * RESERVED, "each is charged once");
    let never_closed = opened.difference(&closed).filter(|number| !abandoned.contains(number)).count() as u64;
    assert!(never_closed <= THREADS, "{never_closed} that nobody closed are not charged in full");
    let unknown = abandoned.difference(&opened).count() as u64;
    assert!(unknown <= THREADS, "{unknown} are charged that nobody opened");
}

/// Each call has one row: with its cost if it was told, and else with what its attempt was charged.
fn check_rows(said: &[String], run: u64, spent: u64, folder: &Path) {
    let rows = rows_of(run, folder);
    let names: HashSet<_> = rows.iter().map(|row| row.call.call).collect();
    assert_eq!(names.len(), rows.len(), "nothing is there twice");
    let is_there = |number: &u64| names.contains(&Some(AttemptId { run, number: *number }));
    let (opened, told) = (numbers(said, "open "), numbers(said, "tell "));
    assert!(opened.iter().all(is_there), "each that was opened has a row");
    assert_eq!(rows.iter().map(|row| row.call.cost_nano).sum::<u64>(), spent, "rows cost what was charged");
    let is_told = |row: &&LogRow| row.call.status == CallStatus::Success;
    let told_rows: HashSet<u64> = rows.iter().filter(is_told).map(|row| row.call.call.unwrap().number).collect();
    let unknown = told_rows.difference(&told).count() as u64;
    assert!(unknown <= THREADS, "{unknown} were told of that nobody told of");
    let ended = numbers(said, "close ");
    let lost = rows.iter().filter(|row| row.call.status == CallStatus::Abandoned && row.call.cost_nano == RESERVED);
    let lost: HashSet<u64> = lost.map(|row| row.call.call.unwrap().number).collect();
    let is_elsewhere = |number: &&u64| !lost.contains(*number) && !told_rows.contains(*number);
    let ended_unsaid = opened.difference(&ended).filter(is_elsewhere).count() as u64;
    assert!(ended_unsaid <= THREADS, "{ended_unsaid} had an end that nobody told of")
}

fn rows_of(run: u64, folder: &Path) -> Vec<LogRow> {
    let logs = Logs::open(folder).unwrap();
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = logs.page(&LogFilter::default(), Order::NewestFirst, after, 1_000).unwrap();
        rows.extend(page.rows.into_iter().filter(|row| row.call.call.is_some_and(|call| call.run == run)));
        after = page.next;
        if after.is_none() {
            let stats = logs.stats(&LogFilter::default()).unwrap();
            assert!(stats.total_requests >= rows.len() as u64);
            return rows;
        }
    }
}
