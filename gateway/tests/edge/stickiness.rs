//! Calls of one session keep to one provider and one credential for as long as these are well.

use std::collections::BTreeMap;

use loadtest::fake::Entry;

use super::support::config::{add_key, key};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

const CREDENTIALS: [&str; 3] = ["a", "b", "c"];

/// Two providers of the same weight, with three credentials each.
async fn spread() -> Targets {
    let setup = Setup::of("openai", 2).retries(0).weights(&[1.0, 1.0]);
    setup.credentials(0, &CREDENTIALS).credentials(1, &CREDENTIALS).start().await
}

/// A call of a session, streamed or not.
async fn asked(targets: &Targets, session: &str, stream: bool) -> Reply {
    let answer = reply(targets.ask(Api::Chat, stream).header("x-bf-session-id", session)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// Where the calls since the books were cleared went: provider and credential.
fn ways(targets: &Targets) -> Vec<(usize, String)> {
    let way = |(provider, entry): (usize, Entry)| (provider, entry.credential().unwrap().to_owned());
    targets.walked().into_iter().map(way).collect()
}

/// Where a call of each session goes.
async fn homes(targets: &Targets, sessions: &[String]) -> Vec<(usize, String)> {
    targets.forget();
    for session in sessions {
        asked(targets, session, false).await;
    }
    ways(targets)
}

fn sessions(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("session-{n}")).collect()
}

#[tokio::test]
async fn a_session_keeps_to_one_credential_of_one_provider() {
    let targets = spread().await;
    for n in 0..50 {
        asked(&targets, "the-same", n % 2 == 0).await;
    }
    let ways = ways(&targets);
    assert!(ways.iter().all(|way| *way == ways[0]), "{ways:?}");
    assert_eq!(ways.len(), 50);
    let headers = targets.walked().into_iter().flat_map(|(_, entry)| entry.headers);
    assert!(headers.into_iter().all(|(name, _)| name != "x-bf-session-id"), "the session is not the vendor's business");
}

#[tokio::test]
async fn sessions_are_spread_over_all_ways() {
    let targets = spread().await;
    let homes = homes(&targets, &sessions(240)).await;
    let mut counts = BTreeMap::<_, usize>::new();
    homes.into_iter().for_each(|home| *counts.entry(home).or_default() += 1);
    // 40 are expected of each; 10 or 70 are five standard deviations away.
    assert!(counts.len() == 6 && counts.values().all(|count| (10..=70).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn calls_without_a_session_are_spread_over_all_ways() {
    let targets = spread().await;
    for _ in 0..120 {
        assert_eq!(targets.asked(Api::Chat, false).await.status, 200);
    }
    let mut ways = ways(&targets);
    ways.sort();
    ways.dedup();
    assert_eq!(ways.len(), 6);
}

#[tokio::test]
async fn sessions_leave_a_refused_credential_and_no_other() {
    let targets = spread().await;
    let sessions = sessions(40);
    let before = homes(&targets, &sessions).await;
    let (refused, secret) = (before[0].0, before[0].1.clone());
    targets.let_do(refused, &format!("~error=bad_key~badkey={secret}"));
    // The first one finds out.
    asked(&targets, &sessions[0], false).await;
    let after = homes(&targets, &sessions).await;
    assert_eq!(after.len(), sessions.len(), "nobody tries it again");
    for (n, (before, after)) in before.iter().zip(&after).enumerate() {
        if *before == (refused, secret.clone()) {
            assert_ne!(before, after, "session {n}");
            assert_eq!(before.0, after.0, "the provider is well");
        } else {
            assert_eq!(before, after, "session {n} had no reason to move");
        }
    }
}

#[tokio::test]
async fn a_session_passes_its_throttled_credential_over() {
    let targets = spread().await;
    asked(&targets, "mine", false).await;
    let (provider, secret) = ways(&targets).remove(0);
    targets.let_do(provider, &format!("~error=rate_limit~retry_after=30~badkey={secret}"));
    targets.forget();
    for n in 0..10 {
        asked(&targets, "mine", n % 2 == 0).await;
    }
    let ways = ways(&targets);
    assert_eq!(ways.len(), 11, "it is found out once: {ways:?}");
    assert_eq!(ways[0], (provider, secret.clone()));
    assert!(ways[1..].iter().all(|way| *way == ways[1] && way.1 != secret), "and then kept to another: {ways:?}");
}

#[tokio::test]
async fn a_session_of_a_provider_that_is_down_moves_once_and_stays() {
    let targets = spread().await;
    asked(&targets, "mine", false).await;
    let (provider, _) = ways(&targets).remove(0);
    targets.let_do(provider, "~status=500");
    targets.forget();
    for _ in 0..10 {
        let answer = asked(&targets, "mine", false).await;
        assert_eq!(answer.header("x-tollgate-provider"), Some(format!("p{}", 1 - provider).as_str()));
    }
    let elsewhere: Vec<_> = ways(&targets).into_iter().filter(|way| way.0 != provider).collect();
    assert!(elsewhere.len() == 10 && elsewhere.iter().all(|way| *way == elsewhere[0]), "{elsewhere:?}");
}

#[tokio::test]
async fn two_virtual_keys_may_use_the_same_name_for_a_session() {
    const OTHER: &str = "sk-bf-canary-other";
    let setup = Setup::of("openai", 1).credentials(0, &CREDENTIALS).with(|config| {
        add_key(config, key("other", OTHER, &["p0"]));
    });
    let targets = setup.start().await;
    let mut differs = false;
    for session in sessions(30) {
        targets.forget();
        asked(&targets, &session, false).await;
        let theirs = targets.ask_as(OTHER, false);
        assert_served(&reply(theirs.header("x-bf-session-id", &session)).await, 0, &[]);
        let ways = ways(&targets);
        differs |= ways[0] != ways[1];
    }
    assert!(differs, "where one caller's session goes is nothing to another's");
}
