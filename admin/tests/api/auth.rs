//! Who may use management, and who may not.

use serde_json::json;

use crate::support::{FILE, GUARDED, PASSWORD, Scene};

const KEYS: &str = "/api/governance/virtual-keys";
const API_KEYS: &str = "/api/api-keys";

/// The cookie and the token for changes of a new session.
async fn log_in(scene: &Scene) -> (String, String) {
    let body = json!({ "username": "root", "password": PASSWORD }).to_string();
    let answer = scene.post("/api/session/login", &body).await.is(200);
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (cookie, answer.json()["csrf_token"].as_str().unwrap().to_owned())
}

async fn new_api_key(scene: &Scene, body: &str) -> (String, String) {
    let asked = scene.ask("POST", API_KEYS).basic("root", PASSWORD).json(body).send().await;
    let key = asked.is(201).json()["api_key"].clone();
    (key["id"].as_str().unwrap().to_owned(), key["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_address_that_can_be_reached_from_outside_needs_authentication() {
    let scene = Scene::new(FILE);
    let message = scene.ask_from_outside("GET", KEYS).send().await.fails(403, "authentication_not_configured", None);
    assert!(message.contains("auth_config") && message.contains("127.0.0.1"), "{message}");
    let status = scene.ask_from_outside("GET", "/api/session/is-auth-enabled").send().await.is(200).json();
    assert_eq!((&status["is_auth_enabled"], &status["setup_required"]), (&json!(false), &json!(true)));
    scene.ask_from_outside("GET", "/api/openapi.json").send().await.is(403);
    scene.get(KEYS).await.is(200);
}

#[tokio::test]
async fn without_authentication_a_page_of_another_site_gets_nothing() {
    let scene = Scene::new(FILE);
    let asked = scene.ask("GET", KEYS).header("origin", "https://evil.example").send().await;
    asked.fails(403, "foreign_origin", None);
    let asked = scene.ask("GET", KEYS).header("origin", "http://localhost:8080").send().await;
    asked.is(200);
}

#[tokio::test]
async fn nothing_opens_without_a_log_in() {
    let scene = Scene::new(GUARDED);
    for path in [KEYS, "/api/providers", "/api/config", "/api/version", "/api/openapi.json", "/api/explain", API_KEYS] {
        let answer = scene.get(path).await;
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        answer.fails(401, "authentication_required", None);
    }
    scene.post(KEYS, r#"{"name": "k"}"#).await.fails(401, "authentication_required", None);
    for value in ["Basic", "Basic !!!", "Bearer", "Bearer ", "Digest x", "Basic cm9vdA=="] {
        scene.ask("GET", KEYS).header("authorization", value).send().await.is(401);
    }
}

#[tokio::test]
async fn the_administrator_is_known_by_name_and_password() {
    let scene = Scene::new(GUARDED);
    scene.ask("GET", KEYS).basic("root", PASSWORD).send().await.is(200);
    scene.ask_from_outside("GET", KEYS).basic("root", PASSWORD).send().await.is(200);
    for (name, password) in [("root", "wrong"), ("other", PASSWORD), ("root", ""), ("", "")] {
        scene.ask("GET", KEYS).basic(name, password).send().await.fails(401, "authentication_failed", None);
    }
    let made = scene.ask("POST", KEYS).basic("root", PASSWORD).json(r#"{"id": "k", "name": "k"}"#).send().await;
    made.is(201);
    let logs = scene.ask("GET", "/api/governance/audit-logs?entity_id=k").basic("root", PASSWORD).send().await.json();
    assert_eq!(
        (&logs["audit_logs"][0]["actor"], &logs["audit_logs"][0]["actor_kind"]),
        (&json!("root"), &json!("user"))
    );
}

#[tokio::test]
async fn a_virtual_key_never_opens_management() {
    let scene = Scene::new(GUARDED);
    scene.ask("GET", KEYS).bearer("sk-bf-first").send().await.fails(401, "authentication_failed", None);
    scene.ask("GET", KEYS).header("x-bf-vk", "sk-bf-first").send().await.fails(401, "authentication_required", None);
    scene.ask("GET", KEYS).basic("root", "sk-bf-first").send().await.fails(401, "authentication_failed", None);
}

#[tokio::test]
async fn who_fails_too_often_is_not_listened_to_and_others_are() {
    let scene = Scene::new(GUARDED);
    for _ in 0..10 {
        scene.ask("GET", KEYS).bearer("guess").send().await.fails(401, "authentication_failed", None);
    }
    let answer = scene.ask("GET", KEYS).basic("root", PASSWORD).send().await;
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    answer.fails(429, "authentication_throttled", None);
    let body = json!({ "username": "root", "password": PASSWORD }).to_string();
    scene.post("/api/session/login", &body).await.fails(429, "authentication_throttled", None);
    scene.ask_as("192.0.2.8", "http", "GET", KEYS).basic("root", PASSWORD).send().await.is(200);
}

#[tokio::test]
async fn a_session_opens_management_until_it_is_ended() {
    let scene = Scene::new(GUARDED);
    let (cookie, csrf) = log_in(&scene).await;
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.is(200);
    let change = || scene.ask("POST", KEYS).header("cookie", &cookie).json(r#"{"name": "k"}"#);
    change().send().await.fails(403, "csrf_token_required", Some("x-csrf-token"));
    change().header("x-csrf-token", "wrong").send().await.fails(403, "csrf_token_required", Some("x-csrf-token"));
    change().header("x-csrf-token", &csrf).send().await.is(201);
    let status = scene.ask("GET", "/api/session/is-auth-enabled").header("cookie", &cookie).send().await.json();
    assert_eq!((&status["is_logged_in"], &status["csrf_token"]), (&json!(true), &json!(csrf)));
    let out = scene.ask("POST", "/api/session/logout").header("cookie", &cookie).send().await.is(200);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
}

#[tokio::test]
async fn the_cookie_is_for_this_site_alone_and_for_tls_where_there_is_tls() {
    let scene = Scene::new(GUARDED);
    let body = json!({ "username": "root", "password": PASSWORD }).to_string();
    let cookie = |answer: crate::support::Answer| answer.is(200).headers["set-cookie"].to_str().unwrap().to_owned();
    let plain = cookie(scene.post("/api/session/login", &body).await);
    assert!(plain.contains("HttpOnly") && plain.contains("SameSite=Strict") && !plain.contains("Secure"), "{plain}");
    let request = scene.ask_over_tls("POST", "/api/session/login").json(&body);
    assert!(cookie(request.send().await).ends_with("; Secure"));
    let foreign = scene.ask("POST", "/api/session/login").header("origin", "https://evil.example").json(&body);
    foreign.send().await.fails(403, "foreign_origin", None);
}

#[tokio::test]
async fn a_new_password_ends_sessions_and_old_ones_are_kept_nowhere() {
    let scene = Scene::new(GUARDED);
    let (cookie, _) = log_in(&scene).await;
    let body = r#"{"auth_config": {"admin_password": "battery staple"}}"#;
    let changed = scene.ask("PUT", "/api/config").basic("root", PASSWORD).json(body).send().await.is(200);
    assert!(!changed.text.contains("battery staple") && !changed.text.contains("argon2"), "{}", changed.text);
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
    scene.ask("GET", KEYS).basic("root", PASSWORD).send().await.fails(401, "authentication_failed", None);
    scene.ask("GET", KEYS).basic("root", "battery staple").send().await.is(200);
    let disk = scene.on_disk();
    assert!(!disk.windows(14).any(|part| part == b"battery staple"));
}

#[tokio::test]
async fn sessions_end_with_the_process_and_api_keys_do_not() {
    let scene = Scene::new(GUARDED);
    let (cookie, _) = log_in(&scene).await;
    let (_, token) = new_api_key(&scene, r#"{"name": "ci"}"#).await;
    let scene = scene.again(GUARDED);
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
    scene.ask("GET", KEYS).bearer(&token).send().await.is(200);
}

#[tokio::test]
async fn an_api_key_opens_management_until_it_is_switched_off_ends_or_is_removed() {
    let scene = Scene::new(GUARDED);
    let (id, token) = new_api_key(&scene, r#"{"name": "ci"}"#).await;
    assert!(token.starts_with("tgk-") && token.len() > 40, "{token}");
    let open = || scene.ask("GET", API_KEYS).bearer(&token).send();
    let listed = open().await.is(200);
    assert!(!listed.text.contains(&token), "{}", listed.text);
    assert_eq!((&listed.json()["count"], &listed.json()["api_keys"][0]["name"]), (&json!(1), &json!("ci")));
    let path = format!("{API_KEYS}/{id}");
    let put = |body| scene.ask("PUT", &path).basic("root", PASSWORD).json(body).send();
    put(r#"{"is_active": false}"#).await.is(200);
    open().await.fails(401, "authentication_failed", None);
    put(r#"{"is_active": true, "expires_at": "2020-01-01T00:00:00Z"}"#).await.is(200);
    open().await.fails(401, "authentication_failed", None);
    let lasting = put(r#"{"expires_at": null}"#).await.is(200).json();
    assert!(lasting["api_key"]["expires_at"].is_null(), "{lasting}");
    open().await.is(200);
    scene.ask("DELETE", &path).bearer(&token).send().await.is(200);
    open().await.fails(401, "authentication_failed", None);
    scene.ask("GET", &path).basic("root", PASSWORD).send().await.fails(404, "not_found", None);
}

#[tokio::test]
async fn what_an_api_key_does_is_told_by_its_name_and_so_is_what_is_done_to_it() {
    let scene = Scene::new(GUARDED);
    let (id, token) = new_api_key(&scene, r#"{"name": "ci"}"#).await;
    scene.ask("POST", KEYS).bearer(&token).json(r#"{"id": "k", "name": "k"}"#).send().await.is(201);
    let logs = |query: String| scene.ask("GET", &format!("/api/governance/audit-logs?{query}")).bearer(&token).send();
    let line = logs("entity_id=k".to_owned()).await.json()["audit_logs"][0].clone();
    assert_eq!((&line["actor"], &line["actor_kind"]), (&json!("ci"), &json!("api_key")));
    let line = logs(format!("entity_id={id}")).await.json()["audit_logs"][0].clone();
    assert_eq!((&line["action"], &line["kind"], &line["actor"]), (&json!("create"), &json!("api_key"), &json!("root")));
    let disk = scene.on_disk();
    assert!(!disk.windows(token.len()).any(|part| part == token.as_bytes()), "the token itself is kept nowhere");
}

#[tokio::test]
async fn api_keys_that_mean_nothing_are_refused() {
    let scene = Scene::new(FILE);
    scene.post(API_KEYS, r#"{}"#).await.fails(400, "invalid_request_error", Some("name"));
    scene.post(API_KEYS, r#"{"name": "  "}"#).await.fails(400, "invalid_request_error", Some("name"));
    scene.post(API_KEYS, r#"{"name": "a", "scope": "x"}"#).await.fails(400, "invalid_request_error", Some("scope"));
    let body = r#"{"name": "a", "expires_at": "soon"}"#;
    scene.post(API_KEYS, body).await.fails(400, "invalid_request_error", Some("expires_at"));
    scene.post(API_KEYS, r#"{"name": "a"}"#).await.is(201);
    scene.post(API_KEYS, r#"{"name": "a"}"#).await.fails(409, "conflict", Some("name"));
    scene.put("/api/api-keys/nothing", "{}").await.fails(404, "not_found", None);
    scene.delete("/api/api-keys/nothing").await.fails(404, "not_found", None);
}
