//! The tables, brought up to date at start. `migrations/README.md` has the rules.

use std::time::Duration;

use deadpool_postgres::Transaction;
use tokio::time::{sleep, timeout};
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

use super::failure::Failure;
use super::server::Server;
use crate::StoreError;
use crate::migrate::Migrated;
use crate::migrations::{self, Applied, Pending};

pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/postgres/0001_ledger.sql"),
    include_str!("../../../migrations/postgres/0002_registry.sql"),
    include_str!("../../../migrations/postgres/0003_logs.sql"),
];

/// Another node that is at it is waited for so long.
const PATIENCE: Duration = Duration::from_secs(600);
/// Two who make the same table at the same moment disturb each other so often, at most.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Runs what has not been run yet, each migration in a transaction of its own, and one node at a time. Says what this one did.
pub(super) fn migrate(server: &Server, known: &[&'static str]) -> Result<Migrated, StoreError> {
    let migrating = async {
        fit(server).await?;
        again(is_race, || prepare(server)).await?;
        let mut before = None;
        loop {
            let (is_run, version) = again(is_yielding, || step(server, known)).await?;
            let before = *before.get_or_insert(version);
            if !is_run {
                return Ok(Migrated { before, after: version });
            }
        }
    };
    let bounded = async { timeout(PATIENCE, migrating).await.unwrap_or(Err(Failure::Slow)) };
    server.wait(bounded, &mut || {})
}

/// Whether the tables are those of this version. `false`: there are none yet.
pub(super) async fn is_known(transaction: &Transaction<'_>) -> Result<bool, Failure> {
    let query = "SELECT to_regclass('schema_version') IS NOT NULL";
    if !transaction.query_one(query, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let applied = applied(transaction).await?;
    migrations::pending(&MIGRATIONS, &applied)?;
    Ok(!applied.is_empty())
}

/// Looks whether it is a server and a database for this.
async fn fit(server: &Server) -> Result<(), Failure> {
    let client = server.pool().get().await?;
    let version: String = client.query_one("SELECT version()", &[]).await?.try_get(0)?;
    let number = client.query_one("SHOW server_version_num", &[]).await?.try_get::<_, String>(0)?;
    if is_postgres(&version) && number.parse::<u32>().is_ok_and(|number| number < 150_000) {
        return Err(Failure::Told(format!("it is {version}; version 15 or a later one is needed")));
    }
    let encoding: String = client.query_one("SHOW server_encoding", &[]).await?.try_get(0)?;
    if !encoding.eq_ignore_ascii_case("UTF8") {
        return Err(Failure::Told(format!("the database is encoded in {encoding}; it must be UTF8")));
    }
    Ok(())
}

/// Whether it is PostgreSQL itself. CockroachDB and YugabyteDB speak of its versions too, and mean the language only.
pub(super) fn is_postgres(version: &str) -> bool {
    version.starts_with("PostgreSQL") && !version.contains("-YB-")
}

/// Does something again if another node was in the way.
async fn again<T>(
    is_in_the_way: fn(&SqlState) -> bool,
    work: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(Failure::Driver(error)) if tries < TRIES && error.code().is_some_and(is_in_the_way) => tries += 1,
            done => return done,
        }
        sleep(PAUSE).await;
    }
}

/// Makes the tables that migrations themselves need, unless they are there: who may only use tables, and not make any, gets by.
/// One row is there to be locked: CockroachDB has no advisory locks.
async fn prepare(server: &Server) -> Result<(), Failure> {
    let client = server.pool().get().await?;
    let query = "SELECT to_regclass('schema_version') IS NOT NULL AND to_regclass('schema_lock') IS NOT NULL";
    if client.query_one(query, &[]).await?.try_get(0)? {
        return Ok(());
    }
    let tables = "
        CREATE TABLE IF NOT EXISTS schema_version (
            version    INTEGER     PRIMARY KEY,
            checksum   TEXT        NOT NULL,
            applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
        );
        CREATE TABLE IF NOT EXISTS schema_lock (one INTEGER PRIMARY KEY CHECK (one = 1));
        INSERT INTO schema_lock (one) VALUES (1) ON CONFLICT (one) DO NOTHING";
    Ok(client.batch_execute(tables).await?)
}

/// `IF NOT EXISTS` does not see what another is making: then PostgreSQL's own tables complain of two of a kind.
fn is_race(code: &SqlState) -> bool {
    is_yielding(code) || matches!(code.code(), "23505" | "42P07" | "42710" | "XX000")
}

fn is_yielding(code: &SqlState) -> bool {
    matches!(*code, SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED)
}

/// Runs the next one; `false`: there is none. Gives the version before that, too.
async fn step(server: &Server, known: &[&'static str]) -> Result<(bool, u32), Failure> {
    let mut client = server.pool().get().await?;
    let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
    transaction.batch_execute("SET LOCAL statement_timeout = 0").await?;
    transaction.query("SELECT one FROM schema_lock WHERE one = 1 FOR UPDATE", &[]).await?;
    let applied = applied(&transaction).await?;
    let version = applied.iter().map(|(version, _)| *version).max().unwrap_or_default();
    let pending = migrations::pending(known, &applied)?;
    let Some(migration) = pending.first() else { return Ok((false, version)) };
    run(&transaction, migration).await?;
    transaction.commit().await?;
    Ok((true, version))
}

async fn run(transaction: &Transaction<'_>, migration: &Pending) -> Result<(), Failure> {
    let Pending { version, sql, checksum } = migration;
    if let Err(error) = transaction.batch_execute(sql).await {
        let what = format!("migration {version} was not done, nothing was changed: {}", super::failure::told(&error));
        return Err(Failure::Told(what));
    }
    let record = "INSERT INTO schema_version (version, checksum) VALUES ($1, $2)";
    transaction.execute(record, &[&version.cast_signed(), checksum]).await?;
    Ok(())
}

async fn applied(transaction: &Transaction<'_>) -> Result<Vec<Applied>, Failure> {
    let rows = transaction.query("SELECT version, checksum FROM schema_version ORDER BY version", &[]).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get::<_, i32>(0)?.cast_unsigned(), Some(row.try_get(1)?))));
    applied.collect()
}
