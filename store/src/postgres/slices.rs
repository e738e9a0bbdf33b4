//! What was used in the slices of rate limits' windows.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use super::failure::Failure;
use super::text::{hash, plain, text};
use crate::balance::SliceState;
use crate::fold::{Counted, SliceId};
use crate::number::{column, kind, number, word};

/// All of them, in order.
pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<SliceState>, Failure> {
    let rows = transaction.query("SELECT kind, id, length_ms, start_ms, used FROM slices", &[]).await?;
    let mut slices: Vec<_> = rows.iter().map(slice).collect::<Result<_, _>>()?;
    slices.sort_by_cached_key(|slice| (word(slice.kind), slice.id.clone(), slice.length_ms, slice.start_ms));
    Ok(slices)
}

/// Counts what is to be counted.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    slices: &HashMap<SliceId<'_>, Counted>,
) -> Result<(), Failure> {
    let ids: Vec<_> = slices.keys().copied().collect();
    change(transaction, &ids, |id, used| slices.get(id).map_or(used, |counted| counted.apply_to(used))).await
}

/// Takes tokens back.
pub(super) async fn take_back(
    transaction: &Transaction<'_>,
    tokens: &HashMap<SliceId<'_>, u64>,
) -> Result<(), Failure> {
    let ids: Vec<_> = tokens.keys().copied().collect();
    let taken = |id: &SliceId<'_>| tokens.get(id).copied().unwrap_or_default();
    change(transaction, &ids, |id, used| used.saturating_sub(taken(id))).await
}

/// Deletes those that cannot count any more.
pub(super) async fn forget(transaction: &Transaction<'_>, newest_slice_ms: u64) -> Result<(), Failure> {
    let delete = transaction.prepare_cached("DELETE FROM slices WHERE ends_ms < $1").await?;
    transaction.execute(&delete, &[&column(newest_slice_ms)]).await?;
    Ok(())
}

/// How a slice is found: kind, id, length and start, as they are kept.
type Place = (&'static str, String, i64, i64);

/// A slice of which nothing is used is not kept.
async fn change(
    transaction: &Transaction<'_>,
    ids: &[SliceId<'_>],
    change: impl Fn(&SliceId<'_>, u64) -> u64,
) -> Result<(), Failure> {
    let places: Vec<Place> = ids.iter().map(place).collect();
    let mut slices = find(transaction, &places).await?;
    for (id, place) in ids.iter().zip(places) {
        let before = slices.get(&place).copied();
        let after = change(id, before.unwrap_or_default());
        if after > 0 || before.is_some() {
            slices.insert(place, after);
        }
    }
    put(transaction, &slices).await
}

async fn find(transaction: &Transaction<'_>, places: &[Place]) -> Result<HashMap<Place, u64>, Failure> {
    let query = "SELECT kind, id, length_ms, start_ms, used FROM slices WHERE (kind, id_hash, length_ms, start_ms) IN
        (SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[]))";
    let query = transaction.prepare_cached(query).await?;
    let (kinds, hashes, lengths, starts) = keys(places.iter());
    let rows = transaction.query(&query, &[&kinds, &hashes, &lengths, &starts]).await?;
    let found = rows.iter().map(|row| {
        let place = (word(kind(row.try_get(0)?)), plain(row.try_get(1)?), row.try_get(2)?, row.try_get(3)?);
        Ok((place, number(row.try_get(4)?)))
    });
    found.collect()
}

async fn put(transaction: &Transaction<'_>, slices: &HashMap<Place, u64>) -> Result<(), Failure> {
    let put = "INSERT INTO slices (kind, id_hash, length_ms, start_ms, id, used, ends_ms)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
        ON CONFLICT (kind, id_hash, length_ms, start_ms) DO UPDATE SET used = excluded.used";
    let put = transaction.prepare_cached(put).await?;
    let (kinds, hashes, lengths, starts) = keys(slices.keys());
    let ids: Vec<_> = slices.keys().map(|(_, id, ..)| text(id)).collect();
    let used: Vec<_> = slices.values().map(|used| column(*used)).collect();
    let ends = slices.keys().map(|(.., length, start)| SliceState::ends_ms(number(*length), number(*start)));
    let ends: Vec<_> = ends.map(column).collect();
    transaction.execute(&put, &[&kinds, &hashes, &lengths, &starts, &ids, &used, &ends]).await?;
    Ok(())
}

fn place(id: &SliceId<'_>) -> Place {
    (word(id.kind), id.id.to_owned(), column(id.length_ms), column(id.start_ms))
}

/// As columns.
type Keys = (Vec<&'static str>, Vec<Vec<u8>>, Vec<i64>, Vec<i64>);

fn keys<'a>(places: impl Iterator<Item = &'a Place>) -> Keys {
    let mut keys = Keys::default();
    for (kind, id, length, start) in places {
        keys.0.push(*kind);
        keys.1.push(hash(id));
        keys.2.push(*length);
        keys.3.push(*start);
    }
    keys
}

fn slice(row: &Row) -> Result<SliceState, Error> {
    Ok(SliceState {
        kind: kind(row.try_get(0)?),
        id: plain(row.try_get(1)?),
        length_ms: number(row.try_get(2)?),
        start_ms: number(row.try_get(3)?),
        used: number(row.try_get(4)?),
    })
}
