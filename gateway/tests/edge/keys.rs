//! Virtual keys: where they are looked for, and what becomes of those that open nothing.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::support::config::{KEY, VENDORS, add_key, key, vendor_secret};
use super::support::scene::{Reply, Scene, reply};
use super::support::sse::{Api, reason};

/// A key without the prefix: any known value is one.
const PLAIN: &str = "canary-plain-token";
const OTHER: &str = "sk-bf-canary-other";
/// Every place that a key may come from; the last is Gemini's query parameter.
const PLACES: [&str; 6] = ["x-bf-vk", "authorization", "x-api-key", "x-goog-api-key", "api-key", "?key"];
/// One path of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

async fn scene() -> Scene {
    Scene::with(|config| {
        add_key(config, key("plain", PLAIN, &VENDORS));
        add_key(config, key("other", OTHER, &VENDORS));
    })
    .await
}

/// A request without any key.
fn ask(scene: &Scene, api: Api) -> RequestBuilder {
    ask_at(scene, api, &api.path(api.model(), false))
}

fn ask_at(scene: &Scene, api: Api, path: &str) -> RequestBuilder {
    scene.client.post(scene.gateway.url(path)).body(api.body(api.model(), false, "hi").to_string())
}

/// A request with a token in one of the places.
fn ask_with(scene: &Scene, api: Api, place: &str, token: &str) -> RequestBuilder {
    match place {
        "?key" => ask_at(scene, api, &format!("{}?key={token}", api.path(api.model(), false))),
        "authorization" => ask(scene, api).bearer_auth(token),
        _ => ask(scene, api).header(place, token),
    }
}

