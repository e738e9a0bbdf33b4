//! Request bodies: whole, whatever their size, framing and transport, and bounded each and all together.

use bytes::Bytes;
use reqwest::Body;
use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::scene::{Scene, client, h2_client, reply};
use super::support::sha256;
use super::support::sse::{Api, reason};
use super::support::wire::{Wire, head, post};

const CHAT: &str = "/v1/chat/completions";
const MIB: usize = 1024 * 1024;
/// From the smallest there is to well over any buffer on the way; around 64 KiB lies the end of the proxy's own retry buffer.
pub(crate) const SIZES: [usize; 6] = [45, 1_000, 65_535, 65_537, 1_000_000, 20_000_000];

/// A chat body of so many bytes.
pub(crate) fn body_of(size: usize) -> Bytes {
    let (before, after) = (r#"{"model":"gpt-4o","messages":[],"user":""#, r#""}"#);
    let filling = size - before.len() - after.len();
    let text: String = (0..filling).map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
    Bytes::from(format!("{before}{text}{after}"))
}

/// The same bytes in pieces of changing size, of no announced length.
fn in_pieces(body: &Bytes) -> Body {
    let (mut rest, mut size) = (body.clone(), 1);
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(size.min(rest.len()));
        size = size * 3 % 70_001 + 1;
        (!piece.is_empty()).then_some(Ok::<_, std::io::Error>(piece))
    });
    Body::wrap_stream(futures::stream::iter(pieces))
}

#[tokio::test]
async fn bodies_of_any_size_arrive_whole_over_every_transport() {
    let scene = Scene::start().await;
    let (h1, h2) = (client(), h2_client());
    for size in SIZES {
        let body = body_of(size);
        assert_eq!(body.len(), size);
        let digest = sha256(&body);
        let sendings = [
            ("a length", &h1, Body::from(body.clone())),
            ("chunks", &h1, in_pieces(&body)),
            ("HTTP/2", &h2, Body::from(body.clone())),
            ("HTTP/2 without a length", &h2, in_pieces(&body)),
        ];
        for (how, client, sent) in sendings {
            let request = client.post(scene.gateway.url(CHAT)).bearer_auth(KEY).body(sent);
            let answer = reply(request).await;
            assert_eq!(answer.status, 200, "{size} with {how}: {}", answer.text());
            let entry = scene.entry();
            assert_eq!((entry.body_bytes, &entry.body_sha256), (size as u64, &digest), "{size} with {how}");
            let line = scene.logged(&answer).await;
            assert_eq!(line["bytes.in"], size);
        }
    }
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let scene = Scene::start().await;
    let body = body_of(45);
    let text = std::str::from_utf8(&body).unwrap();
    let chunked: String = text.chars().map(|byte| format!("1\r\n{byte}\r\n")).collect();
    let chunked = format!("{}{chunked}0\r\n\r\n", head(CHAT, "transfer-encoding: chunked"));
    let mut wire = scene.wire().await;
    for request in [post(CHAT, text), chunked.into_bytes()] {
        wire.send_byte_by_byte(&request).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(scene.entry().body_sha256, sha256(&body));
    }
}

#[tokio::test]
async fn chunk_extensions_and_trailers_are_no_part_of_a_body() {
    let scene = Scene::start().await;
    let body = body_of(45);
    let (one, two) = std::str::from_utf8(&body).unwrap().split_at(20);
    let framing = "transfer-encoding: chunked\r\ntrailer: x-sum";
    let request = format!("{}14;note=\"a\"\r\n{one}\r\n19\r\n{two}\r\n0\r\nx-sum: 1\r\n\r\n", head(CHAT, framing));
    let mut wire = scene.wire().await;
    wire.send(request).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(scene.entry().body_sha256, sha256(&body));
}

async fn small_scene() -> Scene {
    Scene::with(|config| config["client"]["max_request_body_size_mb"] = json!(1)).await
}

#[tokio::test]
async fn a_body_of_the_limit_passes_and_a_byte_more_is_413() {
    let scene = small_scene().await;
    let (h1, h2) = (client(), h2_client());
    for (size, status) in [(MIB, 200), (MIB + 1, 413)] {
        let body = body_of(size);
        let sendings = [
            (&h1, Body::from(body.clone())),
            (&h1, in_pieces(&body)),
            (&h2, body.clone().into()),
            (&h2, in_pieces(&body)),
        ];
        for (n, (client, sent)) in sendings.into_iter().enumerate() {
            let answer = reply(client.post(scene.gateway.url(CHAT)).bearer_auth(KEY).body(sent)).await;
            assert_eq!(answer.status, status, "{size}, sending {n}: {}", answer.text());
            if status == 413 {
                assert_eq!(reason(&answer.json()), Some("invalid_request_error"));
            }
        }
    }
    assert_eq!(scene.fake.books().len(), 4);
}

