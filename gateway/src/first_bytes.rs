//! A connection's first bytes: they tell HTTP/2 without TLS from HTTP/1 and from what is no HTTP, and must come in time.
//!
//! Pingora alone would wait for a whole HTTP/2 preface, 24 bytes, without a deadline: strangers could hold connections
//! for ever, and a health check of `GET /livez HTTP/1.0` is shorter than that.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use policy::decision::{Reason, Refusal};
use policy::request::Dialect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// No request of HTTP/1 begins with this, or is shorter.
const H2_START: [u8; 4] = *b"PRI ";
/// The whole preface of HTTP/2 (RFC 9113, section 3.4).
const H2_PREFACE_BYTES: usize = 24;
/// How long a new connection may stay silent, and how long an HTTP/2 preface may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to tell a stranger that it speaks no HTTP.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How long a connection of HTTP/1 is kept for its next request, in seconds.
const KEEP_ALIVE_S: u64 = 60;

/// Looks at a connection's first bytes before the app inside sees it.
pub(crate) struct FirstBytes<A>(Arc<A>);

impl<A> FirstBytes<A> {
    pub(crate) fn new(app: A) -> Self {
        Self(Arc::new(app))
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for FirstBytes<A> {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        // Behind TLS, the handshake has said which version it is.
        if stream.get_ssl_digest().is_some() {
            return self.0.process_new(stream, shutdown).await;
        }
        let first = peek::<{ H2_START.len() }>(&mut stream).await?;
        if let Some(what) = no_request(first) {
            refuse(&mut stream, what).await;
            return None;
        }
        if first != H2_START {
            self.http1(stream, shutdown).await;
            return None;
        }
        peek::<H2_PREFACE_BYTES>(&mut stream).await?;
        self.0.process_new(stream, shutdown).await
    }

    async fn cleanup(&self) {
        self.0.cleanup().await;
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> FirstBytes<A> {
    async fn http1(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let mut session = ServerSession::new_http1(stream);
        session.set_keepalive((!*shutdown.borrow()).then_some(KEEP_ALIVE_S));
        let mut reused = self.0.process_new_http(session, shutdown).await;
        while let Some((stream, settings)) = reused.map(ReusedHttpStream::consume) {
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings {
                settings.apply_to_session(&mut session);
            }
            reused = self.0.process_new_http(session, shutdown).await;
        }
    }
}

/// Why no request begins with these bytes; `None`: one may. What is no HTTP further on, Pingora answers with a bare 400.
fn no_request(first: [u8; 4]) -> Option<&'static str> {
    // RFC 8446, section 5.1: a handshake's record.
    if first.starts_with(&[0x16, 0x03]) {
        return Some(
            "this address speaks HTTP without TLS: call it by http://, or give the gateway `tls.cert` and `tls.key`",
        );
    }
    // RFC 9112, sections 2.2 and 3: a method's name, which may follow an empty line; after a short one, where it is asked of.
    let may_be = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~ /\r\n".contains(byte);
    (!first.iter().all(may_be)).then_some("this is no HTTP request")
}

/// Tells whoever sends no HTTP so, as far as it listens. There is no path, so there is no dialect: all clients read this one.
async fn refuse(stream: &mut Stream, what: &str) {
    let body = providers::error::body(Dialect::OpenAi, &Refusal::new(Reason::InvalidRequest, what), "");
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let tell = async {
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        // What is closed with bytes unread is reset, and the answer may be lost with it.
        let mut unread = [0; 4096];
        for _ in 0..16 {
            if stream.read(&mut unread).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    // Whoever sends no HTTP may not read any either.
    let _ = tokio::time::timeout(LAST_WORD, tell).await;
}

/// The first bytes, left where they are. `None`: the client left, or was too slow.
async fn peek<const N: usize>(stream: &mut Stream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    match tokio::time::timeout(PATIENCE, stream.try_peek(&mut bytes)).await {
        Ok(Ok(true)) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_request_begins_with_is_none() {
        for first in [b"GET ", b"POST", b"M-SE", b"\r\nGE", b"A / ", b"PRI "] {
            assert_eq!(no_request(*first), None, "{first:?}");
        }
        assert!(no_request([0x16, 3, 1, 2]).unwrap().contains("without TLS"));
        for first in [*b"\0\0\0\0", *b"{\"mo", *b"GET\t", [0xFF, b'E', b'T', b' ']] {
            assert_eq!(no_request(first), Some("this is no HTTP request"), "{first:?}");
        }
    }
}
