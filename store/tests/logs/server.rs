//! What only a server does: days are tables, nodes share them, and who may not make tables logs all the same.

use std::collections::HashSet;
use std::thread;

use store::{CallStatus, Called, Config, Database, Journal, LogId, Logs, Retention, Store};

use super::wire::Wire;
use super::{NOW, OnServer, Place, called, close, id, open, tell};

const DAY: u64 = 86_400_000;
const PARTITIONS: &str = "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'request_logs'::regclass";

fn log(store: &Store, calls: impl IntoIterator<Item = Called<'static>>) {
    calls.into_iter().for_each(|called| store.journal().called(&called));
    store.flush().unwrap();
}

fn count(logs: &Logs) -> u64 {
    logs.stats(&store::LogFilter::default()).unwrap().total_requests
}

#[test]
fn a_day_is_a_table_that_is_there_before_the_day_and_goes_with_its_rows() {
    let place = OnServer::new();
    let (store, _) = place.open();
    log(&store, [called(NOW)]);
    let rest = "request_logs_rest";
    assert_eq!(place.1.ask(PARTITIONS), format!("request_logs_20261118 request_logs_20261119 {rest}"));
    log(&store, [called(NOW + 2 * DAY), called(NOW + 2 * DAY)]);
    assert_eq!(
        place.1.ask(PARTITIONS),
        format!("request_logs_20261118 request_logs_20261119 request_logs_20261120 request_logs_20261121 {rest}")
    );
    assert_eq!(place.1.ask(&format!("SELECT count(*) FROM {rest}")), "0");
    let retention = Retention { age_ms: Some(DAY), bytes: None };
    assert_eq!(store.trim_logs(&retention, NOW + DAY).unwrap().rows, 0, "the day is not over for that long");
    assert_eq!(store.trim_logs(&retention, NOW + 3 * DAY).unwrap().rows, 1);
    assert_eq!(place.1.ask(PARTITIONS), format!("request_logs_20261120 request_logs_20261121 {rest}"));
    assert_eq!((place.rows().len(), count(&place.logs())), (2, 3));
    // One that is told late has its day made anew.
    log(&store, [called(NOW)]);
    assert_eq!(place.rows().len(), 3);
    assert_eq!(store.trim_logs(&retention, NOW + 3 * DAY).unwrap().rows, 1);
    assert_eq!(store.trouble(), Vec::<String>::new());
}

#[test]
fn who_may_not_make_tables_logs_all_the_same() {
    let place = OnServer::new();
    let (store, _) = place.open();
    log(&store, [called(NOW)]);
    store.close().unwrap();
    let user = format!("user_{}", place.1.name);
    place.1.execute(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'x'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
    ));
    let mut config = place.config();
    if let Database::Postgres(server) = &mut config.database {
        (server.user, server.password) = (user.clone(), policy::provider::Secret::new("x"));
    }
    let (store, _) = Store::open(config, NOW).unwrap();
    log(&store, (0..1_200).map(|n| called(NOW - 3 * DAY + n)));
    log(&store, [called(NOW)]);
    assert_eq!(store.trouble(), Vec::<String>::new());
    assert_eq!(place.1.ask("SELECT count(*) FROM request_logs_rest"), "1200");
    assert_eq!(place.rows().len(), 1_202);
    let trimmed = store.trim_logs(&Retention { age_ms: Some(DAY), bytes: None }, NOW).unwrap();
    assert_eq!((trimmed.rows, place.rows().len()), (1_200, 2));
    // Its table cannot be dropped, so its rows are deleted.
    let trimmed = store.trim_logs(&Retention { age_ms: Some(DAY), bytes: None }, NOW + 3 * DAY).unwrap();
    assert_eq!((trimmed.rows, place.rows().len()), (2, 0));
    store.close().unwrap();
    place.1.execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
}

