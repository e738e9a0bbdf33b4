//! Answers that come late, in drops, without their end, or over a connection that goes away.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use loadtest::fake::{Ending, FakeProvider};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::{
    PATIENCE, chat, chat_body, in_every_dialect, only_entry, open, post, provider, raw_chat, read_to_failure,
    read_until, request,
};

#[tokio::test]
async fn a_stream_may_lack_its_end_marker() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "nodone", true).await;
    assert!(openai.body.contains("\"finish_reason\":\"stop\"") && !openai.body.contains("[DONE]"));
    assert!(anthropic.body.contains("end_turn") && !anthropic.body.contains("message_stop"));
    assert!(gemini.body.contains("STOP"));
    let ends: Vec<_> = fake.books().entries().iter().map(|entry| entry.ending().unwrap()).collect();
    assert_eq!(ends, [Ending::BrokenOff, Ending::BrokenOff, Ending::Whole]);
    let contents = serde_json::json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let array = post(&fake, "/v1beta/models/g~nodone:streamGenerateContent", contents).await;
    assert!(array.body.starts_with('[') && !array.body.ends_with(']'));
    let body = serde_json::json!({"model": "m~nodone", "input": "hi", "stream": true});
    let names = post(&fake, "/v1/responses", body).await;
    assert_eq!(names.names().last(), Some(&"response.output_item.done"));
}

#[tokio::test]
async fn a_stream_may_not_say_why_it_ends() {
    let fake = provider();
    let [openai, anthropic, gemini] = in_every_dialect(&fake, "nofinish", true).await;
    assert!(!openai.body.contains("\"finish_reason\":\"stop\"") && openai.body.ends_with("data: [DONE]\n\n"));
    assert!(!anthropic.body.contains("stop_reason\":\"end_turn") && anthropic.body.contains("message_stop"));
    assert!(!gemini.body.contains("finishReason") && gemini.body.contains("w7"));
    assert!(fake.books().entries().iter().all(|entry| entry.ending() == Some(Ending::BrokenOff)));
    let neither = chat(&fake, "m~nofinish~nodone", true).await;
    assert!(neither.body.contains("w7") && !neither.body.contains("[DONE]") && !neither.body.contains("\"stop\""));
}

#[tokio::test]
async fn faults_may_be_placed_by_tokens() {
    let fake = provider();
    for reply in in_every_dialect(&fake, "words=60~cut_after=40~by_tokens", true).await {
        assert!(reply.body.contains("w39") && !reply.body.contains("w40"), "{}", reply.body);
    }
    assert!(
        fake.books()
            .entries()
            .iter()
            .all(|entry| entry.output_tokens == 40 && entry.ending() == Some(Ending::BrokenOff))
    );
    let [openai, anthropic, _] = in_every_dialect(&fake, "cut_after=0~by_tokens", true).await;
    assert_eq!((openai.events().len(), anthropic.events().len()), (1, 3), "what comes before the first token is sent");
    let whole = chat(&fake, "m~cut_after=9~by_tokens", true).await;
    assert!(whole.body.contains("[DONE]"), "a fault past the end never happens");
}

#[tokio::test]
async fn a_silence_ends_and_the_rest_follows() {
    let fake = provider();
    let books = fake.books();
    let mut socket = raw_chat(&fake, "m~silent_after=3~silent_ms=3600000~by_tokens", true).await;
    read_until(&mut socket, "w2").await.unwrap();
    assert_eq!(only_entry(&books, |entry| entry.events == 4).await.ending(), None);
    drop(socket);
    assert_eq!(only_entry(&books, |entry| entry.ended_us.is_some()).await.ending(), Some(Ending::CallerGone));
    let reply = chat(&fake, "m~silent_after=3~silent_ms=1", true).await;
    assert_eq!((reply.events().len(), books.last().unwrap().ending()), (11, Some(Ending::Whole)));
}

