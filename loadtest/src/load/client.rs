//! A client that costs as little as a client can: one HTTP/1 connection, a request that is ready to send, an answer read whole.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::machine::{now, ns_since};

const MAX_HEADERS: usize = 64;
const READ_BYTES: usize = 64 * 1024;

/// A keep-alive connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
}

/// An answer, valid until the next exchange.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    /// The body, chunking removed.
    pub(super) body: &'a [u8],
    /// From the start of sending to the first bytes of the answer.
    pub(super) first_byte_ns: u64,
}

/// How a body ends.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub(super) async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await.with_context(|| format!("cannot connect to {addr}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(READ_BYTES), body: Vec::with_capacity(READ_BYTES) })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// When the connection ends early or what comes is not HTTP/1.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        self.received.clear();
        self.body.clear();
        let start = now();
        self.stream.write_all(request).await?;
        self.read_more().await?;
        let first_byte_ns = ns_since(start);
        let (status, framing, head_bytes) = loop {
            if let Some(head) = parse_head(&self.received)? {
                break head;
            }
            self.read_more().await?;
        };
        match framing {
            Framing::Length(length) => self.read_length(head_bytes, length).await?,
            Framing::Chunked => self.read_chunks(head_bytes).await?,
        }
        Ok(Reply { status, body: &self.body, first_byte_ns })
    }

    async fn read_length(&mut self, head_bytes: usize, length: usize) -> anyhow::Result<()> {
        while self.received.len() < head_bytes + length {
            self.read_more().await?;
        }
        self.body.extend_from_slice(self.received.get(head_bytes..).unwrap_or_default());
        ensure!(self.body.len() == length, "more bytes than announced");
        Ok(())
    }

    async fn read_chunks(&mut self, head_bytes: usize) -> anyhow::Result<()> {
        let mut chunks = Chunks::default();
        let mut read = head_bytes;
        loop {
            read += chunks.take(self.received.get(read..).unwrap_or_default(), &mut self.body)?;
            if chunks.is_done() {
                return Ok(());
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        self.received.reserve(READ_BYTES);
        let count = self.stream.read_buf(&mut self.received).await?;
        ensure!(count > 0, "the connection was closed in the middle of an answer");
        Ok(())
    }
}

/// Status, framing and length of the response header, or `None` if it is not complete.
fn parse_head(received: &[u8]) -> anyhow::Result<Option<(u16, Framing, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(bytes) = response.parse(received)? else {
        return Ok(None);
    };
    let status = response.code.context("no status")?;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value)?.trim().parse()?;
            return Ok(Some((status, Framing::Length(length), bytes)));
        }
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Some((status, Framing::Chunked, bytes)));
        }
    }
    bail!("an answer with status {status} that does not say where it ends")
}

/// A decoder for chunked bodies that accepts any border between reads.
#[derive(Debug, Default)]
struct Chunks {
    state: ChunkState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum ChunkState {
    /// Before a chunk's size line.
    #[default]
    Size,
    /// Inside a chunk, with so many bytes to come, the line end included.
    Bytes(usize),
    /// After the last chunk.
    Trailer,
    Done,
}

const LINE_END: &[u8] = b"\r\n";

impl Chunks {
    /// Decodes what it can of `input` into `body` and says how many bytes it used.
    fn take(&mut self, input: &[u8], body: &mut Vec<u8>) -> anyhow::Result<usize> {
        let mut rest = input;
        while !rest.is_empty() && !self.is_done() {
            let used = match self.state {
                ChunkState::Bytes(left) => self.take_bytes(rest, left, body),
                _ => match memchr::memmem::find(rest, LINE_END) {
                    Some(end) => self.take_line(rest.get(..end).unwrap_or_default())?,
                    None => break,
                },
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(input.len() - rest.len())
    }

    fn is_done(&self) -> bool {
        self.state == ChunkState::Done
    }

    fn take_bytes(&mut self, rest: &[u8], left: usize, body: &mut Vec<u8>) -> usize {
        let used = left.min(rest.len());
        let content = used.min(left.saturating_sub(LINE_END.len()));
        body.extend_from_slice(rest.get(..content).unwrap_or_default());
        self.state = if used == left { ChunkState::Size } else { ChunkState::Bytes(left - used) };
        used
    }

    fn take_line(&mut self, line: &[u8]) -> anyhow::Result<usize> {
        self.state = match self.state {
            ChunkState::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                match usize::from_str_radix(std::str::from_utf8(digits)?.trim(), 16)? {
                    0 => ChunkState::Trailer,
                    size => ChunkState::Bytes(size + LINE_END.len()),
                }
            }
            _ if line.is_empty() => ChunkState::Done,
            other => other,
        };
        Ok(line.len() + LINE_END.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_decoded_at_every_border() {
        let wire = b"3\r\nab\r\r\nA;x=y\r\n0123456789\r\n0\r\nt: v\r\n\r\n";
        for border in 0..=wire.len() {
            let (mut chunks, mut body) = (Chunks::default(), Vec::new());
            let used = chunks.take(&wire[..border], &mut body).unwrap();
            chunks.take(&wire[used..], &mut body).unwrap();
            assert!(chunks.is_done(), "border {border}");
            assert_eq!(body, b"ab\r0123456789", "border {border}");
        }
    }

    #[test]
    fn heads_say_how_the_body_ends() {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        let head = parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert!(matches!(head, Some((200, Framing::Length(3), 38))), "{head:?}");
        assert!(parse_head(b"HTTP/1.1 204 No\r\n\r\n").is_err());
    }
}
