//! The audit log and its end.

use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::number::{column, number};
use crate::registry::{AuditEntry, AuditFilter, AuditRow, Head, Numbered, RegistryError};

type Done<T = ()> = Result<T, RegistryError>;

const SELECT: &str = "SELECT seq, at_ms, actor, actor_kind, address, action, kind, entity_id, before, after, previous_mac, mac FROM audit";

pub(super) fn head(connection: &Connection) -> Done<Option<Head>> {
    let mut statement = connection.prepare_cached("SELECT seq, row_count, mac, head_mac FROM audit_head")?;
    let head = statement.query_row([], |row| {
        let (seq, rows) = (number(row.get(0)?), number(row.get(1)?));
        // One of another length is not authentic either, and nothing more.
        let (mac, head_mac) = (row.get(2).unwrap_or_default(), row.get(3).unwrap_or_default());
        Ok(Head { seq, rows, mac, head_mac })
    });
    Ok(head.optional()?)
}

pub(super) fn set_head(connection: &Connection, head: &Head) -> Done {
    let mut set = connection.prepare_cached(
        "INSERT INTO audit_head (one, seq, row_count, mac, head_mac) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT (one) DO UPDATE SET
             seq = excluded.seq, row_count = excluded.row_count, mac = excluded.mac, head_mac = excluded.head_mac",
    )?;
    set.execute(params![column(head.seq), column(head.rows), head.mac, head.head_mac])?;
    Ok(())
}

pub(super) fn append(connection: &Connection, row: &AuditRow) -> Done {
    let mut append = connection.prepare_cached(
        "INSERT INTO audit (seq, at_ms, actor, actor_kind, address, action, kind, entity_id, before, after, previous_mac, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let AuditEntry { at_ms, actor, actor_kind, address, action, kind, entity_id, before, after } = &row.entry;
    append.execute(params![
        column(row.seq),
        column(*at_ms),
        actor,
        actor_kind,
        address,
        action,
        kind,
        entity_id,
        before,
        after,
        row.previous_mac,
        row.mac,
    ])?;
    Ok(())
}

pub(super) fn each(connection: &Connection, each: &mut dyn FnMut(Numbered) -> Done<ControlFlow<()>>) -> Done {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let found = Numbered { seq: row.get(0)?, row: read(row).ok() };
        if each(found)?.is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn page(connection: &Connection, filter: &AuditFilter) -> Done<Vec<AuditRow>> {
    let mut conditions = "1".to_owned();
    let mut values = Vec::new();
    let mut add = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push_str(condition);
            values.push(value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    let integer = |integer: Option<u64>| integer.map(|integer| Value::Integer(column(integer)));
    add(" AND kind = ?", text(&filter.kind));
    add(" AND entity_id = ?", text(&filter.entity_id));
    add(" AND actor = ?", text(&filter.actor));
    add(" AND action = ?", text(&filter.action));
    add(" AND at_ms >= ?", integer(filter.from_ms));
    add(" AND at_ms < ?", integer(filter.to_ms));
    add(" AND seq < ?", integer(filter.before));
    values.push(Value::Integer(filter.limit.into()));
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE {conditions} ORDER BY seq DESC LIMIT ?"))?;
    let rows = statement.query_map(params_from_iter(&values), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<AuditRow> {
    let entry = AuditEntry {
        at_ms: row.get::<_, i64>(1)?.try_into().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, 0))?,
        actor: row.get(2)?,
        actor_kind: row.get(3)?,
        address: row.get(4)?,
        action: row.get(5)?,
        kind: row.get(6)?,
        entity_id: row.get(7)?,
        before: row.get(8)?,
        after: row.get(9)?,
    };
    Ok(AuditRow { seq: number(row.get(0)?), entry, previous_mac: row.get(10)?, mac: row.get(11)? })
}
