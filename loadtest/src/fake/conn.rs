//! One accepted connection: plain TCP, plus three things hyper does not offer. A handler can leave the connection in several ways,
//! it can wait until what it gave to hyper has been written to the socket, and it can write behind hyper's back.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How the provider leaves a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// With a TCP RST.
    Reset,
    /// With a FIN, whatever was still to be sent.
    HangUp,
    /// With an HTTP/2 GOAWAY frame and then a FIN.
    GoAway,
    /// As soon as every answer is whole, which HTTP/2 announces by a GOAWAY frame.
    Drain,
}

/// What a connection and the answers running on it share.
#[derive(Debug)]
pub(super) struct Link {
    /// Counts connections from 0.
    pub(super) id: u64,
    leave: watch::Sender<Option<Leave>>,
    flushes: watch::Sender<u64>,
    /// Written behind what hyper writes next.
    trailer: Mutex<Bytes>,
}

impl Link {
    pub(super) fn new(id: u64) -> Arc<Self> {
        let (leave, flushes) = (watch::Sender::new(None), watch::Sender::new(0));
        Arc::new(Self { id, leave, flushes, trailer: Mutex::default() })
    }

    /// Asks for the connection to be left.
    pub(super) fn leave(&self, how: Leave) {
        self.leave.send_replace(Some(how));
    }

    /// Whether the provider has left the connection in mid-answer, so that whatever ends now ends by its doing.
    pub(super) fn is_left(&self) -> bool {
        self.leave.borrow().is_some_and(|how| how != Leave::Drain)
    }

    /// Completes once [`Link::leave`] has been called for something else than is known already, and says how.
    pub(super) async fn leaving(&self, known: Option<Leave>) -> Leave {
        let mut leave = self.leave.subscribe();
        match leave.wait_for(|how| *how != known).await {
            Ok(how) => how.unwrap_or(Leave::Reset),
            // The sender lives as long as this link.
            Err(_) => Leave::Reset,
        }
    }

    /// Has these bytes written right behind what hyper writes next.
    pub(super) fn trail(&self, bytes: Bytes) {
        *self.trailer.lock() = bytes;
    }

    /// How often everything written so far has reached the socket.
    pub(super) fn flushes(&self) -> watch::Receiver<u64> {
        self.flushes.subscribe()
    }
}

/// The socket under hyper.
#[derive(Debug)]
pub(super) struct Conn {
    stream: TcpStream,
    link: Arc<Link>,
}

impl Conn {
    pub(super) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if *self.link.leave.borrow() == Some(Leave::Reset) {
            // Lingering for no time turns the close that follows into a RST. Failing to set it leaves an ordinary close.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes only after its own buffer has gone out, so a flush here means that every frame given to it is in the socket.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, link } = &mut *self;
        let mut trailer = link.trailer.lock();
        while !trailer.is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, &trailer))?;
            trailer.advance(written);
        }
        drop(trailer);
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.link.flushes.send_modify(|count| *count += 1);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
