//! The one who writes: ends of attempts into the journal, the journal into balances. Runs on a thread of its own (`writer.rs`),
//! and does each step when told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::StoreError;
use crate::balance::{AbandonedCharge, Began, Page, Voided};
use crate::balances::Balances;
use crate::fold::{Attempts, Change};
use crate::folder::{self, Folder};
use crate::journal::segment::Segment;
use crate::journal::told::Told;
use crate::journal::{AttemptId, Closed, FileJournal, record};

/// A segment that is larger is folded at once.
const MAX_SEGMENT: u64 = 8 << 20;
/// So many ends are written at a time: whoever opens an attempt waits for them.
const BATCH: usize = 256;

/// Writes, syncs and folds.
#[derive(Debug)]
pub(crate) struct Bookkeeper {
    folder: Folder,
    balances: Box<dyn Balances>,
    journal: Arc<FileJournal>,
    /// What is known of attempts, as far as the journal is folded.
    attempts: Attempts,
    /// Ends that are not written yet.
    batch: Vec<Closed>,
    /// Segments that nobody appends to any more.
    waiting: VecDeque<Waiting>,
    /// The segment, and up to where it is durable.
    synced: (u64, u64),
    /// Whether a segment was begun whose name is not durable yet.
    has_new_name: bool,
}

/// A segment that waits to be folded.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    number: u64,
    /// Up to the end of its last record.
    bytes: u64,
}

impl Bookkeeper {
    pub(crate) fn new(folder: Folder, balances: Box<dyn Balances>, segment: Segment, attempts: Attempts) -> Self {
        let synced = (segment.number(), 0);
        let journal = Arc::new(FileJournal::new(segment));
        let (batch, waiting) = (Vec::new(), VecDeque::new());
        Self { folder, balances, journal, attempts, batch, waiting, synced, has_new_name: true }
    }

    pub(crate) fn journal(&self) -> &Arc<FileJournal> {
        &self.journal
    }

