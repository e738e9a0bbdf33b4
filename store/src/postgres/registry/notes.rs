//! Texts that are kept under a name.

use deadpool_postgres::Transaction;

use super::entities::run;
use super::tables::value;
use crate::postgres::failure::Failure;
use crate::postgres::text::hash;

pub(super) async fn note(transaction: &Transaction<'_>, name: &str) -> Result<Option<String>, Failure> {
    let query = transaction.prepare_cached("SELECT text FROM notes WHERE name_hash = $1").await?;
    transaction.query_opt(&query, &[&hash(name)]).await?.map(|row| value(&row, 0)).transpose()
}

pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<(String, String)>, Failure> {
    let query = transaction.prepare_cached("SELECT name, text FROM notes ORDER BY name").await?;
    let rows = transaction.query(&query, &[]).await?;
    rows.iter().map(|row| Ok((value(row, 0)?, value(row, 1)?))).collect()
}

pub(super) async fn set(transaction: &Transaction<'_>, name: &str, text: &str) -> Result<(), Failure> {
    let set = "INSERT INTO notes (name_hash, name, text) VALUES ($1, $2, $3)
        ON CONFLICT (name_hash) DO UPDATE SET text = excluded.text";
    run(transaction, set, &[&hash(name), &name, &text]).await
}
