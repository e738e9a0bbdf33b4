//! Errors of vendors, as clients of another dialect are told them, and what follows them.

use serde_json::{Value, json};

use super::super::support::config::{VENDOR_SECRET, fake, provider, vendor_secret};
use super::super::support::raw::{document, error_event, server_error, stream, two_pieces};
use super::super::support::scene::{Reply, Scene};
use super::super::support::sse::{Api, events};
use super::super::support::stub::{Stub, WAIT};
use super::super::support::targets::trail;
use super::{asked, asked_in_two, asked_with, assert_ends_with_error, assert_error_of, pairs, text};

async fn scene(controls: &str) -> Scene {
    let scene = Scene::with(|config| {
        for vendor in ["openai", "anthropic", "gemini"] {
            config["providers"][vendor]["network_config"]["max_retries"] = json!(0);
            config["providers"][vendor]["network_config"]["circuit_breaker"] = json!(false);
        }
    })
    .await;
    scene.let_fake(controls);
    scene
}

#[tokio::test]
async fn a_vendors_error_keeps_its_status_and_speaks_the_clients_dialect() {
    for (client, vendor) in pairs() {
        for stream in [false, true] {
            for status in [400, 404, 413, 429, 500, 503] {
                let scene = scene(&format!("~status={status}~retry_after=7")).await;
                let answer = asked(&scene, client, vendor, stream).await;
                let what = format!("{client:?} to {vendor:?}, {status}: {}", answer.text());
                assert_eq!(answer.status, status, "{what}");
                assert_error_of(client, &answer.json());
                assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
                assert_eq!(answer.header("retry-after"), Some("7"), "{what}");
                assert_eq!(answer.header("x-tollgate-provider"), Some(vendor.vendor()), "{what}");
                assert_eq!(scene.logged(&answer).await["cost_usd"], Value::Null, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_is_a_page_or_nothing_is_told_as_one_of_the_clients_dialect() {
    for (client, vendor) in [(Api::Chat, Api::Messages), (Api::Messages, Api::Chat)] {
        let paged = scene("~status=500~html").await;
        let answer = asked(&paged, client, vendor, false).await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_error_of(client, &answer.json());

        let stub = Stub::answering(|_| document("422 Unprocessable Entity", "")).await;
        let empty = Scene::with(|config| {
            config["providers"][vendor.vendor()]["network_config"]["base_url"] = json!(stub.url());
        })
        .await;
        let answer = asked(&empty, client, vendor, false).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_error_of(client, &answer.json());
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_told_by_the_code_that_clients_look_for() {
    let scene = scene("~error=context_length").await;
    let answer = asked(&scene, Api::Chat, Api::Messages, false).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded", "{}", answer.text());
}

#[tokio::test]
async fn a_refused_credential_is_told_in_our_own_words() {
    for (client, vendor) in pairs() {
        let scene = scene("~status=401").await;
        let answer = asked(&scene, client, vendor, false).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert_error_of(client, &answer.json());
        assert!(answer.text().contains("upstream_credentials_exhausted"), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_error_in_a_good_status_is_told_with_the_status_that_it_should_have_come_with() {
    for (client, vendor) in pairs() {
        for stream in [false, true] {
            let scene = scene("~error_200~status=400").await;
            let answer = asked(&scene, client, vendor, stream).await;
            assert_eq!(answer.status, 400, "{client:?} to {vendor:?} {stream}: {}", answer.text());
            assert_error_of(client, &answer.json());
        }
    }
}

#[tokio::test]
async fn an_error_behind_the_beginning_of_a_stream_ends_it() {
    for (client, vendor) in pairs() {
        let scene = scene(&format!("~words=30~error_after={}", vendor.preludes() + 5)).await;
        let answer = asked(&scene, client, vendor, true).await;
        assert_eq!(answer.status, 200, "{client:?} to {vendor:?}: {}", answer.text());
        assert_ends_with_error(client, &answer);
        assert!(answer.text().contains("w0"), "{client:?} to {vendor:?}: {}", answer.text());
        let line = scene.logged(&answer).await;
        assert!(["partial", "estimated"].contains(&line["tokens.source"].as_str().unwrap()), "{line}");
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_stream_is_told_in_the_clients_dialect() {
    for (client, vendor) in pairs() {
        let scene = scene("~error_after=0").await;
        let answer = asked(&scene, client, vendor, true).await;
        let what = format!("{client:?} to {vendor:?}: {}", answer.text());
        let error = if answer.status == 200 {
            let last = events(client, &answer.text()).pop().unwrap_or_else(|| panic!("{what}"));
            if client == Api::Responses { json!({"error": last["error"]}) } else { last }
        } else {
            answer.json()
        };
        assert_error_of(client, &error);
    }
}

#[tokio::test]
async fn an_error_in_a_stream_tells_nothing_of_the_credential() {
    for (client, vendor) in pairs() {
        let error = error_event(vendor, &server_error(vendor, &format!("x {}", vendor_secret(vendor.vendor()))));
        for begin in [two_pieces(vendor).0, String::new()] {
            let wait = if begin.is_empty() { "" } else { WAIT };
            let whole = stream(&format!("{begin}{wait}{error}"));
            let stub = Stub::answering(move |_| whole.clone()).await;
            let scene = Scene::with(|config| {
                config["providers"][vendor.vendor()]["network_config"]["base_url"] = json!(stub.url());
                config["providers"][vendor.vendor()]["network_config"]["max_retries"] = json!(0);
            })
            .await;
            let answer = asked_in_two(&scene, &stub, client, vendor, "A ").await;
            assert!(!answer.text().contains(VENDOR_SECRET), "{}", answer.text());
            assert!(!begin.is_empty() || answer.status >= 500, "{}", answer.text());
            if !begin.is_empty() {
                assert_ends_with_error(client, &answer);
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_hides_the_credential_in_escapes_does_not_tell_it() {
    for (client, vendor) in [(Api::Messages, Api::Chat), (Api::Chat, Api::Messages), (Api::Chat, Api::Chat)] {
        let secret = vendor_secret(vendor.vendor());
        let escaped = format!("\\u{:04x}{}", u32::from(secret.chars().next().unwrap()), &secret[1..]);
        let error = server_error(vendor, &format!("x {secret}")).to_string().replace(&secret, &escaped);
        let whole = document("400 Bad Request", &error);
        let stub = Stub::answering(move |_| whole.clone()).await;
        let scene = Scene::with(|config| {
            config["providers"][vendor.vendor()]["network_config"]["base_url"] = json!(stub.url());
        })
        .await;
        let answer = asked(&scene, client, vendor, false).await;
        let told = answer.json().to_string();
        assert!(answer.status >= 400 && !told.contains(&secret), "{client:?} to {vendor:?}: {told}");
        assert!(told.contains("cannot be shown"), "{client:?} to {vendor:?}: {told}");
    }
}

/// The first vendor fails as told; the second, of another dialect, answers.
async fn falling_back(client: Api, first: Api, second: Api, controls: &str, stream: bool) -> (Scene, Reply) {
    let healthy = fake();
    let url = healthy.url();
    let scene = Scene::with(move |config| {
        config["providers"][second.vendor()] = provider(second.vendor(), &url);
        config["providers"][first.vendor()]["network_config"]["max_retries"] = json!(0);
    })
    .await;
    scene.let_fake(controls);
    let answer = asked_with(&scene, client, first, stream, |body| {
        body["fallbacks"] = json!([format!("{}/{}", second.vendor(), second.model())]);
    })
    .await;
    assert_eq!(healthy.books().len(), 1, "{}", answer.text());
    (scene, answer)
}

#[tokio::test]
async fn a_call_goes_on_from_one_dialect_to_another() {
    let faults = ["~status=503", "~hangup_before_header", "~error_200~status=503", "~error_after=0~error=overloaded"];
    let ways = [(Api::Messages, Api::Chat), (Api::Chat, Api::Messages)];
    for client in [Api::Chat, Api::Responses, Api::Messages] {
        for (first, second) in ways {
            for (fault, stream) in faults.iter().flat_map(|fault| [(fault, false), (fault, true)]) {
                if fault.contains("error_after") && !stream {
                    continue;
                }
                let (_scene, answer) = falling_back(client, first, second, fault, stream).await;
                let what = format!("{client:?} by {first:?} {fault} {stream}: {}", answer.text());
                assert_eq!(answer.status, 200, "{what}");
                assert_eq!(answer.header("x-tollgate-provider"), Some(second.vendor()), "{what}");
                assert_eq!(trail(&answer).len(), 1, "{what}");
                assert!(text(client, &answer, stream).starts_with("w0"), "{what}");
                assert!(!stream || answer.text().contains(client.end_mark()), "{what}");
            }
        }
    }
}
