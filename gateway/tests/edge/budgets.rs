//! Budgets in the forms in which they are written: of zero, several on one owner, soft ones; and where calls cannot be priced.

use futures::future::join_all;
use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key};
use super::support::limits::{
    APIS, COIN, assert_paid, assert_refused, assert_spent, budget, budget_each, coins, message, requests,
};
use super::support::prices::Tokens;
use super::support::process::Home;
use super::support::scene::reply;
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served, rule};

const COST: u64 = 8;

/// Hangs a budget on each level in each of the forms in which that can be written: the level's name in the text, and the setup.
fn written(budget: &Value) -> Vec<(&'static str, &'static str, Setup)> {
    let team = |setup: Setup, field: &str, value: Value| {
        setup.govern("teams", json!({"id": "t1", "name": "Research", field: value})).key_field("team_id", json!("t1"))
    };
    let customer = |setup: Setup, field: &str, value: Value| {
        setup
            .govern("customers", json!({"id": "c1", "name": "Acme", field: value}))
            .key_field("customer_id", json!("c1"))
    };
    let owned = |field: &str, id: &str| {
        let mut budget = budget.clone();
        budget[field] = json!(id);
        coins("openai", 1).govern("budgets", budget)
    };
    let listed = || coins("openai", 1).govern("budgets", budget.clone());
    let (id, one, many) = (budget["id"].clone(), budget.clone(), json!([budget]));
    let bare = || coins("openai", 1);
    let provider = |field: &str, value: Value| json!({"name": "p0", field: value});
    let model = |field: &str, value: Value| json!({"id": "m", "model_name": COIN, field: value});
    vec![
        ("a key's id", "virtual key `everything`", listed().key_field("budget_id", id.clone())),
        ("the key on the budget", "virtual key `everything`", owned("virtual_key_id", "vk-everything")),
        ("in a key", "virtual key `everything`", bare().key_field("budget", one.clone())),
        ("in a key's list", "virtual key `everything`", bare().key_field("budgets", many.clone())),
        ("a config's id", "use of provider `p0`", listed().access_field(0, "budget_id", id.clone())),
        (
            "the config on the budget",
            "use of provider `p0`",
            owned("provider_config_id", "pc0").access_field(0, "id", json!("pc0")),
        ),
        ("in a config's list", "use of provider `p0`", bare().access_field(0, "budgets", many.clone())),
        ("a team's id", "team `Research`", team(listed(), "budget_id", id.clone())),
        ("the team on the budget", "team `Research`", team(owned("team_id", "t1"), "name", json!("Research"))),
        ("in a team's list", "team `Research`", team(bare(), "budgets", many.clone())),
        ("a customer's id", "customer `Acme`", customer(listed(), "budget_id", id.clone())),
        ("the customer on the budget", "customer `Acme`", customer(owned("customer_id", "c1"), "name", json!("Acme"))),
        ("in a customer", "customer `Acme`", customer(bare(), "budget", one.clone())),
        ("a provider's id", "provider `p0`", listed().govern("providers", provider("budget_id", id.clone()))),
        ("in a provider", "provider `p0`", bare().govern("providers", provider("budget", one.clone()))),
        ("a model's id", "model `coin`", listed().govern("model_configs", model("budget_id", id))),
        ("in a model's list", "model `coin`", bare().govern("model_configs", model("budgets", many))),
    ]
}

#[tokio::test]
async fn a_budget_holds_in_every_form_in_which_it_can_be_written() {
    for (form, holder, setup) in written(&budget("b", 10)) {
        let targets = setup.start().await;
        assert_paid(&targets.pay(COST).await);
        let refused = targets.pay(COST).await;
        assert_eq!(refused.status, 402, "{form}: {}", refused.text());
        assert!(
            message(&refused).starts_with("budget `b` of ") && message(&refused).contains(holder),
            "{form}: {refused:?}"
        );
        assert_eq!((targets.spent("b").await, targets.seen()), (COST, vec![1]), "{form}");
    }
}

#[tokio::test]
async fn a_budget_of_zero_lets_nothing_through_on_any_level() {
    for (form, holder, setup) in written(&budget("b", 0)) {
        let targets = setup.start().await;
        for most in [1, COST] {
            assert_refused(&targets.pay(most).await, 402, "budget_exceeded", &[holder, "lets nothing through"]);
        }
        let free = reply(targets.coin(KEY, Api::Chat, COIN, true, None)).await;
        assert_refused(&free, 402, "budget_exceeded", &[holder]);
        assert_eq!(targets.seen(), [0], "{form}");
    }
}

