//! Balances in SQLite.

mod abandoned;
mod attempts;
mod audit;
pub(crate) mod backup;
mod budgets;
mod entities;
mod logs;
mod notes;
mod pages;
mod registry;
mod schema;
mod slices;

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub(crate) use self::logs::SqliteLogs;
pub(crate) use self::registry::SqliteRegistry;
use crate::StoreError;
use crate::balance::{AbandonedCharge, Began, Page, Voided};
use crate::balances::{Balances, Meanwhile, Open, Progress, Standing};
use crate::fold::{Attempts, Change};
use crate::folder::{self, Folder};
use crate::journal::AttemptId;
use crate::lease::{Lease, LeaseNow};
use crate::logs::{Trim, Untold};
use crate::migrate::Migrated;
use crate::number;

/// How long another process that has the database locked, a reader with a tool, is waited for. What fails is tried again.
const PATIENCE: Duration = Duration::from_millis(250);

/// The database file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    /// Of a file elsewhere than in the data folder, which another data folder's gateway might use too.
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens the file, which is made if need be, and brings its tables up to date.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        registry::make_for_owner(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A segment of the journal is deleted as soon as it is folded. With `NORMAL` a power cut could undo the fold after that.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.set_prepared_statement_cache_capacity(32);
        schema::migrate(&mut connection)?;
        Ok(Self { connection, _lock: None })
    }

    /// Brings the tables up to date.
    pub(crate) fn migrate(path: &Path) -> Result<Migrated, StoreError> {
        registry::make_for_owner(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        let before = schema::version(&mut connection)?;
        schema::migrate(&mut connection)?;
        Ok(Migrated { before, after: schema::version(&mut connection)? })
    }

    /// Opens the file for the gateway that has this folder, and for no other.
    pub(crate) fn open_for(folder: &Folder, path: &Path) -> Result<Self, StoreError> {
        if *path == folder::database(folder.path()) {
            return Self::open(path);
        }
        let lock = folder::lock(&path.with_added_extension("lock"), path)?;
        Ok(Self { _lock: Some(lock), ..Self::open(path)? })
    }

    /// Reads a file that another process may be writing, as it was at one moment. `None`: there is nothing in it yet.
    pub(crate) fn read(path: &Path) -> Result<Option<(Progress, Standing)>, StoreError> {
        Self::look(path, |transaction| Ok((attempts::progress(transaction)?, standing(transaction)?)))
    }

    /// Reads charges of abandoned attempts and changes nothing, beside a process that may be using the database.
    pub(crate) fn read_abandoned(path: &Path, page: Page) -> Result<Option<Vec<AbandonedCharge>>, StoreError> {
        Self::look(path, |transaction| abandoned::list(transaction, page))
    }

    /// Looks into a database; `None`: its tables are not made yet.
    fn look<T>(
        path: &Path,
        look: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        let transaction = connection.transaction()?;
        if !schema::is_known(&transaction)? {
            return Ok(None);
        }
        look(&transaction).map(Some)
    }

    /// Does something in one transaction.
    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl Balances for Sqlite {
    fn begin_run(&mut self, now_ms: u64) -> Result<u64, StoreError> {
        self.transact(|transaction| attempts::begin_run(transaction, now_ms))
    }

    fn progress(&mut self) -> Result<Progress, StoreError> {
        self.transact(attempts::progress)
    }

    fn standing(&mut self) -> Result<Standing, StoreError> {
        self.transact(standing)
    }

    fn fold(&mut self, change: &Change<'_>, _: Meanwhile<'_>) -> Result<(), StoreError> {
        self.transact(|transaction| {
            // The commit may have failed after it was done.
            if attempts::folded_to(transaction)? >= change.folded_to {
                return Ok(());
            }
            budgets::charge(transaction, &change.charges)?;
            slices::count(transaction, &change.slices)?;
            slices::forget(transaction, change.newest_slice_ms)?;
            attempts::change(transaction, change)?;
            logs::keep(transaction, change)?;
            let abandoned = change.abandoned.iter().map(|(recorded, at_ms)| (recorded.attempted(), *at_ms));
            abandoned.into_iter().try_for_each(|(attempted, at_ms)| abandoned::add(transaction, &attempted, at_ms))
        })
    }

    fn adopt(&mut self, budgets: &[Began], attempts: &Attempts, _: Meanwhile<'_>) -> Result<Vec<Open>, StoreError> {
        self.transact(|transaction| {
            let changed = budgets::adopt(transaction, budgets)?;
            let detached = attempts.detached(&changed).into_iter();
            let detached = detached.map(|attempted| attempts::put_changed(transaction, &attempted));
            detached.collect()
        })
    }

    fn abandoned(&mut self, page: Page, _: Meanwhile<'_>) -> Result<Vec<AbandonedCharge>, StoreError> {
        self.transact(|transaction| abandoned::list(transaction, page))
    }

    fn void(&mut self, attempt: AttemptId, at_ms: u64, _: Meanwhile<'_>) -> Result<Option<Voided>, StoreError> {
        self.transact(|transaction| abandoned::void(transaction, attempt, at_ms))
    }

    fn forgive(&mut self, id: &str, start_ms: u64, nano: u64, _: Meanwhile<'_>) -> Result<(), StoreError> {
        self.transact(|transaction| budgets::forgive(transaction, id, start_ms, nano))
    }

    fn untold(&mut self) -> Result<Untold, StoreError> {
        self.transact(logs::untold)
    }

    fn trim_logs(&mut self, trim: Trim, _: Meanwhile<'_>) -> Result<u64, StoreError> {
        self.transact(|transaction| logs::trim(transaction, trim))
    }

    /// The file is used by one process: its data folder is locked.
    fn lease(&self) -> LeaseNow {
        LeaseNow::new(Lease::Held)
    }

    fn end_run(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn standing(transaction: &Transaction<'_>) -> Result<Standing, StoreError> {
    Ok(Standing { budgets: budgets::all(transaction)?, slices: slices::all(transaction)? })
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

#[cfg(test)]
mod tests;
