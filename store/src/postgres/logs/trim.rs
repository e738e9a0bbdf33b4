//! Removing what is too old: whole days, whose partitions are dropped. Whoever does so has the lock on balances.

use deadpool_postgres::Transaction;

use super::days::{self, Day, Done};
use crate::logs::rollup::Size;
use crate::logs::{STEP, Trim};
use crate::number::{column, number};
use crate::postgres::failure::Failure;

/// Removes some of what is to go, and says how many rows that was.
pub(in crate::postgres) async fn trim(transaction: &Transaction<'_>, trim: Trim) -> Result<u64, Failure> {
    match trim {
        Trim::RowsBefore(at_ms) => remove_before(transaction, Size::Day.floor(at_ms)).await,
        Trim::ToBytes(most) => remove_to(transaction, most).await,
        Trim::MinutesBefore(at_ms) => {
            let kept = "UPDATE log_sums_kept SET minutes_from_ms = $1 WHERE minutes_from_ms < $1";
            transaction.execute(kept, &[&column(at_ms)]).await?;
            remove_sums(transaction, Size::Minute, at_ms).await
        }
        Trim::HoursBefore(at_ms) => {
            let kept = "UPDATE log_sums_kept SET hours_from_ms = $1 WHERE hours_from_ms < $1";
            transaction.execute(kept, &[&column(at_ms)]).await?;
            let sums = remove_sums(transaction, Size::Hour, at_ms).await?;
            Ok(sums.saturating_add(remove_owner_sums(transaction, at_ms).await?))
        }
    }
}

/// Removes the oldest day that is before this one, and those before that have no rows.
async fn remove_before(transaction: &Transaction<'_>, before_ms: u64) -> Result<u64, Failure> {
    for day in days::all(transaction).await?.into_iter().filter(|day| day.start_ms < before_ms) {
        match remove(transaction, day).await? {
            Some(0) => {}
            removed => return Ok(removed.unwrap_or_default()),
        }
    }
    Ok(0)
}

/// Removes the oldest day if too many bytes are needed. Of the newest a few rows go: it has the calls of this moment.
async fn remove_to(transaction: &Transaction<'_>, most: u64) -> Result<u64, Failure> {
    let days = days::all(transaction).await?;
    let mut with_rows = days.into_iter().filter(|day| day.rows > 0);
    let Some(oldest) = with_rows.next() else { return Ok(0) };
    if bytes_needed(transaction, &oldest).await? <= most {
        return Ok(0);
    }
    if with_rows.next().is_none() {
        return remove_some(transaction, oldest).await;
    }
    Ok(remove(transaction, oldest).await?.unwrap_or_default())
}

/// What the database would need if nothing were left of rows that were removed one by one. They are, of the oldest day alone, and leave
/// room in it for others.
async fn bytes_needed(transaction: &Transaction<'_>, oldest: &Day) -> Result<u64, Failure> {
    let all = transaction.query_one("SELECT pg_database_size(current_database())", &[]).await?;
    let table = if oldest.has_partition { oldest.partition() } else { "request_logs_rest".to_owned() };
    let day = transaction.query_one("SELECT pg_total_relation_size(to_regclass($1))", &[&table]).await?;
    let (all, day) = (number(all.try_get(0)?), number(day.try_get::<_, Option<i64>>(0)?.unwrap_or_default()));
    let removed = u128::from(oldest.most_rows.saturating_sub(oldest.rows));
    let free = (u128::from(day) * removed).checked_div(oldest.most_rows.into()).unwrap_or_default();
    Ok(all.saturating_sub(u64::try_from(free).unwrap_or(u64::MAX)))
}

/// Removes a day, or a part of it where it has no partition, or none that may be dropped. `None`: nothing can be dropped now.
async fn remove(transaction: &Transaction<'_>, day: Day) -> Result<Option<u64>, Failure> {
    let dropped = if day.has_partition { drop_partition(transaction, &day).await? } else { Done::No };
    match dropped {
        Done::Yes => {
            forget(transaction, &day).await?;
            Ok(Some(day.rows))
        }
        Done::No => Ok(Some(remove_some(transaction, day).await?)),
        Done::NotNow => Ok(None),
    }
}

async fn drop_partition(transaction: &Transaction<'_>, day: &Day) -> Result<Done, Failure> {
    // All who look at any rows are waited for, and wait meanwhile. `DETACH … CONCURRENTLY` would not, but is not to be had where there is a
    // partition for the rest, nor in a transaction.
    days::change_tables(transaction, "500ms", &format!("DROP TABLE {}", day.partition())).await
}

/// Removes a few of the oldest rows of a day.
async fn remove_some(transaction: &Transaction<'_>, day: Day) -> Result<u64, Failure> {
    let (first, last) = day.places();
    let remove = format!(
        "DELETE FROM request_logs WHERE place >= {first} AND place <= {last} AND place IN (
             SELECT place FROM request_logs WHERE place >= {first} AND place <= {last} ORDER BY place LIMIT {STEP})"
    );
    let removed = transaction.execute(&remove, &[]).await?;
    if removed == 0 && !day.has_partition {
        forget(transaction, &day).await?;
        return Ok(0);
    }
    let count = "UPDATE log_days SET row_count = greatest(row_count - $2, 0) WHERE start_ms = $1";
    transaction.execute(count, &[&column(day.start_ms), &column(removed)]).await?;
    Ok(removed)
}

async fn forget(transaction: &Transaction<'_>, day: &Day) -> Result<(), Failure> {
    transaction.execute("DELETE FROM log_days WHERE start_ms = $1", &[&column(day.start_ms)]).await?;
    Ok(())
}

/// Removes the sums of a few stretches: whole ones, so that they need not be told apart.
async fn remove_sums(transaction: &Transaction<'_>, size: Size, before_ms: u64) -> Result<u64, Failure> {
    let find =
        "SELECT start_ms FROM log_sums WHERE length_ms = $1 AND start_ms < $2 ORDER BY start_ms LIMIT 1 OFFSET $3";
    let (length, before) = (column(size.ms()), column(before_ms));
    let last = transaction.query_opt(find, &[&length, &before, &i64::from(STEP)]).await?;
    let last: Option<i64> = last.map(|row| row.try_get(0)).transpose()?;
    let end = last.map_or(before, |last| before.min(last.saturating_add(1)));
    let remove = "DELETE FROM log_sums WHERE length_ms = $1 AND start_ms < $2";
    Ok(transaction.execute(remove, &[&length, &end]).await?)
}

async fn remove_owner_sums(transaction: &Transaction<'_>, before_ms: u64) -> Result<u64, Failure> {
    let remove = "DELETE FROM log_owner_sums WHERE (owner_kind, owner_hash, start_ms, group_hash) IN (
        SELECT owner_kind, owner_hash, start_ms, group_hash FROM log_owner_sums
        WHERE start_ms < $1 ORDER BY start_ms LIMIT $2)";
    Ok(transaction.execute(remove, &[&column(before_ms), &i64::from(STEP)]).await?)
}
