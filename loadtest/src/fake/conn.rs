//! One accepted connection: plain TCP, plus two things hyper does not offer. A handler can ask for a reset, and it can wait until
//! what it gave to hyper has been written to the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// What a connection and the answers running on it share.
#[derive(Debug)]
pub(super) struct Link {
    /// Counts connections from 0.
    pub(super) id: u64,
    reset: AtomicBool,
    reset_asked: Notify,
    flushes: watch::Sender<u64>,
}

impl Link {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, reset: AtomicBool::new(false), reset_asked: Notify::new(), flushes: watch::Sender::new(0) })
    }

    /// Asks for the connection to be closed with a TCP RST.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.reset_asked.notify_one();
    }

    /// Completes once [`Link::reset`] has been called.
    pub(super) async fn reset_asked(&self) {
        self.reset_asked.notified().await;
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
        if self.link.reset.load(Ordering::Acquire) {
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
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.link.flushes.send_modify(|count| *count += 1);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
