//! A second target after the first one failed: it gets the very same body, and the client the very same answer as if it had
//! been asked at once.

use bytes::Bytes;
use loadtest::fake::FakeProvider;
use reqwest::Client;
use serde_json::{Value, json};

use super::bodies::body_of;
use super::support::config::{KEY, fake, pair};
use super::support::process::Gateway;
use super::support::scene::{Pair, Reply, Scene, client, h2_client, reply};
use super::support::sha256;
use super::support::sse::{Api, reason};
use super::support::stub::nobody;

/// What a provider of its own would have answered to its first request.
async fn direct(api: Api, stream: bool) -> Bytes {
    let provider = fake();
    let url = format!("{}{}", provider.url(), api.path(api.model(), stream));
    reply(client().post(url).body(body(api, stream))).await.body
}

/// A body that asks for usage itself, so that nothing is spliced in.
fn body(api: Api, stream: bool) -> String {
    let mut body = api.body(api.model(), stream, "12345678");
    if stream && matches!(api, Api::Chat | Api::Completion) {
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string()
}

/// The second provider's answer is whole, and it was asked for just what the client sent.
fn assert_second_answered(what: &str, reply: &Reply, second: &FakeProvider, sent: &[u8], expected: &[u8]) {
    assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    assert!(reply.body == expected, "{what}: {}\ninstead of\n{}", reply.text(), String::from_utf8_lossy(expected));
    let entries = second.books().entries();
    assert_eq!(entries.len(), 1, "{what}");
    assert_eq!(entries[0].body_sha256, sha256(sent), "{what}: {:?}", entries[0].body);
    assert_eq!(entries[0].credential(), Some("canary-vendor-secret-second"), "{what}");
    assert_eq!(reply.header("x-tollgate-provider"), Some("second"), "{what}");
    let trail = reply.header("x-tollgate-attempts").unwrap();
    assert!(trail.starts_with("first/first-main="), "{what}: {trail}");
}

async fn assert_goes_on(api: Api, stream: bool, first_does: &str) {
    let pair = Pair::with(api.vendor(), first_does, |_| ()).await;
    let sent = body(api, stream);
    let answer = reply(pair.post(&api.path(api.model(), stream)).body(sent.clone())).await;
    let what = format!("{api:?}, stream: {stream}, after {first_does}");
    assert_second_answered(&what, &answer, &pair.second, sent.as_bytes(), &direct(api, stream).await);
    let first = pair.first.books().entries();
    assert_eq!(first.len(), 1, "{what}: a dead route is not tried again");
    assert_eq!(first[0].body_sha256, sha256(sent.as_bytes()));
    let line = pair.logged(&answer).await;
    assert_eq!((&line["attempts"], &line["provider"]), (&json!(2), &json!("second")), "{what}: {line}");
}

#[tokio::test]
async fn the_next_target_answers_after_an_error_status() {
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        for status in ["~status=500", "~status=529", "~status=429~retry_after=9", "~status=401", "~status=502~html"] {
            assert_goes_on(api, false, status).await;
        }
        assert_goes_on(api, true, "~status=503").await;
    }
}

#[tokio::test]
async fn the_next_target_answers_after_a_broken_connection() {
    for api in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
        for stream in [false, true] {
            for fault in ["~reset_before_header", "~reset_after=0", "~reset_before_header~first_delay_ms=20"] {
                assert_goes_on(api, stream, fault).await;
            }
        }
    }
}

#[tokio::test]
async fn the_next_target_answers_after_a_whole_answer_that_broke_off_or_is_an_error() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        for fault in ["~error_200", "~cut_after=20", "~reset_after=20~nocontentlength"] {
            assert_goes_on(api, false, fault).await;
        }
    }
}

#[tokio::test]
async fn the_next_target_answers_after_a_stream_that_failed_before_any_content() {
    for api in Api::ALL {
        let mut points = vec![0, api.preludes()];
        points.dedup();
        for point in points {
            for fault in ["error_after", "cut_after", "reset_after"] {
                assert_goes_on(api, true, &format!("~{fault}={point}")).await;
            }
        }
    }
}

#[tokio::test]
async fn the_next_target_answers_after_a_stream_that_did_not_begin_in_time() {
    for (first_does, knob, value) in [
        ("~header_stall_ms=600000", "stream_header_timeout_ms", 200),
        ("~stall_after=0", "stream_idle_timeout_in_seconds", 1),
    ] {
        let pair = Pair::with("openai", first_does, |config| {
            config["providers"]["first"]["network_config"][knob] = json!(value);
        })
        .await;
        let sent = body(Api::Chat, true);
        let answer = reply(pair.post(&Api::Chat.path("", true)).body(sent.clone())).await;
        assert_second_answered(first_does, &answer, &pair.second, sent.as_bytes(), &direct(Api::Chat, true).await);
    }
}

