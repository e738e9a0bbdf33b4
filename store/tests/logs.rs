//! What the request log promises, whatever database is behind it: one suite, run against each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "two million rows are looked at by the clock")]

#[path = "logs/filters.rs"]
mod filters;
#[path = "logs/suite.rs"]
mod suite;
#[path = "logs/two_million.rs"]
mod two_million;

use store::{
    AttemptId, CallStatus, Called, Closed, Config, Journal, LogFilter, LogRow, Logs, Opened, Order, Outcome, Store,
};
use tempfile::TempDir;

/// A place where a store can be opened again and again.
trait Place {
    fn new() -> Self;
    fn config(&self) -> Config;

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
