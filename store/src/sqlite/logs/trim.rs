//! Removing what is too old, a little at a time.

use rusqlite::{OptionalExtension, Transaction, params};

use super::column;
use crate::StoreError;
use crate::logs::rollup::Size;
use crate::logs::{LogId, STEP, Trim};
use crate::number::number;

/// Removes a few rows that are to go, and says how many.
pub(in crate::sqlite) fn trim(transaction: &Transaction<'_>, trim: Trim) -> Result<u64, StoreError> {
    match trim {
        Trim::RowsBefore(at_ms) => remove_rows(transaction, LogId::least_at(at_ms)),
        Trim::ToBytes(most) if bytes_in_use(transaction)? <= most => Ok(0),
        Trim::ToBytes(_) => remove_rows(transaction, LogId(u64::MAX)),
        Trim::MinutesBefore(at_ms) => {
            let kept = "UPDATE log_sums_kept SET minutes_from_ms = ?1 WHERE minutes_from_ms < ?1";
            transaction.execute(kept, [column(at_ms)])?;
            remove_sums(transaction, Size::Minute, at_ms)
        }
        Trim::HoursBefore(at_ms) => {
            let kept = "UPDATE log_sums_kept SET hours_from_ms = ?1 WHERE hours_from_ms < ?1";
            transaction.execute(kept, [column(at_ms)])?;
            Ok(remove_sums(transaction, Size::Hour, at_ms)? + remove_owner_sums(transaction, at_ms)?)
        }
    }
}

fn remove_rows(transaction: &Transaction<'_>, before: LogId) -> Result<u64, StoreError> {
    let mut remove = transaction.prepare_cached(
        "DELETE FROM request_logs WHERE place IN (SELECT place FROM request_logs WHERE place < ?1 ORDER BY place LIMIT ?2)",
    )?;
    Ok(remove.execute(params![column(before.0), STEP])? as u64)
}

/// Removes the sums of a few stretches: whole ones, so that they need not be told apart.
fn remove_sums(transaction: &Transaction<'_>, size: Size, before_ms: u64) -> Result<u64, StoreError> {
    let mut find = transaction.prepare_cached(
        "SELECT start_ms FROM log_sums WHERE length_ms = ?1 AND start_ms < ?2 ORDER BY start_ms LIMIT 1 OFFSET ?3",
    )?;
    let length = column(size.ms());
    let last: Option<i64> = find.query_row(params![length, column(before_ms), STEP], |row| row.get(0)).optional()?;
    let end = last.map_or(before_ms, |last| before_ms.min(number(last).saturating_add(1)));
    let mut remove = transaction.prepare_cached("DELETE FROM log_sums WHERE length_ms = ?1 AND start_ms < ?2")?;
    Ok(remove.execute([length, column(end)])? as u64)
}

fn remove_owner_sums(transaction: &Transaction<'_>, before_ms: u64) -> Result<u64, StoreError> {
    let mut remove = transaction.prepare_cached(
        "DELETE FROM log_owner_sums WHERE (owner_kind, owner, start_ms, provider, model, operation, status) IN (
             SELECT owner_kind, owner, start_ms, provider, model, operation, status FROM log_owner_sums
             INDEXED BY log_owner_sums_by_start WHERE start_ms < ?1 LIMIT ?2)",
    )?;
    Ok(remove.execute(params![column(before_ms), STEP])? as u64)
}

/// What the file would need if there were no free pages in it.
fn bytes_in_use(transaction: &Transaction<'_>) -> Result<u64, StoreError> {
    let pragma = |name: &str| transaction.pragma_query_value(None, name, |row| row.get(0).map(number));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(pages.saturating_mul(pragma("page_size")?))
}