#[tokio::test]
async fn a_declared_length_of_two_gigabytes_is_413_at_once_in_each_dialect() {
    let scene = small_scene().await;
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let mut wire = scene.wire().await;
        // Nothing of the body is ever sent: the answer must not wait for it.
        wire.send(head(&api.path("m", false), "content-length: 2147483648")).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, reason(&answer.json())), (413, Some("invalid_request_error")), "{api:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{api:?}");
        wire.rest().await;
    }
    assert_eq!(scene.metric("tollgate_held_body_bytes ").await, Some(0));
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_not() {
    let scene = small_scene().await;
    let body = String::from_utf8(body_of(45).to_vec()).unwrap();
    let mut wire = scene.wire().await;
    wire.send(head(CHAT, "content-length: 45\r\nexpect: 100-continue")).await;
    assert_eq!(wire.answer_head().await.status, 100);
    wire.send(&body).await;
    assert_eq!(wire.answer().await.status, 200);

    let mut wire = scene.wire().await;
    wire.send(head(CHAT, "content-length: 99999999\r\nexpect: 100-continue")).await;
    assert_eq!(wire.answer().await.status, 413, "no body is asked for that is not wanted");
}

#[tokio::test]
async fn all_bodies_together_are_bounded() {
    let scene = Scene::with(|config| {
        config["client"]["max_request_body_size_mb"] = json!(1);
        config["client"]["max_buffered_bytes"] = json!(MIB);
    })
    .await;
    let big = body_of(700_000);
    let mut slow = scene.wire().await;
    slow.send(head(CHAT, "content-length: 700000")).await;
    slow.send(&big[..600_000]).await;
    scene.until_metric("tollgate_held_body_bytes ", 600_000).await;

    for client in [client(), h2_client()] {
        let refused = reply(client.post(scene.gateway.url(CHAT)).bearer_auth(KEY).body(big.clone())).await;
        assert_eq!((refused.status, reason(&refused.json())), (503, Some("overloaded_error")));
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    let small = reply(scene.post(CHAT).body(body_of(1_000))).await;
    assert_eq!(small.status, 200, "what still fits is served");

    slow.send(&big[600_000..]).await;
    assert_eq!(slow.answer().await.status, 200, "what was begun is finished");
    assert_eq!(scene.entry().body_sha256, sha256(&big));
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
    assert_eq!(reply(scene.post(CHAT).body(big)).await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_408_and_holds_nothing() {
    let scene = Scene::with(|config| config["client"]["request_body_timeout_ms"] = json!(300)).await;
    let framings = ["content-length: 1000", "transfer-encoding: chunked"];
    for (framing, part) in framings.into_iter().zip([r#"{"model":"#, "9\r\n{\"model\":\r\n"]) {
        let mut wire = scene.wire().await;
        wire.send(head(CHAT, framing) + part).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, reason(&answer.json())), (408, Some("request_timeout")), "{framing}");
        assert_eq!(answer.header("connection"), Some("close"));
        wire.rest().await;
    }
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
    scene.until_metric("tollgate_requests_in_flight ", 1).await;
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn a_client_that_drips_its_body_is_not_waited_for_for_ever() {
    let scene = Scene::with(|config| config["client"]["request_body_timeout_ms"] = json!(300)).await;
    let mut wire = scene.wire().await;
    wire.send(head(CHAT, "content-length: 100000")).await;
    let mut dripped = 0;
    // Each byte comes well before a time-out per read would.
    while dripped < 3_000 && scene.gateway.access.json().is_empty() {
        wire.send(b"x").await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        dripped += 1;
    }
    assert_eq!(wire.answer().await.status, 408);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_sends_leaves_nothing_behind() {
    let scene = Scene::start().await;
    for n in 0..3 {
        let mut wire = scene.wire().await;
        let request = head(CHAT, &format!("content-length: 100000\r\nx-request-id: leaver-{n}"));
        wire.send(format!("{request}{}", "x".repeat(50_000))).await;
        scene.until_metric("tollgate_held_body_bytes ", 50_000).await;
        drop::<Wire>(wire);
        let line: Value = scene.logged_as(&format!("leaver-{n}")).await;
        assert_eq!((&line["client.left"], &line["http.status"]), (&json!(true), &json!(0)));
        scene.until_metric("tollgate_held_body_bytes ", 0).await;
    }
    assert!(scene.fake.books().is_empty());
}
