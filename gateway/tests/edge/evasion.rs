//! Ways around permission, metering and limits that do not lead around them.

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, config, fake, key, provider};
use super::support::process::Gateway;
use super::support::scene::{Reply, Scene, client, reply};
use super::support::sse::{Api, reason};
use super::support::stub::Stub;

const DENIED: &str = "sk-bf-no-pro";

/// A key that may use every model of Gemini but one.
async fn without_pro() -> Scene {
    Scene::with(|config| {
        let mut limited = key("no-pro", DENIED, &["gemini"]);
        limited["provider_configs"][0]["blacklisted_models"] = json!(["gemini-2.5-pro"]);
        add_key(config, limited);
    })
    .await
}

async fn ask_gemini(scene: &Scene, model: &str) -> Reply {
    let url = scene.gateway.url(&format!("/v1beta/models/{model}:generateContent"));
    let body = Api::Gemini.body(model, false, "hello").to_string();
    reply(scene.client.post(url).header("x-goog-api-key", DENIED).body(body)).await
}

#[tokio::test]
async fn a_denied_model_is_denied_under_all_its_names() {
    let scene = without_pro().await;
    for name in ["gemini-2.5-pro", "models/gemini-2.5-pro", "models%2Fgemini-2.5-pro", "gemini/models/gemini-2.5-pro"] {
        let answer = ask_gemini(&scene, name).await;
        assert_eq!(answer.status, 403, "{name}: {}", answer.text());
    }
    assert_eq!(ask_gemini(&scene, "models/gemini-2.5-flash").await.status, 200);
}

