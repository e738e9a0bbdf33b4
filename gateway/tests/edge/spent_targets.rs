//! Targets whose accounts are exhausted: they are passed over, and each attempt is charged to the accounts of its own target.

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key};
use super::support::limits::{
    APIS, COIN, TOKEN, assert_paid, assert_refused, assert_spent, budget, budget_each, coin_body, coins, govern,
    requests, tokens,
};
use super::support::scene::reply;
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served, rule, trail};

const COST: u64 = 8;

/// Another key, which tries the two providers in their order.
fn key_in_order(name: &str, token: &str) -> Value {
    let mut key = key(name, token, &["p0", "p1"]);
    key["provider_configs"][1]["weight"] = json!(0);
    key
}

/// Two providers, the first of which has this limit.
fn first_is_limited(vendor: &str, list: &str, limit: Value) -> Setup {
    let field = if list == "budgets" { "budget_id" } else { "rate_limit_id" };
    let id = limit["id"].clone();
    coins(vendor, 2).govern(list, limit).govern("providers", json!({"name": "p0", field: id}))
}

#[tokio::test]
async fn a_provider_whose_limit_is_reached_is_passed_over() {
    // What is used up is no part of the plan; what only does not pay for the call is found when the call is to be held for.
    let short: &[(&str, &str)] = &[("p0", "budget_exceeded")];
    let used_up: &[(&str, &str)] = &[("p0", "exhausted")];
    for (list, limit, passed_over) in [
        ("budgets", budget("l", 8), used_up),
        ("budgets", budget("l", 10), short),
        ("rate_limits", requests("l", 1, "1h"), used_up),
        ("rate_limits", tokens("l", 10, "1h"), used_up),
    ] {
        for api in APIS {
            let targets = first_is_limited(api.vendor(), list, limit.clone()).start().await;
            let first = reply(targets.coin(KEY, api, COIN, false, COST)).await;
            assert_served(&first, 0, &[]);
            targets.until_idle().await;
            for stream in [false, true] {
                let answer = reply(targets.coin(KEY, api, COIN, stream, COST)).await;
                assert_served(&answer, 1, passed_over);
                let line = targets.logged(&answer).await;
                assert_eq!((&line["provider"], &line["attempts"]), (&json!("p1"), &json!(1)), "{line}");
            }
            assert_eq!(targets.seen(), [1, 2], "{api:?} {list}");
        }
    }
}

#[tokio::test]
async fn a_models_limit_at_one_provider_leaves_the_others_and_one_at_all_leaves_none() {
    let limited = |provider: Value| {
        let config = json!({"id": "m", "model_name": COIN, "provider": provider, "budget_id": "b"});
        coins("openai", 2).govern("budgets", budget("b", 10)).govern("model_configs", config)
    };
    let targets = limited(json!("p0")).start().await;
    assert_served(&targets.pay(COST).await, 0, &[]);
    assert_served(&targets.pay(COST).await, 1, &[("p0", "budget_exceeded")]);
    let other = reply(targets.coin(KEY, Api::Chat, "coin-2", false, COST)).await;
    assert_served(&other, 0, &[]);

    let targets = limited(Value::Null).start().await;
    assert_served(&targets.pay(COST).await, 0, &[]);
    let refused = targets.pay(COST).await;
    assert_spent(&refused, "budget `b` of model `coin`");
    assert_eq!(trail(&refused), ["p0=budget_exceeded", "p1=budget_exceeded"]);
    let other = reply(targets.coin(KEY, Api::Chat, "coin-2", false, COST)).await;
    assert_served(&other, 0, &[]);
    assert_eq!(targets.spent("b").await, COST);
}

#[tokio::test]
async fn a_models_limit_counts_under_each_of_its_names() {
    let targets = coins("openai", 2)
        .with(|config| config["providers"]["p0"]["keys"][0]["aliases"] = json!({"coin-alias": COIN}))
        .govern("budgets", budget("b-real", 10))
        .govern("model_configs", json!({"id": "m", "model_name": COIN, "provider": "p0", "budget_id": "b-real"}))
        .start()
        .await;
    let by_alias = reply(targets.coin(KEY, Api::Chat, "p0/coin-alias", false, COST)).await;
    assert_served(&by_alias, 0, &[]);
    assert_eq!(by_alias.header("x-tollgate-model"), Some(COIN));
    assert_served(&targets.pay(COST).await, 1, &[("p0", "budget_exceeded")]);
    assert_eq!(targets.spent("b-real").await, COST);
}

