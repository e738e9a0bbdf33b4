//! What only a server can do to a store: it refuses, it goes and comes back, and other nodes use it too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/database.rs"]
mod database;
#[path = "postgres/killed.rs"]
mod killed;
#[path = "postgres/lost.rs"]
mod lost;
#[path = "postgres/nodes.rs"]
mod nodes;
#[path = "postgres/refused.rs"]
mod refused;
#[path = "support/wire.rs"]
mod wire;

use std::path::Path;
use std::thread;

use policy::provider::Secret;
use store::{AttemptId, Closed, Config, Database, Entry, Journal, Kind, Opened, Outcome, Postgres, SslMode, Store};

use self::database::TestDatabase;

/// A Saturday in November.
const NOW: u64 = 1_795_000_000_000;
/// A test that waits in vain gives up after so many looks.
const PATIENCE: u32 = 20_000_000;

fn server(database: &TestDatabase) -> Postgres {
    let TestDatabase { host, port, user, password, name, .. } = database;
    Postgres {
        host: host.clone(),
        port: *port,
        user: user.clone(),
        password: Secret::new(password),
        db_name: name.clone(),
        ssl_mode: SslMode::Disable,
        ssl_root_cert: None,
        max_open_conns: 4,
        max_idle_conns: 1,
    }
}

fn config(folder: &Path, server: Postgres) -> Config {
    Config { folder: folder.to_owned(), database: Database::Postgres(server) }
}

fn eventually(what: impl Fn() -> bool) {
    let is_so = (0..PATIENCE).any(|_| {
        thread::yield_now();
        what()
    });
    assert!(is_so);
}

/// Opens an attempt that reserves 50 on the budget `b` in the window that began at 100, and is a request on `r`.
fn open(store: &Store, run: u64, number: u64) -> AttemptId {
    let attempt = AttemptId { run, number };
    let budget = Entry { kind: Kind::Budget, id: "b", start_ms: 100, length_ms: 0, amount: 50 };
    let entries = [budget, Entry { kind: Kind::Requests, id: "r", start_ms: NOW, length_ms: 60_000, amount: 1 }];
    let opened =
        Opened { attempt, call: 0, at_ms: NOW, key: "vk-1", provider: "openai", model: "gpt-4o", entries: &entries };
    store.journal().open(&opened).unwrap();
    attempt
}

fn close(store: &Store, attempt: AttemptId, outcome: Outcome) {
    store.journal().close(Closed { attempt, at_ms: NOW + 1, outcome });
}

fn charged(nano: u64) -> Outcome {
    Outcome::Charged { nano, tokens: 0 }
}
