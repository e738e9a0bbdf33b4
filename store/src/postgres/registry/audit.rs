//! The audit log and its end.

use deadpool_postgres::Transaction;
use tokio_postgres::Row as Found;
use tokio_postgres::types::ToSql;

use super::entities::run;
use super::tables::{bytes, is_askable, value};
use crate::number::{column, number};
use crate::postgres::failure::Failure;
use crate::registry::{AuditEntry, AuditFilter, AuditRow, Head};

type Done<T = ()> = Result<T, Failure>;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT seq, at_ms, actor, actor_kind, address, action, kind, entity_id, before, after, previous_mac, mac FROM audit ",
            $rest
        )
    };
}

/// All of it, by number.
pub(super) const ALL: &str = select!("ORDER BY seq");

pub(super) async fn head(transaction: &Transaction<'_>) -> Done<Option<Head>> {
    let query = transaction.prepare_cached("SELECT seq, row_count, mac, head_mac FROM audit_head").await?;
    let head = |row: Found| {
        let (seq, rows) = (number(value(&row, 0)?), number(value(&row, 1)?));
        // One of another length is not authentic either, and nothing more.
        let (mac, head_mac) = (bytes(&row, 2).unwrap_or_default(), bytes(&row, 3).unwrap_or_default());
        Ok(Head { seq, rows, mac, head_mac })
    };
    transaction.query_opt(&query, &[]).await?.map(head).transpose()
}

pub(super) async fn set_head(transaction: &Transaction<'_>, head: &Head) -> Done {
    let set = "INSERT INTO audit_head (one, seq, row_count, mac, head_mac) VALUES (1, $1, $2, $3, $4)
         ON CONFLICT (one) DO UPDATE SET
             seq = excluded.seq, row_count = excluded.row_count, mac = excluded.mac, head_mac = excluded.head_mac";
    let (mac, head_mac) = (head.mac.as_slice(), head.head_mac.as_slice());
    run(transaction, set, &[&column(head.seq), &column(head.rows), &mac, &head_mac]).await
}

pub(super) async fn append(transaction: &Transaction<'_>, row: &AuditRow) -> Done {
    let append = "INSERT INTO audit
             (seq, at_ms, actor, actor_kind, address, action, kind, entity_id, before, after, previous_mac, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let AuditEntry { at_ms, actor, actor_kind, address, action, kind, entity_id, before, after } = &row.entry;
    let parameters: [&(dyn ToSql + Sync); 12] = [
        &column(row.seq),
        &column(*at_ms),
        actor,
        actor_kind,
        address,
        action,
        kind,
        entity_id,
        before,
        after,
        &row.previous_mac.as_slice(),
        &row.mac.as_slice(),
    ];
    run(transaction, append, &parameters).await
}

/// What is asked for is never part of the statement, only which columns it is asked of.
pub(super) async fn page(transaction: &Transaction<'_>, filter: &AuditFilter) -> Done<Vec<AuditRow>> {
    let texts = [
        ("kind", &filter.kind),
        ("entity_id", &filter.entity_id),
        ("actor", &filter.actor),
        ("action", &filter.action),
    ];
    if !is_askable(texts.iter().filter_map(|(_, text)| text.as_deref())) {
        return Ok(Vec::new());
    }
    let numbers = [("at_ms >=", filter.from_ms), ("at_ms <", filter.to_ms), ("seq <", filter.before)];
    let (mut query, mut values) = (select!("WHERE true").to_owned(), Vec::<Box<dyn ToSql + Sync + Send>>::new());
    for (name, text) in texts.iter().filter_map(|(name, text)| Some((name, (*text).clone()?))) {
        values.push(Box::new(text));
        let nth = values.len();
        query.push_str(&format!(" AND substr({name}, 1, 200) = substr(${nth}, 1, 200) AND {name} = ${nth}"));
    }
    for (comparison, number) in numbers.iter().filter_map(|(comparison, number)| Some((comparison, (*number)?))) {
        values.push(Box::new(column(number)));
        query.push_str(&format!(" AND {comparison} ${}", values.len()));
    }
    values.push(Box::new(i64::from(filter.limit)));
    query.push_str(&format!(" ORDER BY seq DESC LIMIT ${}", values.len()));
    let query = transaction.prepare_cached(&query).await?;
    let values: Vec<_> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    transaction.query(&query, &values).await?.iter().map(read).collect()
}

/// A row as `select!` gives it.
pub(super) fn read(row: &Found) -> Done<AuditRow> {
    let entry = AuditEntry {
        at_ms: value::<i64>(row, 1)?.try_into().map_err(|_| Failure::Damaged("a value cannot be read"))?,
        actor: value(row, 2)?,
        actor_kind: value(row, 3)?,
        address: value(row, 4)?,
        action: value(row, 5)?,
        kind: value(row, 6)?,
        entity_id: value(row, 7)?,
        before: value(row, 8)?,
        after: value(row, 9)?,
    };
    Ok(AuditRow { seq: number(value(row, 0)?), entry, previous_mac: bytes(row, 10)?, mac: bytes(row, 11)? })
}
