//! The process's life: how it stops, and that it comes back.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::support::PATIENCE;
use super::support::config::KEY;
use super::support::process::{Gateway, Home, says};
use super::support::scene::{Scene, client, forgetful_client, reply};
use super::support::soon;
use super::support::sse::Api;

/// A stream of which the client has seen one word; the others wait for acknowledgements.
async fn running_stream(scene: &Scene) -> (Response, String) {
    scene.let_fake("~words=6~lockstep=life");
    scene.fake.books().ack("life");
    let mut response = soon(scene.ask(Api::Chat, "gpt-4o", true).send()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("w0") {
        seen.push_str(std::str::from_utf8(&soon(response.chunk()).await.unwrap().unwrap()).unwrap());
    }
    (response, seen)
}

async fn stops_accepting(gateway: &Gateway) {
    soon(async {
        while TcpStream::connect(gateway.address()).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stop_is_announced_then_nothing_new_is_taken_and_what_runs_is_finished() {
    let mut scene =
        Scene::with(|config| config["server"] = json!({"shutdown_delay_ms": 1500, "shutdown_grace": "60s"})).await;
    let (mut response, mut seen) = running_stream(&scene).await;
    scene.gateway.signal("TERM");
    scene.gateway.events.wait_for("the stop", |line| says(line, "shutting down")).await;
    let other = forgetful_client();
    let ready = reply(other.get(scene.gateway.url("/readyz"))).await;
    assert_eq!((ready.status, &*ready.text()), (503, "shutting down\n"));
    assert_eq!(reply(other.get(scene.gateway.url("/livez"))).await.status, 200, "it still lives");
    assert_eq!(
        reply(other.get(scene.gateway.url("/v1/models")).bearer_auth(KEY)).await.status,
        200,
        "and still serves"
    );

    stops_accepting(&scene.gateway).await;
    // Long enough for a process that would not wait for the stream to be gone.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    (0..20).for_each(|_| scene.fake.books().ack("life"));
    while let Some(piece) = soon(response.chunk()).await.unwrap() {
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(seen.contains("w5") && seen.ends_with("data: [DONE]\n\n"), "{seen}");
    let status = scene.gateway.ended().await;
    assert_eq!(status.code(), Some(0), "{}", scene.gateway.output());
    let line = scene.gateway.access.wait_for("the stream's line", |line| line["stream"] == true).await;
    assert_eq!((&line["http.status"], &line["tokens.source"]), (&json!(200), &json!("reported")), "{line}");
    assert!(scene.gateway.events.json().iter().any(|line| says(line, "stopped")));
}

#[tokio::test]
async fn a_stream_that_outlasts_the_grace_does_not_hold_the_process() {
    let mut scene = Scene::with(|config| config["server"] = json!({"shutdown_grace": "1s"})).await;
    let (_response, _) = running_stream(&scene).await;
    scene.gateway.signal("TERM");
    assert_eq!(scene.gateway.ended().await.code(), Some(0), "{}", scene.gateway.output());
}

#[tokio::test]
async fn an_idle_process_stops_on_either_signal_without_waiting_for_its_grace() {
    for signal in ["TERM", "INT"] {
        // Were the grace slept through, waiting for the end would fail.
        let mut scene = Scene::with(|config| config["server"] = json!({"shutdown_grace": "10m"})).await;
        assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
        scene.gateway.signal(signal);
        assert_eq!(scene.gateway.ended().await.code(), Some(0), "{}", scene.gateway.output());
        scene.gateway.access.wait_for("the last line", |line| line["http.status"] == 200).await;
    }
}

#[tokio::test]
async fn a_killed_process_starts_again_on_the_same_data() {
    let fake = super::support::config::fake();
    let mut config = super::support::config::config(&fake.url());
    config["governance"]["virtual_keys"][0].as_object_mut().unwrap().remove("value");
    let mut home = Home::new(&config);
    let mut tokens: Vec<String> = Vec::new();
    for _ in 0..3 {
        let gateway = Gateway::start_in(home, &[]).await;
        home = gateway.kill();
        let token = made_token(&home).await;
        let gateway = Gateway::start_in(home, &[]).await;
        let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(&token);
        let answer = reply(request.body(Api::Chat.body("gpt-4o", false, "hi").to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!gateway.output().contains(&token));
        gateway.signal("KILL");
        home = gateway.kill();
        tokens.push(token);
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "a generated key stays what it is");
}

/// What `tollgate keys` shows of the one key that was made.
async fn made_token(home: &Home) -> String {
    let mut command = home.command("keys");
    command.arg("--data").arg(home.path().join("data"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let (id, token) = shown.trim().split_once('\t').unwrap();
    assert_eq!(id, "vk-everything");
    token.to_owned()
}

#[tokio::test]
async fn the_start_says_whether_a_key_is_needed() {
    let scene = Scene::start().await;
    let said = |line: &Value| {
        line["fields"]["message"].as_str().is_some_and(|text| text.starts_with("a virtual key is needed"))
    };
    scene.gateway.events.wait_for("whether a key is needed", said).await;
    let line = scene.gateway.events.wait_for("the policy", |line| says(line, "policy compiled")).await;
    assert_eq!((&line["fields"]["providers"], &line["fields"]["keys"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_used_again() {
    let mut scene = Scene::start().await;
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    let address = scene.fake.addr();
    // The pooled connection dies with the provider; the next request must not be lost to it.
    scene.fake = super::support::config::fake();
    let gone = scene.asked(Api::Chat, "gpt-4o", false).await;
    assert_eq!(gone.status, 502, "{}", gone.text());
    scene.fake = loadtest::fake::FakeProvider::start(address).unwrap();
    assert_eq!(scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
    let served = |entries: &[loadtest::fake::Entry]| entries.len() == 1 && entries[0].finished;
    scene.fake.books().wait_for(served, PATIENCE).await.unwrap();
}
