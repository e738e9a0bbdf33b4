//! The scenarios of the original's governance tests, each as ours: with known prices, and the exact outcome.

use futures::future::join_all;
use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key, provider};
use super::support::limits::{
    APIS, COIN, assert_paid, assert_refused, assert_spent, budget, budget_each, coin_body, coins, requests,
    until_admitted,
};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

const MATE: &str = "sk-bf-canary-mate";
const OTHER: &str = "sk-bf-canary-other";

/// What an answer costs, in tokens.
const COST: u64 = 8;

/// A key of a team, of nobody's if that is none.
fn key_of(name: &str, token: &str, team: Option<&str>, providers: &[&str]) -> Value {
    let mut key = key(name, token, providers);
    key["team_id"] = json!(team);
    key
}

#[tokio::test]
async fn a_teams_budget_is_shared_by_its_keys() {
    let setup = coins("openai", 1)
        .govern("budgets", budget("b-team", 18))
        .govern("teams", json!({"id": "t1", "name": "Research", "budget_id": "b-team"}))
        .govern("teams", json!({"id": "t2", "name": "Sales"}))
        .key_field("team_id", json!("t1"))
        .with(|config| add_key(config, key_of("mate", MATE, Some("t1"), &["p0"])))
        .with(|config| add_key(config, key_of("other", OTHER, Some("t2"), &["p0"])));
    let targets = setup.start().await;
    assert_paid(&targets.pay(COST).await);
    assert_paid(&targets.pay(COST).await);
    assert_spent(&targets.pay_as(MATE, COST).await, "budget `b-team` of team `Research` does not pay for this call");
    assert_spent(&targets.pay(COST).await, "team `Research`");
    assert_paid(&targets.pay_as(OTHER, COST).await);
    assert_paid(&targets.pay_as(MATE, 2).await);
    assert_spent(
        &targets.pay_as(MATE, 1).await,
        "budget `b-team` of team `Research` is spent: 0.018 of 0.018 USD used",
    );
    assert_eq!((targets.spent("b-team").await, targets.seen()), (18, vec![4]));
}

/// Budgets on every level of a call, by the names of their levels; what this one pays for, and the others.
fn hierarchy(tightest: &str, tokens: u64) -> Setup {
    let ids = ["access", "key", "team", "customer", "provider", "model", "model-at-provider"];
    let setup = ids.into_iter().fold(coins("openai", 1), |setup, id| {
        setup.govern("budgets", budget(id, if id == tightest { tokens } else { 1_000 }))
    });
    setup
        .govern("customers", json!({"id": "c1", "name": "Acme", "budget_id": "customer"}))
        .govern("teams", json!({"id": "t1", "name": "Research", "customer_id": "c1", "budget_id": "team"}))
        .govern("providers", json!({"name": "p0", "budget_id": "provider"}))
        .govern("model_configs", json!({"id": "m1", "model_name": COIN, "budget_id": "model"}))
        .govern(
            "model_configs",
            json!({"id": "m2", "model_name": COIN, "provider": "p0", "budget_id": "model-at-provider"}),
        )
        .key_field("team_id", json!("t1"))
        .key_field("budget_id", json!("key"))
        .access_field(0, "budget_id", json!("access"))
}

#[tokio::test]
async fn of_all_levels_the_tightest_blocks_and_is_named() {
    let levels = [
        ("access", "the virtual key's use of provider `p0`"),
        ("key", "virtual key `everything`"),
        ("team", "team `Research`"),
        ("customer", "customer `Acme`"),
        ("provider", "provider `p0`"),
        ("model", "model `coin`"),
        ("model-at-provider", "model `coin`"),
    ];
    for (tightest, named) in levels {
        let targets = hierarchy(tightest, 15).start().await;
        assert_paid(&targets.pay(COST).await);
        assert_spent(&targets.pay(COST).await, &format!("budget `{tightest}` of {named} does not pay for this call"));
        for (level, _) in levels {
            assert_eq!(targets.spent(level).await, COST, "{level} beside {tightest}");
        }
        assert_eq!(targets.seen(), [1], "{tightest}");
    }
}

