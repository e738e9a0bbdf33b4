//! The lease: taken when a process begins, renewed while it lives, given back when it ends.
//!
//! It is in the database by the database's clock, and here by a clock of ours that began to run before the database's did: what is
//! held here is held there.

use std::time::Duration;

use deadpool_postgres::{Object, Pool, Transaction};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::types::ToSql;

use super::failure::Failure;
use crate::lease::{Lease, LeaseNow};
use crate::number::column;

/// For so long it is held without being renewed; `TAKE` and `RENEW` say the same.
const LENGTH: Duration = Duration::from_secs(15);
const EVERY: Duration = Duration::from_secs(4);

const TAKE: &str = "UPDATE lease SET node = $1, run = $2, until = now() + interval '15 seconds'
    WHERE one = 1 AND (node IS NULL OR node = $1 OR until < now())";
// Once it lapsed it is still renewed, unless somebody else took it meanwhile.
const RENEW: &str = "UPDATE lease SET until = now() + interval '15 seconds' WHERE one = 1 AND node = $1 AND run = $2";
const GIVE_BACK: &str = "UPDATE lease SET node = NULL, until = now() WHERE one = 1 AND node = $1 AND run = $2";

/// Takes it for a process, if it is to be had. The same node's earlier process has ended: the data folder is locked.
pub(super) async fn take(transaction: &Transaction<'_>, node: &str, run: u64) -> Result<bool, Failure> {
    Ok(transaction.execute(TAKE, &[&node, &column(run)]).await? == 1)
}

/// Gives it back, if it is this process's.
pub(super) async fn give_back(transaction: &Transaction<'_>, node: &str, run: u64) -> Result<(), Failure> {
    transaction.execute(GIVE_BACK, &[&node, &column(run)]).await?;
    Ok(())
}

/// Renews the lease of a process that was taken at `taken`, for as long as it is this process's.
pub(super) async fn renew(pool: Pool, node: String, run: u64, lease: LeaseNow, taken: Instant) {
    let mut ends = taken + LENGTH;
    let mut asked = taken;
    loop {
        sleep_until(asked + EVERY).await;
        asked = Instant::now();
        // While it is held, its end is waited for, and no longer: then it has lapsed, whatever comes of the question.
        let until = if lease.get() == Lease::Held { ends } else { asked + LENGTH };
        match renew_once(&pool, &node, run, until).await {
            Ok(true) => {
                ends = asked + LENGTH;
                lease.set(Lease::Held);
            }
            Ok(false) => return lease.set(Lease::Elsewhere),
            Err(_) if Instant::now() < ends => {}
            Err(_) => lease.set(Lease::Lapsed),
        }
    }
}

/// `false`: another process has it.
async fn renew_once(pool: &Pool, node: &str, run: u64, until: Instant) -> Result<bool, Failure> {
    let client = timeout_at(until, pool.get()).await.map_err(|_| Failure::Slow)??;
    let run = column(run);
    let parameters: [&(dyn ToSql + Sync); 2] = [&node, &run];
    let renewed = timeout_at(until, client.execute(RENEW, &parameters)).await;
    if let Ok(renewed) = renewed {
        return Ok(renewed? == 1);
    }
    // Nobody else shall wait for its answer.
    drop(Object::take(client));
    Err(Failure::Slow)
}
