//! The request log in SQLite: rows are added in the transaction that folds the journal.

mod filter;
mod read;
mod trim;

use std::collections::{BTreeMap, HashSet};

use rusqlite::{OptionalExtension, Transaction, params};

pub(crate) use self::read::SqliteLogs;
pub(super) use self::trim::trim;
use super::number::column;
use crate::StoreError;
use crate::fold::Change;
use crate::journal::{AttemptId, CallStatus, Called, record};
use crate::logs::detail::Detail;
use crate::logs::rollup::{Group, MOST_MODELS, Rollups, Sums};
use crate::logs::{LogId, Untold};

/// Adds what a stretch of the journal tells of calls.
pub(super) fn keep(transaction: &Transaction<'_>, change: &Change<'_>) -> Result<(), StoreError> {
    let calls = &change.calls;
    let mut forget = transaction.prepare_cached("DELETE FROM untold_calls WHERE run = ?1 AND number = ?2")?;
    for name in &calls.covered {
        forget.execute([name.run.cast_signed(), name.number.cast_signed()])?;
    }
    for (name, called) in &calls.untold {
        put_untold(transaction, *name, called)?;
    }
    for (number, called) in (0..).zip(&calls.told) {
        add(transaction, called, change.folded_to.wrapping_mul(SPREAD).wrapping_add(number))?;
    }
    let named = name_models(transaction, &calls.told)?;
    let rollups = Rollups::of(&calls.told, |provider, model| model.is_empty() || named.contains(&(provider, model)));
    add_sums(transaction, &rollups)
}

/// Keeps the numbers in ids of one fold from those of the next, so that few of them have to be tried.
const SPREAD: u64 = 4_001;

/// The calls whose attempts had ended, and that were not over.
pub(super) fn untold(transaction: &Transaction<'_>) -> Result<Untold, StoreError> {
    let mut statement = transaction.prepare("SELECT run, number, record FROM untold_calls")?;
    let mut rows = statement.query([])?;
    let mut untold = Untold::new();
    while let Some(row) = rows.next()? {
        let (run, number): (i64, i64) = (row.get(0)?, row.get(1)?);
        let payload = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let called = record::called_of(payload);
        let called = called.ok_or_else(|| StoreError::Database("an untold call cannot be read".into()))?;
        let name = AttemptId { run: run.cast_unsigned(), number: number.cast_unsigned() };
        untold.insert(name, called.into_owned());
    }
    Ok(untold)
}

fn put_untold(transaction: &Transaction<'_>, name: AttemptId, called: &Called<'_>) -> Result<(), StoreError> {
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO untold_calls (run, number, record) VALUES (?1, ?2, ?3)")?;
    let payload = record::payload_of_call(called).map_err(|error| StoreError::Database(Box::new(error)))?;
    put.execute(params![name.run.cast_signed(), name.number.cast_signed(), payload])?;
    Ok(())
}

/// Adds a row. Where its place is taken, the next one is.
fn add(transaction: &Transaction<'_>, called: &Called<'_>, number: u64) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO request_logs (place, request_id, virtual_key, team, customer, provider, model, model_asked, operation,
             status, latency_us, input_tokens, output_tokens, total_tokens, cost_nano, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (place) DO NOTHING",
    )?;
    let detail = serde_json::to_string(&Detail::of(called)).map_err(|error| StoreError::Database(Box::new(error)))?;
    let sums = Sums::of(called);
    let mut place = LogId::of(called.at_ms, number).0;
    while add.execute(params![
        column(place),
        called.request_id,
        called.key,
        called.team,
        called.customer,
        called.provider,
        called.model,
        called.model_asked,
        called.operation,
        called.status.as_str(),
        column(sums.latency_us),
        column(sums.input_tokens),
        column(sums.output_tokens),
        column(sums.total_tokens),
        column(sums.cost_nano),
        detail,
    ])? == 0
    {
        place = place.checked_add(1).unwrap_or_default();
    }
    Ok(())
}

/// The providers' models that are told apart: those that a call was answered by, as far as there is room.
fn name_models<'a>(
    transaction: &Transaction<'_>,
    calls: &'a [Called<'_>],
) -> Result<HashSet<(&'a str, &'a str)>, StoreError> {
    let mut seen: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for called in calls.iter().filter(|called| !called.model.is_empty()) {
        *seen.entry((&called.provider, &called.model)).or_default() |= called.status == CallStatus::Success;
    }
    let mut named = HashSet::new();
    for (model, was_answered) in seen {
        if is_named(transaction, model)? || (was_answered && name(transaction, model)?) {
            named.insert(model);
        }
    }
    Ok(named)
}

fn is_named(transaction: &Transaction<'_>, (provider, model): (&str, &str)) -> Result<bool, StoreError> {
    let mut find = transaction.prepare_cached("SELECT 1 FROM log_models WHERE provider = ?1 AND model = ?2")?;
    Ok(find.query_row([provider, model], |_| Ok(())).optional()?.is_some())
}

fn name(transaction: &Transaction<'_>, (provider, model): (&str, &str)) -> Result<bool, StoreError> {
    let mut name = transaction.prepare_cached(
        "INSERT INTO log_models (provider, model) SELECT ?1, ?2 WHERE (SELECT count(*) FROM log_models) < ?3",
    )?;
    Ok(name.execute(params![provider, model, column(MOST_MODELS)])? > 0)
}

/// What a sum becomes. A number that a database cannot keep would be no integer any more.
macro_rules! plus {
    ($($sum:literal)*) => {
        concat!("", $($sum, " = ", $sum, " + min(excluded.", $sum, ", 9223372036854775807 - ", $sum, "), ",)*
            "requests = requests + excluded.requests")
    };
}

fn add_sums(transaction: &Transaction<'_>, rollups: &Rollups<'_>) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(concat!(
        "INSERT INTO log_sums (length_ms, start_ms, provider, model, operation, status, requests, latency_us, input_tokens,
             output_tokens, total_tokens, cost_nano)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (length_ms, start_ms, provider, model, operation, status) DO UPDATE SET ",
        plus!("latency_us" "input_tokens" "output_tokens" "total_tokens" "cost_nano")
    ))?;
    for ((size, start_ms, group), sums) in &rollups.all {
        let Group { provider, model, operation, status } = group;
        let [requests, latency, input, output, total, cost] = columns(sums);
        let (length, start, status) = (column(size.ms()), column(*start_ms), status.as_str());
        add.execute(params![
            length, start, provider, model, operation, status, requests, latency, input, output, total, cost
        ])?;
    }
    let mut add = transaction.prepare_cached(concat!(
        "INSERT INTO log_owner_sums (owner_kind, owner, start_ms, provider, model, operation, status, requests, latency_us,
             input_tokens, output_tokens, total_tokens, cost_nano)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (owner_kind, owner, start_ms, provider, model, operation, status) DO UPDATE SET ",
        plus!("latency_us" "input_tokens" "output_tokens" "total_tokens" "cost_nano")
    ))?;
    for ((kind, owner, start_ms, group), sums) in &rollups.owners {
        let Group { provider, model, operation, status } = group;
        let [requests, latency, input, output, total, cost] = columns(sums);
        let (kind, start, status) = (kind.as_str(), column(*start_ms), status.as_str());
        add.execute(params![
            kind, owner, start, provider, model, operation, status, requests, latency, input, output, total, cost
        ])?;
    }
    Ok(())
}

fn columns(sums: &Sums) -> [i64; 6] {
    let Sums { requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano } = *sums;
    [requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano].map(column)
}