#[test]
fn nodes_that_log_at_once_lose_nothing_and_see_each_others_rows() {
    let place = OnServer::new();
    drop(place.open());
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    thread::scope(|scope| {
        for folder in &folders {
            scope.spawn(|| {
                let (store, _) = Store::open(place.config_in(folder.path()), NOW).unwrap();
                for day in 0..5 {
                    // The same moments, and so the same places where folds have the same numbers.
                    log(&store, (0..40).map(|n| called(NOW + day * DAY + n % 2)));
                }
                assert_eq!(store.trouble(), Vec::<String>::new());
            });
        }
    });
    let rows = place.rows();
    let ids: HashSet<LogId> = rows.iter().map(|row| row.id).collect();
    assert_eq!((rows.len(), ids.len(), count(&place.logs())), (600, 600, 600));
    assert_eq!(place.1.ask("SELECT sum(row_count) FROM log_days"), "600");
    assert_eq!(place.1.ask("SELECT count(*) FROM request_logs_rest"), "0");
    assert!(rows.is_sorted_by(|a, b| a.id > b.id && a.call.at_ms >= b.call.at_ms));
}

#[test]
fn what_one_node_left_untold_is_told_by_no_other() {
    let place = OnServer::new();
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    store.flush().unwrap();
    let other = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        drop(Store::open(place.config_in(other.path()), NOW).unwrap());
    }
    assert_eq!(place.rows(), []);
    tell(&store, id(run, 1));
    store.close().unwrap();
    drop(place.open());
    assert_eq!(place.rows().iter().map(|row| row.call.status).collect::<Vec<_>>(), [CallStatus::Success]);
}

/// A place whose server is reached by a wire that can be cut.
fn wired(place: &OnServer) -> (Config, Wire) {
    let wire = Wire::to(&place.1.host, place.1.port);
    let Config { folder, database } = place.config();
    let Database::Postgres(server) = database else { unreachable!() };
    let server = store::Postgres { host: "127.0.0.1".to_owned(), port: wire.port(), ..server };
    (Config { folder, database: Database::Postgres(server) }, wire)
}

#[test]
fn a_fold_whose_commit_was_not_heard_of_is_not_logged_twice() {
    let place = OnServer::new();
    let (config, wire) = wired(&place);
    let (store, _) = Store::open(config, NOW).unwrap();
    for _ in 0..3 {
        wire.lose_next_commit();
        log(&store, (0..10).map(called_at));
        assert!(wire.has_lost_commit());
    }
    assert_eq!((place.rows().len(), count(&place.logs())), (30, 30));
    assert_eq!(place.1.ask("SELECT row_count FROM log_days ORDER BY start_ms LIMIT 1"), "30");
}

#[test]
fn what_waited_in_many_segments_while_the_server_was_away_is_logged_once_at_the_next_start() {
    let place = OnServer::new();
    let (config, wire) = wired(&place);
    let (store, run) = Store::open(&config, NOW).map(|(store, state)| (store, state.run)).unwrap();
    wire.cut();
    open(&store, id(run, 1), 0);
    for n in 0..3 {
        store.journal().called(&called_at(n));
        assert!(store.flush().is_err());
    }
    close(&store, id(run, 1), 10);
    assert!(store.close().is_err());
    wire.mend();
    for _ in 0..2 {
        let (store, state) = Store::open(&config, NOW).unwrap();
        assert_eq!((state.abandoned.attempts, place.rows().len(), count(&place.logs())), (0, 4, 4));
        store.close().unwrap();
    }
}

fn called_at(n: u64) -> Called<'static> {
    called(NOW + n)
}

#[test]
fn who_reads_for_long_puts_off_what_is_to_be_dropped_and_keeps_nothing_from_being_logged() {
    let place = OnServer::new();
    let (store, _) = place.open();
    log(&store, (0..700).map(|n| called(NOW + n)));
    let reader = place.1.lock("SELECT count(*) FROM request_logs");
    let trim = || store.trim_logs(&Retention { age_ms: Some(DAY), bytes: None }, NOW + 3 * DAY).unwrap().rows;
    assert_eq!(trim(), 0);
    // The next day has a table already. Of those after that, one begins while there can be none.
    log(&store, [called(NOW + DAY)]);
    log(&store, [called(NOW + 9 * DAY)]);
    drop(reader);
    assert_eq!((trim(), place.rows().len(), count(&place.logs())), (701, 1, 702));
    assert_eq!(place.1.ask("SELECT count(*) FROM request_logs_rest"), "1");
    // A day before there are rows of it is not given up.
    log(&store, [called(NOW + 9 * DAY), called(NOW + 10 * DAY)]);
    assert_eq!(place.1.ask("SELECT count(*) FROM request_logs_rest"), "2");
    assert_eq!(store.trouble(), Vec::<String>::new());
}
