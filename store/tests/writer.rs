//! The writer works without being asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::thread;

use store::{AttemptId, Closed, Entry, FileJournal, Journal, Kind, Opened, Outcome, State, Store};

/// A test that waits in vain gives up after so many looks.
const PATIENCE: u32 = 2_000_000;

fn eventually(what: impl Fn() -> bool) {
    let is_so = (0..PATIENCE).any(|_| {
        thread::yield_now();
        what()
    });
    assert!(is_so);
}

fn open(journal: &FileJournal, state: &State, number: u64, id: &str) {
    let attempt = AttemptId { run: state.run, number };
    let entries = [Entry { kind: Kind::Budget, id, start_ms: 5, length_ms: 0, amount: 7 }];
    let opened = Opened { attempt, call: 0, at_ms: 5, key: "", provider: "p", model: "m", entries: &entries };
    journal.open(&opened).unwrap();
}

fn close(journal: &FileJournal, state: &State, number: u64) {
    let attempt = AttemptId { run: state.run, number };
    journal.close(Closed { attempt, at_ms: 6, outcome: Outcome::Charged { nano: 1, tokens: 2 } });
}

fn segments(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("journal-")).count()
}

#[test]
fn ends_are_written_and_folded_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    let journal = store.journal();
    // After a rest too: the writer sleeps then until something is opened.
    for number in 1..=3 {
        open(&journal, &state, number, "b");
        close(&journal, &state, number);
        eventually(|| journal.statistics().closes_waiting == 0);
        eventually(|| journal.statistics().folds == number);
        let statistics = journal.statistics();
        assert_eq!((statistics.opens, statistics.segment_bytes, statistics.last_fold_ms), (number, 0, 6));
        assert_eq!(store::read(folder.path()).unwrap().state.budgets[0].spent_nano, number);
    }
    assert_eq!(store.trouble(), Vec::<String>::new());
    assert_eq!(segments(folder.path()), 1, "what is folded is deleted");
}

#[test]
fn dropping_the_store_folds_too() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    open(&store.journal(), &state, 1, "b");
    close(&store.journal(), &state, 1);
    drop(store);
    let (_store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    assert_eq!((state.budgets[0].spent_nano, state.abandoned.attempts), (1, 0));
}
