//! A fake LLM provider: real sockets, the vendors' wire formats, faults on demand, and books of what it was asked and gave.
//! What it answers is a function of the request alone; nothing here knows the gateway.

mod anthropic;
mod asked;
mod body;
mod bomb;
mod books;
mod catalog;
mod clock;
mod complaint;
mod conn;
mod controls;
mod desk;
mod embed;
mod entry;
mod gemini;
mod headers;
mod listen;
mod openai;
mod pen;
mod play;
mod prefill;
mod reply;
mod responses;
mod route;
mod script;
mod serve;
mod silent;
mod strict;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;

use anyhow::Context as _;
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;

pub use books::Books;
pub use complaint::Complaint;
pub use controls::{Controls, Faults, UsageReport, Whom};
pub use entry::{Credential, Ending, Entry, Totals};
use listen::Order;
pub use route::{Dialect, Operation};
use serve::House;
pub use silent::{Closed, Mute};

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
    /// The provider stops when this is gone.
    orders: Option<mpsc::UnboundedSender<Order>>,
    /// Keeps the port while the provider is down.
    closed: Mutex<Option<Closed>>,
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
        let (orders, given) = mpsc::unbounded_channel();
        let service = listen::run(listener, Arc::clone(&house), given);
        let thread =
            std::thread::Builder::new().name("fake-provider".into()).spawn(move || runtime.block_on(service))?;
        Ok(Self { addr, house, orders: Some(orders), closed: Mutex::default(), thread: Some(thread) })
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

    /// Resets every connection and refuses new ones, until [`FakeProvider::come_back`]. When it returns, nobody listens any more
    /// and no connection is left. What was in progress ends in the books as broken off by the provider.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub fn go_down(&self) -> anyhow::Result<()> {
        let mut closed = self.closed.lock();
        if closed.is_none() {
            self.order(Order::GoDown)?;
            let kept = Closed::at(self.addr).with_context(|| format!("cannot keep {}", self.addr))?;
            *closed = Some(kept);
        }
        Ok(())
    }

    /// Listens again, at the same address. When it returns, connections are accepted.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub fn come_back(&self) -> anyhow::Result<()> {
        let Some(closed) = self.closed.lock().take() else { return Ok(()) };
        let listener = closed.open().with_context(|| format!("cannot listen on {}", self.addr))?;
        self.order(|done| Order::ComeBack(listener, done))
    }

    /// A listener that accepts and never speaks: a TLS handshake with it stalls.
    ///
    /// # Errors
    /// When no port is free or the thread cannot be started.
    pub fn mute() -> anyhow::Result<Mute> {
        Mute::start().context("cannot start a mute listener")
    }

    /// A port that refuses every connection for as long as this lives.
    ///
    /// # Errors
    /// When no port is free.
    pub fn closed() -> anyhow::Result<Closed> {
        Closed::any().context("cannot take a port")
    }

    /// Gives an order and waits until it is carried out.
    fn order(&self, order: impl FnOnce(std_mpsc::Sender<()>) -> Order) -> anyhow::Result<()> {
        let (done, is_done) = std_mpsc::channel();
        if let Some(orders) = &self.orders {
            orders.send(order(done)).context("the provider has stopped")?;
        }
        is_done.recv().context("the provider has stopped")
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
