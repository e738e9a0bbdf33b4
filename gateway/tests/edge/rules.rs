//! Routing rules and fallbacks over HTTP: what matches, where the call goes, and where it goes from there.

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key, vendor_secret};
use super::support::scene::{Reply, reply};
use super::support::sse::{Api, reason};
use super::support::targets::{Setup, Targets, assert_served, rule};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// A key that is of a team.
const TEAMS: &str = "sk-bf-canary-teams";

/// A chat request with more in its body.
async fn asked_with(targets: &Targets, more: &[(&str, Value)]) -> Reply {
    let mut body = Api::Chat.body("gpt-4o", false, "12345678");
    more.iter().for_each(|(name, value)| body[*name] = value.clone());
    reply(targets.post("/v1/chat/completions").body(body.to_string())).await
}

/// The body that a provider was sent last.
fn body_at(targets: &Targets, provider: usize) -> Value {
    targets.fakes[provider].books().last().unwrap().body.unwrap()
}

#[tokio::test]
async fn a_rule_matches_on_a_header() {
    for api in APIS {
        let expression = "headers['x-tier'] == 'premium'";
        let targets = Setup::of(api.vendor(), 2).rule(rule("premium", expression, &[("p1", 1.0)], &[])).start().await;
        let premium = reply(targets.ask(api, false).header("X-Tier", "premium")).await;
        assert_served(&premium, 1, &[]);
        assert_eq!(targets.logged(&premium).await["rule.ids"], json!(["premium"]));
        for other in [targets.ask(api, false).header("x-tier", "basic"), targets.ask(api, false)] {
            let other = reply(other).await;
            assert_served(&other, 0, &[]);
            assert_eq!(targets.logged(&other).await.get("rule.ids"), None);
        }
        assert_eq!(targets.seen(), [2, 1], "{api:?}");
    }
}

#[tokio::test]
async fn a_rule_matches_on_a_field_of_the_body() {
    for (api, field) in [
        (Api::Chat, "request_body.max_tokens"),
        (Api::Messages, "request.body.max_tokens"),
        (Api::Gemini, "request_body.generationConfig.maxOutputTokens"),
    ] {
        for (bound, provider) in [(3_999, 1), (4_000, 0)] {
            let expression = format!("{field} > {bound}");
            let setup = Setup::of(api.vendor(), 2).rule(rule("long", &expression, &[("p1", 1.0)], &[]));
            let targets = setup.start().await;
            assert_served(&targets.asked(api, true).await, provider, &[]);
        }
    }
}

#[tokio::test]
async fn a_rule_matches_on_the_model_and_the_first_one_that_does_decides() {
    let setup = Setup::of("openai", 3)
        .rule(rule("mini", "request.model == 'gpt-4o-mini'", &[("p1", 1.0)], &[]))
        .rule(rule("any", "model.startsWith('gpt-4o')", &[("p2", 1.0)], &[]));
    let targets = setup.start().await;
    for (model, provider) in [("gpt-4o-mini", 1), ("gpt-4o", 2), ("gpt-4.1", 0)] {
        assert_served(&targets.asked_for(Api::Chat, model, false).await, provider, &[]);
    }
    assert_eq!(targets.seen(), [1, 1, 1]);
}

#[tokio::test]
async fn a_rule_of_a_team_is_for_its_keys_and_comes_before_those_for_all() {
    let mut of_team = rule("of-team", "team_name == 'Research'", &[("p2", 1.0)], &[]);
    (of_team["scope"], of_team["scope_id"]) = (json!("team"), json!("team-r"));
    let setup = Setup::of("openai", 3).rule(rule("for-all", "", &[("p1", 1.0)], &[])).rule(of_team);
    let setup = setup.with(|config| {
        config["governance"]["teams"] = json!([{"id": "team-r", "name": "Research"}]);
        let mut key = key("teams", TEAMS, &["p0", "p1", "p2"]);
        key["team_id"] = json!("team-r");
        add_key(config, key);
    });
    let targets = setup.start().await;
    assert_served(&reply(targets.ask_as(TEAMS, false)).await, 2, &[]);
    assert_served(&reply(targets.ask_as(KEY, false)).await, 1, &[]);
}

#[tokio::test]
async fn the_targets_of_a_rule_share_its_calls_by_weight() {
    let setup = Setup::of("openai", 3).rule(rule("shared", "", &[("p1", 0.7), ("p2", 0.3)], &[]));
    let targets = setup.start().await;
    for n in 0..300 {
        assert_eq!(targets.asked(Api::Chat, n % 2 == 0).await.status, 200);
    }
    let seen = targets.seen();
    // 210 are expected; 40 more or less are five standard deviations.
    assert!(seen[0] == 0 && (170..=250).contains(&seen[1]) && seen[1] + seen[2] == 300, "{seen:?}");
}

