//! An address of its own for management: each of two listeners has what it is for, and nothing else.

use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::support::config::{KEY, config, fake};
use super::support::process::{Gateway, Home, says};
use super::support::scene::{client, h2_client, reply};
use super::support::sse::Api;

const PASSWORD: &str = "canary-password";

/// A gateway with two addresses, and the second one.
async fn start(config: &Value, arguments: &[&str]) -> (Gateway, SocketAddr) {
    let home = Home::new(config);
    let mut command = home.serve();
    command.args(arguments);
    let gateway = Gateway::start_by(command, home).await;
    let line = gateway.events.wait_for("the second address", |line| says(line, "listening for management")).await;
    (gateway, line["fields"]["address"].as_str().unwrap().parse().unwrap())
}

fn separate(base_url: &str, address: &str) -> Value {
    let mut config = config(base_url);
    config["admin"] = json!({ "listen": address });
    config
}

fn at(address: SocketAddr, path: &str) -> RequestBuilder {
    get(&client(), address, path)
}

fn get(client: &Client, address: SocketAddr, path: &str) -> RequestBuilder {
    client.get(format!("http://127.0.0.1:{}{path}", address.port()))
}

fn chat(url: String) -> RequestBuilder {
    client().post(url).bearer_auth(KEY).body(Api::Chat.body(Api::Chat.model(), false, "hi").to_string())
}

#[tokio::test]
async fn the_first_address_has_calls_and_the_second_all_else() {
    let fake = fake();
    let (gateway, management) = start(&separate(&fake.url(), "127.0.0.1:0"), &[]).await;
    let path = Api::Chat.path(Api::Chat.model(), false);
    assert_eq!(reply(chat(gateway.url(&path))).await.status, 200);
    for path in ["/api/version", "/api/governance/virtual-keys", "/api/openapi.json", "/metrics"] {
        let away = reply(client().get(gateway.url(path))).await;
        assert_eq!((away.status, &away.json()["error"]["type"]), (404, &json!("not_found_error")), "{path}");
        assert!(away.text().contains("management is at another address"), "{}", away.text());
        for client in [client(), h2_client()] {
            assert_eq!(reply(get(&client, management, path)).await.status, 200, "{path}");
        }
    }
    for method in [reqwest::Method::POST, reqwest::Method::DELETE] {
        let away = reply(client().request(method, gateway.url("/metrics"))).await;
        assert_eq!(away.status, 404, "whatever the method: it is not here");
    }
    let no_call = reply(chat(format!("http://{management}{path}"))).await;
    assert_eq!((no_call.status, &no_call.json()["error"]["type"]), (404, &json!("not_found_error")));
    assert_eq!(reply(at(management, "/v1/models").bearer_auth(KEY)).await.status, 404);
    assert_eq!(fake.books().len(), 1, "the one call");
}

#[tokio::test]
async fn both_addresses_tell_how_the_process_is() {
    let fake = fake();
    let (gateway, management) = start(&separate(&fake.url(), "127.0.0.1:0"), &[]).await;
    for path in ["/livez", "/readyz", "/health"] {
        assert_eq!(reply(client().get(gateway.url(path))).await.status, 200, "{path}");
        assert_eq!(reply(at(management, path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_second_address_may_be_open_where_the_first_is_not_and_has_its_own_rule() {
    let fake = fake();
    let (gateway, management) = start(&separate(&fake.url(), "0.0.0.0:0"), &[]).await;
    let refused = reply(at(management, "/api/version")).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("governance.auth_config"), "{}", refused.text());
    assert_eq!(reply(client().get(gateway.url("/api/version"))).await.status, 404);
}

#[tokio::test]
async fn behind_an_open_address_for_calls_management_may_be_this_machines_alone() {
    let fake = fake();
    let config = separate(&fake.url(), "0.0.0.0:0");
    let arguments = ["--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"];
    let home = Home::new(&config);
    let mut command = home.command("serve");
    command.args(arguments).arg("--data").arg(home.data());
    let gateway = Gateway::start_by(command, home).await;
    let line = gateway.events.wait_for("the second address", |line| says(line, "listening for management")).await;
    let management: SocketAddr = line["fields"]["address"].as_str().unwrap().parse().unwrap();
    assert!(management.ip().is_loopback(), "the command line is stronger than the file: {management}");
    assert_eq!(reply(at(management, "/api/version")).await.status, 200);
    assert_eq!(reply(client().get(gateway.url("/api/version"))).await.status, 404);
}

#[tokio::test]
async fn with_a_password_the_second_address_wants_it_wherever_it_is() {
    let fake = fake();
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut config = separate(&fake.url(), address);
        config["governance"]["auth_config"] =
            json!({"is_enabled": true, "admin_username": "root", "admin_password": PASSWORD});
        let (_gateway, management) = start(&config, &[]).await;
        assert_eq!(reply(at(management, "/api/version")).await.status, 401);
        let right = at(management, "/api/version").basic_auth("root", Some(PASSWORD));
        assert_eq!(reply(right).await.status, 200, "{address}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_at_once() {
    let fake = fake();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new(&separate(&fake.url(), &address));
    let failed = home.run("serve").await;
    assert_eq!(failed.status.code(), Some(1));
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(told.contains(&address) && told.contains("admin.listen"), "{told}");
}
