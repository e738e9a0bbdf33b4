//! Every path of the API, under every prefix, to the vendor's own path with the vendor's own credential.

use serde_json::{Value, json};

use super::support::config::{KEY, VENDORS, add_key, key, vendor_secret};
use super::support::scene::{Scene, reply};
use super::support::sse::Api;

const OPENAI_PREFIXES: [&str; 9] = [
    "/v1",
    "/openai",
    "/openai/v1",
    "/litellm",
    "/litellm/v1",
    "/langchain",
    "/langchain/v1",
    "/pydanticai",
    "/pydanticai/v1",
];

/// What is sent to a path arrives at the vendor's path, with the one credential of that vendor.
async fn assert_routed(scene: &Scene, path: &str, body: &Value, vendor: &str, vendor_path: &str, operation: &str) {
    let reply = reply(scene.post(path).body(body.to_string())).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    let entry = scene.entry();
    let arrived = (entry.method.as_str(), entry.path.as_str(), entry.credential());
    assert_eq!(arrived, ("POST", vendor_path, Some(&*vendor_secret(vendor))), "{path}");
    assert_eq!(entry.credentials.len(), 1, "{path}: {:?}", entry.credentials);
    assert_eq!(entry.body.as_ref(), Some(body), "{path}");
    let header = match vendor {
        "openai" => "authorization",
        "anthropic" => "x-api-key",
        _ => "x-goog-api-key",
    };
    assert_eq!(entry.credentials[0].header, header, "{path}");
    let line = scene.logged(&reply).await;
    let told = [&line["dialect"], &line["operation"], &line["provider"], &line["http.path"]];
    assert_eq!(told, [vendor, operation, vendor, path.split('?').next().unwrap()], "{line}");
}

#[tokio::test]
async fn openai_paths_arrive_under_every_prefix() {
    let scene = Scene::start().await;
    let calls = [
        ("/chat/completions", Api::Chat.body("gpt-4o", false, "hi"), "chat_completion"),
        ("/completions", Api::Completion.body("gpt-3.5-turbo-instruct", false, "hi"), "text_completion"),
        ("/responses", Api::Responses.body("gpt-4o", false, "hi"), "responses"),
        ("/embeddings", json!({"model": "text-embedding-3-small", "input": ["a", "b"]}), "embedding"),
    ];
    for prefix in OPENAI_PREFIXES {
        for (path, body, operation) in &calls {
            assert_routed(&scene, &format!("{prefix}{path}"), body, "openai", &format!("/v1{path}"), operation).await;
        }
    }
}

#[tokio::test]
async fn anthropic_paths_arrive_under_every_prefix() {
    let scene = Scene::start().await;
    let body = Api::Messages.body("claude-sonnet-4-5", false, "hi");
    let calls = [("/messages", "chat_completion"), ("/messages/count_tokens", "count_tokens")];
    for prefix in ["/v1", "/anthropic", "/anthropic/v1"] {
        for (path, operation) in calls {
            assert_routed(&scene, &format!("{prefix}{path}"), &body, "anthropic", &format!("/v1{path}"), operation)
                .await;
            assert_eq!(scene.entry().header("anthropic-version"), Some("2023-06-01"));
        }
    }
}

