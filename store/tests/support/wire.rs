//! The wire between a store and its server, which can be cut.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;

/// Leads from a port of its own to the server.
pub(crate) struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_cut: AtomicBool,
    /// The answer to the next `COMMIT` is lost, with its connection.
    loses_commit: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    pub(crate) fn to(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let (host, passed) = (host.to_owned(), Arc::clone(&shared));
        // Ends with the tests' process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !passed.is_cut.load(Ordering::SeqCst) {
                    join(client, TcpStream::connect((&*host, port)).unwrap(), &passed);
                }
            }
        });
        Self { port: own, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and lets none be made.
    pub(crate) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().drain(..) {
            // It may be closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    pub(crate) fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    /// Lets the server do the next `COMMIT`, and breaks the connection before it can say so.
    pub(crate) fn lose_next_commit(&self) {
        self.shared.loses_commit.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_lost_commit(&self) -> bool {
        !self.shared.loses_commit.load(Ordering::SeqCst)
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    shared.open.lock().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    let is_losing = Arc::new(AtomicBool::new(false));
    let (to_server, to_client) = ((client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client));
    let (shared, losing) = (Arc::clone(shared), Arc::clone(&is_losing));
    thread::spawn(move || {
        pass(to_server, |bytes| {
            let is_commit = bytes.windows(7).any(|part| part == b"COMMIT\0");
            if is_commit && shared.loses_commit.swap(false, Ordering::SeqCst) {
                losing.store(true, Ordering::SeqCst);
            }
            true
        });
    });
    thread::spawn(move || pass(to_client, |_| !is_losing.load(Ordering::SeqCst)));
}

/// Passes on what comes, as long as it may.
fn pass((mut from, mut to): (TcpStream, TcpStream), may_pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}
