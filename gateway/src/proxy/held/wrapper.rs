//! Stands in for the downstream session: see [`super`].

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::ServerSession as HttpSession;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session as CustomSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::{Error, ErrorType, Result};
use tokio::time::{Instant, Sleep};

use super::{Cut, Drain, HttpSessionSlot, Shared, millis, nobody};

/// What came while an answer was drained may lie in buffers still, if the process is busy. So many looks must find nothing more: at
/// one alone, what was read meanwhile might not have been passed on yet.
const LAST_LOOKS: u8 = 3;
/// The time between them.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Stands in for the downstream session while an upstream is talked to.
pub(super) struct Wrapper {
    inner: HttpSession,
    shared: Arc<Shared>,
    drain: Drain,
    drained: u64,
    /// Milliseconds after the base until which an answer is read for a client that left.
    drain_until: Option<u64>,
    /// The looks at what still comes after the draining.
    looks: Option<Looks>,
    /// The client sent more than its request; it is not listened to until it has its answer.
    deaf: bool,
    /// The header that waits for bytes that count, and whether it is the whole answer.
    header: Option<(Box<ResponseHeader>, bool)>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// Body bytes that may wait for the first ones that count; an answer that is longer counts.
    max_waiting: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Looks at whether more of an answer comes.
#[derive(Clone, Copy)]
struct Looks {
    /// The first one, in milliseconds after the base.
    since: u64,
    /// How much had come at the last one.
    came: u64,
    /// How many found no more, one after the other.
    in_vain: u8,
}

impl Wrapper {
    /// Takes over a session whose request was read whole.
    pub(super) fn new(inner: HttpSession, shared: Arc<Shared>, drain: Drain, max_waiting: usize) -> Self {
        Self {
            inner,
            shared,
            drain,
            drained: 0,
            drain_until: None,
            looks: None,
            deaf: false,
            header: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            max_waiting,
            timer: None,
        }
    }

    fn client_left(&mut self) {
        self.shared.client_left.store(true, Ordering::Relaxed);
        if self.drain_until.is_none() {
            self.drain_until = Some(match self.drain {
                _ if self.shared.pausing.load(Ordering::Relaxed) => 0,
                Drain::ToTheEnd => u64::MAX,
                Drain::Bounded { time, .. } => self.shared.timing.after(time),
            });
        }
    }

    fn has_left(&self) -> bool {
        self.drain_until.is_some()
    }

    fn next_deadline(&self) -> (u64, Cut) {
        let (at, cut) = self.shared.timing.next();
        match self.drain_until {
            Some(drain) if drain < at => (drain, Cut::ClientLeft),
            _ => (at, cut),
        }
    }

    fn cut(&self, cut: Cut) -> Box<Error> {
        *self.shared.cut.lock() = Some(cut);
        match cut {
            Cut::ClientLeft => Error::explain(ErrorType::ConnectionClosed, "the client left"),
            Cut::HeaderLate => Error::explain(ErrorType::ReadTimedout, "no answer in time"),
            Cut::ContentLate => Error::explain(ErrorType::ReadTimedout, "no content in time"),
            Cut::PieceLate => Error::explain(ErrorType::ReadTimedout, "the answer stalled"),
            Cut::CallLate => Error::explain(ErrorType::ReadTimedout, "the call took too long"),
        }
    }

    /// Whether an answer is read on though its draining is over: its end, with what it cost, may have come in time without having
    /// been looked at. That takes no longer than the draining itself.
    fn may_bring_more(&mut self) -> bool {
        let Drain::Bounded { time, .. } = self.drain else { return false };
        let (now, came) = (self.shared.timing.now(), self.shared.received.load(Ordering::Relaxed));
        let looks = self.looks.get_or_insert(Looks { since: now, came, in_vain: 0 });
        looks.in_vain = if looks.came == came { looks.in_vain.saturating_add(1) } else { 0 };
        looks.came = came;
        looks.in_vain < LAST_LOOKS && now.saturating_sub(looks.since) <= millis(time)
    }

