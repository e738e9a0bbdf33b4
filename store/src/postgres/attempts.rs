//! How far a node's journal is folded, and the attempts that were open then.

use deadpool_postgres::Transaction;

use super::failure::Failure;
use crate::StoreError;
use crate::balances::{Open, Progress};
use crate::fold::Change;
use crate::journal::AttemptId;
use crate::journal::record::Recorded;
use crate::number::{column, number};

/// Makes this the only one who changes balances, until the transaction ends.
pub(super) async fn lock(transaction: &Transaction<'_>) -> Result<(), Failure> {
    let lock = transaction.prepare_cached("SELECT run FROM ledger WHERE one = 1 FOR UPDATE").await?;
    transaction.query_one(&lock, &[]).await?;
    Ok(())
}

/// Makes a node known.
pub(super) async fn add_node(transaction: &Transaction<'_>, node: &str) -> Result<(), Failure> {
    let add = "INSERT INTO nodes (id, run, folded_to) VALUES ($1, 0, 0) ON CONFLICT (id) DO NOTHING";
    transaction.execute(add, &[&node]).await?;
    Ok(())
}

/// Begins another process of a node.
pub(super) async fn begin_run(transaction: &Transaction<'_>, node: &str, now_ms: u64) -> Result<u64, Failure> {
    lock(transaction).await?;
    let last: i64 = transaction.query_one("SELECT run FROM ledger WHERE one = 1", &[]).await?.try_get(0)?;
    let run = number(last).saturating_add(1).max(now_ms);
    transaction.execute("UPDATE ledger SET run = $1 WHERE one = 1", &[&column(run)]).await?;
    transaction.execute("UPDATE nodes SET run = $2 WHERE id = $1", &[&node, &column(run)]).await?;
    Ok(run)
}

/// How far a node's journal is folded, with the attempts that were open then.
pub(super) async fn progress(transaction: &Transaction<'_>, node: &str) -> Result<Progress, Failure> {
    let query = "SELECT record FROM open_attempts WHERE node = $1 ORDER BY run, number";
    let rows = transaction.query(query, &[&node]).await?;
    let open = rows.iter().map(|row| {
        let payload: &[u8] = row.try_get(0)?;
        let recorded = Recorded::of(payload);
        let recorded = recorded.ok_or_else(|| StoreError::Database("an open attempt cannot be read".into()))?;
        Ok((recorded.attempt, payload.into()))
    });
    let open = open.collect::<Result<_, Failure>>()?;
    Ok(Progress { folded_to: folded_to(transaction, node, None).await?, open })
}

/// The last segment of a node that is folded.
///
/// # Errors
/// When the node has another process than `run` by now.
pub(super) async fn folded_to(transaction: &Transaction<'_>, node: &str, run: Option<u64>) -> Result<u64, Failure> {
    let query = transaction.prepare_cached("SELECT folded_to, run FROM nodes WHERE id = $1").await?;
    let Some(row) = transaction.query_opt(&query, &[&node]).await? else { return Ok(0) };
    let its_run = number(row.try_get(1)?);
    if run.is_some_and(|run| run != its_run) {
        return Err(StoreError::TakenOver.into());
    }
    Ok(number(row.try_get(0)?))
}

/// Keeps how far a node's journal is folded now, and which attempts are open.
pub(super) async fn change(transaction: &Transaction<'_>, node: &str, change: &Change<'_>) -> Result<(), Failure> {
    let delete = "DELETE FROM open_attempts WHERE (run, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))";
    let delete = transaction.prepare_cached(delete).await?;
    let (runs, numbers) = columns(change.ended.iter());
    transaction.execute(&delete, &[&runs, &numbers]).await?;
    let opened: Vec<_> = change.opened.values().map(|recorded| (recorded.attempt, recorded.payload)).collect();
    put(transaction, node, &opened).await?;
    let update = transaction.prepare_cached("UPDATE nodes SET folded_to = $2 WHERE id = $1").await?;
    transaction.execute(&update, &[&node, &column(change.folded_to)]).await?;
    Ok(())
}

/// Keeps attempts that are open.
pub(super) async fn put(transaction: &Transaction<'_>, node: &str, open: &[(AttemptId, &[u8])]) -> Result<(), Failure> {
    let put = "INSERT INTO open_attempts (run, number, node, record)
        SELECT run, number, $4, record FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS o (run, number, record)
        ON CONFLICT (run, number) DO UPDATE SET record = excluded.record";
    let put = transaction.prepare_cached(put).await?;
    let (runs, numbers) = columns(open.iter().map(|(name, _)| name));
    let records: Vec<_> = open.iter().map(|(_, record)| *record).collect();
    transaction.execute(&put, &[&runs, &numbers, &records, &node]).await?;
    Ok(())
}

/// Names as two columns.
pub(super) fn columns<'a>(names: impl Iterator<Item = &'a AttemptId>) -> (Vec<i64>, Vec<i64>) {
    names.map(|name| (name.run.cast_signed(), name.number.cast_signed())).unzip()
}

/// Those of the open attempts that the database has differently than they are known.
pub(super) fn other(progress: Progress, is_known: impl Fn(&AttemptId, &[u8]) -> bool) -> Vec<Open> {
    progress.open.into_iter().filter(|(name, payload)| !is_known(name, payload)).collect()
}
