//! The server: accepts connections, reads each request into the books, and hands it on to be answered.

use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::RwLock;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::body::PlayedBody;
use super::books::{Books, Pen};
use super::conn::{Conn, Link};
use super::controls::Controls;
use super::desk;
use super::entry::{Credential, Entry};
use super::play::pause;
use super::reply::{self, Asked};
use super::route::{Route, percent_decoded};

const MAX_BODY_BYTES: usize = 256 << 20;
/// After a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const MAX_KEPT_JSON_BYTES: usize = 1 << 20;

/// What every connection shares.
#[derive(Debug)]
pub(super) struct House {
    pub(super) books: Books,
    /// What a model without controls of its own gets.
    pub(super) defaults: RwLock<Controls>,
}

/// Serves until `stopped`; every connection ends with the runtime.
pub(super) async fn run(listener: TcpListener, house: Arc<House>, stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let accepting = async {
        for id in 0.. {
            // Errors of accept are those of a connection that failed early, or of too many open files; both pass.
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(connection(stream, id, Arc::clone(&house)))),
                Err(_) => pause(ACCEPT_PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stopped => {}
    }
}

async fn connection(stream: TcpStream, id: u64, house: Arc<House>) {
    // Small writes must leave at once; a socket that refuses this is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let link = Link::new(id);
    let io = TokioIo::new(Conn::new(stream, Arc::clone(&link)));
    let service = service_fn(|request| {
        let (house, link) = (Arc::clone(&house), Arc::clone(&link));
        async move { Ok::<_, Infallible>(handle(request, &house, link).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        // A caller that breaks off is no error here: the books note it.
        _ = server.serve_connection(io, service) => {}
        () = link.reset_asked() => {}
    }
}

async fn handle(request: Request<Incoming>, house: &House, link: Arc<Link>) -> Response<PlayedBody> {
    let books = &house.books;
    let (head, body) = request.into_parts();
    if let Some(rest) = head.uri.path().strip_prefix("/_fake/") {
        return desk::reply(&head.method, rest, books, &link);
    }
    let entry = if books.keeps_entries() { first_note(&head, link.id) } else { Entry::default() };
    let pen = books.open(entry);
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        // The caller broke the upload off, or sent more than any vendor takes; dropping the pen notes that it has gone.
        link.reset();
        return pending().await;
    };
    let body = body.to_bytes();
    let asked = understand(&head, &body, &pen, house);
    if books.keeps_entries() {
        note_body(&pen, &body, &asked);
    }
    pause(asked.controls.header_delay).await;
    if asked.controls.reset_before_header {
        let mut pen = pen;
        pen.over(false);
        link.reset();
        return pending().await;
    }
    reply::reply(asked, pen, books, link)
}

fn first_note(head: &hyper::http::request::Parts, connection: u64) -> Entry {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Entry {
        connection,
        version: format!("{:?}", head.version),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        credentials: credentials(&head.headers, &head.uri),
        ..Entry::default()
    }
}

fn understand(head: &hyper::http::request::Parts, body: &Bytes, pen: &Pen, house: &House) -> Asked {
    let route = Route::of(&head.method, head.uri.path(), &head.headers);
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let alt_sse = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let presented = credentials(&head.headers, &head.uri);
    let asked = Asked::new(route, body, alt_sse, presented, pen.seq(), &house.defaults.read());
    pen.asked(&asked.model, asked.text_tokens);
    asked
}

fn note_body(pen: &Pen, body: &Bytes, asked: &Asked) {
    let digest = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    pen.note(|entry| {
        entry.body_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        entry.body_sha256 = digest;
        entry.body = asked.body.clone().filter(|_| body.len() <= MAX_KEPT_JSON_BYTES);
        entry.model = Some(asked.model.clone()).filter(|model| !model.is_empty());
        entry.stream = asked.stream;
        entry.dialect = asked.route.as_ref().map(|route| route.dialect);
        entry.operation = asked.route.as_ref().map(|route| route.operation);
        entry.input_tokens = asked.text_tokens;
    });
}

/// Every place in which a vendor looks for a credential.
fn credentials(headers: &HeaderMap, uri: &Uri) -> Vec<Credential> {
    let mut found = Vec::new();
    for header in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        for value in headers.get_all(header) {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = value.strip_prefix("Bearer ").unwrap_or(&value).to_owned();
            found.push(Credential { header: header.to_owned(), value });
        }
    }
    let query = uri.query().unwrap_or_default();
    for key in query.split('&').filter_map(|pair| pair.strip_prefix("key=")) {
        found.push(Credential { header: "?key".to_owned(), value: percent_decoded(key) });
    }
    found
}