#[tokio::test]
async fn in_a_criss_cross_of_levels_whichever_is_lowest_blocks() {
    let setup = coins("openai", 2)
        .govern("budgets", budget("b-team", 20))
        .govern("budgets", budget("b-customer", 30))
        .govern("budgets", budget("b-provider", 50))
        .govern("budgets", budget("b-access", 10))
        .govern("customers", json!({"id": "c1", "name": "Acme", "budget_id": "b-customer"}))
        .govern("teams", json!({"id": "t1", "name": "Research", "customer_id": "c1", "budget_id": "b-team"}))
        .govern("teams", json!({"id": "t2", "name": "Sales", "customer_id": "c1"}))
        .govern("providers", json!({"name": "p0", "budget_id": "b-provider"}))
        .key_field("team_id", json!("t1"))
        .with(|config| {
            add_key(config, key_of("mate", MATE, Some("t2"), &["p0"]));
            let mut other = key_of("other", OTHER, None, &["p0", "p1"]);
            other["provider_configs"][1]["weight"] = json!(0);
            other["provider_configs"][1]["budget_id"] = json!("b-access");
            add_key(config, other);
        });
    let targets = setup.start().await;
    assert_paid(&targets.pay(COST).await);
    assert_paid(&targets.pay(COST).await);
    assert_spent(&targets.pay(COST).await, "team `Research`");
    assert_paid(&targets.pay_as(MATE, COST).await);
    assert_spent(&targets.pay_as(MATE, COST).await, "customer `Acme`");
    assert_paid(&targets.pay_as(MATE, 6).await);
    assert_spent(&targets.pay(4).await, "customer `Acme`");
    assert_served(&targets.pay_as(OTHER, COST).await, 0, &[]);
    assert_served(&targets.pay_as(OTHER, COST).await, 0, &[]);
    assert_served(&targets.pay_as(OTHER, COST).await, 1, &[("p0", "budget_exceeded")]);
    assert_spent(&targets.pay_as(OTHER, COST).await, "provider `p0`");
    assert_served(&targets.pay_as(OTHER, 4).await, 0, &[]);
    for (id, spent) in [("b-team", 16), ("b-customer", 30), ("b-provider", 50), ("b-access", 8)] {
        assert_eq!(targets.spent(id).await, spent, "{id}");
    }
}

#[tokio::test]
async fn failed_requests_do_not_consume_budget() {
    let targets = coins("openai", 1)
        .govern("budgets", budget("b", 20))
        .key_field("budget_id", json!("b"))
        .network("circuit_breaker", json!(false))
        .start()
        .await;
    for fault in ["~status=400", "~status=404", "~status=429", "~status=500", "~error_200", "~error=content_policy"] {
        targets.let_do(0, fault);
        for stream in [false, true] {
            let failed = reply(targets.coin(KEY, Api::Chat, COIN, stream, COST)).await;
            assert!(failed.text().contains("error"), "{fault}: {}", failed.text());
            assert_eq!(targets.spent("b").await, 0, "{fault}");
        }
    }
    targets.let_do(0, "");
    assert_paid(&targets.pay(COST).await);
    assert_eq!(targets.spent("b").await, COST);
}

#[tokio::test]
async fn an_inactive_key_is_refused_as_such_whatever_is_left_of_its_budget() {
    let mut inactive = key("inactive", OTHER, &["p0"]);
    inactive["is_active"] = json!(false);
    inactive["budget_id"] = json!("b");
    let targets = coins("openai", 1)
        .govern("budgets", budget("b", 10))
        .key_field("budget_id", json!("b"))
        .with(|config| add_key(config, inactive))
        .start()
        .await;
    assert_refused(&targets.pay_as(OTHER, COST).await, 403, "virtual_key_blocked", &["`inactive`"]);
    assert_eq!(targets.spent("b").await, 0);
    assert_paid(&targets.pay(COST).await);
    assert_spent(&targets.pay(COST).await, "virtual key `everything`");
    assert_refused(&targets.pay_as(OTHER, COST).await, 403, "virtual_key_blocked", &["`inactive`"]);
}

