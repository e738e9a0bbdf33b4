//! An answer without a limit against a small rest of a budget: the limit sent upstream is lowered, and the client is told.

use serde_json::{Value, json};

use super::support::config::KEY;
use super::support::limits::{COIN, assert_paid, assert_refused, assert_spent, budget, budget_each, coin_body, coins};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};

/// Those whose answers are as long as the model's unless a limit is set; text completions have one of their own, 16 tokens.
const APIS: [Api; 4] = [Api::Chat, Api::Responses, Api::Messages, Api::Gemini];

/// The header that tells of a lowered limit.
const CLAMPED: &str = "x-tollgate-max-tokens-clamped";
/// The metric that counts them.
const COUNT: &str = "tollgate_output_clamped_total ";

/// A key whose budget pays for so many tokens.
fn with_budget(api: Api, tokens: u64) -> Setup {
    coins(api.vendor(), 1).govern("budgets", budget("b", tokens)).key_field("budget_id", json!("b"))
}

async fn asked_openly(targets: &Targets, api: Api, stream: bool) -> Reply {
    reply(targets.coin(KEY, api, COIN, stream, None)).await
}

/// What the provider was sent, and what the client had sent with this limit in this API's field.
fn sent_and_limited(targets: &Targets, api: Api, stream: bool, limit: u64) -> (Value, Value) {
    let mut sent = targets.fakes[0].books().last().unwrap().body.unwrap();
    // Usage is asked for in streams, whatever the limits.
    sent.as_object_mut().unwrap().remove("stream_options");
    let mut body = coin_body(api, COIN, stream, None);
    match api {
        Api::Chat => body["max_completion_tokens"] = json!(limit),
        Api::Messages | Api::Completion => body["max_tokens"] = json!(limit),
        Api::Responses => body["max_output_tokens"] = json!(limit),
        Api::Gemini | Api::GeminiArray => body["generationConfig"]["maxOutputTokens"] = json!(limit),
    }
    (sent, body)
}

#[tokio::test]
async fn an_eighth_of_the_rest_is_what_an_answer_without_a_limit_may_cost() {
    for api in APIS {
        let targets = with_budget(api, 4_000).start().await;
        // Each answer costs 8 of the rest.
        for (n, (stream, limit)) in [(false, 500), (true, 499), (false, 498)].into_iter().enumerate() {
            let answer = asked_openly(&targets, api, stream).await;
            assert_paid(&answer);
            assert_eq!(answer.header(CLAMPED), Some(&*limit.to_string()), "{api:?}");
            let (sent, expected) = sent_and_limited(&targets, api, stream, limit);
            assert_eq!(sent, expected, "{api:?}");
            assert_eq!(targets.spent("b").await, 8 * (n as u64 + 1), "{api:?}");
        }
        assert_eq!(targets.metric(COUNT).await, Some(3), "{api:?}");
    }
}

#[tokio::test]
async fn an_answer_that_goes_to_its_lowered_limit_costs_no_more_than_the_rest() {
    for api in APIS {
        for stream in [false, true] {
            let targets = with_budget(api, 600).start().await;
            targets.let_do(0, "~words=5000");
            let answer = asked_openly(&targets, api, stream).await;
            assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some("256")), "{api:?}: {}", answer.text());
            assert_eq!(targets.spent("b").await, 256, "{api:?}");
            assert_paid(&asked_openly(&targets, api, stream).await);
            assert_eq!(targets.spent("b").await, 512, "{api:?}");
            // 88 are left, which is less than the least that a limit is lowered to.
            assert_spent(&asked_openly(&targets, api, stream).await, "0.512 of 0.60 USD used");
            assert_eq!((targets.spent("b").await, targets.seen()), (512, vec![2]), "{api:?}");
            assert_paid(&reply(targets.coin(KEY, api, COIN, stream, 88)).await);
            assert_eq!(targets.spent("b").await, 600, "{api:?}");
        }
    }
}

