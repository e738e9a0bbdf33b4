//! Requests that are HTTP but make no sense: told so in the client's own dialect, and the connection lives on.

use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::scene::{Scene, reply};
use super::support::sse::{Api, reason};
use super::support::wire::{Answer, Wire, head, post};

const CHAT: &str = "/v1/chat/completions";

fn good() -> Vec<u8> {
    post(CHAT, &Api::Chat.body("gpt-4o", false, "hi").to_string())
}

/// The answer is this refusal; the connection then does what it said.
async fn assert_told(wire: &mut Wire, what: &str, status: u16, why: &str) -> Answer {
    let answer = wire.answer().await;
    assert_eq!((answer.status, reason(&answer.json())), (status, Some(why)), "{what}: {}", answer.text());
    if answer.header("connection") == Some("close") {
        assert!(wire.rest().await.is_empty(), "{what}: more than one answer");
    } else {
        wire.send(good()).await;
        let next = wire.answer().await;
        assert_eq!(next.status, 200, "{what}: the next request on the same connection: {}", next.text());
    }
    answer
}

#[tokio::test]
async fn a_body_that_cannot_be_governed_is_400_and_the_next_request_is_right() {
    let scene = Scene::start().await;
    let deep = format!("{{\"model\":\"gpt-4o\",\"x\":{}", "[".repeat(100_000));
    let bodies: [(&str, &[u8]); 16] = [
        ("nothing", b""),
        ("a broken object", b"{\"model\": \"gpt-4o\", "),
        ("no JSON", b"model=gpt-4o"),
        ("more than JSON", b"{\"model\":\"gpt-4o\"} {}"),
        ("an array", b"[{\"model\":\"gpt-4o\"}]"),
        ("a text", b"\"gpt-4o\""),
        ("no model", b"{\"messages\":[]}"),
        ("an empty model", b"{\"model\":\"\"}"),
        ("a model that is no text", b"{\"model\":{\"name\":\"gpt-4o\"}}"),
        ("two models", b"{\"model\":\"gpt-4o-mini\",\"messages\":[],\"model\":\"gpt-4o\"}"),
        ("two models, one escaped", b"{\"model\":\"gpt-4o-mini\",\"mod\\u0065l\":\"gpt-4o\"}"),
        ("a model in the wrong case", b"{\"Model\":\"gpt-4o\",\"model\":\"gpt-4o-mini\"}"),
        ("invalid UTF-8", b"{\"model\":\"gpt-4o\",\"x\":\"\xff\xfe\"}"),
        ("a bare control character", b"{\"model\":\"gpt-4o\",\"x\":\"\x00\"}"),
        ("a number that is none", b"{\"model\":\"gpt-4o\",\"x\":NaN}"),
        ("a deep nest", deep.as_bytes()),
    ];
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        let mut wire = scene.wire().await;
        for (what, body) in bodies {
            let mut request = head(&api.path("", false), &format!("content-length: {}", body.len())).into_bytes();
            request.extend_from_slice(body);
            wire.send(request).await;
            let answer = assert_told(&mut wire, what, 400, "invalid_request_error").await;
            assert_ne!(answer.header("connection"), Some("close"), "{what}: it was read to its end");
            assert!(answer.text().len() < 1_000, "{what}: {}", answer.text());
        }
    }
    let served = scene.fake.books().entries();
    assert!(served.iter().all(|entry| entry.status == Some(200)), "only the good ones got through");
    assert_eq!(served.len(), 3 * bodies.len());
}

