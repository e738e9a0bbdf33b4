//! What clients are told, whole and streamed, and what it is charged as.

use serde_json::{Value, json};

use super::super::support::prices::{Tokens, as_usd, listed};
use super::super::support::scene::{Reply, Scene};
use super::super::support::sse::{Api, events};
use super::{asked, asked_with, pairs, text};

/// What the answer says was used, in the client's own shape.
fn usage(client: Api, reply: &Reply, stream: bool) -> Value {
    if !stream {
        let name = if client.vendor() == "gemini" { "usageMetadata" } else { "usage" };
        return reply.json()[name].clone();
    }
    let events = events(client, &reply.text());
    let place = match client {
        Api::Responses => "/response/usage",
        Api::Gemini | Api::GeminiArray => "/usageMetadata",
        _ => "/usage",
    };
    let told = events.iter().rev().find_map(|event| event.pointer(place).filter(|usage| usage.is_object()));
    told.unwrap_or_else(|| panic!("{client:?} was told of no usage: {events:?}")).clone()
}

#[tokio::test]
async fn an_answer_is_told_in_the_clients_format_and_charged_by_the_vendors_figures() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        scene.let_fake("~strict~words=33~cached=700");
        for stream in [false, true] {
            let expected = text(vendor, &scene.asked(vendor, vendor.model(), stream).await, stream);
            let answer = asked_with(&scene, client, vendor, stream, |body| {
                if stream && matches!(client, Api::Chat | Api::Completion) {
                    body["stream_options"] = json!({"include_usage": true});
                }
            })
            .await;
            let what = format!("{client:?} to {vendor:?}, {stream}: {}", answer.text());
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(text(client, &answer, stream), expected, "{what}");
            let is_events = stream && client != Api::GeminiArray;
            let kind = if is_events { "text/event-stream" } else { "application/json" };
            assert_eq!(answer.header("content-type"), Some(kind), "{what}");
            assert_eq!(answer.header("x-tollgate-provider"), Some(vendor.vendor()), "{what}");
            assert_eq!(answer.header("x-tollgate-dropped-params"), None, "{what}");
            assert!(!stream || answer.text().contains(client.end_mark()), "{what}");

            let reported = Tokens::of(vendor, &scene.entry().usage.unwrap());
            let told = Tokens::of(client, &usage(client, &answer, stream));
            assert_eq!(told.input_total(), reported.input_total(), "{what}");
            assert_eq!((told.cached, told.output_total()), (700, reported.output_total()), "{what}");
            let line = scene.logged(&answer).await;
            assert_eq!(line["cost_usd"], as_usd(reported.nano_dollars(&listed(vendor))), "{what}: {line}");
            assert_eq!(line["tokens.source"], "reported", "{what}");
        }
    }
}

#[tokio::test]
async fn a_stream_is_told_alike_however_it_is_cut() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        scene.let_fake("~words=12~unicode");
        let whole = text(client, &asked(&scene, client, vendor, true).await, true);
        assert!(!whole.is_empty());
        for controls in ["~chunk_bytes=1", "~chunk_bytes=7~crlf~comments", "~burst"] {
            scene.let_fake(&format!("~words=12~unicode{controls}"));
            let cut = asked(&scene, client, vendor, true).await;
            assert_eq!(text(client, &cut, true), whole, "{client:?} to {vendor:?} {controls}");
            assert!(cut.text().contains(client.end_mark()), "{client:?} to {vendor:?} {controls}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_stream_waits_for_its_end() {
    for (client, vendor) in pairs() {
        let scene = Scene::start().await;
        scene.let_fake("~words=4~stall_after=6");
        let mut response = scene.ask(client, vendor.model(), true).send().await.unwrap();
        let mut seen = String::new();
        while !seen.contains("w0") {
            let piece = super::super::support::soon(response.chunk()).await.unwrap();
            seen.push_str(&String::from_utf8_lossy(
                &piece.unwrap_or_else(|| panic!("{client:?} to {vendor:?}: {seen}")),
            ));
        }
    }
}

#[tokio::test]
async fn usage_is_told_in_a_chat_stream_only_to_clients_that_ask_for_it() {
    let scene = Scene::start().await;
    for client in [Api::Chat, Api::Completion] {
        let answer = asked(&scene, client, Api::Messages, true).await;
        assert!(events(client, &answer.text()).iter().all(|event| !event["usage"].is_object()), "{}", answer.text());
        assert_eq!(scene.logged(&answer).await["tokens.source"], "reported");
    }
}
