//! The request's body held for every attempt, and the answer's header held until it counts.
//!
//! Pingora replays a body of at most 64 KiB, lets an answer's header out before anyone saw its body, and gives up at once
//! when the client leaves. So the downstream session is swapped for a wrapper that replays any body, keeps the header
//! back until the first bytes that count, and lets the rest of an answer be read for a client that left.
//! This file and the one below it are the only ones that know the trick; what it rests on is in `docs/decisions/0002-held-session.md`.

mod wrapper;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pingora::protocols::http::ServerSession as HttpSession;
use pingora::proxy::Session;
use policy::provider::Deadlines;
use tokio::time::Instant;

use self::wrapper::Wrapper;

/// Why an exchange was ended from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client left, and what was left to read for it took too long or was too much.
    ClientLeft,
    /// A streamed answer's header did not come in time.
    HeaderLate,
    /// The first content of a streamed answer did not come in time.
    ContentLate,
    /// The next piece of a streamed answer did not come in time.
    PieceLate,
    /// The whole call took too long.
    CallLate,
}

/// What to do with an answer whose client left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Drain {
    /// Read it to the end: the vendor works it out anyway.
    ToTheEnd,
    /// Read on for this long and this much, then cut.
    Bounded {
        /// How long.
        time: Duration,
        /// How much.
        bytes: u64,
    },
}

/// The proxy's handle on the swapped session.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
}

/// What the proxy's phases and the wrapper tell each other.
#[derive(Debug)]
struct Shared {
    inner: Mutex<Option<HttpSessionSlot>>,
    body: Mutex<Bytes>,
    counts: AtomicBool,
    header_out: AtomicBool,
    client_left: AtomicBool,
    /// Between two attempts: a client that leaves ends the call.
    pausing: AtomicBool,
    /// Body bytes that were given to be written, or wait to be.
    received: AtomicU64,
    /// The attempts that failed, where that was known only after the answer's header was made.
    trail: Mutex<Option<String>>,
    cut: Mutex<Option<Cut>>,
    timing: Timing,
}

/// Deadlines in milliseconds after `base`; `u64::MAX`: none.
#[derive(Debug)]
struct Timing {
    base: Instant,
    call: AtomicU64,
    content: AtomicU64,
    piece: AtomicU64,
    awaits_header: AtomicBool,
}

/// `HttpSession` has no `Debug`.
struct HttpSessionSlot(HttpSession);

impl std::fmt::Debug for HttpSessionSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpSession")
    }
}

impl Held {
    /// Swaps the downstream session for the wrapper. Its whole body has been read. Up to `max_waiting` bytes of an answer wait for
    /// the first ones that count.
    pub(crate) fn install(session: &mut Session, drain: Drain, max_waiting: usize) -> Self {
        let timing = Timing {
            base: Instant::now(),
            call: AtomicU64::new(u64::MAX),
            content: AtomicU64::new(u64::MAX),
            piece: AtomicU64::new(u64::MAX),
            awaits_header: AtomicBool::new(true),
        };
        let shared = Arc::new(Shared {
            inner: Mutex::default(),
            body: Mutex::default(),
            counts: AtomicBool::default(),
            header_out: AtomicBool::default(),
            client_left: AtomicBool::default(),
            pausing: AtomicBool::default(),
            received: AtomicU64::default(),
            trail: Mutex::default(),
            cut: Mutex::default(),
            timing,
        });
        let inner = mem::replace(&mut *session.downstream_session, nobody());
        let wrapper = Wrapper::new(inner, Arc::clone(&shared), drain, max_waiting);
        *session.downstream_session = HttpSession::new_custom(Box::new(wrapper));
        Self { shared }
    }

    /// Puts the real session back.
    pub(crate) fn restore(self, session: &mut Session) {
        drop(mem::replace(&mut *session.downstream_session, nobody()));
        if let Some(HttpSessionSlot(inner)) = self.shared.inner.lock().take() {
            *session.downstream_session = inner;
        }
    }