#[tokio::test]
async fn a_soft_budget_of_zero_lets_nothing_through_either() {
    let mut soft = budget("b", 0);
    soft["mode"] = json!("soft");
    let targets = coins("openai", 1).govern("budgets", soft).key_field("budget_id", json!("b")).start().await;
    assert_refused(&targets.pay(COST).await, 402, "budget_exceeded", &["lets nothing through"]);
    assert_eq!(targets.seen(), [0]);
}

#[tokio::test]
async fn of_several_budgets_of_one_key_each_must_pay() {
    let budgets =
        json!([budget_each("b-hour", 30, "1h"), budget_each("b-day", 20, "1d"), budget_each("b-month", 50, "1M")]);
    let targets = coins("openai", 1).key_field("budgets", budgets).start().await;
    assert_paid(&targets.pay(COST).await);
    assert_paid(&targets.pay(COST).await);
    assert_spent(&targets.pay(COST).await, "budget `b-day` of virtual key `everything`");
    assert_paid(&targets.pay(4).await);
    for id in ["b-hour", "b-day", "b-month"] {
        assert_eq!(targets.spent(id).await, 20, "{id}");
    }
}

#[tokio::test]
async fn a_soft_budget_admits_while_anything_is_left_and_may_end_over_its_limit() {
    for api in APIS {
        let mut soft = budget("b", 10);
        soft["mode"] = json!("soft");
        let targets = coins(api.vendor(), 1).govern("budgets", soft).key_field("budget_id", json!("b")).start().await;
        let ask = async |stream: bool, most: Option<u64>| {
            let answer = reply(targets.coin(KEY, api, COIN, stream, most)).await;
            assert_eq!(answer.header("x-tollgate-max-tokens-clamped"), None, "it pays for whatever comes");
            answer
        };
        assert_paid(&ask(false, Some(4_000)).await);
        assert_paid(&ask(true, None).await);
        assert_eq!(targets.spent("b").await, 16);
        for stream in [false, true] {
            assert_spent(
                &ask(stream, Some(1)).await,
                "budget `b` of virtual key `everything` is spent: 0.016 of 0.01 USD used",
            );
        }
        assert_eq!((targets.seen(), targets.spent("b").await), (vec![2], 16), "{api:?}");
    }
}

#[tokio::test]
async fn calls_in_flight_do_not_keep_others_from_a_soft_budget() {
    let mut soft = budget("b", 10);
    soft["mode"] = json!("soft");
    let targets = coins("openai", 1).govern("budgets", soft).key_field("budget_id", json!("b")).start().await;
    let calls = join_all(["a", "b", "c"].map(|name| targets.open(KEY, 0, name, 4_000))).await;
    assert_eq!(targets.gauge("spent", "b").await, 0);
    for call in calls {
        assert_paid(&targets.finish(call).await);
    }
    assert_eq!(targets.spent("b").await, 3 * COST);
    assert_spent(&targets.pay(1).await, "is spent");
}

/// A key with a budget of this mode, and a model without a price; and what the operator says of such models.
async fn unpriced(mode: &str, models: &str) -> Targets {
    let mut budget = budget("b", 1_000);
    budget["mode"] = json!(mode);
    let free = key("free", "sk-bf-canary-free", &["p0"]);
    coins("openai", 1)
        .client("unpriced_models", json!(models))
        .govern("budgets", budget)
        .key_field("budget_id", json!("b"))
        .with(|config| add_key(config, free))
        .start()
        .await
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_under_a_hard_budget_unless_the_operator_allows_it() {
    for (mode, models, is_refused) in
        [("hard", "refuse", true), ("hard", "allow", false), ("soft", "refuse", false), ("soft", "allow", false)]
    {
        let targets = unpriced(mode, models).await;
        for stream in [false, true] {
            let answer = reply(targets.coin(KEY, Api::Chat, "penny", stream, COST)).await;
            if is_refused {
                let told = ["model `penny`", "has no price", "budget `b`", "client.unpriced_models"];
                assert_refused(&answer, 403, "model_unpriced", &told);
            } else {
                assert_paid(&answer);
            }
            let free = reply(targets.coin("sk-bf-canary-free", Api::Chat, "penny", stream, COST)).await;
            assert_paid(&free);
        }
        assert_eq!(targets.spent("b").await, 0, "{mode} {models}");
        assert_paid(&targets.pay(COST).await);
        assert_eq!(targets.spent("b").await, COST, "{mode} {models}");
    }
}

#[tokio::test]
async fn a_model_without_a_price_at_one_provider_goes_to_another() {
    let targets = coins("openai", 2)
        .with(|config| {
            let price = &mut config["governance"]["pricing_overrides"][0];
            price["scope_kind"] = json!("provider");
            price["provider_id"] = json!("p1");
        })
        .govern("budgets", budget("b", 1_000))
        .key_field("budget_id", json!("b"))
        .start()
        .await;
    assert_served(&targets.pay(COST).await, 1, &[("p0", "model_unpriced")]);
    assert_eq!((targets.spent("b").await, targets.seen()), (COST, vec![0, 1]));
}

#[tokio::test]
async fn every_operation_that_costs_is_under_the_budget() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini, Api::GeminiArray] {
        let setup = coins(api.vendor(), 1).govern("budgets", budget("b", 0)).key_field("budget_id", json!("b"));
        let targets = setup.start().await;
        for stream in [false, true] {
            let refused = reply(targets.coin(KEY, api, COIN, stream, COST)).await;
            assert_refused(&refused, 402, "budget_exceeded", &["virtual key `everything`"]);
        }
        let embeddings = match api.vendor() {
            "openai" => ("/v1/embeddings", json!({"model": "text-embedding-3-small", "input": "12345678"})),
            "gemini" => (
                "/v1beta/models/gemini-embedding-001:embedContent",
                json!({"content": {"parts": [{"text": "12345678"}]}}),
            ),
            _ => continue,
        };
        let refused = reply(targets.post(embeddings.0).body(embeddings.1.to_string())).await;
        assert_refused(&refused, 402, "budget_exceeded", &["virtual key `everything`"]);
        assert_eq!(targets.seen(), [0], "{api:?}");
    }
}

