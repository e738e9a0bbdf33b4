//! A client that hangs up in the middle: of its request, or of its answer.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::config::KEY;
use super::soon;

/// A POST after whose answer the connection ends.
pub(crate) fn last_post(path: &str, request_id: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\
         x-request-id: {request_id}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Writes so many bytes of a request, reads so many of the answer at most, and hangs up. The status, if it came that far.
///
/// # Errors
/// When nobody listens.
pub(crate) async fn hang_up_after(
    address: SocketAddr,
    request: &[u8],
    written: usize,
    read: usize,
) -> io::Result<Option<u16>> {
    let mut socket = soon(TcpStream::connect(address)).await?;
    socket.set_nodelay(true)?;
    let _ = soon(socket.write_all(&request[..written.min(request.len())])).await;
    let mut answer = Vec::new();
    if written >= request.len() {
        let mut answer_part = socket.take(read as u64);
        let _ = soon(answer_part.read_to_end(&mut answer)).await;
    }
    Ok(answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok()))
}