#[tokio::test]
async fn the_other_target_of_a_rule_answers_when_the_one_that_was_drawn_fails() {
    let setup = Setup::of("openai", 3).retries(0).rule(rule("shared", "", &[("p1", 0.5), ("p2", 0.5)], &["p0"]));
    let targets = setup.does(1, "~status=500").start().await;
    for _ in 0..40 {
        let answer = targets.asked(Api::Chat, false).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let seen = targets.seen();
    assert!(seen[1] > 0 && seen[0] == 0 && seen[2] == 40, "it was drawn at times, and then the other: {seen:?}");
}

#[tokio::test]
async fn a_chain_goes_on_with_what_its_first_rule_chose() {
    let mut renames = rule("renames", "model == 'fast'", &[], &[]);
    renames["targets"] = json!([{"model": "gpt-4.1", "weight": 1.0}]);
    renames["chain_rule"] = json!(true);
    let setup = Setup::of("openai", 2).rule(renames).rule(rule("places", "model == 'gpt-4.1'", &[("p1", 1.0)], &[]));
    let targets = setup.start().await;
    let answer = targets.asked_for(Api::Chat, "fast", false).await;
    assert_served(&answer, 1, &[]);
    assert_eq!(answer.header("x-tollgate-model"), Some("gpt-4.1"));
    assert_eq!(body_at(&targets, 1)["model"], "gpt-4.1");
    let line = targets.logged(&answer).await;
    assert_eq!((&line["rule.ids"], &line["model.asked"]), (&json!(["renames", "places"]), &json!("fast")), "{line}");
}

#[tokio::test]
async fn a_rule_may_name_the_credential() {
    let mut pins = rule("pins", "", &[], &[]);
    pins["targets"] = json!([{"provider": "p0", "key_id": "b", "weight": 1.0}]);
    let targets = Setup::of("openai", 1).credentials(0, &["a", "b", "c"]).rule(pins).start().await;
    for _ in 0..10 {
        assert_served(&targets.asked(Api::Chat, false).await, 0, &[]);
    }
    let all = targets.walked();
    assert!(all.iter().all(|(_, entry)| entry.credential() == Some(&*vendor_secret("b"))), "{all:?}");
}

#[tokio::test]
async fn the_fallbacks_of_a_rule_are_tried_in_their_order_and_nothing_else_is() {
    let setup = Setup::of("openai", 4).retries(0).rule(rule("r", "", &[("p1", 1.0)], &["p3", "p2/gpt-4.1"]));
    let targets = setup.does(1, "~status=500").does(3, "~status=500").start().await;
    let answer = asked_with(&targets, &[("fallbacks", json!(["p0"]))]).await;
    assert_served(&answer, 2, &[("p1", "unavailable"), ("p3", "unavailable")]);
    assert_eq!(answer.header("x-tollgate-model"), Some("gpt-4.1"));
    assert_eq!(targets.seen(), [0, 1, 1, 1], "what the rule says counts, and not what the request says");
    targets.let_do(2, "~status=503");
    let failed = targets.asked(Api::Chat, false).await;
    assert_eq!((failed.status, targets.seen()[0]), (500, 0), "{}", failed.text());
}

#[tokio::test]
async fn a_rule_with_an_empty_list_has_no_fallbacks() {
    let setup = Setup::of("openai", 2).retries(0).rule(rule("r", "", &[("p0", 1.0)], &[]));
    let targets = setup.does(0, "~status=500").start().await;
    for more in [vec![], vec![("fallbacks", json!(["p1"]))]] {
        assert_eq!(asked_with(&targets, &more).await.status, 500);
    }
    assert_eq!(targets.seen(), [2, 0]);
}

#[tokio::test]
async fn the_fallbacks_of_a_request_are_used_and_no_provider_sees_the_field() {
    for api in APIS {
        let other = match api {
            Api::Messages => "claude-haiku-4-5",
            Api::Gemini => "gemini-2.5-pro",
            _ => "gpt-4.1",
        };
        let targets = Setup::of(api.vendor(), 3).retries(0).does(0, "~status=500").start().await;
        for stream in [false, true] {
            let mut body = api.body(api.model(), stream, "12345678");
            body["fallbacks"] = json!([format!("p2/{other}"), "p1"]);
            let answer = reply(targets.post(&api.path(api.model(), stream)).body(body.to_string())).await;
            assert_served(&answer, 2, &[("p0", "unavailable")]);
            assert_eq!(answer.header("x-tollgate-model"), Some(other), "{api:?}");
            let entry = targets.fakes[2].books().last().unwrap();
            assert_eq!(entry.model.as_deref(), Some(other), "{api:?}");
            for provider in [0, 2] {
                assert_eq!(body_at(&targets, provider).get("fallbacks"), None, "{api:?}");
            }
        }
        assert_eq!(targets.seen(), [2, 0, 2], "{api:?}");
    }
}

#[tokio::test]
async fn a_request_with_an_empty_list_wants_no_fallbacks() {
    let targets = Setup::of("openai", 2).retries(0).does(0, "~status=500").start().await;
    assert_eq!(asked_with(&targets, &[("fallbacks", json!([]))]).await.status, 500);
    assert_eq!(targets.seen(), [1, 0]);
    assert_served(&targets.asked(Api::Chat, false).await, 1, &[("p0", "unavailable")]);
}

#[tokio::test]
async fn a_target_that_the_key_may_not_use_is_dropped_and_the_others_share_its_calls() {
    let setup = Setup::of("openai", 3).rule(rule("r", "", &[("p1", 0.1), ("p2", 0.9)], &["p2"]));
    let targets = setup.with(|config| add_key(config, key("less", TEAMS, &["p0", "p1"]))).start().await;
    for _ in 0..10 {
        assert_served(&reply(targets.ask_as(TEAMS, false)).await, 1, &[]);
    }
    targets.let_do(1, "~status=400");
    assert_eq!(reply(targets.ask_as(TEAMS, false)).await.status, 400);
    assert_eq!(targets.seen()[2], 0, "nor is it a fallback");
}

#[tokio::test]
async fn a_call_that_no_target_is_left_for_is_refused_with_the_reason() {
    for (targets_of_rule, why) in [("p2", "provider_blocked"), ("nowhere", "model_not_found")] {
        let setup = Setup::of("openai", 3).rule(rule("r", "", &[(targets_of_rule, 1.0)], &[]));
        let targets = setup.with(|config| add_key(config, key("less", TEAMS, &["p0", "p1"]))).start().await;
        let refused = reply(targets.ask_as(TEAMS, false)).await;
        assert_eq!(reason(&refused.json()), Some(why), "{}", refused.text());
        assert!((400..500).contains(&refused.status), "{}", refused.text());
        assert_eq!(targets.seen(), [0, 0, 0]);
    }
}

#[tokio::test]
async fn fallbacks_that_lead_nowhere_or_in_circles_are_bounded() {
    let targets = Setup::of("openai", 2).retries(0).network("circuit_breaker", json!(false)).start().await;
    targets.let_do(0, "~status=500");
    targets.let_do(1, "~status=503");
    let circles = vec!["p0", "p0/gpt-4o", "p1", "p0", "p1/gpt-4o", "gpt-4o"];
    let many: Vec<_> = (0..100).map(|n| format!("p{}/model-{n}", n % 2)).collect();
    let nowhere: Vec<_> = (0..100).map(|n| format!("nowhere-{n}/gpt-4o")).collect();
    for (fallbacks, at_most) in [(json!(circles), 2), (json!(nowhere), 1), (json!(many), 64)] {
        targets.forget();
        let answer = asked_with(&targets, &[("fallbacks", fallbacks)]).await;
        assert_eq!(answer.status, 500, "the first target's: {}", answer.text());
        let attempts: usize = targets.seen().iter().sum();
        assert!((1..=at_most).contains(&attempts), "{attempts} attempts");
    }
    targets.forget();
    let too_many: Vec<_> = (0..10_000).map(|n| format!("p1/model-{n}")).collect();
    let answer = asked_with(&targets, &[("fallbacks", json!(too_many))]).await;
    assert_eq!((answer.status, targets.seen()), (400, vec![0, 0]), "{}", answer.text());
}

#[tokio::test]
async fn a_fallback_may_be_an_object_and_what_names_nothing_is_left_out() {
    let targets = Setup::of("openai", 2).retries(0).network("circuit_breaker", json!(false)).start().await;
    targets.let_do(0, "~status=500");
    let object = json!([1, null, {}, {"provider": "p1", "model": "gpt-4.1"}]);
    for (fallbacks, model) in [(object, "gpt-4.1"), (json!("default"), "gpt-4o"), (Value::Null, "gpt-4o")] {
        let answer = asked_with(&targets, &[("fallbacks", fallbacks.clone())]).await;
        assert_served(&answer, 1, &[("p0", "unavailable")]);
        assert_eq!(answer.header("x-tollgate-model"), Some(model), "{fallbacks}");
        assert_eq!(body_at(&targets, 1).get("fallbacks"), None, "{fallbacks}");
    }
}
