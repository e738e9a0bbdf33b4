//! A response body written by an async function: it sends pieces through an [`Outlet`] and waits between them as it likes.
//! hyper drops the body, and the function with it, when the caller has gone.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::conn::Link;

type Slot = Arc<Mutex<Option<Bytes>>>;

/// The writing end of a [`PlayedBody`].
#[derive(Debug)]
pub(super) struct Outlet {
    slot: Slot,
    flushes: watch::Receiver<u64>,
}

impl Outlet {
    /// Sends one piece and waits until it has been written to the socket (exact on HTTP/1; on HTTP/2, where connections are
    /// shared, until the connection next wrote everything it had).
    pub(super) async fn send(&mut self, piece: Bytes) {
        let before = *self.flushes.borrow();
        *self.slot.lock() = Some(piece);
        // The connection outlives the body, so this ends; if it did not, the piece could not be written either.
        let _ = self.flushes.wait_for(|count| *count > before).await;
    }

    /// Sends one piece without waiting for the socket, so that hyper may write many in one go.
    pub(super) async fn send_buffered(&mut self, piece: Bytes) {
        *self.slot.lock() = Some(piece);
        // hyper takes the piece and polls again at once, so nobody has to be woken.
        poll_fn(|_| if self.slot.lock().is_none() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Sends the last piece of a body of known length. hyper does not poll such a body again, so there is nothing to wait for.
    pub(super) fn send_last(&self, piece: Bytes) {
        *self.slot.lock() = Some(piece);
    }
}

/// The reading end, which hyper polls.
pub(super) struct PlayedBody {
    slot: Slot,
    play: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    length: Option<u64>,
}

impl PlayedBody {
    /// A body written by `play`; with a `length` it is announced by Content-Length, otherwise it is chunked.
    pub(super) fn new<F>(link: &Link, length: Option<u64>, play: impl FnOnce(Outlet) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let slot = Slot::default();
        let outlet = Outlet { slot: Arc::clone(&slot), flushes: link.flushes() };
        Self { slot, play: Some(Box::pin(play(outlet))), length }
    }
}

impl Body for PlayedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(play) = self.play.as_mut()
            && play.as_mut().poll(cx).is_ready()
        {
            self.play = None;
        }
        let piece = self.slot.lock().take();
        match piece {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.play.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
