//! What an operator sees: the access log, metrics, health; and what must never be seen there.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};

use super::support::config::{KEY, VENDOR_SECRET, add_key, key};
use super::support::scene::{Reply, Scene, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, rule};
use super::support::wire::head;

#[tokio::test]
async fn a_call_has_one_line_with_all_that_matters() {
    let scene = Scene::with(|config| {
        config["governance"]["customers"] = json!([{"id": "cust-1", "name": "Customer"}]);
        config["governance"]["teams"] = json!([{"id": "team-1", "name": "Team", "customer_id": "cust-1"}]);
        let mut teams = key("teams", "sk-bf-teams", &["openai"]);
        teams["team_id"] = json!("team-1");
        add_key(config, teams);
        config["providers"]["openai"]["keys"][0]["aliases"] = json!({"house": "gpt-4o"});
    })
    .await;
    let body = Api::Chat.body("house", true, "12345678").to_string();
    let request = scene.client.post(scene.gateway.url("/openai/v1/chat/completions?x=1")).bearer_auth("sk-bf-teams");
    let answer = reply(request.body(body.clone())).await;
    let line = scene.logged(&answer).await;
    for (field, value) in [
        ("type", json!("access")),
        ("http.method", json!("POST")),
        ("http.path", json!("/openai/v1/chat/completions")),
        ("http.status", json!(200)),
        ("vendor.status", json!(200)),
        ("key.id", json!("vk-teams")),
        ("team.id", json!("team-1")),
        ("customer.id", json!("cust-1")),
        ("dialect", json!("openai")),
        ("operation", json!("chat_completion")),
        ("model.asked", json!("house")),
        ("model.used", json!("gpt-4o")),
        ("provider", json!("openai")),
        ("credential", json!("openai-main")),
        ("stream", json!(true)),
        ("attempts", json!(1)),
        ("tokens.source", json!("reported")),
        ("bytes.in", json!(body.len())),
        ("bytes.out", json!(answer.body.len())),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    let micros = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{field}: {line}"));
    assert!(0 < micros("first_byte_us") && micros("first_byte_us") <= micros("total_us"), "{line}");
    assert!(micros("ts_ms") > 1_700_000_000_000);
    for absent in ["client.left", "error.type", "error.message", "attempts.failed"] {
        assert_eq!(line.get(absent), None, "{line}");
    }
    let lines = scene.gateway.access.json();
    assert_eq!(lines.iter().filter(|line| line["request.id"] == answer.request_id()).count(), 1);
}

#[tokio::test]
async fn a_refusal_has_a_line_with_its_reason() {
    let scene = Scene::start().await;
    let refused = reply(scene.client.post(scene.gateway.url("/v1/messages"))).await;
    let line = scene.logged(&refused).await;
    assert_eq!((&line["http.status"], &line["error.type"]), (&json!(401), &json!("virtual_key_required")), "{line}");
    assert_eq!((&line["attempts"], line.get("key.id")), (&json!(0), None), "{line}");
    let missing = reply(scene.post("/nothing?key=canary-query")).await;
    let line = scene.logged(&missing).await;
    assert_eq!((&line["error.type"], &line["http.path"]), (&json!("not_found_error"), &json!("/nothing")), "{line}");
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_sent_on_and_any_other_replaced() {
    let scene = Scene::start().await;
    for (sent, is_kept) in
        [("trace-1.2:3_4", true), ("{\"a\":1}", false), ("with space", false), (&*"x".repeat(200), false)]
    {
        let answer = reply(scene.ask(Api::Chat, "gpt-4o", false).header("x-request-id", sent)).await;
        assert_eq!(answer.request_id() == sent, is_kept, "{sent}");
        assert_eq!(answer.header("request-id"), Some(answer.request_id()));
        assert_eq!(scene.entry().header("x-request-id"), Some(answer.request_id()));
        scene.logged(&answer).await;
    }
    let one = scene.asked(Api::Chat, "gpt-4o", false).await;
    let other = reply(scene.client.get(scene.gateway.url("/livez"))).await;
    assert_ne!(one.request_id(), other.request_id());
}

#[tokio::test]
async fn the_trace_context_is_passed_on() {
    let scene = Scene::start().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let request = scene.ask(api, api.model(), true).header("traceparent", parent).header("tracestate", "a=1");
        assert_eq!(reply(request).await.status, 200);
        assert_eq!(scene.entry().header("traceparent"), Some(parent));
        assert_eq!(scene.entry().header("tracestate"), Some("a=1"));
    }
}

/// Texts that a client, a vendor or an operator would not want to find anywhere else.
const CANARIES: [&str; 6] = ["canary-prompt", "canary-header", "canary-query", "canary-cookie", KEY, VENDOR_SECRET];

#[tokio::test]
async fn no_secret_and_no_content_is_ever_written_or_told() {
    let scene = Scene::start().await;
    let mut told = String::new();
    let mut tell = |answer: &Reply| told.push_str(&format!("{:?}{}\n", answer.headers, answer.text()));
    for api in Api::ALL {
        for fault in
            ["", "~status=500", "~status=401", "~error_200", "~reset_before_header", "~cut_after=1", "~error_after=5"]
        {
            scene.let_fake(fault);
            for stream in [false, true] {
                let body = api.body(api.model(), stream, "canary-prompt").to_string();
                let path = api.path(api.model(), stream);
                let path = format!("{path}{}session=canary-query", if path.contains('?') { "&" } else { "?" });
                let request = scene.post(&path).header("x-any", "canary-header").header("cookie", "canary-cookie");
                tell(&reply(request.body(body)).await);
            }
        }
        scene.let_fake("");
        let path = api.path(api.model(), false);
        for body in [
            "{\"canary-prompt\": ",
            "canary-prompt",
            "{\"model\": [\"canary-prompt\"]}",
            "{\"messages\":[{\"content\":\"canary-prompt\"}],\"messages\":[]}",
            "{\"model\":\"m\",\"Model\":\"canary-prompt\"}",
        ] {
            tell(&reply(scene.post(&path).header("x-any", "canary-header").body(body)).await);
        }
        for token in ["sk-bf-canary-header", "canary-header"] {
            tell(&reply(scene.client.post(scene.gateway.url(&path)).bearer_auth(token)).await);
        }
    }
    let mut wire = scene.wire().await;
    wire.send(head("/v1/chat/completions", "content-length: nonsense\r\nx-any: canary-header")).await;
    told.push_str(&String::from_utf8_lossy(&wire.rest().await));
    let mut wire = scene.wire().await;
    wire.send("canary-header canary-query\r\nfoo: canary-cookie\r\n\r\n").await;
    told.push_str(&String::from_utf8_lossy(&wire.rest().await));

    let metrics = reply(scene.client.get(scene.gateway.url("/metrics"))).await.text();
    let output = scene.gateway.output();
    for canary in CANARIES {
        for (place, text) in [("answers", &told), ("metrics", &metrics), ("logs", &output)] {
            if let Some(at) = text.find(canary) {
                let around = &text[at.saturating_sub(200)..(at + 200).min(text.len())];
                panic!("{canary} is in the {place}: {around}");
            }
        }
    }
}

/// The series of a page of metrics, by name and labels. Panics where it is no valid Prometheus text.
fn series(page: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let mut series = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "declared twice: {line}");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let bare = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end));
            let is_declared = types.contains_key(bare)
                || family.is_some_and(|family| types.get(family).is_some_and(|kind| kind == "histogram"));
            assert!(is_declared, "no type: {line}");
            assert!(bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
            assert!(series.insert(name.to_owned(), value.parse().unwrap()).is_none(), "stands twice: {line}");
        }
    }
    series
}

