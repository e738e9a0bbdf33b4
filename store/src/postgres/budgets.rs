//! What was spent of budgets. Many are changed at a time: each statement is a journey to the server.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use super::failure::Failure;
use super::text::{hash, plain, text};
use crate::Amount;
use crate::balance::{Began, BudgetState};
use crate::number::{column, number};

/// All of them, by id.
pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<BudgetState>, Failure> {
    let query = "SELECT id, windows, began_ms, window_ms, spent_nano, total_nano FROM budgets";
    let rows = transaction.query(query, &[]).await?;
    let mut budgets: Vec<_> = rows.iter().map(budget).collect::<Result<_, _>>()?;
    budgets.sort_unstable_by(|left, right| left.id.cmp(&right.id));
    Ok(budgets)
}

/// Charges what is to be charged, by id and by the beginning of the window.
pub(super) async fn charge(
    transaction: &Transaction<'_>,
    charges: &HashMap<&str, BTreeMap<u64, u64>>,
) -> Result<(), Failure> {
    let mut budgets = find(transaction, charges.keys().copied()).await?;
    for (id, windows) in charges {
        let budget = of(&mut budgets, id);
        windows.iter().for_each(|(start_ms, nano)| budget.charge(*start_ms, *nano));
    }
    put(transaction, &budgets).await
}

/// Takes charges back.
pub(super) async fn take_back(transaction: &Transaction<'_>, charges: &[&Amount]) -> Result<(), Failure> {
    let mut budgets = find(transaction, charges.iter().map(|charge| &*charge.id)).await?;
    charges.iter().for_each(|charge| of(&mut budgets, &charge.id).take_back(charge.start_ms, charge.amount));
    put(transaction, &budgets).await
}

/// Counts as not spent what was spent in a window. `before` is kept from try to try: this process alone charges, so what is not what it
/// was then was done by a try whose answer was lost.
pub(super) async fn forgive(
    transaction: &Transaction<'_>,
    (id, start_ms, nano): (&str, u64, u64),
    before: &Cell<Option<u64>>,
    may_be_done: bool,
) -> Result<(), Failure> {
    let mut budgets = find(transaction, std::iter::once(id)).await?;
    let budget = of(&mut budgets, id);
    let is_as_before = before.replace(Some(budget.spent_nano)).is_none_or(|before| before == budget.spent_nano);
    if may_be_done && !is_as_before {
        return Ok(());
    }
    budget.forgive(start_ms, nano);
    put(transaction, &budgets).await
}

/// Keeps how the windows of budgets follow each other; gives the ids of those that did so differently before.
pub(super) async fn adopt<'a>(transaction: &Transaction<'_>, began: &'a [Began]) -> Result<HashSet<&'a str>, Failure> {
    let mut budgets = find(transaction, began.iter().map(|began| &*began.id)).await?;
    let changed = began.iter().filter(|began| of(&mut budgets, &began.id).adopt(began));
    let changed = changed.map(|began| &*began.id).collect();
    put(transaction, &budgets).await?;
    Ok(changed)
}

/// Those of these ids that are there.
async fn find<'a>(
    transaction: &Transaction<'_>,
    ids: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, BudgetState>, Failure> {
    let query = "SELECT id, windows, began_ms, window_ms, spent_nano, total_nano FROM budgets WHERE id_hash = ANY($1)";
    let query = transaction.prepare_cached(query).await?;
    let hashes: Vec<_> = ids.map(hash).collect();
    let rows = transaction.query(&query, &[&hashes]).await?;
    let budgets = rows.iter().map(|row| budget(row).map(|budget| (budget.id.clone(), budget)));
    Ok(budgets.collect::<Result<_, _>>()?)
}

/// One of them; one that nothing is known of is added.
fn of<'a>(budgets: &'a mut HashMap<String, BudgetState>, id: &str) -> &'a mut BudgetState {
    budgets.entry(id.to_owned()).or_insert_with(|| BudgetState::unknown(id))
}

async fn put(transaction: &Transaction<'_>, budgets: &HashMap<String, BudgetState>) -> Result<(), Failure> {
    let put = "INSERT INTO budgets (id_hash, id, windows, began_ms, window_ms, spent_nano, total_nano)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
        ON CONFLICT (id_hash) DO UPDATE SET windows = excluded.windows, began_ms = excluded.began_ms,
            window_ms = excluded.window_ms, spent_nano = excluded.spent_nano, total_nano = excluded.total_nano";
    let put = transaction.prepare_cached(put).await?;
    let column_of = |of: fn(&BudgetState) -> u64| budgets.values().map(|one| column(of(one))).collect::<Vec<_>>();
    let hashes: Vec<_> = budgets.keys().map(|id| hash(id)).collect();
    let ids: Vec<_> = budgets.keys().map(|id| text(id)).collect();
    let windows: Vec<_> = budgets.values().map(|budget| text(&budget.window)).collect();
    let (began, window) = (column_of(|budget| budget.began_ms), column_of(|budget| budget.window_ms));
    let (spent, total) = (column_of(|budget| budget.spent_nano), column_of(|budget| budget.total_nano));
    transaction.execute(&put, &[&hashes, &ids, &windows, &began, &window, &spent, &total]).await?;
    Ok(())
}

fn budget(row: &Row) -> Result<BudgetState, Error> {
    Ok(BudgetState {
        id: plain(row.try_get(0)?),
        window: plain(row.try_get(1)?),
        began_ms: number(row.try_get(2)?),
        window_ms: number(row.try_get(3)?),
        spent_nano: number(row.try_get(4)?),
        total_nano: number(row.try_get(5)?),
    })
}
