//! HTTP/1.1 byte by byte, for what no client library would send or show.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::config::KEY;
use super::soon;

/// A connection to the gateway, and what has come over it that is not looked at yet.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: TcpStream,
    seen: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The head of a POST with the key, this length header and nothing else special.
pub(crate) fn head(path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n{framing}\r\n\r\n")
}

/// A whole POST with a length.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!("{}{body}", head(path, &format!("content-length: {}", body.len()))).into_bytes()
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, seen: Vec::new() }
    }

    /// Writes all of it; a peer that has closed is no failure here.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.socket.write_all(bytes.as_ref())).await;
    }

    /// Writes each byte by itself.
    pub(crate) async fn send_byte_by_byte(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.send([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// Reads one whole answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head().await;
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        answer.body = match length {
            Some(length) => self.take(length).await,
            None if answer.header("transfer-encoding") == Some("chunked") => self.chunks().await,
            None => self.rest().await,
        };
        answer
    }

    /// Reads up to the end of an answer's header.
    pub(crate) async fn answer_head(&mut self) -> Answer {
        let text = self.until(b"\r\n\r\n").await;
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Answer { status, headers, body: Vec::new() }
    }

    /// Reads the next chunk of a chunked body; `None` for its end.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = String::from_utf8(self.until(b"\r\n").await).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = self.take(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await {
            body.extend(chunk);
        }
        body
    }

    /// Everything until the peer closes or resets.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.seen)
    }

    async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.seen.len() < count {
            assert!(self.read_more().await, "the connection ended after {:?}", String::from_utf8_lossy(&self.seen));
        }
        self.seen.drain(..count).collect()
    }

    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end) {
                return self.seen.drain(..at + end.len()).collect();
            }
            assert!(self.read_more().await, "the connection ended after {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    async fn read_more(&mut self) -> bool {
        matches!(soon(self.socket.read_buf(&mut self.seen)).await, Ok(count) if count > 0)
    }
}
