//! The provider's own books: what each request was, what it was given, and whether the caller stayed. Tests compare the gateway's
//! accounts with these.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::clock::{micros, unix_ms};
use super::conn::Link;
use super::entry::{Entry, Totals};
use super::pen::Pen;

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
    next_seq: AtomicU64,
    connections: AtomicU64,
    pages: Mutex<Pages>,
    changed: Notify,
    locksteps: Mutex<HashMap<String, Arc<Semaphore>>>,
}

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    totals: Totals,
    /// How many requests for each exact model string might have been made to fail.
    failable: HashMap<String, u64>,
}

impl Books {
    pub(super) fn new(keep_entries: bool) -> Self {
        // The first look at the clock is its zero.
        micros();
        let shared = Shared {
            keep_entries,
            next_seq: AtomicU64::new(0),
            connections: AtomicU64::new(0),
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

    /// From each request's arrival to the next one's, in order of arrival.
    pub fn gaps(&self) -> Vec<Duration> {
        self.between(|before| Some(before.received_us))
    }

    /// From the moment in which each request's outcome could be known ([`Entry::answered_us`]) to the next one's arrival, in order
    /// of arrival; zero where the next one came first.
    pub fn pauses(&self) -> Vec<Duration> {
        self.between(Entry::answered_us)
    }

    fn between(&self, from: impl Fn(&Entry) -> Option<u64>) -> Vec<Duration> {
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.received_us);
        let pairs = entries.iter().zip(entries.iter().skip(1));
        let gap =
            |(before, after): (&Entry, &Entry)| after.received_us.saturating_sub(from(before).unwrap_or(u64::MAX));
        pairs.map(|pair| Duration::from_micros(gap(pair))).collect()
    }

    /// How many connections have been accepted since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) {
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        self.shared.changed.notify_waiters();
    }

    /// Forgets entries, totals, the counts of `failfirst` and its like, and acknowledgements. Requests still running are no longer followed.
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

    /// Counts one request for `model` that may be made to fail, and says which one it is, from 1.
    pub(super) fn count_failable(&self, model: &str) -> u64 {
        let mut pages = self.shared.pages.lock();
        if pages.failable.len() >= MAX_NAMES && !pages.failable.contains_key(model) {
            pages.failable.clear();
        }
        let count = pages.failable.entry(model.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// The gate that `ack` opens.
    pub(super) fn lockstep(&self, token: &str) -> Arc<Semaphore> {
        let mut locksteps = self.shared.locksteps.lock();
        if locksteps.len() >= MAX_NAMES && !locksteps.contains_key(token) {
            locksteps.clear();
        }
        Arc::clone(locksteps.entry(token.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))))
    }

    /// Adds a request to the totals.
    pub(super) fn count_asked(&self, model: &str, input_tokens: u64) {
        let mut pages = self.shared.pages.lock();
        pages.totals.input_tokens += input_tokens;
        let by_model = &mut pages.totals.requests_by_model;
        if let Some(count) = by_model.get_mut(model) {
            *count += 1;
        } else if by_model.len() < MAX_NAMES {
            by_model.insert(model.to_owned(), 1);
        }
    }

    /// Adds output tokens to the totals.
    pub(super) fn count_wrote(&self, tokens: u64) {
        self.shared.pages.lock().totals.output_tokens += tokens;
    }

    /// Whether entries are kept at all; if not, there is no point in preparing them.
    pub(super) fn keeps_entries(&self) -> bool {
        self.shared.keep_entries
    }

    /// Opens an entry for a request that came over `link`, and returns the pen for it.
    pub(super) fn open(&self, entry: Entry, link: Arc<Link>) -> Pen {
        let seq = self.shared.next_seq.fetch_add(1, Ordering::Relaxed);
        let received_us = micros();
        let mut pages = self.shared.pages.lock();
        pages.totals.requests += 1;
        if self.shared.keep_entries {
            if pages.entries.len() >= MAX_ENTRIES {
                pages.entries.pop_front();
            }
            pages.entries.push_back(Entry { seq, received_us, received_unix_ms: unix_ms(), ..entry });
        }
        drop(pages);
        self.shared.changed.notify_waiters();
        Pen::new(self.clone(), link, seq, received_us)
    }

    /// Changes an entry; the time is given to the change.
    pub(super) fn edit(&self, seq: u64, change: impl FnOnce(&mut Entry, u64)) {
        if !self.shared.keep_entries {
            return;
        }
        let now = micros();
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
