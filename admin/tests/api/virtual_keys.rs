//! Tokens of virtual keys: shown once, replaced, shown again, and asked what is left.

use serde_json::json;

use crate::support::{FILE, GUARDED, Scene};

const KEYS: &str = "/api/governance/virtual-keys";

async fn quota(scene: &Scene, token: &str) -> u16 {
    scene.ask("GET", &format!("{KEYS}/quota")).header("x-bf-vk", token).send().await.status.as_u16()
}

#[tokio::test]
async fn a_token_is_shown_when_it_is_made_and_not_again() {
    let scene = Scene::new(FILE);
    let made = scene.post(KEYS, r#"{"id": "k", "name": "k"}"#).await.is(201).json();
    let token = made["virtual_key"]["value"].as_str().unwrap().to_owned();
    assert!(token.starts_with("sk-bf-"), "{token}");
    assert_eq!(quota(&scene, &token).await, 200);
    for path in [KEYS.to_owned(), format!("{KEYS}/k")] {
        let shown = scene.get(&path).await.is(200).text;
        assert!(!shown.contains(&token) && !shown.contains("value_hash"), "{shown}");
    }
    let read = scene.get(&format!("{KEYS}/k")).await.json();
    assert_eq!(read["virtual_key"]["value"], "********");
}

#[tokio::test]
async fn a_rotated_token_opens_and_the_old_one_for_as_long_as_is_asked() {
    let scene = Scene::new(FILE);
    let path = format!("{KEYS}/vk1/rotate");
    let second = scene.post(&path, r#"{"grace_period": "1h"}"#).await.is(200).json()["virtual_key"]["value"].clone();
    let second = second.as_str().unwrap();
    assert_eq!((quota(&scene, "sk-bf-first").await, quota(&scene, second).await), (200, 200));
    let third = scene.post(&path, "{}").await.is(200).json()["virtual_key"]["value"].clone();
    assert_eq!(quota(&scene, third.as_str().unwrap()).await, 200);
    assert_eq!((quota(&scene, second).await, quota(&scene, "sk-bf-first").await), (401, 401));
    for text in ["soon", "0s", "31d", "1M!"] {
        let body = json!({ "grace_period": text }).to_string();
        scene.post(&path, &body).await.fails(400, "invalid_request_error", Some("grace_period"));
    }
    scene.post(&format!("{KEYS}/nobody/rotate"), "{}").await.fails(404, "not_found", None);
}

#[tokio::test]
async fn a_token_that_is_shown_again_is_told_of() {
    let scene = Scene::new(FILE);
    let shown = scene.get(&format!("{KEYS}/vk1/reveal")).await.is(200).json();
    assert_eq!(shown, json!({ "value": "sk-bf-first" }));
    let logs = scene.get("/api/governance/audit-logs?action=reveal").await.json();
    assert_eq!((&logs["count"], &logs["audit_logs"][0]["entity_id"]), (&json!(1), &json!("vk1")));
    scene.get(&format!("{KEYS}/nobody/reveal")).await.fails(404, "not_found", None);
}

#[tokio::test]
async fn a_key_asks_what_is_left_of_its_own_limits() {
    let scene = Scene::new(GUARDED);
    let path = format!("{KEYS}/quota");
    for (name, value) in [
        ("x-bf-vk", "sk-bf-first"),
        ("authorization", "Bearer sk-bf-first"),
        ("x-api-key", "sk-bf-first"),
        ("x-goog-api-key", "sk-bf-first"),
        ("api-key", "sk-bf-first"),
    ] {
        let quota = scene.ask_from_outside("GET", &path).header(name, value).send().await.is(200).json();
        assert_eq!((&quota["virtual_key_name"], &quota["budgets"][0]["max_limit"]), (&json!("first"), &json!(5.0)));
    }
    scene.ask_from_outside("GET", &path).send().await.fails(401, "virtual_key_required", None);
    let unknown = scene.ask_from_outside("GET", &path).bearer("sk-bf-other").send().await;
    unknown.fails(401, "virtual_key_not_found", None);
}

#[tokio::test]
async fn a_key_that_is_switched_off_or_over_is_told_so() {
    let scene = Scene::new(FILE);
    let path = format!("{KEYS}/vk1");
    let asked = || scene.ask("GET", "/api/governance/virtual-keys/quota").header("x-bf-vk", "sk-bf-first").send();
    scene.put(&path, r#"{"is_active": false}"#).await.is(200);
    assert!(asked().await.fails(403, "virtual_key_blocked", None).contains("inactive"));
    scene.put(&path, r#"{"is_active": true, "expires_at": "2020-01-01T00:00:00Z"}"#).await.is(200);
    assert!(asked().await.fails(403, "virtual_key_blocked", None).contains("expired"));
}
