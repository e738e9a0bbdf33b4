//! Sums of calls: added to as rows are, and looked at.

use std::borrow::Cow;

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::filter::Asked;
use crate::CallStatus;
use crate::logs::Dimension;
use crate::logs::plan::Stretch;
use crate::logs::rollup::{Group, OwnerKind, Rollups, Size, Sums};
use crate::logs::tables::{Of, Parts, Sum};
use crate::number::{column, number};
use crate::postgres::failure::Failure;
use crate::postgres::text::{hash_of, plain, text};

/// So many are sent at a time.
const AT_ONCE: usize = 5_000;

/// What a sum becomes, as far as a number can be kept.
macro_rules! plus {
    ($table:literal: $($sum:literal)*) => {
        concat!("", $($sum, " = ", $table, ".", $sum, " + least(excluded.", $sum, ", 9223372036854775807 - ", $table, ".", $sum, "), ",)*
            "requests = ", $table, ".requests + excluded.requests")
    };
}

/// The columns of sums, summed up.
macro_rules! sum_of {
    ($($sum:literal)*) => {
        concat!("", $("CAST(least(sum(", $sum, "), 9223372036854775807) AS bigint), ",)*
            "CAST(least(sum(cost_nano), 9223372036854775807) AS bigint)")
    };
}

/// Those of sums, behind each other.
const OF_SUMS: &str = sum_of!("requests" "latency_us" "input_tokens" "output_tokens" "total_tokens");
/// The same of rows, each of which is one request.
pub(super) const OF_ROWS: &str =
    concat!("count(*), ", sum_of!("latency_us" "input_tokens" "output_tokens" "total_tokens"));

/// Columns that sums of all calls and those of owners have.
#[derive(Default)]
struct Columns<'a> {
    starts: Vec<i64>,
    hashes: Vec<Vec<u8>>,
    groups: [Vec<Cow<'a, str>>; 4],
    sums: [Vec<i64>; 6],
}

impl<'a> Columns<'a> {
    fn push(&mut self, start_ms: u64, group: &Group<'a>, sums: &Sums) {
        let Group { provider, model, operation, status } = *group;
        let words = [provider, model, operation, status.as_str()];
        self.starts.push(column(start_ms));
        self.hashes.push(hash_of(words));
        self.groups.iter_mut().zip(words).for_each(|(column, word)| column.push(text(word)));
        let Sums { requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano } = *sums;
        let sums = [requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano];
        self.sums.iter_mut().zip(sums).for_each(|(to, sum)| to.push(column(sum)));
    }

    fn parameters(&self) -> impl Iterator<Item = &(dyn ToSql + Sync)> {
        let [starts, hashes]: [&(dyn ToSql + Sync); 2] = [&self.starts, &self.hashes];
        let groups = self.groups.iter().map(|words| words as &(dyn ToSql + Sync));
        [starts, hashes].into_iter().chain(groups).chain(self.sums.iter().map(|sums| sums as _))
    }
}

/// Adds to the sums.
pub(super) async fn add(transaction: &Transaction<'_>, rollups: &Rollups<'_>) -> Result<(), Failure> {
    let all: Vec<_> = rollups.all.iter().collect();
    for some in all.chunks(AT_ONCE) {
        add_to_all(transaction, some).await?;
    }
    let owners: Vec<_> = rollups.owners.iter().collect();
    for some in owners.chunks(AT_ONCE) {
        add_to_owners(transaction, some).await?;
    }
    Ok(())
}

type OfAll<'a, 'g> = (&'a (Size, u64, Group<'g>), &'a Sums);
type OfOwner<'a, 'g> = (&'a (OwnerKind, &'g str, u64, Group<'g>), &'a Sums);

async fn add_to_all(transaction: &Transaction<'_>, some: &[OfAll<'_, '_>]) -> Result<(), Failure> {
    let add = concat!(
        "INSERT INTO log_sums (length_ms, start_ms, group_hash, provider, model, operation, status, requests, latency_us,
            input_tokens, output_tokens, total_tokens, cost_nano)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
         ON CONFLICT (length_ms, start_ms, group_hash) DO UPDATE SET ",
        plus!("log_sums": "latency_us" "input_tokens" "output_tokens" "total_tokens" "cost_nano")
    );
    let add = transaction.prepare_cached(add).await?;
    let mut columns = Columns::default();
    some.iter().for_each(|((_, start_ms, group), sums)| columns.push(*start_ms, group, sums));
    let lengths: Vec<_> = some.iter().map(|((size, ..), _)| column(size.ms())).collect();
    let own: [&(dyn ToSql + Sync); 1] = [&lengths];
    transaction.execute(&add, &own.into_iter().chain(columns.parameters()).collect::<Vec<_>>()).await?;
    Ok(())
}

