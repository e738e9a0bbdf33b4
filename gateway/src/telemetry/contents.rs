//! What is said in calls, on its way into the request log. It is copied, never held back; what there is no room for is dropped
//! and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use prometheus::IntCounter;
use store::{Content, ContentId, Said};
use tokio::sync::Notify;

use crate::life::Ending;

/// So many bytes are written at a time: the ledger's writer does its own work in between.
const BATCH_BYTES: u64 = 1024 * 1024;
/// What came first waits so long for others.
const BATCH: Duration = Duration::from_millis(100);
/// What a call takes besides what was said in it.
const OVERHEAD: u64 = 256;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Contents {
    waiting: Mutex<VecDeque<Content>>,
    has_some: Notify,
    /// Bytes of what waits, and of what is still being said.
    held: AtomicU64,
    most_held: u64,
    /// Of each body.
    most_bytes: usize,
    /// Tells contents of one moment apart.
    number: AtomicU64,
    dropped: IntCounter,
    /// Whether the database can keep any.
    is_possible: bool,
    /// Whether it was told that it cannot.
    was_told: AtomicBool,
}

/// What is being said in a call.
#[derive(Debug)]
pub(crate) struct Draft {
    contents: Arc<Contents>,
    /// `None`: there was no room for it.
    content: Option<Content>,
    held: u64,
}

