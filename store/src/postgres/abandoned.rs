//! Attempts that were charged in full because nobody saw their end.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use super::failure::Failure;
use super::server::Try;
use super::text::{plain, text};
use super::{attempts, budgets, slices};
use crate::balance::{AbandonedCharge, Page, Voided};
use crate::fold::SliceId;
use crate::journal::{AttemptId, Kind};
use crate::number::{column, kind, number, word};
use crate::{Amount, Attempted};

/// Remembers some, with when they were charged. One that is known already is not charged again, and stays as it is.
pub(super) async fn add(transaction: &Transaction<'_>, abandoned: &[(Attempted, u64)]) -> Result<(), Failure> {
    if abandoned.is_empty() {
        return Ok(());
    }
    // Nobody else adds any meanwhile: balances are locked.
    let query = "SELECT coalesce(max(place), 0) FROM abandoned";
    let last: i64 = transaction.query_one(query, &[]).await?.try_get(0)?;
    let placed: Vec<_> =
        (last.saturating_add(1)..).zip(abandoned).map(|(place, (one, at))| (place, one, *at)).collect();
    let mut added = add_attempts(transaction, &placed).await?;
    added.sort_unstable();
    let added = placed.iter().filter(|(place, ..)| added.binary_search(place).is_ok());
    add_amounts(transaction, added.map(|(place, attempted, _)| (*place, *attempted))).await
}

/// Gives the places of those that were not known.
async fn add_attempts(transaction: &Transaction<'_>, placed: &[(i64, &Attempted, u64)]) -> Result<Vec<i64>, Failure> {
    let add = "INSERT INTO abandoned (place, run, number, opened_ms, at_ms, nano, virtual_key, provider, model)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::text[], $8::text[], $9::text[])
        ON CONFLICT (run, number) DO NOTHING RETURNING place";
    let add = transaction.prepare_cached(add).await?;
    let texts = |of: fn(&Attempted) -> &str| placed.iter().map(|(_, one, _)| text(of(one))).collect::<Vec<_>>();
    let (runs, numbers) = attempts::columns(placed.iter().map(|(_, attempted, _)| &attempted.attempt));
    let places: Vec<_> = placed.iter().map(|(place, ..)| *place).collect();
    let opened: Vec<_> = placed.iter().map(|(_, attempted, _)| column(attempted.at_ms)).collect();
    let at: Vec<_> = placed.iter().map(|(.., at_ms)| column(*at_ms)).collect();
    let nano: Vec<_> = placed.iter().map(|(_, attempted, _)| column(attempted.nano())).collect();
    let (keys, providers, models) = (texts(|one| &one.key), texts(|one| &one.provider), texts(|one| &one.model));
    let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&places, &runs, &numbers, &opened, &at, &nano, &keys, &providers, &models];
    let rows = transaction.query(&add, &columns).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn add_amounts<'a>(
    transaction: &Transaction<'_>,
    added: impl Iterator<Item = (i64, &'a Attempted)>,
) -> Result<(), Failure> {
    let add = "INSERT INTO abandoned_amounts (place, nth, kind, id, start_ms, length_ms, amount)
        SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])";
    let add = transaction.prepare_cached(add).await?;
    let amounts = added.flat_map(|(place, one)| (0_i32..).zip(&one.amounts).map(move |(nth, one)| (place, nth, one)));
    let amounts: Vec<_> = amounts.collect();
    let numbers = |of: fn(&Amount) -> u64| amounts.iter().map(|(.., one)| column(of(one))).collect::<Vec<_>>();
    let (places, nths): (Vec<_>, Vec<_>) = amounts.iter().map(|(place, nth, _)| (*place, *nth)).unzip();
    let kinds: Vec<_> = amounts.iter().map(|(.., amount)| word(amount.kind)).collect();
    let ids: Vec<_> = amounts.iter().map(|(.., amount)| text(&amount.id)).collect();
    let (starts, lengths) = (numbers(|amount| amount.start_ms), numbers(|amount| amount.length_ms));
    let amounts = numbers(|amount| amount.amount);
    transaction.execute(&add, &[&places, &nths, &kinds, &ids, &starts, &lengths, &amounts]).await?;
    Ok(())
}

