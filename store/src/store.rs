//! The store as its users see it.

use std::path::Path;
use std::sync::Arc;

use crate::balance::{AbandonedCharge, Began, BudgetState, Page, SliceState, Voided};
use crate::error::StoreError;
use crate::journal::{AttemptId, FileJournal};

/// What is kept: journal and balances in one data folder, which no other process uses at the same time.
#[derive(Debug)]
pub struct Store {
    journal: Arc<FileJournal>,
}

/// What was known when the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The number of this process: unique, and greater than that of every earlier one.
    pub run: u64,
    /// Every budget that anything was charged to, or that began.
    pub budgets: Vec<BudgetState>,
    /// The slices of rate limits that may still count.
    pub slices: Vec<SliceState>,
    /// What was charged just now because nobody saw the end of it.
    pub abandoned: Abandoned,
    /// What was wrong with the files, a line each.
    pub trouble: Vec<String>,
}

/// Attempts that were in flight when the last process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// How many.
    pub attempts: u64,
    /// What they were charged, in nano-dollars.
    pub nano: u64,
}

impl Store {
    /// Opens what is kept in a folder, which is made if need be. Attempts that were open when the last process ended are
    /// charged in full.
    ///
    /// # Errors
    /// When another process uses the folder, or something cannot be read or written.
    pub fn open(_folder: &Path, _now_ms: u64) -> Result<(Self, State), StoreError> {
        Ok((Self { journal: Arc::new(FileJournal {}) }, State::default()))
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> Arc<FileJournal> {
        Arc::clone(&self.journal)
    }

    /// Remembers when budgets began. One whose windows are what they were keeps its beginning; one whose windows changed
    /// begins anew, and keeps its total.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn adopt(&self, _budgets: &[Began]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The attempts that were charged as abandoned, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn abandoned(&self, _page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
        Ok(Vec::new())
    }

    /// Takes the charge of an abandoned attempt back, once. `None`: it is not one, or was taken back before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    pub fn void(&self, _attempt: AttemptId, _at_ms: u64) -> Result<Option<Voided>, StoreError> {
        Ok(None)
    }

    /// Writes what is queued, and folds all of the journal into the balances.
    ///
    /// # Errors
    /// When it cannot be written; nothing is lost by that.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What went wrong since this was last asked, a line each. Nothing of it was lost, unless a line says so.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes what is queued, folds and ends. From here on nothing can be opened.
    ///
    /// # Errors
    /// When it cannot be written; the next process finds it in the journal.
    pub fn close(self) -> Result<(), StoreError> {
        Ok(())
    }
}
