//! What budgets are charged when a call ends, whoever says what it used, and what operators see of it: gauges, counters and the log.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::limits::{APIS, COIN, TOKEN, assert_paid, assert_refused, assert_spent, budget, coins, requests};
use super::support::prices::{Tokens, listed};
use super::support::raw::{document, role, stream, word};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::stub::Stub;
use super::support::targets::{Setup, Targets, assert_served};

const COST: u64 = 8;

/// A key whose budget pays for so many tokens, and so many providers.
fn with_budget(api: Api, count: usize, tokens: u64) -> Setup {
    let setup = coins(api.vendor(), count).govern("budgets", budget("b", tokens)).key_field("budget_id", json!("b"));
    setup.network("circuit_breaker", json!(false))
}

async fn settled(targets: &Targets, source: &str) -> u64 {
    targets.metric(&format!("tollgate_settlements_total{{source=\"{source}\"}} ")).await.unwrap()
}

/// What the log says that a call cost, in billionths of a dollar.
fn cost_of(line: &Value) -> u64 {
    line["cost_usd"].as_str().map_or(0, |text| text.replace('.', "").parse().unwrap())
}

#[tokio::test]
async fn gauges_tell_what_a_budget_allows_what_was_spent_and_what_is_held() {
    let setup = with_budget(Api::Chat, 1, 100)
        .govern("budgets", budget("b-unused", 7))
        .govern("teams", json!({"id": "t", "name": "T", "budget_id": "b-unused"}));
    let targets = setup.start().await;
    let read = async |id: &'static str| {
        let gauge = async |what: &'static str| targets.gauge(what, id).await / TOKEN;
        [gauge("limit").await, gauge("spent").await, gauge("held").await]
    };
    assert_eq!((read("b").await, read("b-unused").await), ([100, 0, 0], [7, 0, 0]));
    let calls = [targets.open(KEY, 0, "one", 20).await, targets.open(KEY, 0, "two", 30).await];
    assert_eq!(read("b").await, [100, 0, 50]);
    let [one, two] = calls;
    assert_paid(&targets.finish(one).await);
    targets.until_gauge("held", "b", 30 * TOKEN).await;
    assert_eq!(read("b").await, [100, COST, 30]);
    assert_paid(&targets.finish(two).await);
    targets.until_gauge("held", "b", 0).await;
    assert_eq!((read("b").await, read("b-unused").await), ([100, 2 * COST, 0], [7, 0, 0]));
    assert_eq!(targets.metric("tollgate_budgets ").await, Some(2));
}

#[tokio::test]
async fn of_many_budgets_the_fullest_are_shown() {
    let setup = (0..300).fold(with_budget(Api::Chat, 1, 10), |setup, n| {
        let team = json!({"id": format!("t{n}"), "name": "T", "budgets": [budget(&format!("a{n}"), 10)]});
        setup.govern("teams", team)
    });
    let targets = setup.start().await;
    assert_paid(&targets.pay(COST).await);
    assert_eq!(targets.spent("b").await, COST);
    assert_eq!(targets.metric("tollgate_budgets ").await, Some(301));
    let page = reply(targets.client.get(targets.gateway.url("/metrics"))).await.text();
    for gauge in ["limit", "spent", "held"] {
        let shown = page.lines().filter(|line| line.starts_with(&format!("tollgate_budget_{gauge}_nanodollars{{")));
        assert_eq!(shown.count(), 200, "{gauge}");
    }
}

#[tokio::test]
async fn at_the_prices_of_the_list_a_budget_is_charged_what_the_provider_reported() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        let setup = with_budget(api, 1, 1_000_000).does(0, "~words=33~cached=700~reasoning=77");
        let targets = setup.start().await;
        let mut expected = 0;
        for stream in [false, true] {
            let answer = targets.asked(api, stream).await;
            assert_paid(&answer);
            let usage = targets.fakes[0].books().last().unwrap().usage.unwrap();
            let cost = Tokens::of(api, &usage).nano_dollars(&listed(api));
            let line = targets.logged(&answer).await;
            assert_eq!((cost_of(&line), &line["tokens.source"]), (cost, &json!("reported")), "{api:?}: {line}");
            assert_eq!(line["key.id"], "vk-everything", "{line}");
            expected += cost;
        }
        targets.until_idle().await;
        assert_eq!(targets.gauge("spent", "b").await, expected, "{api:?}");
        assert_eq!((settled(&targets, "reported").await, settled(&targets, "estimated").await), (2, 0), "{api:?}");
    }
}

/// An answer of this API that reports such a usage of output tokens, whatever was asked.
fn reporting(api: Api, output: &Value) -> String {
    let body = match api {
        Api::Messages => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": COIN, "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "w0 w1 w2 w3"}],
            "usage": {"input_tokens": 2, "output_tokens": output},
        }),
        Api::Gemini => json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": "w0 w1 w2 w3"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": output},
        }),
        _ => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": COIN,
            "choices": [{
                "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "w0 w1 w2 w3"},
            }],
            "usage": {"prompt_tokens": 2, "completion_tokens": output},
        }),
    };
    document("200 OK", &body.to_string())
}

