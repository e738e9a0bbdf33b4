//! The configuration file is edited while the gateway serves: what is right is in force soon, what is wrong is kept out and told, and
//! no request notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, config, fake, key};
use super::support::process::Gateway;
use super::support::scene::{Reply, client, reply};
use super::support::{PATIENCE, soon};

const OTHER: &str = "sk-bf-canary-other";

struct Live {
    gateway: Gateway,
    client: reqwest::Client,
    config: Value,
    _fake: loadtest::fake::FakeProvider,
}

impl Live {
    async fn start() -> Self {
        let fake = fake();
        let mut config = config(&fake.url());
        config["governance"]["teams"] = json!([{"id": "t1", "name": "one"}]);
        let gateway = Gateway::start(&config).await;
        Self { gateway, client: client(), config, _fake: fake }
    }

    async fn ask(&self, token: &str) -> Reply {
        let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]});
        let url = self.gateway.url("/v1/chat/completions");
        reply(self.client.post(url).bearer_auth(token).body(body.to_string())).await
    }

    /// Edits the file, and waits until the gateway tells that it has seen it.
    async fn edit(&mut self, change: impl FnOnce(&mut Value), told: &str) -> Value {
        change(&mut self.config);
        self.write(&self.config.to_string(), told).await
    }

    async fn write(&self, text: &str, told: &str) -> Value {
        let of_it =
            |lines: &[Value]| lines.iter().filter(|line| message(line).contains(told)).cloned().collect::<Vec<_>>();
        let before = of_it(&self.gateway.events.json()).len();
        self.gateway.folder().write(text);
        let lines = self.gateway.events.wait_until(told, |lines| of_it(lines).len() > before).await;
        of_it(&lines).pop().unwrap()
    }
}

fn message(line: &Value) -> &str {
    line["fields"]["message"].as_str().unwrap_or_default()
}

const TAKEN: &str = "has changed and is in force";
const REFUSED: &str = "has changed and cannot be used";

#[tokio::test]
async fn a_key_that_is_written_opens_and_one_that_is_taken_out_no_longer() {
    let mut live = Live::start().await;
    assert_eq!((live.ask(KEY).await.status, live.ask(OTHER).await.status), (200, 401));
    live.edit(|config| add_key(config, key("other", OTHER, &["openai"])), TAKEN).await;
    assert_eq!(live.ask(OTHER).await.status, 200);
    live.edit(|config| drop(config["governance"]["virtual_keys"].as_array_mut().unwrap().remove(0)), TAKEN).await;
    assert_eq!((live.ask(KEY).await.status, live.ask(OTHER).await.status), (401, 200));
}

#[tokio::test]
async fn a_wrong_edit_is_kept_out_and_named_and_the_next_right_one_counts() {
    let mut live = Live::start().await;
    let told = live.edit(|config| config["governance"]["virtual_keys"][0]["team_id"] = json!("t9"), REFUSED).await;
    assert!(message(&told).contains("governance.virtual_keys[0].team_id"), "{told}");
    assert_eq!(live.ask(KEY).await.status, 200, "the policy is what it was");
    live.edit(|config| config["governance"]["virtual_keys"][0]["is_active"] = json!(false), REFUSED).await;
    live.edit(|config| config["governance"]["virtual_keys"][0]["team_id"] = json!("t1"), TAKEN).await;
    assert_eq!(live.ask(KEY).await.status, 403);
}

#[tokio::test]
async fn a_half_written_file_is_kept_out_and_the_whole_one_counts() {
    let mut live = Live::start().await;
    add_key(&mut live.config, key("other", OTHER, &["openai"]));
    let text = live.config.to_string();
    live.write(&text[..text.len() / 2], REFUSED).await;
    assert_eq!((live.ask(KEY).await.status, live.ask(OTHER).await.status), (200, 401));
    live.write(&text, TAKEN).await;
    assert_eq!(live.ask(OTHER).await.status, 200);
}

#[tokio::test]
async fn what_is_read_at_start_alone_is_told_when_it_changes() {
    let mut live = Live::start().await;
    let told =
        live.edit(|config| config["server"] = json!({"shutdown_delay_ms": 7}), "read when the gateway starts").await;
    assert!(message(&told).contains("`server`"), "{told}");
}

#[tokio::test]
async fn no_request_fails_while_the_policy_changes_under_load() {
    let mut live = Live::start().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let url = live.gateway.url("/v1/chat/completions");
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, url, is_over) = (live.client.clone(), url.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).to_string();
                let mut answered = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let reply = reply(client.post(&url).bearer_auth(KEY).body(body.clone())).await;
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for round in 0..5 {
        live.edit(
            |config| add_key(config, key(&format!("k{round}"), &format!("sk-bf-canary-{round}"), &["openai"])),
            TAKEN,
        )
        .await;
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(tokio::time::timeout(PATIENCE, caller).await.unwrap().unwrap() > 0);
    }
    assert_eq!(soon(live.ask("sk-bf-canary-4")).await.status, 200);
}
