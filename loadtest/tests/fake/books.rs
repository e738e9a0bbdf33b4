//! What the provider writes down.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use loadtest::fake::{Dialect, Ending, FakeOptions, FakeProvider, Operation};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{
    PATIENCE, chat, chat_body, exchange, get, only_entry, open, post, provider, raw_chat, read_until, request,
};

#[tokio::test]
async fn an_entry_tells_the_whole_request() {
    let fake = provider();
    let mut asked = request(Method::POST, "/p/v1/messages?key=q%2Fk&x=1", r#"{"model":"c","messages":"12345"}"#);
    asked.headers_mut().insert("X-Api-Key", "ant".parse().unwrap());
    exchange(fake.addr(), asked).await;
    let entry = fake.books().last().unwrap();
    assert_eq!(
        (entry.method.as_str(), entry.path.as_str(), entry.query.as_deref()),
        ("POST", "/p/v1/messages", Some("key=q%2Fk&x=1"))
    );
    assert_eq!((entry.dialect, entry.operation), (Some(Dialect::Anthropic), Some(Operation::Chat)));
    assert_eq!((entry.model.as_deref(), entry.stream, entry.body_bytes), (Some("c"), false, 32));
    assert_eq!(entry.body_sha256, "20473ba23cf70f7be2bab1325a132f2d028c75fa97b30779907a8dc76ff67bd5");
    assert_eq!(entry.body.as_ref().unwrap()["messages"], "12345");
    assert_eq!(entry.header("x-api-key"), Some("ant"));
    assert_eq!(entry.credential(), Some("sk-test"));
    let found: Vec<(&str, &str)> = entry.credentials.iter().map(|c| (c.header.as_str(), c.value.as_str())).collect();
    assert_eq!(found, [("authorization", "sk-test"), ("x-api-key", "ant"), ("?key", "q/k")]);
    assert_eq!((entry.status, entry.events, entry.output_tokens, entry.input_tokens), (Some(200), 1, 8, 2));
    assert_eq!(entry.usage.unwrap()["output_tokens"], 8);
    assert!(entry.finished && entry.caller_gone.is_none());
}

#[tokio::test]
async fn totals_add_up_and_are_cleared() {
    let fake = provider();
    chat(&fake, "a~words=3", true).await;
    chat(&fake, "a~words=3", false).await;
    chat(&fake, "b", false).await;
    let totals = fake.books().totals();
    assert_eq!((totals.requests, totals.input_tokens, totals.output_tokens), (3, 6, 14));
    assert_eq!((totals.requests_by_model["a~words=3"], totals.requests_by_model["b"]), (2, 1));
    fake.books().clear();
    assert_eq!(fake.books().totals(), Default::default());
    assert!(fake.books().is_empty());
}

#[tokio::test]
async fn the_books_are_open_over_http() {
    let fake = provider();
    assert_eq!(get(&fake, "/_fake/health").await.json(), json!({"status": "ok"}));
    chat(&fake, "m", false).await;
    let books = get(&fake, "/_fake/books").await.json();
    assert_eq!((&books["entries"][0]["model"], &books["totals"]["requests"]), (&json!("m"), &json!(1)));
    exchange(fake.addr(), request(Method::DELETE, "/_fake/books", "")).await;
    assert_eq!(get(&fake, "/_fake/books").await.json()["entries"], json!([]));
    assert_eq!(get(&fake, "/_fake/nothing").await.status, 404);
}

#[tokio::test]
async fn without_entries_the_totals_still_count() {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let fake = FakeProvider::start_with(listen, FakeOptions { books: false, ..FakeOptions::default() }).unwrap();
    chat(&fake, "m", true).await;
    assert_eq!((fake.books().len(), fake.books().totals().output_tokens), (0, 8));
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_header_is_noted() {
    let fake = provider();
    let books = fake.books();
    let socket = raw_chat(&fake, "m~header_stall_ms=3600000", false).await;
    only_entry(&books, |entry| entry.model.is_some()).await;
    drop(socket);
    let entry = only_entry(&books, |entry| entry.caller_gone.is_some()).await;
    assert_eq!((entry.status, entry.events), (None, 0));
}

#[tokio::test]
async fn a_caller_that_leaves_in_its_own_request_is_noted() {
    let fake = provider();
    let mut socket = TcpStream::connect(fake.addr()).await.unwrap();
    let part = "POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-length: 100\r\n\r\n{\"model\"";
    socket.write_all(part.as_bytes()).await.unwrap();
    let entry = only_entry(&fake.books(), |_| true).await;
    assert_eq!((entry.body_us, entry.ending()), (None, None));
    drop(socket);
    only_entry(&fake.books(), |entry| entry.ending() == Some(Ending::CallerGone)).await;
}

#[tokio::test]
async fn a_caller_that_leaves_between_events_is_noted() {
    let fake = provider();
    let books = fake.books();
    let mut socket = raw_chat(&fake, "m~delay_ms=3600000", true).await;
    read_until(&mut socket, "data: ").await.unwrap();
    drop(socket);
    let entry = only_entry(&books, |entry| entry.caller_gone.is_some()).await;
    assert_eq!((entry.events, entry.output_tokens, entry.finished), (1, 0, false));
}

#[tokio::test]
async fn a_caller_that_does_not_read_gets_no_credit_for_what_was_not_written() {
    let fake = provider();
    let books = fake.books();
    let socket = raw_chat(&fake, "m~words=50~big=1000000", true).await;
    let stuck = only_entry(&books, |entry| entry.events >= 1).await;
    assert!(stuck.output_tokens < 50 && stuck.ended_us.is_none());
    drop(socket);
    let entry = only_entry(&books, |entry| entry.caller_gone.is_some()).await;
    assert!(entry.output_tokens < 50 && !entry.finished);
}

#[tokio::test]
async fn a_caller_that_drops_the_answer_of_a_client_library_is_noted() {
    let fake = provider();
    let books = fake.books();
    let body = chat_body("m~stall_after=1", true).to_string();
    let response = open(fake.addr(), request(Method::POST, "/v1/chat/completions", &body)).await.unwrap();
    only_entry(&books, |entry| entry.events == 1).await;
    drop(response);
    only_entry(&books, |entry| entry.caller_gone.is_some()).await;
}

#[tokio::test]
async fn http2_is_spoken_and_a_reset_stream_is_noted() {
    let fake = provider();
    let books = fake.books();
    let stream = TcpStream::connect(fake.addr()).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let ask = |model: &str| {
        let body = Full::<Bytes>::from(chat_body(model, true).to_string());
        Request::post(format!("http://{}/v1/chat/completions", fake.addr())).body(body).unwrap()
    };
    let reply = sender.send_request(ask("m")).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(reply.ends_with(b"data: [DONE]\n\n"));
    let first = only_entry(&books, |entry| entry.finished).await;
    assert_eq!(first.version, "HTTP/2.0");
    books.clear();
    let stalled = sender.send_request(ask("m~stall_after=2")).await.unwrap();
    assert_eq!(only_entry(&books, |entry| entry.events == 2).await.connection, first.connection);
    drop(stalled);
    only_entry(&books, |entry| entry.caller_gone.is_some()).await;
}

#[tokio::test]
async fn waiting_in_vain_shows_the_books() {
    let fake = provider();
    chat(&fake, "m~words=1", false).await;
    let failure = fake.books().wait_for(|entries| entries.len() == 2, std::time::Duration::ZERO).await;
    assert!(failure.unwrap_err().to_string().contains("m~words=1"));
}

#[tokio::test]
async fn stopping_closes_every_connection() {
    let fake = provider();
    let mut socket = raw_chat(&fake, "m~stall_after=1", true).await;
    read_until(&mut socket, "data: ").await.unwrap();
    let addr = fake.addr();
    drop(fake);
    let rest = tokio::time::timeout(PATIENCE, read_until(&mut socket, "never")).await.unwrap();
    assert!(!rest.unwrap_or_default().contains("DONE"));
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn two_providers_keep_separate_books() {
    let (one, other) = (provider(), provider());
    post(&one, "/v1/chat/completions", chat_body("m", false)).await;
    assert_eq!((one.books().len(), other.books().len()), (1, 0));
    assert_eq!(one.books().entries()[0].body, Some(chat_body("m", false)));
}

#[tokio::test]
async fn times_of_several_providers_compare_and_pauses_are_told() {
    let (one, other) = (provider(), provider());
    chat(&one, "m~status=429", false).await;
    chat(&other, "m", false).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    chat(&one, "m~first_delay_ms=5", false).await;
    let (mine, others) = (one.books().entries(), other.books().last().unwrap());
    assert!(mine[0].ended_us.unwrap() <= others.received_us && others.ended_us.unwrap() <= mine[1].received_us);
    assert!(mine[0].received_us <= mine[0].body_us.unwrap() && mine[0].body_us <= mine[0].answered_us());
    let (gaps, pauses) = (one.books().gaps(), one.books().pauses());
    assert_eq!((gaps.len(), pauses.len()), (1, 1));
    assert!(gaps[0] >= pauses[0] && pauses[0] >= Duration::from_millis(5));
    assert_eq!(pauses[0], Duration::from_micros(mine[1].received_us - mine[0].header_sent_us.unwrap()));
    assert_eq!((mine[0].ending(), one.books().connections()), (Some(Ending::Whole), 2));
}