#[tokio::test]
async fn the_least_lowered_limit_is_the_operators() {
    for (least, expected) in [(1, 25), (25, 25), (100, 100), (200, 200)] {
        let targets = with_budget(Api::Chat, 200).client("min_clamped_tokens", json!(least)).start().await;
        let answer = asked_openly(&targets, Api::Chat, false).await;
        assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some(&*expected.to_string())), "{}", answer.text());
    }
    let targets = with_budget(Api::Chat, 200).client("min_clamped_tokens", json!(201)).start().await;
    assert_spent(&asked_openly(&targets, Api::Chat, false).await, "never pays for this call");
    assert_eq!(targets.metric(COUNT).await, Some(0));
}

#[tokio::test]
async fn where_the_models_own_limit_is_paid_for_nothing_is_changed() {
    for api in APIS {
        let targets = with_budget(api, 10_000).start().await;
        for stream in [false, true] {
            let mut body = coin_body(api, api.model(), stream, None);
            if stream && api == Api::Chat {
                // Else it would be asked for on the client's behalf.
                body["stream_options"] = json!({"include_usage": true});
            }
            let answer = reply(targets.post(&api.path(api.model(), stream)).body(body.to_string())).await;
            assert_paid(&answer);
            assert_eq!(answer.header(CLAMPED), None, "{api:?}");
            assert_eq!(targets.fakes[0].books().last().unwrap().body.unwrap(), body, "{api:?}");
        }
        assert_eq!(targets.metric(COUNT).await, Some(0), "{api:?}");
    }
}

#[tokio::test]
async fn the_limit_of_a_model_that_nobody_knows_is_assumed_and_so_it_is_set() {
    for (tokens, default) in [(4_096, 4_096), (50, 50), (100_000, 4_096)] {
        let targets = with_budget(Api::Chat, tokens).client("default_max_output_tokens", json!(default)).start().await;
        targets.let_do(0, "~words=9000");
        let answer = asked_openly(&targets, Api::Chat, false).await;
        assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some(&*default.to_string())), "{}", answer.text());
        let (sent, expected) = sent_and_limited(&targets, Api::Chat, false, default);
        assert_eq!(sent, expected);
        assert_eq!(targets.spent("b").await, default);
    }
    // Where nothing can be overspent, nothing is set.
    let targets = coins("openai", 1).start().await;
    let answer = asked_openly(&targets, Api::Chat, false).await;
    assert_eq!((answer.status, answer.header(CLAMPED)), (200, None));
    assert_eq!(targets.fakes[0].books().last().unwrap().body.unwrap(), coin_body(Api::Chat, COIN, false, None));
}

#[tokio::test]
async fn a_clients_own_limit_is_never_changed() {
    for api in APIS {
        let targets = with_budget(api, 1_000).start().await;
        for stream in [false, true] {
            let refused = reply(targets.coin(KEY, api, COIN, stream, 1_001)).await;
            assert_refused(&refused, 402, "budget_exceeded", &["this call can cost 1.001"]);
            assert_eq!(refused.header(CLAMPED), None);
        }
        let answer = reply(targets.coin(KEY, api, COIN, false, 1_000)).await;
        assert_paid(&answer);
        assert_eq!(answer.header(CLAMPED), None, "{api:?}");
        let sent = targets.fakes[0].books().last().unwrap().body.unwrap();
        assert_eq!(sent, coin_body(api, COIN, false, Some(1_000)), "{api:?}");
        assert_eq!((targets.metric(COUNT).await, targets.seen()), (Some(0), vec![1]), "{api:?}");
    }
}

#[tokio::test]
async fn a_limit_that_says_null_is_none() {
    let targets = with_budget(Api::Chat, 4_000).start().await;
    let mut body = coin_body(Api::Chat, COIN, false, None);
    body["max_tokens"] = Value::Null;
    let answer = reply(targets.post("/v1/chat/completions").body(body.to_string())).await;
    assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some("500")), "{}", answer.text());
    let sent = targets.fakes[0].books().last().unwrap().body.unwrap();
    let limits = [&sent["max_tokens"], &sent["max_completion_tokens"]];
    assert!(limits.contains(&&json!(500)) && limits.contains(&&Value::Null), "{sent}");
}

