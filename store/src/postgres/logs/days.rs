//! The days of the request log, and their partitions. Whoever changes them has the lock on balances.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use policy::window::utc_text;
use tokio_postgres::error::SqlState;

use crate::logs::LogId;
use crate::logs::rollup::Size;
use crate::number::{column, number};
use crate::postgres::failure::{Failure, Remedy};

/// What is known of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) start_ms: u64,
    pub(super) has_partition: bool,
    /// How many rows it has.
    pub(super) rows: u64,
    /// How many it had when it had most.
    pub(super) most_rows: u64,
}

impl Day {
    /// The first place of a row, and the last.
    pub(super) fn places(&self) -> (i64, i64) {
        places(self.start_ms)
    }

    pub(super) fn partition(&self) -> String {
        partition(self.start_ms)
    }
}

/// The beginning of the day that a row is of.
pub(super) fn of(place: u64) -> u64 {
    Size::Day.floor(LogId(place).at_ms())
}

fn places(start_ms: u64) -> (i64, i64) {
    let last = next(start_ms).map_or(u64::MAX, |next| LogId::least_at(next).0.saturating_sub(1));
    (column(LogId::least_at(start_ms).0), column(last))
}

/// The day after that; `None`: there are no places for it.
fn next(start_ms: u64) -> Option<u64> {
    start_ms.checked_add(Size::Day.ms()).filter(|next| LogId::least_at(*next).at_ms() == *next)
}

fn partition(start_ms: u64) -> String {
    let day: String = utc_text(start_ms).chars().take(10).filter(char::is_ascii_digit).collect();
    format!("request_logs_{day}")
}

/// All of them, the oldest first.
pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<Day>, Failure> {
    let query = "SELECT start_ms, has_partition, row_count, most_rows FROM log_days ORDER BY start_ms";
    let rows = transaction.query(query, &[]).await?;
    let day = |row: &tokio_postgres::Row| {
        let (start_ms, rows, most_rows) = (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
        let [start_ms, rows, most_rows] = [start_ms, rows, most_rows].map(number);
        Ok(Day { start_ms, has_partition: row.try_get(1)?, rows, most_rows })
    };
    rows.iter().map(day).collect()
}

/// Makes partitions for rows of these days, and for the day that comes after them.
pub(super) async fn prepare(transaction: &Transaction<'_>, mut days: BTreeSet<u64>) -> Result<(), Failure> {
    let ahead = days.last().copied().and_then(next);
    days.extend(ahead);
    let find = transaction.prepare_cached("SELECT start_ms FROM log_days WHERE start_ms = ANY($1)").await?;
    let starts: Vec<_> = days.iter().copied().map(column).collect();
    for row in transaction.query(&find, &[&starts]).await? {
        days.remove(&number(row.try_get(0)?));
    }
    for start_ms in days {
        let is_ahead = ahead == Some(start_ms);
        let has_partition = match make(transaction, start_ms, if is_ahead { "50ms" } else { "1s" }).await? {
            Done::Yes => true,
            // There is a day's time for that.
            Done::NotNow if is_ahead => continue,
            Done::NotNow | Done::No => false,
        };
        let add = "INSERT INTO log_days (start_ms, has_partition, row_count, most_rows) VALUES ($1, $2, 0, 0)";
        transaction.execute(add, &[&column(start_ms), &has_partition]).await?;
    }
    Ok(())
}

/// What became of a change of tables. If it was not made, nothing was done: balances do not wait for partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Yes,
    /// The server refuses it.
    No,
    /// Somebody who reads does not let go of the tables, a `pg_dump` perhaps.
    NotNow,
}

/// Changes tables, and waits no longer than that for those who read them.
pub(super) async fn change_tables(
    transaction: &Transaction<'_>,
    patience: &str,
    change: &str,
) -> Result<Done, Failure> {
    let change = format!(
        "SAVEPOINT tables; SET LOCAL lock_timeout = '{patience}'; {change};
         SET LOCAL lock_timeout TO DEFAULT; RELEASE SAVEPOINT tables"
    );
    let Err(error) = transaction.batch_execute(&change).await else { return Ok(Done::Yes) };
    let is_locked = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
    let failure = Failure::from(error);
    if failure.remedy() != Remedy::GiveUp {
        return Err(failure);
    }
    transaction.batch_execute("ROLLBACK TO SAVEPOINT tables; RELEASE SAVEPOINT tables").await?;
    Ok(if is_locked { Done::NotNow } else { Done::No })
}

/// Makes the partition of a day.
async fn make(transaction: &Transaction<'_>, start_ms: u64, patience: &str) -> Result<Done, Failure> {
    let (first, last) = places(start_ms);
    let Some(end) = last.checked_add(1) else { return Ok(Done::No) };
    let name = partition(start_ms);
    // To attach a table keeps nobody from any other but the rest, as to make it a partition at once would.
    let make = format!(
        "CREATE TABLE {name} (LIKE request_logs);
         ALTER TABLE request_logs ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({end})"
    );
    change_tables(transaction, patience, &make).await
}

/// Counts rows that were added, by day.
pub(super) async fn count(transaction: &Transaction<'_>, added: &BTreeMap<u64, i64>) -> Result<(), Failure> {
    let count = "UPDATE log_days SET row_count = row_count + added, most_rows = greatest(most_rows, row_count + added)
        FROM unnest($1::bigint[], $2::bigint[]) AS a (start, added) WHERE start_ms = start";
    let count = transaction.prepare_cached(count).await?;
    let starts: Vec<_> = added.keys().copied().map(column).collect();
    let added: Vec<_> = added.values().copied().collect();
    transaction.execute(&count, &[&starts, &added]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_places_of_its_calls() {
        let day = 20_778 * Size::Day.ms();
        assert_eq!(partition(day), "request_logs_20261121");
        let (first, last) = places(day);
        assert_eq!((of(first.cast_unsigned()), of(last.cast_unsigned())), (day, day));
        assert_eq!(
            (of(first.cast_unsigned() - 1), of(last.cast_unsigned() + 1)),
            (day - Size::Day.ms(), next(day).unwrap())
        );
    }

    #[test]
    fn the_last_day_of_all_ends_with_the_last_place() {
        let last = LogId::of(u64::MAX, u64::MAX).0;
        assert_eq!((places(of(last)).1, next(of(last))), (i64::MAX, None));
        assert_eq!(last, i64::MAX.cast_unsigned());
    }
}
