//! Prices of the operator's own: lists from files and URLs, and overrides. What a call costs is read from its log line.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::config::{KEY, config, fake, key, provider};
use super::support::process::{Gateway, Home, says};
use super::support::scene::{Scene, client, reply};
use super::support::soon;
use super::support::sse::Api;
use super::support::stub::{Stub, WAIT, nobody};
use super::upstream_tls::Front;

/// A model that no built-in list has.
const IN_NO_LIST: &str = "openai/own-model";

/// A list with one model that no built-in list has, at so many millionths of a dollar for each token.
fn list(micro_usd: u64) -> String {
    json!({"own-model": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": micro_usd as f64 / 1e6,
        "output_cost_per_token": micro_usd as f64 / 1e6}})
    .to_string()
}

/// An answer with a list.
fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// A server of lists that answers what it is told to at the moment.
struct ListServer {
    stub: Stub,
    says: Arc<Mutex<String>>,
}

impl ListServer {
    async fn start(says: String) -> Self {
        let says = Arc::new(Mutex::new(says));
        let said = Arc::clone(&says);
        Self { stub: Stub::answering(move |_| said.lock().unwrap().clone()).await, says }
    }

    fn say(&self, answer: String) {
        *self.says.lock().unwrap() = answer;
    }

    fn url(&self) -> String {
        format!("{}/list?token=list-secret", self.stub.url())
    }
}

fn with_source(config: &mut Value, url: &str, seconds: u64) {
    config["framework"]["pricing"] = json!({"pricing_url": url, "pricing_sync_interval": seconds});
}

/// A gateway with a list from somewhere.
async fn with_list(url: &str, seconds: u64) -> Scene {
    Scene::with(|config| with_source(config, url, seconds)).await
}

/// What a call to the model that only the operator's list has costs, in millionths of a dollar for each token.
async fn price(scene: &Scene) -> Option<u64> {
    let answer = scene.asked(Api::Chat, IN_NO_LIST, false).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    of_line(&scene.logged(&answer).await)
}

fn of_line(line: &Value) -> Option<u64> {
    let cost = line.get("cost_usd")?.as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
    let tokens = line["tokens.input"].as_u64().unwrap() + line["tokens.output"].as_u64().unwrap();
    assert_eq!(cost % (tokens * 1_000), 0, "{line}");
    Some(cost / (tokens * 1_000))
}

