//! How many retries a provider's first attempts pay for, so that an outage is not multiplied.

use std::sync::atomic::{AtomicU32, Ordering};

/// First attempts to each retry: retries are at most a fifth of them.
const PRICE: u32 = 5;

/// What can be saved up: ten retries. A provider that is seldom called may retry at once.
const FULL: u32 = 10 * PRICE;

/// The first attempts that have not been spent on retries yet.
#[derive(Debug)]
pub(super) struct RetryBudget {
    saved: AtomicU32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { saved: AtomicU32::new(FULL) }
    }
}

impl RetryBudget {
    /// One first attempt was made.
    pub(super) fn earn(&self) {
        let one_more = |saved: u32| (saved < FULL).then_some(saved + 1);
        // Full is as good as counted.
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
    }

    /// Spends one retry, if there is one.
    pub(super) fn take(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(PRICE);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}
