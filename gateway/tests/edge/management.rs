//! The management API through the edge: changes are in force at once, and nobody gets to it who should not.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::support::config::{KEY, config, fake};
use super::support::process::{Gateway, Home};
use super::support::scene::{Reply, Scene, client, h2_client, reply};
use super::support::sse::Api;

const KEYS: &str = "/api/governance/virtual-keys";
const PASSWORD: &str = "canary-password";

fn chat(gateway: &Gateway, token: &str) -> RequestBuilder {
    let body = Api::Chat.body(Api::Chat.model(), false, "hi").to_string();
    client().post(gateway.url(&Api::Chat.path(Api::Chat.model(), false))).bearer_auth(token).body(body)
}

async fn put(gateway: &Gateway, path: &str, body: Value) -> Reply {
    reply(client().put(gateway.url(path)).json(&body)).await
}

async fn post(gateway: &Gateway, path: &str, body: Value) -> Reply {
    reply(client().post(gateway.url(path)).json(&body)).await
}

/// A gateway that every address of the machine leads to.
async fn open_to_others(config: &Value) -> Gateway {
    let home = Home::new(config);
    let mut command = home.command("serve");
    command.args(["--listen", "0.0.0.0:0"]).arg("--data").arg(home.data());
    Gateway::start_by(command, home).await
}

fn guarded(base_url: &str) -> Value {
    let mut config = config(base_url);
    config["governance"]["auth_config"] =
        json!({"is_enabled": true, "admin_username": "root", "admin_password": PASSWORD});
    config
}

