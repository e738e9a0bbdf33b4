//! A data folder and its bookkeeper, without the thread.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::bookkeeper::Bookkeeper;
use crate::folder::{self, Folder};
use crate::journal::{AttemptId, Closed, Entry, Journal, JournalError, Kind, Opened, Outcome};
use crate::recovery::recover;
use crate::sqlite::Sqlite;
use crate::{State, StoreError};

pub(super) const NOW: u64 = 1_000_000;
pub(super) const WINDOW: u64 = 900_000;

/// A folder that costs nothing to sync, where the system has such a place: these tests end hundreds of processes.
pub(super) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(super) struct World {
    pub(super) bookkeeper: Bookkeeper,
    pub(super) folder: PathBuf,
}

impl World {
    pub(super) fn open(folder: &Path) -> Self {
        Self::recover(folder).0
    }

    pub(super) fn recover(folder: &Path) -> (Self, State) {
        Self::try_recover(folder).unwrap()
    }

    fn try_recover(path: &Path) -> Result<(Self, State), StoreError> {
        let folder = Folder::take(path)?;
        let balances = Box::new(Sqlite::open(&folder::database(path))?);
        let (bookkeeper, state) = recover(folder, balances, NOW, true)?;
        Ok((Self { bookkeeper, folder: path.to_owned() }, state))
    }

    /// The process ends where it stands, and the next one begins.
    pub(super) fn crash(self) -> (Self, State) {
        let folder = self.folder.clone();
        drop(self);
        Self::recover(&folder)
    }

    pub(super) fn open_attempt(&self, number: u64, budgets: &[(&str, u64)]) {
        self.try_open_attempt(number, budgets).unwrap();
    }

    pub(super) fn try_open_attempt(&self, number: u64, budgets: &[(&str, u64)]) -> Result<(), JournalError> {
        let entries: Vec<_> = budgets
            .iter()
            .map(|(id, amount)| Entry { kind: Kind::Budget, id, start_ms: WINDOW, length_ms: 0, amount: *amount })
            .collect();
        let attempt = AttemptId { run: 1, number };
        let opened = Opened { attempt, call: 0, at_ms: NOW, key: "vk", provider: "p", model: "m", entries: &entries };
        self.bookkeeper.journal().open(&opened)
    }

    pub(super) fn close_attempt(&self, number: u64, outcome: Outcome) {
        let attempt = AttemptId { run: 1, number };
        self.bookkeeper.journal().close(Closed { attempt, at_ms: NOW, outcome });
    }

    /// The segments that are there, in order.
    pub(super) fn segments(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let paths =
            folder::segments(&self.folder).unwrap().into_iter().map(|number| folder::segment(&self.folder, number));
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Lets every write to the segment fail, and its undoing too.
    pub(super) fn tear_segment(&self) {
        self.bookkeeper.journal().segment().set_file(File::open("/dev/null").unwrap());
    }

    /// As another process that is writing into the database.
    pub(super) fn lock_database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(folder::database(&self.folder)).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection
    }
}

pub(super) fn charged(nano: u64) -> Outcome {
    Outcome::Charged { nano, tokens: 0 }
}
