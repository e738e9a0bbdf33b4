//! The tables, brought up to date at start. `migrations/README.md` has the rules.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::StoreError;

pub(super) const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/sqlite/0001_ledger.sql"),
    include_str!("../../../migrations/sqlite/0002_registry.sql"),
];

/// Runs what has not been run yet.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")?;
    let found = version(&transaction)?;
    for (version, migration) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(migration)?;
        transaction.execute("INSERT INTO schema_version (version) VALUES (?1)", [version])?;
    }
    transaction.commit()?;
    Ok(())
}

/// Whether the tables are those of this version. `false`: there are none yet.
pub(super) fn is_known(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let is_there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
    let tables: u32 = transaction.query_row(is_there, [], |row| row.get(0))?;
    Ok(tables > 0 && version(transaction)? > 0)
}

fn version(transaction: &Transaction<'_>) -> Result<u32, StoreError> {
    let found = transaction.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found) }
}
