//! Clients that leave before they have their answer: it is read on for a while, then cut, and charged either way.

use loadtest::fake::Entry;
use serde_json::{Value, json};

use super::support::PATIENCE;
use super::support::config::KEY;
use super::support::prices::Tokens;
use super::support::scene::{Scene, h2_client};
use super::support::soon;
use super::support::sse::Api;

async fn scene(drain_ms: u64) -> Scene {
    Scene::with(|config| config["client"]["drain_ms"] = json!(drain_ms)).await
}

/// Asks for a stream, reads until `text` is there, and leaves.
async fn leave_stream_after(scene: &Scene, api: Api, id: &str, text: &str) {
    let mut response = soon(scene.ask(api, api.model(), true).header("x-request-id", id).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut seen = String::new();
    while !seen.contains(text) {
        let piece = soon(response.chunk()).await.unwrap().unwrap_or_else(|| panic!("{api:?} ended: {seen}"));
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
}

fn number(line: &Value, field: &str) -> u64 {
    line[field].as_u64().unwrap_or_else(|| panic!("{field} is missing: {line}"))
}

/// The books' newest entry once the vendor has seen its caller go.
async fn gone(scene: &Scene) -> Entry {
    let is_gone = |entries: &[Entry]| entries.last().is_some_and(|entry| entry.caller_gone.is_some());
    scene.fake.books().wait_for(is_gone, PATIENCE).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_stream_that_nobody_reads_any_more_is_cut_and_charged_for_what_was_delivered() {
    for api in Api::ALL {
        let scene = scene(200).await;
        // It would go on for minutes; each word is two tokens by anybody's count.
        scene.let_fake("~words=20000~big=8~delay_ms=10");
        leave_stream_after(&scene, api, "leaver", "w9x").await;
        let entry = gone(&scene).await;
        assert!(!entry.finished && entry.output_tokens < 20_000, "{api:?}: {entry:?}");
        let line = scene.logged_as("leaver").await;
        assert_eq!((&line["client.left"], &line["http.status"]), (&json!(true), &json!(200)), "{line}");
        let source = line["tokens.source"].as_str().unwrap();
        assert!(["estimated", "partial"].contains(&source), "{line}");
        let output = number(&line, "tokens.output");
        assert!(output >= 10 && output >= entry.output_tokens, "{output} for {}: {line}", entry.output_tokens);
        assert!(output <= 20 * entry.output_tokens + 200, "{output} for {}: {line}", entry.output_tokens);
        assert!(number(&line, "tokens.input") >= 2, "{line}");
        assert_ne!(line["cost_usd"], "0.000000000", "{line}");
        assert_eq!(line["attempts"], 1);
    }
}

#[tokio::test]
async fn an_answer_that_ends_while_it_is_drained_is_charged_as_reported() {
    let scene = scene(60_000).await;
    let books = scene.fake.books();
    for api in Api::ALL {
        books.clear();
        let token = format!("drained-{api:?}");
        scene.let_fake(&format!("~words=20~lockstep={token}"));
        (0..=api.preludes()).for_each(|_| books.ack(&token));
        leave_stream_after(&scene, api, &token, "w1").await;
        // One event at a time, so that writing to the client that left fails in the middle.
        let mut written = 0;
        while books.last().unwrap().ended_us.is_none() {
            books.ack(&token);
            written += 1;
            let has_moved = |all: &[Entry]| all[0].events > written || all[0].ended_us.is_some();
            books.wait_for(has_moved, PATIENCE).await.unwrap();
        }
        let entry = books.last().unwrap();
        assert_eq!((entry.finished, entry.caller_gone), (true, None), "{api:?}");
        let line = scene.logged_as(&token).await;
        assert_eq!((&line["client.left"], &line["tokens.source"]), (&json!(true), &json!("reported")), "{line}");
        let tokens = Tokens::of(api, entry.usage.as_ref().unwrap());
        assert_eq!(number(&line, "tokens.output"), tokens.output_total(), "{line}");
        assert_eq!(number(&line, "tokens.input"), tokens.input_total(), "{line}");
    }
}

#[tokio::test]
async fn a_drain_is_bounded_in_bytes_too() {
    const EVENT: u64 = 20_000;
    const DRAINED: u64 = 256 * 1024;
    // A read has at most 64 KiB, and what waits of four of them is passed on with it.
    const PASSED_ON: u64 = 5 * 64 * 1024;
    let scene = scene(600_000).await;
    scene.let_fake(&format!("~words=100000~big={EVENT}~lockstep=greedy"));
    let books = scene.fake.books();
    (0..Api::Chat.preludes() + 4).for_each(|_| books.ack("greedy"));
    leave_stream_after(&scene, Api::Chat, "greedy", "w3x").await;
    // One event at a time: however slow the gateway is, it learns that the client left before much is written to it.
    while books.last().unwrap().ended_us.is_none() {
        let written = books.last().unwrap().events;
        books.ack("greedy");
        let has_moved = |all: &[Entry]| all[0].events > written || all[0].ended_us.is_some();
        books.wait_for(has_moved, PATIENCE).await.unwrap();
    }
    assert!(!gone(&scene).await.finished);
    let line = scene.logged_as("greedy").await;
    assert_eq!(line["client.left"], true);
    // Behind what the client read, one write to it may still have seemed to succeed.
    let (read, passed) = (5 * EVENT, number(&line, "bytes.out"));
    assert!(passed > DRAINED && passed <= read + PASSED_ON + DRAINED + PASSED_ON, "{line}");
}

#[tokio::test]
async fn a_whole_answer_is_read_to_its_end_for_a_client_that_left() {
    let scene = scene(0).await;
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        scene.fake.books().clear();
        scene.let_fake("~words=30~header_stall_ms=400~body_delay_ms=400");
        let id = format!("whole-{api:?}");
        let request = scene.ask(api, api.model(), false).header("x-request-id", &id);
        let asking = tokio::spawn(request.send());
        scene.only_entry(|entry| !entry.body_sha256.is_empty()).await;
        asking.abort();
        let entry = scene.only_entry(|entry| entry.ended_us.is_some()).await;
        assert_eq!((entry.finished, entry.caller_gone), (true, None), "{api:?}");
        let line = scene.logged_as(&id).await;
        assert_eq!((&line["client.left"], &line["tokens.source"]), (&json!(true), &json!("reported")), "{line}");
        let tokens = Tokens::of(api, entry.usage.as_ref().unwrap());
        assert_eq!(number(&line, "tokens.output"), tokens.output_total(), "{line}");
    }
}

#[tokio::test]
async fn a_stream_whose_client_leaves_before_it_began_is_cut_and_its_input_charged() {
    let scene = scene(100).await;
    scene.let_fake("~header_stall_ms=600000");
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        scene.fake.books().clear();
        let id = format!("early-{api:?}");
        let asking = tokio::spawn(scene.ask(api, api.model(), true).header("x-request-id", &id).send());
        scene.only_entry(|entry| !entry.body_sha256.is_empty()).await;
        asking.abort();
        gone(&scene).await;
        let line = scene.logged_as(&id).await;
        assert_eq!((&line["client.left"], &line["http.status"]), (&json!(true), &json!(0)), "{line}");
        assert_eq!((&line["tokens.source"], &line["tokens.output"]), (&json!("estimated"), &json!(0)), "{line}");
        assert!(number(&line, "tokens.input") >= 2, "{line}");
    }
}

#[tokio::test]
async fn a_stream_given_up_over_http2_is_cut_and_its_connection_lives_on() {
    let mut scene = scene(100).await;
    scene.client = h2_client();
    for round in 0..3 {
        scene.let_fake("~words=20000~big=8~delay_ms=10");
        let id = format!("h2-{round}");
        leave_stream_after(&scene, Api::Chat, &id, "w3x").await;
        gone(&scene).await;
        let line = scene.logged_as(&id).await;
        assert_eq!(line["client.left"], true, "{line}");
        scene.let_fake("");
        assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    }
}

#[tokio::test]
async fn clients_that_leave_do_not_stay_in_flight() {
    let scene = scene(100).await;
    scene.let_fake("~words=20000~big=8~delay_ms=10");
    let leavers = (0..10).map(|n| {
        let (scene, id) = (&scene, format!("many-{n}"));
        async move { leave_stream_after(scene, Api::ALL[n % 6], &id, "w2x").await }
    });
    futures::future::join_all(leavers).await;
    // The request for the metrics is one itself.
    scene.until_metric("tollgate_requests_in_flight ", 1).await;
    assert_eq!(scene.metric("tollgate_client_left_total ").await, Some(10));
    assert_eq!(scene.metric("tollgate_abandoned_attempts_total ").await, Some(0));
    assert!(!scene.gateway.output().contains(KEY));
}