    /// Waits until a deadline is over, or the client leaves, and then until the draining is.
    async fn watch(&mut self) -> Box<Error> {
        loop {
            let (at, cut) = self.next_deadline();
            let until = self.shared.timing.base + Duration::from_millis(at.min(u64::from(u32::MAX)));
            if Instant::now() >= until {
                if cut == Cut::ClientLeft && self.may_bring_more() {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                    continue;
                }
                return self.cut(cut);
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            // Deadlines move with every piece; a timer that fires early is simply set again.
            if timer.deadline() > until || timer.is_elapsed() {
                timer.as_mut().reset(until);
            }
            let listens = self.drain_until.is_none() && !self.deaf;
            tokio::select! {
                heard = self.inner.read_body_or_idle(true), if listens => match heard {
                    Err(error) if *error.etype() == ErrorType::ConnectError => self.deaf = true,
                    Ok(Some(_)) => self.deaf = true,
                    Ok(None) | Err(_) => self.client_left(),
                },
                () = timer => {}
            }
        }
    }

    /// Sorts tasks into those that can be written now; the others wait.
    fn ready(&mut self, task: HttpTask, out: &mut Vec<HttpTask>) {
        self.shared.received.fetch_add(task_bytes(&task) as u64, Ordering::Relaxed);
        if self.shared.header_out.load(Ordering::Relaxed) {
            if !matches!(task, HttpTask::Header(..)) {
                out.push(task);
            }
            return;
        }
        match task {
            HttpTask::Header(header, end) => {
                self.waiting.clear();
                self.waiting_bytes = 0;
                self.header = Some((header, end));
                if end {
                    self.release(out);
                }
            }
            HttpTask::Body(data, end) => {
                let data = data.unwrap_or_default();
                self.waiting_bytes += data.len();
                let counts = self.shared.counts.load(Ordering::Relaxed);
                if counts || end || self.waiting_bytes > self.max_waiting {
                    self.release(out);
                    out.push(HttpTask::Body(Some(data), end));
                } else if !data.is_empty() {
                    self.waiting.push(data);
                }
            }
            other => {
                self.release(out);
                out.push(other);
            }
        }
    }

    fn release(&mut self, out: &mut Vec<HttpTask>) {
        if let Some((mut header, end)) = self.header.take() {
            if let Some(trail) = self.shared.trail.lock().take() {
                // A trail that is no header value is left out.
                let _ = header.insert_header("x-tollgate-attempts", trail);
            }
            self.shared.header_out.store(true, Ordering::Relaxed);
            out.push(HttpTask::Header(header, end));
            out.extend(self.waiting.drain(..).map(|data| HttpTask::Body(Some(data), false)));
        }
    }

    /// Counts what is read for a client that left.
    fn drained(&mut self, bytes: usize) -> Result<()> {
        self.drained = self.drained.saturating_add(bytes as u64);
        match self.drain {
            Drain::Bounded { bytes: most, .. } if self.drained > most => Err(self.cut(Cut::ClientLeft)),
            _ => Ok(()),
        }
    }

    /// Writes what is ready. A client that cannot be written to has left; the answer is read on all the same.
    async fn write(&mut self, out: Vec<HttpTask>) -> Result<bool> {
        let end = out.iter().any(HttpTask::is_end);
        let bytes = out.iter().map(task_bytes).sum();
        if self.has_left() {
            self.drained(bytes)?;
        }
        if out.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        let written = self.inner.response_duplex_vec(out).await;
        // Nobody listens to the vendor while the client takes its time: that is not the vendor's silence.
        self.shared.timing.put_off(began.elapsed());
        match written {
            Ok(finished) => Ok(finished),
            Err(_) => {
                self.client_left();
                Ok(end)
            }
        }
    }
}

impl Drop for Wrapper {
    fn drop(&mut self) {
        let mut inner = mem::replace(&mut self.inner, nobody());
        if self.has_left() || self.deaf {
            inner.set_keepalive(None);
        }
        *self.shared.inner.lock() = Some(HttpSessionSlot(inner));
    }
}

#[async_trait]
impl CustomSession for Wrapper {
    fn req_header(&self) -> &RequestHeader {
        self.inner.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner.req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        Ok(None)
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        Ok(())
    }

    async fn write_response_header(&mut self, header: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.response_duplex_vec(vec![HttpTask::Header(header, end)]).await.map(|_| ())
    }

    async fn write_response_header_ref(&mut self, header: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(header.clone()), end).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.response_duplex_vec(vec![HttpTask::Body(Some(data), end)]).await.map(|_| ())
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.response_duplex_vec(vec![HttpTask::Trailer(Some(Box::new(trailers)))]).await.map(|_| ())
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut out = Vec::with_capacity(tasks.len() + 1);
        let mut failed = None;
        for task in tasks {
            match task {
                HttpTask::Failed(error) => failed = Some(error),
                other => self.ready(other, &mut out),
            }
        }
        let end = self.write(out).await?;
        match failed {
            Some(error) => Err(error),
            None => Ok(end),
        }
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_read_timeout(timeout);
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.inner.get_read_timeout()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner.get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.inner.request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner.response_written()
    }

    async fn shutdown(&mut self, _code: u32, _ctx: &str) {
        self.inner.shutdown().await;
    }

    fn is_body_done(&mut self) -> bool {
        true
    }

    async fn finish(&mut self) -> Result<()> {
        if self.has_left() { Ok(()) } else { self.inner.finish_body().await }
    }

    fn is_body_empty(&mut self) -> bool {
        false
    }

    async fn read_body_or_idle(&mut self, _no_body_expected: bool) -> Result<Option<Bytes>> {
        Err(self.watch().await)
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.inner.digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.inner.digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner.client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner.server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.inner.to_h1_raw()
    }

    fn enable_retry_buffering(&mut self) {}

    fn retry_buffer_truncated(&self) -> bool {
        false
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        Some(self.shared.body.lock().clone())
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(&mut self) -> Option<MessageReader> {
        None
    }

    fn restore_custom_message_reader(&mut self, _reader: MessageReader) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}

type MessageReader = Box<dyn futures::Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>;

fn task_bytes(task: &HttpTask) -> usize {
    match task {
        HttpTask::Body(Some(data), _) => data.len(),
        _ => 0,
    }
}
