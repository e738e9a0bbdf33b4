//! The journal in files.

use super::{Closed, Journal, JournalError, Opened};

/// The journal in the files of a data folder.
#[derive(Debug)]
pub struct FileJournal {}

/// Counts since the process began, and what stands at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Attempts that were written down.
    pub opens: u64,
    /// Attempts that could not be.
    pub failures: u64,
    /// Ends of attempts that wait to be written.
    pub closes_waiting: u64,
    /// Ends of attempts that were not open: their first end counts.
    pub strays: u64,
    /// The size of the file under way.
    pub segment_bytes: u64,
    /// Files that wait to be folded.
    pub segments_waiting: u64,
    /// Folds that were made.
    pub folds: u64,
    /// Folds that failed and were, or will be, tried again.
    pub fold_failures: u64,
    /// Syncs that failed and were, or will be, tried again.
    pub sync_failures: u64,
    /// Bytes that no record was found in, and that were set aside.
    pub bytes_set_aside: u64,
    /// The time of the newest record in the balances, in milliseconds since 1970; 0: nothing was folded yet.
    pub last_fold_ms: u64,
}

impl FileJournal {
    /// How it does.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}

impl Journal for FileJournal {
    fn open(&self, _opened: &Opened<'_>) -> Result<(), JournalError> {
        Ok(())
    }

    fn close(&self, _closed: Closed) {}
}
