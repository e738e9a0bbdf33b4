//! The tables, brought up to date at start. `migrations/README.md` has the rules.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::StoreError;
use crate::migrations::{self, Applied, Pending};

pub(super) const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/sqlite/0001_ledger.sql"),
    include_str!("../../../migrations/sqlite/0002_registry.sql"),
    include_str!("../../../migrations/sqlite/0003_logs.sql"),
    include_str!("../../../migrations/sqlite/0004_log_contents.sql"),
];

/// Runs what has not been run yet, each migration in a transaction of its own, and one process at a time.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_by(connection, &MIGRATIONS)
}

/// Does so with these.
pub(super) fn migrate_by(connection: &mut Connection, known: &[&'static str]) -> Result<(), StoreError> {
    prepare(connection)?;
    while step(connection, known)? {}
    Ok(())
}

/// Makes the table that migrations themselves need. A file of the first version has one without checksums, and the migrations that
/// were run on it stay without.
fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let table = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, checksum TEXT) STRICT";
    transaction.execute_batch(table)?;
    if !has_checksums(&transaction)? {
        transaction.execute_batch("ALTER TABLE schema_version ADD COLUMN checksum TEXT")?;
    }
    transaction.commit()?;
    Ok(())
}

/// Runs the next one; `false`: there is none.
fn step(connection: &mut Connection, known: &[&'static str]) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pending = migrations::pending(known, &applied(&transaction)?)?;
    let Some(Pending { version, sql, checksum }) = pending.first() else { return Ok(false) };
    transaction.execute_batch(sql)?;
    transaction
        .execute("INSERT INTO schema_version (version, checksum) VALUES (?1, ?2)", params![version, checksum])?;
    transaction.commit()?;
    Ok(true)
}

fn applied(transaction: &Transaction<'_>) -> Result<Vec<Applied>, StoreError> {
    let checksum = if has_checksums(transaction)? { "checksum" } else { "NULL" };
    let mut statement = transaction.prepare(&format!("SELECT version, {checksum} FROM schema_version"))?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(applied)
}

fn has_checksums(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let query = "SELECT count(*) FROM pragma_table_info('schema_version') WHERE name = 'checksum'";
    Ok(transaction.query_row(query, [], |row| row.get::<_, u32>(0))? > 0)
}

/// The number of the last migration that was run; 0: there was none.
pub(super) fn version(connection: &mut Connection) -> Result<u32, StoreError> {
    prepare(connection)?;
    let transaction = connection.transaction()?;
    Ok(applied(&transaction)?.iter().map(|(version, _)| *version).max().unwrap_or_default())
}

/// Whether the tables are those of this version. `false`: there are none yet.
pub(super) fn is_known(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let is_there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
    let tables: u32 = transaction.query_row(is_there, [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(false);
    }
    let applied = applied(transaction)?;
    migrations::pending(&MIGRATIONS, &applied)?;
    Ok(!applied.is_empty())
}
