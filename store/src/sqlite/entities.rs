//! Entities, their tokens, and what is remembered of those that are gone.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, params};

use super::number::{column, number};
use crate::registry::database::Document;
use crate::registry::{Origin, RegistryError, Row, TokenHash};

type Done<T = ()> = Result<T, RegistryError>;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT kind, id, name, unique_name IS NOT NULL, document, token_hashes, origin, file_mac, is_deleted, position,
                    created_ms, updated_ms, revision, team_id, customer_id FROM entities ",
            $rest
        )
    };
}

pub(super) use select;

pub(super) fn revision(connection: &Connection) -> Done<u64> {
    let mut statement = connection.prepare_cached("SELECT revision FROM registry_revision")?;
    Ok(statement.query_row([], |row| row.get(0)).map(number)?)
}

pub(super) fn set_revision(connection: &Connection, revision: u64) -> Done {
    connection.prepare_cached("UPDATE registry_revision SET revision = ?1")?.execute([column(revision)])?;
    Ok(())
}

pub(super) fn row(connection: &Connection, kind: &str, id: &str) -> Done<Option<Row>> {
    let mut statement = connection.prepare_cached(select!("WHERE kind = ?1 AND id = ?2"))?;
    Ok(statement.query_row([kind, id], read).optional()?)
}

pub(super) fn rows(connection: &Connection, each: &mut dyn FnMut(Row) -> Done) -> Done {
    let mut statement = connection.prepare_cached(select!("ORDER BY kind, position, id"))?;
    statement.query_map([], read)?.try_for_each(|row| each(row?))
}

/// Two tables, walked along side by side.
pub(super) fn rows_since(connection: &Connection, revision: u64, each: &mut dyn FnMut(Row) -> Done) -> Done {
    let mut rows = connection.prepare_cached(select!("WHERE revision > ?1 ORDER BY revision, kind, position, id"))?;
    let mut gone = connection.prepare_cached(
        "SELECT kind, id, at_ms, revision FROM entities_gone WHERE revision > ?1 ORDER BY revision, kind, id",
    )?;
    let mut gone = gone.query_map([column(revision)], read_gone)?.peekable();
    for row in rows.query_map([column(revision)], read)? {
        let row = row?;
        while let Some(gone) = gone.next_if(|gone| gone.as_ref().map_or(true, |gone| gone.revision <= row.revision)) {
            each(gone?)?;
        }
        each(row)?;
    }
    gone.try_for_each(|row| each(row?))
}

pub(super) fn last_order(connection: &Connection, kind: &str) -> Done<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT max(position) FROM entities WHERE kind = ?1")?;
    Ok(statement.query_row([kind], |row| row.get(0))?)
}

pub(super) fn name_owner(connection: &Connection, kind: &str, name: &str) -> Done<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT id FROM entities WHERE kind = ?1 AND unique_name = ?2")?;
    Ok(statement.query_row([kind, name], |row| row.get(0)).optional()?)
}