    /// Whether there is nothing to do until something is opened.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.journal.is_quiet() && self.journal.segment().bytes() == 0
    }

    /// Whether the segment is as large as it should become.
    pub(crate) fn is_segment_full(&self) -> bool {
        self.journal.segment().bytes() >= MAX_SEGMENT
    }

    /// Writes the ends that are queued. Those that cannot be written stay queued.
    pub(crate) fn write_closes(&mut self) -> Result<(), StoreError> {
        self.journal.take_closes(&mut self.batch);
        let mut buffer = Vec::new();
        while !self.batch.is_empty() {
            let count = self.batch.len().min(BATCH);
            buffer.clear();
            let written =
                self.batch.iter().take(count).try_for_each(|closed| record::write_closed(&mut buffer, closed));
            let mut segment = self.journal.segment();
            let written = written.and_then(|()| segment.append(&mut buffer));
            let path = folder::segment(self.folder.path(), segment.number());
            drop(segment);
            written.map_err(StoreError::file("written", &path))?;
            self.batch.drain(..count);
            self.journal.counts.closes_written.fetch_add(count as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write_last_closes(&mut self) -> Result<(), StoreError> {
        loop {
            self.write_closes()?;
            if self.journal.has_no_closes() {
                return Ok(());
            }
        }
    }

    /// Begins another segment if the present one is torn.
    pub(crate) fn mend(&mut self) -> Result<(), StoreError> {
        let is_torn = self.journal.segment().is_torn();
        if is_torn { self.rotate() } else { Ok(()) }
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        let (file, place) = {
            let segment = self.journal.segment();
            (Arc::clone(segment.file()), (segment.number(), segment.bytes()))
        };
        if place != self.synced {
            let path = folder::segment(self.folder.path(), place.0);
            file.sync_data().map_err(StoreError::file("synced", &path))?;
            self.synced = place;
        }
        if self.has_new_name {
            self.folder.sync().map_err(StoreError::file("synced", self.folder.path()))?;
            self.has_new_name = false;
        }
        Ok(())
    }

    /// Folds what is in the journal into the balances. While an earlier segment could not be folded, the present one goes on
    /// until it is full.
    pub(crate) fn fold(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() || self.is_segment_full() {
            self.rotate()?;
        }
        self.fold_waiting()
    }

    /// Writes what is queued, and folds all.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        self.write_closes()?;
        self.rotate()?;
        self.fold_waiting()
    }

    /// Does the same for the last time. Nothing can be opened any more, so the ends that are still to come are few; those that
    /// come while others are written are written too.
    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        self.journal.open_no_more();
        let written = self.write_last_closes();
        let last = {
            let mut segment = self.journal.segment();
            segment.close();
            Waiting { number: segment.number(), bytes: segment.bytes() }
        };
        let synced = self.sync();
        self.wait_for(last);
        written.and(synced).and(self.fold_waiting())
    }

    /// Keeps how the windows of budgets follow each other.
    pub(crate) fn adopt(&mut self, budgets: &[Began]) -> Result<(), StoreError> {
        // Attempts that are open by now belong to the windows as they were.
        self.flush()?;
        let detached = self.balances.adopt(budgets, &self.attempts)?;
        self.attempts.replace(detached);
        Ok(())
    }

    pub(crate) fn abandoned(&mut self, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
        self.balances.abandoned(page)
    }

    pub(crate) fn void(&mut self, attempt: AttemptId, at_ms: u64) -> Result<Option<Voided>, StoreError> {
        self.flush()?;
        self.balances.void(attempt, at_ms)
    }

    /// Begins another segment, unless there is nothing in the present one.
    fn rotate(&mut self) -> Result<(), StoreError> {
        let number = {
            let segment = self.journal.segment();
            if segment.bytes() == 0 && !segment.is_torn() {
                return Ok(());
            }
            segment.number()
        };
        let next = Segment::create(self.folder.path(), number + 1)?;
        self.has_new_name = true;
        let old = std::mem::replace(&mut *self.journal.segment(), next);
        self.wait_for(Waiting { number, bytes: old.bytes() });
        // Should that fail, folding makes it durable yet.
        if self.synced != (number, old.bytes())
            && let Err(error) = old.file().sync_data()
        {
            let path = folder::segment(self.folder.path(), number);
            self.journal.counts.sync_failures.fetch_add(1, Ordering::Relaxed);
            self.journal.note(StoreError::file("synced", &path)(error).to_string());
        }
        self.synced = (number + 1, 0);
        Ok(())
    }

    fn wait_for(&mut self, segment: Waiting) {
        self.waiting.push_back(segment);
        self.journal.counts.segments_waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
    }

    fn fold_waiting(&mut self) -> Result<(), StoreError> {
        while let Some(segment) = self.waiting.front().copied() {
            self.fold_one(segment)?;
            self.waiting.pop_front();
            self.journal.counts.segments_waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    fn fold_one(&mut self, Waiting { number, bytes }: Waiting) -> Result<(), StoreError> {
        let path = folder::segment(self.folder.path(), number);
        let Some(told) = Told::read(self.folder.path(), number, bytes)? else {
            self.journal.note(format!("{} is gone, and what was in it is lost", path.display()));
            return Ok(());
        };
        let mut change = Change::up_to(number);
        let rest = change.add_all(&self.attempts, &told);
        if let Some(trouble) = told.set_aside(rest, self.folder.path())? {
            self.journal.note(trouble);
            self.journal.counts.bytes_set_aside.fetch_add(rest.len() as u64, Ordering::Relaxed);
        }
        self.balances.fold(&change)?;
        self.count(&change);
        let carried_over = change.carried_over();
        self.attempts.apply(carried_over);
        // Should it stay, the next process deletes it: the balances say that it is folded.
        if let Err(error) = std::fs::remove_file(&path) {
            self.journal.note(StoreError::file("removed", &path)(error).to_string());
        }
        Ok(())
    }

    fn count(&self, change: &Change<'_>) {
        let counts = &self.journal.counts;
        let add = |count: &AtomicU64, number: u64| count.fetch_add(number, Ordering::Relaxed);
        add(&counts.folds, 1);
        add(&counts.strays, change.strays);
        counts.last_fold_ms.fetch_max(change.newest_ms, Ordering::Relaxed);
    }
}

impl Drop for Bookkeeper {
    /// What nobody would fold must not be written.
    fn drop(&mut self) {
        self.journal.segment().close();
    }
}
