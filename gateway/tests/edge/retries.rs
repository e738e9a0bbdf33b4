//! Asking the same target once more: when, how long after, how often at most, and what is told in the end.

use std::time::Duration;

use futures::StreamExt as _;
use loadtest::fake::FakeProvider;
use serde_json::json;

use super::support::PATIENCE;
use super::support::scene::{client, h2_client};
use super::support::sse::{Api, reason};
use super::support::targets::{Setup, assert_served, assert_trail, rule};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// Longer than any test waits.
const LONG: u64 = 60_000;

#[tokio::test]
async fn a_target_that_is_throttled_once_is_asked_again_when_it_says() {
    for api in APIS {
        for says in ["~retry_after_ms=300", "~retry_after=0.3"] {
            let setup = Setup::of(api.vendor(), 1).network("retry_backoff_max", json!(LONG));
            let targets = setup.does(0, &format!("~error=rate_limit~failfirst=1{says}")).start().await;
            let reply = targets.asked(api, false).await;
            assert_served(&reply, 0, &[("p0", "throttled")]);
            let pauses = targets.fakes[0].books().pauses();
            assert!(pauses.len() == 1 && pauses[0] >= Duration::from_millis(300), "{api:?}{says}: {pauses:?}");
        }
    }
}

#[tokio::test]
async fn a_date_in_retry_after_is_waited_for() {
    let setup = Setup::of("openai", 1).network("retry_backoff_max", json!(LONG));
    let targets = setup.does(0, "~error=overloaded~failfirst=1~retry_after_date=1").start().await;
    assert_served(&targets.asked(Api::Chat, true).await, 0, &[("p0", "unavailable")]);
    let pauses = targets.fakes[0].books().pauses();
    assert!(pauses.len() == 1 && pauses[0] >= Duration::from_millis(900), "{pauses:?}");
}

