//! How calls end that are translated: streams that break off, clients that leave, answers that are none.

use serde_json::{Value, json};

use super::super::support::config::{fake, provider};
use super::super::support::prices::Tokens;
use super::super::support::raw::{answer, document, stream, torn_stream, two_pieces};
use super::super::support::scene::{Reply, Scene};
use super::super::support::sse::Api;
use super::super::support::stub::{Stub, WAIT};
use super::super::support::{PATIENCE, soon};
use super::{asked, asked_in_two, assert_ends_with_error, assert_error_of, pairs, text};

/// A vendor that answers always this.
async fn always(vendor: Api, whole: String, change: impl FnOnce(&mut Value)) -> (Stub, Scene) {
    let stub = Stub::answering(move |_| whole.clone()).await;
    let scene = Scene::with(|config| {
        let network = &mut config["providers"][vendor.vendor()]["network_config"];
        network["base_url"] = json!(stub.url());
        network["max_retries"] = json!(0);
        change(config);
    })
    .await;
    (stub, scene)
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_of_the_clients_dialect() {
    for (client, vendor) in pairs() {
        let (one, two) = two_pieces(vendor);
        // Ended without its end mark, with half an event, or torn off.
        let ends = [
            stream(&format!("{one}{WAIT}{two}")),
            stream(&format!("{one}{WAIT}{}", &two[..two.len() - 9])),
            torn_stream(&format!("{one}{WAIT}{two}")),
        ];
        for whole in ends {
            let (stub, scene) = always(vendor, whole, |_| ()).await;
            let told = asked_in_two(&scene, &stub, client, vendor, "A ").await;
            assert_eq!(told.status, 200, "{client:?} to {vendor:?}: {}", told.text());
            assert_ends_with_error(client, &told);
            let line = scene.logged(&told).await;
            assert_eq!(line["error.type"], "upstream_unreachable", "{line}");
            assert!(["partial", "estimated"].contains(&line["tokens.source"].as_str().unwrap()), "{line}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_none_is_a_bad_answer() {
    for (client, vendor) in pairs() {
        let garbage = "data: {\"choices\": 7, \"type\": \"content_block_delta\", \"index\": \"x\"}\n\n";
        for whole in [document("200 OK", r#"{"fine": true}"#), stream(garbage), stream("")] {
            let (_stub, scene) = always(vendor, whole.clone(), |_| ()).await;
            let told = asked(&scene, client, vendor, true).await;
            assert_eq!(told.status, 502, "{client:?} to {vendor:?} {whole}: {}", told.text());
            assert_error_of(client, &told.json());
        }
    }
}

#[tokio::test]
async fn a_document_that_is_none_is_a_bad_answer() {
    for (client, vendor) in pairs() {
        let torn = answer("200 OK", "content-type: application/json\r\ncontent-length: 100\r\n", r#"{"content":"#);
        for whole in
            [document("200 OK", r#"{"choices": 7, "content": 7, "candidates": 7}"#), document("200 OK", "w0 w1"), torn]
        {
            let (_stub, scene) = always(vendor, whole.clone(), |_| ()).await;
            let told = asked(&scene, client, vendor, false).await;
            assert_eq!(told.status, 502, "{client:?} to {vendor:?} {whole}: {}", told.text());
            assert_error_of(client, &told.json());
            scene.until_metric("tollgate_held_body_bytes ", 0).await;
        }
    }
}

#[tokio::test]
async fn a_sound_answer_that_cannot_be_translated_closes_the_route_to_nobody() {
    let (stub, scene) = always(Api::Chat, document("200 OK", r#"{"choices": 7}"#), |_| ()).await;
    for stream in [false, true] {
        for call in 1..=8 {
            let told = asked(&scene, Api::Messages, Api::Chat, stream).await;
            assert_eq!(told.status, 502, "{call}: {}", told.text());
        }
    }
    assert_eq!(stub.requests().len(), 16);
}

#[tokio::test]
async fn an_answer_is_told_though_there_is_no_room_for_it_beside_the_bodies() {
    let long = "w ".repeat(700 * 1024);
    let whole = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": Api::Chat.model(),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": long}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12},
    });
    let (_stub, scene) = always(Api::Chat, document("200 OK", &whole.to_string()), |config| {
        config["client"]["max_request_body_size_mb"] = json!(1);
        config["client"]["max_buffered_bytes"] = json!(1024 * 1024);
    })
    .await;
    let told = asked(&scene, Api::Messages, Api::Chat, false).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert_eq!(text(Api::Messages, &told, false).len(), long.len());
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
}

#[tokio::test]
async fn a_broken_event_behind_the_beginning_ends_the_stream() {
    for (client, vendor) in pairs() {
        let whole = stream(&format!("{}{WAIT}data: {{]\n\n", two_pieces(vendor).0));
        let (stub, scene) = always(vendor, whole, |_| ()).await;
        let told = asked_in_two(&scene, &stub, client, vendor, "A ").await;
        assert_eq!(told.status, 200, "{client:?} to {vendor:?}: {}", told.text());
        assert_ends_with_error(client, &told);
    }
}

/// Asks for a stream, reads until `seen` is there, and leaves.
async fn leave_after(scene: &Scene, client: Api, vendor: Api, seen: &str) {
    let request = scene.ask(client, vendor.model(), true).header("x-request-id", "leaver");
    let mut response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    while !text.contains(seen) {
        let piece = soon(response.chunk()).await.unwrap().unwrap_or_else(|| panic!("{client:?} ended: {text}"));
        text.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_charged_what_the_vendor_had_made() {
    for (client, vendor) in pairs() {
        let scene = Scene::with(|config| config["client"]["drain_ms"] = json!(200)).await;
        scene.let_fake("~words=20000~big=8~delay_ms=10");
        leave_after(&scene, client, vendor, "w9x").await;
        let is_gone = |entries: &[loadtest::fake::Entry]| entries.iter().any(|entry| entry.caller_gone.is_some());
        let entry = scene.fake.books().wait_for(is_gone, PATIENCE).await.unwrap().pop().unwrap();
        let line = scene.logged_as("leaver").await;
        assert_eq!(line["client.left"], true, "{line}");
        let output = line["tokens.output"].as_u64().unwrap();
        assert!(output >= entry.output_tokens && output < 20_000, "{client:?} to {vendor:?}: {entry:?} {line}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_shortly_before_the_end_is_charged_what_the_vendor_reports() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        scene.let_fake("~words=20~delay_ms=5");
        leave_after(&scene, client, vendor, "w0").await;
        let entry = scene.only_entry(|entry| entry.ended_us.is_some()).await;
        assert!(entry.finished, "{entry:?}");
        let line = scene.logged_as("leaver").await;
        let reported = Tokens::of(vendor, &entry.usage.unwrap());
        assert_eq!(line["tokens.source"], "reported", "{client:?} to {vendor:?}: {line}");
        assert_eq!(line["tokens.output"], reported.output_total(), "{line}");
    }
}

/// The first target breaks off behind its first word; the second one is well.
async fn broken_off(client: Api, first: Api, second: Api, recovery: &str) -> Reply {
    let healthy = fake();
    let url = healthy.url();
    let (one, _) = two_pieces(first);
    let wait = if recovery == "buffer" { "" } else { WAIT };
    let (stub, scene) = always(first, torn_stream(&format!("{one}{wait}")), |config| {
        config["client"]["stream_recovery"] = json!(recovery);
        config["providers"][second.vendor()] = provider(second.vendor(), &url);
        let fallback = json!([format!("{}/{}", second.vendor(), second.model())]);
        let rule = json!({"id": "r", "name": "r", "cel_expression": "", "fallbacks": fallback,
            "targets": [{"provider": first.vendor(), "model": first.model(), "weight": 1.0}]});
        config["governance"]["routing_rules"] = json!([rule]);
    })
    .await;
    let told = asked_in_two(&scene, &stub, client, first, "A ").await;
    assert_eq!(healthy.books().len(), usize::from(recovery == "buffer"), "{client:?} {recovery}: {}", told.text());
    told
}

#[tokio::test]
async fn a_stream_is_not_gone_on_with_in_another_format() {
    for client in [Api::Chat, Api::Messages] {
        for (first, second) in [(Api::Chat, Api::Messages), (Api::Messages, Api::Chat)] {
            let told = broken_off(client, first, second, "resume").await;
            assert!(text(client, &told, true).starts_with("A "), "{}", told.text());
            assert_ends_with_error(client, &told);
        }
    }
}

#[tokio::test]
async fn a_stream_of_which_nothing_was_sent_is_asked_for_again_in_another_format() {
    for client in [Api::Chat, Api::Messages] {
        for (first, second) in [(Api::Chat, Api::Messages), (Api::Messages, Api::Chat)] {
            let told = broken_off(client, first, second, "buffer").await;
            assert_eq!(told.status, 200, "{}", told.text());
            assert!(text(client, &told, true).starts_with("w0"), "{}", told.text());
            assert!(told.text().contains(client.end_mark()), "{}", told.text());
        }
    }
}
