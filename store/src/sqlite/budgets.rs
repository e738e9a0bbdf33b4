//! What was spent of budgets.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::number::{column, number};
use crate::StoreError;
use crate::balance::{Began, BudgetState};

/// All of them.
pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<BudgetState>, StoreError> {
    let mut statement = transaction
        .prepare("SELECT id, windows, began_ms, window_ms, spent_nano, total_nano FROM budgets ORDER BY id")?;
    let budgets = statement.query_map([], budget)?.collect::<Result<_, _>>()?;
    Ok(budgets)
}

/// Charges what is to be charged, by id and by the beginning of the window.
pub(super) fn charge(
    transaction: &Transaction<'_>,
    charges: &HashMap<&str, BTreeMap<u64, u64>>,
) -> Result<(), StoreError> {
    for (id, windows) in charges {
        change(transaction, id, |budget| windows.iter().for_each(|(start_ms, nano)| budget.charge(*start_ms, *nano)))?;
    }
    Ok(())
}

/// Takes a charge back.
pub(super) fn take_back(transaction: &Transaction<'_>, id: &str, start_ms: u64, nano: u64) -> Result<(), StoreError> {
    change(transaction, id, |budget| budget.take_back(start_ms, nano))
}

/// Counts as not spent what was spent in a window.
pub(super) fn forgive(transaction: &Transaction<'_>, id: &str, start_ms: u64, nano: u64) -> Result<(), StoreError> {
    change(transaction, id, |budget| budget.forgive(start_ms, nano))
}

/// Keeps how the windows of budgets follow each other; gives the ids of those that did so differently before.
pub(super) fn adopt<'a>(transaction: &Transaction<'_>, budgets: &'a [Began]) -> Result<HashSet<&'a str>, StoreError> {
    let mut changed = HashSet::new();
    for began in budgets {
        let is_changed = change(transaction, &began.id, |budget| budget.adopt(began))?;
        changed.extend(is_changed.then_some(&*began.id));
    }
    Ok(changed)
}

fn change<T>(
    transaction: &Transaction<'_>,
    id: &str,
    change: impl FnOnce(&mut BudgetState) -> T,
) -> Result<T, StoreError> {
    let mut statement = transaction
        .prepare_cached("SELECT id, windows, began_ms, window_ms, spent_nano, total_nano FROM budgets WHERE id = ?1")?;
    let found = statement.query_row([id], budget).optional()?;
    let mut state = found.unwrap_or_else(|| BudgetState::unknown(id));
    let result = change(&mut state);
    put(transaction, &state)?;
    Ok(result)
}

fn put(transaction: &Transaction<'_>, state: &BudgetState) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO budgets (id, windows, began_ms, window_ms, spent_nano, total_nano)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let BudgetState { id, window, began_ms, window_ms, spent_nano, total_nano } = state;
    let numbers = [began_ms, window_ms, spent_nano, total_nano].map(|number| column(*number));
    let [began_ms, window_ms, spent_nano, total_nano] = numbers;
    statement.execute(params![id, window, began_ms, window_ms, spent_nano, total_nano])?;
    Ok(())
}

fn budget(row: &Row<'_>) -> rusqlite::Result<BudgetState> {
    Ok(BudgetState {
        id: row.get(0)?,
        window: row.get(1)?,
        began_ms: number(row.get(2)?),
        window_ms: number(row.get(3)?),
        spent_nano: number(row.get(4)?),
        total_nano: number(row.get(5)?),
    })
}
