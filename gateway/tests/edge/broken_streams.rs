//! Streams that break after content has passed: the client is told in its own dialect, and never sees a whole answer.

use bytes::BytesMut;
use loadtest::fake::{Controls, FakeProvider};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::support::config::{KEY, config, without_circuits};
use super::support::process::Gateway;
use super::support::scene::{Pair, Reply, Scene, forgetful_client};
use super::support::soon;
use super::support::sse::{Api, events, reason};
use super::support::stub::{Stub, WAIT};

/// The stream ends with an error of this API, and not with the mark of a whole answer.
fn assert_told(api: Api, text: &str, why: &str) {
    let all = events(api, text);
    let last: &Value = all.last().unwrap();
    assert_eq!(reason(last), Some(why), "{api:?}: {text}");
    assert!(!text.contains(api.end_mark()), "{api:?} looks complete: {text}");
    assert!(text.contains("w0"), "what was said before is still there: {text}");
    let is_typed = match api {
        Api::Chat | Api::Completion => last["error"]["message"].is_string(),
        Api::Responses => last["type"] == "error" && text.contains("event: error\n"),
        Api::Messages => last["type"] == "error" && text.contains("event: error\n") && last["request_id"].is_string(),
        Api::Gemini | Api::GeminiArray => last["error"]["status"].is_string() && last["error"]["code"].is_u64(),
    };
    assert!(is_typed, "{api:?}: {last}");
}

async fn scene() -> Scene {
    Scene { client: forgetful_client(), ..Scene::start().await }
}

/// A stream that breaks once the client has seen three words. Pieces that come together with the break do not count as seen.
async fn broken(provider: &FakeProvider, request: RequestBuilder, api: Api, fault: &str) -> Reply {
    broken_in(provider, request, api, fault, "~big=8").await
}

