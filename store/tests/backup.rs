//! Backups that are made while the store is used, and what comes of them when they are taken back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use policy::provider::Secret;
use rusqlite::Connection;
use store::registry::{AuditEntry, Write};
use store::{
    AttemptId, Closed, Entry, FileJournal, Journal, Kind, Opened, Outcome, Registry, State, Store, StoreError, back_up,
    restore,
};

const NOW: u64 = 1_795_000_000_000;
const RESERVED: u64 = 50;
const CHARGED: u64 = 7;

fn open(journal: &FileJournal, run: u64, number: u64) {
    let budget = Entry { kind: Kind::Budget, id: "b", start_ms: 100, length_ms: 0, amount: RESERVED };
    let entries = [budget, Entry { kind: Kind::Requests, id: "r", start_ms: NOW, length_ms: 60_000, amount: 1 }];
    let attempt = AttemptId { run, number };
    let opened = Opened { attempt, call: 0, at_ms: NOW, key: "vk", provider: "p", model: "m", entries: &entries };
    journal.open(&opened).unwrap();
}

fn close(journal: &FileJournal, run: u64, number: u64) {
    let outcome = Outcome::Charged { nano: CHARGED, tokens: 0 };
    journal.close(Closed { attempt: AttemptId { run, number }, at_ms: NOW, outcome });
}

/// What a state says: attempts in all, and nano-dollars.
fn counted(state: &State) -> (u64, u64) {
    let nano = state.budgets.first().map_or(0, |budget| budget.total_nano);
    (state.slices.first().map_or(0, |slice| slice.used), nano)
}

fn restored(backup: &Path) -> State {
    let folder = tempfile::tempdir().unwrap();
    restore(folder.path(), backup).unwrap();
    let (store, state) = Store::open(folder.path(), NOW + 1).unwrap();
    store.close().unwrap();
    // Once more: what was charged as abandoned is not charged again.
    let (_store, again) = Store::open(folder.path(), NOW + 2).unwrap();
    assert_eq!(counted(&again), counted(&state));
    state
}

#[test]
fn a_backup_of_a_store_in_use_is_one_point_of_its_journal() {
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, state) = Store::open(folder.path(), NOW).unwrap();
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (store, acknowledged, is_over) = (&store, &acknowledged, &is_over);
        scope.spawn(move || {
            let journal = store.journal();
            for number in 1.. {
                open(&journal, state.run, number);
                acknowledged.store(number, Ordering::SeqCst);
                if number > 3 {
                    close(&journal, state.run, number - 3);
                }
                if number % 40 == 0 {
                    store.flush().unwrap();
                }
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let mut last = 0;
        for number in 0..8 {
            let before = acknowledged.load(Ordering::SeqCst);
            let backup = backups.path().join(number.to_string());
            back_up(folder.path(), &backup).unwrap();
            let most = acknowledged.load(Ordering::SeqCst) + 1;
            let state = restored(&backup);
            let (attempts, nano) = counted(&state);
            let abandoned = state.abandoned.attempts;
            assert!((before..=most).contains(&attempts), "{before} {attempts} {most}");
            assert!(attempts >= last, "it goes on");
            assert_eq!(
                nano,
                (attempts - abandoned) * CHARGED + abandoned * RESERVED,
                "nothing counts twice or is lost"
            );
            last = attempts;
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn what_is_configured_and_audited_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("key")).unwrap();
    let audit = vec![AuditEntry { actor: "ada".to_owned(), ..AuditEntry::default() }];
    registry.commit(&Write { audit, ..Write::default() }).unwrap();
    registry.keep(&[("name".to_owned(), Secret::new("secret"))]).unwrap();
    let backup = folder.path().join("backup");
    back_up(folder.path(), &backup).unwrap();
    registry.keep(&[("later".to_owned(), Secret::new("secret"))]).unwrap();
    drop(registry);
    restore(folder.path(), &backup).unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("key")).unwrap();
    let kept = registry.kept(&["name".to_owned(), "later".to_owned()]).unwrap();
    assert_eq!((kept, registry.verify().unwrap().rows), (vec![Some(Secret::new("secret")), None], 1));
    let aside = folder.path().join("before-restore-1/tollgate.db");
    let notes: u32 =
        Connection::open(aside).unwrap().query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(notes, 5, "what was there is put aside");
}

#[test]
fn what_was_there_does_not_count_any_more() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = elsewhere.path().join("backup");
    let (store, state) = Store::open(folder.path(), NOW).unwrap();
    open(&store.journal(), state.run, 1);
    close(&store.journal(), state.run, 1);
    store.flush().unwrap();
    back_up(folder.path(), &backup).unwrap();
    open(&store.journal(), state.run, 2);
    store.close().unwrap();
    restore(folder.path(), &backup).unwrap();
    let (store, state) = Store::open(folder.path(), NOW + 1).unwrap();
    assert_eq!((counted(&state), state.abandoned.attempts), ((1, CHARGED), 0));
    let run = state.run;
    store.close().unwrap();
    let (_store, state) = Store::open(folder.path(), NOW).unwrap();
    assert!(state.run > run && state.trouble.is_empty(), "{state:?}");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path(), NOW).unwrap().0.close().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = back_up(folder.path(), &file).unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert!(back_up(folder.path(), &folder.path().join("no/such/folder")).is_err());
}

#[test]
fn a_folder_in_use_or_a_file_that_is_no_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let (store, _) = Store::open(folder.path(), NOW).unwrap();
    back_up(folder.path(), &backup).unwrap();
    assert!(matches!(restore(folder.path(), &backup), Err(StoreError::InUse(_))));
    store.close().unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let junk = tempfile::tempdir().unwrap();
    let cut = junk.path().join("cut");
    let bytes = fs::read(&backup).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let text = junk.path().join("text");
    fs::write(&text, "no backup").unwrap();
    let plain = junk.path().join("plain");
    fs::copy(folder.path().join("tollgate.db"), &plain).unwrap();
    for wrong in [cut, text, plain, junk.path().join("nothing")] {
        assert!(restore(folder.path(), &wrong).is_err(), "{}", wrong.display());
        assert_eq!(names(), before, "{}", wrong.display());
    }
    restore(folder.path(), &backup).unwrap();
}

#[test]
fn a_restore_that_was_broken_off_keeps_gateways_out_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    Store::open(folder.path(), NOW).unwrap().0.close().unwrap();
    back_up(folder.path(), &backup).unwrap();
    fs::write(folder.path().join("restoring"), "").unwrap();
    fs::remove_file(folder.path().join("tollgate.db")).unwrap();
    let error = Store::open(folder.path(), NOW).unwrap_err();
    assert!(matches!(error, StoreError::HalfRestored(_)), "{error}");
    assert!(Registry::open(folder.path(), &Secret::new("key")).is_err());
    assert!(!folder.path().join("tollgate.db").exists(), "nothing was made");
    restore(folder.path(), &backup).unwrap();
    Store::open(folder.path(), NOW).unwrap().0.close().unwrap();
}
