//! How far the journal is folded, and the attempts that were open then.

use rusqlite::{Transaction, params};

use super::number::{column, number};
use crate::balances::{Open, Progress};
use crate::fold::Change;
use crate::journal::AttemptId;
use crate::journal::record::{self, Recorded};
use crate::{Attempted, StoreError};

/// Begins another process.
pub(super) fn begin_run(transaction: &Transaction<'_>, now_ms: u64) -> Result<u64, StoreError> {
    let last: i64 = transaction.query_row("SELECT run FROM progress", [], |row| row.get(0))?;
    let run = number(last).saturating_add(1).max(now_ms);
    transaction.execute("UPDATE progress SET run = ?1", [column(run)])?;
    Ok(run)
}

/// How far the journal is folded, with the attempts that were open then.
pub(super) fn progress(transaction: &Transaction<'_>) -> Result<Progress, StoreError> {
    let mut statement = transaction.prepare("SELECT record FROM open_attempts ORDER BY run, number")?;
    let mut rows = statement.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let payload = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let recorded = Recorded::of(payload);
        let recorded = recorded.ok_or_else(|| StoreError::Database("an open attempt cannot be read".into()))?;
        open.push((recorded.attempt, payload.into()));
    }
    Ok(Progress { folded_to: folded_to(transaction)?, open })
}

/// The last segment that is folded.
pub(super) fn folded_to(transaction: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(number(transaction.query_row("SELECT folded_to FROM progress", [], |row| row.get(0))?))
}

/// Keeps how far the journal is folded now, and which attempts are open.
pub(super) fn change(transaction: &Transaction<'_>, change: &Change<'_>) -> Result<(), StoreError> {
    let mut delete = transaction.prepare_cached("DELETE FROM open_attempts WHERE run = ?1 AND number = ?2")?;
    for name in &change.ended {
        delete.execute([name.run.cast_signed(), name.number.cast_signed()])?;
    }
    change.opened.values().try_for_each(|recorded| put(transaction, recorded.attempt, recorded.payload))?;
    transaction.execute("UPDATE progress SET folded_to = ?1", [column(change.folded_to)])?;
    Ok(())
}

/// Keeps an attempt that is open, and is not what it was.
pub(super) fn put_changed(transaction: &Transaction<'_>, attempted: &Attempted) -> Result<Open, StoreError> {
    let payload = record::payload_of(attempted).map_err(|error| StoreError::Database(Box::new(error)))?;
    put(transaction, attempted.attempt, &payload)?;
    Ok((attempted.attempt, payload.into()))
}

fn put(transaction: &Transaction<'_>, name: AttemptId, payload: &[u8]) -> Result<(), StoreError> {
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO open_attempts (run, number, record) VALUES (?1, ?2, ?3)")?;
    put.execute(params![name.run.cast_signed(), name.number.cast_signed(), payload])?;
    Ok(())
}
