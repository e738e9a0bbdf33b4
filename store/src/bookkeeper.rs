//! The one who writes: ends of attempts into the journal, the journal into balances. Runs on a thread of its own (`writer.rs`),
//! and does each step when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::StoreError;
use crate::balance::{AbandonedCharge, Began, Page, Voided};
use crate::balances::Balances;
use crate::fold::{Attempts, Change};
use crate::folder;
use crate::journal::told::Told;
use crate::journal::{AttemptId, FileJournal};
use crate::logs::Trim;
use crate::pen::{NAPS_TO_SYNC, Pen, Waiting};

/// Writes, syncs and folds.
#[derive(Debug)]
pub(crate) struct Bookkeeper {
    pen: Pen,
    balances: Box<dyn Balances>,
    /// What is known of attempts, as far as the journal is folded.
    attempts: Attempts,
}

impl Bookkeeper {
    pub(crate) fn new(pen: Pen, balances: Box<dyn Balances>, attempts: Attempts) -> Self {
        Self { pen, balances, attempts }
    }

    pub(crate) fn pen(&mut self) -> &mut Pen {
        &mut self.pen
    }

    pub(crate) fn journal(&self) -> &Arc<FileJournal> {
        self.pen.journal()
    }

    /// Whether there is nothing to do until something is opened.
    pub(crate) fn is_idle(&self) -> bool {
        self.pen.is_idle()
    }

    /// Folds what is in the journal into the balances. While an earlier segment could not be folded, the present one goes on
    /// until it is full.
    pub(crate) fn fold(&mut self) -> Result<(), StoreError> {
        if self.pen.next_to_fold().is_none() || self.pen.is_segment_full() {
            self.pen.rotate()?;
        }
        self.fold_waiting()
    }

    /// Writes what is queued, and folds all.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        self.pen.write_ends()?;
        self.pen.rotate()?;
        self.fold_waiting()
    }

    /// Does the same for the last time. Nothing can be opened any more, so the ends that are still to come are few; those that
    /// come while others are written are written too.
    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        self.journal().open_no_more();
        let written = self.pen.write_last_ends();
        let ended = self.pen.end();
        // Another gateway may go by its own memory only when the database knows all that this one spent.
        let folded = self.fold_waiting().and_then(|()| self.balances.end_run());
        written.and(ended).and(folded)
    }

    /// Keeps how the windows of budgets follow each other.
    pub(crate) fn adopt(&mut self, budgets: &[Began]) -> Result<(), StoreError> {
        // Attempts that are open by now belong to the windows as they were.
        self.flush()?;
        let detached = self.balances.adopt(budgets, &self.attempts, &mut going_on(&mut self.pen))?;
        self.attempts.replace(detached);
        Ok(())
    }

    pub(crate) fn abandoned(&mut self, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
        self.balances.abandoned(page, &mut going_on(&mut self.pen))
    }

    pub(crate) fn void(&mut self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError> {
        self.flush()?;
        self.balances.void(attempt, at_ms, &mut going_on(&mut self.pen))
    }

    pub(crate) fn forgive(&mut self, id: &str, start_ms: u64, nano: u64) -> Result<(), StoreError> {
        // What was charged must be there before it can be counted as not spent.
        self.flush()?;
        self.balances.forgive(id, start_ms, nano, &mut going_on(&mut self.pen))
    }

    /// Removes a few of the oldest rows of the request log that are to go.
    pub(crate) fn trim_logs(&mut self, trim: Trim) -> Result<u64, StoreError> {
        self.balances.trim_logs(trim, &mut going_on(&mut self.pen))
    }

    fn fold_waiting(&mut self) -> Result<(), StoreError> {
        while let Some(segment) = self.pen.next_to_fold() {
            self.fold_one(segment)?;
            self.pen.is_folded();
        }
        Ok(())
    }

    fn fold_one(&mut self, Waiting { number, bytes }: Waiting) -> Result<(), StoreError> {
        let folder = self.pen.folder().path();
        let path = folder::segment(folder, number);
        let Some(told) = Told::read(folder, number, bytes)? else {
            self.journal().note(format!("{} is gone, and what was in it is lost", path.display()));
            return Ok(());
        };
        let mut change = Change::up_to(number);
        let rest = change.add_all(&self.attempts, &told);
        if let Some(trouble) = told.set_aside(rest, folder)? {
            self.journal().note(trouble);
            self.journal().counts.bytes_set_aside.fetch_add(rest.len() as u64, Ordering::Relaxed);
        }
        self.balances.fold(&change, &mut going_on(&mut self.pen))?;
        self.count(&change);
        let carried_over = change.carried_over();
        self.attempts.apply(carried_over);
        // Should it stay, the next process deletes it: the balances say that it is folded.
        if let Err(error) = std::fs::remove_file(&path) {
            self.journal().note(StoreError::file("removed", &path)(error).to_string());
        }
        Ok(())
    }

    fn count(&self, change: &Change<'_>) {
        let counts = &self.journal().counts;
        let add = |count: &AtomicU64, number: u64| count.fetch_add(number, Ordering::Relaxed);
        add(&counts.folds, 1);
        add(&counts.strays, change.strays);
        counts.last_fold_ms.fetch_max(change.newest_ms, Ordering::Relaxed);
    }
}

impl Drop for Bookkeeper {
    /// What nobody would fold must not be written.
    fn drop(&mut self) {
        self.journal().segment().close();
    }
}

/// What the pen does each time that a nap of a database's client is over.
fn going_on(pen: &mut Pen) -> impl FnMut() + '_ {
    let mut naps = 0_u64;
    move || {
        naps += 1;
        pen.go_on(naps.is_multiple_of(NAPS_TO_SYNC));
    }
}
