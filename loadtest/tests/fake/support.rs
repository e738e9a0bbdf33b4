//! A client small enough to see through: one request per connection, bodies as they came.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use loadtest::fake::{Books, Entry, FakeProvider};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Reached only when something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A complete answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The events' `data:` lines, `[DONE]` as a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
    }

    /// The events' names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
    }
}

pub(crate) fn provider() -> FakeProvider {
    FakeProvider::local().unwrap()
}

/// Opens an exchange and returns when the response header is there.
pub(crate) async fn open(addr: SocketAddr, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await
}

pub(crate) async fn exchange(addr: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let work = async {
        let (head, body) = open(addr, request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

pub(crate) fn request(method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
    let builder =
        Request::builder().method(method).uri(path).header("host", "fake").header("authorization", "Bearer sk-test");
    builder.body(Full::from(body.to_owned())).unwrap()
}

pub(crate) async fn post(fake: &FakeProvider, path: &str, body: Value) -> Reply {
    exchange(fake.addr(), request(Method::POST, path, &body.to_string())).await
}

pub(crate) async fn get(fake: &FakeProvider, path: &str) -> Reply {
    exchange(fake.addr(), request(Method::GET, path, "")).await
}

/// A chat body whose text is eight bytes, that is two tokens.
pub(crate) fn chat_body(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "max_tokens": 100, "messages": [{"role": "user", "content": "12345678"}]})
}

pub(crate) async fn chat(fake: &FakeProvider, model: &str, stream: bool) -> Reply {
    post(fake, "/v1/chat/completions", chat_body(model, stream)).await
}

/// The same chat of OpenAI, Anthropic and Gemini.
pub(crate) async fn in_every_dialect(fake: &FakeProvider, controls: &str, stream: bool) -> [Reply; 3] {
    let model = format!("m~{controls}");
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let contents = json!({"contents": [{"parts": [{"text": "12345678"}]}]});
    [
        chat(fake, &model, stream).await,
        post(fake, "/v1/messages", chat_body(&model, stream)).await,
        post(fake, &format!("/v1beta/models/g~{controls}:{verb}"), contents).await,
    ]
}

/// A chat request whose connection the test holds itself.
pub(crate) async fn raw_chat(fake: &FakeProvider, model: &str, stream: bool) -> TcpStream {
    let body = chat_body(model, stream).to_string();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut socket = TcpStream::connect(fake.addr()).await.unwrap();
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    socket
}

/// Everything that comes until `end` has come, or the connection ends.
pub(crate) async fn read_until(socket: &mut TcpStream, end: &str) -> io::Result<String> {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(end) {
        let read = tokio::time::timeout(PATIENCE, socket.read_buf(&mut seen)).await.unwrap()?;
        if read == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&seen).into_owned())
}

/// Everything that comes until the connection fails, and how it fails.
pub(crate) async fn read_to_failure(socket: &mut TcpStream) -> (String, io::Result<usize>) {
    let mut seen = Vec::new();
    let result = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut seen)).await.unwrap();
    (String::from_utf8_lossy(&seen).into_owned(), result)
}

/// Waits until the only entry satisfies `condition`.
pub(crate) async fn only_entry(books: &Books, condition: impl Fn(&Entry) -> bool) -> Entry {
    let entries = books.wait_for(|entries| entries.len() == 1 && condition(&entries[0]), PATIENCE).await.unwrap();
    entries[0].clone()
}