async fn scrape(scene: &Scene) -> BTreeMap<String, f64> {
    page_of(&scene.client, &scene.gateway.url("/metrics")).await
}

async fn page_of(client: &Client, url: &str) -> BTreeMap<String, f64> {
    let answer = reply(client.get(url)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.text().ends_with('\n'));
    series(&answer.text())
}

#[tokio::test]
async fn metrics_count_what_the_log_says() {
    let scene = Scene::start().await;
    let (mut cost, mut input, mut output) = (0.0, 0, 0);
    for stream in [false, true, true] {
        let answer = scene.asked(Api::Chat, "gpt-4o", stream).await;
        let line = scene.logged(&answer).await;
        cost += line["cost_usd"].as_str().unwrap().parse::<f64>().unwrap();
        input += line["tokens.input"].as_u64().unwrap();
        output += line["tokens.output"].as_u64().unwrap();
    }
    reply(scene.client.post(scene.gateway.url("/v1/messages"))).await;
    let page = scrape(&scene).await;
    let get = |name: &str| page.get(name).copied().unwrap_or_else(|| panic!("{name}: {page:#?}"));
    let served = "dialect=\"openai\",operation=\"chat_completion\",provider=\"openai\"";
    assert_eq!(get(&format!("tollgate_requests_total{{{served},status=\"200\"}}")), 3.0);
    assert_eq!(get(&format!("tollgate_request_duration_seconds_count{{{served}}}")), 3.0);
    assert_eq!(get(&format!("tollgate_first_content_seconds_count{{{served}}}")), 3.0);
    assert_eq!(get("tollgate_attempts_total{model=\"gpt-4o\",outcome=\"answered\",provider=\"openai\"}"), 3.0);
    assert_eq!(get("tollgate_refusals_total{reason=\"virtual_key_required\"}"), 1.0);
    assert_eq!(get("tollgate_cost_nanodollars_total{model=\"gpt-4o\",provider=\"openai\"}"), (cost * 1e9).round());
    for (kind, count) in [("input", input), ("output", output)] {
        let labels = format!("kind=\"{kind}\",model=\"gpt-4o\",provider=\"openai\",source=\"reported\"");
        assert_eq!(get(&format!("tollgate_tokens_total{{{labels}}}")).to_string(), count.to_string());
    }
    assert_eq!(get("tollgate_requests_in_flight"), 1.0, "the scrape itself");
    assert_eq!(get("tollgate_access_log_lines_dropped_total"), 0.0);
}

