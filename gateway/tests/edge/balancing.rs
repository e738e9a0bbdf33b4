//! Adaptive load balancing over real calls: what answers late, or says that little of its limits is left, gets less.

use serde_json::json;

use super::support::sse::Api;
use super::support::targets::{Setup, Targets};

const CALLS: usize = 40;
/// By weight a target gets twenty of them, give or take three.
const FEW: usize = 10;

/// Two targets of the same weight, so many of them spread as `balance` says.
async fn pair(balance: &str) -> Targets {
    Setup::of("openai", 2).weights(&[1.0, 1.0]).client("load_balancing", json!(balance)).start().await
}

async fn call(targets: &Targets, count: usize) {
    for n in 0..count {
        assert_eq!(targets.asked(Api::Chat, n % 2 == 0).await.status, 200);
    }
}

#[tokio::test]
async fn a_slow_target_gets_next_to_nothing_under_adaptive_balancing() {
    for (balance, most) in [("adaptive", FEW), ("weighted", CALLS)] {
        let targets = pair(balance).await;
        targets.let_do(0, "~first_delay_ms=300");
        call(&targets, CALLS).await;
        let slow = targets.seen()[0];
        assert!(slow <= most, "{balance}: {slow} of {CALLS}");
        if balance == "weighted" {
            assert!(slow > FEW, "{slow} of {CALLS}: the weights are the same");
        }
    }
}

#[tokio::test]
async fn a_target_that_says_that_little_is_left_gets_less() {
    let targets = pair("adaptive").await;
    // Both take so long that the rest hardly matters.
    targets.let_do(0, "~first_delay_ms=200~headroom=0");
    targets.let_do(1, "~first_delay_ms=200~headroom=900");
    call(&targets, CALLS / 2).await;
    let [exhausted, other] = targets.seen()[..] else { panic!("two targets") };
    assert!(exhausted < other, "{exhausted} to {other}");
}

#[tokio::test]
async fn a_rule_decides_how_its_own_targets_are_spread() {
    let mut rule = super::support::targets::rule("r", "true", &[("p0", 0.5), ("p1", 0.5)], &[]);
    rule["load_balancing"] = json!("adaptive");
    let targets = Setup::of("openai", 2).client("load_balancing", json!("weighted")).rule(rule).start().await;
    targets.let_do(0, "~first_delay_ms=300");
    call(&targets, CALLS).await;
    assert!(targets.seen()[0] <= FEW, "{:?}", targets.seen());
}