/// The same with words of a certain shape.
async fn broken_in(provider: &FakeProvider, request: RequestBuilder, api: Api, fault: &str, shape: &str) -> Reply {
    let token = format!("{api:?}-{fault}");
    let point = api.preludes() + 3;
    provider.set_controls(Controls::parse(&format!("m~words=20{shape}~lockstep={token}~{fault}={point}")).unwrap());
    (1..point).for_each(|_| provider.books().ack(&token));
    let mut response = soon(request.send()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = BytesMut::new();
    while !body.windows(2).any(|seen| seen == b"w2") {
        body.extend(soon(response.chunk()).await.unwrap().expect("three words before the break"));
    }
    provider.books().ack(&token);
    body.extend(soon(response.bytes()).await.unwrap());
    Reply { status, headers, body: body.freeze() }
}

async fn assert_break_is_told(scene: &Scene, api: Api, fault: &str, why: &str) {
    let answer = broken(&scene.fake, scene.ask(api, api.model(), true), api, fault).await;
    assert_eq!(answer.status, 200);
    assert_told(api, &answer.text(), why);
    let line = scene.logged(&answer).await;
    assert_eq!((&line["error.type"], &line["http.status"]), (&json!(why), &json!(200)), "{line}");
    assert!(line["tokens.output"].as_u64().unwrap() >= 3, "what was delivered is charged: {line}");
    assert_ne!(line["tokens.source"], "reported", "{line}");
}

#[tokio::test]
async fn a_stream_that_ends_early_ends_with_an_error() {
    let scene = scene().await;
    for api in Api::ALL {
        assert_break_is_told(&scene, api, "cut_after", "upstream_unreachable").await;
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_ends_with_an_error() {
    let scene = scene().await;
    for api in Api::ALL {
        assert_break_is_told(&scene, api, "reset_after", "upstream_unreachable").await;
    }
}

#[tokio::test]
async fn a_stream_that_stalls_ends_with_an_error_at_its_deadline() {
    let mut scene = Scene::with(|config| {
        for vendor in ["openai", "anthropic", "gemini"] {
            config["providers"][vendor]["network_config"]["stream_idle_timeout_in_seconds"] = json!(1);
        }
    })
    .await;
    scene.client = forgetful_client();
    for api in Api::ALL {
        assert_break_is_told(&scene, api, "stall_after", "upstream_timeout").await;
        let entries = scene.fake.books().entries();
        assert_eq!(entries.len(), 1, "no other attempt after content: {entries:?}");
        scene.only_entry(|entry| entry.caller_gone.is_some()).await;
        scene.fake.books().clear();
    }
}

#[tokio::test]
async fn a_cut_within_an_event_does_not_swallow_the_error() {
    let word = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w0\"}}]}\n\n";
    for half in ["data: {\"choices\":[{\"ind", "dat", "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n"] {
        let vendor = Stub::answering(move |_| {
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{word}{WAIT}{half}")
        })
        .await;
        let gateway = Gateway::start(&config(&vendor.url())).await;
        let mut body = Api::Chat.body("gpt-4o", true, "hi");
        body["stream_options"] = json!({"include_usage": true});
        let request =
            forgetful_client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY).body(body.to_string());
        let mut response = soon(request.send()).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = soon(response.chunk()).await.unwrap() {
            text.push_str(std::str::from_utf8(&piece).unwrap());
            vendor.go_on();
        }
        assert_told(Api::Chat, &text, "upstream_unreachable");
        assert!(text.contains("\n\ndata: {\"error\""), "an event of its own: {text}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_any_content_is_an_error_answer() {
    let scene = Scene::start().await;
    for api in Api::ALL {
        for fault in ["cut_after", "reset_after"] {
            scene.let_fake(&format!("~{fault}={}", api.preludes()));
            let answer = scene.asked(api, api.model(), true).await;
            assert_eq!((answer.status, reason(&answer.json())), (502, Some("upstream_unreachable")), "{api:?} {fault}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn an_error_of_the_vendors_in_a_stream_is_passed_on_as_it_is() {
    let scene = Scene::start().await;
    for api in Api::ALL {
        let point = api.preludes() + 3;
        scene.let_fake(&format!("~words=20~big=8~error_after={point}"));
        let answer = scene.asked(api, api.model(), true).await;
        let text = answer.text();
        assert!(!text.contains(api.end_mark()), "{api:?}: {text}");
        let errors =
            events(api, &text).iter().filter(|event| event.to_string().contains("broken off on demand")).count();
        assert_eq!(errors, 1, "told once: {api:?}: {text}");
        assert!(text.matches("error").count() <= 6, "and by nobody else: {text}");
        let line = scene.logged(&answer).await;
        assert!(line["tokens.output"].as_u64().unwrap() >= 3, "{line}");
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_is_504_in_each_dialect() {
    let scene = Scene::with(|config| {
        for vendor in ["openai", "anthropic", "gemini"] {
            config["providers"][vendor]["network_config"]["stream_header_timeout_ms"] = json!(300);
        }
    })
    .await;
    scene.let_fake("~header_stall_ms=600000");
    for api in Api::ALL {
        let answer = scene.asked(api, api.model(), true).await;
        assert_eq!((answer.status, reason(&answer.json())), (504, Some("upstream_timeout")), "{api:?}");
        let line = scene.logged(&answer).await;
        assert_eq!((&line["attempts"], &line["error.type"]), (&json!(1), &json!("upstream_timeout")), "{line}");
        assert_eq!(line["tokens.source"], "estimated", "its input was read: {line}");
        assert_eq!(line["tokens.output"], 0, "{line}");
    }
    scene
        .fake
        .books()
        .wait_for(|all| all.iter().all(|entry| entry.caller_gone.is_some()), super::support::PATIENCE)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_whole_answer_is_waited_for_up_to_the_total_deadline() {
    let scene = Scene::with(|config| {
        let network = &mut config["providers"]["openai"]["network_config"];
        network["stream_header_timeout_ms"] = json!(50);
        network["stream_idle_timeout_in_seconds"] = json!(1);
        network["default_request_timeout_in_seconds"] = json!(3);
    })
    .await;
    scene.let_fake("~header_stall_ms=1500");
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200, "deadlines of streams are not for it");
    scene.let_fake("~header_stall_ms=600000");
    let late = scene.asked(Api::Chat, "gpt-4o", false).await;
    assert_eq!((late.status, reason(&late.json())), (504, Some("upstream_timeout")));
    assert_eq!(scene.logged(&late).await["tokens.source"], "abandoned");
}

#[tokio::test]
async fn no_other_target_is_asked_once_the_client_has_seen_content() {
    for (fault, why) in [("cut_after", "upstream_unreachable"), ("reset_after", "upstream_unreachable")] {
        for api in Api::ALL {
            let pair = Pair::with(api.vendor(), "", |_| ()).await;
            let body = api.body(api.model(), true, "hi").to_string();
            let request = pair.post(&api.path(api.model(), true)).body(body);
            let answer = broken(&pair.first, request, api, fault).await;
            assert_told(api, &answer.text(), why);
            assert!(pair.second.books().is_empty(), "{api:?} {fault}");
            assert_eq!(pair.logged(&answer).await["attempts"], 1);
        }
    }
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_is_an_error_and_not_half_an_answer() {
    let scene = Scene::with(without_circuits).await;
    for api in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
        for fault in ["~cut_after=40", "~reset_after=40", "~reset_after=40~nocontentlength"] {
            scene.let_fake(fault);
            let answer = scene.asked(api, api.model(), false).await;
            let told = (answer.status, reason(&answer.json()).map(str::to_owned));
            assert_eq!(told, (502, Some("upstream_unreachable".to_owned())), "{api:?} {fault}");
            assert_eq!(answer.header("connection"), Some("close"), "the client must not count on the connection");
            assert_eq!(
                scene.logged(&answer).await["tokens.source"],
                "abandoned",
                "the vendor may have worked to the end"
            );
        }
    }
}

#[tokio::test]
async fn every_piece_of_a_broken_stream_is_charged_as_one_token_at_least() {
    let scene = scene().await;
    for api in Api::ALL {
        let request = scene.ask(api, api.model(), true);
        let answer = broken_in(&scene.fake, request, api, "cut_after", "").await;
        let line = scene.logged(&answer).await;
        assert!(line["tokens.output"].as_u64().unwrap() >= 3, "{api:?}: {line}");
    }
}
