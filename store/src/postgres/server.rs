//! The server: connections to it, transactions on them, and how both are waited for.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Transaction};
use tokio::runtime::{self, Handle};
use tokio::time::{sleep, timeout};
use tokio_postgres::{self as driver, IsolationLevel};

use super::failure::{Failure, Remedy};
use super::tls;
use crate::StoreError;
use crate::balances::Meanwhile;
use crate::config::{Postgres, SslMode};

/// A connection that takes longer is none.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection on which nothing is acknowledged for so long is broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// A transaction that takes longer is given up.
const TRANSACTION: Duration = Duration::from_secs(90);
/// The same for a single statement and for a transaction in which nothing happens, so that the server gives them up by itself.
/// To compile a statement takes longer than any of ours needs.
const SESSION: &str = "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'; SET jit = off";
/// So often is a transaction tried in all.
const TRIES: u32 = 6;
/// The first pause before another try; each is twice as long as the last.
const PAUSE: Duration = Duration::from_millis(10);
/// What is to be done while the server is waited for is done this often.
const NAP: Duration = Duration::from_millis(5);

/// A server that is reached by a pool of connections.
#[derive(Debug)]
pub(super) struct Server {
    pool: Pool,
    /// Drives connections and renews the lease, also while the ledger's thread does other things.
    runtime: Background,
    place: String,
    max_idle: usize,
}

/// A runtime that may be dropped anywhere, also where asynchronous tasks are driven: it is not waited for.
#[derive(Debug)]
struct Background(Handle, Option<runtime::Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.1.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a transaction must know of the tries before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Try {
    /// The connection broke while it was committed: perhaps it was done.
    pub(super) may_be_done: bool,
}

impl Server {
    /// Connects when something is to be done.
    pub(super) fn new(config: &Postgres) -> Result<Self, StoreError> {
        let mut builder = runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("postgres").enable_all().build();
        let runtime = runtime.map_err(StoreError::Thread)?;
        let runtime = Background(runtime.handle().clone(), Some(runtime));
        Ok(Self { pool: pool(config)?, runtime, place: place(config), max_idle: config.max_idle_conns })
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime.0
    }

    /// Which server it is, which database and which user.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Waits for something of the server, and does something else meanwhile, again and again.
    pub(super) fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
        meanwhile: Meanwhile<'_>,
    ) -> Result<T, StoreError> {
        let done = self.runtime().block_on(async {
            let mut work = pin!(work);
            loop {
                match timeout(NAP, &mut work).await {
                    Ok(done) => return done,
                    Err(_) => meanwhile(),
                }
            }
        });
        done.map_err(|failure| failure.at(&self.place))
    }

    /// Does something in one transaction. `work` is done anew if the transaction has to be.
    pub(super) fn transact<T>(
        &self,
        meanwhile: Meanwhile<'_>,
        work: impl AsyncFn(&Transaction<'_>, Try) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let done = self.wait(transact(&self.pool, work), meanwhile);
        self.close_idle();
        done
    }

    /// Closes connections that nobody needs, but for as many as are to be kept.
    pub(super) fn close_idle(&self) {
        let mut left = self.max_idle;
        if self.pool.status().available > left {
            self.pool.retain(|_, _| left.checked_sub(1).inspect(|fewer| left = *fewer).is_some());
        }
    }

    /// Looks at something, as it is at one moment. `look` looks anew where the connection was broken before it was used.
    pub(super) fn look<T>(&self, look: impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, StoreError> {
        let looking = async {
            match look_once(&self.pool, &look).await {
                Err(failure) if failure.remedy() != Remedy::GiveUp => look_once(&self.pool, &look).await,
                seen => seen,
            }
        };
        self.wait(looking, &mut || {})
    }
}

async fn look_once<T>(pool: &Pool, look: &impl AsyncFn(&Transaction<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let mut client = pool.get().await?;
    let looking = async {
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.read_only(true).start().await?;
        let seen = look(&transaction).await?;
        transaction.commit().await?;
        Ok(seen)
    };
    let seen = timeout(TRANSACTION, looking).await.unwrap_or(Err(Failure::Slow));
    if seen.as_ref().is_err_and(Failure::spoils_connection) {
        drop(deadpool_postgres::Object::take(client));
    }
    seen
}

/// Does something in one transaction, trying again what cannot have happened, or would be known to have.
pub(super) async fn transact<T>(
    pool: &Pool,
    work: impl AsyncFn(&Transaction<'_>, Try) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut state = Try { may_be_done: false };
    for number in 1.. {
        let mut is_committing = false;
        let failure = match attempt(pool, &work, state, &mut is_committing).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        match failure.remedy() {
            Remedy::TryAgain if number < TRIES => {}
            Remedy::Reconnect if number < TRIES => state.may_be_done |= is_committing,
            _ => return Err(failure),
        }
        sleep(PAUSE.saturating_mul(1 << number)).await;
    }
    Err(Failure::Slow)
}

async fn attempt<T>(
    pool: &Pool,
    work: &impl AsyncFn(&Transaction<'_>, Try) -> Result<T, Failure>,
    state: Try,
    is_committing: &mut bool,
) -> Result<T, Failure> {
    let mut client = pool.get().await?;
    let transaction = async {
        // Each statement sees what was committed before it. Two that would be in each other's way take the same lock first.
        let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
        let done = work(&transaction, state).await?;
        *is_committing = true;
        transaction.commit().await?;
        Ok(done)
    };
    let done = timeout(TRANSACTION, transaction).await.unwrap_or(Err(Failure::Slow));
    if done.as_ref().is_err_and(Failure::spoils_connection) {
        drop(deadpool_postgres::Object::take(client));
    }
    done
}

fn pool(config: &Postgres) -> Result<Pool, StoreError> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(driver_config(config), tls::connector(config)?, manager);
    let pool = Pool::builder(manager)
        // The lease is renewed while the ledger's transaction takes its time.
        .max_size(config.max_open_conns.max(2))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECT))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(CONNECT))
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        }));
    pool.build().map_err(|error| StoreError::Database(Box::new(error)))
}

pub(super) fn driver_config(config: &Postgres) -> driver::Config {
    let Postgres { host, port, user, password, db_name, ssl_mode, .. } = config;
    let mut driver = driver::Config::new();
    driver.host(host).port(*port).user(user).dbname(db_name).application_name("tollgate");
    if !password.reveal().is_empty() {
        driver.password(password.reveal());
    }
    driver.ssl_mode(match ssl_mode {
        SslMode::Disable => driver::config::SslMode::Disable,
        SslMode::Prefer => driver::config::SslMode::Prefer,
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => driver::config::SslMode::Require,
    });
    driver.connect_timeout(CONNECT).tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(UNACKNOWLEDGED / 2);
    driver.keepalives_interval(UNACKNOWLEDGED / 5).keepalives_retries(3);
    driver
}

fn place(config: &Postgres) -> String {
    let Postgres { host, port, user, db_name, .. } = config;
    format!("PostgreSQL at {host}:{port}, database `{db_name}`, user `{user}`")
}