pub(super) fn token_owner(connection: &Connection, hash: &TokenHash) -> Done<Option<(String, String)>> {
    let mut statement = connection.prepare_cached("SELECT kind, id FROM entity_tokens WHERE hash = ?1")?;
    Ok(statement.query_row([hash], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

pub(super) fn documents(
    connection: &Connection,
    text: &str,
    (kind, id): &(String, String),
    most: u32,
) -> Done<Vec<Document>> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, id, document FROM entities WHERE (kind, id) > (?1, ?2) AND instr(document, ?3) > 0
         ORDER BY kind, id LIMIT ?4",
    )?;
    let documents = statement.query_map(params![kind, id, text, most], |row| {
        Ok(Document { kind: row.get(0)?, id: row.get(1)?, document: row.get(2)? })
    })?;
    Ok(documents.collect::<Result<_, _>>()?)
}

pub(super) fn release(connection: &Connection, row: &Row) -> Done {
    let mut unname = connection.prepare_cached("UPDATE entities SET unique_name = NULL WHERE kind = ?1 AND id = ?2")?;
    unname.execute([&row.kind, &row.id])?;
    let mut forget = connection.prepare_cached("DELETE FROM entity_tokens WHERE hash = ?1")?;
    for hash in &row.token_hashes {
        forget.execute([hash])?;
    }
    Ok(())
}

pub(super) fn claim_token(connection: &Connection, hash: &TokenHash, kind: &str, id: &str) -> Done {
    let mut claim = connection.prepare_cached("INSERT INTO entity_tokens (hash, kind, id) VALUES (?1, ?2, ?3)")?;
    claim.execute(params![hash, kind, id])?;
    Ok(())
}

pub(super) fn put(connection: &Connection, row: &Row) -> Done {
    let mut put = connection.prepare_cached(
        "INSERT INTO entities (kind, id, name, unique_name, document, token_hashes, origin, file_mac, is_deleted, position,
                               created_ms, updated_ms, revision, team_id, customer_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (kind, id) DO UPDATE SET
             name = excluded.name, unique_name = excluded.unique_name, document = excluded.document,
             token_hashes = excluded.token_hashes, origin = excluded.origin, file_mac = excluded.file_mac,
             is_deleted = excluded.is_deleted, position = excluded.position, created_ms = excluded.created_ms,
             updated_ms = excluded.updated_ms, revision = excluded.revision, team_id = excluded.team_id,
             customer_id = excluded.customer_id",
    )?;
    put.execute(params![
        row.kind,
        row.id,
        row.name,
        row.unique_name(),
        row.document,
        row.token_hashes.as_flattened(),
        word(row.origin),
        row.file_mac,
        row.is_deleted,
        row.order,
        column(row.created_ms),
        column(row.updated_ms),
        column(row.revision),
        row.team_id,
        row.customer_id,
    ])?;
    let mut unforget = connection.prepare_cached("DELETE FROM entities_gone WHERE kind = ?1 AND id = ?2")?;
    unforget.execute([&row.kind, &row.id])?;
    Ok(())
}

pub(super) fn redocument(connection: &Connection, kind: &str, id: &str, document: &str, revision: u64) -> Done {
    let mut update =
        connection.prepare_cached("UPDATE entities SET document = ?3, revision = ?4 WHERE kind = ?1 AND id = ?2")?;
    update.execute(params![kind, id, document, column(revision)])?;
    Ok(())
}

pub(super) fn erase(connection: &Connection, row: &Row, at_ms: u64, revision: u64) -> Done {
    let mut erase = connection.prepare_cached("DELETE FROM entities WHERE kind = ?1 AND id = ?2")?;
    erase.execute([&row.kind, &row.id])?;
    let mut remember =
        connection.prepare_cached("INSERT INTO entities_gone (kind, id, at_ms, revision) VALUES (?1, ?2, ?3, ?4)")?;
    remember.execute(params![row.kind, row.id, column(at_ms), column(revision)])?;
    Ok(())
}

/// A row as `select!` gives it.
pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let tokens = row.get_ref(5)?.as_blob()?;
    let (token_hashes, rest) = tokens.as_chunks();
    if !rest.is_empty() {
        return Err(Error::InvalidColumnType(5, "token_hashes".to_owned(), Type::Blob));
    }
    Ok(Row {
        kind: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        is_name_unique: row.get(3)?,
        document: row.get(4)?,
        token_hashes: token_hashes.to_vec(),
        origin: if row.get_ref(6)?.as_str()? == word(Origin::File) { Origin::File } else { Origin::Api },
        file_mac: row.get(7)?,
        is_deleted: row.get(8)?,
        order: row.get(9)?,
        created_ms: number(row.get(10)?),
        updated_ms: number(row.get(11)?),
        revision: number(row.get(12)?),
        team_id: row.get(13)?,
        customer_id: row.get(14)?,
    })
}

fn read_gone(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row::gone(row.get(0)?, row.get(1)?, number(row.get(2)?), number(row.get(3)?)))
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Api => "api",
    }
}
