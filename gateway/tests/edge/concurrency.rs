//! Limits on calls in flight: exact, whoever ends a call and however.

use futures::future::join_all;
use serde_json::{Value, json};

use super::support::PATIENCE;
use super::support::config::{KEY, add_key, key};
use super::support::limits::{APIS, COIN, Open, assert_paid, assert_refused, budget, coins, requests, until_admitted};
use super::support::scene::reply;
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

const MATE: &str = "sk-bf-canary-mate";

/// So many calls at a time.
fn at_a_time(id: &str, most: u64) -> Value {
    json!({"id": id, "max_concurrent_requests": most})
}

/// One provider, and a key under a limit of so many calls at a time.
fn crowded(vendor: &str, most: u64) -> Setup {
    coins(vendor, 1).govern("rate_limits", at_a_time("rl", most)).key_field("rate_limit_id", json!("rl"))
}

async fn open(targets: &Targets, names: &[&str]) -> Vec<Open> {
    let mut open = Vec::new();
    for name in names {
        open.push(targets.open(KEY, 0, name, 8).await);
    }
    open
}

#[tokio::test]
async fn as_many_calls_as_are_allowed_are_in_flight_and_not_one_more() {
    for api in APIS {
        let targets = crowded(api.vendor(), 3).start().await;
        let mut calls = Vec::new();
        for name in ["a", "b", "c"] {
            calls.push(targets.open_in(api, KEY, 0, name, 8).await);
        }
        for stream in [false, true] {
            let refused = reply(targets.coin(KEY, api, COIN, stream, 8)).await;
            let told = "rate limit `rl` of virtual key `everything`: 3 of 3 calls at a time are in flight";
            assert_refused(&refused, 429, "concurrency_limited", &[told]);
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(refused.header("x-should-retry"), None);
        }
        assert_paid(&targets.finish(calls.remove(1)).await);
        let next = until_admitted(429, async || reply(targets.coin(KEY, api, COIN, false, 8)).await).await;
        assert_paid(&next);
        for call in calls {
            assert_paid(&targets.finish(call).await);
        }
    }
}

#[tokio::test]
async fn a_place_is_free_again_when_the_client_of_a_stream_hangs_up() {
    let targets = crowded("openai", 2).client("drain_ms", json!(50)).start().await;
    let calls = open(&targets, &["a", "b"]).await;
    assert_refused(&targets.pay(8).await, 429, "concurrency_limited", &["2 of 2"]);
    for call in calls {
        targets.leave(call).await;
    }
    let mut places = Vec::new();
    for name in ["c", "d"] {
        let asked = until_admitted(429, async || targets.pay(8).await).await;
        assert_paid(&asked);
        places.push(targets.open(KEY, 0, name, 8).await);
    }
    assert_refused(&targets.pay(8).await, 429, "concurrency_limited", &["2 of 2"]);
    for call in places {
        assert_paid(&targets.finish(call).await);
    }
}

#[tokio::test]
async fn a_whole_answer_keeps_its_place_until_it_has_come_though_its_client_left() {
    let targets = crowded("openai", 1).start().await;
    let slow = format!("{COIN}~header_stall_ms=700");
    let asking = tokio::spawn(targets.coin(KEY, Api::Chat, &slow, false, 8).send());
    let books = targets.fakes[0].books();
    books.wait_for(|entries| entries.iter().any(|entry| entry.body_us.is_some()), PATIENCE).await.unwrap();
    asking.abort();
    assert_paid(&until_admitted(429, async || targets.pay(8).await).await);
    let entries = books.entries();
    assert_eq!(entries.len(), 2);
    assert!(entries[0].finished && entries[0].caller_gone.is_none());
    assert!(entries[1].received_us >= entries[0].ended_us.unwrap(), "{entries:?}");
}

#[tokio::test]
async fn many_at_once_are_never_more_than_are_allowed() {
    let targets = crowded("openai", 3).start().await;
    targets.let_do(0, "~first_delay_ms=20");
    let asking = (0..24).map(async |n: u32| {
        let ask = async || reply(targets.coin(KEY, Api::Chat, COIN, n.is_multiple_of(2), 8)).await;
        assert_paid(&until_admitted(429, ask).await);
    });
    join_all(asking).await;
    let entries = targets.fakes[0].books().entries();
    assert_eq!(entries.len(), 24);
    for entry in &entries {
        let at = entry.received_us;
        let in_flight = entries.iter().filter(|one| one.received_us <= at && at < one.ended_us.unwrap()).count();
        assert!(in_flight <= 3, "{in_flight} at {at}");
    }
}

