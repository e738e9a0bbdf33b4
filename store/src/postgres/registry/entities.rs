//! Entities, their tokens, and what is remembered of those that are gone.

use deadpool_postgres::Transaction;
use tokio_postgres::Row as Found;
use tokio_postgres::types::ToSql;

use super::tables::{bytes, is_askable, value};
use crate::number::{column, number};
use crate::postgres::failure::Failure;
use crate::postgres::text::hash;
use crate::registry::database::Document;
use crate::registry::{Origin, Row, TokenHash};

type Done<T = ()> = Result<T, Failure>;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT kind, id, name, unique_name_hash IS NOT NULL, document, token_hashes, origin, file_mac, is_deleted, position,
                    created_ms, updated_ms, revision, team_id, customer_id FROM entities ",
            $rest
        )
    };
}

pub(super) use select;

/// All rows, by kind, order and id.
pub(super) const ALL: &str = select!("ORDER BY kind, position, id");
/// Those with a greater revision.
pub(super) const SINCE: &str = select!("WHERE revision > $1 ORDER BY revision, kind, position, id");

pub(super) async fn revision(transaction: &Transaction<'_>) -> Done<u64> {
    let query = transaction.prepare_cached("SELECT revision FROM registry_revision WHERE one = 1").await?;
    let row = transaction.query_opt(&query, &[]).await?.ok_or(Failure::Damaged("it has no revision"))?;
    value(&row, 0).map(number)
}

pub(super) async fn set_revision(transaction: &Transaction<'_>, revision: u64) -> Done {
    run(transaction, "UPDATE registry_revision SET revision = $1 WHERE one = 1", &[&column(revision)]).await
}

pub(super) async fn row(transaction: &Transaction<'_>, kind: &str, id: &str) -> Done<Option<Row>> {
    if !is_askable([kind]) {
        return Ok(None);
    }
    let query = transaction.prepare_cached(select!("WHERE kind = $1 AND id_hash = $2")).await?;
    transaction.query_opt(&query, &[&kind, &hash(id)]).await?.as_ref().map(read).transpose()
}

/// What is told of rows that are gone, by revision.
pub(super) async fn gone_since(transaction: &Transaction<'_>, revision: u64) -> Done<Vec<Row>> {
    let query = "SELECT kind, id, at_ms, revision FROM entities_gone WHERE revision > $1 ORDER BY revision, kind, id";
    let query = transaction.prepare_cached(query).await?;
    let rows = transaction.query(&query, &[&column(revision)]).await?;
    let gone = |row| Ok(Row::gone(value(row, 0)?, value(row, 1)?, number(value(row, 2)?), number(value(row, 3)?)));
    rows.iter().map(gone).collect()
}

pub(super) async fn last_order(transaction: &Transaction<'_>, kind: &str) -> Done<Option<i64>> {
    let query = transaction.prepare_cached("SELECT max(position) FROM entities WHERE kind = $1").await?;
    value(&transaction.query_one(&query, &[&kind]).await?, 0)
}

pub(super) async fn name_owner(transaction: &Transaction<'_>, kind: &str, name: &str) -> Done<Option<String>> {
    let query = "SELECT id FROM entities WHERE kind = $1 AND unique_name_hash = $2";
    let query = transaction.prepare_cached(query).await?;
    transaction.query_opt(&query, &[&kind, &hash(name)]).await?.map(|row| value(&row, 0)).transpose()
}

pub(super) async fn token_owner(transaction: &Transaction<'_>, token: &TokenHash) -> Done<Option<(String, String)>> {
    let query = transaction.prepare_cached("SELECT kind, id FROM entity_tokens WHERE hash = $1").await?;
    let row = transaction.query_opt(&query, &[&token.as_slice()]).await?;
    row.map(|row| Ok((value(&row, 0)?, value(&row, 1)?))).transpose()
}

pub(super) async fn documents(
    transaction: &Transaction<'_>,
    text: &str,
    (kind, id): &(String, String),
    most: u32,
) -> Done<Vec<Document>> {
    let query = transaction
        .prepare_cached(
            "SELECT kind, id, document FROM entities WHERE (kind, id_hash) > ($1, $2) AND strpos(document, $3) > 0
             ORDER BY kind, id_hash LIMIT $4",
        )
        .await?;
    let rows = transaction.query(&query, &[kind, &hash(id), &text, &i64::from(most)]).await?;
    let document = |row| Ok(Document { kind: value(row, 0)?, id: value(row, 1)?, document: value(row, 2)? });
    rows.iter().map(document).collect()
}