/// A vendor whose answers report these, one after the other, and a gateway in front of it.
async fn reporting_each(api: Api, outputs: Vec<Value>, tokens: u64) -> (Stub, Targets) {
    let count = AtomicUsize::new(0);
    let vendor = Stub::answering(move |_| {
        let output = &outputs[count.fetch_add(1, Ordering::Relaxed) % outputs.len()];
        reporting(api, output)
    })
    .await;
    let setup = with_budget(api, 1, tokens).network_of(0, "base_url", json!(vendor.url()));
    (vendor, setup.start().await)
}

#[tokio::test]
async fn a_vendor_that_reports_more_than_was_held_is_charged_for_in_full_and_counted() {
    for api in APIS {
        let (_vendor, targets) = reporting_each(api, vec![json!(100), json!(8)], 90).await;
        let answer = reply(targets.coin(KEY, api, COIN, false, 20)).await;
        assert_paid(&answer);
        assert_eq!(targets.spent("b").await, 100, "{api:?}");
        assert_eq!(targets.metric("tollgate_hold_exceeded_total ").await, Some(1), "{api:?}");
        let refused = reply(targets.coin(KEY, api, COIN, false, 1)).await;
        assert_spent(&refused, "is spent: 0.10 of 0.09 USD used");
        assert_eq!(cost_of(&targets.logged(&answer).await), 100 * TOKEN);
    }
}

#[tokio::test]
async fn what_is_within_the_hold_does_not_count_as_exceeding_it() {
    let targets = with_budget(Api::Chat, 1, 1_000).start().await;
    for most in [COST, COST + 1, 1] {
        assert_paid(&targets.pay(most).await);
    }
    assert_eq!(targets.spent("b").await, 2 * COST + 1);
    assert_eq!(targets.metric("tollgate_hold_exceeded_total ").await, Some(0));
}

#[tokio::test]
async fn a_vendor_that_reports_nothing_is_charged_for_by_what_came() {
    for api in APIS {
        let targets = with_budget(api, 1, 1_000).start().await;
        targets.let_do(0, "~nousage~words=40");
        let mut spent = 0;
        for stream in [false, true] {
            let answer = reply(targets.coin(KEY, api, COIN, stream, 100)).await;
            assert_paid(&answer);
            let line = targets.logged(&answer).await;
            assert_eq!(line["tokens.source"], "estimated", "{api:?}, stream: {stream}: {line}");
            let cost = cost_of(&line) / TOKEN;
            assert!((20..=100).contains(&cost), "{api:?}: {cost} for 40 words");
            spent += cost;
            assert_eq!(targets.spent("b").await, spent, "{api:?}");
        }
        assert_eq!((settled(&targets, "estimated").await, settled(&targets, "reported").await), (2, 0), "{api:?}");
        // An explicit zero is zero.
        targets.let_do(0, "~zerousage");
        for stream in [false, true] {
            assert_paid(&reply(targets.coin(KEY, api, COIN, stream, 100)).await);
        }
        assert_eq!((targets.spent("b").await, settled(&targets, "reported").await), (spent, 2), "{api:?}");
    }
}

#[tokio::test]
async fn a_vendor_that_reports_nonsense_is_charged_for_by_what_came() {
    let nonsense = vec![
        json!(-5),
        json!(-1.0),
        json!("8"),
        json!("many"),
        json!(1.5),
        json!(1e30),
        json!(u64::MAX),
        json!(i64::MIN),
        json!([8]),
        json!({"count": 8}),
        json!(true),
    ];
    for api in APIS {
        let (_vendor, targets) = reporting_each(api, nonsense.clone(), 1_000).await;
        let mut spent = 0;
        for output in &nonsense {
            let answer = reply(targets.coin(KEY, api, COIN, false, 20)).await;
            assert_paid(&answer);
            let line = targets.logged(&answer).await;
            assert_ne!(line["tokens.source"], "reported", "{api:?} {output}: {line}");
            let cost = cost_of(&line) / TOKEN;
            assert!((2..=20).contains(&cost), "{api:?} {output}: {line}");
            spent += cost;
            assert_eq!(targets.spent("b").await, spent, "{api:?} {output}");
        }
        assert_eq!(targets.metric("tollgate_hold_exceeded_total ").await, Some(0), "{api:?}");
    }
}

