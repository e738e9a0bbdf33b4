//! Requests that are hardly HTTP, or framed to be read in two ways: one answer or none, never two, and the process lives on.

use serde_json::json;

use super::support::config::KEY;
use super::support::scene::Scene;
use super::support::sse::Api;
use super::support::wire::{Wire, head, post};

const CHAT: &str = "/v1/chat/completions";

fn body() -> String {
    Api::Chat.body("gpt-4o", false, "hi").to_string()
}

/// All answers that come before the peer closes, as text.
async fn all_answers(wire: &mut Wire) -> String {
    wire.finish().await;
    String::from_utf8_lossy(&wire.rest().await).into_owned()
}

async fn assert_serves(scene: &Scene) {
    let served = scene.asked(Api::Chat, "gpt-4o", false).await;
    assert_eq!(served.status, 200, "{}", served.text());
    scene.until_metric("tollgate_requests_in_flight ", 1).await;
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_or_closed_and_nothing_more() {
    let scene = Scene::start().await;
    let garbage: [&[u8]; 9] = [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"POST /v1/chat/completions\r\n\r\n",
        b"POST /v1/chat/completions HTTP/9.9\r\nhost: x\r\n\r\n",
        b"P\xffST / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: a\x00b\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for bytes in garbage {
        let mut wire = scene.wire().await;
        wire.send(bytes).await;
        let text = all_answers(&mut wire).await;
        let is_refused = text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4");
        // HTTP/2 says it in a frame of its own.
        let is_goaway = bytes.starts_with(b"PRI");
        assert!(text.is_empty() || is_refused || is_goaway, "{}: {text:?}", String::from_utf8_lossy(bytes));
        assert!(text.matches("HTTP/1.").count() <= 1, "{text}");
    }
    assert!(scene.fake.books().is_empty());
    assert_serves(&scene).await;
}

#[tokio::test]
async fn bytes_that_no_request_begins_with_are_told_what_is_wrong() {
    let scene = Scene::start().await;
    for (bytes, what) in
        [(&b"\x16\x03\x01\x02\x00\x01"[..], "HTTP without TLS"), (b"{\"model\": 1}", "no HTTP request")]
    {
        let mut wire = scene.wire().await;
        wire.send(bytes).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(what), "{message}");
        // It is over, also for those who go on.
        wire.send(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(all_answers(&mut wire).await, "");
    }
    assert_serves(&scene).await;
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_read_in_one_and_alone() {
    let scene = Scene::start().await;
    let body = body();
    let hidden = String::from_utf8(post(CHAT, &body)).unwrap();
    let length = body.len();
    let both = format!("content-length: {}\r\ntransfer-encoding: chunked", length + 7);
    let requests = [
        (
            "two lengths",
            head(CHAT, &format!("content-length: {length}\r\ncontent-length: {}", length + hidden.len()))
                + &body
                + &hidden,
        ),
        ("a list of lengths", head(CHAT, &format!("content-length: {length}, {}", length + 5)) + &body + &hidden),
        ("length and chunks", head(CHAT, &both) + &format!("{length:x}\r\n{body}\r\n0\r\n\r\n{hidden}")),
        ("a signed length", head(CHAT, &format!("content-length: +{length}")) + &body + &hidden),
        ("a negative length", head(CHAT, "content-length: -1") + &body + &hidden),
        ("a huge length", head(CHAT, "content-length: 99999999999999999999999") + &body),
        ("a length that is none", head(CHAT, "content-length: five") + &body + &hidden),
        ("an odd coding", head(CHAT, "transfer-encoding: xchunked") + &body + &hidden),
        (
            "chunked twice",
            head(CHAT, "transfer-encoding: chunked, chunked") + &format!("{length:x}\r\n{body}\r\n0\r\n\r\n{hidden}"),
        ),
        ("a bad chunk size", head(CHAT, "transfer-encoding: chunked") + &format!("zz\r\n{body}\r\n0\r\n\r\n{hidden}")),
        ("a chunk too long", head(CHAT, "transfer-encoding: chunked") + &format!("5\r\n{body}\r\n0\r\n\r\n{hidden}")),
        (
            "a huge chunk size",
            head(CHAT, "transfer-encoding: chunked") + &format!("ffffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        ),
        ("a blank before the colon", head(CHAT, &format!("content-length : {length}")) + &body + &hidden),
        ("a folded header", head(CHAT, &format!("x-a: b\r\n c: d\r\ncontent-length: {length}")) + &body),
    ];
    for (what, request) in requests {
        scene.fake.books().clear();
        let mut wire = scene.wire().await;
        wire.send(request).await;
        let text = all_answers(&mut wire).await;
        let (answers, asked) = (text.matches("HTTP/1.1 ").count(), scene.fake.books().len());
        let good = text.matches("HTTP/1.1 200").count();
        assert!(answers <= 1 && asked <= 1 && good == asked, "{what}: {asked} reached the vendor: {text}");
    }
    assert_serves(&scene).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_or_not_at_all() {
    let scene = Scene::start().await;
    let chat = |words: usize| {
        let model = format!("gpt-4o~words={words}");
        post(CHAT, &Api::Chat.body(&model, false, "hi").to_string())
    };
    let mut wire = scene.wire().await;
    wire.send([chat(2), chat(3), chat(4)].concat()).await;
    let first = wire.answer().await;
    assert_eq!(first.status, 200);
    assert!(first.text().contains("w0 w1\""), "{}", first.text());
    // What follows is whole answers to the next ones in order, or the end of the connection.
    let rest = all_answers(&mut wire).await;
    let seen: Vec<bool> = ["w0 w1 w2\"", "w0 w1 w2 w3\""].iter().map(|words| rest.contains(words)).collect();
    assert!(seen == [true, true] || seen == [true, false] || seen == [false, false], "{rest}");
    assert_eq!(scene.fake.books().len(), 1 + seen.iter().filter(|seen| **seen).count());

    let mut wire = scene.wire().await;
    let live = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    wire.send([live.as_bytes(), &chat(2), live.as_bytes()].concat()).await;
    assert_eq!(wire.answer().await.text(), "ok\n");
    let rest = all_answers(&mut wire).await;
    assert!(rest.is_empty() || rest.contains("w0 w1\""), "{rest}");
    assert_serves(&scene).await;
}

#[tokio::test]
async fn http_1_0_is_answered_without_chunks() {
    let scene = Scene::start().await;
    scene.let_fake("~words=3");
    let ask = |api: Api, stream: bool, more: &str| {
        let body = api.body(api.model(), stream, "hi").to_string();
        let path = api.path(api.model(), stream);
        format!(
            "POST {path} HTTP/1.0\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n{more}\r\n{body}",
            body.len()
        )
    };
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        for stream in [false, true] {
            let mut wire = scene.wire().await;
            wire.send(ask(api, stream, "")).await;
            let answer = wire.answer_head().await;
            assert_eq!(
                (answer.status, answer.header("transfer-encoding")),
                (200, None),
                "{api:?} {stream}: {answer:?}"
            );
            let text = String::from_utf8(wire.rest().await).unwrap();
            assert!(text.contains("w2") && !text.contains("\r\n0\r\n"), "{text}");
            if stream {
                assert!(text.contains(api.end_mark()), "{text}");
            } else {
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
            }
        }
    }
    let mut wire = scene.wire().await;
    for _ in 0..2 {
        wire.send(ask(Api::Chat, false, "connection: keep-alive\r\n")).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 200);
        if answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("keep-alive")) {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    let scene = Scene::start().await;
    for stream in [false, true] {
        scene.let_fake("~words=3~header_stall_ms=200");
        let mut wire = scene.wire().await;
        wire.send(post(CHAT, &Api::Chat.body("gpt-4o", stream, "hi").to_string())).await;
        wire.finish().await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("w2"), "{}", answer.text());
    }
}

#[tokio::test]
async fn other_forms_of_a_target_and_other_methods_are_told() {
    let scene = Scene::start().await;
    let body = body();
    for (request_line, statuses) in [
        ("POST http://gateway/v1/chat/completions HTTP/1.1", &[200, 400, 404][..]),
        ("OPTIONS * HTTP/1.1", &[400, 404, 405]),
        ("CONNECT gateway:443 HTTP/1.1", &[400, 404, 405]),
        ("TRACE /v1/chat/completions HTTP/1.1", &[400, 404, 405]),
        ("BREW /v1/chat/completions HTTP/1.1", &[400, 404, 405]),
        ("POST /v1/../v1/chat/completions HTTP/1.1", &[400, 404]),
        ("POST //v1/chat/completions HTTP/1.1", &[400, 404]),
        ("POST /v1/chat%2Fcompletions HTTP/1.1", &[400, 404]),
        ("POST /V1/CHAT/COMPLETIONS HTTP/1.1", &[400, 404]),
    ] {
        let mut wire = scene.wire().await;
        let length = body.len();
        wire.send(format!(
            "{request_line}\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
        let answer = wire.answer_head().await;
        assert!(statuses.contains(&answer.status), "{request_line}: {answer:?}");
    }
    assert!(scene.fake.books().len() <= 1);
    assert_serves(&scene).await;
}

#[tokio::test]
async fn an_upgrade_is_not_made() {
    let scene = Scene::start().await;
    let body = body();
    let framing = format!("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: {}", body.len());
    let mut wire = scene.wire().await;
    wire.send(head(CHAT, &framing) + &body).await;
    let answer = wire.answer().await;
    assert_ne!(answer.status, 101);
    for entry in scene.fake.books().entries() {
        assert_eq!((entry.header("upgrade"), entry.header("connection")), (None, None));
    }
    assert_serves(&scene).await;
}

#[tokio::test]
async fn half_requests_are_dropped_with_their_connections() {
    let scene = Scene::with(|config| config["client"]["request_body_timeout_ms"] = json!(500)).await;
    let mut wires = Vec::new();
    for n in 0..40 {
        let mut wire = scene.wire().await;
        match n % 4 {
            0 => wire.send("POST /v1/chat").await,
            1 => wire.send(format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-slow: ")).await,
            2 => wire.send(head(CHAT, "content-length: 50") + "{\"model\":").await,
            _ => wire.send(head(CHAT, "transfer-encoding: chunked") + "ff\r\nabc").await,
        }
        wires.push(wire);
    }
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200, "others are served meanwhile");
    drop(wires);
    assert_serves(&scene).await;
    assert!(scene.fake.books().entries().iter().all(|entry| entry.status == Some(200)));
}