/// Asks until it is refused, and says how often it was served. Windows of seconds can end between two calls, but not for ever.
async fn until_refused(targets: &Targets) -> (usize, Reply) {
    for served in 0..50 {
        let answer = targets.pay(COST).await;
        if answer.status != 200 {
            return (served, answer);
        }
    }
    panic!("nothing limits it");
}

#[tokio::test]
async fn a_rate_limit_admits_again_when_its_window_has_passed() {
    for algorithm in ["rolling", "fixed"] {
        let mut limit = requests("rl", 1, "2s");
        limit["algorithm"] = json!(algorithm);
        let targets =
            coins("openai", 1).govern("rate_limits", limit).key_field("rate_limit_id", json!("rl")).start().await;
        let mut served = 0;
        for _ in 0..2 {
            let (before, refused) = until_refused(&targets).await;
            assert_refused(&refused, 429, "request_limited", &["1 of 1 requests in 2s are used"]);
            let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=3).contains(&wait), "{algorithm}: {wait}");
            assert_eq!(refused.header("x-should-retry"), None, "it is worth while to come again");
            assert_paid(&until_admitted(429, async || targets.pay(COST).await).await);
            served += before + 1;
        }
        assert_eq!(targets.seen(), [served], "{algorithm}");
    }
}

#[tokio::test]
async fn a_budget_is_whole_again_after_its_reset() {
    let targets = coins("openai", 1)
        .govern("budgets", budget_each("b", 15, "2s"))
        .key_field("budget_id", json!("b"))
        .start()
        .await;
    for _ in 0..2 {
        let (_, refused) = until_refused(&targets).await;
        assert_spent(&refused, "budget `b` of virtual key `everything` does not pay for this call: 0.008 of 0.015 USD");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&wait), "{wait}");
        assert_eq!(refused.header("x-should-retry"), None, "it is worth while to come again");
        assert_paid(&until_admitted(402, async || targets.pay(COST).await).await);
    }
    targets.until_gauge("spent", "b", 0).await;
    assert_eq!(targets.gauge("held", "b").await, 0);
}

#[tokio::test]
async fn five_tasks_with_three_requests_each_are_all_served_and_all_counted() {
    let targets = coins("openai", 1)
        .govern("budgets", budget("b", 1_000))
        .govern("rate_limits", requests("rl", 15, "1h"))
        .key_field("budget_id", json!("b"))
        .key_field("rate_limit_id", json!("rl"))
        .start()
        .await;
    let task = async |_| {
        for _ in 0..3 {
            assert_paid(&targets.pay(COST).await);
        }
    };
    join_all((0..5).map(task)).await;
    assert_eq!((targets.spent("b").await, targets.seen()), (15 * COST, vec![15]));
    assert_refused(&targets.pay(COST).await, 429, "request_limited", &["15 of 15 requests"]);
}

#[tokio::test]
async fn of_two_providers_weighted_99_to_1_each_is_charged_for_what_it_served() {
    const CALLS: usize = 200;
    let targets = coins("openai", 2)
        .weights(&[99.0, 1.0])
        .govern("budgets", budget("b0", 10_000))
        .govern("budgets", budget("b1", 10_000))
        .access_field(0, "budget_id", json!("b0"))
        .access_field(1, "budget_id", json!("b1"))
        .start()
        .await;
    for _ in 0..CALLS {
        assert_paid(&targets.pay(COST).await);
    }
    let seen = targets.seen();
    assert_eq!(seen.iter().sum::<usize>(), CALLS);
    assert!(seen[0] >= CALLS * 9 / 10, "{seen:?}");
    for (id, seen) in [("b0", seen[0]), ("b1", seen[1])] {
        assert_eq!(targets.spent(id).await, seen as u64 * COST, "{id}");
    }
}

