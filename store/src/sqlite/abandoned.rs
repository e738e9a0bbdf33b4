//! Attempts that were charged in full because nobody saw their end.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::number::{column, kind, number, word};
use super::{budgets, slices};
use crate::balance::{AbandonedCharge, Page, Voided};
use crate::fold::SliceId;
use crate::journal::{AttemptId, Kind};
use crate::{Amount, Attempted, StoreError};

/// Remembers one. One that is known already is not charged again, and stays as it is.
pub(super) fn add(transaction: &Transaction<'_>, attempted: &Attempted, at_ms: u64) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO abandoned (run, number, opened_ms, at_ms, virtual_key, provider, model, nano)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (run, number) DO NOTHING",
    )?;
    let AttemptId { run, number } = attempted.attempt;
    let (opened_ms, at_ms, nano) = (column(attempted.at_ms), column(at_ms), column(attempted.nano()));
    let Attempted { key, provider, model, .. } = attempted;
    let (run, number) = (run.cast_signed(), number.cast_signed());
    if add.execute(params![run, number, opened_ms, at_ms, key, provider, model, nano])? == 0 {
        return Ok(());
    }
    let place = transaction.last_insert_rowid();
    attempted.amounts.iter().try_for_each(|amount| add_amount(transaction, place, amount))
}

fn add_amount(transaction: &Transaction<'_>, place: i64, amount: &Amount) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO abandoned_amounts (place, kind, id, start_ms, length_ms, amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let Amount { kind, id, start_ms, length_ms, amount } = amount;
    add.execute(params![place, word(*kind), id, column(*start_ms), column(*length_ms), column(*amount)])?;
    Ok(())
}

/// A part of them, newest first.
pub(super) fn list(transaction: &Transaction<'_>, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT place, run, number, opened_ms, at_ms, virtual_key, provider, model, voided_at_ms FROM abandoned
         WHERE place < ?1 ORDER BY place DESC LIMIT ?2",
    )?;
    let before = column(page.before.unwrap_or(u64::MAX));
    let mut charges: Vec<_> = statement.query_map(params![before, page.most], charge)?.collect::<Result<_, _>>()?;
    for charge in &mut charges {
        charge.attempted.amounts = amounts(transaction, column(charge.place))?;
    }
    Ok(charges)
}

/// Takes the charge of one back, once. Its requests stand: it was sent.
pub(super) fn void(
    transaction: &Transaction<'_>,
    attempt: AttemptId,
    at_ms: u64,
) -> Result<Option<Voided>, StoreError> {
    let mut void = transaction.prepare_cached(
        "UPDATE abandoned SET voided_at_ms = ?3 WHERE run = ?1 AND number = ?2 AND voided_at_ms IS NULL RETURNING place",
    )?;
    let key = params![attempt.run.cast_signed(), attempt.number.cast_signed(), column(at_ms)];
    let Some(place) = void.query_row(key, |row| row.get(0)).optional()? else { return Ok(None) };
    let mut entries = amounts(transaction, place)?;
    entries.retain(|entry| entry.kind != Kind::Requests);
    entries.iter().try_for_each(|entry| take_back(transaction, entry))?;
    Ok(Some(Voided { attempt, entries }))
}

fn take_back(transaction: &Transaction<'_>, entry: &Amount) -> Result<(), StoreError> {
    match entry.kind {
        Kind::Budget => budgets::take_back(transaction, &entry.id, entry.start_ms, entry.amount),
        _ => slices::take_back(transaction, SliceId::of(&entry.entry()), entry.amount),
    }
}

fn amounts(transaction: &Transaction<'_>, place: i64) -> Result<Vec<Amount>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT kind, id, start_ms, length_ms, amount FROM abandoned_amounts WHERE place = ?1 ORDER BY rowid",
    )?;
    let amounts = statement.query_map([place], amount)?.collect::<Result<_, _>>()?;
    Ok(amounts)
}

fn charge(row: &Row<'_>) -> rusqlite::Result<AbandonedCharge> {
    let (run, count): (i64, i64) = (row.get(1)?, row.get(2)?);
    let attempted = Attempted {
        call: 0,
        attempt: AttemptId { run: run.cast_unsigned(), number: count.cast_unsigned() },
        at_ms: number(row.get(3)?),
        key: row.get(5)?,
        provider: row.get(6)?,
        model: row.get(7)?,
        amounts: Vec::new(),
    };
    let voided_at_ms: Option<i64> = row.get(8)?;
    let (place, at_ms) = (number(row.get(0)?), number(row.get(4)?));
    Ok(AbandonedCharge { place, attempted, at_ms, voided_at_ms: voided_at_ms.map(number) })
}

fn amount(row: &Row<'_>) -> rusqlite::Result<Amount> {
    let word: String = row.get(0)?;
    let [start_ms, length_ms, amount] = [row.get(2)?, row.get(3)?, row.get(4)?].map(number);
    Ok(Amount { kind: kind(&word), id: row.get(1)?, start_ms, length_ms, amount })
}
