//! Who may use management, and who may not.

use policy::provider::Secret;
use serde_json::json;

use crate::support::{FILE, GUARDED, PASSWORD, Scene};

const KEYS: &str = "/api/governance/virtual-keys";
const API_KEYS: &str = "/api/api-keys";

/// The cookie and the token for changes of a new session.
async fn log_in(scene: &Scene) -> (String, String) {
    log_in_with(scene, PASSWORD).await
}

async fn log_in_with(scene: &Scene, password: &str) -> (String, String) {
    let body = json!({ "username": "root", "password": password }).to_string();
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
async fn guesses_at_one_time_are_no_more_than_one_after_the_other() {
    let scene = Scene::new(GUARDED);
    let guess = |n: usize| scene.ask("GET", KEYS).basic("root", &format!("guess {n}")).send_beside();
    let guesses: Vec<_> = (0..30).map(guess).collect();
    let mut answers = Vec::new();
    for guess in guesses {
        answers.push(guess.await.unwrap());
    }
    let told = |status: u16| answers.iter().filter(|answer| answer.status.as_u16() == status).count();
    // Two are verified at one time, so one may have begun when the tenth failed.
    assert!((10..=11).contains(&told(401)), "{}", told(401));
    assert_eq!(told(401) + told(429), 30);
    scene.ask("GET", KEYS).basic("root", PASSWORD).send().await.fails(429, "authentication_throttled", None);
}

#[tokio::test]
async fn a_password_that_a_browser_sends_for_another_page_changes_nothing() {
    let scene = Scene::new(GUARDED);
    let ask = |method, origin| scene.ask(method, KEYS).basic("root", PASSWORD).header("origin", origin);
    ask("POST", "https://evil.example").json(r#"{"name": "k"}"#).send().await.fails(403, "foreign_origin", None);
    ask("POST", "null").json(r#"{"name": "k"}"#).send().await.fails(403, "foreign_origin", None);
    let answer = ask("GET", "https://evil.example").send().await.is(200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "the page may not read it");
    ask("POST", "http://localhost:8080").json(r#"{"name": "k"}"#).send().await.is(201);
}

#[tokio::test]
async fn who_sends_a_token_is_judged_by_it_and_not_by_a_cookie_beside_it() {
    let scene = Scene::new(GUARDED);
    let (cookie, csrf) = log_in(&scene).await;
    let ask = |scheme: &str| scene.ask("GET", KEYS).header("cookie", &cookie).header("authorization", scheme);
    for wrong in ["Bearer wrong", "bEaReR wrong", "BASIC d3Jvbmc6d3Jvbmc=", "Basic !!"] {
        ask(wrong).send().await.fails(401, "authentication_failed", None);
    }
    let (_, token) = new_api_key(&scene, r#"{"name": "ci"}"#).await;
    let change = |scheme: &str| scene.ask("POST", KEYS).header("cookie", &cookie).header("authorization", scheme);
    change(&format!("bearer {token}")).json(r#"{"name": "k"}"#).send().await.is(201);
    let of_other = scene.ask("POST", KEYS).header("cookie", "tollgate_session=x").header("x-csrf-token", &csrf);
    of_other.json(r#"{"name": "l"}"#).send().await.fails(401, "authentication_required", None);
}

#[tokio::test]
async fn names_and_passwords_may_be_of_any_letters_and_long() {
    let password = format!("пароль: 🔑 {}", "x".repeat(20_000));
    let file = plain(&password).replace("root", "админ");
    let scene = Scene::new(&file);
    scene.ask("GET", KEYS).basic("админ", &password).send().await.is(200);
    scene.ask("GET", KEYS).basic("админ", &password[..password.len() - 1]).send().await.is(401);
    let body = json!({ "username": "админ", "password": password }).to_string();
    scene.post("/api/session/login", &body).await.is(200);
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
async fn sessions_and_api_keys_outlive_the_process() {
    for file in [GUARDED.to_owned(), plain(PASSWORD)] {
        let scene = Scene::new(&file);
        let (cookie, csrf) = log_in(&scene).await;
        let (_, token) = new_api_key(&scene, r#"{"name": "ci"}"#).await;
        let scene = scene.again(&file);
        let change = scene.ask("POST", KEYS).header("cookie", &cookie).header("x-csrf-token", &csrf);
        change.json(r#"{"name": "k"}"#).send().await.is(201);
        scene.ask("GET", KEYS).bearer(&token).send().await.is(200);
        let disk = scene.on_disk();
        let secret = cookie.split_once('=').unwrap().1;
        assert!(!disk.windows(secret.len()).any(|part| part == secret.as_bytes()), "the cookie itself is kept nowhere");
        scene.ask("POST", "/api/session/logout").header("cookie", &cookie).send().await.is(200);
        let scene = scene.again(&file);
        scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
    }
}

#[tokio::test]
async fn what_ends_a_session_ends_it_on_the_other_nodes_too() {
    let scene = Scene::new(GUARDED);
    let other = scene.beside();
    let open = async |cookie: &str| scene.ask("GET", KEYS).header("cookie", cookie).send_to(&other).await;
    let (cookie, _) = log_in(&scene).await;
    open(&cookie).await.is(200);
    scene.ask("POST", "/api/session/logout").header("cookie", &cookie).send_to(&other).await.is(200);
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
    let (cookie, _) = log_in(&scene).await;
    let body = r#"{"auth_config": {"admin_password": "battery staple"}}"#;
    scene.ask("PUT", "/api/config").basic("root", PASSWORD).json(body).send().await.is(200);
    open(&cookie).await.fails(401, "authentication_required", None);
}

/// A file with a password in plain text.
fn plain(password: &str) -> String {
    GUARDED.replace("env.PASSWORD", password)
}

#[tokio::test]
async fn a_password_in_the_file_is_kept_as_its_hash_which_an_unchanged_file_does_not_change() {
    let scene = Scene::new(&plain("battery staple"));
    scene.ask("GET", KEYS).basic("root", "battery staple").send().await.is(200);
    let kept = scene.kept_password();
    assert!(kept.starts_with("$argon2id$v=19$"), "{kept}");
    let scene = scene.again(&plain("battery staple"));
    assert_eq!(scene.kept_password(), kept);
    let (cookie, _) = log_in_with(&scene, "battery staple").await;
    let scene = scene.again(&plain("another one"));
    assert_ne!(scene.kept_password(), kept);
    scene.ask("GET", KEYS).basic("root", "another one").send().await.is(200);
    scene.ask("GET", KEYS).basic("root", "battery staple").send().await.fails(401, "authentication_failed", None);
    scene.ask("GET", KEYS).header("cookie", &cookie).send().await.fails(401, "authentication_required", None);
}

#[tokio::test]
async fn a_password_that_is_written_as_its_hash_is_taken_as_such() {
    let hash = store::password::hash(&Secret::new("battery staple")).unwrap();
    let scene = Scene::new(&plain(&hash));
    assert_eq!(scene.kept_password(), hash);
    scene.ask("GET", KEYS).basic("root", "battery staple").send().await.is(200);
    scene.ask("GET", KEYS).basic("root", &hash).send().await.fails(401, "authentication_failed", None);
    let other = store::password::hash(&Secret::new("another one")).unwrap();
    let put = |hash: &str| json!({"auth_config": {"admin_password": hash}}).to_string();
    let change = |body: &str| scene.ask("PUT", "/api/config").basic("root", "battery staple").json(body).send();
    for wrong in
        ["$argon2id$", "$argon2id$v=19$m=4000000,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"]
    {
        let message = change(&put(wrong)).await.fails(400, "invalid_request_error", Some("auth_config.admin_password"));
        assert!(!message.contains("c29t"), "{message}");
    }
    change(&put(&other)).await.is(200);
    scene.ask("GET", KEYS).basic("root", "another one").send().await.is(200);
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
