//! A caller's own credential (`client.allow_direct_keys`): it is shown to one provider and no other, once, and beside none of ours.

use loadtest::fake::Entry;
use serde_json::json;

use super::support::config::{KEY, vendor_secret};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// What the caller brings.
const OWN: &str = "callers-own-credential";

/// Three providers with four credentials each, any of which a call may use.
fn three(api: Api) -> Setup {
    let setup = Setup::of(api.vendor(), 3).client("allow_direct_keys", json!(true));
    let names = ["a", "b", "c", "d"];
    (0..3).fold(setup, |setup, target| setup.credentials(target, &names))
}

/// Asks with the caller's own credential.
async fn asked_with_own(targets: &Targets, api: Api, stream: bool) -> Reply {
    let body = api.body(api.model(), stream, "12345678").to_string();
    let request = targets.client.post(targets.gateway.url(&api.path(api.model(), stream))).header("x-bf-vk", KEY);
    reply(request.bearer_auth(OWN).header("content-type", "application/json").body(body)).await
}

/// The providers that were shown the caller's credential, in order.
fn shown_own(targets: &Targets) -> Vec<usize> {
    let has_own = |entry: &Entry| entry.credentials.iter().any(|credential| credential.value == OWN);
    targets.walked().iter().filter(|(_, entry)| has_own(entry)).map(|(n, _)| *n).collect()
}

#[tokio::test]
async fn a_callers_own_credential_is_shown_once_whatever_the_provider_says() {
    for api in APIS {
        for fault in [
            "~error=bad_key",
            "~error=rate_limit~retry_after=60",
            "~error=quota",
            "~error=forbidden",
            "~status=401",
            "~error_200~error=rate_limit",
        ] {
            for stream in [false, true] {
                let targets = three(api).retries(0).does(0, &format!("{fault}~badkey={OWN}")).start().await;
                let told = asked_with_own(&targets, api, stream).await;
                assert!(told.text().contains("error"), "{api:?} {fault}: {}", told.text());
                assert_eq!(shown_own(&targets), [0], "{api:?} {fault}, stream: {stream}");
                assert_eq!(targets.seen(), [1, 0, 0], "{api:?} {fault}: and ours to nobody");
            }
        }
    }
}

#[tokio::test]
async fn a_callers_own_credential_does_not_move_to_another_provider() {
    for api in APIS {
        for fault in ["~status=503", "~reset_before_header", "~hangup_before_header", "~error=overloaded", "~error_200"]
        {
            let targets = three(api).does(0, fault).network("circuit_breaker", json!(false)).start().await;
            let told = asked_with_own(&targets, api, true).await;
            assert!(told.text().contains("error"), "{api:?} {fault}: {}", told.text());
            let own = shown_own(&targets);
            assert!(!own.is_empty() && own.iter().all(|n| *n == 0), "{api:?} {fault}: {own:?}");
            let seen = targets.seen();
            assert_eq!(seen[1..], [0, 0], "{api:?} {fault}");
            assert!(seen[0] <= 3, "{api:?} {fault}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_callers_own_credential_goes_where_ours_were_refused() {
    for api in APIS {
        for stream in [false, true] {
            let fault = format!("~error=bad_key~badkey={}", vendor_secret(""));
            let targets = three(api).does(0, &fault).start().await;
            for _ in 0..2 {
                assert_eq!(targets.asked(api, stream).await.status, 200);
            }
            assert_eq!(shown_own(&targets), Vec::<usize>::new());
            targets.forget();
            let served = asked_with_own(&targets, api, stream).await;
            assert_served(&served, 0, &[]);
            assert_eq!((shown_own(&targets), targets.seen()), (vec![0], vec![1, 0, 0]), "{api:?}");
        }
    }
}

#[tokio::test]
async fn a_callers_own_credential_that_is_refused_where_ours_were_too_is_shown_once() {
    for api in APIS {
        for fault in ["~error=bad_key", "~error=rate_limit"] {
            let targets = three(api).retries(0).does(0, fault).start().await;
            targets.asked(api, false).await;
            targets.forget();
            let told = asked_with_own(&targets, api, false).await;
            assert!(told.status >= 400, "{api:?} {fault}: {}", told.text());
            assert_eq!((shown_own(&targets).len(), targets.walked().len()), (1, 1), "{api:?} {fault}");
        }
    }
}

#[tokio::test]
async fn a_callers_own_credential_does_not_follow_a_fallback_of_the_request() {
    for api in APIS {
        let targets = three(api).retries(0).does(0, "~status=503").start().await;
        let mut body = api.body(api.model(), false, "12345678");
        body["fallbacks"] = json!(["p1", "p2"]);
        let request = targets.client.post(targets.gateway.url(&api.path(api.model(), false))).header("x-bf-vk", KEY);
        let told = reply(request.bearer_auth(OWN).body(body.to_string())).await;
        assert_eq!(told.status, 503, "{api:?}: {}", told.text());
        assert_eq!((shown_own(&targets), targets.seen()), (vec![0], vec![1, 0, 0]), "{api:?}");
    }
}