async fn add_to_owners(transaction: &Transaction<'_>, some: &[OfOwner<'_, '_>]) -> Result<(), Failure> {
    let add = concat!(
        "INSERT INTO log_owner_sums (owner_kind, owner_hash, owner, start_ms, group_hash, provider, model, operation, status,
            requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano)
         SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
         ON CONFLICT (owner_kind, owner_hash, start_ms, group_hash) DO UPDATE SET ",
        plus!("log_owner_sums": "latency_us" "input_tokens" "output_tokens" "total_tokens" "cost_nano")
    );
    let add = transaction.prepare_cached(add).await?;
    let mut columns = Columns::default();
    some.iter().for_each(|((.., start_ms, group), sums)| columns.push(*start_ms, group, sums));
    let kinds: Vec<_> = some.iter().map(|((kind, ..), _)| kind.as_str()).collect();
    let hashes: Vec<_> = some.iter().map(|((_, owner, ..), _)| hash_of([owner])).collect();
    let owners: Vec<_> = some.iter().map(|((_, owner, ..), _)| text(owner)).collect();
    let own: [&(dyn ToSql + Sync); 3] = [&kinds, &hashes, &owners];
    transaction.execute(&add, &own.into_iter().chain(columns.parameters()).collect::<Vec<_>>()).await?;
    Ok(())
}

/// The sums of a stretch, of each part.
pub(super) async fn look(
    transaction: &Transaction<'_>,
    of: &Of<'_>,
    stretch: &Stretch,
    parts: Parts,
) -> Result<Vec<Sum>, Failure> {
    let asked = Asked::of_sums(of);
    let (table, size) = match of.owners {
        Some(_) => ("log_owner_sums", String::new()),
        None => ("log_sums", format!("length_ms = {} AND ", stretch.size.ms())),
    };
    let part = parts.by.map_or("''", Dimension::column);
    let (bar, from, to) = (column(parts.bar_ms).max(1), column(stretch.from_ms), column(stretch.to_ms));
    let query = format!(
        "SELECT start_ms / {bar} * {bar}, {part}, status, {OF_SUMS} FROM {table}
         WHERE {size} start_ms >= {from} AND start_ms < {to} AND {} GROUP BY 1, 2, 3",
        asked.meant()
    );
    let rows = transaction.query(&query, &asked.values()).await?;
    let sum = |row: &Row| {
        let sums = (status(row, 2)?, sums(row, 3)?);
        Ok(Sum { start_ms: number(row.try_get(0)?), part: plain(row.try_get(1)?), sums })
    };
    rows.iter().map(sum).collect()
}

/// The first so many owners of a kind, in the order of their hashes: from one to the next, without looking at the sums that one has.
pub(super) async fn owners(transaction: &Transaction<'_>, kind: OwnerKind, most: u32) -> Result<Vec<String>, Failure> {
    let query = "WITH RECURSIVE known (hash, name) AS (
            (SELECT owner_hash, owner FROM log_owner_sums WHERE owner_kind = $1 ORDER BY owner_hash LIMIT 1)
            UNION ALL
            SELECT n.owner_hash, n.owner FROM known CROSS JOIN LATERAL (
                SELECT owner_hash, owner FROM log_owner_sums
                WHERE owner_kind = $1 AND owner_hash > known.hash ORDER BY owner_hash LIMIT 1) AS n)
        SELECT name FROM known LIMIT $2";
    let rows = transaction.query(query, &[&kind.as_str(), &i64::from(most)]).await?;
    let mut owners = rows.iter().map(|row| Ok(plain(row.try_get(0)?))).collect::<Result<Vec<_>, Failure>>()?;
    owners.sort_unstable();
    Ok(owners)
}

pub(super) fn status(row: &Row, place: usize) -> Result<CallStatus, Failure> {
    row.try_get::<_, &str>(place)?.parse().map_err(|_| Failure::Damaged("a call has a status that there is not"))
}

pub(super) fn sums(row: &Row, place: usize) -> Result<Sums, Failure> {
    let read = |behind: usize| row.try_get(place.saturating_add(behind)).map(number);
    Ok(Sums {
        requests: read(0)?,
        latency_us: read(1)?,
        input_tokens: read(2)?,
        output_tokens: read(3)?,
        total_tokens: read(4)?,
        cost_nano: read(5)?,
    })
}
