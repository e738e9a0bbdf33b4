//! The gate and the limits, on calls that are translated: as on all others, in the client's own dialect.

use serde_json::json;

use super::super::support::config::{add_key, key};
use super::super::support::limits::{TOKEN, budget, coin_body, govern, requests, with_price};
use super::super::support::scene::{Reply, Scene, metric, reply, until_metric};
use super::super::support::sse::{Api, reason};
use super::{assert_error_of, pairs};

/// Keys that are refused, each for one reason, and one that is not.
async fn scene() -> Scene {
    Scene::with(|config| {
        with_price(config);
        let vendors = ["openai", "anthropic", "gemini"];
        add_key(config, key("free", "sk-bf-canary-free", &vendors));
        let mut revoked = key("revoked", "sk-bf-canary-revoked", &vendors);
        revoked["is_active"] = json!(false);
        add_key(config, revoked);
        let mut narrow = key("narrow", "sk-bf-canary-narrow", &vendors);
        for access in narrow["provider_configs"].as_array_mut().unwrap() {
            access["allowed_models"] = json!(["other"]);
        }
        add_key(config, narrow);
        let mut poor = key("poor", "sk-bf-canary-poor", &vendors);
        govern(config, "budgets", budget("b-poor", 3));
        poor["budget_id"] = json!("b-poor");
        add_key(config, poor);
        let mut slow = key("slow", "sk-bf-canary-slow", &vendors);
        govern(config, "rate_limits", requests("r-slow", 1, "1h"));
        slow["rate_limit_id"] = json!("r-slow");
        add_key(config, slow);
    })
    .await
}

async fn ask(scene: &Scene, token: &str, client: Api, vendor: Api, stream: bool, most: Option<u64>) -> Reply {
    let model = format!("{}/coin", vendor.vendor());
    let body = coin_body(client, &model, stream, most).to_string();
    let url = scene.gateway.url(&client.path(&model, stream));
    let request = scene.client.post(url).header("content-type", "application/json");
    reply(if token.is_empty() { request } else { request.bearer_auth(token) }.body(body)).await
}

#[tokio::test]
async fn what_is_refused_is_refused_in_the_clients_dialect_and_reaches_no_vendor() {
    let cases = [
        ("", 401, "virtual_key_required"),
        ("sk-bf-canary-unknown", 401, "virtual_key_not_found"),
        ("sk-bf-canary-revoked", 403, "virtual_key_blocked"),
        ("sk-bf-canary-narrow", 403, "model_blocked"),
        ("sk-bf-canary-poor", 402, "budget_exceeded"),
    ];
    let scene = scene().await;
    for (client, vendor) in pairs() {
        for stream in [false, true] {
            for (token, status, why) in cases {
                let refused = ask(&scene, token, client, vendor, stream, Some(8)).await;
                let body = refused.json();
                assert_eq!((refused.status, reason(&body)), (status, Some(why)), "{client:?} {vendor:?}: {body}");
                assert_error_of(client, &body);
            }
        }
    }
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn a_rate_limit_holds_whatever_the_format() {
    for (client, vendor) in pairs() {
        let scene = scene().await;
        assert_eq!(ask(&scene, "sk-bf-canary-slow", client, vendor, false, Some(8)).await.status, 200);
        let refused = ask(&scene, "sk-bf-canary-slow", client, vendor, true, Some(8)).await;
        assert_eq!((refused.status, reason(&refused.json())), (429, Some("request_limited")), "{}", refused.text());
        assert_error_of(client, &refused.json());
        assert!(refused.header("retry-after").is_some());
        assert_eq!(scene.fake.books().len(), 1);
    }
}

#[tokio::test]
async fn a_limit_that_a_budget_sets_is_sent_in_the_vendors_own_field() {
    for (client, vendor) in pairs().filter(|(client, _)| *client != Api::Messages && *client != Api::Completion) {
        let scene = Scene::with(|config| {
            with_price(config);
            config["client"]["min_clamped_tokens"] = json!(1);
            govern(config, "budgets", budget("b", 80));
            config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
        })
        .await;
        scene.let_fake("~strict~words=30");
        let token = super::super::support::config::KEY;
        for (stream, most) in [(false, 10), (true, 8)] {
            // An eighth of what is left: 80, then 70.
            let answer = ask(&scene, token, client, vendor, stream, None).await;
            assert_eq!(answer.status, 200, "{client:?} to {vendor:?}: {}", answer.text());
            assert_eq!(answer.header("x-tollgate-max-tokens-clamped"), Some(most.to_string().as_str()));
            let place = match vendor {
                Api::Messages => "/max_tokens",
                Api::Gemini => "/generationConfig/maxOutputTokens",
                _ => "/max_completion_tokens",
            };
            let sent = scene.entry().body.unwrap();
            assert_eq!(sent.pointer(place), Some(&json!(most)), "{client:?} to {vendor:?}: {sent}");
            assert_eq!(scene.entry().output_tokens, most);
        }
        until_metric(&scene.client, &scene.gateway, "tollgate_requests_in_flight ", 1).await;
        let spent = metric(&scene.client, &scene.gateway, "tollgate_budget_spent_nanodollars{budget=\"b\"} ").await;
        assert_eq!(spent, Some(18 * TOKEN));
    }
}

#[tokio::test]
async fn where_neither_sets_a_limit_what_was_reserved_is_sent_to_a_vendor_that_wants_one() {
    let scene = scene().await;
    let answer = ask(&scene, "sk-bf-canary-free", Api::Chat, Api::Messages, false, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.entry().body.unwrap()["max_tokens"], 4_096, "the default of a model that nobody knows");
    let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]});
    let answer = reply(scene.post("/v1/chat/completions").body(body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.entry().body.unwrap()["max_tokens"], 64_000, "the model's own");
    let answer = ask(&scene, "sk-bf-canary-free", Api::Completion, Api::Messages, false, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.entry().body.unwrap()["max_tokens"], 16, "what text completions have by default");
}

#[tokio::test]
async fn a_request_that_cannot_be_asked_holds_nothing_of_a_budget() {
    let scene = Scene::with(|config| {
        with_price(config);
        govern(config, "budgets", budget("b", 80));
        config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
    })
    .await;
    let mut body = coin_body(Api::Chat, "anthropic/coin", false, Some(8));
    body["logprobs"] = json!(true);
    assert_eq!(reply(scene.post("/v1/chat/completions").body(body.to_string())).await.status, 400);
    for what in ["held", "spent"] {
        let gauge = format!("tollgate_budget_{what}_nanodollars{{budget=\"b\"}} ");
        assert_eq!(metric(&scene.client, &scene.gateway, &gauge).await, Some(0), "{what}");
    }
}
