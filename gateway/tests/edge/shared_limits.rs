//! One id on many entities is one account, charged once for each attempt; and the whole Helm page of the original, whose entities
//! share their ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::config::{KEY, provider, vendor_secret};
use super::support::limits::{
    COIN, assert_paid, assert_refused, assert_spent, budget, coin_body, coins, govern, requests,
};
use super::support::prices::Tokens;
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

const HELM: &str = include_str!("../../../policy/tests/seeds/helm-sections.json");

const COST: u64 = 8;

/// Every level of a call has this field with the id.
fn everywhere(count: usize, field: &str, id: &str) -> Setup {
    let setup = (0..count).fold(coins("openai", count), |setup, n| {
        setup.access_field(n, field, json!(id)).govern("providers", json!({"name": format!("p{n}"), field: id})).govern(
            "model_configs",
            json!({"id": format!("m{n}"), "model_name": COIN, "provider": format!("p{n}"), field: id}),
        )
    });
    setup
        .govern("model_configs", json!({"id": "m", "model_name": COIN, field: id}))
        .govern("customers", json!({"id": "c1", "name": "Acme", field: id}))
        .govern("teams", json!({"id": "t1", "name": "Research", "customer_id": "c1", field: id}))
        .key_field("team_id", json!("t1"))
        .key_field(field, json!(id))
        .network("circuit_breaker", json!(false))
}

#[tokio::test]
async fn one_budget_on_every_level_is_charged_once() {
    let targets = everywhere(2, "budget_id", "b").govern("budgets", budget("b", 3 * COST)).start().await;
    assert_paid(&targets.pay(COST).await);
    assert_eq!(targets.spent("b").await, COST);
    // Each attempt is charged, each once.
    targets.let_do(0, "~cut_after=20");
    assert_served(&targets.pay(COST).await, 1, &[("p0", "bad_answer")]);
    assert_eq!(targets.spent("b").await, 3 * COST);
    assert_spent(&targets.pay(1).await, "is spent: 0.024 of 0.024 USD used");
    assert_eq!(targets.metric("tollgate_budgets ").await, Some(1));
}

#[tokio::test]
async fn one_rate_limit_on_every_level_counts_a_call_once_however_many_attempts_it_makes() {
    let limit = requests("rl", 3, "1h");
    let targets =
        everywhere(2, "rate_limit_id", "rl").govern("rate_limits", limit).does(0, "~status=503").start().await;
    for left in ["2", "1", "0"] {
        let answer = targets.pay(COST).await;
        assert_served(&answer, 1, &[("p0", "unavailable")]);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
    }
    assert_refused(&targets.pay(COST).await, 429, "request_limited", &["rate limit `rl`", "3 of 3 requests"]);
}

#[tokio::test]
async fn one_limit_of_calls_at_a_time_on_every_level_counts_a_call_once() {
    let limit = json!({"id": "rl", "max_concurrent_requests": 1});
    let targets =
        everywhere(2, "rate_limit_id", "rl").govern("rate_limits", limit).does(0, "~status=503").start().await;
    assert_served(&targets.pay(COST).await, 1, &[("p0", "unavailable")]);
    let call = targets.open(KEY, 1, "held", COST).await;
    assert_refused(&targets.pay(COST).await, 429, "concurrency_limited", &["1 of 1"]);
    assert_served(&targets.finish(call).await, 1, &[("p0", "unavailable")]);
    targets.until_idle().await;
    assert_served(&targets.pay(COST).await, 1, &[("p0", "unavailable")]);
}

/// The page, without what is still to come; with the providers that other pages configure, and what it leaves to them.
fn helm(setup: &Setup) -> Value {
    let mut page: Value = serde_json::from_str(HELM).unwrap();
    page["governance"].as_object_mut().unwrap().remove("auth_config");
    page.as_object_mut().unwrap().remove("access_profiles");
    let url = setup.config["providers"]["p0"]["network_config"]["base_url"].as_str().unwrap();
    let mut openai = provider("openai", url);
    openai["keys"] =
        ["openai-primary", "openai-batch"].map(|name| json!({"name": name, "value": vendor_secret(name)})).into();
    page["providers"] =
        json!({"openai": openai, "anthropic": provider("anthropic", url), "groq": provider("groq", url)});
    page["providers"]["groq"]["custom_provider_config"] = json!({"base_provider_type": "openai"});
    page
}

async fn start_helm(change: impl FnOnce(&mut Value)) -> Targets {
    let setup = coins("openai", 1);
    let mut page = helm(&setup);
    change(&mut page);
    setup.with(|config| *config = page).start().await
}

impl Targets {
    async fn as_key(&self, token: &str, api: Api, model: &str, most: u64) -> Reply {
        let body = coin_body(api, model, false, Some(most)).to_string();
        reply(self.client.post(self.gateway.url(&api.path(model, false))).header("x-bf-vk", token).body(body)).await
    }

