//! Addresses at which no vendor is to be found: one that accepts and never speaks, and one that refuses.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use socket2::{Domain, Socket, Type};

use super::clock::micros;

/// Accepts connections, reads nothing, says nothing: a TLS handshake with it stalls.
#[derive(Debug)]
pub struct Mute {
    addr: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// When each connection was accepted.
    accepted_us: Mutex<Vec<u64>>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl Mute {
    /// On a free port of 127.0.0.1. It closes every connection when it is dropped.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let kept = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("mute".into()).spawn(move || listen(&listener, &kept))?;
        Ok(Self { addr, shared, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// When each connection was accepted, on the clock of [`Entry`](super::Entry).
    pub fn accepted_us(&self) -> Vec<u64> {
        self.shared.accepted_us.lock().clone()
    }

    /// Waits until `count` connections have been accepted, for `patience` at most; says whether they have. Blocks the thread.
    pub fn wait_for(&self, count: usize, patience: Duration) -> bool {
        let mut accepted = self.shared.accepted_us.lock();
        !self.shared.changed.wait_while_for(&mut accepted, |accepted| accepted.len() < count, patience).timed_out()
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Wakes the thread, which then looks at the flag.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Shared) {
    let mut held = Vec::new();
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Acquire) {
            return;
        }
        held.extend(stream);
        shared.accepted_us.lock().push(micros());
        shared.changed.notify_all();
    }
}

/// A port that is taken, so that nobody else gets it, and refuses every connection.
#[derive(Debug)]
pub struct Closed {
    addr: SocketAddr,
    socket: Socket,
}

impl Closed {
    /// A free port of 127.0.0.1.
    pub(super) fn any() -> io::Result<Self> {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// This port.
    pub(super) fn at(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        // Connections that ended a moment ago do not keep the port.
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
        Ok(Self { addr, socket })
    }

    /// Where nobody listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Listens at last.
    pub(super) fn open(self) -> io::Result<TcpListener> {
        const BACKLOG: i32 = 1_024;
        self.socket.listen(BACKLOG)?;
        self.socket.set_nonblocking(true)?;
        Ok(self.socket.into())
    }
}
