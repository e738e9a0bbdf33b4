//! The store as its users see it.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::balance::{AbandonedCharge, Began, BudgetState, Page, SliceState, Voided};
use crate::balances::Balances;
use crate::bookkeeper::Bookkeeper;
use crate::config::{Config, Database};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::journal::{AttemptId, FileJournal};
use crate::lease::{Lease, LeaseNow};
use crate::postgres::Postgres;
use crate::recovery::recover;
use crate::sqlite::Sqlite;
use crate::writer::{self, Wish};

/// What is kept: journal and balances in one data folder, which no other process uses at the same time.
#[derive(Debug)]
pub struct Store {
    journal: Arc<FileJournal>,
    lease: LeaseNow,
    /// `None` once it is closed.
    wishes: Option<Sender<Wish>>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
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
    /// Whether this process may go by its own memory alone.
    pub lease: Lease,
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
    /// Opens what is kept; a folder alone says that all of it is there. The folder is made if need be. A server is waited for: not to
    /// be called where asynchronous tasks are driven. Attempts that were open when the last process ended are
    /// charged in full.
    ///
    /// # Errors
    /// When another process uses the folder, the database cannot be reached or was made by a newer gateway, or something cannot be
    /// read or written.
    pub fn open(config: impl Into<Config>, now_ms: u64) -> Result<(Self, State), StoreError> {
        Self::open_for(config, now_ms, true)
    }

    /// The same. If calls are not logged, those that the last process left are no rows of the request log.
    ///
    /// # Errors
    /// The same.
    pub fn open_for(config: impl Into<Config>, now_ms: u64, are_logged: bool) -> Result<(Self, State), StoreError> {
        let Config { folder, database } = config.into();
        let folder = Folder::take(&folder)?;
        let balances: Box<dyn Balances> = match database {
            Database::Sqlite { path } => Box::new(Sqlite::open_for(&folder, &path)?),
            Database::Postgres(server) => Box::new(Postgres::open(&server, &folder)?),
        };
        let lease = balances.lease();
        let (bookkeeper, state) = recover(folder, balances, now_ms, are_logged)?;
        let journal = Arc::clone(bookkeeper.journal());
        journal.lease.get_or_init(|| lease.clone());
        let (wishes, to_do) = mpsc::channel();
        let writer = thread::Builder::new().name("ledger".to_owned()).spawn(move || writer::run(bookkeeper, &to_do));
        let writer = writer.map_err(StoreError::Thread)?;
        Ok((Self { journal, lease, wishes: Some(wishes), writer: Some(writer) }, state))
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> Arc<FileJournal> {
        Arc::clone(&self.journal)
    }

    /// Whether this gateway may go by its own memory alone, as it is now. It reads one number: it may be asked for each call.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.get()
    }

    /// Whether no other gateway on the same database may go by its own memory alone.
    #[must_use]
    pub fn is_only_node(&self) -> bool {
        self.lease() == Lease::Held
    }

    /// Remembers when budgets began. One whose windows are what they were keeps its beginning; one whose windows changed
    /// begins anew, and keeps its total: what is in flight then is charged to that alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn adopt(&self, budgets: &[Began]) -> Result<(), StoreError> {
        if budgets.is_empty() {
            return Ok(());
        }
        let budgets = budgets.to_vec();
        self.ask(move |bookkeeper| bookkeeper.adopt(&budgets))
    }

    /// The attempts that were charged as abandoned, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn abandoned(&self, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
        self.ask(move |bookkeeper| bookkeeper.abandoned(page))
    }

    /// Takes the charge of an abandoned attempt back, once. `None`: it is not one, or was taken back before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was taken back.
    pub fn void(&self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError> {
        self.ask(move |bookkeeper| bookkeeper.void(attempt, at_ms))
    }

    /// Counts as not spent what was spent of a budget in the window that began then. What was spent in all stands.
    ///
    /// # Errors
    /// When it cannot be written; then it counts as it did.
    pub fn forgive(&self, budget: &str, start_ms: u64, nano: u64) -> Result<(), StoreError> {
        let budget = budget.to_owned();
        self.ask(move |bookkeeper| bookkeeper.forgive(&budget, start_ms, nano))
    }

    /// Writes what is queued, and folds all of the journal into the balances.
    ///
    /// # Errors
    /// When it cannot be written; nothing is lost by that.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.ask(Bookkeeper::flush)
    }

    /// What went wrong since this was last asked, a line each. Nothing was lost by it, unless a line says so.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        self.journal.take_trouble()
    }

    /// Writes what is queued, folds and ends. From here on nothing can be opened.
    ///
    /// # Errors
    /// When it cannot be written; the next process finds it in the journal.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end()
    }

    /// Has the writer do something, and waits for what comes of it.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Bookkeeper) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let wish: Wish = Box::new(move |bookkeeper| drop(reply.send(work(bookkeeper))));
        let wishes = self.wishes.as_ref().ok_or(StoreError::Closed)?;
        wishes.send(wish).map_err(|_| StoreError::Closed)?;
        self.journal.bell.ring();
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    fn end(&mut self) -> Result<(), StoreError> {
        drop(self.wishes.take());
        self.journal.bell.ring();
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            Some(Err(_)) => Err(StoreError::Closed),
            None => Ok(()),
        }
    }
}

impl Drop for Store {
    /// The same as closing it, for those who do not want to know.
    fn drop(&mut self) {
        drop(self.end());
    }
}
