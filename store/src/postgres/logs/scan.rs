//! Looking at rows one after the other, so many at most.

use deadpool_postgres::Transaction;

use super::filter::Asked;
use super::windows::{self, Window};
use super::{days, sums};
use crate::CallStatus;
use crate::logs::rollup::Sums;
use crate::logs::tables::Scan;
use crate::logs::{LogId, Order, SortBy};
use crate::number::{column, number};
use crate::postgres::failure::Failure;

/// A scan that has come so far.
pub(super) struct Scanning<'a> {
    transaction: &'a Transaction<'a>,
    scan: &'a Scan<'a>,
    asked: Asked,
    windows: Vec<Window>,
    /// How many rows may still be looked at.
    left: i64,
}

impl<'a> Scanning<'a> {
    pub(super) async fn begin(transaction: &'a Transaction<'a>, scan: &'a Scan<'a>) -> Result<Self, Failure> {
        let windows = windows::of(scan, &days::all(transaction).await?);
        Ok(Self { transaction, scan, asked: Asked::of_rows(scan.filter), windows, left: scan.most_looked_at.into() })
    }

    /// The rows that are meant; and the last one, if others may follow.
    pub(super) async fn find(mut self) -> Result<(Vec<LogId>, Option<LogId>), Failure> {
        let most = self.scan.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for number in 0..self.windows.len() {
            let Some((looked_at, last)) = self.find_in(number, most, &mut found).await? else { continue };
            if found.len() > most {
                found.truncate(most);
                let last = found.last().copied();
                return Ok((found, last));
            }
            self.left = self.left.saturating_sub(looked_at);
            if self.left <= 0 {
                let last = self.follows(number, last).await?;
                return Ok((found, last));
            }
        }
        Ok((found, None))
    }

    /// Finds one row more than is wanted, if there are so many. Says how many were looked at and which was the last; `None`: none.
    async fn find_in(&self, number: usize, most: usize, found: &mut Vec<LogId>) -> Result<Option<(i64, i64)>, Failure> {
        let wanted = most.saturating_add(2).saturating_sub(found.len());
        // The last row that is looked at tells how far it came, whether it is meant or not.
        let query = format!(
            "SELECT place, nth, is_meant FROM (
                 SELECT place, is_meant, row_number() OVER in_order AS nth, lead(place) OVER in_order IS NULL AS is_last
                 FROM ({}) AS looked WINDOW in_order AS (ORDER BY place {})) AS numbered
             WHERE is_meant OR is_last LIMIT {}",
            self.looked(number, ""),
            self.direction(),
            i64::try_from(wanted).unwrap_or(i64::MAX)
        );
        let rows = self.transaction.query(&query, &self.asked.values()).await?;
        let mut end = None;
        for row in rows {
            let place = row.try_get(0)?;
            end = Some((row.try_get(1)?, place));
            if row.try_get(2)? {
                found.push(LogId(self::number(place)));
            }
        }
        Ok(end)
    }

    /// Sums over the rows that are meant; and the last row that was looked at, if others follow.
    pub(super) async fn count(mut self) -> Result<(Vec<(CallStatus, Sums)>, Option<LogId>), Failure> {
        let mut all = Vec::new();
        for number in 0..self.windows.len() {
            let query = format!(
                "SELECT status, is_meant, {}, {}(place) FROM ({}) AS looked GROUP BY status, is_meant",
                sums::OF_ROWS,
                self.last(),
                self.looked(number, ", status, latency_us, input_tokens, output_tokens, total_tokens, cost_nano")
            );
            let (mut looked_at, mut ends) = (0_i64, Vec::new());
            for row in self.transaction.query(&query, &self.asked.values()).await? {
                looked_at = looked_at.saturating_add(row.try_get(2)?);
                ends.push(row.try_get(8)?);
                if row.try_get(1)? {
                    all.push((sums::status(&row, 0)?, sums::sums(&row, 2)?));
                }
            }
            self.left = self.left.saturating_sub(looked_at);
            if let (true, Some(last)) = (self.left <= 0, self.last_of(ends)) {
                return Ok((all, self.follows(number, last).await?));
            }
        }
        Ok((all, None))
    }

    /// The first so many of the rows that are meant, in another order.
    pub(super) async fn ordered(mut self, by: SortBy, is_descending: bool, most: usize) -> Result<Vec<LogId>, Failure> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        for number in 0..self.windows.len() {
            let name = match by {
                SortBy::Latency => "latency_us",
                SortBy::Tokens => "total_tokens",
                SortBy::Cost => "cost_nano",
            };
            let direction = if is_descending { "DESC" } else { "ASC" };
            let query = format!(
                "WITH looked AS MATERIALIZED ({})
                 (SELECT place, number FROM looked WHERE is_meant ORDER BY number {direction}, place {direction} LIMIT {})
                 UNION ALL SELECT NULL, count(*) FROM looked",
                self.looked(number, &format!(", {name} AS number")),
                column(most as u64)
            );
            for row in self.transaction.query(&query, &self.asked.values()).await? {
                match row.try_get(0)? {
                    Some(place) => found.push((row.try_get(1)?, place)),
                    None => self.left = self.left.saturating_sub(row.try_get(1)?),
                }
            }
            found.sort_unstable();
            if is_descending {
                found.reverse();
            }
            found.truncate(most);
            if self.left <= 0 {
                break;
            }
        }
        Ok(found.into_iter().map(|(_, place)| LogId(self::number(place))).collect())
    }

    /// The rows of a window that are looked at.
    fn looked(&self, number: usize, columns: &str) -> String {
        let window = self.windows.get(number).copied().unwrap_or_default();
        self.looked_in(window, &format!("place, ({}) AS is_meant{columns}", self.asked.meant()), self.left)
    }

    fn looked_in(&self, (first, last): Window, columns: &str, most: i64) -> String {
        format!(
            "SELECT {columns} FROM request_logs WHERE place >= {first} AND place <= {last} AND {} ORDER BY place {} LIMIT {most}",
            self.asked.at(),
            self.direction()
        )
    }

    /// A row, if there are any behind it in its window or in later ones.
    async fn follows(&self, number: usize, last: i64) -> Result<Option<LogId>, Failure> {
        let windows = self.windows.iter().skip(number).map(|window| windows::behind(*window, self.scan.order, last));
        for window in windows {
            // All values are to be named, or their types are not known.
            let columns = format!("({}) AS is_meant", self.asked.meant());
            let query = self.looked_in(window, &columns, 1);
            if self.transaction.query_opt(&query, &self.asked.values()).await?.is_some() {
                return Ok(Some(LogId(self::number(last))));
            }
        }
        Ok(None)
    }

    fn direction(&self) -> &'static str {
        match self.scan.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        }
    }

    fn last(&self) -> &'static str {
        match self.scan.order {
            Order::NewestFirst => "min",
            Order::OldestFirst => "max",
        }
    }

    fn last_of(&self, places: Vec<i64>) -> Option<i64> {
        match self.scan.order {
            Order::NewestFirst => places.into_iter().min(),
            Order::OldestFirst => places.into_iter().max(),
        }
    }
}