/// Two providers; rules send everything to the first one, which fails, is asked once more, and is given up for the second.
async fn ruled() -> Targets {
    Setup::of("openai", 2)
        .does(0, "~status=503")
        .retries(1)
        .rule(rule("odd", "int(model) > 3", &[("p1", 1.0)], &[]))
        .rule(rule("usual", "model.startsWith('gpt-')", &[("p0", 1.0)], &["p1"]))
        .start()
        .await
}

#[tokio::test]
async fn the_log_tells_by_which_rule_a_call_went_where_and_what_failed_on_the_way() {
    let targets = ruled().await;
    let answer = targets.asked(Api::Chat, false).await;
    let line = targets.logged(&answer).await;
    let trail = "p0/p0-main=unavailable:503, p0/p0-main=unavailable:503";
    for (field, value) in [
        ("rule.ids", json!(["usual"])),
        ("attempts", json!(3)),
        ("attempts.failed", json!(trail)),
        ("retries", json!(1)),
        ("provider", json!("p1")),
        ("credential", json!("p1-main")),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    assert!(line["paused_ms"].is_u64(), "{line}");
    assert_eq!(answer.header("x-tollgate-attempts"), Some(trail));
}

#[tokio::test]
async fn metrics_tell_how_each_attempt_ended_and_what_rules_did() {
    let targets = ruled().await;
    let calls = 4;
    for _ in 0..calls {
        let answer = targets.asked(Api::Chat, false).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        targets.logged(&answer).await;
    }
    let lines = targets.gateway.access.json();
    let failed = |line: &Value| line["attempts.failed"].as_str().map_or(0, |trail| trail.split(", ").count());
    let (tried, retried) = lines
        .iter()
        .fold((0, 0), |(tried, retried), line| (tried + failed(line), retried + line["retries"].as_u64().unwrap_or(0)));
    assert!(tried > 0 && retried > 0, "{lines:?}");
    let page = page_of(&targets.client, &targets.gateway.url("/metrics")).await;
    let get = |name: &str| page.get(name).map(f64::to_string).unwrap_or_else(|| panic!("{name}: {page:#?}"));
    let attempts = |outcome, provider| get(&attempts_of(outcome, provider));
    assert_eq!(attempts("unavailable", "p0"), tried.to_string());
    assert_eq!(attempts("answered", "p1"), calls.to_string());
    assert!(!page.contains_key(&attempts_of("answered", "p0")));
    assert_eq!(get("tollgate_retries_total{model=\"gpt-4o\",provider=\"p0\"}"), retried.to_string());
    assert_eq!(get("tollgate_rule_matches_total{rule=\"usual\"}"), calls.to_string());
    assert_eq!(get("tollgate_rule_failures_total{rule=\"odd\"}"), calls.to_string());
    assert_eq!(get("tollgate_rule_failures_total{rule=\"usual\"}"), "0");
    assert!(!page.contains_key("tollgate_rule_matches_total{rule=\"odd\"}"));
    assert!(page["tollgate_paused_seconds_total"] >= 0.0);
    let route = |provider| format!("credential=\"{provider}-main\",model=\"gpt-4o\",provider=\"{provider}\"");
    assert_eq!(get(&format!("tollgate_circuit_state{{{}}}", route("p1"))), "0");
    assert!(page.contains_key(&format!("tollgate_circuit_state{{{}}}", route("p0"))), "{page:#?}");
}

fn attempts_of(outcome: &str, provider: &str) -> String {
    format!("tollgate_attempts_total{{model=\"gpt-4o\",outcome=\"{outcome}\",provider=\"{provider}\"}}")
}

#[tokio::test]
async fn metrics_tell_which_circuit_is_open_and_which_credential_is_turned_away() {
    let targets = Setup::of("openai", 3).does(0, "~status=503").does(1, "~status=401").retries(0).start().await;
    for _ in 0..40 {
        assert_eq!(targets.asked(Api::Chat, false).await.status, 200);
    }
    let page = page_of(&targets.client, &targets.gateway.url("/metrics")).await;
    let route = |provider| format!("credential=\"{provider}-main\",model=\"gpt-4o\",provider=\"{provider}\"");
    let circuit = |provider| page[&format!("tollgate_circuit_state{{{}}}", route(provider))];
    assert!(circuit("p0") >= 1.0, "{page:#?}");
    assert_eq!(circuit("p2"), 0.0);
    let marked: Vec<_> = page.keys().filter(|name| name.starts_with("tollgate_route_marked")).collect();
    assert_eq!(marked, [&format!("tollgate_route_marked{{{},reason=\"credential_refused\"}}", route("p1"))]);
}

#[tokio::test]
async fn a_thousand_made_up_models_add_no_label() {
    let scene = Scene::start().await;
    let names = |page: &BTreeMap<String, f64>| page.keys().cloned().collect::<BTreeSet<_>>();
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        scene.asked(api, "first-made-up-model", false).await;
        scene.asked(api, "first-made-up-model", true).await;
    }
    reply(scene.post("/made-up-path")).await;
    let before = names(&scrape(&scene).await);
    let calls = (0..1_000).map(|n| {
        let (scene, api) = (&scene, [Api::Chat, Api::Messages, Api::Gemini][n % 3]);
        async move {
            let model = format!("made-up-{n}-{}", "x".repeat(n % 50));
            assert_eq!(scene.asked(api, &model, n % 2 == 0).await.status, 200);
            if n % 10 == 0 {
                reply(scene.post(&format!("/made-up-path/{n}"))).await;
            }
        }
    });
    futures::stream::iter(calls).buffer_unordered(32).collect::<Vec<()>>().await;
    let page = scrape(&scene).await;
    let added: Vec<_> = names(&page).difference(&before).cloned().collect();
    assert!(added.is_empty(), "{added:?}");
    assert!(!page.keys().any(|name| name.contains("made-up")), "{page:#?}");
    assert!(page.keys().any(|name| name.contains("model=\"other\"")));
}

#[tokio::test]
async fn health_is_told_to_anybody() {
    let scene = Scene::start().await;
    for path in ["/livez", "/readyz", "/health"] {
        let answer = reply(scene.client.get(scene.gateway.url(path))).await;
        assert_eq!((answer.status, &*answer.text()), (200, "ok\n"), "{path}");
        let bare = reply(scene.client.head(scene.gateway.url(path))).await;
        assert_eq!((bare.status, bare.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn the_access_log_can_be_switched_off() {
    let scene = Scene::with(|config| config["client"]["enable_logging"] = json!(false)).await;
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    let page = scrape(&scene).await;
    assert!(page.keys().any(|name| name.starts_with("tollgate_requests_total")), "it is counted all the same");
    let lines: Vec<Value> = scene.gateway.access.json();
    assert!(lines.is_empty(), "{lines:?}");
}
