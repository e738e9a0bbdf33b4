//! Rate limits on one level alone: the refusal names who has it, and one of a target sends the call to the next.

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key};
use super::support::limits::{COIN, assert_paid, assert_refused, coins, requests, tokens};
use super::support::scene::reply;
use super::support::sse::Api;
use super::support::targets::{Setup, assert_served, trail};

const OTHER: &str = "sk-bf-canary-other";
const COST: u64 = 8;

/// A limit on requests and one on tokens that one call uses up, and what a caller is told of each.
fn limits() -> [(Value, &'static str, &'static str); 2] {
    [
        (requests("rl", 1, "1h"), "request_limited", "1 of 1 requests in 1h are used"),
        (tokens("rl", 10, "1h"), "token_limited", "10 of 10 tokens in 1h are used"),
    ]
}

#[tokio::test]
async fn a_customers_rate_limit_counts_all_of_its_teams_and_keys() {
    for (limit, why, told) in limits() {
        let mut other = key("other", OTHER, &["p0", "p1"]);
        other["customer_id"] = json!("c1");
        let targets = coins("openai", 2)
            .govern("rate_limits", limit)
            .govern("customers", json!({"id": "c1", "name": "Acme", "rate_limit_id": "rl"}))
            .govern("teams", json!({"id": "t1", "name": "Research", "customer_id": "c1"}))
            .key_field("team_id", json!("t1"))
            .with(|config| add_key(config, other))
            .start()
            .await;
        assert_paid(&targets.pay(COST).await);
        targets.until_idle().await;
        for token in [OTHER, KEY] {
            let refused = targets.pay_as(token, COST).await;
            assert_refused(&refused, 429, why, &["rate limit `rl` of customer `Acme`", told]);
            assert_eq!(trail(&refused), [""; 0], "no target can help");
        }
        assert_eq!(targets.seen(), [1, 0]);
    }
}

/// `count` providers, and a limit on the model, at the first of them or wherever it is served.
fn model_limit(count: usize, limit: Value, provider: &Value) -> Setup {
    let config = json!({"id": "m", "model_name": COIN, "provider": provider, "rate_limit_id": "rl"});
    coins("openai", count).govern("rate_limits", limit).govern("model_configs", config)
}

/// `count` providers, and a limit on the key's use of the first of them.
fn access_limit(count: usize, limit: Value) -> Setup {
    coins("openai", count).govern("rate_limits", limit).access_field(0, "rate_limit_id", json!("rl"))
}

/// The first provider's limit is used up by one call; the next call goes to the second.
async fn assert_passed_over(setup: Setup) {
    let targets = setup.start().await;
    assert_served(&targets.pay(COST).await, 0, &[]);
    targets.until_idle().await;
    assert_served(&targets.pay(COST).await, 1, &[("p0", "exhausted")]);
    assert_served(&targets.pay(COST).await, 1, &[("p0", "exhausted")]);
    assert_eq!(targets.seen(), [1, 2]);
}

/// The limit is used up by one call; the next is refused.
async fn assert_all_refused(setup: Setup, why: &str, told: &[&str]) {
    let targets = setup.start().await;
    assert_served(&targets.pay(COST).await, 0, &[]);
    targets.until_idle().await;
    assert_refused(&targets.pay(COST).await, 429, why, told);
    assert_eq!(targets.seen().iter().sum::<usize>(), 1);
}

#[tokio::test]
async fn a_models_rate_limit_at_one_provider_sends_the_call_to_the_next() {
    for (limit, why, told) in limits() {
        assert_passed_over(model_limit(2, limit.clone(), &json!("p0"))).await;
        let who = "rate limit `rl` of model `coin`";
        assert_all_refused(model_limit(1, limit, &json!("p0")), why, &[who, told]).await;
    }
}

#[tokio::test]
async fn a_models_rate_limit_wherever_it_is_served_leaves_no_target_but_other_models() {
    for (limit, why, told) in limits() {
        let setup = model_limit(2, limit.clone(), &Value::Null);
        assert_all_refused(setup, why, &["rate limit `rl` of model `coin`", told]).await;
        let targets = model_limit(2, limit, &Value::Null).start().await;
        assert_paid(&targets.pay(COST).await);
        assert_served(&reply(targets.coin(KEY, Api::Chat, "coin-2", false, COST)).await, 0, &[]);
    }
}

#[tokio::test]
async fn a_keys_rate_limit_at_one_provider_sends_its_calls_to_the_next_and_no_others() {
    for (limit, why, told) in limits() {
        assert_passed_over(access_limit(2, limit.clone())).await;
        let who = "rate limit `rl` of the virtual key's use of provider `p0`";
        assert_all_refused(access_limit(1, limit.clone()), why, &[who, told]).await;
        let targets = access_limit(1, limit).with(|config| add_key(config, key("other", OTHER, &["p0"]))).start().await;
        assert_paid(&targets.pay(COST).await);
        assert_paid(&targets.pay_as(OTHER, COST).await);
    }
}
