//! Streams that go well: passed on as they come, the vendor's bytes and nothing else.

use std::fmt::Write as _;

use bytes::Bytes;
use loadtest::fake::{Controls, FakeProvider};
use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::config::fake;
use super::support::scene::{Reply, Scene, client, h2_client, reply};
use super::support::soon;
use super::support::sse::{Api, events};

/// What a client that speaks to the vendor itself would get.
async fn direct(provider: &FakeProvider, api: Api, body: &Value) -> Bytes {
    let url = format!("{}{}", provider.url(), api.path(api.model(), true));
    reply(client().post(url).body(body.to_string())).await.body
}

fn assert_same(what: &str, answer: &Reply, expected: &Bytes) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    if answer.body != *expected {
        let at = answer.body.iter().zip(expected).take_while(|(one, other)| one == other).count();
        let show = |bytes: &Bytes| {
            String::from_utf8_lossy(&bytes[at.saturating_sub(60)..bytes.len().min(at + 200)]).into_owned()
        };
        panic!("{what}: from byte {at} on:\n{:?}\ninstead of\n{:?}", show(&answer.body), show(expected));
    }
}

/// Ways in which a stream may be written and cut.
const SHAPES: [&str; 7] = [
    "",
    "~crlf",
    "~unicode~words=40",
    "~unicode~chunk_bytes=1",
    "~crlf~chunk_bytes=7",
    "~burst~words=500",
    "~big=20000~words=5~chunk_bytes=1400",
];

#[tokio::test]
async fn a_stream_is_the_vendors_byte_for_byte() {
    for api in Api::ALL {
        let scene = Scene::start().await;
        let twin = fake();
        let body = api.body(api.model(), true, "12345678");
        for shape in SHAPES {
            scene.let_fake(shape);
            twin.set_controls(Controls::parse(&format!("m{shape}")).unwrap());
            // The client did not ask for usage, so what it gets is what it would get where nobody did.
            let answer = reply(scene.post(&api.path(api.model(), true)).body(body.to_string())).await;
            assert_same(&format!("{api:?} {shape}"), &answer, &direct(&twin, api, &body).await);
            assert!(answer.text().contains(api.end_mark()), "{api:?} {shape}");
            assert!(!events(api, &answer.text()).is_empty());
        }
    }
}

#[tokio::test]
async fn comments_in_a_stream_are_passed_on() {
    let (scene, twin) = (Scene::start().await, fake());
    for api in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
        let mut body = api.body(api.model(), true, "12345678");
        if api == Api::Chat {
            // A comment in front of a hidden event stays, so only what is asked for is compared byte for byte.
            body["stream_options"] = json!({"include_usage": true});
        }
        for shape in ["~comments", "~comments~crlf~chunk_bytes=5"] {
            scene.let_fake(shape);
            twin.set_controls(Controls::parse(&format!("m{shape}")).unwrap());
            let answer = reply(scene.post(&api.path(api.model(), true)).body(body.to_string())).await;
            assert_same(&format!("{api:?} {shape}"), &answer, &direct(&twin, api, &body).await);
            assert!(answer.text().contains(": keep-alive"));
        }
    }
}

#[tokio::test]
async fn a_stream_is_the_same_over_http2() {
    let (scene, twin) = (Scene::start().await, fake());
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let body = api.body(api.model(), true, "12345678");
        for shape in ["", "~unicode~chunk_bytes=1", "~big=20000~words=20"] {
            scene.let_fake(shape);
            twin.set_controls(Controls::parse(&format!("m{shape}")).unwrap());
            let url = scene.gateway.url(&api.path(api.model(), true));
            let answer = reply(h2_client().post(url).bearer_auth(KEY).body(body.to_string())).await;
            assert_same(&format!("{api:?} {shape}"), &answer, &direct(&twin, api, &body).await);
        }
    }
}

#[tokio::test]
async fn usage_is_seen_by_the_client_that_asked_and_by_no_other() {
    let (scene, twin) = (Scene::start().await, fake());
    for api in [Api::Chat, Api::Completion] {
        let mut body = api.body(api.model(), true, "12345678");
        for (options, is_asked) in
            [(json!({"include_usage": true}), true), (json!({"include_usage": false}), false), (json!(null), false)]
        {
            body["stream_options"] = options;
            for shape in ["", "~crlf~chunk_bytes=3", "~nousage"] {
                scene.let_fake(shape);
                twin.set_controls(Controls::parse(&format!("m{shape}")).unwrap());
                let answer = reply(scene.post(&api.path("", true)).body(body.to_string())).await;
                assert_same(&format!("{api:?} {shape} {body}"), &answer, &direct(&twin, api, &body).await);
                let sees_usage = answer.text().contains("\"usage\":{");
                assert_eq!(sees_usage, is_asked && shape != "~nousage", "{api:?} {shape} {body}");
                let line = scene.logged(&answer).await;
                let source = if shape == "~nousage" { "estimated" } else { "reported" };
                assert_eq!(line["tokens.source"], source, "metered all the same: {line}");
            }
        }
    }
}

