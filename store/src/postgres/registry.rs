//! The registry on a server, where other nodes have it too. Whoever writes locks the row with the revision first.

mod audit;
mod entities;
mod listener;
mod notes;
mod pages;
mod tables;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use tokio::time::{sleep, timeout};
use tokio_postgres::IsolationLevel;

use self::tables::Tables;
use super::failure::{Failure, Remedy, refused};
use super::schema;
use super::server::Server;
use crate::config;
use crate::registry::database::{Change, Database, Look};
use crate::registry::{PATIENCE, RegistryError, Signal};
use crate::seal::random;

type Done<T = ()> = Result<T, RegistryError>;

/// So often is a transaction tried in all.
const TRIES: u32 = 5;
/// An answer that takes longer is none. The server gives statements up before.
const ANSWER: Duration = Duration::from_secs(45);
/// The first pause before another try; each is twice as long as the last.
const PAUSE: Duration = Duration::from_millis(10);
/// The channel on which a revision is told to those who listen.
const CHANNEL: &str = "tollgate_policy";

/// The database on its server.
#[derive(Debug)]
pub(crate) struct PostgresRegistry {
    server: Server,
    config: config::Postgres,
    /// CockroachDB and YugabyteDB do not know `NOTIFY`: there those who follow ask for the revision again and again.
    can_notify: bool,
    signal: OnceLock<Arc<Signal>>,
}

/// Why a transaction was not done.
struct Undone {
    error: RegistryError,
    verdict: Verdict,
}

/// What a failure means.
#[derive(Clone, Copy)]
struct Verdict {
    /// For the transaction.
    remedy: Remedy,
    /// Whether the connection must not be used again.
    spoils: bool,
}

/// What is known of a transaction that is tried, perhaps not for the first time.
struct Trial {
    /// Names it for the server.
    mark: [u8; 16],
    /// The connection broke while it was committed: perhaps it was done.
    may_be_done: bool,
    is_committing: bool,
}

impl Verdict {
    fn of(failure: &Failure) -> Self {
        Self { remedy: failure.remedy(), spoils: failure.spoils_connection() }
    }
}

impl PostgresRegistry {
    /// Connects, and brings the tables up to date.
    pub(crate) fn open(config: &config::Postgres) -> Done<Self> {
        // One connection listens, one keeps balances, and one renews the lease.
        let others = config.connections_for_logs().saturating_add(3);
        let most = config.max_open_conns.saturating_sub(others).max(2);
        let server = Server::new(&config::Postgres { max_open_conns: most, ..config.clone() })?;
        schema::migrate(&server, &schema::MIGRATIONS)?;
        let can_notify = server.wait(can_notify(&server), &mut || {})?;
        Ok(Self { server, config: config.clone(), can_notify, signal: OnceLock::new() })
    }

    /// Waits for the server.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Undone> {
        let bounded = async { timeout(ANSWER, work).await.unwrap_or(Err(Failure::Slow)) };
        self.server.runtime().block_on(bounded).map_err(|failure| self.undone(failure))
    }

    fn undone(&self, failure: Failure) -> Undone {
        Undone { verdict: Verdict::of(&failure), error: refused(failure, self.server.place()) }
    }

    /// Does something with a connection, which is not used again if that breaks it.
    fn with_connection(&self, work: impl FnOnce(&mut Object) -> Result<(), Undone>) -> Result<(), Undone> {
        let mut client = self.wait(async { Ok(self.server.pool().get().await?) })?;
        let done = work(&mut client);
        if done.as_ref().is_err_and(|undone| undone.verdict.spoils) {
            drop(Object::take(client));
        }
        done
    }

    fn write_once(&self, trial: &mut Trial, work: &mut dyn FnMut(&dyn Change) -> Done) -> Result<(), Undone> {
        self.with_connection(|client| {
            let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
            let transaction = self.wait(async { Ok(transaction.start().await?) })?;
            if self.wait(begin(&transaction, trial))? {
                return Ok(());
            }
            trial.may_be_done = false;
            let tables = Tables::of(&self.server, &transaction);
            work(&tables).map_err(|error| Undone { error, verdict: tables.verdict() })?;
            let news = tables.news().filter(|_| self.can_notify);
            self.wait(end(&transaction, trial, news))?;
            trial.is_committing = true;
            self.wait(async { Ok(transaction.commit().await?) })
        })
    }

    fn read_once(&self, has_begun: &mut bool, work: &mut dyn FnMut(&dyn Look) -> Done) -> Result<(), Undone> {
        self.with_connection(|client| {
            let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
            let transaction = self.wait(async { Ok(transaction.read_only(true).start().await?) })?;
            *has_begun = true;
            let tables = Tables::of(&self.server, &transaction);
            work(&tables).map_err(|error| Undone { error, verdict: tables.verdict() })?;
            self.wait(async { Ok(transaction.commit().await?) })
        })
    }

    fn pause(&self, number: u32) {
        self.server.runtime().block_on(async { sleep(PAUSE.saturating_mul(1 << number)).await });
    }
}