#[tokio::test]
async fn embeddings_are_charged_to_the_budget() {
    let targets =
        coins("openai", 1).govern("budgets", budget("b", 1_000)).key_field("budget_id", json!("b")).start().await;
    let body = json!({"model": "text-embedding-3-small", "input": ["some text to embed", "and some more"]});
    let answer = reply(targets.post("/v1/embeddings").body(body.to_string())).await;
    assert_paid(&answer);
    let usage = targets.fakes[0].books().last().unwrap().usage.unwrap();
    let cost = Tokens::of(Api::Chat, &usage).nano_dollars("text-embedding-3-small");
    targets.until_idle().await;
    assert!(cost > 0);
    assert_eq!(targets.gauge("spent", "b").await, cost);
}

#[tokio::test]
async fn a_rule_that_sees_how_much_is_used_sends_calls_elsewhere_in_time() {
    let mut limit = requests("rl", 10, "1h");
    limit["token_max_limit"] = json!(50);
    limit["token_reset_duration"] = json!("1h");
    // Each call is 40 % of the budget, 10 % of the requests, and, its input counted, 20 % of the tokens.
    for (condition, at_first) in [("budget_used >= 40", 1), ("requests_used >= 20", 2), ("tokens_used > 50", 3)] {
        let targets = coins("openai", 2)
            .rule(rule("r", condition, &[("p1", 1.0)], &[]))
            .govern("budgets", budget("b", if condition.starts_with("budget") { 20 } else { 1_000 }))
            .govern("rate_limits", limit.clone())
            .key_field("budget_id", json!("b"))
            .key_field("rate_limit_id", json!("rl"))
            .start()
            .await;
        for n in 0..=at_first {
            assert_served(&targets.pay(COST).await, usize::from(n == at_first), &[]);
            targets.until_idle().await;
        }
        assert_eq!(targets.seen(), [at_first, 1], "{condition}");
    }
}

#[tokio::test]
async fn limits_that_make_no_sense_end_a_check() {
    let broken = |list: &str, limit: Value| {
        let field = if list == "budgets" { "budget_id" } else { "rate_limit_id" };
        coins("openai", 1).key_field(field, limit["id"].clone()).govern(list, limit).config
    };
    let with = |mut limit: Value, field: &str, value: Value| {
        limit[field] = value;
        limit
    };
    let one = requests("l", 1, "1h");
    for (config, named) in [
        (broken("budgets", with(budget("l", 1), "max_limit", json!(-1))), "governance.budgets[0].max_limit"),
        (broken("budgets", with(budget("l", 1), "max_limit", json!("NaN"))), "governance.budgets[0].max_limit"),
        (
            broken("budgets", with(budget("l", 1), "reset_duration", json!("0s"))),
            "governance.budgets[0].reset_duration",
        ),
        (broken("budgets", with(budget("l", 1), "mode", json!("lenient"))), "governance.budgets[0].mode"),
        (broken("rate_limits", with(one.clone(), "request_max_limit", json!(0))), "request_max_limit"),
        (broken("rate_limits", with(one.clone(), "request_max_limit", json!(-5))), "request_max_limit"),
        (broken("rate_limits", with(one, "max_concurrent_requests", json!(0))), "max_concurrent_requests"),
        (coins("openai", 1).key_field("budget_id", json!("nobody's")).config, "virtual_keys[0].budget_id"),
    ] {
        let output = Home::new(&config).run("check").await;
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && told.contains(named), "{named}: {told}");
    }
}
