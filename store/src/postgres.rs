//! Balances in PostgreSQL, which many nodes may share. A node is a data folder: it has a journal of its own, and so has its own
//! progress and its own open attempts here.

mod abandoned;
mod attempts;
mod budgets;
mod failure;
mod lease;
mod logs;
mod registry;
mod schema;
mod server;
mod slices;
mod text;
mod tls;

use deadpool_postgres::Transaction;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::failure::Failure;
pub(crate) use self::logs::PostgresLogs;
pub(crate) use self::registry::PostgresRegistry;
use self::server::Server;
use crate::balance::{AbandonedCharge, Began, Page, Voided};
use crate::balances::{Balances, Meanwhile, Open, Progress, Standing};
use crate::config;
use crate::fold::{Attempts, Change};
use crate::folder::Folder;
use crate::journal::{AttemptId, record};
use crate::lease::{Lease, LeaseNow};
use crate::logs::{Content, Trim, Untold};
use crate::migrate::Migrated;
use crate::{Attempted, StoreError};

/// The database on its server, as one node uses it.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Server,
    node: String,
    /// The number of this process, once it began.
    run: Option<u64>,
    lease: LeaseNow,
    renewal: Option<JoinHandle<()>>,
}

impl Postgres {
    /// Connects for the node whose folder this is, and brings the tables up to date.
    pub(crate) fn open(config: &config::Postgres, folder: &Folder) -> Result<Self, StoreError> {
        let server = Server::new(config)?;
        schema::migrate(&server, &schema::MIGRATIONS)?;
        let node = match folder.node()? {
            Some(node) => node,
            None => name_node(&server, folder)?,
        };
        server.transact(&mut || {}, async |transaction, _| attempts::add_node(transaction, &node).await)?;
        Ok(Self { server, node, run: None, lease: LeaseNow::new(Lease::Elsewhere), renewal: None })
    }

    /// Brings the tables up to date.
    pub(crate) fn migrate(config: &config::Postgres) -> Result<Migrated, StoreError> {
        schema::migrate(&Server::new(config)?, &schema::MIGRATIONS)
    }

    /// Reads what is known of a node, as it is at one moment, beside a process that may be using the database. `None`: its tables
    /// are not made yet.
    pub(crate) fn read(
        config: &config::Postgres,
        node: Option<&str>,
    ) -> Result<Option<(Progress, Standing)>, StoreError> {
        Server::new(config)?.look(async |transaction| {
            if !schema::is_known(transaction).await? {
                return Ok(None);
            }
            let progress = match node {
                Some(node) => attempts::progress(transaction, node).await?,
                None => Progress::default(),
            };
            Ok(Some((progress, standing(transaction).await?)))
        })
    }

    /// Reads charges of abandoned attempts of all nodes and changes nothing.
    pub(crate) fn read_abandoned(
        config: &config::Postgres,
        page: Page,
    ) -> Result<Option<Vec<AbandonedCharge>>, StoreError> {
        Server::new(config)?.look(async |transaction| {
            Ok(if schema::is_known(transaction).await? {
                Some(abandoned::list(transaction, page).await?)
            } else {
                None
            })
        })
    }

    async fn fold_within(&self, transaction: &Transaction<'_>, change: &Change<'_>) -> Result<(), Failure> {
        attempts::lock(transaction).await?;
        // The commit may have failed after it was done.
        if attempts::folded_to(transaction, &self.node, self.run).await? >= change.folded_to {
            return Ok(());
        }
        budgets::charge(transaction, &change.charges).await?;
        slices::count(transaction, &change.slices).await?;
        slices::forget(transaction, change.newest_slice_ms).await?;
        attempts::change(transaction, &self.node, change).await?;
        logs::keep(transaction, &self.node, change).await?;
        let abandoned = change.abandoned.iter().map(|(recorded, at_ms)| (recorded.attempted(), *at_ms));
        abandoned::add(transaction, &abandoned.collect::<Vec<_>>()).await
    }

    async fn adopt_within(
        &self,
        transaction: &Transaction<'_>,
        budgets: &[Began],
        attempts: &Attempts,
    ) -> Result<Vec<Open>, Failure> {
        attempts::lock(transaction).await?;
        let changed = budgets::adopt(transaction, budgets).await?;
        let detached = attempts.detached(&changed);
        let detached = detached.iter().map(payload).collect::<Result<Vec<_>, _>>()?;
        let detached: Vec<_> = detached.iter().map(|(name, payload)| (*name, &**payload)).collect();
        attempts::put(transaction, &self.node, &detached).await?;
        // Not what was changed just now, but all that is different: an earlier try may have done it.
        let progress = attempts::progress(transaction, &self.node).await?;
        Ok(attempts::other(progress, |name, payload| attempts.is_known_as(name, payload)))
    }
}

