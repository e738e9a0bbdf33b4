//! Providers, their keys one at a time, and their models.

use serde_json::{Value, json};

use crate::support::{FILE, Scene};

#[tokio::test]
async fn a_provider_is_made_read_changed_and_removed() {
    let scene = Scene::new(FILE);
    let body = r#"{"provider": "anthropic", "keys": [{"name": "a", "value": "sk-ant-1"}]}"#;
    let made = scene.post("/api/providers", body).await.is(201);
    assert_eq!(made.json()["name"], "anthropic");
    assert!(!made.text.contains("sk-ant-1"), "{}", made.text);
    scene.post("/api/providers", body).await.fails(409, "conflict", None);
    let list = scene.get("/api/providers").await.is(200).json();
    assert_eq!(list["total"], 2);
    let path = "/api/providers/anthropic";
    let changed = scene.put(path, r#"{"network_config": {"max_retries": 1}}"#).await.is(200).json();
    assert_eq!((&changed["network_config"]["max_retries"], &changed["keys"][0]["name"]), (&json!(1), &json!("a")));
    scene.put(path, r#"{"name": "other"}"#).await.fails(400, "invalid_request_error", Some("provider"));
    scene.delete(path).await.is(200);
    scene.get(path).await.fails(404, "not_found", None);
    scene.post("/api/providers", "{}").await.fails(400, "invalid_request_error", Some("provider"));
    scene.post("/api/providers", r#"{"provider": 1}"#).await.fails(400, "invalid_request_error", Some("provider"));
}

#[tokio::test]
async fn what_was_read_can_be_written_back_and_the_secret_stays() {
    let scene = Scene::new(FILE);
    let read = scene.get("/api/providers/openai").await.is(200);
    assert!(!read.text.contains("sk-vendor-secret"), "{}", read.text);
    let body = json!({ "keys": read.json()["keys"] }).to_string();
    scene.put("/api/providers/openai", &body).await.is(200);
    assert_eq!(secret(&scene, "main").as_deref(), Some("sk-vendor-secret"));
}

fn secret(scene: &Scene, name: &str) -> Option<String> {
    let snapshot = scene.control.snapshot();
    let provider = snapshot.provider("openai")?.clone();
    let key = provider.enabled_credentials().find(|key| key.name.as_str() == name)?.clone();
    Some(key.secret.reveal().to_owned())
}

#[tokio::test]
async fn a_key_is_added_changed_and_removed_and_the_others_stay() {
    let scene = Scene::new(FILE);
    let path = "/api/providers/openai/keys";
    let made = scene.post(path, r#"{"name": "second", "value": "sk-second"}"#).await.is(201).json();
    assert_eq!(made["name"], "second");
    scene.post(path, r#"{"name": "second", "value": "x"}"#).await.fails(409, "conflict", Some("name"));
    scene.post(path, r#"{"value": "x"}"#).await.fails(400, "invalid_request_error", Some("name"));
    let one = format!("{path}/second");
    scene.put(&one, r#"{"weight": 0.5, "models": ["gpt-4o"]}"#).await.is(200);
    scene.put(&one, r#"{"models": null}"#).await.is(200);
    let read = scene.get(&one).await.is(200).json();
    assert_eq!((&read["weight"], &read["models"]), (&json!(0.5), &Value::Null));
    assert_eq!(secret(&scene, "second").as_deref(), Some("sk-second"));
    assert_eq!(secret(&scene, "main").as_deref(), Some("sk-vendor-secret"));
    scene.put(&one, r#"{"name": "third"}"#).await.fails(400, "invalid_request_error", Some("name"));
    let flat = scene.get("/api/keys").await.is(200).json();
    assert_eq!(flat.as_array().unwrap().len(), 2);
    assert_eq!((&flat[1]["name"], &flat[1]["provider"]), (&json!("second"), &json!("openai")));
    scene.delete(&one).await.is(200);
    for method in ["GET", "DELETE"] {
        scene.ask(method, &one).send().await.fails(404, "not_found", None);
    }
    scene.put(&one, "{}").await.fails(404, "not_found", None);
    scene.get("/api/providers/nobody/keys").await.fails(404, "not_found", None);
    assert_eq!(scene.get(path).await.is(200).json()["total"], 1);
}

#[tokio::test]
async fn models_are_those_that_providers_name() {
    let scene = Scene::new(FILE);
    scene.put("/api/providers/openai/keys/main", r#"{"models": ["my-model", "other"]}"#).await.is(200);
    let models = scene.get("/api/models?query=MY").await.is(200).json();
    assert_eq!((&models["total"], &models["models"][0]["name"]), (&json!(1), &json!("my-model")));
    assert_eq!(scene.get("/api/models?provider=nobody").await.is(200).json()["total"], 0);
    let page = scene.get("/api/models?limit=1&offset=1").await.is(200).json();
    assert_eq!((&page["total"], &page["models"][0]["name"]), (&json!(2), &json!("other")));
    scene.get("/api/models?colour=red").await.fails(400, "invalid_request_error", Some("colour"));
}