impl Database for PostgresRegistry {
    fn write(&self, work: &mut dyn FnMut(&dyn Change) -> Done) -> Done {
        let mut trial = Trial { mark: random()?, may_be_done: false, is_committing: false };
        let mut number = 1;
        let done = loop {
            trial.is_committing = false;
            let Err(undone) = self.write_once(&mut trial, work) else { break Ok(()) };
            trial.may_be_done |= trial.is_committing && undone.verdict.spoils;
            if undone.verdict.remedy == Remedy::GiveUp || number == TRIES {
                break Err(if trial.may_be_done { RegistryError::Uncertain } else { undone.error });
            }
            self.pause(number);
            number += 1;
        };
        self.server.close_idle();
        done
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Look) -> Done) -> Done {
        let mut number = 1;
        loop {
            let mut has_begun = false;
            let Err(undone) = self.read_once(&mut has_begun, work) else { return Ok(()) };
            // What was read may have been passed on.
            if has_begun || undone.verdict.remedy == Remedy::GiveUp || number == TRIES {
                return Err(undone.error);
            }
            self.pause(number);
            number += 1;
        }
    }

    fn signal(&self) -> Arc<Signal> {
        let listen = || {
            let signal = Arc::new(Signal::default());
            if self.can_notify {
                let heard = Arc::downgrade(&signal);
                self.server.runtime().spawn(listener::listen(self.config.clone(), heard));
            }
            signal
        };
        Arc::clone(self.signal.get_or_init(listen))
    }
}

async fn can_notify(server: &Server) -> Result<bool, Failure> {
    let client = server.pool().get().await?;
    let version: String = client.query_one("SELECT version()", &[]).await?.try_get(0)?;
    Ok(schema::is_postgres(&version))
}

/// Makes this the only one who writes, until the transaction ends. `true`: an earlier try was done after all.
async fn begin(transaction: &Transaction<'_>, trial: &Trial) -> Result<bool, Failure> {
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = {}", PATIENCE.as_millis())).await?;
    let lock = "SELECT revision FROM registry_revision WHERE one = 1 FOR UPDATE";
    let lock = transaction.prepare_cached(lock).await?;
    transaction.query_opt(&lock, &[]).await?.ok_or(Failure::Damaged("it has no revision"))?;
    if !trial.may_be_done {
        return Ok(false);
    }
    let mark: &[u8] = &trial.mark;
    Ok(transaction.query_opt("SELECT 1 FROM registry_writes WHERE mark = $1", &[&mark]).await?.is_some())
}

/// Leaves a mark, and tells others of a new revision when this is committed.
async fn end(transaction: &Transaction<'_>, trial: &Trial, news: Option<u64>) -> Result<(), Failure> {
    let mark: &[u8] = &trial.mark;
    let leave = transaction.prepare_cached("INSERT INTO registry_writes (mark, at) VALUES ($1, now())").await?;
    transaction.execute(&leave, &[&mark]).await?;
    let forget = "DELETE FROM registry_writes WHERE at < now() - interval '2 minutes'";
    transaction.execute(&transaction.prepare_cached(forget).await?, &[]).await?;
    if let Some(revision) = news {
        // Of PostgreSQL alone, and asked of it alone: elsewhere the change is seen a moment later.
        let tell = transaction.prepare_cached("SELECT pg_notify($1, $2)").await?;
        transaction.query(&tell, &[&CHANNEL, &revision.to_string()]).await?;
    }
    Ok(())
}