#[tokio::test]
async fn gemini_paths_arrive_under_every_version_and_prefix() {
    let scene = Scene::start().await;
    let chat = Api::Gemini.body("gemini-2.5-flash", false, "hi");
    let text = json!({"content": {"parts": [{"text": "hi"}]}});
    let batch = json!({"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "hi"}]}}]});
    let calls = [
        ("gemini-2.5-flash:generateContent", &chat, "chat_completion"),
        ("gemini-2.5-flash:streamGenerateContent", &chat, "chat_completion"),
        ("gemini-2.5-flash:countTokens", &chat, "count_tokens"),
        ("gemini-embedding-001:embedContent", &text, "embedding"),
        ("gemini-embedding-001:batchEmbedContents", &batch, "embedding"),
    ];
    for prefix in ["", "/genai"] {
        for (version, vendor_version) in [("/v1beta", "/v1beta"), ("/v1", "/v1"), ("", "/v1beta")] {
            for (call, body, operation) in calls {
                let path = format!("{prefix}{version}/models/{call}");
                let vendor_path = format!("{vendor_version}/models/{call}");
                assert_routed(&scene, &path, body, "gemini", &vendor_path, operation).await;
            }
        }
    }
}

#[tokio::test]
async fn of_a_query_only_what_is_harmless_is_passed_on() {
    let scene = Scene::start().await;
    let gemini = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
    for (api, path, query, arrives) in [
        (Api::Gemini, gemini, format!("key={KEY}&alt=sse&x=%20y"), Some("alt=sse")),
        (Api::Gemini, gemini, format!("key={KEY}"), None),
        (Api::Gemini, gemini, format!("alt=proto&fields=candidates&key={KEY}"), None),
        (Api::Messages, "/v1/messages", "beta=true&x=1".to_owned(), Some("beta=true")),
        (Api::Chat, "/v1/chat/completions", format!("key={KEY}&api-version=1"), None),
    ] {
        let request = scene.post(&format!("{path}?{query}")).body(api.body(api.model(), true, "hi").to_string());
        let answer = reply(request).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(scene.entry().query.as_deref(), arrives, "{path}?{query}");
    }
}

#[tokio::test]
async fn a_base_url_may_have_a_prefix_and_a_version() {
    let scene = Scene::with(|config| {
        for vendor in VENDORS {
            let url = config["providers"][vendor]["network_config"]["base_url"].as_str().unwrap().to_owned();
            config["providers"][vendor]["network_config"]["base_url"] = json!(format!("{url}/some/prefix/"));
        }
    })
    .await;
    for (api, path) in [
        (Api::Chat, "/some/prefix/v1/chat/completions"),
        (Api::Messages, "/some/prefix/v1/messages"),
        (Api::Gemini, "/some/prefix/v1beta/models/gemini-2.5-flash:generateContent"),
    ] {
        assert_eq!(scene.asked(api, api.model(), false).await.status, 200);
        assert_eq!(scene.entry().path, path);
    }
}

#[tokio::test]
async fn a_named_provider_is_asked_and_its_name_taken_off() {
    let scene = Scene::start().await;
    for model in ["openai/gpt-4o", "openai/brand-new-model", "brand-new-model"] {
        assert_eq!(scene.asked(Api::Chat, model, false).await.status, 200, "{model}");
        let asked = scene.entry();
        assert_eq!(asked.model.as_deref(), Some(model.trim_start_matches("openai/")));
    }
    let foreign = scene.asked(Api::Chat, "anthropic/claude-sonnet-4-5", false).await;
    assert_eq!(
        (foreign.status, scene.entry().model.as_deref()),
        (200, Some("claude-sonnet-4-5")),
        "{}",
        foreign.text()
    );
    let slash = scene.asked(Api::Chat, "meta-llama/Llama-3", false).await;
    assert_eq!((slash.status, scene.entry().model.as_deref()), (200, Some("meta-llama/Llama-3")));
}

fn ids(list: &Value) -> Vec<String> {
    let entries = list["data"].as_array().or_else(|| list["models"].as_array()).unwrap();
    entries.iter().map(|model| model.get("id").unwrap_or(&model["name"]).as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn models_are_listed_only_as_far_as_the_caller_may_use_them() {
    let scene = Scene::with(|config| {
        config["providers"]["openai"]["keys"][0]["blacklisted_models"] = json!(["gpt-4o-mini"]);
        config["providers"]["openai"]["keys"][0]["aliases"] = json!({"house-model": "gpt-4o"});
        let mut narrow = key("narrow", "sk-bf-narrow", &["openai", "gemini"]);
        narrow["provider_configs"][0]["allowed_models"] = json!(["gpt-4o", "house-model", "gpt-4o-mini"]);
        narrow["provider_configs"][1]["allowed_models"] = json!(["gemini-2.5-flash"]);
        add_key(config, narrow);
        add_key(config, key("nothing", "sk-bf-nothing", &[]));
    })
    .await;
    let list = |path: &'static str, token: &'static str| {
        let request = scene.client.get(scene.gateway.url(path)).bearer_auth(token);
        async move {
            let reply = reply(request).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            ids(&reply.json())
        }
    };
    let narrow = ["gemini-2.5-flash", "gpt-4o", "house-model"];
    for path in ["/v1/models", "/openai/v1/models", "/anthropic/v1/models"] {
        assert_eq!(list(path, "sk-bf-narrow").await, narrow, "{path}");
    }
    for path in ["/v1beta/models", "/genai/v1beta/models"] {
        assert_eq!(list(path, "sk-bf-narrow").await, narrow.map(|name| format!("models/{name}")), "{path}");
    }
    assert!(list("/v1/models", "sk-bf-nothing").await.is_empty());
    let all = list("/v1/models", KEY).await;
    for model in ["gpt-4o", "house-model", "claude-sonnet-4-5", "gemini-2.5-flash", "text-embedding-3-small"] {
        assert!(all.iter().any(|id| id == model), "{model} is not in {all:?}");
    }
    assert!(!all.iter().any(|id| id == "gpt-4o-mini"), "no credential is for it");
    for prefix in OPENAI_PREFIXES.iter().skip(1) {
        let reply = reply(scene.get(&format!("{prefix}/models"))).await;
        assert_eq!((reply.status, ids(&reply.json()).contains(&"gpt-4o".to_owned())), (200, true), "{prefix}");
    }
    assert!(scene.fake.books().is_empty(), "the list is the gateway's own");
}
