//! Reading a request's body whole: bounded in bytes each, in bytes of all together, and in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::ErrorType;
use pingora::protocols::http::ServerSession as HttpSession;
use pingora::proxy::Session;
use policy::decision::{Reason, Refusal};
use tokio::time::Instant;

/// What is set aside at first for a body that says how long it is; the rest as it comes.
const FIRST_CAPACITY: usize = 64 * 1024;
/// A body may take a second longer for each of these.
const BYTES_PER_EXTRA_SECOND: u64 = 128 * 1024;

/// Limits on one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// The most bytes.
    pub(crate) max_bytes: u64,
    /// How long it may take, and a second more for every 128 KiB that came.
    pub(crate) time: Duration,
}

/// Counts the body bytes held by all requests together.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    max_bytes: u64,
    held: AtomicU64,
}

/// A body, and the bytes it takes of the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldBody {
    bytes: Bytes,
    share: Share,
}

#[derive(Debug)]
struct Share {
    budget: Arc<BodyBudget>,
    bytes: u64,
}

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The client is told.
    Refused(Refusal),
    /// The client broke off; there is nobody to tell.
    ClientLeft,
}

impl BodyBudget {
    pub(crate) fn new(max_bytes: u64) -> Arc<Self> {
        Arc::new(Self { max_bytes, held: AtomicU64::new(0) })
    }

    /// The bytes held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

impl HeldBody {
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Takes more of the budget, for bytes of the answer that are held beside the body. `false`: there is no more, and nothing was
    /// taken.
    pub(crate) fn hold_more(&mut self, bytes: u64) -> bool {
        self.share.grow(bytes).is_ok()
    }
}

impl Share {
    fn grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.budget.max_bytes {
            self.bytes = self.bytes.saturating_add(bytes);
            return Ok(());
        }
        self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
        let message = "the gateway holds as many request bytes as it may; try again in a moment";
        Err(Refusal::new(Reason::Overloaded, message).retry_after(Duration::from_secs(1)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads the whole body of a request, with a length or chunked, over HTTP/1.1 or HTTP/2.
pub(crate) async fn read(
    session: &mut Session,
    limits: BodyLimits,
    budget: &Arc<BodyBudget>,
) -> Result<HeldBody, BodyError> {
    let declared = declared_length(session).map_err(BodyError::Refused)?;
    if declared.is_some_and(|length| length > limits.max_bytes) {
        return Err(BodyError::Refused(too_large(limits)));
    }
    if expects_continue(session) && write_continue(session).await.is_err() {
        return Err(BodyError::ClientLeft);
    }
    let mut share = Share { budget: Arc::clone(budget), bytes: 0 };
    let started = Instant::now();
    let Some(first) = next_piece(session, started, limits, 0).await? else {
        return Ok(HeldBody { bytes: Bytes::new(), share });
    };
    share.grow(first.len() as u64).map_err(BodyError::Refused)?;
    if declared == Some(first.len() as u64) {
        // The usual case: the body came with the header, in one piece, and is kept without a copy.
        if let Some(more) = next_piece(session, started, limits, share.bytes).await? {
            return Err(BodyError::Refused(broken(more.len())));
        }
        return Ok(HeldBody { bytes: first, share });
    }
    let expected = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or(first.len());
    let mut whole = BytesMut::with_capacity(expected.clamp(first.len(), FIRST_CAPACITY.max(first.len())));
    whole.extend_from_slice(&first);
    while let Some(piece) = next_piece(session, started, limits, share.bytes).await? {
        if (whole.len() + piece.len()) as u64 > limits.max_bytes {
            return Err(BodyError::Refused(too_large(limits)));
        }
        share.grow(piece.len() as u64).map_err(BodyError::Refused)?;
        whole.extend_from_slice(&piece);
    }
    Ok(HeldBody { bytes: whole.freeze(), share })
}

async fn next_piece(
    session: &mut Session,
    started: Instant,
    limits: BodyLimits,
    received: u64,
) -> Result<Option<Bytes>, BodyError> {
    let until = started + limits.time + Duration::from_secs(received / BYTES_PER_EXTRA_SECOND);
    match tokio::time::timeout_at(until, session.downstream_session.read_request_body()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) if matches!(error.etype(), ErrorType::InvalidHTTPHeader | ErrorType::Custom(_)) => {
            Err(BodyError::Refused(broken(0)))
        }
        Ok(Err(_)) => Err(BodyError::ClientLeft),
        Err(_) => Err(BodyError::Refused(Refusal::new(
            Reason::BodyTimeout,
            format!("the request body did not arrive within {} s", limits.time.as_secs_f32()),
        ))),
    }
}

fn declared_length(session: &Session) -> Result<Option<u64>, Refusal> {
    let Some(value) = session.req_header().headers.get(http::header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    length.map(Some).ok_or_else(|| Refusal::new(Reason::InvalidRequest, "the content-length header is no number"))
}

fn expects_continue(session: &Session) -> bool {
    let expect = session.req_header().headers.get(http::header::EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn write_continue(session: &mut Session) -> pingora::Result<()> {
    match &mut *session.downstream_session {
        HttpSession::H1(http1) => http1.write_continue_response().await,
        // HTTP/2 clients send their body without being asked to.
        _ => Ok(()),
    }
}

/// The refusal of a body that is larger than allowed.
pub(crate) fn too_large(limits: BodyLimits) -> Refusal {
    let message = format!(
        "the request body is larger than the {} MiB that `client.max_request_body_size_mb` allows",
        limits.max_bytes / (1024 * 1024)
    );
    Refusal::new(Reason::BodyTooLarge, message)
}

fn broken(extra: usize) -> Refusal {
    let what = if extra > 0 { "is longer than its content-length" } else { "is not framed as HTTP" };
    Refusal::new(Reason::InvalidRequest, format!("the request body {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_takes_nothing_of_the_budget() {
        let budget = BodyBudget::new(10);
        let mut body = HeldBody { bytes: Bytes::new(), share: Share { budget: Arc::clone(&budget), bytes: 0 } };
        assert!(body.hold_more(8));
        assert!(!body.hold_more(3));
        assert_eq!(budget.held(), 8);
        assert!(body.hold_more(2));
        drop(body);
        assert_eq!(budget.held(), 0);
    }
}
