//! Keeps the request log as short as the configuration says. What is too old or too much goes in small steps, between which
//! the ledger's writer does its own work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::clock::Clock;
use engine::live::Live;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use policy::declare::LogsStoreShape;
use store::{Retention, StoreError, Trimmed, Trimming};

use crate::life::Ending;
use crate::telemetry::metrics::Metrics;

/// How soon a setting that was changed is heeded.
const LOOK: Duration = Duration::from_secs(1);
/// How long a log that was trimmed is left alone, in milliseconds.
const PAUSE_MS: u64 = 60_000;
/// Between two steps.
const REST: Duration = Duration::from_millis(10);
/// For how long rows are kept where nothing is said.
const DAYS: u32 = 365;
const DAY_MS: u64 = 86_400_000;

/// Removes what is too old or too much.
pub(crate) struct LogKeeper {
    days: Option<u32>,
    bytes: Option<u64>,
    ending: Arc<Ending>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl LogKeeper {
    pub(crate) fn new(
        said: &LogsStoreShape,
        ending: Arc<Ending>,
        live: Arc<Live>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        Self { days: said.retention_days, bytes: said.max_bytes, ending, live, metrics, clock }
    }

    fn retention(&self) -> Retention {
        retention(self.live.logging().retention_days, self.days, self.bytes)
    }

    /// Removes what is to go now, until it is gone or the process ends.
    async fn trim(&self, trimming: Trimming, shutdown: &mut ShutdownWatch) -> (Trimmed, Result<(), StoreError>) {
        let mut trimmed = Trimmed::default();
        let mut left = Some(trimming);
        while let Some(mut trimming) = left.take().filter(|_| !*shutdown.borrow()) {
            let ending = Arc::clone(&self.ending);
            let step = tokio::task::spawn_blocking(move || (ending.trim_logs_on(&mut trimming), trimming));
            let Ok((has_more, so_far)) = step.await else { break };
            trimmed = so_far.trimmed();
            match has_more {
                Ok(has_more) => left = has_more.then_some(so_far),
                Err(error) => return (trimmed, Err(error)),
            }
            rest(REST, shutdown).await;
        }
        (trimmed, Ok(()))
    }

    fn tell(&self, trimmed: Trimmed) {
        self.metrics.log_rows_removed.inc_by(trimmed.rows);
        if trimmed.rows > 0 {
            tracing::info!(rows = trimmed.rows, "rows of the request log were too old or too many, and were removed");
        }
    }
}

#[async_trait]
impl BackgroundService for LogKeeper {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let (mut last, mut told) = (None, String::new());
        while !*shutdown.borrow() {
            let (retention, now) = (self.retention(), self.clock.now());
            let is_due = |(before, at_ms): (Retention, u64)| before != retention || now.mono_ms >= at_ms + PAUSE_MS;
            if last.is_none_or(is_due) {
                last = Some((retention, now.mono_ms));
                let (trimmed, done) = self.trim(retention.begin(now.wall_ms), &mut shutdown).await;
                self.tell(trimmed);
                told = trouble(done, &told);
            }
            rest(LOOK, &mut shutdown).await;
        }
    }
}

/// Tells what went wrong, unless that was told before; and gives what was.
fn trouble(done: Result<(), StoreError>, told: &str) -> String {
    let text = match done {
        // The process ends.
        Ok(()) | Err(StoreError::Closed) => return String::new(),
        Err(error) => error.to_string(),
    };
    if text != told {
        tracing::error!("the request log cannot be trimmed: {text}");
    }
    text
}

async fn rest(time: Duration, shutdown: &mut ShutdownWatch) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        _ = shutdown.changed() => {}
    }
}

/// Of what the two sections say the shorter counts.
fn retention(of_client: Option<u32>, of_store: Option<u32>, bytes: Option<u64>) -> Retention {
    let days = of_client.into_iter().chain(of_store).min().unwrap_or(DAYS);
    Retention { age_ms: Some(u64::from(days) * DAY_MS), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_time_counts_and_a_year_where_nothing_is_said() {
        let days = |client, store| retention(client, store, None).age_ms.unwrap() / DAY_MS;
        assert_eq!([days(None, None), days(Some(400), None), days(None, Some(730))], [365, 400, 730]);
        assert_eq!([days(Some(30), Some(7)), days(Some(1), Some(7))], [7, 1]);
        assert_eq!(retention(None, None, Some(5)).bytes, Some(5));
    }
}
