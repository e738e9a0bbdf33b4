//! The journal's files, as the one who writes them has them: ends of attempts are written, what is written becomes durable, and
//! segments follow each other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::StoreError;
use crate::folder::{self, Folder};
use crate::journal::segment::Segment;
use crate::journal::{Closed, FileJournal, record};

/// A segment that is larger is folded at once.
const MAX_SEGMENT: u64 = 8 << 20;
/// So many ends are written at a time: whoever opens an attempt waits for them.
const BATCH: usize = 256;
/// And so many bytes of calls.
const CALL_BYTES: usize = 32 << 10;
/// What is written becomes durable after so many naps of 5 ms: less than 200 ms, with what they take longer.
pub(crate) const NAPS_TO_SYNC: u64 = 36;

/// Writes and syncs the journal.
#[derive(Debug)]
pub(crate) struct Pen {
    folder: Folder,
    journal: Arc<FileJournal>,
    /// Ends that are not written yet.
    batch: Vec<Closed>,
    /// Calls that are not written yet.
    calls: Vec<u8>,
    /// Segments that nobody appends to any more.
    waiting: VecDeque<Waiting>,
    /// The segment, and up to where it is durable.
    synced: (u64, u64),
    /// Whether a segment was begun whose name is not durable yet.
    has_new_name: bool,
}

/// A segment that waits to be folded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) number: u64,
    /// Up to the end of its last record.
    pub(crate) bytes: u64,
}

impl Pen {
    pub(crate) fn new(folder: Folder, segment: Segment) -> Self {
        let synced = (segment.number(), 0);
        let journal = Arc::new(FileJournal::new(segment));
        Self {
            folder,
            journal,
            batch: Vec::new(),
            calls: Vec::new(),
            waiting: VecDeque::new(),
            synced,
            has_new_name: true,
        }
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn journal(&self) -> &Arc<FileJournal> {
        &self.journal
    }

    /// Whether there is nothing to do until something is opened.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.journal.is_quiet() && self.has_no_ends() && self.journal.segment().bytes() == 0
    }

    /// Whether every end that anybody told of is written.
    fn has_no_ends(&self) -> bool {
        self.calls.is_empty() && self.journal.has_no_ends()
    }

    /// Whether the segment is as large as it should become.
    pub(crate) fn is_segment_full(&self) -> bool {
        self.journal.segment().bytes() >= MAX_SEGMENT
    }

    /// Does what cannot wait for a database. What goes wrong is noted.
    pub(crate) fn go_on(&mut self, is_time_to_sync: bool) {
        let done = self.mend().and(self.write_ends());
        self.note(done);
        if is_time_to_sync && let Err(error) = self.sync() {
            self.journal.counts.sync_failures.fetch_add(1, Ordering::Relaxed);
            self.note(Err(error));
        }
    }

    /// Notes what went wrong.
    pub(crate) fn note(&self, done: Result<(), StoreError>) {
        if let Err(error) = done {
            self.journal.note(error.to_string());
        }
    }

    /// Writes the ends that are queued, of attempts and then of calls. Those that cannot be written stay queued.
    pub(crate) fn write_ends(&mut self) -> Result<(), StoreError> {
        // The calls first: then all their attempts are among the ends that are taken.
        self.journal.take_calls(&mut self.calls);
        self.journal.take_closes(&mut self.batch);
        let mut buffer = Vec::new();
        self.write_closes(&mut buffer)?;
        self.write_calls(&mut buffer)
    }

    fn write_closes(&mut self, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        while !self.batch.is_empty() {
            let count = self.batch.len().min(BATCH);
            buffer.clear();
            let written = self.batch.iter().take(count).try_for_each(|closed| record::write_closed(buffer, closed));
            written.map_err(StoreError::file("written", self.folder.path()))?;
            self.append(buffer)?;
            self.batch.drain(..count);
            self.journal.counts.closes_written.fetch_add(count as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write_calls(&mut self, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut written = 0;
        let done = loop {
            let rest = self.calls.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            let length = record::whole(rest, CALL_BYTES);
            buffer.clear();
            buffer.extend_from_slice(rest.get(..length).unwrap_or_default());
            if let Err(error) = self.append(buffer) {
                break Err(error);
            }
            written += length;
        };
        self.calls.drain(..written);
        done
    }

    fn append(&self, records: &mut [u8]) -> Result<(), StoreError> {
        let mut segment = self.journal.segment();
        let written = segment.append(records);
        let path = folder::segment(self.folder.path(), segment.number());
        drop(segment);
        written.map_err(StoreError::file("written", &path))
    }

    /// Writes ends until none is queued any more.
    pub(crate) fn write_last_ends(&mut self) -> Result<(), StoreError> {
        loop {
            self.write_ends()?;
            if self.journal.has_no_ends() {
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

    /// Lets nothing be written any more, and makes durable what was.
    pub(crate) fn end(&mut self) -> Result<(), StoreError> {
        let last = {
            let mut segment = self.journal.segment();
            segment.close();
            Waiting { number: segment.number(), bytes: segment.bytes() }
        };
        let synced = self.sync();
        self.wait_for(last);
        synced
    }

    /// Begins another segment, unless there is nothing in the present one.
    pub(crate) fn rotate(&mut self) -> Result<(), StoreError> {
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
        self.count_waiting();
    }

    /// The segment that is to be folded next.
    pub(crate) fn next_to_fold(&self) -> Option<Waiting> {
        self.waiting.front().copied()
    }

    /// Takes note that it is folded.
    pub(crate) fn is_folded(&mut self) {
        self.waiting.pop_front();
        self.count_waiting();
    }

    fn count_waiting(&self) {
        self.journal.counts.segments_waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
    }
}