#[tokio::test]
async fn the_first_token_may_come_long_after_the_header() {
    let fake = provider();
    let mut socket = raw_chat(&fake, "m~first_token_delay_ms=3600000", true).await;
    let seen = read_until(&mut socket, "\"role\"").await.unwrap();
    assert!(seen.starts_with("HTTP/1.1 200"));
    let entry = only_entry(&fake.books(), |entry| entry.events == 1).await;
    assert_eq!((entry.status, entry.output_tokens, entry.ending()), (Some(200), 0, None));
    drop(socket);
    assert_eq!(chat(&fake, "m~first_token_delay_ms=1", true).await.events().len(), 11);
}

#[tokio::test]
async fn nothing_may_ever_be_answered() {
    let fake = provider();
    let books = fake.books();
    let socket = raw_chat(&fake, "m~noanswer~failfirst=1", true).await;
    let entry = only_entry(&books, |entry| entry.model.is_some()).await;
    assert!(entry.body_us >= Some(entry.received_us) && entry.status.is_none());
    drop(socket);
    only_entry(&books, |entry| entry.ending() == Some(Ending::CallerGone)).await;
    assert_eq!(chat(&fake, "m~noanswer~failfirst=1", true).await.status, 200);
}

#[tokio::test]
async fn a_trickle_is_a_write_for_each_byte() {
    let fake = provider();
    let mut socket = raw_chat(&fake, "m~trickle_ms=1~words=1", true).await;
    let seen = read_until(&mut socket, "\r\n0\r\n\r\n").await.unwrap();
    let (_, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("1\r\nd\r\n1\r\na\r\n1\r\nt\r\n"), "{body}");
    let entry = only_entry(&fake.books(), |entry| entry.finished).await;
    assert!(entry.ended_us.unwrap() - entry.header_sent_us.unwrap() > 100_000, "hundreds of bytes, a millisecond each");
    assert_eq!(chat(&fake, "m~trickle_ms=1~chunk_bytes=64", false).await.json()["object"], "chat.completion");
}

#[tokio::test]
async fn a_connection_may_end_in_mid_answer() {
    let fake = provider();
    for (model, stream) in [("m~hangup_after=4", true), ("m~goaway_after=4", true), ("m~hangup_after=30", false)] {
        let mut socket = raw_chat(&fake, model, stream).await;
        let (seen, end) = read_to_failure(&mut socket).await;
        end.unwrap();
        assert!(seen.starts_with("HTTP/1.1 200") && !seen.ends_with("0\r\n\r\n"), "a FIN, and no last chunk: {seen}");
        assert_eq!(fake.books().last().unwrap().ending(), Some(Ending::BrokenOff), "{model}");
    }
    let mut socket = raw_chat(&fake, "m~hangup_before_header", false).await;
    let (seen, end) = read_to_failure(&mut socket).await;
    assert_eq!((seen.as_str(), end.unwrap()), ("", 0));
}

#[tokio::test]
async fn a_content_length_may_be_wrong() {
    let fake = provider();
    let length = |seen: &str| {
        let line = seen.lines().find_map(|line| line.strip_prefix("content-length: "));
        line.unwrap().parse::<usize>().unwrap()
    };
    let mut socket = raw_chat(&fake, "m~words=1~length_over=10", false).await;
    let (seen, end) = read_to_failure(&mut socket).await;
    end.unwrap();
    let (_, body) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len() + 10, length(&seen));
    assert!(serde_json::from_str::<Value>(body).is_ok());
    let mut socket = raw_chat(&fake, "m~words=1~length_under=10", false).await;
    let seen = read_until(&mut socket, "\"total_tokens\":3}}").await.unwrap();
    let (_, body) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), length(&seen) + 10);
    assert!(serde_json::from_str::<Value>(body).is_ok());
}