impl Balances for Postgres {
    fn begin_run(&mut self, now_ms: u64) -> Result<u64, StoreError> {
        let asked = Instant::now();
        let (run, is_held) = self.server.transact(&mut || {}, async |transaction, _| {
            let run = attempts::begin_run(transaction, &self.node, now_ms).await?;
            Ok((run, lease::take(transaction, &self.node, run).await?))
        })?;
        self.run = Some(run);
        if is_held {
            self.lease.hold_until(lease::ends_of(asked));
            let (pool, node, lease) = (self.server.pool().clone(), self.node.clone(), self.lease.clone());
            self.renewal = Some(self.server.runtime().spawn(lease::renew(pool, node, run, lease, asked)));
        }
        Ok(run)
    }

    fn progress(&mut self) -> Result<Progress, StoreError> {
        self.server.transact(&mut || {}, async |transaction, _| attempts::progress(transaction, &self.node).await)
    }

    fn standing(&mut self) -> Result<Standing, StoreError> {
        self.server.look(standing)
    }

    fn fold(&mut self, change: &Change<'_>, meanwhile: Meanwhile<'_>) -> Result<(), StoreError> {
        self.server.transact(meanwhile, async |transaction, _| self.fold_within(transaction, change).await)
    }

    fn adopt(
        &mut self,
        budgets: &[Began],
        attempts: &Attempts,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Vec<Open>, StoreError> {
        self.server.transact(meanwhile, async |transaction, _| self.adopt_within(transaction, budgets, attempts).await)
    }

    fn abandoned(&mut self, page: Page, meanwhile: Meanwhile<'_>) -> Result<Vec<AbandonedCharge>, StoreError> {
        self.server.transact(meanwhile, async |transaction, _| abandoned::list(transaction, page).await)
    }

    fn void(&mut self, attempt: AttemptId, at_ms: u64, meanwhile: Meanwhile<'_>) -> Result<Option<Voided>, StoreError> {
        self.server
            .transact(meanwhile, async |transaction, again| abandoned::void(transaction, attempt, at_ms, again).await)
    }

    fn forgive(&mut self, id: &str, start_ms: u64, nano: u64, meanwhile: Meanwhile<'_>) -> Result<(), StoreError> {
        let before = std::cell::Cell::new(None);
        self.server.transact(meanwhile, async |transaction, again| {
            budgets::forgive(transaction, (id, start_ms, nano), &before, again.may_be_done).await
        })
    }

    fn untold(&mut self) -> Result<Untold, StoreError> {
        self.server.transact(&mut || {}, async |transaction, _| logs::untold(transaction, &self.node).await)
    }

    fn trim_logs(&mut self, trim: Trim, meanwhile: Meanwhile<'_>) -> Result<u64, StoreError> {
        self.server.transact(meanwhile, async |transaction, _| {
            attempts::lock(transaction).await?;
            logs::trim(transaction, trim).await
        })
    }

    fn keep_contents(&mut self, _: &[Content], _: Meanwhile<'_>) -> Result<(), StoreError> {
        Err(StoreError::Database("what is said in calls is not kept in PostgreSQL yet".into()))
    }

    fn lease(&self) -> LeaseNow {
        self.lease.clone()
    }

    fn end_run(&mut self) -> Result<(), StoreError> {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        let Some(run) = self.run else { return Ok(()) };
        self.server
            .transact(&mut || {}, async |transaction, _| lease::give_back(transaction, &self.node, run).await)?;
        self.lease.set(Lease::Elsewhere);
        Ok(())
    }
}

async fn standing(transaction: &Transaction<'_>) -> Result<Standing, Failure> {
    Ok(Standing { budgets: budgets::all(transaction).await?, slices: slices::all(transaction).await? })
}

/// Gives a folder a name that no other has, and keeps it there.
fn name_node(server: &Server, folder: &Folder) -> Result<String, StoreError> {
    let name = server.transact(&mut || {}, async |transaction, _| {
        Ok(transaction.query_one("SELECT CAST(gen_random_uuid() AS TEXT)", &[]).await?.try_get::<_, String>(0)?)
    })?;
    folder.name_node(&name)?;
    Ok(name)
}

fn payload(attempted: &Attempted) -> Result<Open, StoreError> {
    let payload = record::payload_of(attempted).map_err(|error| StoreError::Database(Box::new(error)))?;
    Ok((attempted.attempt, payload.into()))
}

#[cfg(test)]
mod tests;
