//! The process's life: ready or not, how many requests are in flight, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::control::Bookkeeping;
use parking_lot::Mutex;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch, ShutdownWatch};
use pingora::services::background::BackgroundService;
use store::{AttemptId, Began, Content, Lease, Store, StoreError, Trimming, Voided};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::telemetry::Telemetry;

/// Whether requests are taken, and how many are being served.
#[derive(Debug, Default)]
pub(crate) struct Life {
    ready: AtomicBool,
    is_cut_off: AtomicBool,
    is_stuck: AtomicBool,
    is_second: AtomicBool,
    has_lapsed: AtomicBool,
    in_flight: AtomicU64,
    idle: Notify,
}

/// One request being served.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Life>);

impl Life {
    /// Whether requests are taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Requests are taken from now on, or no longer.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// The store cannot be reached, or it can again.
    pub(crate) fn set_cut_off(&self, is_cut_off: bool) {
        self.is_cut_off.store(is_cut_off, Ordering::Release);
    }

    /// What others have changed in the store cannot be put in force, or it can again.
    pub(crate) fn set_stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Release);
    }

    /// Whether this gateway may take calls under hard budgets.
    fn set_lease(&self, lease: Lease) {
        self.is_second.store(lease == Lease::Elsewhere, Ordering::Release);
        self.has_lapsed.store(lease == Lease::Lapsed, Ordering::Release);
    }

    /// What is not as it should be, though calls are taken.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        if self.has_lapsed.load(Ordering::Acquire) {
            Some(
                "the store cannot be reached; calls under hard budgets are refused, others go on with the policy as it is",
            )
        } else if self.is_cut_off.load(Ordering::Acquire) {
            Some("the store cannot be reached; calls go on with the policy as it is")
        } else if self.is_stuck.load(Ordering::Acquire) {
            Some(
                "what was changed in the store cannot be put in force (the log says why); keys that were deleted or revoked open nothing, \
                 nor do those that cannot be read, and other calls go on with the policy as it was",
            )
        } else if self.is_second.load(Ordering::Acquire) {
            Some("another gateway on the same database takes the calls under hard budgets; this one refuses them")
        } else {
            None
        }
    }

    /// How many requests are being served.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// A request begins.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(self))
    }

    /// Waits until no request is being served.
    async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// Turns SIGTERM and SIGINT into an orderly end: unready at once, then no more connections, then the rest is served.
pub(crate) struct Signals {
    pub(crate) life: Arc<Life>,
    /// How long connections are still accepted after the process became unready, so that balancers can notice.
    pub(crate) delay: Duration,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("signals cannot be listened to; shutting down");
            return ShutdownSignal::FastShutdown;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        self.life.set_ready(false);
        tracing::info!(in_flight = self.life.in_flight(), "shutting down");
        tokio::time::sleep(self.delay).await;
        ShutdownSignal::GracefulTerminate
    }
}

/// Ends the process as soon as nothing is in flight; Pingora itself would sleep the whole grace period.
pub(crate) struct Drainer {
    pub(crate) life: Arc<Life>,
    pub(crate) ending: Arc<Ending>,
}

#[async_trait]
impl BackgroundService for Drainer {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        if shutdown.wait_for(|is_over| *is_over).await.is_err() {
            return;
        }
        loop {
            self.life.until_idle().await;
            // The last answer's bytes are written; what is left is closing its connection. A stream that a client had opened on
            // an HTTP/2 connection by then is served too.
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.life.in_flight() == 0 {
                self.ending.end();
            }
        }
    }
}

impl Bookkeeping for Ending {
    fn adopt(&self, budgets: &[Began]) -> Result<(), StoreError> {
        self.with_store(|store| store.adopt(budgets)).inspect_err(|error| {
            let budgets = budgets.len();
            tracing::error!(budgets, "ledger: the beginning of new budgets could not be written down: {error}");
        })
    }

    fn forgive(&self, budget: &str, start_ms: u64, nano: u64) -> Result<(), StoreError> {
        self.with_store(|store| store.forgive(budget, start_ms, nano))
    }

    fn void(&self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError> {
        self.with_store(|store| store.void(attempt, at_ms))
    }
}

/// What must be done before the process ends.
#[derive(Debug)]
pub(crate) struct Ending {
    telemetry: Arc<Telemetry>,
    store: Mutex<Option<Store>>,
}

impl Ending {
    pub(crate) fn new(telemetry: Arc<Telemetry>, store: Store) -> Self {
        Self { telemetry, store: Mutex::new(Some(store)) }
    }

    /// What went wrong with what is kept since this was last asked.
    fn trouble(&self) -> Vec<String> {
        self.store.lock().as_ref().map(Store::trouble).unwrap_or_default()
    }

    /// Whether this gateway may take calls under hard budgets.
    fn lease(&self) -> Lease {
        self.store.lock().as_ref().map_or(Lease::Held, Store::lease)
    }

    /// Keeps what was said in calls.
    pub(crate) fn keep_contents(&self, contents: Vec<Content>) -> Result<(), StoreError> {
        self.with_store(|store| store.keep_contents(contents))
    }

    /// Removes a little of the request log that is to go; `false`: there is nothing more.
    pub(crate) fn trim_logs_on(&self, trimming: &mut Trimming) -> Result<bool, StoreError> {
        self.with_store(|store| store.trim_logs_on(trimming))
    }

    /// Has the store do something, unless it is closed.
    fn with_store<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.store.lock().as_ref().map_or(Err(StoreError::Closed), work)
    }

    /// Ends the process; nothing that was logged or charged is lost.
    pub(crate) fn end(&self) -> ! {
        self.telemetry.access.flush();
        self.telemetry.contents.write(|batch| self.keep_contents(batch));
        // Whoever comes second waits here until the first one is through, which ends both.
        let mut store = self.store.lock();
        if let Some(Err(error)) = store.take().map(Store::close) {
            tracing::error!("the ledger could not be folded; the next start reads it from the journal: {error}");
        }
        tracing::info!("stopped");
        std::process::exit(0)
    }
}

/// Tells what goes wrong with what is kept.
pub(crate) struct StoreWatch(pub(crate) Arc<Ending>, pub(crate) Arc<Life>);

#[async_trait]
impl BackgroundService for StoreWatch {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            self.1.set_lease(self.0.lease());
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = shutdown.changed() => {}
            }
            for trouble in self.0.trouble() {
                tracing::error!("ledger: {trouble}");
            }
        }
    }
}
