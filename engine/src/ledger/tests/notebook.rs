//! A journal that keeps what it is told; its disk is full, and its lease over, when the test says so.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use store::{AttemptId, Called, Closed, Journal, JournalError, Kind, Lease, Opened, Outcome};

/// What was written, in order.
#[derive(Debug, Default)]
pub(crate) struct Notebook {
    is_full: AtomicBool,
    has_lapsed: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Opened { attempt: AttemptId, at_ms: u64, key: String, entries: Vec<(Kind, String, u64, u64, u64)> },
    Closed { attempt: AttemptId, outcome: Outcome },
}

impl Notebook {
    /// From now on nothing can be opened, or everything can.
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// From now on another gateway may keep hard budgets.
    pub(crate) fn lapse(&self) {
        self.has_lapsed.store(true, Ordering::Relaxed);
    }

    /// What was written since it was last asked.
    pub(crate) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut self.notes.lock())
    }
}

impl Journal for Notebook {
    fn lease(&self) -> Lease {
        if self.has_lapsed.load(Ordering::Relaxed) { Lease::Lapsed } else { Lease::Held }
    }

    fn open(&self, opened: &Opened<'_>) -> Result<(), JournalError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
        }
        let entry = |one: &store::Entry<'_>| (one.kind, one.id.to_owned(), one.start_ms, one.length_ms, one.amount);
        let mut entries: Vec<_> = opened.entries.iter().map(entry).collect();
        entries.sort();
        let Opened { attempt, at_ms, key, .. } = *opened;
        self.notes.lock().push(Note::Opened { attempt, at_ms, key: key.to_owned(), entries });
        Ok(())
    }

    fn close(&self, closed: Closed) {
        let Closed { attempt, outcome, .. } = closed;
        self.notes.lock().push(Note::Closed { attempt, outcome });
    }

    fn called(&self, _: &Called<'_>) {}
}