#[tokio::test]
async fn a_limit_of_zero_is_taken_for_none() {
    for api in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
        let targets = with_budget(api, 5_000).start().await;
        targets.let_do(0, "~words=9000");
        for (limit, left) in [("4096", 904), ("256", 648)] {
            let answer = reply(targets.coin(KEY, api, COIN, false, 0)).await;
            assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some(limit)), "{api:?}: {}", answer.text());
            let sent = targets.fakes[0].books().last().unwrap().body.unwrap();
            assert_eq!(sent, coin_body(api, COIN, false, limit.parse().ok()), "{api:?}");
            assert_eq!(targets.spent("b").await, 5_000 - left, "{api:?}");
        }
    }
}

#[tokio::test]
async fn the_limit_that_a_text_completion_has_by_itself_is_sent_where_nothing_may_be_overspent() {
    let targets = with_budget(Api::Completion, 40).start().await;
    targets.let_do(0, "~words=9000");
    for n in 1..=2 {
        let answer = asked_openly(&targets, Api::Completion, false).await;
        assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some("16")), "{}", answer.text());
        let (sent, expected) = sent_and_limited(&targets, Api::Completion, false, 16);
        assert_eq!((sent, targets.spent("b").await), (expected, 16 * n));
    }
    assert_spent(&asked_openly(&targets, Api::Completion, false).await, "this call can cost 0.016");
    let targets = coins("openai", 1).start().await;
    assert_eq!(asked_openly(&targets, Api::Completion, false).await.header(CLAMPED), None);
}

#[tokio::test]
async fn several_answers_side_by_side_share_what_is_affordable() {
    let targets = with_budget(Api::Chat, 12_000).start().await;
    let mut body = coin_body(Api::Chat, COIN, false, None);
    body["n"] = json!(4);
    let answer = reply(targets.post("/v1/chat/completions").body(body.to_string())).await;
    assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some("375")), "{}", answer.text());
    assert_eq!(targets.spent("b").await, 4 * 8);
}

#[tokio::test]
async fn of_several_budgets_the_one_with_the_smallest_rest_lowers_the_limit() {
    let setup = with_budget(Api::Chat, 100_000)
        .govern("budgets", budget_each("b-day", 4_000, "1d"))
        .govern("teams", json!({"id": "t", "name": "T", "budget_id": "b-day"}))
        .key_field("team_id", json!("t"));
    let targets = setup.start().await;
    assert_eq!(asked_openly(&targets, Api::Chat, false).await.header(CLAMPED), Some("500"));
}

#[tokio::test]
async fn what_calls_in_flight_hold_is_waited_for_and_not_lowered_for() {
    let targets = with_budget(Api::Chat, 3_000).start().await;
    let call = targets.open(KEY, 0, "held", 2_700).await;
    // An eighth of what is not charged, 375, is more than the 300 that are free at this moment.
    let refused = asked_openly(&targets, Api::Chat, false).await;
    assert_refused(&refused, 429, "budget_reserved", &["2.70 reserved", "this call can cost 0.375"]);
    assert_paid(&targets.finish(call).await);
    targets.until_idle().await;
    let answer = asked_openly(&targets, Api::Chat, false).await;
    assert_eq!((answer.status, answer.header(CLAMPED)), (200, Some("374")));
}

#[tokio::test]
async fn each_target_is_sent_its_own_limit() {
    let targets = coins("openai", 2)
        .govern("budgets", budget("b0", 4_000))
        .access_field(0, "budget_id", json!("b0"))
        .does(0, "~status=503")
        .start()
        .await;
    let answer = asked_openly(&targets, Api::Chat, false).await;
    assert_served(&answer, 1, &[("p0", "unavailable")]);
    assert_eq!(answer.header(CLAMPED), None, "nothing limits the one that answered");
    let sent = |n: usize| targets.fakes[n].books().last().unwrap().body.unwrap();
    assert_eq!(sent(0)["max_completion_tokens"], 500);
    assert_eq!(sent(1), coin_body(Api::Chat, COIN, false, None));
}

#[tokio::test]
async fn embeddings_have_no_output_to_limit() {
    let targets = with_budget(Api::Chat, 4_000).start().await;
    let body = json!({"model": "text-embedding-3-small", "input": "12345678"});
    let answer = reply(targets.post("/v1/embeddings").body(body.to_string())).await;
    assert_paid(&answer);
    assert_eq!(answer.header(CLAMPED), None);
    assert_eq!(targets.fakes[0].books().last().unwrap().body.unwrap(), body);
}