impl Contents {
    /// None yet. What is dropped is counted by `dropped`; where keeping any is not possible, that is all.
    pub(crate) fn new(most_bytes: u64, most_held: u64, is_possible: bool, dropped: IntCounter) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            has_some: Notify::new(),
            held: AtomicU64::new(0),
            most_held,
            most_bytes: usize::try_from(most_bytes).unwrap_or(usize::MAX),
            number: AtomicU64::new(0),
            dropped,
            is_possible,
            was_told: AtomicBool::new(false),
        })
    }

    /// A call has begun, with this body. `None`: what is said in it cannot be kept.
    pub(crate) fn begin(self: &Arc<Self>, at_ms: u64, body: &[u8]) -> Option<Draft> {
        if !self.is_possible {
            self.refuse();
            return None;
        }
        let id = ContentId::of(at_ms, self.number.fetch_add(1, Ordering::Relaxed));
        let content = Content { id, request: Said::default(), answer: Said::default() };
        let mut draft = Draft { contents: Arc::clone(self), content: Some(content), held: 0 };
        draft.take(OVERHEAD);
        draft.add(body, |content| &mut content.request);
        Some(draft)
    }

    fn refuse(&self) {
        self.dropped.inc();
        if !self.was_told.swap(true, Ordering::Relaxed) {
            tracing::error!("what is said in calls is not kept in PostgreSQL yet: it is dropped, and counted");
        }
    }

    /// Takes a batch of what waits; none: nothing does.
    fn take_batch(&self) -> Vec<Content> {
        let mut waiting = self.waiting.lock();
        let mut bytes = 0;
        let is_in = |content: &&Content| {
            let is_in = bytes < BATCH_BYTES;
            bytes += size(content);
            is_in
        };
        let count = waiting.iter().take_while(is_in).count();
        waiting.drain(..count).collect()
    }

    /// Writes all that waits, and counts what cannot be written.
    pub(crate) fn write(&self, keep: impl Fn(Vec<Content>) -> Result<(), store::StoreError>) {
        loop {
            let batch = self.take_batch();
            if batch.is_empty() {
                return;
            }
            let (count, bytes) = (batch.len() as u64, batch.iter().map(size).sum());
            if let Err(error) = keep(batch) {
                self.dropped.inc_by(count);
                tracing::warn!(calls = count, "what was said in calls cannot be kept: {error}");
            }
            self.held.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

fn size(content: &Content) -> u64 {
    (content.request.bytes.len() + content.answer.bytes.len()) as u64 + OVERHEAD
}

impl Draft {
    /// A piece of the answer is on its way to the client.
    pub(crate) fn answered(&mut self, piece: &[u8]) {
        self.add(piece, |content| &mut content.answer);
    }

    /// What was answered so far never reached the client.
    pub(crate) fn begin_answer_anew(&mut self) {
        self.take_back(u64::MAX);
    }

    /// The last so many bytes of the answer did not reach the client.
    pub(crate) fn take_back(&mut self, bytes: u64) {
        let Some(Content { answer, .. }) = &mut self.content else { return };
        let before = answer.bytes.len();
        answer.length = answer.length.saturating_sub(bytes);
        answer.bytes.truncate(usize::try_from(answer.length).unwrap_or(usize::MAX));
        let less = (before - answer.bytes.len()) as u64;
        self.held = self.held.saturating_sub(less);
        self.contents.held.fetch_sub(less, Ordering::Relaxed);
    }

    /// The call is over: what was said is to be written. Gives its name, unless there was no room for it.
    pub(crate) fn keep(mut self) -> Option<ContentId> {
        let content = self.content.take()?;
        let id = content.id;
        self.held = 0;
        self.contents.waiting.lock().push_back(content);
        self.contents.has_some.notify_one();
        Some(id)
    }

    fn add(&mut self, piece: &[u8], to: impl FnOnce(&mut Content) -> &mut Said) {
        let most = self.contents.most_bytes;
        let Some(content) = &mut self.content else { return };
        let more = to(content).add(piece, most);
        self.take(more as u64);
    }

    /// Takes more room; where there is none, all that was said is dropped.
    fn take(&mut self, bytes: u64) {
        let before = self.contents.held.fetch_add(bytes, Ordering::Relaxed);
        self.held += bytes;
        if before.saturating_add(bytes) > self.contents.most_held {
            self.content = None;
            self.contents.dropped.inc();
            self.release();
        }
    }

    fn release(&mut self) {
        self.contents.held.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.release();
    }
}

/// Writes contents while the gateway runs; what is left then is written at the end.
pub(crate) struct ContentWriter {
    pub(crate) contents: Arc<Contents>,
    pub(crate) ending: Arc<Ending>,
}

#[async_trait]
impl BackgroundService for ContentWriter {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            tokio::select! {
                () = self.contents.has_some.notified() => {}
                _ = shutdown.changed() => return,
            }
            tokio::time::sleep(BATCH).await;
            let (contents, ending) = (Arc::clone(&self.contents), Arc::clone(&self.ending));
            let written = tokio::task::spawn_blocking(move || contents.write(|batch| ending.keep_contents(batch)));
            if written.await.is_err() {
                tracing::error!("what was said in calls could not be written: the writer panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use store::StoreError;

    use super::*;

    fn contents(most_held: u64) -> Arc<Contents> {
        Contents::new(8, most_held, true, IntCounter::new("dropped", "dropped").unwrap())
    }

    fn held(contents: &Contents) -> u64 {
        contents.held.load(Ordering::Relaxed)
    }

    #[test]
    fn room_is_taken_as_it_is_needed_and_given_back_by_who_writes_or_gives_up() {
        let contents = contents(10_000);
        let mut draft = contents.begin(1, b"0123456789").unwrap();
        draft.answered(b"abc");
        assert_eq!(held(&contents), OVERHEAD + 8 + 3, "no more than the bound is copied");
        draft.begin_answer_anew();
        draft.answered(b"xyz");
        draft.take_back(1);
        assert_eq!(held(&contents), OVERHEAD + 8 + 2);
        drop(contents.begin(1, b"given up").unwrap());
        let id = draft.keep().unwrap();
        assert_eq!(held(&contents), OVERHEAD + 8 + 2, "it waits");
        let written = RefCell::new(vec![]);
        contents.write(|batch| {
            written.borrow_mut().extend(batch);
            Ok(())
        });
        let [Content { id: kept, request, answer }] = &written.borrow()[..] else { panic!("not one") };
        assert_eq!((*kept, &*request.bytes, request.length, &*answer.bytes), (id, &b"01234567"[..], 10, &b"xy"[..]));
        assert_eq!((held(&contents), contents.dropped.get()), (0, 0));
    }

    #[test]
    fn what_there_is_no_room_for_is_dropped_whole_and_once() {
        let contents = contents(2 * OVERHEAD + 10);
        let first = contents.begin(1, b"01234567").unwrap();
        let mut second = contents.begin(1, b"").unwrap();
        second.answered(b"ab");
        second.answered(b"c");
        second.answered(b"d");
        assert_eq!((contents.dropped.get(), held(&contents)), (1, OVERHEAD + 8));
        assert_eq!(second.keep(), None);
        assert!(first.keep().is_some());
        contents.write(|_| Err(StoreError::Closed));
        assert_eq!((contents.dropped.get(), held(&contents)), (2, 0));
    }

    #[test]
    fn a_batch_is_no_larger_than_it_must_be() {
        let contents = contents(u64::MAX);
        let count = usize::try_from(BATCH_BYTES / OVERHEAD).unwrap() + 1;
        let ids: Vec<_> = (0..count).map(|_| contents.begin(1, b"").unwrap().keep()).collect();
        let sizes = RefCell::new(vec![]);
        contents.write(|batch| {
            sizes.borrow_mut().push(batch.len());
            Ok(())
        });
        assert_eq!(*sizes.borrow(), [count - 1, 1]);
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), count, "each has a name of its own");
    }
}
