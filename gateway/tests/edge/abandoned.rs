//! Charges for attempts whose end nobody saw: listed by a command, and taken back by it.

use std::process::Command;

use serde_json::json;

use super::support::config::{KEY, config, fake};
use super::support::limits::{COIN, TOKEN, budget, coin_body, govern, with_price};
use super::support::process::{Gateway, Home};
use super::support::scene::{client, metric};
use super::support::sse::Api;
use super::support::{PATIENCE, soon};

const SPENT: &str = "tollgate_budget_spent_nanodollars{budget=\"b\"} ";

/// The folder of a gateway that was killed with a call of seven tokens in flight.
async fn killed_in_mid_call() -> Home {
    let fake = fake();
    let mut config = config(&fake.url());
    with_price(&mut config);
    govern(&mut config, "budgets", budget("b", 100));
    config["governance"]["virtual_keys"][0]["budget_id"] = json!("b");
    let gateway = Gateway::start(&config).await;
    let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY);
    let body = coin_body(Api::Chat, &format!("{COIN}~header_stall_ms=600000"), false, Some(7)).to_string();
    let call = tokio::spawn(request.header("content-type", "application/json").body(body).send());
    fake.books().wait_for(|entries| !entries.is_empty(), PATIENCE).await.unwrap();
    let home = gateway.kill();
    let _ = call.await;
    home
}

async fn abandoned(home: &Home, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("abandoned").arg("--data").arg(home.path().join("data")).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap().trim().to_owned())
}

#[tokio::test]
async fn a_charge_that_nobody_saw_the_end_of_is_listed_and_can_be_taken_back() {
    let home = killed_in_mid_call().await;
    let gateway = Gateway::start_in(home, &[]).await;
    let client = client();
    assert_eq!(metric(&client, &gateway, SPENT).await, Some(7 * TOKEN));
    let (is_listed, line) = soon(abandoned(gateway.folder(), &[])).await;
    let columns: Vec<_> = line.split('\t').collect();
    assert!(is_listed && line.lines().count() == 1, "{line}");
    assert!(columns[3].starts_with("openai/coin") && columns[4] == "0.007000000", "{line}");

    let (is_done, why) = soon(abandoned(gateway.folder(), &["--void", columns[0]])).await;
    assert!(!is_done && why.contains("is used by another gateway"), "{why}");

    let home = gateway.kill();
    let (is_done, told) = soon(abandoned(&home, &["--void", columns[0]])).await;
    assert!(is_done && told == "taken back: 0.007000000 USD of budget `b`", "{told}");
    let (is_done, why) = soon(abandoned(&home, &["--void", columns[0]])).await;
    assert!(!is_done && why.contains("taken back before"), "{why}");
    let (_, line) = soon(abandoned(&home, &[])).await;
    assert!(line.contains("taken back at "), "{line}");

    let gateway = Gateway::start_in(home, &[]).await;
    assert_eq!(metric(&client, &gateway, SPENT).await, Some(0));
}

#[tokio::test]
async fn what_was_never_abandoned_cannot_be_taken_back() {
    let home = Home::new(&json!({}));
    std::fs::create_dir(home.path().join("data")).unwrap();
    for name in ["1-1", "nonsense", ""] {
        let (is_done, why) = soon(abandoned(&home, &["--void", name])).await;
        assert!(!is_done && why.contains("no attempt"), "{why}");
    }
    assert_eq!(soon(abandoned(&home, &[])).await, (true, String::new()));
}
