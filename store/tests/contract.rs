//! What the store promises, whatever database is behind it: one suite, run against each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "contract/suite.rs"]
mod suite;

use std::path::Path;

use store::{State, Store, StoreError};
use tempfile::TempDir;

/// A place where a store can be opened again and again.
trait Place {
    fn new() -> Self;
    fn folder(&self) -> &Path;
    fn try_open(&self, now_ms: u64) -> Result<(Store, State), StoreError>;

    fn open(&self) -> (Store, State) {
        self.try_open(NOW).unwrap()
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

    fn try_open(&self, now_ms: u64) -> Result<(Store, State), StoreError> {
        Store::open(self.0.path(), now_ms)
    }
}

suite::run_against!(sqlite, Sqlite);