/// A part of them, newest first.
pub(super) async fn list(transaction: &Transaction<'_>, page: Page) -> Result<Vec<AbandonedCharge>, Failure> {
    let query = "SELECT place, run, number, opened_ms, at_ms, virtual_key, provider, model, voided_at_ms FROM abandoned
        WHERE place < $1 ORDER BY place DESC LIMIT $2";
    let before = column(page.before.unwrap_or(u64::MAX));
    let rows = transaction.query(query, &[&before, &i64::from(page.most)]).await?;
    let mut charges: Vec<_> = rows.iter().map(charge).collect::<Result<_, _>>()?;
    let mut amounts = amounts(transaction, charges.iter().map(|charge| column(charge.place)).collect()).await?;
    for charge in &mut charges {
        charge.attempted.amounts = amounts.remove(&column(charge.place)).unwrap_or_default();
    }
    Ok(charges)
}

/// Takes the charge of one back, once. Its requests stand: it was sent.
pub(super) async fn void(
    transaction: &Transaction<'_>,
    attempt: AttemptId,
    at_ms: u64,
    state: Try,
) -> Result<Option<Voided>, Failure> {
    attempts::lock(transaction).await?;
    let (run, number, at) = (attempt.run.cast_signed(), attempt.number.cast_signed(), column(at_ms));
    let void = "UPDATE abandoned SET voided_at_ms = $3 WHERE run = $1 AND number = $2 AND voided_at_ms IS NULL
        RETURNING place";
    if let Some(row) = transaction.query_opt(void, &[&run, &number, &at]).await? {
        let entries = entries(transaction, row.try_get(0)?).await?;
        take_back(transaction, &entries).await?;
        return Ok(Some(Voided { attempt, entries }));
    }
    // Was it this very call, before the connection broke?
    let find = "SELECT place FROM abandoned WHERE run = $1 AND number = $2 AND voided_at_ms = $3";
    match transaction.query_opt(find, &[&run, &number, &at]).await?.filter(|_| state.may_be_done) {
        Some(row) => Ok(Some(Voided { attempt, entries: entries(transaction, row.try_get(0)?).await? })),
        None => Ok(None),
    }
}

/// What can be taken back of one.
async fn entries(transaction: &Transaction<'_>, place: i64) -> Result<Vec<Amount>, Failure> {
    let mut entries = amounts(transaction, vec![place]).await?.remove(&place).unwrap_or_default();
    entries.retain(|entry| entry.kind != Kind::Requests);
    Ok(entries)
}

async fn take_back(transaction: &Transaction<'_>, entries: &[Amount]) -> Result<(), Failure> {
    let (money, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.kind == Kind::Budget);
    budgets::take_back(transaction, &money).await?;
    let others: Vec<_> = others.into_iter().map(|entry| (entry.entry(), entry.amount)).collect();
    let mut tokens: HashMap<SliceId<'_>, u64> = HashMap::new();
    for (entry, amount) in &others {
        let sum = tokens.entry(SliceId::of(entry)).or_default();
        *sum = sum.saturating_add(*amount);
    }
    slices::take_back(transaction, &tokens).await
}

async fn amounts(transaction: &Transaction<'_>, places: Vec<i64>) -> Result<HashMap<i64, Vec<Amount>>, Failure> {
    let query = "SELECT place, kind, id, start_ms, length_ms, amount FROM abandoned_amounts
        WHERE place = ANY($1) ORDER BY place, nth";
    let mut amounts: HashMap<i64, Vec<Amount>> = HashMap::new();
    for row in transaction.query(query, &[&places]).await? {
        amounts.entry(row.try_get(0)?).or_default().push(amount(&row)?);
    }
    Ok(amounts)
}

fn charge(row: &Row) -> Result<AbandonedCharge, Error> {
    let (run, count): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    let attempted = Attempted {
        call: 0,
        attempt: AttemptId { run: run.cast_unsigned(), number: count.cast_unsigned() },
        at_ms: number(row.try_get(3)?),
        key: plain(row.try_get(5)?),
        provider: plain(row.try_get(6)?),
        model: plain(row.try_get(7)?),
        amounts: Vec::new(),
    };
    let voided_at_ms: Option<i64> = row.try_get(8)?;
    let (place, at_ms) = (number(row.try_get(0)?), number(row.try_get(4)?));
    Ok(AbandonedCharge { place, attempted, at_ms, voided_at_ms: voided_at_ms.map(number) })
}

fn amount(row: &Row) -> Result<Amount, Error> {
    Ok(Amount {
        kind: kind(row.try_get(1)?),
        id: plain(row.try_get(2)?),
        start_ms: number(row.try_get(3)?),
        length_ms: number(row.try_get(4)?),
        amount: number(row.try_get(5)?),
    })
}