#[tokio::test]
async fn who_asks_for_too_much_patience_is_not_waited_for() {
    for api in APIS {
        let targets = Setup::of(api.vendor(), 1).does(0, "~error=rate_limit~retry_after=9").start().await;
        let reply = targets.asked(api, false).await;
        assert_eq!(reply.status, 429, "{api:?}: {}", reply.text());
        assert_trail(&reply, &[("p0", "throttled")]);
        assert_eq!(reply.header("retry-after"), Some("9"), "the vendor's own word");
        assert_eq!(targets.seen(), [1], "{api:?}");
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_call_may_take() {
    let setup = Setup::of("openai", 1).network("retry_backoff_max", json!(LONG));
    let setup = setup.network("default_request_timeout_in_seconds", json!(20));
    let targets = setup.does(0, "~error=overloaded~retry_after=30").start().await;
    let reply = targets.asked(Api::Chat, false).await;
    assert_eq!((reply.status, reply.header("retry-after"), targets.seen()), (503, Some("30"), vec![1]));
}

#[tokio::test]
async fn nobody_waits_for_a_throttled_target_while_another_one_is_there() {
    for api in APIS {
        for throttled in ["~error=rate_limit~retry_after=1", "~error=overloaded~retry_after=1"] {
            let setup = Setup::of(api.vendor(), 2).network("retry_backoff_max", json!(LONG));
            let targets = setup.does(0, throttled).start().await;
            let reply = targets.asked(api, true).await;
            let outcome = if throttled.contains("rate_limit") { "throttled" } else { "unavailable" };
            assert_served(&reply, 1, &[("p0", outcome)]);
            assert_eq!(targets.seen(), [1, 1], "{api:?}{throttled}");
        }
    }
}

#[tokio::test]
async fn a_target_that_is_throttled_for_ever_is_asked_so_often_and_has_the_last_word() {
    for api in APIS {
        let targets = Setup::of(api.vendor(), 1).does(0, "~status=429").start().await;
        for stream in [false, true] {
            targets.forget();
            let reply = targets.asked(api, stream).await;
            assert_eq!(reply.status, 429, "{api:?}: {}", reply.text());
            assert!(reply.text().contains("failed with 429 on demand"), "{api:?}: {}", reply.text());
            assert_trail(&reply, &[("p0", "throttled"); 3]);
            assert_eq!(targets.seen(), [3], "{api:?}: once, and two retries");
            let line = targets.logged(&reply).await;
            assert_eq!((&line["attempts"], &line["http.status"]), (&json!(3), &json!(429)), "{line}");
        }
    }
}

#[tokio::test]
async fn an_error_that_happens_once_is_not_seen_and_moves_nothing_elsewhere() {
    for api in APIS {
        let targets = Setup::of(api.vendor(), 2).start().await;
        for (fault, outcome) in [("~error=server_error", "unavailable"), ("~reset_before_header", "broken")] {
            for stream in [false, true] {
                targets.forget();
                targets.let_do(0, &format!("{fault}~failfirst=1~close"));
                assert_served(&targets.asked(api, stream).await, 0, &[("p0", outcome)]);
                assert_eq!(targets.seen(), [2, 0], "{api:?}{fault}");
            }
        }
    }
}

#[tokio::test]
async fn a_target_that_is_out_of_service_is_asked_so_often_and_has_the_last_word() {
    for api in APIS {
        let setup = Setup::of(api.vendor(), 1).network("circuit_breaker", json!(false));
        let targets = setup.does(0, "~status=503").start().await;
        for stream in [false, true] {
            targets.forget();
            let reply = targets.asked(api, stream).await;
            assert_eq!(reply.status, 503);
            assert!(reply.text().contains("failed with 503 on demand"), "{api:?}: {}", reply.text());
            assert_trail(&reply, &[("p0", "unavailable"); 3]);
            assert_eq!(targets.seen(), [3], "{api:?}");
        }
    }
}

#[tokio::test]
async fn how_often_a_target_is_asked_again_is_its_own_setting() {
    let setup = Setup::of("openai", 3).network_of(0, "max_retries", json!(0));
    let setup = setup.network_of(1, "max_retries", json!(1)).network_of(2, "max_retries", json!(4));
    let targets = setup.does(0, "~status=500").does(1, "~status=500").does(2, "~status=500").start().await;
    for (n, attempts) in [(0, 1), (1, 2), (2, 5)] {
        let reply = targets.asked_for(Api::Chat, &format!("p{n}/gpt-4o"), false).await;
        assert_trail(&reply, &vec![(format!("p{n}").as_str(), "unavailable"); attempts]);
    }
    assert_eq!(targets.seen(), [1, 2, 5]);
}

#[tokio::test]
async fn when_all_fail_the_caller_hears_the_first_target_and_the_trail_tells_of_all() {
    let closed = FakeProvider::closed().unwrap();
    for (first, second, status, says) in [
        ("~status=503", "~status=500", 503, "failed with 503 on demand"),
        ("~status=500", "~error=rate_limit", 500, "failed with 500 on demand"),
        ("~status=429~retry_after=7", "~status=500", 429, "failed with 429 on demand"),
        ("~error=bad_key", "~status=500", 502, "upstream_credentials_exhausted"),
        ("", "~status=500", 502, "upstream_unreachable"),
    ] {
        for api in [Api::Chat, Api::Messages] {
            let mut setup = Setup::of(api.vendor(), 2).retries(0).does(0, first).does(1, second);
            if first.is_empty() {
                setup = setup.network_of(0, "base_url", json!(format!("http://{}", closed.addr())));
            }
            let targets = setup.start().await;
            let reply = targets.asked(api, false).await;
            assert_eq!(reply.status, status, "{api:?} {first}: {}", reply.text());
            let body = reply.json();
            assert!(reply.text().contains(says) || reason(&body) == Some(says), "{api:?} {first}: {body}");
            let told = reply.header("x-tollgate-attempts").unwrap();
            let providers: Vec<_> = told.split(", ").map(|step| step.split('/').next().unwrap()).collect();
            assert_eq!(providers, ["p0", "p1"], "{api:?} {first}: {told}");
            let wait = if first.contains("retry_after") { Some("7") } else { None };
            assert_eq!(reply.header("retry-after"), wait, "{api:?} {first}");
            assert_eq!(targets.logged(&reply).await["attempts.failed"], told);
        }
    }
}

#[tokio::test]
async fn retries_are_a_fifth_of_what_is_asked_however_much_fails() {
    const REQUESTS: usize = 200;
    /// Retries that a provider may be asked for before its first attempts have paid for any.
    const RESERVE: usize = 10;
    // No circuit may open: here it is the budget that bounds. Either there is none, or each model has its own.
    let models: Vec<_> = (0..REQUESTS).map(|n| format!("model-{n}")).collect();
    let without = Setup::of("openai", 1).network("circuit_breaker", json!(false));
    let many = Setup::of("openai", 1).with(|config| config["providers"]["p0"]["keys"][0]["models"] = json!(models));
    for (what, setup) in [("without circuits", without), ("a circuit for each model", many)] {
        let targets = setup.does(0, "~status=503").start().await;
        let model = |n: usize| if what == "without circuits" { "gpt-4o" } else { &*models[n] };
        let asked = (0..REQUESTS).map(|n| targets.asked_for(Api::Chat, model(n), false));
        let replies: Vec<_> = futures::stream::iter(asked).buffer_unordered(20).collect().await;
        assert!(replies.iter().all(|reply| reply.status == 503), "{what}: the vendor's own answer to each");
        let (attempts, paid_for) = (targets.seen()[0], REQUESTS + REQUESTS / 5);
        assert!(attempts <= paid_for + RESERVE, "{what}: {attempts} attempts");
        assert!(attempts >= paid_for - RESERVE, "{what}: {attempts} attempts: retries that are paid for are made");
    }
}

#[tokio::test]
async fn a_single_target_that_is_out_of_service_is_left_in_peace() {
    let targets = Setup::of("openai", 1).does(0, "~status=503").start().await;
    let asked = (0..200).map(|n| targets.asked(Api::Chat, n % 2 == 0));
    let replies: Vec<_> = futures::stream::iter(asked).buffer_unordered(10).collect().await;
    let (by_vendor, by_gateway): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 503);
    assert!(by_vendor.len() < 100 && targets.seen()[0] < 120, "{} of {:?}", by_vendor.len(), targets.seen());
    for reply in by_gateway {
        assert_eq!((reply.status, reason(&reply.json())), (502, Some("upstream_unreachable")), "{}", reply.text());
        assert!(reply.header("retry-after").is_some(), "it is known when to come back");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_its_call_waits_ends_it() {
    for (how, client) in [("HTTP/1.1", client()), ("HTTP/2", h2_client())] {
        for stream in [false, true] {
            let setup = Setup::of("openai", 1).network("retry_backoff_max", json!(LONG));
            let mut targets = setup.does(0, "~status=503~retry_after=30").start().await;
            targets.client = client.clone();
            let asking = tokio::spawn(targets.ask(Api::Chat, stream).header("x-request-id", "leaver").send());
            let books = targets.fakes[0].books();
            books.wait_for(|all| all.iter().any(|entry| entry.ended_us.is_some()), PATIENCE).await.unwrap();
            // It has to have got as far as its pause; one that leaves before ends its call the same way.
            tokio::time::sleep(Duration::from_millis(100)).await;
            asking.abort();
            let line = targets.gateway.access.wait_for("its line", |line| line["request.id"] == "leaver").await;
            assert_eq!(line["client.left"], true, "{how}: {line}");
            assert_eq!((&line["attempts"], line.get("cost_usd")), (&json!(1), None), "{how}: {line}");
            targets.until_idle().await;
            assert_eq!(targets.seen(), [1], "{how}: nobody is asked for a client that left");
            targets.let_do(0, "");
            assert_eq!(targets.asked(Api::Chat, stream).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_client_that_left_is_not_worked_for_by_another_target() {
    let targets = Setup::of("openai", 2).does(0, "~status=500~header_stall_ms=400").start().await;
    let asking = tokio::spawn(targets.ask(Api::Chat, false).header("x-request-id", "leaver").send());
    let books = targets.fakes[0].books();
    books.wait_for(|all| all.iter().any(|entry| entry.body_us.is_some()), PATIENCE).await.unwrap();
    asking.abort();
    let line = targets.gateway.access.wait_for("its line", |line| line["request.id"] == "leaver").await;
    assert_eq!(
        (&line["client.left"], &line["attempts"], line.get("cost_usd")),
        (&json!(true), &json!(1), None),
        "{line}"
    );
    targets.until_idle().await;
    assert_eq!(targets.seen(), [1, 0]);
}

#[tokio::test]
async fn an_input_that_is_too_long_is_for_another_model_only() {
    for api in APIS {
        let other = match api {
            Api::Messages => "claude-haiku-4-5",
            Api::Gemini => "gemini-2.5-pro",
            _ => "gpt-4.1",
        };
        let targets = Setup::of(api.vendor(), 2).does(0, "~error=context_length").start().await;
        let fallback = format!("p1/{other}");
        let setup = Setup::of(api.vendor(), 2).does(0, "~error=context_length");
        let with_fallback = setup.rule(rule("r", "", &[("p0", 1.0)], &["p1", &fallback])).start().await;
        for stream in [false, true] {
            targets.forget();
            let reply = targets.asked(api, stream).await;
            assert_eq!(reply.status, 400, "{api:?}: {}", reply.text());
            assert_eq!(targets.seen(), [1, 0], "{api:?}: the same model has the same window everywhere");

            with_fallback.forget();
            let reply = with_fallback.asked(api, stream).await;
            assert_served(&reply, 1, &[("p0", "context_length_exceeded")]);
            assert_eq!(reply.header("x-tollgate-model"), Some(other));
            assert_eq!(with_fallback.fakes[1].books().last().unwrap().model.as_deref(), Some(other));
            assert_eq!(with_fallback.seen(), [1, 1], "{api:?}: the same model is passed over");
        }
    }
}

#[tokio::test]
async fn what_is_refused_for_what_it_says_is_refused_for_good() {
    for api in APIS {
        let targets = Setup::of(api.vendor(), 2).start().await;
        for error in ["content_policy", "content_filter"] {
            for stream in [false, true] {
                targets.forget();
                targets.let_do(0, &format!("~error={error}"));
                let reply = targets.asked(api, stream).await;
                assert_eq!(reply.status, 400, "{api:?} {error}: {}", reply.text());
                let own = targets.fakes[0].books().last().unwrap();
                assert_eq!(own.status, Some(400));
                assert_eq!(targets.seen(), [1, 0], "{api:?} {error}: to ask elsewhere would be to evade it");
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_heard_whoever_says_it() {
    for api in APIS {
        let targets = Setup::of(api.vendor(), 3).retries(0).does(0, "~status=503").start().await;
        targets.let_do(1, "~error=content_policy");
        for stream in [false, true] {
            targets.forget();
            let reply = targets.asked(api, stream).await;
            assert_eq!(reply.status, 400, "{api:?}: {}", reply.text());
            assert!(!reply.text().contains("on demand"), "not what the first one said: {}", reply.text());
            assert_trail(&reply, &[("p0", "unavailable")]);
            assert_eq!(targets.seen(), [1, 1, 0], "{api:?}: to ask elsewhere would be to evade it");
        }
    }
}

#[tokio::test]
async fn an_answer_that_says_that_the_prompt_was_blocked_is_an_answer() {
    let targets = Setup::of("gemini", 2).does(0, "~error=prompt_blocked").start().await;
    for stream in [false, true] {
        targets.forget();
        let reply = targets.asked(Api::Gemini, stream).await;
        assert_served(&reply, 0, &[]);
        assert!(reply.text().contains("blockReason"), "{}", reply.text());
        assert_eq!(targets.seen(), [1, 0]);
    }
}
