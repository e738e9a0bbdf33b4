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
trait Place {
    fn new() -> Self;
    fn folder(&self) -> &Path;
    fn config(&self) -> Config;

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
}

suite::run_against!(sqlite, Sqlite);
suite::run_against!(postgres, OnServer);