#[tokio::test]
async fn a_gemini_body_that_cannot_be_governed_is_400_in_its_dialect() {
    let scene = Scene::start().await;
    for body in [&b"{"[..], b"[]", b"{\"contents\":[],\"contents\":[]}", b"{\"contents\":\"\xff\"}"] {
        let refused = reply(scene.post("/v1beta/models/gemini-2.5-flash:generateContent").body(body.to_vec())).await;
        let error: Value = refused.json();
        assert_eq!((refused.status, &error["error"]["status"]), (400, &json!("INVALID_ARGUMENT")), "{error}");
        assert_eq!(reason(&error), Some("invalid_request_error"));
    }
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn a_gemini_path_without_a_model_or_with_a_strange_one_is_told() {
    let scene = Scene::start().await;
    let body = Api::Gemini.body("", false, "hi").to_string();
    for (model, status) in [("", 400), ("%FF", 404), ("a%2F..%2F..%2Fsecret", 200), ("..%2Fx%3Fy%23z", 200)] {
        let path = format!("/v1beta/models/{model}:generateContent");
        let answer = reply(scene.post(&path).body(body.clone())).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        if status == 200 {
            let asked = scene.entry().path;
            assert!(!asked.contains("..") || asked.contains("%2F"), "no path of its own making: {asked}");
            assert!(asked.starts_with("/v1beta/models/") && asked.ends_with(":generateContent"), "{asked}");
            assert_eq!(scene.entry().query, None);
        }
    }
}

#[tokio::test]
async fn a_header_block_that_is_too_large_is_431_in_the_dialect_of_the_path() {
    let scene = Scene::with(|config| {
        config["server"] = json!({"max_header_bytes": 8192, "max_header_count": 50});
    })
    .await;
    let many: String = (0..60).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x-large: {}\r\n", "y".repeat(9_000));
    let long_path = format!("{CHAT}?x={}", "y".repeat(9_000));
    for (what, path, headers) in [
        ("many", CHAT, &*many),
        ("large", CHAT, &large),
        ("a long query", &long_path, ""),
        ("many", "/v1/messages", &many),
        ("large", "/v1beta/models/m:generateContent", &large),
    ] {
        let mut wire = scene.wire().await;
        wire.send(head(path, &format!("{headers}content-length: 2")) + "{}").await;
        let answer = assert_told(&mut wire, what, 431, "request_header_fields_too_large").await;
        let body = answer.json();
        match path {
            "/v1/messages" => assert_eq!(body["type"], "error", "{body}"),
            _ if path.starts_with("/v1beta") => assert_eq!(body["error"]["code"], 431, "{body}"),
            _ => assert_eq!(body["status_code"], 431, "{body}"),
        }
    }
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn a_header_bomb_is_cut_off_and_costs_little() {
    let scene = Scene::start().await;
    let before = scene.gateway.peak_memory();
    for n in 0..8 {
        let mut wire = scene.wire().await;
        wire.send(format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n")).await;
        let bomb = if n % 2 == 0 { "x-y: z\r\n".repeat(8_000) } else { format!("x-bomb: {}", "z".repeat(64_000)) };
        for _ in 0..100 {
            wire.send(&bomb).await;
        }
        let seen = wire.rest().await;
        let text = String::from_utf8_lossy(&seen);
        assert!(seen.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
        assert!(text.matches("HTTP/1.1").count() <= 1, "{text}");
    }
    let grown = scene.gateway.peak_memory().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes for eight bombs, one at a time");
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    scene.until_metric("tollgate_requests_in_flight ", 1).await;
}

#[tokio::test]
async fn a_refusal_before_the_body_leaves_the_connection_in_step() {
    let scene = Scene::start().await;
    let body = "x".repeat(5_000);
    let length = format!("content-length: {}", body.len());
    let stranger = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n{body}");
    for (what, request, status, why) in [
        ("no key", stranger(CHAT), 401, "virtual_key_required"),
        ("no path", head("/nothing", &length) + &body, 404, "not_found_error"),
        ("no method", head("/v1/models", &length) + &body, 405, "method_not_allowed"),
    ] {
        let mut wire = scene.wire().await;
        wire.send(request).await;
        assert_told(&mut wire, what, status, why).await;
    }
    // A body of no known length, and one too long to be read for nothing.
    let chunked = head("/nothing", "transfer-encoding: chunked") + &format!("1388\r\n{body}\r\n0\r\n\r\n");
    let mut wire = scene.wire().await;
    wire.send(chunked).await;
    assert_told(&mut wire, "chunks", 404, "not_found_error").await;
    let mut wire = scene.wire().await;
    wire.send(head("/nothing", "content-length: 9999999") + &body).await;
    let answer = assert_told(&mut wire, "a long body", 404, "not_found_error").await;
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn many_requests_on_one_connection_do_not_mix() {
    let scene = Scene::start().await;
    let mut wire = scene.wire().await;
    for round in 0..20 {
        for api in [Api::Chat, Api::Messages, Api::Gemini] {
            let words = 1 + round % 7;
            scene.let_fake(&format!("~words={words}"));
            let stream = round % 2 == 0;
            let body = api.body(api.model(), stream, "hi").to_string();
            wire.send(post(&api.path(api.model(), stream), &body)).await;
            let answer = wire.answer().await;
            let text = answer.text();
            assert_eq!(answer.status, 200, "{api:?}: {text}");
            assert!(
                text.contains(&format!("w{}", words - 1)) && !text.contains(&format!("w{words}")),
                "{api:?}: {text}"
            );
        }
        wire.send(format!("GET /livez HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n")).await;
        assert_eq!(wire.answer().await.text(), "ok\n");
    }
    assert_eq!(scene.fake.books().len(), 60);
}