#[tokio::test]
async fn one_keys_limit_at_a_provider_is_none_of_anothers() {
    const OTHER: &str = "sk-bf-canary-other";
    let targets = coins("openai", 2)
        .govern("budgets", budget("b", 10))
        .access_field(0, "budget_id", json!("b"))
        .with(|config| add_key(config, key_in_order("other", OTHER)))
        .start()
        .await;
    assert_served(&targets.pay(COST).await, 0, &[]);
    assert_served(&targets.pay(COST).await, 1, &[("p0", "budget_exceeded")]);
    assert_served(&targets.pay_as(OTHER, COST).await, 0, &[]);
    assert_eq!(targets.spent("b").await, COST);
}

/// Two providers, each under a limit of its own, and both used up by one call to each.
async fn both_used_up(first: Value, second: Value) -> Targets {
    let limited = |setup: Setup, provider: &str, limit: Value| {
        let is_budget = limit.get("max_limit").is_some();
        let (list, field) = if is_budget { ("budgets", "budget_id") } else { ("rate_limits", "rate_limit_id") };
        setup.govern("providers", json!({"name": provider, field: limit["id"]})).govern(list, limit)
    };
    let targets = limited(limited(coins("openai", 2), "p0", first), "p1", second).start().await;
    for (n, after) in [(0, &[][..]), (1, &[("p0", "exhausted")])] {
        assert_served(&targets.pay(COST).await, n, after);
        targets.until_idle().await;
    }
    targets
}

#[tokio::test]
async fn where_all_targets_are_used_up_the_limit_that_is_free_soonest_is_told() {
    let spent = |reset: &str| budget_each("l-spent", COST, reset);
    let asked = |window: &str| requests("l-asked", 1, window);
    for (first, second, named) in [
        (spent("1h"), asked("1d"), "budget `l-spent` of provider `p0` is spent"),
        (asked("1d"), spent("1h"), "budget `l-spent` of provider `p1` is spent"),
        (spent("1d"), asked("1h"), "rate limit `l-asked` of provider `p1`: 1 of 1 requests"),
        (asked("1h"), spent("1d"), "rate limit `l-asked` of provider `p0`: 1 of 1 requests"),
    ] {
        let targets = both_used_up(first, second).await;
        let (status, why) = if named.contains("asked") { (429, "request_limited") } else { (402, "budget_exceeded") };
        for stream in [false, true] {
            let refused = reply(targets.coin(KEY, Api::Chat, COIN, stream, COST)).await;
            assert_refused(&refused, status, why, &[named]);
            assert!(refused.header("retry-after").is_some(), "{named}");
            assert_eq!(refused.header("x-ratelimit-remaining-requests").is_some(), status == 429, "{named}");
        }
        assert_eq!(targets.seen(), [1, 1], "{named}");
    }
}

#[tokio::test]
async fn where_no_target_can_be_paid_for_the_first_ones_budget_is_told() {
    let targets = coins("openai", 2)
        .govern("budgets", budget("b0", 7))
        .govern("budgets", budget("b1", 6))
        .govern("providers", json!({"name": "p0", "budget_id": "b0"}))
        .govern("providers", json!({"name": "p1", "budget_id": "b1"}))
        .start()
        .await;
    let refused = targets.pay(COST).await;
    assert_spent(&refused, "budget `b0` of provider `p0` never pays for this call");
    assert_eq!(trail(&refused), ["p0=budget_exceeded", "p1=budget_exceeded"]);
    assert_served(&targets.pay(7).await, 0, &[]);
}

