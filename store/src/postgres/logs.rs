//! The request log in PostgreSQL: rows are added in the transaction that folds a node's journal, and so one node at a time.

mod days;
mod filter;
mod models;
mod read;
mod rows;
mod scan;
mod sums;
mod trim;
mod windows;

use deadpool_postgres::Transaction;

pub(crate) use self::read::PostgresLogs;
pub(super) use self::trim::trim;
use super::attempts;
use super::failure::Failure;
use crate::StoreError;
use crate::fold::Change;
use crate::journal::{AttemptId, record};
use crate::logs::rollup::Rollups;
use crate::logs::{Calls, Untold};

/// Adds what a stretch of a node's journal tells of calls.
pub(super) async fn keep(transaction: &Transaction<'_>, node: &str, change: &Change<'_>) -> Result<(), Failure> {
    let calls = &change.calls;
    forget_untold(transaction, calls).await?;
    put_untold(transaction, node, calls).await?;
    if calls.told.is_empty() {
        return Ok(());
    }
    rows::add(transaction, &calls.told, change.folded_to).await?;
    let named = models::name(transaction, &calls.told).await?;
    let rollups = Rollups::of(&calls.told, |provider, model| model.is_empty() || named.contains(&(provider, model)));
    sums::add(transaction, &rollups).await
}

/// The calls of a node whose attempts had ended, and that were not over.
pub(super) async fn untold(transaction: &Transaction<'_>, node: &str) -> Result<Untold, Failure> {
    let query = "SELECT run, number, record FROM untold_calls WHERE node = $1";
    let mut untold = Untold::new();
    for row in transaction.query(query, &[&node]).await? {
        let (run, number): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let called = record::called_of(row.try_get(2)?);
        let called = called.ok_or(Failure::Damaged("an untold call cannot be read"))?;
        let name = AttemptId { run: run.cast_unsigned(), number: number.cast_unsigned() };
        untold.insert(name, called.into_owned());
    }
    Ok(untold)
}

async fn forget_untold(transaction: &Transaction<'_>, calls: &Calls<'_>) -> Result<(), Failure> {
    if calls.covered.is_empty() {
        return Ok(());
    }
    let delete = "DELETE FROM untold_calls WHERE (run, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
    let delete = transaction.prepare_cached(delete).await?;
    let (runs, numbers) = attempts::columns(calls.covered.iter());
    transaction.execute(&delete, &[&runs, &numbers]).await?;
    Ok(())
}

async fn put_untold(transaction: &Transaction<'_>, node: &str, calls: &Calls<'_>) -> Result<(), Failure> {
    if calls.untold.is_empty() {
        return Ok(());
    }
    let put = "INSERT INTO untold_calls (run, number, node, record)
        SELECT run, number, $4, record FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS u (run, number, record)
        ON CONFLICT (run, number) DO UPDATE SET record = excluded.record";
    let put = transaction.prepare_cached(put).await?;
    let (runs, numbers) = attempts::columns(calls.untold.keys());
    let records = calls.untold.values().map(record::payload_of_call).collect::<Result<Vec<_>, _>>();
    let records = records.map_err(|error| StoreError::Database(Box::new(error)))?;
    transaction.execute(&put, &[&runs, &numbers, &records, &node]).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
