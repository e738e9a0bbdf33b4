//! What is refused before anybody looks at a body: required headers, guessed keys, paths and methods that are not there.

use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::scene::{Reply, Scene, reply};
use super::support::sse::{Api, reason};

async fn strict_scene() -> Scene {
    Scene::with_env(&[("TENANT_CODE", "canary-code")], |config| {
        config["client"]["required_headers"] =
            json!({"X-Tenant": "", "x-stage": "dev|prod", "x-code": "env.TENANT_CODE"});
    })
    .await
}

fn message(reply: &Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn all_missing_headers_are_named_at_once() {
    let scene = strict_scene().await;
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let refused = reply(scene.ask(api, api.model(), false).header("x-stage", "dev")).await;
        assert_eq!((refused.status, reason(&refused.json())), (400, Some("missing_required_headers")), "{api:?}");
        let message = message(&refused);
        assert!(
            message.contains("x-tenant") && message.contains("x-code") && !message.contains("x-stage"),
            "{message}"
        );
    }
    let list = reply(scene.get("/v1/models")).await;
    assert_eq!(list.status, 400);
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn required_headers_are_asked_for_before_the_key() {
    let scene = strict_scene().await;
    let url = scene.gateway.url("/v1/chat/completions");
    let refused = reply(scene.client.post(url).bearer_auth("sk-bf-unknown")).await;
    assert_eq!(reason(&refused.json()), Some("missing_required_headers"));
}

#[tokio::test]
async fn a_required_value_must_be_equal_or_match_as_a_whole() {
    let scene = strict_scene().await;
    let ask = |tenant: &str, stage: &str, code: &str| {
        let request = scene.ask(Api::Chat, "gpt-4o", false);
        reply(request.header("x-tenant", tenant).header("X-STAGE", stage).header("x-code", code))
    };
    assert_eq!(ask("", "dev", "canary-code").await.status, 200);
    assert_eq!(ask("t1", "prod", "canary-code").await.status, 200);
    for (stage, code, named) in [
        ("production", "canary-code", "x-stage"),
        ("xdev", "canary-code", "x-stage"),
        ("DEV", "canary-code", "x-stage"),
        ("dev", "canary-code ish", "x-code"),
        ("dev", "Canary-code", "x-code"),
        ("dev", "", "x-code"),
    ] {
        let refused = ask("t1", stage, code).await;
        assert_eq!(
            (refused.status, reason(&refused.json())),
            (400, Some("missing_required_headers")),
            "{stage} {code}"
        );
        let message = message(&refused);
        assert!(message.contains(named) && !message.contains("canary"), "{message}");
    }
    let both = ask("t1", "nope", "nope").await;
    assert!(message(&both).contains("x-stage, x-code") || message(&both).contains("x-code, x-stage"));
    assert!(!scene.gateway.output().contains("canary-code"), "an expected value is a secret");
}

#[tokio::test]
async fn an_unknown_path_is_404_in_the_dialect_of_its_prefix() {
    let scene = Scene::start().await;
    let paths = [
        (
            "openai",
            &["/", "/nothing", "/v1", "/v1/nothing", "/openai/nothing", "/litellm/v2/x", "/v1/chat/completions/"][..],
        ),
        ("anthropic", &["/anthropic/nothing", "/anthropic/v1/nothing", "/v1/messages/nothing"]),
        (
            "gemini",
            &["/genai/nothing", "/v1beta/nothing", "/v1beta/models/m:dance", "/models/m:dance", "/v1/models/m:dance"],
        ),
    ];
    for (dialect, paths) in paths {
        for path in paths {
            let missing = reply(scene.post(path).body("{}")).await;
            let body = missing.json();
            assert_eq!((missing.status, reason(&body)), (404, Some("not_found_error")), "{path}: {body}");
            assert_eq!(shape(&body), dialect, "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_told_the_right_one() {
    let scene = Scene::start().await;
    let cases = [
        ("openai", "GET", "/v1/chat/completions", "POST"),
        ("openai", "DELETE", "/openai/v1/responses", "POST"),
        ("openai", "POST", "/v1/models", "GET"),
        ("openai", "POST", "/metrics", "GET"),
        ("openai", "POST", "/readyz", "GET"),
        ("anthropic", "GET", "/v1/messages", "POST"),
        ("anthropic", "PUT", "/anthropic/v1/messages/count_tokens", "POST"),
        ("gemini", "GET", "/v1beta/models/gemini-2.5-flash:generateContent", "POST"),
        ("gemini", "PATCH", "/genai/v1beta/models", "GET"),
    ];
    for (dialect, method, path, allowed) in cases {
        let request = scene.client.request(method.parse().unwrap(), scene.gateway.url(path)).bearer_auth(KEY);
        let refused = reply(request).await;
        let body = refused.json();
        assert_eq!((refused.status, reason(&body)), (405, Some("method_not_allowed")), "{path}: {body}");
        assert_eq!(refused.header("allow"), Some(allowed), "{path}");
        assert_eq!(shape(&body), dialect, "{path}: {body}");
    }
}

fn shape(error: &Value) -> &'static str {
    if error["type"] == "error" {
        "anthropic"
    } else if error["error"]["status"].is_string() {
        "gemini"
    } else {
        "openai"
    }
}

#[tokio::test]
async fn guesses_are_throttled_by_address_and_a_valid_key_never_is() {
    let scene = Scene::with(|config| config["client"]["auth_failures_per_minute"] = json!(5)).await;
    let guess = |n: usize| {
        let url = scene.gateway.url("/v1/chat/completions");
        reply(
            scene
                .client
                .post(url)
                .bearer_auth(format!("sk-bf-guess-{n}"))
                .header("x-forwarded-for", format!("10.0.0.{n}")),
        )
    };
    for n in 0..5 {
        assert_eq!(guess(n).await.status, 401);
    }
    for n in 5..8 {
        let refused = guess(n).await;
        assert_eq!((refused.status, reason(&refused.json())), (429, Some("authentication_throttled")));
        assert_eq!(refused.header("retry-after"), Some("60"));
        assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_whom_to_throttle() {
    let scene = Scene::with(|config| {
        config["client"]["auth_failures_per_minute"] = json!(2);
        config["client"]["trusted_proxies"] = json!(["127.0.0.0/8"]);
    })
    .await;
    let guess = |address: &'static str| {
        let url = scene.gateway.url("/v1/chat/completions");
        reply(scene.client.post(url).bearer_auth("sk-bf-guess").header("x-forwarded-for", address))
    };
    for _ in 0..2 {
        assert_eq!(guess("198.51.100.1").await.status, 401);
    }
    assert_eq!(guess("198.51.100.1").await.status, 429);
    assert_eq!(guess("203.0.113.5, 198.51.100.1").await.status, 429, "only the nearest hop can be believed");
    assert_eq!(guess("198.51.100.2").await.status, 401);
}
