//! The sections of which there is one each, drift, the version, explanations, and charges that are taken back.

use serde_json::{Value, json};

use crate::support::{FILE, GUARDED, PASSWORD, Scene};

#[tokio::test]
async fn sections_are_read_and_changed() {
    let scene = Scene::new(FILE);
    let before = scene.get("/api/config").await.is(200).json();
    assert_eq!((&before["client_config"], &before["is_db_connected"]), (&json!({}), &json!(true)));
    let body = r#"{"client_config": {"allow_direct_keys": true, "min_clamped_tokens": 512}}"#;
    let changed = scene.put("/api/config", body).await.is(200).json();
    assert_eq!(changed["config"]["client_config"]["min_clamped_tokens"], 512);
    assert!(scene.control.snapshot().settings().allow_direct_keys, "it is in force");
    scene.put("/api/config", r#"{"client_config": {"min_clamped_tokens": null}}"#).await.is(200);
    let after = scene.get("/api/config").await.json();
    assert_eq!(after["client_config"], json!({ "allow_direct_keys": true }));
}

#[tokio::test]
async fn what_is_read_at_start_alone_is_said_to_wait_for_a_restart() {
    let scene = Scene::new(FILE);
    let body = r#"{"client_config": {"min_clamped_tokens": 512}}"#;
    assert_eq!(scene.put("/api/config", body).await.is(200).json()["needs_restart"], json!([]));
    let body = r#"{"client_config": {"drain_ms": 7}, "framework_config": {"pricing": {"pricing_sync_interval": 60}}}"#;
    let changed = scene.put("/api/config", body).await.is(200).json();
    let expected = json!(["client.drain_ms", "framework"]);
    assert_eq!(changed["needs_restart"], expected);
    assert_eq!(scene.get("/api/config/drift").await.json()["needs_restart"], expected);
    let scene = scene.again(FILE);
    assert_eq!(scene.get("/api/config/drift").await.json()["needs_restart"], json!([]));
    let body = r#"{"client_config": {"drain_ms": null}}"#;
    assert_eq!(scene.put("/api/config", body).await.is(200).json()["needs_restart"], json!(["client.drain_ms"]));
}

#[tokio::test]
async fn of_several_sections_all_are_changed_or_none() {
    let scene = Scene::new(FILE);
    let body = r#"{"client_config": {"min_clamped_tokens": 512}, "auth_config": {"colour": 1}}"#;
    scene.put("/api/config", body).await.fails(400, "invalid_request_error", Some("auth_config.colour"));
    assert_eq!(scene.get("/api/config").await.json()["client_config"], json!({}), "the first one is not changed alone");
    let body = r#"{"client_config": {"min_clamped_tokens": 512}, "auth_config": {"disable_auth_on_inference": true}}"#;
    let changed = scene.put("/api/config", body).await.is(200).json()["config"].clone();
    assert_eq!(changed["client_config"]["min_clamped_tokens"], 512);
    assert_eq!(changed["auth_config"]["disable_auth_on_inference"], true);
}

#[tokio::test]
async fn sections_and_fields_that_are_none_are_named() {
    let scene = Scene::new(FILE);
    scene.put("/api/config", r#"{"colour": {}}"#).await.fails(400, "invalid_request_error", Some("colour"));
    let body = r#"{"client_config": {"colour": 1}}"#;
    scene.put("/api/config", body).await.fails(400, "invalid_request_error", Some("client_config.colour"));
    scene.put("/api/config", r#"{"client_config": []}"#).await.is(400);
}

#[tokio::test]
async fn the_password_is_shown_to_nobody() {
    let scene = Scene::new(GUARDED);
    let shown = scene.ask("GET", "/api/config").basic("root", PASSWORD).send().await.is(200);
    assert_eq!(shown.json()["auth_config"]["admin_password"], "env.PASSWORD");
    assert!(!shown.text.contains(PASSWORD), "{}", shown.text);
    // What was read can be written back.
    let body = json!({ "auth_config": shown.json()["auth_config"] }).to_string();
    scene.ask("PUT", "/api/config").basic("root", PASSWORD).json(&body).send().await.is(200);
    scene.ask("GET", "/api/config").basic("root", PASSWORD).send().await.is(200);
}

#[tokio::test]
async fn drift_tells_what_differs_from_the_file() {
    let scene = Scene::new(FILE);
    assert_eq!(scene.get("/api/config/drift").await.is(200).json()["count"], 0);
    scene.put("/api/governance/teams/t1", r#"{"name": "other"}"#).await.is(200);
    scene.post("/api/governance/customers", r#"{"id": "c", "name": "c"}"#).await.is(201);
    scene.delete("/api/governance/virtual-keys/vk1").await.is(200);
    let drift = scene.get("/api/config/drift").await.json();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let mut lines: Vec<_> = drift["drift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["kind", "id", "drift"].map(|field| text(one, field)))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [["customer", "c", "only_in_store"], ["team", "t1", "edited_by_api"], ["virtual_key", "vk1", "deleted_by_api"]]
    );
}

#[tokio::test]
async fn the_version_is_told() {
    assert_eq!(Scene::new(FILE).get("/api/version").await.is(200).json(), json!({ "version": "1.2.3" }));
}

#[tokio::test]
async fn explanations_are_asked_of_the_edge() {
    let scene = Scene::new(FILE);
    let answer = scene.get("/api/explain?model=gpt-4o&key=vk1").await.is(200).json();
    assert_eq!(answer, json!({ "path": "/v1/chat/completions", "key": "vk1" }));
    let body = r#"{"path": "/v1/embeddings", "request": {"model": "a"}}"#;
    assert_eq!(scene.post("/api/explain", body).await.is(200).json()["path"], "/v1/embeddings");
    scene.get("/api/explain?path=/nothing").await.fails(400, "invalid_request_error", None);
    scene.post("/api/explain", "{}").await.fails(400, "invalid_request_error", Some("request"));
    let body = r#"{"request": {}, "headers": {"a b": "c"}}"#;
    scene.post("/api/explain", body).await.fails(400, "invalid_request_error", Some("headers"));
}

#[tokio::test]
async fn an_abandoned_charge_is_taken_back_and_told() {
    let scene = Scene::new(FILE);
    let voided = scene.ask("POST", "/api/governance/abandoned/1/2/void").send().await.is(200).json();
    assert_eq!(voided["entries"], json!([{ "unit": "nano_usd", "id": "b", "amount": 7 }]));
    let logs = scene.get("/api/governance/audit-logs?action=void").await.json();
    assert_eq!((&logs["count"], &logs["audit_logs"][0]["entity_id"]), (&json!(1), &json!("1/2")));
    scene.ask("POST", "/api/governance/abandoned/1/3/void").send().await.fails(404, "not_found", None);
    scene.ask("POST", "/api/governance/abandoned/1/x/void").send().await.fails(404, "not_found", None);
}

#[tokio::test]
async fn a_budget_that_is_reset_is_told_of() {
    let scene = Scene::new(FILE);
    let body = r#"{"id": "b", "max_limit": 5, "reset_duration": "1d"}"#;
    scene.post("/api/governance/budgets", body).await.is(201);
    let reset = scene.ask("POST", "/api/governance/budgets/b/reset").send().await.is(200).json();
    assert_eq!((&reset["budget"]["current_usage"], &reset["was_used_nano_usd"]), (&json!(0.0), &json!(0)));
    let logs = scene.get("/api/governance/audit-logs?kind=budget&entity_id=b").await.json();
    assert_eq!((&logs["count"], &logs["audit_logs"][1]["action"]), (&json!(2), &json!("create")));
    scene.ask("POST", "/api/governance/budgets/nothing/reset").send().await.fails(404, "not_found", None);
}
