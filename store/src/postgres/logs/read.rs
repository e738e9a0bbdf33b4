//! Looking at the request log, on connections of its own: whoever writes is not waited for, and does not wait.

use std::borrow::Cow;
use std::collections::HashMap;

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::scan::Scanning;
use super::{models, sums};
use crate::config::Postgres;
use crate::logs::detail::Detail;
use crate::logs::plan::{Kept, Stretch};
use crate::logs::rollup::{OwnerKind, Sums};
use crate::logs::tables::{Of, Parts, Scan, Sum, Tables};
use crate::logs::{LogId, LogRow, SortBy};
use crate::number::{column, number};
use crate::postgres::failure::Failure;
use crate::postgres::server::Server;
use crate::postgres::text::plain;
use crate::{CallStatus, Called, StoreError};

/// So many rows are asked for at a time: each may be in another partition.
const AT_ONCE: usize = 64;

/// The request log on a server.
#[derive(Debug)]
pub(crate) struct PostgresLogs {
    server: Server,
}

impl PostgresLogs {
    /// Connects when something is looked at.
    pub(crate) fn open(config: &Postgres) -> Result<Self, StoreError> {
        let most = config.connections_for_logs();
        Ok(Self { server: Server::new(&Postgres { max_open_conns: most, ..config.clone() })? })
    }

    fn look<T>(&self, look: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, StoreError> {
        let seen = self.server.look(look);
        self.server.close_idle();
        seen
    }
}

impl Tables for PostgresLogs {
    fn rows(&self, scan: &Scan<'_>, show: &mut dyn FnMut(LogRow), next: &mut Option<LogId>) -> Result<(), StoreError> {
        let (rows, follows) = self.look(async |transaction| {
            let (found, next) = Scanning::begin(transaction, scan).await?.find().await?;
            Ok((named(transaction, &found).await?, next))
        })?;
        rows.into_iter().for_each(show);
        *next = follows;
        Ok(())
    }

    fn count(&self, scan: &Scan<'_>, show: &mut dyn FnMut(&(CallStatus, Sums))) -> Result<Option<LogId>, StoreError> {
        let (sums, end) = self.look(async |transaction| Scanning::begin(transaction, scan).await?.count().await)?;
        sums.iter().for_each(show);
        Ok(end)
    }

    fn ordered(&self, scan: &Scan<'_>, by: SortBy, is_descending: bool, most: usize) -> Result<Vec<LogId>, StoreError> {
        self.look(async |transaction| Scanning::begin(transaction, scan).await?.ordered(by, is_descending, most).await)
    }

    fn named(&self, ids: &[LogId]) -> Result<Vec<LogRow>, StoreError> {
        self.look(async |transaction| named(transaction, ids).await)
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        self.look(async |transaction| {
            let query = "SELECT minutes_from_ms, hours_from_ms FROM log_sums_kept WHERE one = 1";
            let Some(row) = transaction.query_opt(query, &[]).await? else { return Ok(Kept::default()) };
            Ok(Kept { minutes_from_ms: number(row.try_get(0)?), hours_from_ms: number(row.try_get(1)?) })
        })
    }

    fn sums(&self, of: &Of<'_>, stretch: &Stretch, parts: Parts, show: &mut dyn FnMut(Sum)) -> Result<(), StoreError> {
        let sums = self.look(async |transaction| sums::look(transaction, of, stretch, parts).await)?;
        sums.into_iter().for_each(show);
        Ok(())
    }

    fn models(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.look(models::all)
    }

    fn owners(&self, kind: OwnerKind, most: u32) -> Result<Vec<String>, StoreError> {
        self.look(async |transaction| sums::owners(transaction, kind, most).await)
    }
}

async fn named(transaction: &Transaction<'_>, ids: &[LogId]) -> Result<Vec<LogRow>, Failure> {
    let query =
        "SELECT place, latency_us, total_tokens, cost_nano, status, request_id, virtual_key, team, customer, provider,
            model, model_asked, operation, reason_text, detail
        FROM request_logs WHERE place = ANY($1)";
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let places: Vec<_> = ids.iter().map(|id| column(id.0)).collect();
        for row in transaction.query(query, &[&places]).await? {
            let row = log_row(&row)?;
            found.insert(row.id, row);
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

fn log_row(row: &Row) -> Result<LogRow, Failure> {
    let text = |place: usize| row.try_get::<_, &str>(place).map(|text| Cow::Owned(plain(text)));
    let id = LogId(number(row.try_get(0)?));
    let detail = serde_json::from_str::<Detail<'_>>(row.try_get(14)?);
    let detail = detail.map_err(|error| StoreError::Database(Box::new(error)))?;
    let call = Called {
        at_ms: id.at_ms(),
        total_us: number(row.try_get(1)?),
        total_tokens: number(row.try_get(2)?),
        cost_nano: number(row.try_get(3)?),
        status: sums::status(row, 4)?,
        request_id: text(5)?,
        key: text(6)?,
        team: text(7)?,
        customer: text(8)?,
        provider: text(9)?,
        model: text(10)?,
        model_asked: text(11)?,
        operation: text(12)?,
        reason_text: text(13)?,
        ..detail.into_call()
    };
    Ok(LogRow { id, call: call.into_owned() })
}
