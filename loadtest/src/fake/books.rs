//! The provider's own books: what each request was, what it was given, and whether the caller stayed. Tests compare the gateway's
//! accounts with these.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::entry::{Entry, Totals};

/// Entries kept; older ones are forgotten, the totals are not.
const MAX_ENTRIES: usize = 100_000;
/// Distinct model names and lock-step tokens kept, so that a run with random names stays bounded.
const MAX_NAMES: usize = 10_000;

/// A handle to the books; clones share them.
#[derive(Clone, Debug)]
pub struct Books {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keep_entries: bool,
    opened: Instant,
    next_seq: AtomicU64,
    pages: Mutex<Pages>,
    changed: Notify,
    locksteps: Mutex<HashMap<String, Arc<Semaphore>>>,
}

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    totals: Totals,
    /// How often each exact model string has been made to fail.
    failures: HashMap<String, u64>,
}

impl Books {
    pub(super) fn new(keep_entries: bool) -> Self {
        let shared = Shared {
            keep_entries,
            opened: now(),
            next_seq: AtomicU64::new(0),
            pages: Mutex::default(),
            changed: Notify::new(),
            locksteps: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A copy of every entry, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.pages.lock().entries.iter().cloned().collect()
    }

    /// The newest entry.
    pub fn last(&self) -> Option<Entry> {
        self.shared.pages.lock().entries.back().cloned()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.shared.pages.lock().entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The totals.
    pub fn totals(&self) -> Totals {
        self.shared.pages.lock().totals.clone()
    }

    /// Forgets entries, totals, `failfirst` counts and acknowledgements. Requests still running are no longer followed.
    pub fn clear(&self) {
        *self.shared.pages.lock() = Pages::default();
        self.shared.locksteps.lock().clear();
        self.shared.changed.notify_waiters();
    }

    /// Lets one more event of every `lockstep=TOKEN` answer out; acknowledgements given early are kept.
    pub fn ack(&self, token: &str) {
        self.lockstep(token).add_permits(1);
    }

    /// Waits until the entries satisfy `condition` and returns them as they were then. Needs a tokio runtime with time.
    ///
    /// # Errors
    /// When `timeout` passes first; the error shows the entries.
    pub async fn wait_for(
        &self,
        mut condition: impl FnMut(&[Entry]) -> bool,
        timeout: Duration,
    ) -> anyhow::Result<Vec<Entry>> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // Listening starts before the look, so that no change falls in between.
            changed.as_mut().enable();
            {
                let mut pages = self.shared.pages.lock();
                let entries = pages.entries.make_contiguous();
                if condition(entries) {
                    return Ok(entries.to_vec());
                }
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                bail!("the books did not come to say so within {timeout:?}: {:#?}", self.entries());
            }
        }
    }

    /// Counts one request for `model` and says whether it is among the first `count`, which are to fail.
    pub(super) fn is_failure_due(&self, model: &str, count: u64) -> bool {
        if count == 0 {
            return false;
        }
        let mut pages = self.shared.pages.lock();
        if pages.failures.len() >= MAX_NAMES && !pages.failures.contains_key(model) {
            pages.failures.clear();
        }
        let failed = pages.failures.entry(model.to_owned()).or_default();
        let is_due = *failed < count;
        *failed += u64::from(is_due);
        is_due
    }

    /// The gate that `ack` opens.
    pub(super) fn lockstep(&self, token: &str) -> Arc<Semaphore> {
        let mut locksteps = self.shared.locksteps.lock();
        if locksteps.len() >= MAX_NAMES && !locksteps.contains_key(token) {
            locksteps.clear();
        }
        Arc::clone(locksteps.entry(token.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))))
    }

    /// Whether entries are kept at all; if not, there is no point in preparing them.
    pub(super) fn keeps_entries(&self) -> bool {
        self.shared.keep_entries
    }

    /// Opens an entry and returns the pen for it.
    pub(super) fn open(&self, entry: Entry) -> Pen {
        let seq = self.shared.next_seq.fetch_add(1, Ordering::Relaxed);
        let received = now();
        let mut pages = self.shared.pages.lock();
        pages.totals.requests += 1;
        if self.shared.keep_entries {
            if pages.entries.len() >= MAX_ENTRIES {
                pages.entries.pop_front();
            }
            let received_us = self.since_opened();
            pages.entries.push_back(Entry { seq, received_us, received_unix_ms: unix_ms(), ..entry });
        }
        drop(pages);
        self.shared.changed.notify_waiters();
        Pen { books: self.clone(), seq, received, is_over: false }
    }

    fn since_opened(&self) -> u64 {
        u64::try_from(self.shared.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn edit(&self, seq: u64, change: impl FnOnce(&mut Entry, u64)) {
        if !self.shared.keep_entries {
            return;
        }
        let now = self.since_opened();
        let mut pages = self.shared.pages.lock();
        // Entries are in order of seq without gaps, except where requests raced each other to the lock; those are neighbours.
        let found = pages.entries.iter_mut().rev().find(|entry| entry.seq == seq);
        if let Some(entry) = found {
            change(entry, now);
        }
        drop(pages);
        self.shared.changed.notify_waiters();
    }
}

/// Writes one entry while its request is served. Dropped before the exchange is over, it notes that the caller has gone: hyper
/// drops a handler or a body only for that reason.
#[derive(Debug)]
pub(super) struct Pen {
    books: Books,
    seq: u64,
    received: Instant,
    is_over: bool,
}

impl Pen {
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Entry)) {
        self.books.edit(self.seq, |entry, _| change(entry));
    }

    /// The request is understood: whose model it is for and how much was asked.
    pub(super) fn asked(&self, model: &str, input_tokens: u64) {
        let mut pages = self.books.shared.pages.lock();
        pages.totals.input_tokens += input_tokens;
        let by_model = &mut pages.totals.requests_by_model;
        if let Some(count) = by_model.get_mut(model) {
            *count += 1;
        } else if by_model.len() < MAX_NAMES {
            by_model.insert(model.to_owned(), 1);
        }
    }

    pub(super) fn header_sent(&self, status: u16) {
        self.books.edit(self.seq, |entry, now| {
            entry.status = Some(status);
            entry.header_sent_us = Some(now);
        });
    }

    /// An event, or a whole body, has been written.
    pub(super) fn wrote(&self, tokens: u64) {
        self.books.shared.pages.lock().totals.output_tokens += tokens;
        self.books.edit(self.seq, |entry, now| {
            entry.events += 1;
            entry.output_tokens += tokens;
            entry.first_event_us.get_or_insert(now);
            entry.last_event_us = Some(now);
        });
    }

    /// The answer is over, with its end marker or (`finished == false`) broken off by us.
    pub(super) fn over(&mut self, finished: bool) {
        self.is_over = true;
        self.books.edit(self.seq, |entry, now| {
            entry.finished = finished;
            entry.ended_us = Some(now);
        });
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let gone_ms = u64::try_from(self.received.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.books.edit(self.seq, |entry, now| {
            entry.caller_gone = Some(gone_ms);
            entry.ended_us = Some(now);
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the books say when things really happened; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the books say when things really happened; nothing is decided by it")]
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