#[tokio::test]
async fn keys_of_a_team_share_its_places() {
    let setup = coins("openai", 1)
        .govern("rate_limits", at_a_time("rl", 2))
        .govern("teams", json!({"id": "t1", "name": "Research", "rate_limit_id": "rl"}))
        .key_field("team_id", json!("t1"));
    let mut mate = key("mate", MATE, &["p0"]);
    mate["team_id"] = json!("t1");
    let targets = setup.with(|config| add_key(config, mate)).start().await;
    let (one, two) = (targets.open(KEY, 0, "a", 8).await, targets.open(MATE, 0, "b", 8).await);
    for token in [KEY, MATE] {
        assert_refused(&targets.pay_as(token, 8).await, 429, "concurrency_limited", &["team `Research`: 2 of 2"]);
    }
    assert_paid(&targets.finish(two).await);
    assert_paid(&until_admitted(429, async || targets.pay(8).await).await);
    assert_paid(&targets.finish(one).await);
}

#[tokio::test]
async fn a_provider_whose_places_are_taken_is_passed_over() {
    let targets = coins("openai", 2)
        .govern("rate_limits", at_a_time("rl", 1))
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl"}))
        .start()
        .await;
    let call = targets.open(KEY, 0, "a", 8).await;
    assert_served(&targets.pay(8).await, 1, &[("p0", "exhausted")]);
    let named = reply(targets.coin(KEY, Api::Chat, "p0/coin", false, 8)).await;
    assert_refused(&named, 429, "concurrency_limited", &["provider `p0`: 1 of 1"]);
    assert_paid(&targets.finish(call).await);
    targets.until_idle().await;
    assert_served(&targets.pay(8).await, 0, &[]);
}

#[tokio::test]
async fn an_attempt_that_failed_leaves_its_place_at_its_provider_to_others() {
    let targets = coins("openai", 2)
        .govern("rate_limits", at_a_time("rl0", 1))
        .govern("rate_limits", at_a_time("rl", 2))
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl0"}))
        .key_field("rate_limit_id", json!("rl"))
        .network("circuit_breaker", json!(false))
        .start()
        .await;
    targets.let_do(0, "~status=503");
    let call = targets.open(KEY, 1, "a", 8).await;
    targets.let_do(0, "");
    assert_served(&targets.pay(8).await, 0, &[]);
    assert_paid(&targets.finish(call).await);
}

#[tokio::test]
async fn no_end_of_a_call_leaves_its_place_taken() {
    let targets = crowded("openai", 1)
        .network("circuit_breaker", json!(false))
        .network("default_request_timeout_in_seconds", json!(1))
        .govern("budgets", budget("b", 1_000))
        .key_field("budget_id", json!("b"))
        .start()
        .await;
    for fault in [
        "~status=400",
        "~status=500",
        "~status=429",
        "~error_200",
        "~reset_before_header",
        "~hangup_after=30",
        "~cut_after=30",
        "~noanswer",
        "~status=503~hangup_after=9",
    ] {
        for stream in [false, true] {
            targets.let_do(0, fault);
            let failed = reply(targets.coin(KEY, Api::Chat, COIN, stream, 8)).await;
            let text = failed.text();
            assert!(!text.contains("concurrency_limited"), "{fault}, stream: {stream}: {text}");
            targets.until_idle().await;
            targets.let_do(0, "");
            assert_paid(&targets.pay(8).await);
        }
    }
    // Refused by the budget, or for its body.
    assert_refused(&targets.pay(100_000).await, 402, "budget_exceeded", &[]);
    assert_eq!(reply(targets.post("/v1/chat/completions").body("{")).await.status, 400);
    assert_paid(&targets.pay(8).await);
    // Nobody there.
    targets.fakes[0].go_down().unwrap();
    assert_eq!(targets.pay(8).await.status, 502);
    targets.fakes[0].come_back().unwrap();
    assert_paid(&targets.pay(8).await);
}

#[tokio::test]
async fn a_limit_of_calls_at_a_time_counts_beside_one_of_requests() {
    let mut limit = requests("rl", 2, "1h");
    limit["max_concurrent_requests"] = json!(1);
    let targets = coins("openai", 1).govern("rate_limits", limit).key_field("rate_limit_id", json!("rl")).start().await;
    let call = targets.open(KEY, 0, "a", 8).await;
    let refused = targets.pay(8).await;
    assert_refused(&refused, 429, "concurrency_limited", &["1 of 1 calls at a time"]);
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("1"), "a refusal is no request");
    assert_paid(&targets.finish(call).await);
    assert_paid(&until_admitted(429, async || targets.pay(8).await).await);
    assert_refused(&targets.pay(8).await, 429, "request_limited", &["2 of 2 requests"]);
}