#[tokio::test]
async fn the_next_target_answers_where_nobody_listens() {
    let second = fake();
    let gateway = Gateway::start(&pair("openai", &nobody().await, &second.url())).await;
    let sent = body(Api::Chat, false);
    let url = gateway.url(&Api::Chat.path("", false));
    let answer = reply(client().post(url).bearer_auth(KEY).body(sent.clone())).await;
    assert_second_answered("nobody", &answer, &second, sent.as_bytes(), &direct(Api::Chat, false).await);
}

#[tokio::test]
async fn large_bodies_reach_the_second_target_identical() {
    let faults = ["~status=500", "~reset_before_header", "~error_200", "~cut_after=5"];
    let clients: [(&str, Client); 2] = [("HTTP/1.1", client()), ("HTTP/2", h2_client())];
    for fault in faults {
        let pair = Pair::with("openai", fault, |config| {
            config["providers"]["first"]["network_config"]["circuit_breaker"] = json!(false);
        })
        .await;
        for (how, client) in &clients {
            let largest = if fault == "~reset_before_header" { 20_000_000 } else { 3_000_000 };
            for size in [45, 65_537, largest] {
                let body = body_of(size);
                let url = pair.gateway.url("/v1/chat/completions");
                let answer = reply(client.post(url).bearer_auth(KEY).body(body.clone())).await;
                assert_eq!(answer.status, 200, "{fault}, {how}, {size}: {}", answer.text());
                for provider in [&pair.first, &pair.second] {
                    let entry = provider.books().last().unwrap();
                    assert_eq!(entry.body_bytes, size as u64, "{fault}, {how}");
                    assert_eq!(entry.body_sha256, sha256(&body), "{fault}, {how}, {size}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_blames_the_request_is_final() {
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        for status in [400, 413, 422] {
            let pair = Pair::with(api.vendor(), &format!("~status={status}"), |_| ()).await;
            let answer = reply(pair.post(&api.path(api.model(), false)).body(body(api, false))).await;
            assert_eq!(answer.status, status);
            assert!(answer.text().contains("on demand"), "the vendor's own words: {}", answer.text());
            assert!(pair.second.books().is_empty(), "{api:?} {status}");
        }
    }
}

#[tokio::test]
async fn when_every_target_fails_the_caller_is_told_once() {
    for (fault, status, why) in [
        ("~status=500", 500, None),
        ("~reset_before_header", 502, Some("upstream_unreachable")),
        ("~status=401", 502, Some("upstream_credentials_exhausted")),
    ] {
        for api in [Api::Chat, Api::Messages, Api::Gemini] {
            let pair = Pair::with(api.vendor(), fault, |_| ()).await;
            pair.second.set_controls(loadtest::fake::Controls::parse(&format!("m{fault}")).unwrap());
            let answer = reply(pair.post(&api.path(api.model(), false)).body(body(api, false))).await;
            let body: Value = answer.json();
            assert_eq!(answer.status, status, "{api:?}, {fault}: {body}");
            if why.is_some() {
                assert_eq!(reason(&body), why, "{api:?}, {fault}: {body}");
            }
            assert!(answer.header("x-tollgate-attempts").unwrap().starts_with("first/first-main="));
            assert_eq!((pair.first.books().len(), pair.second.books().len()), (1, 1));
            assert_eq!(pair.logged(&answer).await["attempts"], 2);
        }
    }
}

#[tokio::test]
async fn a_request_that_a_vendor_may_have_worked_on_is_not_sent_to_it_again() {
    let scene = Scene::start().await;
    // The connection is used before, as one from the pool that may have died there.
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    scene.let_fake("~header_stall_ms=2500~reset_before_header");
    let lost = scene.asked(Api::Chat, "gpt-4o", false).await;
    assert_eq!((lost.status, reason(&lost.json())), (502, Some("upstream_unreachable")));
    let entries = scene.fake.books().entries();
    assert_eq!(entries.len(), 2, "asked once");
    assert_eq!(entries[0].connection, entries[1].connection);
    let line = scene.logged(&lost).await;
    assert_eq!((&line["tokens.source"], &line["attempts"]), (&json!("abandoned"), &json!(1)), "{line}");
}
