//! `tollgate explain` beside a running gateway: what stands on each account that a call touches, and whether it could take the call.

use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::limits::{COIN, assert_paid, assert_refused, budget, coins, requests};
use super::support::process::Home;
use super::support::soon;
use super::support::sse::Api;

/// What the command tells as JSON, and whether the call would go ahead.
async fn explained(home: &Home, model: &str) -> (bool, Value) {
    let mut command = home.command("explain");
    command.arg("--data").arg(home.path().join("data")).args(["--key", KEY, "--model", model, "--json"]);
    let output = soon(tokio::task::spawn_blocking(move || command.output().unwrap())).await.unwrap();
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
}

fn account<'a>(told: &'a Value, id: &str, unit: &str) -> &'a Value {
    let accounts = told["accounts"].as_array().unwrap();
    accounts.iter().find(|one| one["id"] == *id && one["unit"] == *unit).unwrap_or_else(|| panic!("{told}"))
}

#[tokio::test]
async fn each_account_of_a_call_is_told_with_what_is_used_and_left() {
    let targets = coins("openai", 1)
        .govern("budgets", budget("b", 1_000))
        .govern("budgets", budget("p", 900))
        .govern("rate_limits", requests("rl", 3, "1h"))
        .govern("providers", json!({"name": "p0", "budget_id": "p"}))
        .key_field("budget_id", json!("b"))
        .key_field("rate_limit_id", json!("rl"))
        .start()
        .await;
    let home = targets.gateway.folder();
    let (goes_ahead, told) = explained(home, COIN).await;
    assert!(goes_ahead && told["verdict"] == "admitted", "{told}");
    assert_eq!(account(&told, "b", "usd")["used"], "0.000000000");

    assert_paid(&targets.pay(8).await);
    targets.until_idle().await;
    let call = targets.open(KEY, 0, "a", 8).await;
    // What was written before the command began is told, whether it is folded or not.
    let (goes_ahead, told) = explained(home, COIN).await;
    assert!(goes_ahead, "{told}");
    let (of_key, of_provider) = (account(&told, "b", "usd"), account(&told, "p", "usd"));
    assert_eq!((&of_key["holder"], &of_key["limit"]), (&json!("virtual_key"), &json!("1.000000000")));
    assert_eq!((&of_key["used"], &of_key["held"]), (&json!("0.008000000"), &json!("0.008000000")));
    assert_eq!((&of_provider["holder"], &of_provider["name"]), (&json!("provider"), &json!("p0")));
    assert!(of_key["resets_at"].as_str().unwrap().ends_with('Z'), "{told}");
    assert_eq!(account(&told, "rl", "requests")["used"], "2");
    assert_paid(&targets.finish(call).await);

    assert_paid(&targets.pay(8).await);
    targets.until_idle().await;
    let (goes_ahead, told) = explained(home, COIN).await;
    assert!(!goes_ahead && told["verdict"] == "refused", "{told}");
    assert_eq!(told["refusal"]["type"], "request_limited");
    let asked = targets.coin(KEY, Api::Chat, COIN, false, 8);
    let refused = super::support::scene::reply(asked).await;
    assert_refused(&refused, 429, "request_limited", &["3 of 3 requests"]);
}
