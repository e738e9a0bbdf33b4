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

/// For so long nobody else can take it without its being renewed; `TAKE` and `RENEW` say the same.
const LENGTH: Duration = Duration::from_secs(15);
/// For so long it is held here: what was admitted last is on its way before another gateway begins, though clocks run unlike.
const HELD: Duration = LENGTH.saturating_sub(Duration::from_secs(1));
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
    let mut ends = ends_of(taken);
    let mut next = taken + EVERY;
    loop {
        sleep_until(next).await;
        let asked = Instant::now();
        // Its end is waited for and no longer: then it has lapsed, whatever comes of the question.
        let until = if asked < ends { ends } else { asked + LENGTH };
        let renewed = renew_once(&pool, &node, run, until).await;
        let now = Instant::now();
        let found;
        (found, ends) = judge(renewed.ok(), asked, now, ends);
        match found {
            Lease::Held => lease.hold_until(ends),
            found => lease.set(found),
        }
        if found == Lease::Elsewhere {
            return;
        }
        next = asked + EVERY;
        if now < ends {
            next = next.min(ends);
        }
    }
}

/// When a lease lapses that was taken or renewed by a question of `asked`.
pub(super) fn ends_of(asked: Instant) -> Instant {
    asked + HELD
}

/// What the answer to a question of `asked` says of the lease, and when that ends; `None`: there was no answer.
fn judge(is_renewed: Option<bool>, asked: Instant, now: Instant, ends: Instant) -> (Lease, Instant) {
    match is_renewed {
        Some(true) => (Lease::Held, ends_of(asked)),
        Some(false) => (Lease::Elsewhere, ends),
        None if now < ends => (Lease::Held, ends),
        None => (Lease::Lapsed, ends),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_by_the_time_of_the_question_and_not_of_the_answer() {
        let asked = Instant::now();
        let (ends, now) = (asked + LENGTH / 2, asked + LENGTH / 3);
        assert_eq!(judge(Some(true), asked, now, ends), (Lease::Held, asked + HELD));
        assert!(HELD < LENGTH, "it is over here before another can take it");
    }

    #[test]
    fn without_an_answer_it_is_held_until_it_ends() {
        let asked = Instant::now();
        let ends = asked + LENGTH / 2;
        let before = ends.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(judge(None, asked, before, ends), (Lease::Held, ends));
        assert_eq!(judge(None, asked, ends, ends), (Lease::Lapsed, ends));
        // Nobody took it meanwhile.
        assert_eq!(judge(Some(true), asked + LENGTH, asked + LENGTH, ends).0, Lease::Held);
    }

    #[test]
    fn what_another_has_is_not_renewed() {
        let asked = Instant::now();
        assert_eq!(judge(Some(false), asked, asked, asked + LENGTH).0, Lease::Elsewhere);
    }

    #[test]
    fn the_statements_say_how_long_it_is() {
        let length = format!("interval '{} seconds'", LENGTH.as_secs());
        assert!(TAKE.contains(&length) && RENEW.contains(&length));
    }
}