pub(super) async fn release(transaction: &Transaction<'_>, row: &Row) -> Done {
    let unname = "UPDATE entities SET unique_name_hash = NULL WHERE kind = $1 AND id_hash = $2";
    run(transaction, unname, &[&row.kind, &hash(&row.id)]).await?;
    let tokens: Vec<&[u8]> = row.token_hashes.iter().map(<[u8; 32]>::as_slice).collect();
    run(transaction, "DELETE FROM entity_tokens WHERE hash = ANY($1)", &[&tokens]).await
}

pub(super) async fn claim_token(transaction: &Transaction<'_>, token: &TokenHash, kind: &str, id: &str) -> Done {
    let claim = "INSERT INTO entity_tokens (hash, kind, id) VALUES ($1, $2, $3)";
    run(transaction, claim, &[&token.as_slice(), &kind, &id]).await
}

pub(super) async fn put(transaction: &Transaction<'_>, row: &Row) -> Done {
    let put =
        "INSERT INTO entities (kind, id_hash, id, name, unique_name_hash, document, token_hashes, origin, file_mac,
                                     is_deleted, position, created_ms, updated_ms, revision, team_id, customer_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (kind, id_hash) DO UPDATE SET
             name = excluded.name, unique_name_hash = excluded.unique_name_hash, document = excluded.document,
             token_hashes = excluded.token_hashes, origin = excluded.origin, file_mac = excluded.file_mac,
             is_deleted = excluded.is_deleted, position = excluded.position, created_ms = excluded.created_ms,
             updated_ms = excluded.updated_ms, revision = excluded.revision, team_id = excluded.team_id,
             customer_id = excluded.customer_id";
    let id = hash(&row.id);
    let parameters: [&(dyn ToSql + Sync); 16] = [
        &row.kind,
        &id,
        &row.id,
        &row.name,
        &row.unique_name().map(hash),
        &row.document,
        &row.token_hashes.as_flattened(),
        &word(row.origin),
        &row.file_mac.as_ref().map(<[u8; 32]>::as_slice),
        &row.is_deleted,
        &row.order,
        &column(row.created_ms),
        &column(row.updated_ms),
        &column(row.revision),
        &row.team_id,
        &row.customer_id,
    ];
    run(transaction, put, &parameters).await?;
    run(transaction, "DELETE FROM entities_gone WHERE kind = $1 AND id_hash = $2", &[&row.kind, &id]).await
}

pub(super) async fn redocument(
    transaction: &Transaction<'_>,
    kind: &str,
    id: &str,
    document: &str,
    revision: u64,
) -> Done {
    let update = "UPDATE entities SET document = $3, revision = $4 WHERE kind = $1 AND id_hash = $2";
    run(transaction, update, &[&kind, &hash(id), &document, &column(revision)]).await
}

pub(super) async fn erase(transaction: &Transaction<'_>, row: &Row, at_ms: u64, revision: u64) -> Done {
    let id = hash(&row.id);
    run(transaction, "DELETE FROM entities WHERE kind = $1 AND id_hash = $2", &[&row.kind, &id]).await?;
    let remember = "INSERT INTO entities_gone (kind, id_hash, id, at_ms, revision) VALUES ($1, $2, $3, $4, $5)";
    run(transaction, remember, &[&row.kind, &id, &row.id, &column(at_ms), &column(revision)]).await
}

/// Runs a statement that gives nothing.
pub(super) async fn run(transaction: &Transaction<'_>, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Done {
    let statement = transaction.prepare_cached(statement).await?;
    transaction.execute(&statement, parameters).await?;
    Ok(())
}

/// A row as `select!` gives it.
pub(super) fn read(row: &Found) -> Done<Row> {
    let (token_hashes, rest) = value::<&[u8]>(row, 5)?.as_chunks();
    if !rest.is_empty() {
        return Err(Failure::Damaged("a value cannot be read"));
    }
    let has_mac = value::<Option<&[u8]>>(row, 7)?.is_some();
    Ok(Row {
        kind: value(row, 0)?,
        id: value(row, 1)?,
        name: value(row, 2)?,
        is_name_unique: value(row, 3)?,
        document: value(row, 4)?,
        token_hashes: token_hashes.to_vec(),
        origin: if value::<&str>(row, 6)? == word(Origin::File) { Origin::File } else { Origin::Api },
        file_mac: if has_mac { Some(bytes(row, 7)?) } else { None },
        is_deleted: value(row, 8)?,
        order: value(row, 9)?,
        created_ms: number(value(row, 10)?),
        updated_ms: number(value(row, 11)?),
        revision: number(value(row, 12)?),
        team_id: value(row, 13)?,
        customer_id: value(row, 14)?,
    })
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Api => "api",
    }
}
