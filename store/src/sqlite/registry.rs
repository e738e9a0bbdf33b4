//! The registry in SQLite: one connection that writes, and as many that read as read at the same time.

use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{audit, entities, notes, pages, schema};
use crate::StoreError;
use crate::registry::database::{Change, Database, Document, Look};
use crate::registry::{AuditFilter, AuditRow, Filter, Head, Numbered, PATIENCE, RegistryError, Row, TokenHash};

type Done<T = ()> = Result<T, RegistryError>;

/// How many connections that nobody uses are kept.
const IDLE_READERS: usize = 4;
/// How long the database's log may stay, once it is copied into the file.
const LOG_BYTES: u32 = 64 << 20;

/// The database file, beside those who keep balances in it.
#[derive(Debug)]
pub(crate) struct SqliteRegistry {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

/// What an open transaction can be asked.
struct Tables<'a>(&'a Connection);

impl SqliteRegistry {
    /// Opens the file, which is made if need be, for its owner only, and brings its tables up to date.
    pub(crate) fn open(path: &Path) -> Done<Self> {
        make_for_owner(path)?;
        let mut writer = connect(path)?;
        // What was acknowledged, a revoked key above all, stands after a power cut.
        writer.pragma_update(None, "synchronous", "FULL")?;
        // What a large write needed is given back.
        writer.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        schema::migrate(&mut writer)?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default() })
    }

    fn reader(&self) -> Done<Connection> {
        if let Some(reader) = self.readers.lock().pop() {
            return Ok(reader);
        }
        let reader = connect(&self.path)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    }
}

/// Makes the file, if it is not there, so that only its owner can read it: SQLite would leave that to the mask of the process. The files
/// beside it take after it.
pub(super) fn make_for_owner(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(StoreError::file("opened", path))
}

fn connect(path: &Path) -> Done<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl Database for SqliteRegistry {
    fn write(&self, work: &mut dyn FnMut(&dyn Change) -> Done) -> Done {
        let mut writer = self.writer.try_lock_for(PATIENCE).ok_or(RegistryError::Busy)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work(&Tables(&transaction))?;
        Ok(transaction.commit()?)
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Look) -> Done) -> Done {
        let mut reader = self.reader()?;
        let transaction = reader.transaction()?;
        work(&Tables(&transaction))?;
        transaction.finish()?;
        let mut readers = self.readers.lock();
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        Ok(())
    }
}

impl Look for Tables<'_> {
    fn revision(&self) -> Done<u64> {
        entities::revision(self.0)
    }

    fn row(&self, kind: &str, id: &str) -> Done<Option<Row>> {
        entities::row(self.0, kind, id)
    }

    fn rows(&self, each: &mut dyn FnMut(Row) -> Done) -> Done {
        entities::rows(self.0, each)
    }

    fn rows_since(&self, revision: u64, each: &mut dyn FnMut(Row) -> Done) -> Done {
        entities::rows_since(self.0, revision, each)
    }

    fn page(&self, filter: &Filter) -> Done<(Vec<Row>, u64)> {
        pages::page(self.0, filter)
    }

    fn last_order(&self, kind: &str) -> Done<Option<i64>> {
        entities::last_order(self.0, kind)
    }

    fn name_owner(&self, kind: &str, name: &str) -> Done<Option<String>> {
        entities::name_owner(self.0, kind, name)
    }

    fn token_owner(&self, hash: &TokenHash) -> Done<Option<(String, String)>> {
        entities::token_owner(self.0, hash)
    }

    fn documents(&self, text: &str, after: &(String, String), most: u32) -> Done<Vec<Document>> {
        entities::documents(self.0, text, after, most)
    }

    fn note(&self, name: &str) -> Done<Option<String>> {
        notes::note(self.0, name)
    }

    fn notes(&self) -> Done<Vec<(String, String)>> {
        notes::all(self.0)
    }

    fn audit_head(&self) -> Done<Option<Head>> {
        audit::head(self.0)
    }

    fn audit(&self, each: &mut dyn FnMut(Numbered) -> Done<ControlFlow<()>>) -> Done {
        audit::each(self.0, each)
    }

    fn audit_page(&self, filter: &AuditFilter) -> Done<Vec<AuditRow>> {
        audit::page(self.0, filter)
    }
}

impl Change for Tables<'_> {
    fn set_revision(&self, revision: u64) -> Done {
        entities::set_revision(self.0, revision)
    }

    fn release(&self, row: &Row) -> Done {
        entities::release(self.0, row)
    }

    fn claim_token(&self, hash: &TokenHash, kind: &str, id: &str) -> Done {
        entities::claim_token(self.0, hash, kind, id)
    }

    fn put(&self, row: &Row) -> Done {
        entities::put(self.0, row)
    }

    fn redocument(&self, kind: &str, id: &str, document: &str, revision: u64) -> Done {
        entities::redocument(self.0, kind, id, document, revision)
    }

    fn erase(&self, row: &Row, at_ms: u64, revision: u64) -> Done {
        entities::erase(self.0, row, at_ms, revision)
    }

    fn set_note(&self, name: &str, text: &str) -> Done {
        notes::set(self.0, name, text)
    }

    fn append_audit(&self, row: &AuditRow) -> Done {
        audit::append(self.0, row)
    }

    fn set_audit_head(&self, head: &Head) -> Done {
        audit::set_head(self.0, head)
    }
}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return Self::Busy,
            Some(ErrorCode::DiskFull) => return Self::DiskFull,
            Some(ErrorCode::ReadOnly) => return Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt) => return Self::Damaged("its file is malformed"),
            Some(ErrorCode::NotADatabase) => return Self::Damaged("its file is no database"),
            _ => {}
        }
        match error {
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
                Self::Damaged("a value cannot be read")
            }
            error => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    /// A file that may not grow is what a full disk is to SQLite.
    #[test]
    fn a_full_disk_is_said_to_be_full_and_keeps_nothing_of_a_write() {
        let folder = tempdir().unwrap();
        let registry = SqliteRegistry::open(&folder.path().join("x.db")).unwrap();
        let set_most = |pages: u32| registry.writer.lock().pragma_update(None, "max_page_count", pages).unwrap();
        let write = || {
            registry.write(&mut |change| {
                change.set_revision(1)?;
                change.set_note("small", "kept")?;
                change.set_note("large", &"x".repeat(1 << 20))
            })
        };
        let kept = || {
            let mut kept = (9, 9);
            let mut look = |look: &dyn Look| {
                kept = (look.revision()?, look.notes()?.len());
                Ok(())
            };
            registry.read(&mut look).unwrap();
            kept
        };
        set_most(1);
        let error = write().unwrap_err();
        assert!(matches!(error, RegistryError::DiskFull) && error.is_unavailable(), "{error}");
        assert_eq!(kept(), (0, 0));
        set_most(100_000);
        write().unwrap();
        assert_eq!(kept(), (1, 2));
    }

    #[test]
    fn a_commit_is_durable_before_it_is_acknowledged() {
        let folder = tempdir().unwrap();
        let registry = SqliteRegistry::open(&folder.path().join("x.db")).unwrap();
        let writer = registry.writer.lock();
        let synchronous: u8 = writer.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!(synchronous, 2, "FULL");
    }

    #[test]
    fn who_reads_cannot_write() {
        let folder = tempdir().unwrap();
        let registry = SqliteRegistry::open(&folder.path().join("x.db")).unwrap();
        let error = registry.reader().unwrap().execute("UPDATE registry_revision SET revision = 9", []).unwrap_err();
        assert!(matches!(RegistryError::from(error), RegistryError::ReadOnly));
    }
}
