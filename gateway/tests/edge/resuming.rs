//! A stream that dies after content was delivered goes on from another target, and the client sees one stream
//! (`client.stream_recovery: "resume"`).

use loadtest::fake::{Controls, Entry};
use serde_json::{Value, json};

use super::support::scene::{Pair, Reply, reply};
use super::support::sse::{Api, events};
use super::support::targets::Setup;
use super::support::{PATIENCE, soon};

const RESUMABLE: [Api; 5] = [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini];

/// Two providers under `resume`; each does as its controls say.
async fn pair(api: Api, first_does: &str, second_does: &str) -> Pair {
    let pair = Pair::with(api.vendor(), first_does, |config| {
        config["client"]["stream_recovery"] = json!("resume");
        config["providers"]["first"]["network_config"]["stream_idle_timeout_in_seconds"] = json!(1);
    })
    .await;
    pair.second.set_controls(Controls::parse(&format!("m{second_does}")).unwrap());
    pair
}

async fn asked(pair: &Pair, api: Api) -> Reply {
    reply(pair.post(&api.path(api.model(), true)).body(api.body(api.model(), true, "12345678").to_string())).await
}

/// The text of a stream's deltas.
fn text(api: Api, reply: &Reply) -> String {
    let delta = |event: &Value| {
        let found = match api {
            Api::Chat => event.pointer("/choices/0/delta/content"),
            Api::Completion => event.pointer("/choices/0/text"),
            Api::Responses => event.get("delta"),
            Api::Messages => event.pointer("/delta/text"),
            Api::Gemini | Api::GeminiArray => event.pointer("/candidates/0/content/parts/0/text"),
        };
        found.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    events(api, &reply.text()).iter().map(delta).collect()
}

/// What a provider says that nothing happens to.
async fn whole(api: Api, does: &str) -> String {
    let pair = pair(api, does, "").await;
    text(api, &asked(&pair, api).await)
}

fn count(reply: &Reply, needle: &str) -> usize {
    reply.text().matches(needle).count()
}

/// One stream: its text is whole, it begins once and ends once.
fn assert_one_stream(what: &str, api: Api, answer: &Reply, expected: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    assert_eq!(text(api, answer), expected, "{what}: {}", answer.text());
    assert_eq!(count(answer, "upstream_unreachable"), 0, "{what}: {}", answer.text());
    let (begin, end) = match api {
        Api::Chat => ("\"role\"", "data: [DONE]"),
        Api::Completion => ("cmpl-", "data: [DONE]"),
        Api::Responses => ("event: response.created", "event: response.completed"),
        Api::Messages => ("event: message_start", "event: message_stop"),
        Api::Gemini | Api::GeminiArray => ("\"responseId\"", "\"finishReason\""),
    };
    assert_eq!(count(answer, end), 1, "{what}: {}", answer.text());
    if matches!(api, Api::Chat | Api::Responses | Api::Messages) {
        assert_eq!(count(answer, begin), 1, "{what}: {}", answer.text());
    }
    let ids: std::collections::BTreeSet<_> =
        events(api, &answer.text()).iter().filter_map(|event| event["id"].as_str().map(str::to_owned)).collect();
    assert!(ids.len() <= 1, "{what}: {ids:?}");
}

const FAULTS: [&str; 6] =
    ["cut_after=40", "reset_after=40", "hangup_after=40", "error_after=40", "garbage_after=40", "stall_after=40"];

#[tokio::test]
async fn a_stream_that_dies_goes_on_from_the_next_target() {
    for api in RESUMABLE {
        let expected = whole(api, "~words=60").await;
        for fault in FAULTS {
            let pair = pair(api, &format!("~words=60~{fault}~by_tokens"), "~words=60").await;
            let answer = asked(&pair, api).await;
            let what = format!("{api:?} {fault}");
            assert_one_stream(&what, api, &answer, &expected);
            assert_eq!((pair.first.books().len(), pair.second.books().len()), (1, 1), "{what}");
            let line = pair.logged(&answer).await;
            assert_eq!((&line["attempts"], &line["provider"]), (&json!(2), &json!("second")), "{what}: {line}");
        }
    }
}

#[tokio::test]
async fn a_target_whose_model_takes_it_goes_on_behind_the_text() {
    let pair = pair(Api::Messages, "~words=60~cut_after=40~by_tokens", "~words=60").await;
    let answer = asked(&pair, Api::Messages).await;
    assert_one_stream("prefill", Api::Messages, &answer, &whole(Api::Messages, "~words=60").await);
    let entry = pair.second.books().last().unwrap();
    let prefill = entry.prefill.expect("the second target was to go on behind the text");
    assert!(prefill.starts_with("w0 w1 ") && prefill.split(' ').count() >= 39, "{prefill}");
    assert_eq!(entry.body.as_ref().unwrap()["messages"].as_array().unwrap().len(), 2);
    assert!(pair.first.books().last().unwrap().prefill.is_none());
}

#[tokio::test]
async fn what_the_next_target_goes_on_behind_is_held_for_as_input() {
    let budget = json!({"id": "b", "max_limit": 100, "reset_duration": "1Y"});
    let setup = Setup::of("anthropic", 2).retries(0).client("stream_recovery", json!("resume"));
    let setup = setup.govern("budgets", budget).key_field("budget_id", json!("b"));
    let targets = setup.does(0, "~words=60~cut_after=40~by_tokens").does(1, "~words=60~lockstep=held").start().await;
    // The same call without a text to go on behind, and then with one; what each holds while the second provider has it.
    let mut held = Vec::new();
    for model in ["p1/claude-sonnet-4-5", "claude-sonnet-4-5"] {
        targets.forget();
        let asking = tokio::spawn(reply(targets.ask_for(Api::Messages, model, true)));
        let is_open = |entries: &[Entry]| entries.iter().any(|entry| entry.status.is_some());
        let entries = targets.fakes[1].books().wait_for(is_open, PATIENCE).await.unwrap();
        held.push((targets.gauge("held", "b").await, entries[0].prefill.clone().unwrap_or_default()));
        (0..100).for_each(|_| targets.fakes[1].books().ack("held"));
        assert_eq!(soon(asking).await.unwrap().status, 200);
    }
    let [(plain, nothing), (behind, prefill)] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((nothing.as_str(), prefill.split(' ').count() >= 39), ("", true), "{prefill}");
    // A token is a byte at least; the dearest that an input token can cost is that it is cached for an hour.
    let dearest = 6_000;
    assert_eq!(behind - plain, prefill.len() as u64 * dearest, "{prefill}");
    targets.until_idle().await;
    assert_eq!(targets.metric("tollgate_hold_exceeded_total ").await, Some(0));
}

#[tokio::test]
async fn a_target_that_refuses_to_go_on_is_asked_from_the_start() {
    let pair = pair(Api::Messages, "~words=60~cut_after=40~by_tokens", "~words=60~noprefill").await;
    let answer = asked(&pair, Api::Messages).await;
    assert_one_stream("no prefill", Api::Messages, &answer, &whole(Api::Messages, "~words=60").await);
    let entries = pair.second.books().entries();
    assert_eq!(entries.iter().map(|entry| entry.prefill.is_some()).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn another_answer_is_not_passed_off_as_the_same() {
    for api in RESUMABLE {
        // From the start it says something else; behind a text it would go on.
        let pair = pair(api, "~words=60~cut_after=40~by_tokens", "~words=60~words_seed=7~noprefill").await;
        let answer = asked(&pair, api).await;
        let expected = whole(api, "~words=60").await;
        let told = text(api, &answer);
        assert!(expected.starts_with(&told) && told.len() < expected.len(), "{api:?}: {}", answer.text());
        assert!(count(&answer, "before it was complete") > 0, "{api:?}: {}", answer.text());
        assert_eq!(count(&answer, api.end_mark()), 0, "{api:?}: {}", answer.text());
        assert_eq!(count(&answer, "v7_"), 0, "{api:?}: {}", answer.text());
        let line = pair.logged(&answer).await;
        assert_eq!(line["error.type"], "upstream_unreachable", "{api:?}: {line}");
    }
}

#[tokio::test]
async fn without_another_target_the_stream_ends_with_an_error() {
    for api in RESUMABLE {
        let pair = pair(api, "~words=60~cut_after=40~by_tokens", "~status=500").await;
        let answer = asked(&pair, api).await;
        assert!(count(&answer, "before it was complete") > 0, "{api:?}: {}", answer.text());
        assert_eq!(count(&answer, api.end_mark()), 0, "{api:?}: {}", answer.text());
        assert!(whole(api, "~words=60").await.starts_with(&text(api, &answer)));
        assert_eq!(count(&answer, "on demand"), 0, "the second target's error is none of a stream: {}", answer.text());
    }
}

#[tokio::test]
async fn each_attempt_is_charged_for_what_it_used() {
    // Dollars for an output token: of gpt-4o, claude-sonnet-4-5 and gemini-2.5-flash.
    for (api, price) in [(Api::Chat, 1e-5), (Api::Responses, 1e-5), (Api::Messages, 1.5e-5), (Api::Gemini, 2.5e-6)] {
        let pair = pair(api, "~words=60~cut_after=40~by_tokens", "~words=60~noprefill").await;
        let answer = asked(&pair, api).await;
        let line = pair.logged(&answer).await;
        let cost: f64 = line["cost_usd"].as_str().unwrap_or_else(|| panic!("no cost: {line}")).parse().unwrap();
        // The first was cut after 40 of its words, the second gave all 60; what they read was a few tokens each time.
        let tokens = cost / price;
        assert!(tokens > 98.0 && tokens < 112.0, "{api:?}: {tokens} output tokens' worth: {line}");
    }
}

#[tokio::test]
async fn a_buffered_stream_is_sent_only_when_it_is_whole() {
    for api in RESUMABLE {
        let expected = whole(api, "~words=60").await;
        for fault in FAULTS {
            let pair = Pair::with(api.vendor(), &format!("~words=60~{fault}~by_tokens"), |config| {
                config["client"]["stream_recovery"] = json!("buffer");
                config["providers"]["first"]["network_config"]["stream_idle_timeout_in_seconds"] = json!(1);
            })
            .await;
            pair.second.set_controls(Controls::parse("m~words=60").unwrap());
            let answer = asked(&pair, api).await;
            let what = format!("{api:?} {fault}");
            assert_one_stream(&what, api, &answer, &expected);
            assert_eq!(answer.header("x-tollgate-provider"), Some("second"), "{what}");
        }
    }
}
