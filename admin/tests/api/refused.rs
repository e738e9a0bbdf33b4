//! What is refused, and how: statuses, shapes, and texts that try to be more than text.

use serde_json::json;

use crate::support::{FILE, Scene};

const KEYS: &str = "/api/governance/virtual-keys";

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let scene = Scene::new(FILE);
    for body in ["", "{", "null", "[]", "\"text\"", "{\"name\": }", "{} trailing"] {
        let message = scene.post(KEYS, body).await.fails(400, "invalid_request_error", None);
        assert!(message.starts_with("Invalid JSON"), "{body}: {message}");
    }
    let deep = "[".repeat(100_000);
    scene.post(KEYS, &deep).await.fails(400, "invalid_request_error", None);
    let plain = scene.ask("POST", KEYS).header("content-type", "text/plain").send().await;
    plain.fails(415, "unsupported_media_type", Some("content-type"));
    scene.ask("POST", KEYS).send().await.fails(415, "unsupported_media_type", Some("content-type"));
}

#[tokio::test]
async fn unknown_fields_are_named_wherever_they_stand() {
    let scene = Scene::new(FILE);
    let cases = [
        (r#"{"name": "k", "colour": 1}"#, "colour"),
        (r#"{"name": "k", "budget": {"max_limit": 1, "reset_duration": "1d", "max": 2}}"#, "budget.max"),
        (r#"{"name": "k", "provider_configs": [{"provider": "openai", "weigth": 1}]}"#, "provider_configs[0].weigth"),
    ];
    for (body, param) in cases {
        scene.post(KEYS, body).await.fails(400, "invalid_request_error", Some(param));
    }
    assert_eq!(scene.get(KEYS).await.json()["total_count"], 1, "nothing was made");
}

#[tokio::test]
async fn values_that_mean_nothing_are_named() {
    let scene = Scene::new(FILE);
    let cases = [
        (r#"{}"#, "name"),
        (r#"{"name": "k", "team_id": "nobody"}"#, "team_id"),
        (r#"{"name": "k", "budgets": [{"max_limit": -1, "reset_duration": "1d"}]}"#, "budgets[0].max_limit"),
        (r#"{"name": "k", "budgets": [{"max_limit": 1, "reset_duration": "0d"}]}"#, "budgets[0].reset_duration"),
        (r#"{"name": "k", "budget_ids": ["nothing"]}"#, "budget_ids[0]"),
    ];
    for (body, param) in cases {
        scene.post(KEYS, body).await.fails(400, "invalid_request_error", Some(param));
    }
}

#[tokio::test]
async fn names_and_ids_are_taken_once() {
    let scene = Scene::new(FILE);
    scene.post(KEYS, r#"{"id": "k", "name": "k"}"#).await.is(201);
    scene.post(KEYS, r#"{"name": "k"}"#).await.fails(409, "conflict", Some("name"));
    scene.post(KEYS, r#"{"id": "k", "name": "l"}"#).await.fails(409, "conflict", None);
    scene.post("/api/governance/teams", r#"{"id": "t1", "name": "x"}"#).await.fails(409, "conflict", None);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let scene = Scene::new(FILE);
    let body = format!(r#"{{"name": "{}"}}"#, "x".repeat(5 << 20));
    scene.post(KEYS, &body).await.fails(413, "request_too_large", None);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_told() {
    let scene = Scene::new(FILE);
    for path in ["/api", "/api/", "/api/nothing", "/api/governance", "/", "/api/governance/virtual-keys/a/b/c"] {
        scene.get(path).await.fails(404, "not_found", None);
    }
    let answer = scene.ask("PATCH", KEYS).send().await;
    let allow = answer.headers["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    answer.fails(405, "method_not_allowed", None);
    scene.delete("/api/version").await.fails(405, "method_not_allowed", None);
}

#[tokio::test]
async fn texts_that_try_to_be_more_are_texts() {
    let scene = Scene::new(FILE);
    let texts = [
        "'; DROP TABLE entities; --",
        "\" OR 1=1 --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "%s%n%x",
        "\u{202e}\u{1f600}\r\nSet-Cookie: a=b",
        "sealed:v1:AAAA",
        "env.HOME.x y",
    ];
    for (n, text) in texts.iter().enumerate() {
        let id = format!("i{n}");
        let body = json!({ "id": id, "name": format!("{n} {text}"), "description": text }).to_string();
        let answer = scene.post(KEYS, &body).await;
        // What looks sealed or like a reference is refused by its own rules; nothing is ever more than refused.
        if answer.status != 201 {
            assert!(text.starts_with("sealed") || text.starts_with("env"), "{text}: {}", answer.text);
            answer.is(400);
            continue;
        }
        assert_eq!(scene.get(&format!("{KEYS}/{id}")).await.json()["virtual_key"]["description"], **text);
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(
            scene.get(&format!("{KEYS}?search={escaped}")).await.is(200).json()["count"].as_u64() >= Some(1),
            "{text}"
        );
        scene.get(&format!("{KEYS}/{escaped}")).await.fails(404, "not_found", None);
    }
    assert!(scene.get(KEYS).await.is(200).json()["count"].as_u64() > Some(5));
}

#[tokio::test]
async fn the_character_that_no_database_keeps_is_refused() {
    let scene = Scene::new(FILE);
    let message = scene.post(KEYS, r#"{"name": "a\u0000b"}"#).await.fails(400, "invalid_request_error", None);
    assert!(message.contains("U+0000"), "{message}");
    for method in ["GET", "DELETE"] {
        scene.ask(method, &format!("{KEYS}/%00")).send().await.fails(404, "not_found", None);
    }
    scene.put(&format!("{KEYS}/a%00"), "{}").await.fails(404, "not_found", None);
    scene.put("/api/governance/providers/a%00", "{}").await.fails(404, "not_found", None);
    scene.get(&format!("{KEYS}/%FF")).await.fails(404, "not_found", None);
}

#[tokio::test]
async fn no_reply_is_kept_by_anybody() {
    let scene = Scene::new(FILE);
    for answer in [scene.get(KEYS).await, scene.get("/api/nothing").await] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/json"));
    }
}
