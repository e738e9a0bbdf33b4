//! What the store promises, whatever database is behind it: one suite, run against each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/database.rs"]
mod database;
#[path = "contract/suite.rs"]
mod suite;

use std::path::Path;

use policy::provider::Secret;
use store::{Config, Database, Postgres, Reading, SslMode, State, Store, StoreError};
use tempfile::TempDir;

use self::database::TestDatabase;

/// A place where a store can be opened again and again.
trait Place: Sync {
    fn new() -> Self;
    fn folder(&self) -> &Path;
    fn config(&self) -> Config;
    /// Of another gateway on the same database.
    fn beside(&self, number: u32) -> Config;
    /// All rows of all tables with balances, counted.
    fn rows(&self) -> u64;

    fn try_open(&self, now_ms: u64) -> Result<(Store, State), StoreError> {
        Store::open(self.config(), now_ms)
    }

    fn open(&self) -> (Store, State) {
        self.try_open(NOW).unwrap()
    }

    fn read(&self) -> Reading {
        store::read(self.config()).unwrap()
    }
}

/// A Saturday in November.
const NOW: u64 = 1_795_000_000_000;

const ROWS: &str = "SELECT (SELECT count(*) FROM budgets) + (SELECT count(*) FROM slices)
    + (SELECT count(*) FROM abandoned) + (SELECT count(*) FROM abandoned_amounts) + (SELECT count(*) FROM open_attempts)";

struct Sqlite(TempDir);

impl Place for Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn config(&self) -> Config {
        Config::in_folder(self.0.path())
    }

    /// There is none but in the same folder.
    fn beside(&self, _: u32) -> Config {
        self.config()
    }

    fn rows(&self) -> u64 {
        let connection = rusqlite::Connection::open(self.0.path().join("tollgate.db")).unwrap();
        connection.query_row(ROWS, [], |row| row.get::<_, u32>(0)).unwrap().into()
    }
}

struct OnServer(TempDir, TestDatabase);

impl Place for OnServer {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), TestDatabase::new())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn config(&self) -> Config {
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
        Config { folder: self.0.path().to_owned(), database: Database::Postgres(server) }
    }

    fn beside(&self, number: u32) -> Config {
        Config { folder: self.0.path().join(number.to_string()), ..self.config() }
    }

    fn rows(&self) -> u64 {
        self.1.ask(ROWS).parse().unwrap()
    }
}

suite::run_against!(sqlite, Sqlite);
suite::run_against!(postgres, OnServer);
