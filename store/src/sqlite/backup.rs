//! Copies of a whole database file: the database as it is at one moment, and beside it, in a table of its own, the journal.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, params};

use super::schema;
use crate::StoreError;

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// The whole file in one step: in WAL mode nobody waits for that, and a write by others does not begin it anew.
const ALL: i32 = -1;

/// Is given the number of a segment and what is in it.
type Each<'e> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'e;

const TABLE: &str = "CREATE TABLE backup_segments (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT";

/// Copies a database that others may be writing, and puts segments of the journal beside it.
pub(crate) fn make(from: &Path, to: &Path, segments: &[(u64, &[u8])]) -> Result<(), StoreError> {
    super::registry::make_for_owner(to)?;
    let mut copy = copied(from, to)?;
    let transaction = copy.transaction()?;
    transaction.execute_batch(TABLE)?;
    for (number, bytes) in segments {
        let insert = "INSERT INTO backup_segments (number, bytes) VALUES (?1, ?2)";
        transaction.execute(insert, params![number.cast_signed(), bytes])?;
    }
    transaction.commit()?;
    close(copy)
}

/// Makes a database of a copy, and gives the segments of the journal to `each`.
///
/// # Errors
/// When it is no copy, is damaged, or is of a newer version.
pub(crate) fn open(from: &Path, to: &Path, each: &mut Each<'_>) -> Result<(), StoreError> {
    super::registry::make_for_owner(to)?;
    let mut copy = copied(from, to)?;
    check(&mut copy)?;
    {
        let mut segments = copy.prepare("SELECT number, bytes FROM backup_segments ORDER BY number")?;
        let mut rows = segments.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get::<_, i64>(0)?.cast_unsigned(), row.get_ref(1)?.as_blob().map_err(|_| not_a_backup())?)?;
        }
    }
    copy.execute_batch("DROP TABLE backup_segments")?;
    close(copy)
}

fn check(copy: &mut Connection) -> Result<(), StoreError> {
    let is_whole: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if is_whole != "ok" {
        return Err(StoreError::Database(format!("the backup is damaged: {is_whole}").into()));
    }
    let transaction = copy.transaction()?;
    let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'backup_segments'";
    let has_segments = transaction.query_row(query, [], |row| row.get::<_, u32>(0))? == 1;
    if has_segments && schema::is_known(&transaction)? { Ok(()) } else { Err(not_a_backup()) }
}

fn not_a_backup() -> StoreError {
    StoreError::Database("it is no backup of `tollgate backup`".into())
}

fn copied(from: &Path, to: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(from, flags)?;
    from.busy_timeout(PATIENCE)?;
    let mut copy = Connection::open(to)?;
    {
        let backup = Backup::new(&from, &mut copy)?;
        let mut tries = PATIENCE.as_millis() / PAUSE.as_millis();
        while backup.step(ALL)? != StepResult::Done {
            tries = tries.saturating_sub(1);
            if tries == 0 {
                return Err(StoreError::Database("it is locked by somebody else: try again".into()));
            }
            std::thread::park_timeout(PAUSE);
        }
    }
    // One file, and nothing beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.pragma_update(None, "synchronous", "FULL")?;
    Ok(copy)
}

fn close(copy: Connection) -> Result<(), StoreError> {
    copy.close().map_err(|(_, error)| error.into())
}
