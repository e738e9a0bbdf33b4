//! The journal in files: attempts are written by who makes them, their ends by the writer.

use std::cell::RefCell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::bell::Bell;
use super::record;
use super::segment::Segment;
use super::{Called, Closed, Journal, JournalError, Opened};
use crate::lease::{Lease, LeaseNow};

thread_local! {
    /// A record is put together here, outside of any lock; nothing is allocated for it once the thread has written its longest.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// More lines than this are not kept of what went wrong.
const MAX_TROUBLE: usize = 100;

/// The most bytes of calls that wait to be written: a hundred thousand or so. Beyond that a call that sent nothing is not kept.
const MOST_CALLS: usize = 32 << 20;
/// Room that is kept for calls.
const USUAL_CALLS: usize = 1 << 20;

/// The journal in the files of a data folder.
#[derive(Debug)]
pub struct FileJournal {
    segment: Mutex<Segment>,
    /// Nothing more is opened. Written and read while the segment is held.
    is_ending: AtomicBool,
    closes: Mutex<Vec<Closed>>,
    /// Records of calls that are over.
    calls: Mutex<Vec<u8>>,
    trouble: Mutex<Vec<String>>,
    pub(crate) bell: Bell,
    pub(crate) counts: Counts,
    /// Set once, when the store is open.
    pub(crate) lease: OnceLock<LeaseNow>,
}

/// Counts since the process began, and what stands at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Attempts that were written down.
    pub opens: u64,
    /// Attempts that could not be.
    pub failures: u64,
    /// Ends of attempts that wait to be written.
    pub closes_waiting: u64,
    /// Calls that sent nothing and are not kept, because too many wait to be written.
    pub calls_dropped: u64,
    /// Records that name an attempt which was not, or no longer, open; or which was open already. They change nothing.
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
    /// Bytes that were no record, and were set aside.
    pub bytes_set_aside: u64,
    /// The time of the newest record in the balances, in milliseconds since 1970; 0: nothing was folded yet.
    pub last_fold_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    opens: AtomicU64,
    failures: AtomicU64,
    closes: AtomicU64,
    calls_dropped: AtomicU64,
    /// By the writer alone, as all that follow.
    pub(crate) closes_written: AtomicU64,
    pub(crate) strays: AtomicU64,
    pub(crate) segments_waiting: AtomicU64,
    pub(crate) folds: AtomicU64,
    pub(crate) fold_failures: AtomicU64,
    pub(crate) sync_failures: AtomicU64,
    pub(crate) bytes_set_aside: AtomicU64,
    pub(crate) last_fold_ms: AtomicU64,
}

impl FileJournal {
    pub(crate) fn new(segment: Segment) -> Self {
        Self {
            segment: Mutex::new(segment),
            is_ending: AtomicBool::default(),
            closes: Mutex::default(),
            calls: Mutex::default(),
            trouble: Mutex::default(),
            bell: Bell::default(),
            counts: Counts::default(),
            lease: OnceLock::new(),
        }
    }

    /// How it does.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let counts = &self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Statistics {
            opens: read(&counts.opens),
            failures: read(&counts.failures),
            closes_waiting: read(&counts.closes).saturating_sub(read(&counts.closes_written)),
            calls_dropped: read(&counts.calls_dropped),
            strays: read(&counts.strays),
            segment_bytes: self.segment().bytes(),
            segments_waiting: read(&counts.segments_waiting),
            folds: read(&counts.folds),
            fold_failures: read(&counts.fold_failures),
            sync_failures: read(&counts.sync_failures),
            bytes_set_aside: read(&counts.bytes_set_aside),
            last_fold_ms: read(&counts.last_fold_ms),
        }
    }

    /// The segment under way. Nobody writes while this is held.
    pub(crate) fn segment(&self) -> MutexGuard<'_, Segment> {
        self.segment.lock()
    }

    /// Lets nothing more be opened; ends of what was opened are still taken.
    pub(crate) fn open_no_more(&self) {
        let _segment = self.segment();
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether no end, of an attempt or a call, waits to be taken.
    pub(crate) fn has_no_ends(&self) -> bool {
        self.closes.lock().is_empty() && self.calls.lock().is_empty()
    }

    /// Moves the calls that are not written yet behind those that are there.
    pub(crate) fn take_calls(&self, batch: &mut Vec<u8>) {
        let mut calls = self.calls.lock();
        if batch.is_empty() {
            std::mem::swap(&mut *calls, batch);
            calls.shrink_to(USUAL_CALLS);
        } else {
            batch.append(&mut calls);
        }
    }

    /// Moves the ends that are not written yet behind those that are there.
    pub(crate) fn take_closes(&self, batch: &mut Vec<Closed>) {
        let mut closes = self.closes.lock();
        if batch.is_empty() {
            std::mem::swap(&mut *closes, batch);
        } else {
            batch.append(&mut closes);
        }
    }

    /// Whether all that was opened is over and written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.counts.opens.load(Ordering::SeqCst) <= self.counts.closes_written.load(Ordering::SeqCst)
    }

    /// Keeps a line on what went wrong, unless it is the same again.
    pub(crate) fn note(&self, line: String) {
        let mut trouble = self.trouble.lock();
        if trouble.len() < MAX_TROUBLE && trouble.last() != Some(&line) {
            trouble.push(line);
        }
    }

    pub(crate) fn take_trouble(&self) -> Vec<String> {
        std::mem::take(&mut *self.trouble.lock())
    }
}

impl Journal for FileJournal {
    fn lease(&self) -> Lease {
        self.lease.get().map_or(Lease::Held, LeaseNow::get)
    }

    fn open(&self, opened: &Opened<'_>) -> Result<(), JournalError> {
        let result = BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            record::write_opened(buffer, opened)?;
            let mut segment = self.segment();
            if self.is_ending.load(Ordering::Relaxed) {
                return Err(io::Error::other("the journal is being closed"));
            }
            segment.append(buffer)
        });
        let count = if result.is_ok() { &self.counts.opens } else { &self.counts.failures };
        count.fetch_add(1, Ordering::SeqCst);
        self.bell.ring_if_asleep();
        Ok(result?)
    }

    fn close(&self, closed: Closed) {
        self.closes.lock().push(closed);
        self.counts.closes.fetch_add(1, Ordering::Relaxed);
    }

    fn called(&self, called: &Called<'_>) {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            // It cannot be too long: its texts are cut off.
            if record::write_called(buffer, called).is_err() {
                return;
            }
            let mut calls = self.calls.lock();
            let sent_something = called.call.is_some() || called.cost_nano > 0;
            if sent_something || calls.len() + buffer.len() <= MOST_CALLS {
                calls.extend_from_slice(buffer);
            } else {
                self.counts.calls_dropped.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.bell.ring_if_asleep();
    }
}
