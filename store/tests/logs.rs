//! What the request log promises, whatever database is behind it: one suite, run against each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "two million rows are looked at by the clock")]

#[path = "support/database.rs"]
mod database;
#[path = "logs/filters.rs"]
mod filters;
#[path = "logs/server.rs"]
mod server;
#[path = "logs/suite.rs"]
mod suite;
#[path = "logs/two_million.rs"]
mod two_million;
#[path = "support/wire.rs"]
mod wire;

use std::path::Path;

use policy::provider::Secret;
use store::{
    AttemptId, CallStatus, Called, Closed, Config, Database, Journal, LogFilter, LogRow, Logs, Opened, Order, Outcome,
    Postgres, SslMode, Store,
};
use tempfile::TempDir;

use self::database::TestDatabase;

/// A place where a store can be opened again and again.
trait Place {
    fn new() -> Self;
    fn config(&self) -> Config;
    /// A bound that is met when some of the rows are gone that there are now, and no others came.
    fn fewer_bytes(&self) -> u64;
    /// How much room the database takes.
    fn bytes(&self) -> u64;

    fn open(&self) -> (Store, u64) {
        let (store, state) = Store::open(self.config(), NOW).unwrap();
        (store, state.run)
    }

    fn logs(&self) -> Logs {
        Logs::open(self.config()).unwrap()
    }

    /// All rows, the newest first.
    fn rows(&self) -> Vec<LogRow> {
        rows(&self.logs(), &LogFilter::default(), Order::NewestFirst, 7)
    }
}

/// A Saturday in November, at the beginning of an hour.
const NOW: u64 = 1_795_000_000_000 - 1_795_000_000_000 % 3_600_000;

struct Sqlite(TempDir);

impl Place for Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn config(&self) -> Config {
        Config::in_folder(self.0.path())
    }

    fn bytes(&self) -> u64 {
        self.0.path().join("tollgate.db").metadata().unwrap().len()
    }

    fn fewer_bytes(&self) -> u64 {
        let connection = rusqlite::Connection::open(self.0.path().join("tollgate.db")).unwrap();
        let used = "SELECT (page_count - freelist_count) * page_size
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        u64::from(connection.query_row(used, [], |row| row.get::<_, u32>(0)).unwrap()) / 2
    }
}

struct OnServer(TempDir, TestDatabase);

impl OnServer {
    /// As another node sees it.
    fn config_in(&self, folder: &Path) -> Config {
        let TestDatabase { host, port, user, password, name, .. } = &self.1;
        let server = Postgres {
            host: host.clone(),
            port: *port,
            user: user.clone(),
            password: Secret::new(password),
            db_name: name.clone(),
            ssl_mode: SslMode::Disable,
            ssl_root_cert: None,
            max_open_conns: 4,
            max_idle_conns: 1,
        };
        Config { folder: folder.to_owned(), database: Database::Postgres(server) }
    }
}

impl Place for OnServer {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), TestDatabase::new())
    }

    fn config(&self) -> Config {
        self.config_in(self.0.path())
    }

    fn bytes(&self) -> u64 {
        self.1.ask("SELECT pg_database_size(current_database())").parse().unwrap()
    }

    fn fewer_bytes(&self) -> u64 {
        let used = "SELECT pg_database_size(current_database()) -
            (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'request_logs'::regclass) / 2";
        self.1.ask(used).split('.').next().unwrap().parse().unwrap()
    }
}

/// All rows that a filter lets through, page by page.
fn rows(logs: &Logs, filter: &LogFilter, order: Order, limit: u32) -> Vec<LogRow> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = logs.page(filter, order, after, limit).unwrap();
        assert!(page.rows.len() <= limit as usize);
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// A call without attempts.
fn called(at_ms: u64) -> Called<'static> {
    Called { at_ms, operation: "chat_completion".into(), status: CallStatus::Refused, ..Called::default() }
}

fn id(run: u64, number: u64) -> AttemptId {
    AttemptId { run, number }
}

fn open(store: &Store, attempt: AttemptId, call: u64) {
    let opened = Opened { attempt, call, at_ms: NOW, key: "vk-1", provider: "openai", model: "gpt-4o", entries: &[] };
    store.journal().open(&opened).unwrap();
}

fn close(store: &Store, attempt: AttemptId, nano: u64) {
    let outcome = Outcome::Charged { nano, tokens: 2 };
    store.journal().close(Closed { attempt, at_ms: NOW + 3, outcome });
}

fn tell(store: &Store, call: AttemptId) {
    let status = CallStatus::Success;
    store.journal().called(&Called { call: Some(call), status, cost_nano: 77, ..called(NOW) });
}

suite::run_against!(sqlite, Sqlite);
suite::run_against!(postgres, OnServer);
