//! Vendors by name: the paths, credentials, limits and ways to report usage of each.

use serde_json::{Value, json};

use super::support::config::{KEY, key, provider, vendor_secret};
use super::support::limits::govern;
use super::support::scene::{Reply, Scene, reply};
use super::support::targets::assert_trail;

const CHAT: &str = "/v1/chat/completions";

/// A gateway with one provider of each of these vendors, at the fake provider under this prefix.
async fn scene(vendors: &[(&str, &str)]) -> Scene {
    Scene::with(|config| {
        let url = config["providers"]["openai"]["network_config"]["base_url"].as_str().unwrap().to_owned();
        let of = |(name, prefix): &(&str, &str)| ((*name).to_owned(), provider(name, &format!("{url}{prefix}")));
        config["providers"] = Value::Object(vendors.iter().map(of).collect());
        let names: Vec<_> = vendors.iter().map(|(name, _)| *name).collect();
        config["governance"]["virtual_keys"] = json!([key("everything", KEY, &names)]);
    })
    .await
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}]})
}

async fn ask(scene: &Scene, path: &str, body: &Value) -> Reply {
    let reply = reply(scene.post(path).body(body.to_string())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

#[tokio::test]
async fn each_vendor_is_asked_at_its_own_path() {
    let vendors = [
        ("groq", "/openai/v1"),
        ("mistral", "/v1"),
        ("openrouter", "/api/v1"),
        ("fireworks", "/inference"),
        ("deepseek", ""),
        ("databricks", ""),
        ("ollama", ""),
    ];
    let scene = scene(&vendors).await;
    let embedding = json!({"input": "hi"});
    for (vendor, path, operation_path) in [
        ("groq", CHAT, "/openai/v1/chat/completions"),
        ("groq", "/v1/responses", "/openai/v1/responses"),
        ("mistral", CHAT, "/v1/chat/completions"),
        ("mistral", "/v1/embeddings", "/v1/embeddings"),
        ("openrouter", CHAT, "/api/v1/chat/completions"),
        ("fireworks", CHAT, "/inference/v1/chat/completions"),
        ("deepseek", CHAT, "/chat/completions"),
        ("deepseek", "/v1/completions", "/beta/completions"),
        ("databricks", CHAT, "/serving-endpoints/chat/completions"),
        ("databricks", "/v1/embeddings", "/serving-endpoints/embeddings"),
        ("ollama", "/v1/embeddings", "/v1/embeddings"),
    ] {
        let model = format!("{vendor}/some-model");
        let mut body = match path {
            "/v1/embeddings" => embedding.clone(),
            "/v1/responses" => json!({"input": "hi"}),
            "/v1/completions" => json!({"prompt": "hi"}),
            _ => chat(""),
        };
        body["model"] = json!(model);
        let answer = ask(&scene, path, &body).await;
        let entry = scene.entry();
        assert_eq!(entry.path, operation_path, "{vendor}");
        assert_eq!(entry.credential(), Some(&*vendor_secret(vendor)), "{vendor}");
        assert_eq!(entry.header("authorization"), Some(&*format!("Bearer {}", vendor_secret(vendor))));
        assert_eq!(entry.model.as_deref(), Some("some-model"));
        assert_eq!(answer.header("x-tollgate-provider"), Some(vendor));
    }
}

#[tokio::test]
async fn a_limit_and_the_wish_for_usage_are_told_in_the_vendors_words() {
    let scene = scene(&[("groq", "/openai"), ("mistral", ""), ("ollama", "")]).await;
    let arrives = async |vendor: &str, fields: Value| {
        let mut body = chat(&format!("{vendor}/m"));
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        ask(&scene, CHAT, &body).await;
        let mut body = scene.entry().body.unwrap();
        for plain in ["model", "messages", "stream"] {
            body.as_object_mut().unwrap().remove(plain);
        }
        body
    };
    let asks = json!({"include_usage": true});
    let stream = json!({"stream": true, "max_completion_tokens": 40});
    let wishing = json!({"stream": true, "stream_options": asks, "max_tokens": 40});
    for (vendor, fields, expected) in [
        ("groq", &stream, json!({"stream_options": asks, "max_completion_tokens": 40})),
        ("groq", &wishing, json!({"stream_options": asks, "max_tokens": 40})),
        ("mistral", &stream, json!({"max_tokens": 40})),
        ("mistral", &wishing, json!({"stream_options": null, "max_tokens": 40})),
        ("ollama", &stream, json!({"stream_options": asks, "max_tokens": 40})),
    ] {
        assert_eq!(arrives(vendor, fields.clone()).await, expected, "{vendor} {fields}");
    }
}

#[tokio::test]
async fn a_limit_that_a_budget_sets_is_in_the_vendors_own_field() {
    for (vendor, field) in [("mistral", "max_tokens"), ("groq", "max_completion_tokens")] {
        let scene = Scene::with(|config| {
            let url = config["providers"]["openai"]["network_config"]["base_url"].as_str().unwrap().to_owned();
            config["providers"] = json!({vendor: provider(vendor, &url)});
            config["governance"]["virtual_keys"] = json!([key("everything", KEY, &[vendor])]);
            config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
            let patch = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001}).to_string();
            let price = json!({"id": "p", "name": "p", "match_type": "exact", "pattern": "m", "pricing_patch": patch});
            govern(config, "pricing_overrides", price);
            govern(config, "budgets", json!({"id": "b", "max_limit": 3.0, "reset_duration": "1h"}));
        })
        .await;
        let answer = ask(&scene, CHAT, &chat(&format!("{vendor}/m"))).await;
        let clamped: u64 = answer.header("x-tollgate-max-tokens-clamped").unwrap().parse().unwrap();
        assert_eq!(scene.entry().body.unwrap()[field], json!(clamped), "{vendor}");
    }
}

