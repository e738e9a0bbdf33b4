//! A fake LLM provider: real sockets, the vendors' wire formats, faults on demand, and books of what it was asked and gave.
//! What it answers is a function of the request alone; nothing here knows the gateway.

mod anthropic;
mod body;
mod books;
mod catalog;
mod conn;
mod controls;
mod desk;
mod embed;
mod entry;
mod gemini;
mod openai;
mod play;
mod reply;
mod responses;
mod route;
mod script;
mod serve;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use parking_lot::RwLock;
use tokio::sync::oneshot;

pub use books::Books;
pub use controls::{Controls, UsageReport};
pub use entry::{Credential, Entry, Totals};
pub use route::{Dialect, Operation};
use serve::House;

/// How a [`FakeProvider`] is run.
#[derive(Clone, Debug)]
pub struct FakeOptions {
    /// Keep one [`Entry`] per request. Without it only [`Totals`] are counted, which is what load runs want.
    pub books: bool,
    /// What a model name without controls of its own gets.
    pub controls: Controls,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self { books: true, controls: Controls::default() }
    }
}

/// A running fake provider, on a thread and a runtime of its own, so that a test on any runtime can use it.
///
/// It stops, and closes every connection, when it is dropped.
#[derive(Debug)]
pub struct FakeProvider {
    addr: SocketAddr,
    house: Arc<House>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeProvider {
    /// Listens on `listen` (port 0 for any free port) and keeps full books.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread cannot be started.
    pub fn start(listen: SocketAddr) -> anyhow::Result<Self> {
        Self::start_with(listen, FakeOptions::default())
    }

    /// As [`FakeProvider::start`], with options.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread cannot be started.
    pub fn start_with(listen: SocketAddr, options: FakeOptions) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let defaults = RwLock::new(options.controls);
        let house = Arc::new(House { books: Books::new(options.books), defaults });
        let (stop, stopped) = oneshot::channel();
        let service = serve::run(listener, Arc::clone(&house), stopped);
        let thread =
            std::thread::Builder::new().name("fake-provider".into()).spawn(move || runtime.block_on(service))?;
        Ok(Self { addr, house, stop: Some(stop), thread: Some(thread) })
    }

    /// As [`FakeProvider::start`] on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port is free or the thread cannot be started.
    pub fn local() -> anyhow::Result<Self> {
        Self::start(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Where it listens; never port 0.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://HOST:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A cheap handle to what it was asked and gave; it outlives the provider.
    pub fn books(&self) -> Books {
        self.house.books.clone()
    }

    /// Changes what a model name without controls of its own gets, from the next request on.
    pub fn set_controls(&self, controls: Controls) {
        *self.house.defaults.write() = controls;
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The other end is gone only when the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