    /// Begins an attempt: the body to send, and the deadlines from now on, those of streams where the answer is to be one.
    /// Nothing of an earlier answer counts any more.
    pub(crate) fn begin_attempt(&self, body: Bytes, deadlines: &Deadlines, stream: bool) {
        *self.shared.body.lock() = body;
        *self.shared.cut.lock() = None;
        self.shared.pausing.store(false, Ordering::Relaxed);
        let timing = &self.shared.timing;
        let within = |wait: Option<Duration>| wait.filter(|_| stream).map_or(u64::MAX, |wait| timing.after(wait));
        timing.awaits_header.store(true, Ordering::Relaxed);
        timing.call.store(millis(deadlines.total), Ordering::Relaxed);
        timing.content.store(within(deadlines.first_token), Ordering::Relaxed);
        timing.piece.store(within(Some(deadlines.stream_header)), Ordering::Relaxed);
        if !self.header_is_out() {
            self.shared.counts.store(false, Ordering::Relaxed);
        }
    }

    /// The call waits for its next attempt: nothing is expected but that the client may leave.
    pub(crate) fn pause(&self) {
        let timing = &self.shared.timing;
        timing.content.store(u64::MAX, Ordering::Relaxed);
        timing.piece.store(u64::MAX, Ordering::Relaxed);
        self.shared.pausing.store(true, Ordering::Relaxed);
    }

    /// A piece of the answer came: the next one must come within this time.
    pub(crate) fn next_piece_within(&self, within: Option<Duration>) {
        let timing = &self.shared.timing;
        timing.awaits_header.store(false, Ordering::Relaxed);
        timing.piece.store(within.map_or(u64::MAX, |within| timing.after(within)), Ordering::Relaxed);
    }

    /// The first content came, whether or not it counts already.
    pub(crate) fn content_came(&self) {
        self.shared.timing.content.store(u64::MAX, Ordering::Relaxed);
    }

    /// What the client has been sent counts from here on: the header goes out with the next bytes.
    pub(crate) fn let_out(&self) {
        self.shared.timing.content.store(u64::MAX, Ordering::Relaxed);
        self.shared.counts.store(true, Ordering::Relaxed);
    }

    /// Whether the client has seen the answer's header, so that no other attempt can take its place.
    pub(crate) fn header_is_out(&self) -> bool {
        self.shared.header_out.load(Ordering::Relaxed)
    }

    /// The header that waits is to name these attempts as failed, the one that it is of among them.
    pub(crate) fn amend_trail(&self, trail: &str) {
        *self.shared.trail.lock() = Some(trail.to_owned());
    }

    /// How many bytes of the answer's body came as far as the client's session. Pieces that are passed on together with one that
    /// fails do not.
    pub(crate) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Frees the body: no other attempt can need it.
    pub(crate) fn forget_body(&self) {
        *self.shared.body.lock() = Bytes::new();
    }

    /// Whether the client left before its answer was whole.
    pub(crate) fn client_left(&self) -> bool {
        self.shared.client_left.load(Ordering::Relaxed)
    }

    /// Why the exchange was ended from here, if it was.
    pub(crate) fn cut(&self) -> Option<Cut> {
        *self.shared.cut.lock()
    }
}

impl Timing {
    fn now(&self) -> u64 {
        millis(self.base.elapsed())
    }

    fn after(&self, within: Duration) -> u64 {
        self.now().saturating_add(millis(within))
    }

    /// Puts off what is expected of the vendor.
    fn put_off(&self, by: Duration) {
        let by = millis(by);
        for at in [&self.piece, &self.content] {
            let put_off = |at: u64| (at != u64::MAX).then(|| at.saturating_add(by));
            let _ = at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, put_off);
        }
    }

    /// The deadline that comes first, and what it means to miss it.
    fn next(&self) -> (u64, Cut) {
        let late = if self.awaits_header.load(Ordering::Relaxed) { Cut::HeaderLate } else { Cut::PieceLate };
        let deadlines = [(&self.call, Cut::CallLate), (&self.piece, late), (&self.content, Cut::ContentLate)];
        let read = deadlines.map(|(at, cut)| (at.load(Ordering::Relaxed), cut));
        read.into_iter().min_by_key(|(at, _)| *at).unwrap_or((u64::MAX, Cut::CallLate))
    }
}

/// Keeps the place of a session for the moment in which it is swapped.
fn nobody() -> HttpSession {
    HttpSession::new_custom(Box::new(()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
