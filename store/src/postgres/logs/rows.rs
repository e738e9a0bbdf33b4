//! Adding rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::days;
use crate::StoreError;
use crate::journal::Called;
use crate::logs::LogId;
use crate::logs::detail::Detail;
use crate::logs::rollup::Sums;
use crate::number::column;
use crate::postgres::failure::Failure;
use crate::postgres::text::text;

/// Keeps the numbers in ids of one fold from those of the next, so that few of them have to be tried.
const SPREAD: u64 = 4_001;
/// So many rows are sent at a time.
const AT_ONCE: usize = 2_000;

/// A call, and where it is to be.
pub(super) type Placed<'a> = (u64, &'a Called<'a>);

/// Adds a row for each call. Where its place is taken, by another node's perhaps, the next one is.
pub(super) async fn add(transaction: &Transaction<'_>, calls: &[Called<'_>], fold: u64) -> Result<(), Failure> {
    let numbers = (0..).map(|number| fold.wrapping_mul(SPREAD).wrapping_add(number));
    let mut placed: Vec<Placed<'_>> =
        calls.iter().zip(numbers).map(|(called, number)| (LogId::of(called.at_ms, number).0, called)).collect();
    let mut tried = HashSet::with_capacity(placed.len());
    let mut added = BTreeMap::new();
    while !placed.is_empty() {
        placed.iter_mut().for_each(|(place, _)| *place = free(*place, &mut tried));
        days::prepare(transaction, placed.iter().map(|(place, _)| days::of(*place)).collect()).await?;
        let mut kept = HashSet::with_capacity(placed.len());
        for placed in placed.chunks(AT_ONCE) {
            kept.extend(insert(transaction, placed).await?);
        }
        for place in &kept {
            *added.entry(days::of(*place)).or_default() += 1;
        }
        placed.retain(|(place, _)| !kept.contains(place));
    }
    days::count(transaction, &added).await
}

/// The first place from there on that was not tried yet.
fn free(mut place: u64, tried: &mut HashSet<u64>) -> u64 {
    while !tried.insert(place) {
        place = place.checked_add(1).filter(|next| *next <= i64::MAX.cast_unsigned()).unwrap_or_default();
    }
    place
}

/// Gives the places of rows that were added. `COPY` is no faster (75 ms for 1,000 rows either way, most of it for indexes), and would have
/// to ask before which places are taken.
pub(super) async fn insert(transaction: &Transaction<'_>, placed: &[Placed<'_>]) -> Result<Vec<u64>, Failure> {
    let insert = "INSERT INTO request_logs (place, latency_us, input_tokens, output_tokens, total_tokens, cost_nano,
            request_id, virtual_key, team, customer, provider, model, model_asked, operation, status, reason_text, detail)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
            $16::text[], $17::text[])
        ON CONFLICT (place) DO NOTHING RETURNING place";
    let insert = transaction.prepare_cached(insert).await?;
    let numbers = columns(placed.iter().map(|(place, called)| numbers_of(*place, called)));
    let texts = columns(placed.iter().map(|(_, called)| texts_of(called)));
    let details = placed.iter().map(|(_, called)| detail(called)).collect::<Result<Vec<_>, _>>()?;
    let all = numbers.iter().map(|column| column as &(dyn ToSql + Sync));
    let all = all.chain(texts.iter().map(|column| column as _)).chain([&details as _]);
    let rows = transaction.query(&insert, &all.collect::<Vec<_>>()).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, i64>(0)?.cast_unsigned())).collect()
}

/// Rows as columns.
fn columns<T, const N: usize>(rows: impl Iterator<Item = [T; N]>) -> [Vec<T>; N] {
    let mut columns = std::array::from_fn(|_| Vec::new());
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
}

pub(super) fn numbers_of(place: u64, called: &Called<'_>) -> [i64; 6] {
    let Sums { latency_us, input_tokens, output_tokens, total_tokens, cost_nano, .. } = Sums::of(called);
    [place, latency_us, input_tokens, output_tokens, total_tokens, cost_nano].map(column)
}

pub(super) fn texts_of<'a>(called: &'a Called<'_>) -> [Cow<'a, str>; 10] {
    let Called { request_id, key, team, customer, provider, model, model_asked, operation, reason_text, .. } = called;
    let status = called.status.as_str();
    [request_id, key, team, customer, provider, model, model_asked, operation, status, reason_text].map(text)
}

pub(super) fn detail(called: &Called<'_>) -> Result<String, StoreError> {
    // JSON has no NUL.
    let detail = serde_json::to_string(&Detail::of(called).without_reason_text());
    detail.map_err(|error| StoreError::Database(Box::new(error)))
}
