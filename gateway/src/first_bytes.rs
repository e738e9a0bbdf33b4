//! A connection's first bytes: they tell HTTP/2 without TLS from HTTP/1, and must come in time.
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

/// No request of HTTP/1 begins with this, or is shorter.
const H2_START: [u8; 4] = *b"PRI ";
/// The whole preface of HTTP/2 (RFC 9113, section 3.4).
const H2_PREFACE_BYTES: usize = 24;
/// How long a new connection may stay silent, and how long an HTTP/2 preface may take.
const PATIENCE: Duration = Duration::from_secs(30);
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
        if peek::<{ H2_START.len() }>(&mut stream).await? != H2_START {
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

/// The first bytes, left where they are. `None`: the client left, or was too slow.
async fn peek<const N: usize>(stream: &mut Stream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    match tokio::time::timeout(PATIENCE, stream.try_peek(&mut bytes)).await {
        Ok(Ok(true)) => Some(bytes),
        _ => None,
    }
}