async fn until_price(scene: &Scene, wanted: u64) {
    soon(async {
        while price(scene).await != Some(wanted) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn loads(scene: &Scene, outcome: &str) -> u64 {
    scene.metric(&format!("tollgate_price_list_loads_total{{outcome=\"{outcome}\"}}")).await.unwrap_or(0)
}

async fn until_loads(scene: &Scene, outcome: &str, wanted: u64) {
    soon(async {
        while loads(scene, outcome).await < wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_from_a_url_comes_into_force_while_calls_are_served() {
    // The list is held back: the start and the first calls do not wait for it.
    let server = ListServer::start(format!("{WAIT}{}", answer("", &list(5)))).await;
    let scene = with_list(&server.url(), 3600).await;
    let before = scene.metric("tollgate_price_list_models").await.unwrap();
    assert_eq!(price(&scene).await, None);
    assert_eq!(scene.metric("tollgate_price_list_seen_timestamp_seconds").await, Some(0));
    server.stub.go_on();
    until_price(&scene, 5).await;
    assert_eq!(scene.metric("tollgate_price_list_models").await, Some(before + 1), "the built-in list is below it");
    assert_eq!(loads(&scene, "loaded").await, 1);
    assert!(scene.metric("tollgate_price_list_seen_timestamp_seconds").await > Some(1_700_000_000));
    let line = scene.gateway.events.wait_for("the list", |line| says(line, "a new price list is in force")).await;
    assert_eq!(line["fields"]["source"], format!("{}/list", server.stub.url()), "without what may be secret");
    assert!(!scene.gateway.output().contains("list-secret"));
    let request = server.stub.requests().remove(0);
    assert!(request.starts_with("GET /list?token=list-secret HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn a_list_is_asked_for_again_and_not_sent_again_while_it_is_the_same() {
    let head = "etag: \"one\"\r\nlast-modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n";
    let server = ListServer::start(answer(head, &list(5))).await;
    let scene = with_list(&server.url(), 1).await;
    until_price(&scene, 5).await;
    server.say("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned());
    until_loads(&scene, "unchanged", 2).await;
    let request = server.stub.requests().pop().unwrap().to_ascii_lowercase();
    assert!(request.contains("if-none-match: \"one\""), "{request}");
    assert!(request.contains("if-modified-since: sat, 21 nov 2026 10:00:00 gmt"), "{request}");
    assert_eq!(price(&scene).await, Some(5));
    server.say(answer("", &list(7)));
    until_price(&scene, 7).await;
}

#[tokio::test]
async fn the_last_good_list_is_used_at_the_next_start() {
    let server = ListServer::start(answer("etag: \"one\"\r\n", &list(5))).await;
    let scene = with_list(&server.url(), 3600).await;
    until_price(&scene, 5).await;
    let Scene { gateway, fake, client } = scene;
    let home = gateway.kill();

    // The server is asked whether its list is still the one that is kept, and is not needed for the start.
    server.say(format!("{WAIT}HTTP/1.1 304 Not Modified\r\n\r\n"));
    let scene = Scene { gateway: Gateway::start_in(home, &[]).await, fake, client };
    assert_eq!(price(&scene).await, Some(5));
    server.stub.go_on();
    until_loads(&scene, "unchanged", 1).await;
    assert!(server.stub.requests().pop().unwrap().to_ascii_lowercase().contains("if-none-match: \"one\""));
    assert_eq!(price(&scene).await, Some(5));
}

/// What was told of lists that could not be taken.
fn complaints(lines: &[Value]) -> Vec<&str> {
    let messages = lines.iter().filter_map(|line| line["fields"]["message"].as_str());
    messages.filter_map(|message| message.strip_prefix("the price list in force stays: ")).collect()
}

#[tokio::test]
async fn a_bad_list_changes_nothing_and_is_told_once() {
    let server = ListServer::start(answer("", &list(5))).await;
    let scene = with_list(&server.url(), 1).await;
    until_price(&scene, 5).await;
    let below_zero = list(5).replace("0.000005", "-1").replace("5e-6", "-1");
    let bad = [
        (answer("", "no list"), "refused", "the price list is not readable"),
        (answer("", "{}"), "refused", "no model in it has a price"),
        (answer("", &below_zero), "refused", "which is no price"),
        (answer("", &"[".repeat(10_000)), "refused", "the price list is not readable"),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned(), "unreachable", "the server answered 500"),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(), "unreachable", "the server answered 304"),
        ("HTTP/1.1 302 Found\r\nlocation: /list\r\n\r\n".to_owned(), "unreachable", "it is redirected too often"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{".to_owned(), "unreachable", "larger than 64 MiB"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned(), "unreachable", ""),
        ("no HTTP".to_owned(), "unreachable", ""),
    ];
    for (place, (answer, outcome, message)) in bad.into_iter().enumerate() {
        let before = loads(&scene, outcome).await;
        server.say(answer.clone());
        let what = format!("the reason for {answer}");
        let told = scene.gateway.events.wait_until(&what, |lines| complaints(lines).len() > place).await;
        assert!(complaints(&told)[place].contains(message), "{answer}: {told:#?}");
        assert!(loads(&scene, outcome).await > before, "{answer}");
        assert_eq!(price(&scene).await, Some(5), "{answer}");
        if place == 0 {
            until_loads(&scene, outcome, before + 3).await;
            assert_eq!(complaints(&scene.gateway.events.json()).len(), 1, "it is told once");
        }
    }
    assert!(!scene.gateway.output().contains("list-secret"));
    server.say(answer("", &list(7)));
    until_price(&scene, 7).await;
}

#[tokio::test]
async fn a_list_that_is_larger_than_it_may_be_is_not_read_to_its_end() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(65 * 1024 * 1024));
    let server = ListServer::start(endless).await;
    let scene = with_list(&server.url(), 3600).await;
    until_loads(&scene, "unreachable", 1).await;
    let told =
        |line: &Value| line["fields"]["message"].as_str().is_some_and(|text| text.contains("larger than 64 MiB"));
    scene.gateway.events.wait_for("the reason", told).await;
    assert_eq!(price(&scene).await, None);
}

#[tokio::test]
async fn a_source_that_nobody_answers_at_holds_nothing_up_and_ends_with_the_process() {
    let silent = ListServer::start(WAIT.to_owned()).await;
    for url in [nobody().await, silent.url()] {
        let mut scene = with_list(&url, 3600).await;
        assert_eq!(price(&scene).await, None);
        scene.gateway.signal("TERM");
        assert_eq!(scene.gateway.ended().await.code(), Some(0), "{}", scene.gateway.output());
    }
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let target = ListServer::start(answer("", &list(5))).await;
    let moved = format!("HTTP/1.1 301 Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
    let server = ListServer::start(moved).await;
    let scene = with_list(&server.url(), 3600).await;
    until_price(&scene, 5).await;
}

#[tokio::test]
async fn a_server_of_lists_must_show_a_certificate_of_somebody_known() {
    let server = ListServer::start(answer("connection: close\r\n", &list(5))).await;
    let address = server.stub.url().trim_start_matches("http://").parse().unwrap();
    let front = Front::start("localhost", address).await;
    let scene = with_list(&front.url(), 1).await;
    until_loads(&scene, "unreachable", 1).await;
    assert_eq!((price(&scene).await, server.stub.requests().len()), (None, 0));

    let fake = fake();
    let mut config = config(&fake.url());
    with_source(&mut config, &front.url(), 3600);
    let home = Home::new(&config);
    let ca = home.path().join("ca.pem");
    std::fs::write(&ca, &front.ca_pem).unwrap();
    let gateway = Gateway::start_in(home, &[("SSL_CERT_FILE", ca.to_str().unwrap())]).await;
    until_price(&Scene { fake, gateway, client: client() }, 5).await;
}

#[tokio::test]
async fn a_file_is_read_again_when_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    std::fs::write(&path, list(5)).unwrap();
    let scene = with_list(&format!("file://{}", path.display()), 1).await;
    assert_eq!(price(&scene).await, Some(5), "from the first call on");
    until_loads(&scene, "unchanged", 1).await;
    std::fs::write(&path, "half a li").unwrap();
    until_loads(&scene, "refused", 1).await;
    assert_eq!(price(&scene).await, Some(5));
    std::fs::write(&path, list(1_234_567)).unwrap();
    until_price(&scene, 1_234_567).await;
}

#[tokio::test]
async fn a_file_that_is_no_list_ends_a_start_and_a_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    let mut config = config("http://127.0.0.1:9");
    with_source(&mut config, &format!("file://{}", path.display()), 3600);
    for command in ["check", "serve"] {
        let output = Home::new(&config).run(command).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("prices.json"), "{command}: {error}");
    }
}

/// An override that sets both prices of the model to so many millionths of a dollar.
fn own(id: &str, micro_usd: u64, fields: Value) -> Value {
    let usd = micro_usd as f64 / 1e6;
    let mut one = json!({"id": id, "name": id, "match_type": "wildcard", "pattern": "own-*",
        "pricing_patch": json!({"input_cost_per_token": usd, "output_cost_per_token": usd}).to_string()});
    one.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    one
}

#[tokio::test]
async fn a_call_is_charged_at_the_override_of_its_most_specific_scope() {
    const OTHER: &str = "sk-bf-canary-other";
    let of_key = |kind: &str| json!({"scope_kind": kind, "virtual_key_id": "vk-everything"});
    let with = |mut fields: Value, name: &str, value: &str| {
        fields[name] = json!(value);
        fields
    };
    // From the least specific to the most, each with its own price.
    let overrides = [
        own("global", 1, json!({})),
        own("provider", 2, json!({"scope_kind": "provider", "provider_id": "openai"})),
        own("credential", 3, json!({"scope_kind": "provider_key", "provider_key_id": "openai-main"})),
        own("key", 4, of_key("virtual_key")),
        own("key at provider", 5, with(of_key("virtual_key_provider"), "provider_id", "openai")),
        own("key with credential", 6, with(of_key("virtual_key_provider_key"), "provider_key_id", "openai-main")),
    ];
    let cost = async |scene: &Scene, token: &str, model: &str| {
        let request = scene.client.post(scene.gateway.url("/v1/chat/completions")).bearer_auth(token);
        let answer = reply(request.body(Api::Chat.body(model, false, "12345678").to_string())).await;
        let line = scene.logged(&answer).await;
        let price = of_line(&line);
        let set_by = price.map(|price| &overrides[usize::try_from(price).unwrap() - 1]["id"]);
        assert_eq!(line.get("price.override"), set_by, "{line}");
        price
    };
    for count in 0..=overrides.len() {
        let scene = Scene::with(|config| {
            config["providers"]["second"] =
                provider("second", config["providers"]["openai"]["network_config"]["base_url"].as_str().unwrap());
            config["providers"]["second"]["custom_provider_config"] = json!({"base_provider_type": "openai"});
            config["governance"]["virtual_keys"] =
                json!([key("everything", KEY, &["openai", "second"]), key("other", OTHER, &["openai", "second"])]);
            config["governance"]["pricing_overrides"] = json!(overrides[..count]);
        })
        .await;
        let count = count as u64;
        let priced = |price: u64| (price > 0).then_some(price);
        assert_eq!(cost(&scene, KEY, "openai/own-model").await, priced(count), "{count}");
        assert_eq!(cost(&scene, OTHER, "openai/own-model").await, priced(count.min(3)), "{count}: another key");
        let elsewhere = if count < 4 { count.min(1) } else { 4 };
        assert_eq!(cost(&scene, KEY, "second/own-model").await, priced(elsewhere), "{count}: another provider");
        assert_eq!(cost(&scene, KEY, "openai/foreign").await, None, "{count}: another model");
    }
}

#[tokio::test]
async fn an_attempt_whose_end_nobody_sees_is_charged_the_worst_case_at_the_overrides_price() {
    let scene = Scene::with(|config| {
        config["governance"]["pricing_overrides"] = json!([own("all", 1_000, json!({"pattern": "*"}))]);
        config["providers"]["openai"]["network_config"]["max_retries"] = json!(0);
    })
    .await;
    // The connection breaks after the request was read: the vendor may have worked to the end.
    scene.let_fake("~hangup_before_header");
    let mut body = Api::Chat.body("gpt-4o", false, "12345678");
    body["max_tokens"] = json!(100);
    let answer = reply(scene.post("/v1/chat/completions").body(body.to_string())).await;
    assert!(answer.status >= 500, "{}", answer.text());
    let line = scene.logged(&answer).await;
    assert_eq!(line["tokens.source"], "abandoned", "{line}");
    // A thousandth of a dollar for each byte of text, each hidden token (1,024) and each token that may come.
    let cost = line["cost_usd"].as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
    assert!((1_124_000_000..1_224_000_000).contains(&cost), "{line}");
}
