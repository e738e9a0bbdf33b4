//! Commands for what is kept, beside a running gateway: the audit log, the encryption key, migrations, backups.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::support::config::{KEY, config, fake};
use super::support::limits::{COIN, TOKEN, budget, coin_body, govern, with_price};
use super::support::process::{Gateway, Home};
use super::support::scene::{client, metric, reply};
use super::support::soon;
use super::support::sse::Api;

const SPENT: &str = "tollgate_budget_spent_nanodollars{budget=\"b\"} ";

/// Runs `tollgate WORDS… --config … --data …`.
async fn run(home: &Home, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(words).arg("--config").arg(home.path().join("config.json")).arg("--data").arg(home.data());
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output { status, stdout, stderr } = soon(ran).await.unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap().trim().to_owned())
}

/// A key with a budget, and one whose token is made.
fn base(url: &str) -> Value {
    let mut config = config(url);
    with_price(&mut config);
    govern(&mut config, "budgets", budget("b", 1_000));
    config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
    govern(&mut config, "virtual_keys", json!({"id": "vk-made", "name": "made", "allow_all_providers": true}));
    config
}

async fn spend(gateway: &Gateway) {
    let body = coin_body(Api::Chat, COIN, false, Some(7)).to_string();
    let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY);
    assert_eq!(reply(request.header("content-type", "application/json").body(body)).await.status, 200);
}

#[tokio::test]
async fn the_audit_log_is_verified_and_exported_beside_a_running_gateway() {
    let fake = fake();
    let gateway = Gateway::start(&base(&fake.url())).await;
    let home = gateway.folder();
    let (is_whole, told) = run(home, &["audit", "verify"]).await;
    let rows: usize =
        told.strip_prefix("the audit log is whole: ").unwrap().strip_suffix(" rows").unwrap().parse().unwrap();
    assert!(is_whole && rows > 3, "{told}");
    let (is_done, lines) = run(home, &["audit", "export"]).await;
    assert!(is_done, "{lines}");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), rows);
    for (line, seq) in lines.iter().zip(1..) {
        assert_eq!(line["seq"], seq);
    }
    assert!(lines.windows(2).all(|pair| pair[1]["previous_mac"] == pair[0]["mac"]));
    assert!(!lines.iter().any(|line| line.to_string().contains("canary")), "no secret is in it");
}

#[tokio::test]
async fn a_rotated_key_opens_what_was_sealed_and_calls_go_on_meanwhile() {
    let fake = fake();
    let gateway = Gateway::start(&base(&fake.url())).await;
    let key_file = gateway.folder().data().join("encryption.key");
    let old = std::fs::read_to_string(&key_file).unwrap();
    let (_, tokens) = run(gateway.folder(), &["keys"]).await;
    let (is_done, told) = run(gateway.folder(), &["seal", "rotate"]).await;
    assert!(is_done && told.contains("were sealed anew") && told.contains("restart every gateway"), "{told}");
    let new = std::fs::read_to_string(&key_file).unwrap();
    assert!(new != old && new.len() >= 32);
    spend(&gateway).await;
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    spend(&gateway).await;
    assert_eq!(run(gateway.folder(), &["keys"]).await, (true, tokens.clone()));
    let (_, audit) = run(gateway.folder(), &["audit", "export"]).await;
    assert!(
        audit.lines().any(|line| line.contains("\"rotate\"")) && run(gateway.folder(), &["audit", "verify"]).await.0
    );

    // As if it had been broken off just before the key file was replaced.
    let home = gateway.kill();
    std::fs::rename(&key_file, home.data().join("encryption.key.next")).unwrap();
    std::fs::write(&key_file, &old).unwrap();
    let gateway = Gateway::start_in(home, &[]).await;
    assert_eq!(run(gateway.folder(), &["keys"]).await, (true, tokens));
    assert_eq!(std::fs::read_to_string(&key_file).unwrap(), new);
    assert!(!gateway.folder().data().join("encryption.key.next").exists());
}

#[tokio::test]
async fn a_configured_key_is_rotated_to_one_that_is_given() {
    let fake = fake();
    let mut config = base(&fake.url());
    config["encryption_key"] = json!("the old key");
    let home = Home::new(&config);
    let (_, tokens) = run(&home, &["keys"]).await;
    let (is_done, told) = run(&home, &["seal", "rotate"]).await;
    assert!(!is_done && told.contains("TOLLGATE_NEW_ENCRYPTION_KEY"), "{told}");
    let file = home.path().join("new.key");
    std::fs::write(&file, "the new key\n").unwrap();
    let (is_done, told) = run(&home, &["seal", "rotate", "--new-key-file", file.to_str().unwrap()]).await;
    assert!(is_done && told.contains("`encryption_key` must be the new key"), "{told}");
    let (is_open, told) = run(&home, &["keys"]).await;
    assert!(!is_open && told.contains("another encryption key"), "{told}");
    config["encryption_key"] = json!("the new key");
    home.write(&config.to_string());
    assert_eq!(run(&home, &["keys"]).await, (true, tokens));
    assert!(!home.data().join("encryption.key").exists());
}

#[tokio::test]
async fn migrations_are_run_and_told() {
    let home = Home::new(&base("http://127.0.0.1:9"));
    let (is_done, told) = run(&home, &["migrate"]).await;
    assert!(is_done && told.starts_with("the tables were made, with version "), "{told}");
    let (is_done, told) = run(&home, &["migrate"]).await;
    assert!(is_done && told.starts_with("nothing to do: the tables have version "), "{told}");
}

#[tokio::test]
async fn a_backup_of_a_running_gateway_is_taken_back_with_what_was_spent_then() {
    let fake = fake();
    let gateway = Gateway::start(&base(&fake.url())).await;
    let (_, tokens) = run(gateway.folder(), &["keys"]).await;
    spend(&gateway).await;
    let charged = metric(&client(), &gateway, SPENT).await.unwrap();
    assert!(charged > 0 && charged <= 7 * TOKEN);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("tollgate.backup");
    let backup = file.to_str().unwrap();
    let (is_done, told) = run(gateway.folder(), &["backup", "--to", backup]).await;
    assert!(is_done && told.contains("bytes"), "{told}");
    let (is_done, told) = run(gateway.folder(), &["backup", "--to", backup]).await;
    assert!(!is_done && told.contains(backup), "it is not overwritten: {told}");
    spend(&gateway).await;
    assert!(metric(&client(), &gateway, SPENT).await.unwrap() > charged);
    let (is_done, told) = run(gateway.folder(), &["restore", "--from", backup]).await;
    assert!(!is_done && told.contains("is used by another gateway"), "{told}");
    let home = gateway.kill();
    let (is_done, told) = run(&home, &["restore", "--from", backup]).await;
    assert!(is_done && told.contains("before-restore"), "{told}");
    let gateway = Gateway::start_in(home, &[]).await;
    assert_eq!(metric(&client(), &gateway, SPENT).await, Some(charged));
    assert_eq!(run(gateway.folder(), &["keys"]).await, (true, tokens));
    spend(&gateway).await;
}