#[tokio::test]
async fn a_key_that_is_made_opens_at_once_and_one_that_is_removed_does_not() {
    let scene = Scene::start().await;
    let gateway = &scene.gateway;
    let configs = json!([{"provider": "openai"}]);
    let made = post(gateway, KEYS, json!({"id": "new", "name": "new", "provider_configs": configs})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["virtual_key"]["value"].as_str().unwrap().to_owned();
    assert_eq!(reply(chat(gateway, &token)).await.status, 200);
    let path = format!("{KEYS}/new");
    assert_eq!(put(gateway, &path, json!({"is_active": false})).await.status, 200);
    assert_eq!(reply(chat(gateway, &token)).await.status, 403);
    assert_eq!(reply(client().delete(gateway.url(&path))).await.status, 200);
    assert_eq!(reply(chat(gateway, &token)).await.status, 401);
    assert_eq!(reply(chat(gateway, KEY)).await.status, 200);
}

#[tokio::test]
async fn what_was_used_is_shown_by_the_key_and_to_it() {
    let scene = Scene::start().await;
    let gateway = &scene.gateway;
    let body = json!({"id": "new", "name": "new", "provider_configs": [{"provider": "openai"}],
        "budgets": [{"max_limit": 5, "reset_duration": "1d"}],
        "rate_limit": {"request_max_limit": 9, "request_reset_duration": "1h"}});
    let token = post(gateway, KEYS, body).await.json()["virtual_key"]["value"].as_str().unwrap().to_owned();
    assert_eq!(reply(chat(gateway, &token)).await.status, 200);
    let shown = reply(client().get(gateway.url(&format!("{KEYS}/new")))).await.json()["virtual_key"].clone();
    let own = reply(client().get(gateway.url(&format!("{KEYS}/quota"))).header("x-bf-vk", &token)).await.json();
    for told in [shown, own] {
        assert_eq!(told["rate_limit"]["request_current_usage"], 1, "{told}");
        let spent = told["budgets"][0]["current_usage"].as_f64().unwrap();
        assert!(spent > 0.0 && spent < 5.0, "{told}");
    }
}

#[tokio::test]
async fn it_is_reached_by_http_1_and_2_and_answers_with_the_requests_id() {
    let scene = Scene::start().await;
    for client in [client(), h2_client()] {
        let answer = reply(client.get(scene.gateway.url("/api/version")).header("x-request-id", "req-4711")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-request-id"), Some("req-4711"));
        assert_eq!(answer.json()["version"], env!("CARGO_PKG_VERSION"));
        let missing = reply(client.get(scene.gateway.url("/api/nothing"))).await;
        assert_eq!((missing.status, &missing.json()["error"]["type"]), (404, &json!("not_found")));
        let name = "x".repeat(3_000_000);
        let large = json!({"name": "large", "description": name});
        assert_eq!(reply(client.post(scene.gateway.url("/api/governance/customers")).json(&large)).await.status, 400);
    }
}

#[tokio::test]
async fn an_address_that_others_reach_serves_models_and_not_management() {
    let fake = fake();
    let gateway = open_to_others(&config(&fake.url())).await;
    assert_eq!(reply(chat(&gateway, KEY)).await.status, 200);
    let claims = client()
        .get(gateway.url(KEYS))
        .header("x-tollgate-listener", "loopback")
        .header("x-tollgate-client-address", "127.0.0.1")
        .header("x-forwarded-for", "127.0.0.1");
    for request in [client().get(gateway.url(KEYS)), claims] {
        let refused = reply(request).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(refused.text().contains("governance.auth_config"), "{}", refused.text());
    }
}

#[tokio::test]
async fn with_a_password_it_is_reached_from_everywhere() {
    let fake = fake();
    let gateway = open_to_others(&guarded(&fake.url())).await;
    assert_eq!(reply(client().get(gateway.url(KEYS))).await.status, 401);
    assert_eq!(reply(client().get(gateway.url(KEYS)).bearer_auth(KEY)).await.status, 401);
    assert_eq!(reply(client().get(gateway.url(KEYS)).basic_auth("root", Some(PASSWORD))).await.status, 200);
    assert_eq!(reply(chat(&gateway, KEY)).await.status, 200, "a virtual key works as ever");
}

#[tokio::test]
async fn a_page_of_the_gateways_own_logs_in_and_stays_so_after_a_restart() {
    let fake = fake();
    let gateway = Gateway::start(&guarded(&fake.url())).await;
    let body = json!({"username": "root", "password": PASSWORD});
    for client in [client(), h2_client()] {
        let log_in =
            |origin: String| client.post(gateway.url("/api/session/login")).header("origin", origin).json(&body);
        assert_eq!(reply(log_in("https://evil.example".to_owned())).await.status, 403);
        let own = reply(log_in(gateway.url(""))).await;
        assert_eq!(own.status, 200, "{}", own.text());
    }
    let own = reply(client().post(gateway.url("/api/session/login")).json(&body)).await;
    let cookie = own.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let again = Gateway::start_in(gateway.kill(), &[]).await;
    assert_eq!(reply(client().get(again.url(KEYS)).header("cookie", cookie)).await.status, 200);
}

#[tokio::test]
async fn who_guesses_passwords_is_known_whatever_address_they_claim() {
    let fake = fake();
    let gateway = open_to_others(&guarded(&fake.url())).await;
    let mut statuses = Vec::new();
    for n in 0..11 {
        let guess = client().get(gateway.url(KEYS)).bearer_auth("guess");
        let address = format!("192.0.2.{n}");
        let guess = guess.header("x-tollgate-client-address", &address).header("x-forwarded-for", &address);
        statuses.push(reply(guess).await.status);
    }
    assert_eq!((&statuses[..10], statuses[10]), (&[401; 10][..], 429));
}

#[tokio::test]
async fn what_would_become_of_a_request_is_told_without_its_token() {
    let scene = Scene::start().await;
    let path = format!("/api/explain?key=vk-everything&model={}", Api::Chat.model());
    let told = reply(client().get(scene.gateway.url(&path))).await.json();
    assert_eq!((&told["verdict"], &told["caller"]["key"]["id"]), (&json!("admitted"), &json!("vk-everything")));
    assert!(!told["plan"]["targets"].as_array().unwrap().is_empty(), "{told}");
    let body =
        json!({"request": {"model": Api::Chat.model(), "messages": []}, "headers": {"x-bf-vk": "sk-bf-unknown"}});
    let refused = post(&scene.gateway, "/api/explain", body).await.json();
    assert_eq!(refused["refusal"]["type"], "virtual_key_not_found");
    let nobody = reply(client().get(scene.gateway.url("/api/explain?key=nobody&model=a"))).await.json();
    assert_eq!(nobody["verdict"], "refused");
    let none = reply(client().get(scene.gateway.url("/api/explain?path=/chat/completions&model=a"))).await;
    assert_eq!(none.status, 400);
    assert!(none.text().contains("/v1/chat/completions"), "{}", none.text());
    assert!(scene.fake.books().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn where_management_does_not_answer_models_do() {
    let scene = Scene::start().await;
    let socket = scene.gateway.folder().data().join("admin.sock");
    std::fs::remove_file(&socket).unwrap();
    let answer = reply(client().get(scene.gateway.url(KEYS))).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (503, &json!("overloaded_error")));
    assert_eq!(reply(chat(&scene.gateway, KEY)).await.status, 200);
}

#[tokio::test]
async fn the_socket_is_for_this_user_alone_and_one_that_was_left_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::start().await;
    let socket = scene.gateway.folder().data().join("admin.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let home = scene.gateway.kill();
    assert!(socket.exists(), "nobody removed it");
    let again = Gateway::start_in(home, &[]).await;
    assert_eq!(reply(client().get(again.url("/api/version"))).await.status, 200);
}

/// The key `vk-everything` leaves the file while a rule that a call made names it.
#[tokio::test]
async fn a_key_that_leaves_the_file_opens_nothing_though_a_rule_of_a_call_names_it_and_the_gateway_starts() {
    let fake = fake();
    let mut config = config(&fake.url());
    let gateway = Gateway::start(&config).await;
    let rule = json!({"name": "pinned", "scope": "virtual_key", "scope_id": "vk-everything", "cel_expression": "true",
        "targets": [{"provider": "openai", "weight": 1}]});
    let made = post(&gateway, "/api/governance/routing-rules", rule).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(reply(chat(&gateway, KEY)).await.status, 200);
    config["governance"]["virtual_keys"] = json!([]);
    let home = gateway.kill();
    home.write(&config.to_string());
    let gateway = Gateway::start_in(home, &[]).await;
    let told = |line: &Value| {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        message.contains("virtual key `vk-everything` is gone from the file") && message.contains("routing rule `")
    };
    gateway.events.wait_for("a warning that names both", told).await;
    assert_eq!(reply(chat(&gateway, KEY)).await.status, 401);
    let drift = reply(client().get(gateway.url("/api/config/drift"))).await.json();
    let of_key = drift["drift"].as_array().unwrap().iter().find(|line| line["id"] == "vk-everything");
    assert_eq!(of_key.unwrap()["drift"], "still_named", "{drift}");
}

#[tokio::test]
async fn a_file_that_contradicts_what_calls_have_made_is_told_at_start_and_the_policy_stays() {
    let fake = fake();
    let mut config = config(&fake.url());
    config["governance"]["teams"] = json!([{"id": "t1", "name": "one"}]);
    let gateway = Gateway::start(&config).await;
    let removed = reply(client().delete(gateway.url("/api/governance/teams/t1"))).await;
    assert_eq!(removed.status, 200, "{}", removed.text());
    config["governance"]["virtual_keys"][0]["team_id"] = json!("t1");
    let home = gateway.kill();
    home.write(&config.to_string());
    let gateway = Gateway::start_in(home, &[]).await;
    let told = |line: &Value| {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        message.contains("cannot be taken over") && message.contains("team_id")
    };
    gateway.events.wait_for("what is wrong", told).await;
    assert_eq!(reply(chat(&gateway, KEY)).await.status, 200);
}