    /// What the last answer cost, by the provider's own figures.
    fn last_cost(&self, api: Api, listed: &str) -> u64 {
        Tokens::of(api, &self.fakes[0].books().last().unwrap().usage.unwrap()).nano_dollars(listed)
    }
}

/// A key of the page, and a call of it.
struct PageKey {
    token: &'static str,
    model: &'static str,
    /// Those that the call is charged to.
    budgets: &'static [&'static str],
    /// The tightest limit of requests, and how many of them are left after the call.
    requests: [&'static str; 2],
}

const fn page_key(
    token: &'static str,
    model: &'static str,
    budgets: &'static [&'static str],
    requests: [&'static str; 2],
) -> PageKey {
    PageKey { token, model, budgets, requests }
}

const PAGE_KEYS: [PageKey; 6] = [
    page_key("vk-dev-all-secret-token", "gpt-4o-mini", &["budget-dev", "budget-production"], ["1000", "999"]),
    page_key("vk-openai-prod-secret-token", "gpt-4o", &["budget-production"], ["5000", "4998"]),
    page_key("vk-multi-secret-token", "openai/gpt-4o", &["budget-production"], ["5000", "4997"]),
    page_key("vk-platform-team-token", "gpt-4o", &["budget-enterprise", "budget-production"], ["5000", "4996"]),
    page_key("vk-testing-token", "gpt-4o-mini", &["budget-testing", "budget-production"], ["100", "99"]),
    page_key("vk-batch-token", "gpt-4o-mini", &["budget-production"], ["500", "499"]),
];

#[tokio::test]
async fn each_key_of_the_helm_page_is_charged_once_on_each_of_its_shared_accounts() {
    let targets = start_helm(|_| ()).await;
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for PageKey { token, model, budgets, requests } in PAGE_KEYS {
        let answer = targets.as_key(token, Api::Chat, model, 100).await;
        assert_paid(&answer);
        let told = |part: &str| answer.header(&format!("x-ratelimit-{part}-requests")).map(str::to_owned);
        assert_eq!([told("limit"), told("remaining")], requests.map(|text| Some(text.to_owned())), "{token}");
        let cost = targets.last_cost(Api::Chat, model.trim_start_matches("openai/"));
        budgets.iter().for_each(|budget| *expected.entry(*budget).or_default() += cost);
    }
    targets.until_idle().await;
    for (budget, spent) in expected {
        assert_eq!(targets.gauge("spent", budget).await, spent, "{budget}");
    }
    assert_eq!(targets.gauge("limit", "budget-production").await, 500_000_000_000);
    assert_eq!(targets.metric("tollgate_budgets ").await, Some(4));
    let refused = targets.as_key("vk-testing-token", Api::Chat, "gpt-4o", 100).await;
    assert_refused(&refused, 403, "model_blocked", &["Testing (gpt-4o-mini only)"]);
}

#[tokio::test]
async fn where_a_shared_budget_of_the_helm_page_is_spent_all_who_share_it_are_refused() {
    let targets = start_helm(|page| {
        // A dollar a token, so that 500 of them are all of `budget-production`, and 50 of `budget-dev`.
        let patch = json!({"input_cost_per_token": 0, "output_cost_per_token": 1}).to_string();
        for pattern in ["gpt-*", "claude-*"] {
            let dear = json!({"id": pattern, "name": pattern, "match_type": "wildcard", "pattern": pattern, "pricing_patch": patch});
            govern(page, "pricing_overrides", dear);
        }
    })
    .await;
    targets.let_do(0, "~words=495");
    assert_paid(&targets.as_key("vk-openai-prod-secret-token", Api::Chat, "gpt-4o", 495).await);
    targets.let_do(0, "~words=4");
    let claude = "anthropic/claude-3-5-sonnet-20241022";
    for (token, api, model, named) in [
        ("vk-openai-prod-secret-token", Api::Chat, "gpt-4o", "virtual key `OpenAI Production`"),
        ("vk-multi-secret-token", Api::Messages, claude, "virtual key `Multi-provider weighted`"),
        ("vk-platform-team-token", Api::Chat, "gpt-4o", "customer `Acme Corp`"),
        ("vk-batch-token", Api::Chat, "gpt-4o-mini", "virtual key `Batch API workloads`"),
        ("vk-dev-all-secret-token", Api::Messages, claude, "provider `anthropic`"),
    ] {
        let refused = targets.as_key(token, api, model, 6).await;
        let told =
            format!("budget `budget-production` of {named} does not pay for this call: 495.00 of 500.00 USD used");
        assert_spent(&refused, &told);
    }
    assert_eq!(targets.fakes[0].books().len(), 1);
    // What is left still pays for a smaller call, and what is not under the budget goes on.
    assert_paid(&targets.as_key("vk-multi-secret-token", Api::Messages, claude, 4).await);
    targets.until_idle().await;
    assert_eq!(targets.gauge("spent", "budget-production").await, 499_000_000_000);
    assert_eq!(targets.gauge("spent", "budget-dev").await, 0);
}
