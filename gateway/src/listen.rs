//! Listening sockets, bound before anything else starts: so that port 0 works, and a taken port is an error at once.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::server::{Fds, ListenFds, ShutdownWatch};
use pingora::services::Service as ServiceTrait;
use pingora::services::listening::Service;
use policy::declare::File;
use socket2::{Domain, Socket, Type};

use crate::cli::Serve;

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

/// The sockets of a gateway.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// For calls to models, and for all else where there is no other.
    pub(crate) calls: Bound,
    /// For everything but calls to models; `None`: it has no address of its own.
    pub(crate) management: Option<Bound>,
}

impl Sockets {
    /// Binds those that the command line asks for, and then the configuration.
    pub(crate) fn bind(arguments: &Serve, file: &File) -> Result<Self> {
        let calls = Bound::bind(&arguments.listen)
            .with_context(|| format!("cannot listen on {} (`--listen` takes another address)", arguments.listen))?;
        let wanted = arguments.admin_listen.as_deref().or(file.admin.listen.as_deref());
        let management = wanted.map(|address| {
            Bound::bind(address).with_context(|| {
                format!("cannot listen on {address} for management (`admin.listen`, `--admin-listen`)")
            })
        });
        Ok(Self { calls, management: management.transpose()? })
    }

    /// Where management is reached.
    pub(crate) fn of_management(&self) -> SocketAddr {
        self.management.as_ref().unwrap_or(&self.calls).address()
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