/// The answer is a refusal in the API's own shape.
fn assert_refused(api: Api, reply: &Reply, status: u16, why: &str) {
    let body = reply.json();
    assert_eq!((reply.status, reason(&body)), (status, Some(why)), "{api:?}: {body}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let is_shaped = match api.vendor() {
        "openai" => body["type"] == why && body["status_code"] == status && body["error"]["code"] == why,
        "anthropic" => body["type"] == "error" && body["request_id"] == reply.request_id(),
        _ => body["error"]["code"] == status && body["error"]["status"].is_string(),
    };
    assert!(is_shaped, "{api:?}: {body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains(KEY), "{body}");
}

#[tokio::test]
async fn a_key_is_found_in_every_place_with_and_without_the_prefix() {
    let scene = scene().await;
    for (token, id) in [(KEY, "vk-everything"), (PLAIN, "vk-plain")] {
        for place in PLACES {
            let apis = if place == "?key" { &APIS[2..] } else { &APIS[..] };
            for api in apis {
                let reply = reply(ask_with(&scene, *api, place, token)).await;
                assert_eq!(reply.status, 200, "{place} {api:?}: {}", reply.text());
                assert_eq!(scene.logged(&reply).await["key.id"], id);
                let entry = scene.entry();
                assert_eq!(entry.credential(), Some(&*vendor_secret(api.vendor())), "{place}");
                assert_eq!(entry.credentials.len(), 1, "{place}: {:?}", entry.credentials);
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_key_is_401_wherever_it_stands() {
    let scene = scene().await;
    for place in PLACES {
        let apis = if place == "?key" { &APIS[2..] } else { &APIS[..] };
        for api in apis {
            let refused = reply(ask_with(&scene, *api, place, "sk-bf-unknown")).await;
            assert_refused(*api, &refused, 401, "virtual_key_not_found");
            assert_eq!(refused.header("x-should-retry"), Some("false"));
        }
    }
    let refused = reply(ask_with(&scene, Api::Chat, "x-bf-vk", "no-prefix-at-all")).await;
    assert_refused(Api::Chat, &refused, 401, "virtual_key_not_found");
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn a_call_without_a_key_is_401() {
    let scene = scene().await;
    for api in APIS {
        assert_refused(api, &reply(ask(&scene, api)).await, 401, "virtual_key_required");
        let foreign = reply(ask_with(&scene, api, "authorization", "sk-someones-own")).await;
        assert_refused(api, &foreign, 401, "virtual_key_required");
    }
    let list = reply(scene.client.get(scene.gateway.url("/v1/models"))).await;
    assert_refused(Api::Chat, &list, 401, "virtual_key_required");
}

#[tokio::test]
async fn the_query_key_opens_gemini_paths_only() {
    let scene = scene().await;
    for api in [Api::Chat, Api::Messages] {
        let refused = reply(ask_with(&scene, api, "?key", KEY)).await;
        assert_refused(api, &refused, 401, "virtual_key_required");
    }
    assert!(scene.fake.books().is_empty());
}

#[tokio::test]
async fn an_inactive_or_expired_key_is_403() {
    let scene = Scene::with(|config| {
        let mut inactive = key("inactive", "sk-bf-inactive", &VENDORS);
        inactive["is_active"] = json!(false);
        add_key(config, inactive);
        let mut expired = key("expired", "sk-bf-expired", &VENDORS);
        expired["expires_at"] = json!("2020-01-01T00:00:00Z");
        add_key(config, expired);
        let mut lasting = key("lasting", "sk-bf-lasting", &VENDORS);
        lasting["expires_at"] = json!("2999-01-01T00:00:00Z");
        add_key(config, lasting);
    })
    .await;
    for api in APIS {
        for token in ["sk-bf-inactive", "sk-bf-expired"] {
            let refused = reply(ask(&scene, api).bearer_auth(token)).await;
            assert_refused(api, &refused, 403, "virtual_key_blocked");
        }
        assert_eq!(reply(ask(&scene, api).bearer_auth("sk-bf-lasting")).await.status, 200);
    }
}

#[tokio::test]
async fn two_different_keys_are_400_and_one_key_twice_is_one() {
    let scene = scene().await;
    for api in APIS {
        let refused = reply(ask(&scene, api).bearer_auth(KEY).header("x-api-key", OTHER)).await;
        assert_refused(api, &refused, 400, "invalid_request_error");
        let twice = reply(ask(&scene, api).bearer_auth(KEY).header("x-bf-vk", KEY)).await;
        assert_eq!(twice.status, 200, "{}", twice.text());
        let beside = reply(ask(&scene, api).bearer_auth("sk-someones-own").header("x-bf-vk", KEY)).await;
        assert_eq!(beside.status, 200, "{}", beside.text());
        assert_eq!(scene.entry().credentials.len(), 1);
    }
}

#[tokio::test]
async fn a_key_may_use_only_the_operations_it_is_allowed() {
    let scene = Scene::with(|config| {
        let mut embedder = key("embedder", "sk-bf-embedder", &VENDORS);
        embedder["allowed_request_types"] = json!(["embedding", "count_tokens"]);
        add_key(config, embedder);
    })
    .await;
    let post = |path: &str, body: Value| {
        reply(scene.client.post(scene.gateway.url(path)).bearer_auth("sk-bf-embedder").body(body.to_string()))
    };
    for api in APIS {
        let refused = post(&api.path(api.model(), false), api.body(api.model(), false, "hi")).await;
        assert_refused(api, &refused, 403, "operation_blocked");
    }
    let embedding = post("/v1/embeddings", json!({"model": "text-embedding-3-small", "input": "hi"})).await;
    assert_eq!(embedding.status, 200, "{}", embedding.text());
    let count = post("/v1/messages/count_tokens", Api::Messages.body("claude-sonnet-4-5", false, "hi")).await;
    assert_eq!(count.status, 200, "{}", count.text());
    let list = reply(scene.client.get(scene.gateway.url("/v1/models")).bearer_auth("sk-bf-embedder")).await;
    assert_refused(Api::Chat, &list, 403, "operation_blocked");
}

#[tokio::test]
async fn a_model_or_provider_that_a_key_may_not_use_is_403() {
    let scene = Scene::with(|config| {
        let mut narrow = key("narrow", "sk-bf-narrow", &["openai"]);
        narrow["provider_configs"][0]["allowed_models"] = json!(["gpt-4o-mini"]);
        add_key(config, narrow);
    })
    .await;
    let chat = |api: Api, model: &str| {
        let body = api.body(model, false, "hi").to_string();
        let request = scene.client.post(scene.gateway.url(&api.path(model, false))).bearer_auth("sk-bf-narrow");
        reply(request.body(body))
    };
    assert_eq!(chat(Api::Chat, "gpt-4o-mini").await.status, 200);
    assert_eq!(chat(Api::Chat, "openai/gpt-4o-mini").await.status, 200);
    assert_refused(Api::Chat, &chat(Api::Chat, "gpt-4o").await, 403, "model_blocked");
    assert_refused(Api::Chat, &chat(Api::Chat, "openai/gpt-4o").await, 403, "model_blocked");
    assert_refused(Api::Messages, &chat(Api::Messages, "claude-sonnet-4-5").await, 403, "provider_blocked");
    assert_refused(Api::Gemini, &chat(Api::Gemini, "gemini-2.5-flash").await, 403, "provider_blocked");
    assert_eq!(scene.fake.books().len(), 2);
}

#[tokio::test]
async fn without_enforcement_and_without_keys_anybody_may_call() {
    let scene = Scene::with(|config| {
        config["client"] = json!({});
        config["governance"] = json!({});
    })
    .await;
    for api in APIS {
        let reply = reply(ask(&scene, api)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(scene.logged(&reply).await.get("key.id"), None);
    }
    let refused = reply(ask(&scene, Api::Chat).bearer_auth("sk-bf-unknown")).await;
    assert_refused(Api::Chat, &refused, 401, "virtual_key_not_found");
}

#[tokio::test]
async fn a_callers_own_credential_is_passed_on_only_where_that_is_allowed() {
    let scene = Scene::with(|config| config["client"]["allow_direct_keys"] = json!(true)).await;
    for api in APIS {
        let reply = reply(ask(&scene, api).header("x-bf-vk", KEY).bearer_auth("sk-someones-own")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let entry = scene.entry();
        assert_eq!(entry.credential(), Some("sk-someones-own"), "{api:?}");
        assert_eq!(entry.credentials.len(), 1);
    }
    // That it is refused is the caller's own affair, in the vendor's own words.
    scene.let_fake("~status=401");
    let refused = reply(ask(&scene, Api::Chat).header("x-bf-vk", KEY).bearer_auth("sk-someones-own")).await;
    assert_eq!((refused.status, refused.text().contains("on demand")), (401, true), "{}", refused.text());
}
