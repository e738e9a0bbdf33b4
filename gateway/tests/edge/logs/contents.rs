//! What is said in calls: kept where it is asked for, as it was, within bounds; and never in the way of a call.

use std::time::Duration;

use loadtest::fake::Entry;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use store::Logs;

use super::super::support::PATIENCE;
use super::super::support::config::{KEY, key, vendor_secret};
use super::super::support::limits::coins;
use super::super::support::process::Gateway;
use super::super::support::scene::{Reply, client, reply, until_metric};
use super::super::support::soon;
use super::super::support::sse::Api;
use super::super::support::targets::{Setup, Targets};
use super::rows;

const DROPPED: &str = "tollgate_request_log_contents_dropped_total ";

fn keeping(api: Api, count: usize) -> Setup {
    coins(api.vendor(), count).client("disable_content_logging", json!(false))
}

/// A call as the API shows it.
async fn shown(gateway: &Gateway, answer: &Reply, calls: usize) -> Value {
    let rows = rows(gateway, calls).await;
    let row = rows.iter().find(|row| row.call.request_id == answer.request_id()).unwrap();
    let shown = reply(client().get(gateway.url(&format!("/api/logs/{}", row.id)))).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    shown.json()
}

/// The same, once what was said in it is there.
async fn with_content(gateway: &Gateway, answer: &Reply, calls: usize) -> Value {
    soon(async {
        loop {
            let shown = shown(gateway, answer, calls).await;
            if !shown["raw_request"].is_null() {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

fn ask(targets: &Targets, api: Api, model: &str, stream: bool, text: &str) -> (RequestBuilder, String) {
    let body = api.body(model, stream, text).to_string();
    (targets.post(&api.path(model, stream)).body(body.clone()), body)
}

#[tokio::test]
async fn a_call_is_shown_with_its_body_and_its_answer_as_the_client_had_them() {
    for api in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
        let targets = keeping(api, 1).start().await;
        for (count, stream) in [(1, false), (2, true)] {
            let (asked, body) = ask(&targets, api, api.model(), stream, "what was said: ä\u{1F600}\"'");
            let answer = reply(asked).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let shown = with_content(&targets.gateway, &answer, count).await;
            assert_eq!((&shown["raw_request"], &shown["raw_response"]), (&json!(body), &json!(answer.text())));
            assert!(shown["raw_request_is_cut"].is_null() && shown["raw_response_is_cut"].is_null(), "{shown}");
            let all = shown.to_string();
            assert!(!all.contains(KEY) && !all.contains(&vendor_secret("p0")), "{all}");
        }
    }
}

#[tokio::test]
async fn what_another_provider_said_before_is_no_part_of_the_answer() {
    let targets = keeping(Api::Chat, 2).does(0, "~error_after=1~words=3").retries(0).start().await;
    for (count, stream) in [(1, true), (2, false)] {
        let (asked, _) = ask(&targets, Api::Chat, Api::Chat.model(), stream, "hi");
        let answer = reply(asked).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let shown = with_content(&targets.gateway, &answer, count).await;
        assert_eq!(shown["raw_response"], answer.text());
    }
    assert!(targets.seen()[1] > 0, "nobody went elsewhere");
    // What is told of a failure is an answer too.
    (0..2).for_each(|n| targets.let_do(n, "~status=503"));
    let (asked, body) = ask(&targets, Api::Chat, Api::Chat.model(), false, "hi");
    let refused = reply(asked).await;
    assert_eq!(refused.status, 503);
    let shown = with_content(&targets.gateway, &refused, 3).await;
    assert_eq!((&shown["raw_request"], &shown["raw_response"]), (&json!(body), &json!(refused.text())));
}

#[tokio::test]
async fn a_stream_that_went_on_elsewhere_is_kept_as_the_client_had_it() {
    let setup =
        keeping(Api::Chat, 2).client("stream_recovery", json!("resume")).network("circuit_breaker", json!(false));
    let targets = setup.does(0, "~words=40~reset_after=12~burst").does(1, "~words=40").start().await;
    for count in 1..=5 {
        let (asked, _) = ask(&targets, Api::Chat, Api::Chat.model(), true, "hi");
        let answer = reply(asked).await;
        assert!(answer.text().contains(Api::Chat.end_mark()), "{}", answer.text());
        let shown = with_content(&targets.gateway, &answer, count).await;
        assert_eq!(shown["raw_response"], answer.text());
    }
    assert_eq!(targets.seen(), [5, 5]);
}

#[tokio::test]
async fn long_bodies_are_cut_in_the_log_and_not_on_their_way() {
    let setup =
        keeping(Api::Chat, 1).does(0, "~words=900").with(|config| config["logs_store"] = json!({"max_content_kb": 1}));
    let targets = setup.start().await;
    for (count, stream) in [(1, false), (2, true)] {
        let (asked, body) = ask(&targets, Api::Chat, Api::Chat.model(), stream, &"long ".repeat(1_000));
        let answer = reply(asked).await;
        let shown = with_content(&targets.gateway, &answer, count).await;
        let (request, response) = (shown["raw_request"].as_str().unwrap(), shown["raw_response"].as_str().unwrap());
        assert_eq!((request.len(), response.len()), (1_024, 1_024));
        assert!(body.starts_with(request) && answer.text().starts_with(response));
        assert_eq!((&shown["raw_request_is_cut"], &shown["raw_response_is_cut"]), (&json!(true), &json!(true)));
        assert_eq!(
            (&shown["request_bytes"], &shown["response_bytes"]),
            (&json!(body.len()), &json!(answer.body.len()))
        );
        assert!(answer.body.len() > 4_000, "{}", answer.text());
    }
}

#[tokio::test]
async fn nothing_is_kept_where_the_client_the_key_or_the_call_says_so() {
    let mut private = key("private", "sk-bf-private", &["p0"]);
    private["disable_content_logging"] = json!(true);
    let setup = keeping(Api::Chat, 1).govern("virtual_keys", private);
    let targets = setup.client("allow_per_request_content_storage_override", json!(true)).start().await;
    let header = |value: &str| targets.ask(Api::Chat, false).header("x-bf-disable-content-logging", value);
    let by_key = reply(targets.ask_as("sk-bf-private", false)).await;
    let by_call = reply(header("true")).await;
    let against_key = targets.ask_as("sk-bf-private", false).header("x-bf-disable-content-logging", "false");
    let against_key = reply(against_key).await;
    super::set_client(&targets.gateway, json!({"allow_per_request_content_storage_override": false})).await;
    let unheard = reply(header("true")).await;
    super::set_client(&targets.gateway, json!({"disable_content_logging": null})).await;
    let by_client = targets.asked(Api::Chat, false).await;
    // What is written later is there: what was to be written before would be too.
    super::set_client(&targets.gateway, json!({"disable_content_logging": false})).await;
    let last = targets.asked(Api::Chat, false).await;
    for kept in [&last, &unheard, &against_key] {
        with_content(&targets.gateway, kept, 6).await;
    }
    for unkept in [&by_key, &by_call, &by_client] {
        assert_eq!(unkept.status, 200);
        let shown = shown(&targets.gateway, unkept, 6).await;
        assert!(shown["raw_request"].is_null() && shown["raw_response"].is_null(), "{shown}");
    }
    assert_eq!(targets.metric(DROPPED).await, Some(0));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_dropped_and_counted_and_its_call_goes_on() {
    let bounds = json!({"max_content_kb": 512, "content_buffer_mb": 1});
    let targets = keeping(Api::Chat, 1).with(|config| config["logs_store"] = bounds).start().await;
    let mut open = vec![];
    for name in ["a", "b", "c"] {
        let model = format!("coin~lockstep={name}");
        let (asked, body) = ask(&targets, Api::Chat, &model, true, &"x".repeat(450 * 1024));
        let asking = tokio::spawn(reply(asked));
        let is_there = |entry: &Entry| entry.model.as_deref() == Some(&model) && entry.status.is_some();
        let books = targets.fakes[0].books();
        books.wait_for(|entries| entries.iter().any(is_there), PATIENCE).await.unwrap();
        open.push((name, asking, body));
    }
    until_metric(&client(), &targets.gateway, DROPPED, 1).await;
    let mut kept = 0;
    for (name, asking, body) in open {
        (0..100).for_each(|_| targets.fakes[0].books().ack(name));
        let answer = soon(asking).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains(Api::Chat.end_mark()));
        kept += 1;
        if name == "c" {
            let shown = shown(&targets.gateway, &answer, kept).await;
            assert!(shown["raw_request"].is_null() && shown["raw_response"].is_null(), "{shown}");
        } else {
            let shown = with_content(&targets.gateway, &answer, kept).await;
            assert_eq!((&shown["raw_request"], &shown["raw_response"]), (&json!(body), &json!(answer.text())));
        }
    }
    // What is written makes room.
    let answer = targets.asked(Api::Chat, false).await;
    with_content(&targets.gateway, &answer, 4).await;
}

#[tokio::test]
async fn what_was_said_before_an_orderly_end_is_kept() {
    let targets = keeping(Api::Chat, 1).start().await;
    let answer = targets.asked(Api::Chat, false).await;
    let (data, mut gateway) = (targets.gateway.folder().data(), targets.gateway);
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let logs = Logs::open(&data).unwrap();
    let row = logs.page(&store::LogFilter::default(), store::Order::NewestFirst, None, 1).unwrap().rows.remove(0);
    let content = logs.content(row.call.content.unwrap()).unwrap().unwrap();
    assert_eq!(content.answer.bytes, answer.body);
}
