//! Looking at the request log, on connections of its own: whoever writes is not waited for, and does not wait.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Rows, params_from_iter};

use super::filter::{Conditions, Looked};
use crate::logs::detail::Detail;
use crate::logs::plan::{Kept, Stretch};
use crate::logs::rollup::{OwnerKind, Sums};
use crate::logs::tables::{Of, Parts, Scan, Sum, Tables};
use crate::logs::{Dimension, LogId, LogRow, Order, SortBy};
use crate::number::{column, number};
use crate::sqlite::PATIENCE;
use crate::{CallStatus, Called, StoreError};

/// How many connections that nobody uses are kept.
const IDLE: usize = 4;

/// The columns of a row, behind its place and whether it is meant.
const COLUMNS: &str =
    "request_id, virtual_key, team, customer, provider, model, model_asked, operation, status, latency_us,
    total_tokens, cost_nano, detail";
const NUMBERS: &str = "status, 1, latency_us, input_tokens, output_tokens, total_tokens, cost_nano";

/// The request log in a database file.
#[derive(Debug)]
pub(crate) struct SqliteLogs {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteLogs {
    pub(crate) fn open(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.idle.lock().pop().map_or_else(|| connect(&self.path), Ok)?;
        let done = work(&connection)?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(done)
    }

    /// Looks at rows one after the other and shows those that are meant.
    fn scan(
        &self,
        scan: &Scan<'_>,
        columns: &str,
        show: &mut dyn FnMut(LogId, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<Option<LogId>, StoreError> {
        let Looked { index, at, meant } = Looked::of(scan);
        let direction = if scan.order == Order::NewestFirst { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT place, ({}), {columns} FROM request_logs {index} WHERE {} ORDER BY place {direction}",
            meant.text(),
            at.text()
        );
        let values = meant.values.into_iter().chain(at.values);
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            look(statement.query(params_from_iter(values))?, scan, show)
        })
    }
}

/// Goes on until enough is shown or looked at. Gives the last row if others may follow.
fn look(
    mut rows: Rows<'_>,
    scan: &Scan<'_>,
    show: &mut dyn FnMut(LogId, &Row<'_>) -> Result<(), StoreError>,
) -> Result<Option<LogId>, StoreError> {
    let (mut shown, mut last) = (0, None);
    for _ in 0..scan.most_looked_at {
        if scan.most.is_some_and(|most| shown >= most) {
            break;
        }
        let Some(row) = rows.next()? else { return Ok(None) };
        let id = LogId(number(row.get(0)?));
        if row.get(1)? {
            show(id, row)?;
            shown += 1;
        }
        last = Some(id);
    }
    Ok(last.filter(|_| rows.next().is_ok_and(|next| next.is_some())))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

impl Tables for SqliteLogs {
    fn rows(&self, scan: &Scan<'_>, show: &mut dyn FnMut(LogRow), next: &mut Option<LogId>) -> Result<(), StoreError> {
        *next = self.scan(scan, COLUMNS, &mut |id, row| {
            show(log_row(id, row)?);
            Ok(())
        })?;
        Ok(())
    }

    fn count(&self, scan: &Scan<'_>, show: &mut dyn FnMut(&(CallStatus, Sums))) -> Result<Option<LogId>, StoreError> {
        self.scan(scan, NUMBERS, &mut |_, row| {
            show(&(status(row, 2)?, sums(row, 3)?));
            Ok(())
        })
    }

    fn ordered(&self, scan: &Scan<'_>, by: SortBy, is_descending: bool, most: usize) -> Result<Vec<LogId>, StoreError> {
        let mut found = Vec::new();
        self.scan(scan, NUMBERS, &mut |id, row| {
            found.push((by.of(&sums(row, 3)?), id));
            Ok(())
        })?;
        found.sort_unstable();
        if is_descending {
            found.reverse();
        }
        Ok(found.into_iter().take(most).map(|(_, id)| id).collect())
    }

    fn named(&self, ids: &[LogId]) -> Result<Vec<LogRow>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT place, 1, {COLUMNS} FROM request_logs WHERE place = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for id in ids {
                let mut rows = statement.query([column(id.0)])?;
                found.extend(rows.next()?.map(|row| log_row(*id, row)).transpose()?);
            }
            Ok(found)
        })
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        self.read(|connection| {
            let sql = "SELECT minutes_from_ms, hours_from_ms FROM log_sums_kept";
            let kept = connection.query_row(sql, [], |row| {
                Ok(Kept { minutes_from_ms: number(row.get(0)?), hours_from_ms: number(row.get(1)?) })
            });
            Ok(kept.optional()?.unwrap_or_default())
        })
    }