#[tokio::test]
async fn a_model_in_a_gemini_body_is_the_one_that_was_admitted() {
    let scene = Scene::start().await;
    let path = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
    let one = json!({"model": "models/forbidden", "content": {"parts": [{"text": "x"}]}});
    let answer = reply(scene.post(path).body(json!({"requests": [one]}).to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = scene.entry().body.unwrap();
    assert_eq!(sent["requests"][0]["model"], "models/gemini-embedding-001");
}

#[tokio::test]
async fn no_parameter_of_the_query_changes_what_the_vendor_answers() {
    let scene = Scene::start().await;
    let query = "alt=sse&fields=candidates(content)&%6Bey=x&access_token=y&callback=z&%24alt=proto";
    let path = format!("/v1beta/models/gemini-2.5-flash:streamGenerateContent?{query}");
    let body = Api::Gemini.body("gemini-2.5-flash", true, "x").to_string();
    assert_eq!(reply(scene.post(&path).body(body)).await.status, 200);
    assert_eq!(scene.entry().query.as_deref(), Some("alt=sse"));
}

#[tokio::test]
async fn a_provider_without_a_key_serves_callers_who_bring_one_and_nobody_else() {
    let fake = fake();
    let mut config = config(&fake.url());
    config["client"] = json!({"allow_direct_keys": true, "enforce_auth_on_inference": false});
    config["providers"]["openai"]["keys"] = json!([]);
    let gateway = Gateway::start(&config).await;
    let ask = || {
        let body = Api::Chat.body("gpt-4o", false, "x").to_string();
        client().post(gateway.url("/v1/chat/completions")).body(body)
    };
    let own = reply(ask().bearer_auth("sk-proj-mine")).await;
    assert_eq!(own.status, 200, "{}", own.text());
    assert_eq!(fake.books().last().unwrap().credential(), Some("sk-proj-mine"));
    let other = reply(ask()).await;
    assert_eq!((other.status, reason(&other.json())), (502, Some("upstream_credentials_exhausted")));
    assert_eq!(fake.books().len(), 1);
}

#[tokio::test]
async fn headers_that_steer_the_operators_account_stay_here() {
    let scene = Scene::start().await;
    let request = scene
        .ask(Api::Chat, "gpt-4o", false)
        .header("openai-organization", "org-x")
        .header("openai-project", "proj-x")
        .header("idempotency-key", "same-for-all");
    assert_eq!(reply(request).await.status, 200);
    let entry = scene.entry();
    for name in ["openai-organization", "openai-project", "idempotency-key"] {
        assert_eq!(entry.header(name), None, "{name}");
    }
    assert_eq!(entry.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_name_of_a_model_is_bounded() {
    let scene = Scene::start().await;
    let answer = scene.asked(Api::Chat, &"m".repeat(257), false).await;
    assert_eq!((answer.status, reason(&answer.json())), (400, Some("invalid_request_error")));
    assert_eq!(scene.asked(Api::Chat, &"m".repeat(256), false).await.status, 200);
}

#[tokio::test]
async fn a_compressed_body_is_refused_for_what_it_is() {
    let scene = Scene::start().await;
    let request = scene.post("/v1/chat/completions").header("content-encoding", "gzip").body("\u{1f}x");
    let answer = reply(request).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("content-encoding: gzip"), "{}", answer.text());
}

#[tokio::test]
async fn every_credential_is_tried_however_many_there_are() {
    let fake = fake();
    let mut config = config(&fake.url());
    let keys: Vec<Value> = (0..20).map(|n| json!({"name": format!("k{n}"), "value": format!("canary-{n}")})).collect();
    config["providers"]["openai"]["keys"] = json!(keys);
    let gateway = Gateway::start(&config).await;
    let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY);
    let answer =
        reply(request.body(Api::Chat.body("openai/gpt-4o~status=429~retry_after=7", false, "x").to_string())).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")), "{}", answer.text());
    assert_eq!(fake.books().len(), 20);
}

#[tokio::test]
async fn a_success_with_nothing_in_it_is_no_answer() {
    let empty = Stub::answering(|_| "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let second = fake();
    let mut both = super::support::config::pair("openai", &empty.url(), &second.url());
    let gateway = Gateway::start(&both).await;
    let ask = |gateway: &Gateway, stream: bool| {
        let body = Api::Chat.body("gpt-4o", stream, "x").to_string();
        client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY).body(body)
    };
    for stream in [false, true] {
        let answer = reply(ask(&gateway, stream)).await;
        assert_eq!(answer.header("x-tollgate-provider"), Some("second"), "{}", answer.text());
    }
    both["providers"]["second"] = provider("second", &empty.url());
    both["providers"]["second"]["custom_provider_config"] = json!({"base_provider_type": "openai"});
    let alone = Gateway::start(&both).await;
    let answer = reply(ask(&alone, true)).await;
    assert_eq!((answer.status, reason(&answer.json())), (502, Some("upstream_unreachable")));
}

#[tokio::test]
async fn the_next_target_answers_where_no_content_comes_in_time() {
    let (first, second) = (fake(), fake());
    let mut config = super::support::config::pair("anthropic", &first.url(), &second.url());
    config["providers"]["first"]["network_config"]["stream_first_token_timeout_ms"] = json!(300);
    let gateway = Gateway::start(&config).await;
    // Events come all the time, but none of them is content for minutes.
    first.set_controls(loadtest::fake::Controls::parse("m~delay_ms=60000").unwrap());
    let body = Api::Messages.body("claude-sonnet-4-5", true, "x").to_string();
    let answer = reply(client().post(gateway.url("/v1/messages")).bearer_auth(KEY).body(body)).await;
    assert_eq!(answer.header("x-tollgate-provider"), Some("second"), "{}", answer.text());
    assert!(answer.header("x-tollgate-attempts").is_some_and(|trail| trail.contains("timeout")));
}

#[tokio::test]
async fn a_background_response_that_nobody_waits_for_is_charged_in_full() {
    let created = r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","background":true}}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let text = format!("{head}event: response.created\ndata: {created}\n\n");
    let vendor = Stub::answering(move |_| text.clone()).await;
    let gateway = Gateway::start(&config(&vendor.url())).await;
    let mut body = Api::Responses.body("gpt-4o", true, "x");
    body["background"] = json!(true);
    let request = client().post(gateway.url("/v1/responses")).bearer_auth(KEY).header("x-request-id", "background");
    let answer = reply(request.body(body.to_string())).await;
    assert!(!answer.text().contains("response.completed"));
    let line = gateway.access.wait_for("the line", |line| line["request.id"] == "background").await;
    assert_eq!(line["tokens.source"], "abandoned", "{line}");
    // 4,000 output tokens at 10 µ$ at least.
    assert!(line["cost_usd"].as_str().unwrap().parse::<f64>().unwrap() >= 0.04, "{line}");
}

#[tokio::test]
async fn a_burst_that_is_cut_is_not_charged_beyond_the_clients_limit() {
    let scene = Scene::with(|config| config["client"]["drain_ms"] = json!(50)).await;
    // One piece of a thousand tokens, then silence.
    let mut body = Api::Messages.body("claude-sonnet-4-5~big=4000~stall_after=4", true, "x");
    body["max_tokens"] = json!(1000);
    let request = scene.post("/v1/messages").header("x-request-id", "burst").body(body.to_string());
    let mut response = super::support::soon(request.send()).await.unwrap();
    while let Some(piece) = super::support::soon(response.chunk()).await.unwrap() {
        if String::from_utf8_lossy(&piece).contains("w0") {
            break;
        }
    }
    drop(response);
    let line = scene.logged_as("burst").await;
    assert!(line["tokens.output"].as_u64().unwrap() <= 1_001, "{line}");
}

#[tokio::test]
async fn what_a_vendor_says_a_call_cost_is_recorded_and_ours_is_charged() {
    for (written, recorded) in [("0.5", "0.500000000"), (r#"{"total_cost": 2.5e-3}"#, "0.002500000")] {
        let usage = format!(r#"{{"prompt_tokens": 10, "completion_tokens": 0, "cost": {written}}}"#);
        let body = format!(r#"{{"id": "x", "choices": [], "usage": {usage}}}"#);
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let vendor = Stub::answering(move |_| text.clone()).await;
        let gateway = Gateway::start(&config(&vendor.url())).await;
        let request =
            client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY).header("x-request-id", "cost");
        let answer = reply(request.body(Api::Chat.body("gpt-4o", false, "x").to_string())).await;
        assert_eq!(answer.status, 200);
        let line = gateway.access.wait_for("the line", |line| line["request.id"] == "cost").await;
        assert_eq!((&line["vendor.cost_usd"], &line["cost_usd"]), (&json!(recorded), &json!("0.000025000")), "{line}");
    }
}

#[tokio::test]
async fn the_shortest_health_check_is_answered() {
    let scene = Scene::start().await;
    let mut wire = scene.wire().await;
    // 23 bytes: less than the preface of HTTP/2.
    wire.send("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
}