#[tokio::test]
async fn a_target_whose_rest_is_reserved_by_calls_in_flight_is_passed_over() {
    let targets = first_is_limited("openai", "budgets", budget("l", 10)).start().await;
    let call = targets.open(KEY, 0, "held", COST).await;
    assert_served(&targets.pay(COST).await, 1, &[("p0", "budget_reserved")]);
    let named = reply(targets.coin(KEY, Api::Chat, "p0/coin", false, COST)).await;
    assert_refused(&named, 429, "budget_reserved", &["budget `l` of provider `p0`", "0.008 reserved"]);
    assert_eq!(named.header("retry-after"), Some("1"));
    assert_paid(&targets.finish(call).await);
    assert_eq!((targets.spent("l").await, targets.seen()), (COST, vec![1, 1]));
}

#[tokio::test]
async fn a_rules_targets_and_fallbacks_are_passed_over_alike() {
    let targets = coins("openai", 3)
        .rule(rule("r", "", &[("p0", 0.5), ("p1", 0.5)], &["p2"]))
        .govern("budgets", budget("b0", 0))
        .govern("budgets", budget("b1", 10))
        .govern("providers", json!({"name": "p0", "budget_id": "b0"}))
        .govern("providers", json!({"name": "p1", "budget_id": "b1"}))
        .start()
        .await;
    for _ in 0..8 {
        assert_paid(&targets.pay(COST).await);
    }
    assert_eq!(targets.seen(), [0, 1, 7]);
    assert_eq!((targets.spent("b0").await, targets.spent("b1").await), (0, COST));
}

/// Budgets of the key (`b`) and of each of two providers (`b0`, `b1`), the second of which costs twice as much.
fn with_own_prices() -> Setup {
    let patch = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.002}).to_string();
    let dearer = json!({"id": "dear", "name": "dear", "scope_kind": "provider", "provider_id": "p1",
        "match_type": "wildcard", "pattern": "coin*", "pricing_patch": patch});
    let setup = coins("openai", 2).govern("pricing_overrides", dearer);
    let setup = ["b", "b0", "b1"].into_iter().fold(setup, |setup, id| setup.govern("budgets", budget(id, 1_000)));
    setup
        .govern("providers", json!({"name": "p0", "budget_id": "b0"}))
        .govern("providers", json!({"name": "p1", "budget_id": "b1"}))
        .key_field("budget_id", json!("b"))
        .network("circuit_breaker", json!(false))
}

async fn all_spent(targets: &Targets) -> [u64; 3] {
    [targets.spent("b").await, targets.spent("b0").await, targets.spent("b1").await]
}

#[tokio::test]
async fn each_attempt_is_charged_at_its_own_price_to_its_own_targets_accounts() {
    let targets = with_own_prices().start().await;
    targets.let_do(0, "~status=503");
    assert_served(&targets.pay(20).await, 1, &[("p0", "unavailable")]);
    assert_eq!(all_spent(&targets).await, [16, 0, 16]);
    // Nobody saw the end of a whole answer that broke off: its hold is charged in full.
    targets.let_do(0, "~cut_after=20");
    assert_served(&targets.pay(20).await, 1, &[("p0", "bad_answer")]);
    assert_eq!(all_spent(&targets).await, [16 + 20 + 16, 20, 32]);
    targets.let_do(0, "");
    assert_served(&targets.pay(20).await, 0, &[]);
    assert_eq!(all_spent(&targets).await, [52 + 8, 28, 32]);
}

#[tokio::test]
async fn a_stream_that_broke_is_charged_for_what_it_delivered_and_the_next_for_its_own() {
    let targets = with_own_prices().client("stream_recovery", json!("buffer")).start().await;
    targets.let_do(0, "~words=60~by_tokens~hangup_after=40");
    let answer = reply(targets.coin(KEY, Api::Chat, COIN, true, 100)).await;
    assert_served(&answer, 1, &[("p0", "broken")]);
    let [key, first, second] = all_spent(&targets).await;
    assert_eq!((second, key), (16, first + second));
    assert!((40..=80).contains(&first), "{first}: 40 were delivered");
}

#[tokio::test]
async fn while_a_fallback_is_under_way_only_its_own_hold_stands() {
    let targets = with_own_prices().start().await;
    targets.let_do(0, "~status=503");
    let call = targets.open(KEY, 1, "held", 20).await;
    for (id, held) in [("b", 40), ("b0", 0), ("b1", 40)] {
        assert_eq!(targets.gauge("held", id).await, held * TOKEN, "{id}");
    }
    assert_served(&targets.finish(call).await, 1, &[("p0", "unavailable")]);
    assert_eq!(all_spent(&targets).await, [16, 0, 16]);
}