#[tokio::test]
async fn a_small_body_may_unpack_to_a_large_one() {
    let fake = provider();
    for stream in [false, true] {
        let body = chat_body("m~gzip_bomb=8", stream).to_string();
        let response = open(fake.addr(), request(Method::POST, "/v1/chat/completions", &body)).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let packed = response.into_body().collect().await.unwrap().to_bytes();
        assert!(packed.len() < 100_000, "{}", packed.len());
        let mut unpacked = String::new();
        GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert!(unpacked.len() > 8 << 20);
        let answer = unpacked.trim();
        assert!(if stream { answer.ends_with("data: [DONE]") } else { serde_json::from_str::<Value>(answer).is_ok() });
        assert_eq!(fake.books().last().unwrap().output_tokens, 8);
    }
    assert_eq!(chat(&fake, "m~gzip_bomb=8~status=500", false).await.header("content-encoding"), None);
}

/// An HTTP/2 client's sender, and its connection's end.
async fn http2(
    fake: &FakeProvider,
) -> (hyper::client::conn::http2::SendRequest<Full<Bytes>>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let io = TokioIo::new(TcpStream::connect(fake.addr()).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn asked(fake: &FakeProvider, model: &str) -> Request<Full<Bytes>> {
    let body = Full::<Bytes>::from(chat_body(model, true).to_string());
    Request::post(format!("http://{}/v1/chat/completions", fake.addr())).body(body).unwrap()
}

#[tokio::test]
async fn http2_goes_away_in_mid_stream() {
    let fake = provider();
    let (mut sender, connection) = http2(&fake).await;
    let response = sender.send_request(asked(&fake, "m~goaway_after=3")).await.unwrap();
    let cut = tokio::time::timeout(PATIENCE, response.into_body().collect()).await.unwrap();
    assert!(cut.is_err(), "the stream has no end");
    let _ = tokio::time::timeout(PATIENCE, connection).await.unwrap();
    assert!(sender.send_request(asked(&fake, "m")).await.is_err(), "the connection is gone");
    only_entry(&fake.books(), |entry| entry.ending() == Some(Ending::BrokenOff) && entry.events == 3).await;
}

#[tokio::test]
async fn http2_goes_away_after_the_stream() {
    let fake = provider();
    let (mut sender, connection) = http2(&fake).await;
    let response = sender.send_request(asked(&fake, "m~drain_after=3")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    tokio::time::timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    only_entry(&fake.books(), |entry| entry.ending() == Some(Ending::Whole)).await;
    let mut socket = raw_chat(&fake, "m~drain_after=3", true).await;
    let (seen, end) = read_to_failure(&mut socket).await;
    end.unwrap();
    assert!(seen.ends_with("0\r\n\r\n") && !seen.contains("connection: close"));
}

#[tokio::test]
async fn an_outage_resets_and_refuses_and_passes() {
    let fake = provider();
    let mut socket = raw_chat(&fake, "m~stall_after=2", true).await;
    only_entry(&fake.books(), |entry| entry.events == 2).await;
    fake.go_down().unwrap();
    assert_eq!(fake.books().last().unwrap().ending(), Some(Ending::BrokenOff));
    let (_, end) = read_to_failure(&mut socket).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    for _ in 0..3 {
        assert_eq!(TcpStream::connect(fake.addr()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    fake.go_down().unwrap();
    fake.come_back().unwrap();
    assert_eq!(chat(&fake, "m", false).await.status, 200);
    fake.come_back().unwrap();
    fake.go_down().unwrap();
    assert!(TcpStream::connect(fake.addr()).await.is_err());
    assert_eq!((fake.books().len(), fake.books().connections()), (2, 2));
}

#[tokio::test]
async fn nobody_speaks_or_nobody_listens() {
    let mute = FakeProvider::mute().unwrap();
    let mut socket = TcpStream::connect(mute.addr()).await.unwrap();
    assert!(mute.wait_for(1, PATIENCE) && !mute.wait_for(2, Duration::ZERO));
    assert_eq!(mute.accepted_us().len(), 1);
    let silence = tokio::time::timeout(Duration::from_millis(20), read_until(&mut socket, "x")).await;
    assert!(silence.is_err());
    drop(mute);
    assert_eq!(read_to_failure(&mut socket).await.0, "");
    let closed = FakeProvider::closed().unwrap();
    assert_eq!(TcpStream::connect(closed.addr()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
