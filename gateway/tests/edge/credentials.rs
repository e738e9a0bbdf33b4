//! Several credentials of one provider: which one a call gets, and what is learnt from those that are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key, vendor_secret};
use super::support::scene::reply;
use super::support::soon;
use super::support::sse::{Api, reason};
use super::support::targets::{Setup, Targets, assert_served, assert_trail};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// A virtual key that may use one credential of the provider.
const NARROW: &str = "sk-bf-canary-narrow";

/// One provider with two credentials: `a` gets all calls while it is well, `b` the others. No retries.
fn two(api: Api) -> Setup {
    Setup::of(api.vendor(), 1).retries(0).credentials(0, &["a", "b"]).with(|config| weigh(config, "b", json!(0)))
}

fn weigh(config: &mut Value, credential: &str, weight: Value) {
    let keys = config["providers"]["p0"]["keys"].as_array_mut().unwrap();
    keys.iter_mut().find(|key| key["name"] == credential).unwrap()["weight"] = weight;
}

/// The credentials that the provider was shown, in order.
fn shown(targets: &Targets) -> Vec<String> {
    let name = |secret: &str| secret.strip_prefix(&vendor_secret("")).unwrap().to_owned();
    targets.walked().iter().map(|(_, entry)| name(entry.credential().unwrap())).collect()
}

/// The fault is for this credential alone.
fn only_for(credential: &str, fault: &str) -> String {
    format!("{fault}~badkey={}", vendor_secret(credential))
}

#[tokio::test]
async fn credentials_are_used_by_their_weights() {
    let setup = Setup::of("openai", 1).credentials(0, &["most", "some", "none", "by-name", "disabled"]);
    let setup = setup.with(|config| {
        for (name, weight) in [("most", json!(4)), ("some", json!(1)), ("none", json!(0)), ("by-name", json!(null))] {
            weigh(config, name, weight);
        }
        config["providers"]["p0"]["keys"][4]["enabled"] = json!(false);
    });
    let targets = setup.start().await;
    for n in 0..400 {
        assert_eq!(targets.asked(Api::Chat, n % 2 == 0).await.status, 200);
    }
    let mut counts = BTreeMap::<String, usize>::new();
    shown(&targets).into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    // 320 are expected; more than 40 away is five standard deviations.
    assert!((280..=360).contains(&counts["most"]), "{counts:?}");
    assert_eq!(counts["most"] + counts["some"], 400, "{counts:?}");
}

#[tokio::test]
async fn a_refused_credential_is_not_shown_again_by_any_call_while_another_is_there() {
    for api in APIS {
        // Google's quotas are of a minute or a day and of one model, which is to be throttled.
        let quota = if api == Api::Gemini { None } else { Some("quota") };
        for error in ["bad_key", "no_credit"].into_iter().chain(quota) {
            let targets = two(api).does(0, &only_for("a", &format!("~error={error}"))).start().await;
            for stream in [false, true] {
                let reply = targets.asked(api, stream).await;
                let before: &[_] = if stream { &[] } else { &[("p0/a", "credential_refused")] };
                assert_served(&reply, 0, before);
                assert!(!reply.text().contains(&vendor_secret("")), "{}", reply.text());
            }
            // Another model, for which nothing is known yet.
            let other = targets.asked_for(api, "p0/another-model", false).await;
            assert_served(&other, 0, &[]);
            assert_eq!(shown(&targets), ["a", "b", "b", "b"], "{api:?} {error}");
        }
    }
}

#[tokio::test]
async fn a_credential_that_is_not_for_a_model_is_not_shown_for_it_again_but_for_others() {
    for api in APIS {
        let other = match api {
            Api::Messages => "claude-haiku-4-5",
            Api::Gemini => "gemini-2.5-pro",
            _ => "gpt-4.1",
        };
        for error in ["forbidden", "no_model", "no_deployment"] {
            let targets = two(api).does(0, &only_for("a", &format!("~error={error}"))).start().await;
            assert_served(&targets.asked(api, false).await, 0, &[("p0/a", "not_for_credential")]);
            assert_served(&targets.asked(api, true).await, 0, &[]);
            targets.let_do(0, "");
            assert_served(&targets.asked_for(api, other, false).await, 0, &[]);
            assert_eq!(shown(&targets), ["a", "b", "b", "a"], "{api:?} {error}");
        }
    }
}

