//! The listener and its connections: accepted while the provider is up, reset when it goes down.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::conn::{Conn, Leave, Link};
use super::play::pause;
use super::serve::{House, handle};

/// After a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What the listener is told; it says when it is done.
#[derive(Debug)]
pub(super) enum Order {
    /// Close the listener and reset every connection.
    GoDown(std_mpsc::Sender<()>),
    /// Accept here.
    ComeBack(TcpListener, std_mpsc::Sender<()>),
}

/// Serves until nobody can give orders any more; every connection ends with the runtime.
pub(super) async fn run(listener: TcpListener, house: Arc<House>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut listener = Some(listener);
    let open = Arc::new(watch::Sender::new(0));
    let outage = watch::Sender::new(());
    let mut id = 0;
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(Order::GoDown(done)) => {
                    listener = None;
                    outage.send_replace(());
                    // This task holds the sender itself.
                    let _ = open.subscribe().wait_for(|count| *count == 0).await;
                    let _ = done.send(());
                }
                Some(Order::ComeBack(place, done)) => {
                    listener = tokio::net::TcpListener::from_std(place).ok();
                    let _ = done.send(());
                }
            },
            stream = accepted(listener.as_ref()) => {
                house.books.connected();
                let guard = Open::count(&open);
                drop(tokio::spawn(connection(stream, id, Arc::clone(&house), outage.subscribe(), guard)));
                id += 1;
            }
        }
    }
}

/// The next connection; never, where nobody listens.
async fn accepted(listener: Option<&tokio::net::TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        // Errors of accept are those of a connection that failed early, or of too many open files; both pass.
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => pause(ACCEPT_PAUSE).await,
        }
    }
}

/// Counts an open connection for as long as it lives.
struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn count(open: &Arc<watch::Sender<usize>>) -> Self {
        open.send_modify(|count| *count += 1);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn connection(stream: TcpStream, id: u64, house: Arc<House>, outage: watch::Receiver<()>, guard: Open) {
    serve(stream, id, house, outage).await;
    // Only now the socket is closed.
    drop(guard);
}

async fn serve(stream: TcpStream, id: u64, house: Arc<House>, mut outage: watch::Receiver<()>) {
    // Small writes must leave at once; a socket that refuses this is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let link = Link::new(id);
    let io = TokioIo::new(Conn::new(stream, Arc::clone(&link)));
    let service = service_fn(|request| {
        let (house, link) = (Arc::clone(&house), Arc::clone(&link));
        async move { Ok::<_, Infallible>(handle(request, &house, link).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let mut serving = pin!(server.serve_connection(io, service));
    let mut known = None;
    loop {
        tokio::select! {
            // A caller that breaks off is no error here: the books note it.
            _ = serving.as_mut() => break,
            _ = outage.changed() => {
                link.leave(Leave::Reset);
                break;
            }
            how = link.leaving(known) => match how {
                Leave::Reset | Leave::HangUp => break,
                Leave::GoAway => {
                    let mut flushes = link.flushes();
                    let before = *flushes.borrow();
                    serving.as_mut().graceful_shutdown();
                    tokio::select! {
                        _ = serving.as_mut() => {}
                        _ = flushes.wait_for(|count| *count > before) => {}
                    }
                    break;
                }
                Leave::Drain => {
                    serving.as_mut().graceful_shutdown();
                    known = Some(Leave::Drain);
                }
            },
        }
    }
}
