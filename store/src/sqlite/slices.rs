//! What was used in the slices of rate limits' windows.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::number::{column, kind, number, word};
use crate::StoreError;
use crate::balance::SliceState;
use crate::fold::{Counted, SliceId};

/// All of them.
pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<SliceState>, StoreError> {
    let mut statement = transaction
        .prepare("SELECT kind, id, start_ms, length_ms, used FROM slices ORDER BY kind, id, length_ms, start_ms")?;
    let slices = statement.query_map([], slice)?.collect::<Result<_, _>>()?;
    Ok(slices)
}

/// Counts what is to be counted.
pub(super) fn count(transaction: &Transaction<'_>, slices: &HashMap<SliceId<'_>, Counted>) -> Result<(), StoreError> {
    slices.iter().try_for_each(|(id, counted)| change(transaction, *id, |used| counted.apply_to(used)))
}

/// Takes tokens back.
pub(super) fn take_back(transaction: &Transaction<'_>, id: SliceId<'_>, tokens: u64) -> Result<(), StoreError> {
    change(transaction, id, |used| used.saturating_sub(tokens))
}

/// Deletes those that cannot count any more.
pub(super) fn forget(transaction: &Transaction<'_>, newest_slice_ms: u64) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("DELETE FROM slices WHERE ends_ms < ?1")?;
    statement.execute([column(newest_slice_ms)])?;
    Ok(())
}

/// A slice of which nothing is used is not kept.
fn change(transaction: &Transaction<'_>, id: SliceId<'_>, change: impl FnOnce(u64) -> u64) -> Result<(), StoreError> {
    let SliceId { kind, id, length_ms, start_ms } = id;
    let key = params![word(kind), id, column(length_ms), column(start_ms)];
    let mut find = transaction
        .prepare_cached("SELECT used FROM slices WHERE kind = ?1 AND id = ?2 AND length_ms = ?3 AND start_ms = ?4")?;
    let before = find.query_row(key, |row| row.get(0)).optional()?.map(number);
    let used = change(before.unwrap_or_default());
    if used == 0 && before.is_none() {
        return Ok(());
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO slices (kind, id, length_ms, start_ms, used, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let ends_ms = column(SliceState::ends_ms(length_ms, start_ms));
    put.execute(params![word(kind), id, column(length_ms), column(start_ms), column(used), ends_ms])?;
    Ok(())
}

fn slice(row: &Row<'_>) -> rusqlite::Result<SliceState> {
    let word: String = row.get(0)?;
    Ok(SliceState {
        kind: kind(&word),
        id: row.get(1)?,
        start_ms: number(row.get(2)?),
        length_ms: number(row.get(3)?),
        used: number(row.get(4)?),
    })
}
