//! What is counted besides the accounts, and what all holds share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use policy::usage::UsageSource;
use store::{AttemptId, Journal, Lease};

use super::next;

/// Counts since the process began.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) clamped: AtomicU64,
    pub(crate) exceeded: AtomicU64,
    pub(crate) unwritten: AtomicU64,
    pub(crate) abandoned_nano: AtomicU64,
    pub(crate) unsettled: AtomicU64,
    /// Written by each call, so not beside what each call reads.
    settled: CachePadded<[AtomicU64; 4]>,
}

impl Counts {
    /// Attempts whose output limit was lowered to what a budget affords.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.clamped.load(Ordering::Relaxed)
    }

    /// Attempts that cost more than they had reserved.
    #[must_use]
    pub fn exceeded(&self) -> u64 {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Attempts that could not be written down before they were sent.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// What attempts were charged whose end nobody saw, in nano-dollars.
    #[must_use]
    pub fn abandoned_nano(&self) -> u64 {
        self.abandoned_nano.load(Ordering::Relaxed)
    }

    /// Attempts of which nobody said how they ended, as after a panic; they are among those charged as abandoned.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// Attempts that were charged, by who says how much was used.
    #[must_use]
    pub fn settled(&self, source: UsageSource) -> u64 {
        self.settled.get(source as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn note_settled(&self, source: UsageSource) {
        if let Some(count) = self.settled.get(source as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What all holds share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) journal: Option<Arc<dyn Journal>>,
    pub(crate) counts: Counts,
    run: u64,
    attempts: CachePadded<AtomicU64>,
}

impl Shared {
    pub(super) fn new(journal: Option<Arc<dyn Journal>>, run: u64) -> Self {
        Self { journal, counts: Counts::default(), run, attempts: CachePadded::new(AtomicU64::new(1)) }
    }

    /// Why hard budgets cannot be kept from memory alone; `None`: they can.
    pub(crate) fn not_alone(&self) -> Option<Lease> {
        self.journal.as_ref().map(|journal| journal.lease()).filter(|lease| *lease != Lease::Held)
    }

    pub(crate) fn next_attempt(&self) -> AttemptId {
        AttemptId { run: self.run, number: next(&self.attempts) }
    }
}