#[tokio::test]
async fn a_server_of_ones_own_needs_no_key_and_costs_nothing() {
    let scene = Scene::with(|config| {
        let url = config["providers"]["openai"]["network_config"]["base_url"].as_str().unwrap().to_owned();
        config["providers"] = json!({
            "ollama": {"network_config": {"base_url": url}},
            "sgl": {"keys": [{"name": "lab", "sgl_key_config": {"url": format!("{url}/lab/v1")}}]},
        });
        config["governance"]["virtual_keys"] = json!([key("everything", KEY, &["ollama", "sgl"])]);
        config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
        govern(config, "budgets", json!({"id": "b", "max_limit": 0.000_001, "reset_duration": "1h"}));
    })
    .await;
    for (model, path) in [("ollama/gemma-9", "/v1/chat/completions"), ("sgl/gemma-9", "/lab/v1/chat/completions")] {
        let answer = ask(&scene, CHAT, &chat(model)).await;
        let entry = scene.entry();
        assert_eq!((&*entry.path, entry.credentials.len()), (path, 0), "{model}");
        assert_eq!(entry.header("authorization"), None);
        let line = scene.logged(&answer).await;
        assert_eq!(line["cost_usd"], "0.000000000", "{line}");
    }
}

#[tokio::test]
async fn a_call_goes_on_at_another_server_of_the_same_provider() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scene = Scene::with(|config| {
        let url = config["providers"]["openai"]["network_config"]["base_url"].as_str().unwrap().to_owned();
        let server = |name: &str, url: String, weight: u32| {
            json!({"name": name, "weight": weight, "vllm_key_config": {"url": url, "model_name": "org/m"}})
        };
        config["providers"] = json!({"vllm": {
            "keys": [server("gone", format!("http://{gone}"), 1), server("here", url, 0)],
            "network_config": {"retry_backoff_initial": "1ms", "retry_backoff_max": "1ms"},
        }});
        config["governance"]["virtual_keys"] = json!([key("everything", KEY, &["vllm"])]);
    })
    .await;
    // The server's name for its model is known, so it needs no provider in front.
    let answer = ask(&scene, CHAT, &chat("org/m")).await;
    assert_trail(&answer, &[("vllm/gone", "connect_failed")]);
    assert_eq!(scene.entry().path, "/v1/chat/completions");
}