#[tokio::test]
async fn a_call_is_one_request_on_its_key_and_each_attempt_one_on_its_target() {
    const OTHER: &str = "sk-bf-canary-other";
    let setup = [("rl", 2), ("rl0", 3), ("rl1", 4)]
        .into_iter()
        .fold(coins("openai", 2), |setup, (id, most)| setup.govern("rate_limits", requests(id, most, "1h")));
    let targets = setup
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl0"}))
        .govern("providers", json!({"name": "p1", "rate_limit_id": "rl1"}))
        .key_field("rate_limit_id", json!("rl"))
        .with(|config| add_key(config, key_in_order("other", OTHER)))
        .network("circuit_breaker", json!(false))
        .does(0, "~status=503")
        .start()
        .await;
    for left in ["1", "0"] {
        let answer = targets.pay(COST).await;
        assert_served(&answer, 1, &[("p0", "unavailable")]);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
    }
    assert_refused(&targets.pay(COST).await, 429, "request_limited", &["virtual key `everything`: 2 of 2"]);
    assert_eq!(targets.seen(), [2, 2]);
    // Another key finds one request left at the first provider, and two at the second.
    assert_served(&targets.pay_as(OTHER, COST).await, 1, &[("p0", "unavailable")]);
    assert_served(&targets.pay_as(OTHER, COST).await, 1, &[("p0", "exhausted")]);
    let refused = targets.pay_as(OTHER, COST).await;
    assert_refused(&refused, 429, "request_limited", &["of provider"]);
    assert_eq!(targets.seen(), [3, 4]);
}

#[tokio::test]
async fn a_retry_is_another_request_on_its_target_and_none_on_its_key() {
    let targets = coins("openai", 2)
        .retries(5)
        .govern("rate_limits", requests("rl", 1, "1h"))
        .govern("rate_limits", requests("rl0", 2, "1h"))
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl0"}))
        .key_field("rate_limit_id", json!("rl"))
        .network("circuit_breaker", json!(false))
        .does(0, "~status=503")
        .start()
        .await;
    let answer = targets.pay(COST).await;
    assert_served(&answer, 1, &[("p0", "unavailable"), ("p0", "unavailable"), ("p0", "request_limited")]);
    assert_eq!(targets.seen(), [2, 1]);
}

#[tokio::test]
async fn a_key_that_is_spent_ends_the_call_whatever_other_targets_there_are() {
    let targets = coins("openai", 2).govern("budgets", budget("b", 10)).key_field("budget_id", json!("b"));
    let targets = targets.network("circuit_breaker", json!(false)).start().await;
    // The first attempt is charged in full, and the rest does not pay for a second one.
    targets.let_do(0, "~cut_after=20");
    let failed = targets.pay(COST).await;
    assert_refused(&failed, 502, "upstream_unreachable", &["provider `p0`"]);
    assert_eq!((targets.spent("b").await, targets.seen()), (COST, vec![1, 0]));
    let refused = targets.pay(COST).await;
    assert_spent(&refused, "virtual key `everything`");
    assert_eq!(trail(&refused), Vec::<&str>::new(), "no target was the reason");
    assert_eq!(targets.seen(), [1, 0]);
}

#[tokio::test]
async fn a_call_without_a_key_is_under_the_limits_of_its_target() {
    let targets = first_is_limited("openai", "budgets", budget("l", 10))
        .client("enforce_auth_on_inference", json!(false))
        .with(|config| govern(config, "budgets", budget("m", 20)))
        .govern("model_configs", json!({"id": "m", "model_name": COIN, "budget_id": "m"}))
        .start()
        .await;
    let ask = async |model: &str| {
        let url = targets.gateway.url("/v1/chat/completions");
        let body = coin_body(Api::Chat, model, false, Some(COST));
        reply(targets.client.post(url).body(body.to_string())).await
    };
    assert_served(&ask("p0/coin").await, 0, &[]);
    assert_spent(&ask("p0/coin").await, "provider `p0`");
    assert_paid(&ask("p1/coin").await);
    assert_spent(&ask("p1/coin").await, "model `coin`");
}