#[tokio::test]
async fn when_every_credential_is_refused_the_caller_hears_of_no_secret() {
    for api in APIS {
        let targets = two(api).does(0, "~error=bad_key").start().await;
        let reply = targets.asked(api, false).await;
        let body = reply.json();
        assert_eq!((reply.status, reason(&body)), (502, Some("upstream_credentials_exhausted")), "{api:?}: {body}");
        assert_trail(&reply, &[("p0/a", "credential_refused"), ("p0/b", "credential_refused")]);
        assert!(!reply.text().contains("API key"), "the vendor's words may quote it: {}", reply.text());
        // Refused or not: there is nothing better, so they are tried, and the vendor may have changed its mind.
        targets.let_do(0, "");
        assert_served(&targets.asked(api, false).await, 0, &[]);
    }
}

#[tokio::test]
async fn a_throttled_credential_is_passed_over_until_it_may_be_used_again() {
    for api in APIS {
        let fault = only_for("a", "~error=rate_limit~retry_after_ms=400~failfirst=1");
        let targets = two(api).does(0, &fault).start().await;
        assert_served(&targets.asked(api, false).await, 0, &[("p0/a", "throttled")]);
        assert_eq!(shown(&targets), ["a", "b"], "another credential is no retry, and needs no pause");
        let again = soon(async {
            loop {
                assert_served(&targets.asked(api, false).await, 0, &[]);
                let walked = targets.walked();
                let shown = shown(&targets);
                if let Some(at) = (1..shown.len()).find(|at| shown[*at] == "a") {
                    return walked[at].1.received_us - walked[0].1.answered_us().unwrap();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let again = again.await;
        assert!(again >= 400_000, "{api:?}: shown again after {again} µs");
    }
}

#[tokio::test]
async fn a_refused_credential_comes_back_when_it_is_good_again() {
    let targets = two(Api::Chat).does(0, &only_for("a", "~error=bad_key")).start().await;
    assert_served(&targets.asked(Api::Chat, false).await, 0, &[("p0/a", "credential_refused")]);
    targets.let_do(0, "");
    soon(async {
        while shown(&targets).iter().filter(|name| *name == "a").count() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_served(&targets.asked(Api::Chat, false).await, 0, &[]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_credential_is_used_for_the_models_that_it_lists() {
    let setup = Setup::of("openai", 1).credentials(0, &["a", "b", "c"]).with(|config| {
        let keys = &mut config["providers"]["p0"]["keys"];
        keys[0]["models"] = json!(["gpt-4o", "own-model"]);
        keys[1]["models"] = json!(["gpt-4.1"]);
        keys[2]["blacklisted_models"] = json!(["gpt-4o", "gpt-4.1", "own-model", "nobodys"]);
    });
    let targets = setup.start().await;
    for (model, credential) in [("gpt-4o", "a"), ("own-model", "a"), ("gpt-4.1", "b"), ("gpt-4.1-mini", "c")] {
        targets.forget();
        for _ in 0..5 {
            assert_served(&targets.asked_for(Api::Chat, model, false).await, 0, &[]);
        }
        assert_eq!(shown(&targets), [credential; 5], "{model}");
    }
    targets.forget();
    let nobodys = targets.asked_for(Api::Chat, "nobodys", false).await;
    assert!((400..500).contains(&nobodys.status), "{}", nobodys.text());
    assert_eq!(targets.seen(), [0]);
}

#[tokio::test]
async fn each_credential_has_its_own_name_for_a_model() {
    for api in APIS {
        let setup = two(api).with(|config| {
            let keys = &mut config["providers"]["p0"]["keys"];
            keys[0]["aliases"] = json!({api.model(): "deployed-at-a"});
            keys[1]["deployments"] = json!({api.model(): "deployed-at-b"});
        });
        let targets = setup.does(0, &only_for("a", "~error=bad_key")).start().await;
        let reply = targets.asked(api, false).await;
        assert_served(&reply, 0, &[("p0/a", "credential_refused")]);
        assert_eq!(reply.header("x-tollgate-model"), Some("deployed-at-b"), "{api:?}");
        let models: Vec<_> = targets.walked().into_iter().map(|(_, entry)| entry.model.unwrap()).collect();
        assert_eq!(models, ["deployed-at-a", "deployed-at-b"], "{api:?}");
        let line = targets.logged(&reply).await;
        assert_eq!([&line["model.asked"], &line["model.used"]], [api.model(), "deployed-at-b"], "{line}");
    }
}

/// Two credentials, and a virtual key that may use `b` alone.
async fn narrowed() -> Targets {
    let setup = two(Api::Chat).with(|config| {
        let mut narrow = key("narrow", NARROW, &["p0"]);
        narrow["provider_configs"][0]["key_ids"] = json!(["b"]);
        add_key(config, narrow);
    });
    setup.start().await
}

#[tokio::test]
async fn a_virtual_key_uses_only_the_credentials_that_it_may() {
    let targets = narrowed().await;
    let ask = || targets.ask_as(NARROW, false);
    for _ in 0..10 {
        assert_eq!(reply(ask()).await.status, 200);
    }
    assert_eq!(shown(&targets), ["b"; 10]);
    targets.let_do(0, &only_for("b", "~error=bad_key"));
    targets.forget();
    let refused = reply(ask()).await;
    assert_eq!(reason(&refused.json()), Some("upstream_credentials_exhausted"), "{}", refused.text());
    assert_eq!(shown(&targets), ["b"], "it has no other");
    targets.forget();
    assert_served(&targets.asked(Api::Chat, false).await, 0, &[]);
    assert_eq!(shown(&targets), ["a"], "which is well for those who may use it");
}

#[tokio::test]
async fn a_caller_may_name_the_credential() {
    for header in ["x-bf-api-key", "x-bf-api-key-id"] {
        let targets = narrowed().await;
        for _ in 0..10 {
            let pinned = reply(targets.ask(Api::Chat, false).header(header, "b")).await;
            assert_served(&pinned, 0, &[]);
        }
        assert_eq!(shown(&targets), ["b"; 10], "{header}");
        let entry = targets.fakes[0].books().last().unwrap();
        assert!(entry.headers.iter().all(|(name, _)| !name.starts_with("x-bf-")), "{:?}", entry.headers);
        targets.let_do(0, &only_for("b", "~error=bad_key"));
        targets.forget();
        let refused = reply(targets.ask(Api::Chat, false).header(header, "b")).await;
        assert_eq!(reason(&refused.json()), Some("upstream_credentials_exhausted"), "{}", refused.text());
        assert_eq!(shown(&targets), ["b"], "{header}: no other one was wanted");
    }
}

#[tokio::test]
async fn a_credential_that_is_not_there_or_not_the_callers_cannot_be_named() {
    let targets = narrowed().await;
    for header in ["x-bf-api-key", "x-bf-api-key-id"] {
        for (token, name) in [(NARROW, "a"), (NARROW, "nobody"), (KEY, "nobody")] {
            let refused = reply(targets.ask_as(token, false).header(header, name)).await;
            let body = refused.json();
            assert_eq!((refused.status, reason(&body)), (502, Some("upstream_credentials_exhausted")), "{body}");
            assert!(refused.text().contains(name), "{body}");
        }
    }
    assert_eq!(targets.seen(), [0]);
}

#[tokio::test]
async fn what_a_vendor_thinks_of_a_callers_own_credential_says_nothing_about_ours() {
    let setup = Setup::of("openai", 2).retries(0).client("allow_direct_keys", json!(true));
    let targets = setup.does(0, "~error=bad_key~badkey=callers-own").start().await;
    let own = targets.client.post(targets.gateway.url("/v1/chat/completions")).header("x-bf-vk", KEY);
    let own = own.bearer_auth("callers-own-credential").body(Api::Chat.body("gpt-4o", false, "hi").to_string());
    let refused = reply(own).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert!(refused.text().contains("Incorrect API key provided"), "it is theirs to know: {}", refused.text());
    assert_eq!(targets.seen(), [1, 0], "another vendor is not shown it");
    assert_served(&targets.asked(Api::Chat, false).await, 0, &[]);
}
