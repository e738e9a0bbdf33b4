//! Listening sockets, bound before anything else starts: so that port 0 works, and a taken port is an error at once.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::server::{Fds, ListenFds, ShutdownWatch};
use pingora::services::Service as ServiceTrait;
use pingora::services::listening::Service;
use socket2::{Domain, Socket, Type};

const BACKLOG: i32 = 65_535;

/// A bound socket and its address.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: Socket,
    address: SocketAddr,
}

impl Bound {
    /// Binds an address such as `127.0.0.1:8080`; port 0 takes any free one.
    pub(crate) fn bind(address: &str) -> io::Result<Self> {
        let wanted = address.to_socket_addrs()?.next();
        let wanted = wanted.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address"))?;
        let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&wanted.into())?;
        socket.listen(BACKLOG)?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "not an IP address"))?;
        Ok(Self { socket, address })
    }

    /// The address it is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A service that takes over a bound socket instead of binding its own.
pub(crate) struct OnBound<A> {
    inner: Service<A>,
    fds: ListenFds,
}

impl<A> OnBound<A> {
    /// The service's endpoint must be named after the socket's address.
    pub(crate) fn new(inner: Service<A>, bound: Bound) -> Self {
        let mut fds = Fds::new();
        fds.add(bound.address.to_string(), bound.socket.into_raw_fd());
        Self { inner, fds: Arc::new(Mutex::new(fds)) }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServiceTrait for OnBound<A> {
    async fn start_service(&mut self, _fds: Option<ListenFds>, shutdown: ShutdownWatch, listeners_per_fd: usize) {
        self.inner.start_service(Some(Arc::clone(&self.fds)), shutdown, listeners_per_fd).await;
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn threads(&self) -> Option<usize> {
        self.inner.threads()
    }
}
