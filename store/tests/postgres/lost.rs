//! Connections that break, and a server that is away: nothing is lost, and nothing counts twice.

use store::{Began, Page};

use super::*;
use crate::wire::Wire;

/// A store whose wire can be cut.
struct World {
    folder: tempfile::TempDir,
    database: TestDatabase,
    wire: Wire,
}

impl World {
    fn new() -> Self {
        let database = TestDatabase::new();
        let wire = Wire::to(&database.host, database.port);
        Self { folder: tempfile::tempdir().unwrap(), database, wire }
    }

    fn config(&self) -> Config {
        let server = Postgres { host: "127.0.0.1".into(), port: self.wire.port(), ..server(&self.database) };
        config(self.folder.path(), server)
    }

    fn open(&self) -> (Store, u64) {
        let (store, state) = Store::open(self.config(), NOW).unwrap();
        (store, state.run)
    }

    fn total(&self) -> String {
        self.database.ask("SELECT total_nano FROM budgets")
    }
}

#[test]
fn a_fold_whose_commit_is_not_acknowledged_counts_once() {
    let world = World::new();
    let (store, run) = world.open();
    let attempt = open(&store, run, 1);
    close(&store, attempt, charged(20));
    world.wire.lose_next_commit();
    store.flush().unwrap();
    assert!(world.wire.has_lost_commit());
    assert_eq!(world.total(), "20");
    assert_eq!((store.trouble(), store.journal().statistics().strays), (vec![], 0));
}

#[test]
fn a_fold_whose_connection_is_ended_is_done_on_another() {
    let world = World::new();
    let (store, run) = world.open();
    let attempt = open(&store, run, 1);
    store.flush().unwrap();
    // The fold waits for this, when it has charged the budget and is about to say how far it came.
    let lock = world.database.lock("SELECT id FROM nodes FOR UPDATE");
    close(&store, attempt, charged(20));
    let is_waiting = "SELECT count(*) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'tollgate' AND wait_event_type = 'Lock'";
    thread::scope(|scope| {
        let flush = scope.spawn(|| store.flush());
        while world.database.ask(is_waiting) != "true" {}
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'tollgate'";
        world.database.execute(end);
        while world.database.ask(is_waiting) != "true" {}
        drop(lock);
        flush.join().unwrap().unwrap();
    });
    assert_eq!(world.total(), "20");
    store.close().unwrap();
    let (_store, state) = Store::open(world.config(), NOW).unwrap();
    assert_eq!((state.budgets[0].total_nano, state.abandoned.attempts), (20, 0));
}

#[test]
fn a_charge_whose_voiding_is_not_acknowledged_is_voided_once() {
    let world = World::new();
    let (store, run) = world.open();
    let attempt = open(&store, run, 1);
    close(&store, attempt, Outcome::Abandoned);
    store.flush().unwrap();
    assert_eq!(world.total(), "50");
    world.wire.lose_next_commit();
    let voided = store.void(attempt, NOW + 5).unwrap();
    assert!(world.wire.has_lost_commit());
    assert_eq!(voided.map(|voided| voided.entries[0].amount), Some(50), "who asked is told that it was done");
    assert_eq!(world.total(), "0");
    assert_eq!(store.void(attempt, NOW + 5).unwrap(), None);
}

#[test]
fn windows_whose_change_is_not_acknowledged_are_changed_for_what_is_in_flight_too() {
    let world = World::new();
    let (store, run) = world.open();
    let began = |window: &str| [Began { id: "b".into(), window: window.into(), began_ms: 77 }];
    store.adopt(&began("1d")).unwrap();
    let attempt = open(&store, run, 1);
    store.flush().unwrap();
    world.wire.lose_next_commit();
    store.adopt(&began("1M")).unwrap();
    assert!(world.wire.has_lost_commit());
    close(&store, attempt, charged(20));
    store.flush().unwrap();
    assert_eq!((world.database.ask("SELECT window_ms FROM budgets"), world.total()), ("0".into(), "20".into()));
}

#[test]
fn a_server_that_goes_and_comes_back_finds_all_that_happened_meanwhile() {
    let world = World::new();
    let (store, run) = world.open();
    let before = open(&store, run, 1);
    store.flush().unwrap();
    world.wire.cut();
    close(&store, before, charged(1));
    let during = open(&store, run, 2);
    close(&store, during, charged(2));
    let journal = store.journal();
    eventually(|| journal.statistics().fold_failures >= 2);
    assert_eq!(journal.statistics().closes_waiting, 0, "ends are written all the same");
    assert_eq!(world.database.ask("SELECT count(*) FROM budgets"), "0");
    let told = store.trouble();
    assert!(
        told.iter().any(|line| line.contains(&format!("PostgreSQL at 127.0.0.1:{}", world.wire.port()))),
        "{told:?}"
    );
    assert!(store.flush().is_err());
    world.wire.mend();
    eventually(|| journal.statistics().segments_waiting == 0 && journal.statistics().segment_bytes == 0);
    assert_eq!(world.total(), "3");
    store.close().unwrap();
}

#[test]
fn what_could_not_be_folded_before_the_end_is_folded_by_the_next_process() {
    let world = World::new();
    let (store, run) = world.open();
    let (ended, left) = (open(&store, run, 1), open(&store, run, 2));
    world.wire.cut();
    close(&store, ended, charged(1));
    store.close().unwrap_err();
    world.wire.mend();
    let (store, state) = Store::open(world.config(), NOW + 9).unwrap();
    assert_eq!((state.budgets[0].total_nano, state.abandoned.attempts), (51, 1));
    let charges = store.abandoned(Page { before: None, most: 9 }).unwrap();
    assert_eq!(charges[0].attempted.attempt, left);
}

#[test]
fn ends_are_written_and_synced_while_the_server_does_not_answer() {
    let world = World::new();
    let (store, run) = world.open();
    let first = open(&store, run, 1);
    let lock = world.database.lock("SELECT run FROM ledger FOR UPDATE");
    thread::scope(|scope| {
        let flush = scope.spawn(|| store.flush());
        let journal = store.journal();
        eventually(|| journal.statistics().segments_waiting == 1);
        close(&store, first, charged(1));
        let second = open(&store, run, 2);
        close(&store, second, charged(2));
        eventually(|| journal.statistics().closes_waiting == 0);
        assert!(!flush.is_finished());
        drop(lock);
        flush.join().unwrap().unwrap();
    });
    store.flush().unwrap();
    assert_eq!(world.total(), "3");
}