    fn sums(&self, of: &Of<'_>, stretch: &Stretch, parts: Parts, show: &mut dyn FnMut(Sum)) -> Result<(), StoreError> {
        let mut conditions = Conditions::of_sums(of);
        let table = if of.owners.is_some() {
            "log_owner_sums"
        } else {
            conditions.add("length_ms = ?", [Value::Integer(column(stretch.size.ms()))]);
            "log_sums"
        };
        conditions.add("start_ms >= ?", [Value::Integer(column(stretch.from_ms))]);
        conditions.add("start_ms < ?", [Value::Integer(column(stretch.to_ms))]);
        let part = parts.by.map_or("''", Dimension::column);
        let sql = format!(
            "SELECT start_ms, {part}, status, requests, latency_us, input_tokens, output_tokens, total_tokens, cost_nano
             FROM {table} WHERE {}",
            conditions.text()
        );
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(params_from_iter(conditions.values))?;
            while let Some(row) = rows.next()? {
                let sums = (status(row, 2)?, sums(row, 3)?);
                show(Sum { start_ms: number(row.get(0)?), part: row.get(1)?, sums });
            }
            Ok(())
        })
    }

    fn models(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT provider, model FROM log_models")?;
            let models = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(models.collect::<Result<_, _>>()?)
        })
    }

    fn owners(&self, kind: OwnerKind, most: u32) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            // From one owner to the next, without looking at the rows that one has.
            let mut next = connection
                .prepare_cached("SELECT min(owner) FROM log_owner_sums WHERE owner_kind = ?1 AND owner > ?2")?;
            let mut owners: Vec<String> = Vec::new();
            for _ in 0..most {
                let last = owners.last().map_or("", String::as_str);
                let owner: Option<String> = next.query_row([kind.as_str(), last], |row| row.get(0))?;
                let Some(owner) = owner else { break };
                owners.push(owner);
            }
            Ok(owners)
        })
    }
}

fn status(row: &Row<'_>, place: usize) -> Result<CallStatus, StoreError> {
    let word = row.get_ref(place)?.as_str().map_err(rusqlite::Error::from)?;
    word.parse().map_err(|error| StoreError::Database(Box::new(error)))
}

fn sums(row: &Row<'_>, place: usize) -> rusqlite::Result<Sums> {
    let read = |behind: usize| row.get(place + behind).map(number);
    Ok(Sums {
        requests: read(0)?,
        latency_us: read(1)?,
        input_tokens: read(2)?,
        output_tokens: read(3)?,
        total_tokens: read(4)?,
        cost_nano: read(5)?,
    })
}

fn log_row(id: LogId, row: &Row<'_>) -> Result<LogRow, StoreError> {
    let text = |place: usize| row.get::<_, String>(place).map(Into::into);
    let detail = row.get_ref(14)?.as_str().map_err(rusqlite::Error::from)?;
    let detail: Detail<'_> = serde_json::from_str(detail).map_err(|error| StoreError::Database(Box::new(error)))?;
    let call = Called {
        at_ms: id.at_ms(),
        request_id: text(2)?,
        key: text(3)?,
        team: text(4)?,
        customer: text(5)?,
        provider: text(6)?,
        model: text(7)?,
        model_asked: text(8)?,
        operation: text(9)?,
        status: status(row, 10)?,
        total_us: number(row.get(11)?),
        total_tokens: number(row.get(12)?),
        cost_nano: number(row.get(13)?),
        ..detail.into_call()
    };
    Ok(LogRow { id, call: call.into_owned() })
}