#[tokio::test]
async fn a_provider_that_lacks_the_model_is_passed_over_whatever_its_weight_and_charged_nothing() {
    let targets = coins("openai", 2)
        .weights(&[99.0, 1.0])
        .with(|config| config["providers"]["p0"]["keys"][0]["models"] = json!(["gpt-4o-mini"]))
        .govern("budgets", budget("b0", 1_000))
        .govern("budgets", budget("b1", 1_000))
        .access_field(0, "budget_id", json!("b0"))
        .access_field(1, "budget_id", json!("b1"))
        .start()
        .await;
    for _ in 0..10 {
        assert_served(&targets.pay(COST).await, 1, &[]);
    }
    assert_eq!((targets.spent("b0").await, targets.spent("b1").await), (0, 10 * COST));
    assert_eq!(targets.seen(), [0, 10]);
}

/// Each way in which a key can be sent, with the API that it is usual for.
async fn in_each_form(targets: &Targets) -> Vec<Reply> {
    let request = |api: Api, query: &str| {
        let url = targets.gateway.url(&format!("{}{query}", api.path(COIN, false)));
        let body = coin_body(api, COIN, false, Some(COST));
        targets.client.post(url).header("content-type", "application/json").body(body.to_string())
    };
    let mut forms = vec![request(Api::Gemini, &format!("?key={KEY}"))];
    for (name, value) in [
        ("x-bf-vk", KEY.to_owned()),
        ("authorization", format!("Bearer {KEY}")),
        ("x-api-key", KEY.to_owned()),
        ("x-goog-api-key", KEY.to_owned()),
        ("api-key", KEY.to_owned()),
    ] {
        forms.push(request(Api::Gemini, "").header(name, value));
    }
    let mut replies = Vec::new();
    for form in forms {
        replies.push(reply(form).await);
    }
    replies
}

#[tokio::test]
async fn a_key_is_under_its_limits_in_whatever_form_it_is_sent() {
    let targets = coins("gemini", 1)
        .govern("budgets", budget("b", 1_000))
        .govern("rate_limits", requests("rl", 6, "1h"))
        .key_field("budget_id", json!("b"))
        .key_field("rate_limit_id", json!("rl"))
        .start()
        .await;
    for (n, answer) in in_each_form(&targets).await.iter().enumerate() {
        assert_paid(answer);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(&*(5 - n).to_string()), "form {n}");
    }
    assert_eq!(targets.spent("b").await, 6 * COST);
    for refused in in_each_form(&targets).await {
        assert_refused(&refused, 429, "request_limited", &["virtual key `everything`"]);
    }
    assert_eq!(targets.seen(), [6]);
}

#[tokio::test]
async fn a_key_is_under_its_limits_in_whatever_dialect_it_calls() {
    let targets = coins("openai", 1)
        .with(|config| {
            let url = config["providers"]["p0"]["network_config"]["base_url"].clone();
            for vendor in ["anthropic", "gemini"] {
                config["providers"][vendor] = provider(vendor, url.as_str().unwrap());
            }
            let providers = ["p0", "anthropic", "gemini"];
            config["governance"]["virtual_keys"] = json!([key("everything", KEY, &providers)]);
        })
        .govern("budgets", budget("b", 3 * COST))
        .key_field("budget_id", json!("b"))
        .start()
        .await;
    let ask = async |api: Api, vendor: &str| {
        let model = format!("{vendor}/{COIN}");
        reply(targets.coin(KEY, api, &model, false, COST)).await
    };
    let vendors = ["p0", "anthropic", "gemini"];
    for (api, vendor) in APIS.into_iter().zip(vendors) {
        assert_paid(&ask(api, vendor).await);
    }
    for (api, vendor) in APIS.into_iter().zip(vendors) {
        assert_spent(&ask(api, vendor).await, "virtual key `everything` is spent");
    }
    assert_eq!(targets.spent("b").await, 3 * COST);
}