#[tokio::test]
async fn a_stream_whose_usage_is_nonsense_is_charged_for_by_what_came() {
    for usage in [
        "-8",
        "{\"completion_tokens\": -8, \"prompt_tokens\": \"x\"}",
        "[]",
        "\"all\"",
        "{\"completion_tokens\": 1e40}",
    ] {
        let last = format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"coin\",\"choices\":[],\"usage\":{usage}}}\n\n"
        );
        let finish = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": COIN,
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        let words: String = (0..10).map(|n| word(&format!(" w{n}"))).collect();
        let text = stream(&format!("{}{words}data: {finish}\n\n{last}data: [DONE]\n\n", role()));
        let vendor = Stub::answering(move |_| text.clone()).await;
        let setup = with_budget(Api::Chat, 1, 1_000).network_of(0, "base_url", json!(vendor.url()));
        let targets = setup.start().await;
        let answer = reply(targets.coin(KEY, Api::Chat, COIN, true, 20)).await;
        assert_paid(&answer);
        assert!(answer.text().contains("[DONE]"), "{usage}: {}", answer.text());
        let line = targets.logged(&answer).await;
        assert_ne!(line["tokens.source"], "reported", "{usage}: {line}");
        let spent = targets.spent("b").await;
        assert!((5..=20).contains(&spent), "{usage}: {spent} for 10 words");
        assert_eq!(spent * TOKEN, cost_of(&line), "{usage}: {line}");
    }
}

/// A call in each of the ways in which one can end; all of its answers, or none where nobody waited for one.
async fn every_end(targets: &Targets) -> Vec<Reply> {
    let mut replies = Vec::new();
    for (fault, stream) in [
        ("", false),
        ("", true),
        ("~nousage", false),
        ("~nousage", true),
        ("~status=503", false),
        ("~error_200", false),
        ("~cut_after=20", false),
        ("~hangup_before_header", false),
        ("~reset_before_header", true),
        ("~words=60~by_tokens~cut_after=40", true),
        ("~words=60~by_tokens~error_after=40", true),
    ] {
        targets.let_do(0, fault);
        replies.push(reply(targets.coin(KEY, Api::Messages, COIN, stream, 100)).await);
    }
    replies
}

#[tokio::test]
async fn the_log_and_the_counters_add_up_to_what_the_budget_was_charged() {
    let targets = with_budget(Api::Messages, 2, 100_000).start().await;
    let replies = every_end(&targets).await;
    let mut logged = 0;
    for reply in &replies {
        let line = targets.logged(reply).await;
        assert_eq!(line["key.id"], "vk-everything", "{line}");
        assert!(line.get("cost_usd").is_none() || line["price.override"] == COIN, "{line}");
        logged += cost_of(&line);
    }
    assert_eq!(targets.spent("b").await * TOKEN, logged);
    let page = reply(targets.client.get(targets.gateway.url("/metrics"))).await.text();
    let counted = |name: &str| {
        let values = page.lines().filter(|line| line.starts_with(name));
        values.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!(counted("tollgate_cost_nanodollars_total{"), logged);
    assert_eq!(counted("tollgate_abandoned_attempts_total "), 2, "two whole answers did not come");
    assert_eq!(counted("tollgate_abandoned_nanodollars_total "), 200 * TOKEN);
    assert_eq!(counted("tollgate_settlements_total{source=\"abandoned\"} "), 2);
    for source in ["reported", "partial", "estimated"] {
        assert!(counted(&format!("tollgate_settlements_total{{source=\"{source}\"}} ")) > 0, "{source}");
    }
    assert_eq!(counted("tollgate_journal_failures_total "), 0);
}

#[tokio::test]
async fn a_stream_whose_client_left_is_charged_and_its_hold_freed() {
    for api in APIS {
        let targets = with_budget(api, 1, 5_000).client("drain_ms", json!(100)).start().await;
        let model = format!("{COIN}~words=20000~delay_ms=10");
        let mut answer = targets.coin(KEY, api, &model, true, 4_000).send().await.unwrap();
        let mut seen = String::new();
        while !seen.contains("w9") {
            seen.push_str(&String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap()));
        }
        assert_eq!(targets.gauge("held", "b").await, 4_000 * TOKEN, "{api:?}");
        drop(answer);
        targets.until_gauge("held", "b", 0).await;
        let delivered = targets.fakes[0].books().last().unwrap().output_tokens;
        let spent = targets.spent("b").await;
        assert!((10..4_000).contains(&spent) && spent >= delivered, "{api:?}: {spent} for {delivered}");
    }
}

#[tokio::test]
async fn tokens_that_were_reserved_and_not_used_are_free_again() {
    let mut limit = requests("rl", 100, "1h");
    limit["token_max_limit"] = json!(1_000);
    limit["token_reset_duration"] = json!("1h");
    let targets = coins("openai", 1).govern("rate_limits", limit).key_field("rate_limit_id", json!("rl")).start().await;
    let call = targets.open(KEY, 0, "held", 900).await;
    let refused = targets.pay(500).await;
    assert_refused(&refused, 429, "token_limited", &["of them reserved by calls in flight"]);
    assert_eq!(refused.header("retry-after"), Some("1"), "what is reserved is soon settled");
    assert_paid(&targets.finish(call).await);
    targets.until_idle().await;
    // 2 of input and 8 of output were used.
    let next = targets.pay(500).await;
    assert_served(&next, 0, &[]);
    let left: u64 = next.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    assert!((400..490).contains(&left), "{left}: 10 are used, and 500 and the input reserved");
}