/// The fake sends an event only after the test has seen the one before, so a piece that is kept back anywhere hangs.
#[tokio::test]
async fn each_event_is_passed_on_before_the_next_one_comes() {
    let scene = Scene::start().await;
    let books = scene.fake.books();
    for api in Api::ALL {
        let token = format!("step-{api:?}");
        scene.let_fake(&format!("~words=6~lockstep={token}"));
        // The header waits for the first event with content.
        (0..api.preludes()).for_each(|_| books.ack(&token));
        let mut answer = soon(scene.ask(api, api.model(), true).send()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut seen = String::new();
        for word in 0..6 {
            while !seen.contains(&format!("w{word}")) {
                let piece = soon(answer.chunk()).await.unwrap().unwrap_or_else(|| panic!("{api:?} ended after {seen}"));
                seen.push_str(std::str::from_utf8(&piece).unwrap());
            }
            assert!(!seen.contains(&format!("w{}", word + 1)), "{api:?}");
            books.ack(&token);
        }
        (0..20).for_each(|_| books.ack(&token));
        while let Some(piece) = soon(answer.chunk()).await.unwrap() {
            seen.push_str(std::str::from_utf8(&piece).unwrap());
        }
        assert!(seen.contains(api.end_mark()), "{api:?}: {seen}");
    }
}

#[tokio::test]
async fn a_stream_has_the_headers_that_proxies_must_not_buffer() {
    let scene = Scene::start().await;
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let answer = scene.asked(api, api.model(), true).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert_eq!(answer.header("x-tollgate-provider"), Some(api.vendor()));
        assert_eq!(answer.header("x-tollgate-model"), Some(api.model()));
        assert_eq!(answer.header("content-length"), None);
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_stream_is_the_vendors_error() {
    let scene = Scene::start().await;
    for api in Api::ALL {
        for status in [400, 429, 500] {
            scene.let_fake(&format!("~status={status}"));
            let answer = scene.asked(api, api.model(), true).await;
            assert_eq!(answer.status, status, "{api:?}");
            assert!(answer.text().contains("on demand"), "{api:?}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let line = scene.logged(&answer).await;
            assert_eq!((line.get("cost_usd"), line.get("tokens.output")), (None, None), "errors cost nothing: {line}");
        }
    }
}

#[tokio::test]
async fn whole_answers_are_the_vendors_byte_for_byte() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        let (scene, twin) = (Scene::start().await, fake());
        let body = api.body(api.model(), false, "12345678");
        for shape in
            ["", "~nocontentlength", "~chunk_bytes=1", "~big=30000~words=20", "~big=200000~words=10~nocontentlength"]
        {
            scene.let_fake(shape);
            twin.set_controls(Controls::parse(&format!("m{shape}")).unwrap());
            let url = format!("{}{}", twin.url(), api.path(api.model(), false));
            let expected = reply(client().post(url).body(body.to_string())).await.body;
            let answer = reply(scene.post(&api.path(api.model(), false)).body(body.to_string())).await;
            assert_same(&format!("{api:?} {shape}"), &answer, &expected);
        }
    }
}

/// More than any buffer on the way, to a client that does not read for a while: what is not read must wait at the vendor.
#[tokio::test]
async fn a_client_that_reads_slowly_slows_the_vendor_down() {
    let scene = Scene::start().await;
    scene.let_fake("~words=4000~big=50000");
    let mut request = String::new();
    let body = Api::Chat.body("gpt-4o", true, "hi").to_string();
    write!(
        request,
        "{}",
        super::support::wire::head("/v1/chat/completions", &format!("content-length: {}", body.len()))
    )
    .unwrap();
    let mut wire = scene.wire().await;
    wire.send(request + &body).await;
    assert_eq!(wire.answer_head().await.status, 200);
    let first = wire.chunk().await.unwrap();
    assert!(!first.is_empty());
    // 200 MB are on offer. The vendor gets rid of what sockets and buffers hold, and then stands still.
    let mut before = 0;
    soon(async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let written = scene.fake.books().totals().output_tokens;
            if written == before {
                break;
            }
            before = written;
        }
    })
    .await;
    assert!(before < 3_000, "{before} of 4,000 pieces were taken from the vendor");
    assert!(scene.gateway.peak_memory() < 150_000_000, "{} bytes", scene.gateway.peak_memory());
}
