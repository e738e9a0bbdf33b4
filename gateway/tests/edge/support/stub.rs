//! A vendor that answers whatever it is told to, byte for byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Where an answer stands in the text, the stub waits until it is told to go on.
pub(crate) const WAIT: &str = "\0";

/// A listener that reads a request, writes what it is told to, and closes.
#[derive(Debug)]
pub(crate) struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requests: Mutex<Vec<String>>,
    go_on: Semaphore,
}

impl Stub {
    /// Answers each request with what `answer` makes of it.
    pub(crate) async fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { requests: Mutex::default(), go_on: Semaphore::new(0) });
        let (kept, answer) = (Arc::clone(&shared), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&kept), Arc::clone(&answer)));
            }
        });
        Self { address, shared }
    }

    /// Lets one answer go on behind its next [`WAIT`].
    pub(crate) fn go_on(&self) {
        self.shared.go_on.add_permits(1);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut socket: TcpStream,
    shared: Arc<Shared>,
    answer: Arc<impl Fn(&str) -> String + Send + Sync + 'static>,
) {
    let mut seen = Vec::new();
    while !is_whole(&seen) {
        if !matches!(socket.read_buf(&mut seen).await, Ok(count) if count > 0) {
            return;
        }
    }
    let request = String::from_utf8_lossy(&seen).into_owned();
    let text = answer(&request);
    shared.requests.lock().unwrap().push(request);
    for (n, part) in text.split(WAIT).enumerate() {
        if n > 0 {
            shared.go_on.acquire().await.unwrap().forget();
        }
        let _ = socket.write_all(part.as_bytes()).await;
    }
    let _ = socket.shutdown().await;
}

/// The gateway always sends a length.
fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
