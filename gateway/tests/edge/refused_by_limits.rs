//! What a caller is told that a limit refuses: in its own dialect, for streams as for whole answers, with the headers that SDKs and
//! clients of the RateLimit fields look for.

use serde_json::{Value, json};

use super::support::config::{KEY, add_key, key};
use super::support::limits::{APIS, COIN, assert_paid, assert_refused, budget, coins, message, requests, tokens};
use super::support::scene::{Reply, reply};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets};

/// How a key is refused, once its limit is reached.
struct Case {
    key: &'static str,
    model: &'static str,
    status: u16,
    why: &'static str,
    told: &'static [&'static str],
    /// Whether a retry within a minute is useless.
    is_final: bool,
    /// What is told of requests and of tokens: so many, and so many left.
    limits: [Option<(u64, u64)>; 2],
}

const NONE: [Option<(u64, u64)>; 2] = [None, None];

const CASES: [Case; 7] = [
    Case {
        key: "poor",
        model: COIN,
        status: 402,
        why: "budget_exceeded",
        told: &[
            "budget `b-poor` of virtual key `poor` is spent: 0.008 of 0.008 USD used, 0.00 reserved",
            "resets at 20",
        ],
        is_final: true,
        limits: NONE,
    },
    Case {
        key: "zero",
        model: COIN,
        status: 402,
        why: "budget_exceeded",
        told: &["budget `b-zero` of virtual key `zero` is 0.00 USD: it lets nothing through"],
        is_final: true,
        limits: NONE,
    },
    Case {
        key: "asked",
        model: COIN,
        status: 429,
        why: "request_limited",
        told: &["rate limit `rl-asked` of virtual key `asked`: 1 of 1 requests in 1h are used; the next is free in "],
        is_final: true,
        limits: [Some((1, 0)), None],
    },
    Case {
        key: "talked",
        model: COIN,
        status: 429,
        why: "token_limited",
        told: &["rate limit `rl-talked` of virtual key `talked`: 10 of 10 tokens in 1h are used", "there is room in "],
        is_final: true,
        limits: [None, Some((10, 0))],
    },
    Case {
        key: "both",
        model: COIN,
        status: 429,
        why: "rate_limited",
        told: &["virtual key `both`: 1 of 1 requests in 1h and 10 of 10 tokens in 1h are used", "there is room in "],
        is_final: true,
        limits: [Some((1, 0)), Some((10, 0))],
    },
    Case {
        key: "soon",
        model: COIN,
        status: 429,
        why: "request_limited",
        told: &["virtual key `soon`: 1 of 1 requests in 50s are used"],
        is_final: false,
        limits: [Some((1, 0)), None],
    },
    Case {
        key: "rich",
        model: "penny",
        status: 403,
        why: "model_unpriced",
        told: &[
            "model `penny` of provider `p0` has no price",
            "budget `b-rich` of virtual key `rich` cannot be overspent",
        ],
        is_final: true,
        limits: NONE,
    },
];

fn token(name: &str) -> String {
    format!("sk-bf-canary-{name}")
}

/// A key of its own for each case.
fn setup(api: Api) -> Setup {
    let mut both = requests("rl-both", 1, "1h");
    both["token_max_limit"] = json!(10);
    both["token_reset_duration"] = json!("1h");
    let setup = coins(api.vendor(), 1)
        .govern("budgets", budget("b-poor", 8))
        .govern("budgets", budget("b-zero", 0))
        .govern("budgets", budget("b-rich", 1_000))
        .govern("rate_limits", requests("rl-asked", 1, "1h"))
        .govern("rate_limits", tokens("rl-talked", 10, "1h"))
        .govern("rate_limits", both)
        .govern("rate_limits", requests("rl-soon", 1, "50s"));
    CASES.iter().fold(setup, |setup, case| {
        let mut key = key(case.key, &token(case.key), &["p0"]);
        let is_budget = ["poor", "zero", "rich"].contains(&case.key);
        let (field, prefix) = if is_budget { ("budget_id", "b") } else { ("rate_limit_id", "rl") };
        key[field] = json!(format!("{prefix}-{}", case.key));
        setup.with(|config| add_key(config, key))
    })
}

/// The error is one of this API's, whole.
fn assert_dialect(api: Api, case: &Case, refused: &Reply) {
    let (body, text) = (refused.json(), message(refused));
    let expected = match api {
        Api::Messages => json!({
            "type": "error",
            "error": {"type": case.why, "message": text},
            "request_id": refused.request_id(),
        }),
        Api::Gemini => {
            let status = if case.status == 403 { "PERMISSION_DENIED" } else { "RESOURCE_EXHAUSTED" };
            let details = body["error"]["details"].clone();
            assert_eq!(details[0]["reason"], case.why);
            let delay = details[1]["retryDelay"].as_str();
            assert_eq!(delay.is_some(), refused.header("retry-after").is_some(), "{body}");
            json!({"error": {"code": case.status, "message": text, "status": status, "details": details}})
        }
        _ => {
            let param = if case.why == "model_unpriced" { json!("model") } else { Value::Null };
            json!({
                "error": {"message": text, "type": case.why, "code": case.why, "param": param},
                "type": case.why,
                "status_code": case.status,
            })
        }
    };
    assert_eq!(body, expected);
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

/// When to come again: where it is known, and no later than in a window and one slice of it.
fn wait(case: &Case, refused: &Reply) -> Option<u64> {
    let wait = refused.header("retry-after").map(|wait| wait.parse().unwrap());
    match case.key {
        "zero" | "rich" => assert_eq!(wait, None, "{}", case.key),
        "soon" => assert!((1..=55).contains(&wait.unwrap()), "{wait:?}"),
        "poor" => assert!((61..=3_600).contains(&wait.unwrap()), "{wait:?}"),
        _ => assert!((61..=3_900).contains(&wait.unwrap()), "{}: {wait:?}", case.key),
    }
    wait
}

fn assert_limits(case: &Case, refused: &Reply, wait: Option<u64>) {
    let (mut policies, mut quotas) = (Vec::new(), Vec::new());
    for (what, limit) in ["requests", "tokens"].into_iter().zip(case.limits) {
        let header = |part: &str| refused.header(&format!("x-ratelimit-{part}-{what}")).map(str::to_owned);
        let Some((most, left)) = limit else {
            assert_eq!([header("limit"), header("remaining"), header("reset")], [None, None, None], "{}", case.key);
            continue;
        };
        assert_eq!([header("limit"), header("remaining")], [Some(most.to_string()), Some(left.to_string())]);
        assert!(header("reset").unwrap().ends_with('s'), "{:?}", header("reset"));
        let (id, unit) = (case.key, if what == "tokens" { ";qu=\"tollgate-tokens\"" } else { "" });
        let window = if id == "soon" { 50 } else { 3_600 };
        policies.push(format!("\"rl-{id}.{what}\";q={most}{unit};w={window}"));
        quotas.push(format!("\"rl-{id}.{what}\";r={left};t={}", wait.unwrap()));
    }
    let told = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(", "));
    assert_eq!(refused.header("ratelimit-policy").map(str::to_owned), told(policies), "{}", case.key);
    assert_eq!(refused.header("ratelimit").map(str::to_owned), told(quotas), "{}", case.key);
}

fn assert_told(api: Api, case: &Case, refused: &Reply) {
    assert_refused(refused, case.status, case.why, case.told);
    assert_dialect(api, case, refused);
    let wait = wait(case, refused);
    assert_limits(case, refused, wait);
    let expected = case.is_final.then_some("false");
    assert_eq!(refused.header("x-should-retry"), expected, "{}", case.key);
    assert!(!refused.request_id().is_empty());
}

#[tokio::test]
async fn every_refusal_is_told_in_the_callers_dialect_streamed_or_not() {
    for api in APIS {
        let targets = setup(api).start().await;
        for case in &CASES {
            if !["zero", "rich"].contains(&case.key) {
                // What exhausts it: 8 tokens of output, and 2 of input where those count.
                assert_paid(&reply(targets.coin(&token(case.key), api, COIN, false, 8)).await);
                targets.until_idle().await;
            }
            for stream in [false, true] {
                let refused = reply(targets.coin(&token(case.key), api, case.model, stream, 8)).await;
                assert_told(api, case, &refused);
                let line = targets.logged(&refused).await;
                assert_eq!((&line["error.type"], &line["attempts"]), (&json!(case.why), &json!(0)), "{line}");
            }
        }
        assert_eq!(targets.seen(), [5], "{api:?}: what is refused reaches nobody");
        for why in ["request_limited", "budget_exceeded"] {
            let name = format!("tollgate_refusals_total{{reason=\"{why}\"}} ");
            assert_eq!(targets.metric(&name).await, Some(4), "{why}");
        }
        for why in ["token_limited", "rate_limited", "model_unpriced"] {
            let name = format!("tollgate_refusals_total{{reason=\"{why}\"}} ");
            assert_eq!(targets.metric(&name).await, Some(2), "{why}");
        }
    }
}

#[tokio::test]
async fn what_a_call_in_flight_reserved_is_429_and_not_402() {
    for api in APIS {
        let setup = coins(api.vendor(), 1).govern("budgets", budget("b", 10)).key_field("budget_id", json!("b"));
        let targets = setup.start().await;
        let call = targets.open_in(api, KEY, 0, "held", 8).await;
        for stream in [false, true] {
            let refused = reply(targets.coin(KEY, api, COIN, stream, 4)).await;
            let told = "what is left of budget `b` of virtual key `everything` is reserved by calls in flight: \
                        0.00 of 0.01 USD used, 0.008 reserved, and this call can cost 0.004";
            assert_refused(&refused, 429, "budget_reserved", &[told]);
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(refused.header("x-should-retry"), None, "a retry may well be served");
            assert_eq!(refused.header("ratelimit"), None);
        }
        // What never fits is told so, whatever is held.
        let never = reply(targets.coin(KEY, api, COIN, false, 11)).await;
        assert_refused(&never, 402, "budget_exceeded", &["never pays for this call", "this call can cost 0.011"]);
        assert_eq!((never.header("retry-after"), never.header("x-should-retry")), (None, Some("false")));
        assert_paid(&reply(targets.coin(KEY, api, COIN, false, 2)).await);
        assert_paid(&targets.finish(call).await);
        targets.until_idle().await;
        let spent = reply(targets.coin(KEY, api, COIN, false, 4)).await;
        assert_refused(&spent, 402, "budget_exceeded", &["is spent: 0.01 of 0.01 USD used, 0.00 reserved"]);
        assert_eq!(targets.seen(), [2], "{api:?}");
    }
}

#[tokio::test]
async fn an_answer_tells_what_is_left_of_the_tightest_limits() {
    let mut of_key = requests("rl-key", 10, "1h");
    of_key["token_max_limit"] = json!(1_000);
    of_key["token_reset_duration"] = json!("30m");
    let targets = coins("openai", 1)
        .govern("rate_limits", of_key)
        .govern("rate_limits", requests("rl-p0", 4, "1m"))
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl-p0"}))
        .key_field("rate_limit_id", json!("rl-key"))
        .start()
        .await;
    for (stream, left) in [(false, 3), (true, 2)] {
        let answer = reply(targets.coin(KEY, Api::Chat, COIN, stream, 100)).await;
        assert_paid(&answer);
        let policy = "\"rl-p0.requests\";q=4;w=60, \"rl-key.tokens\";q=1000;qu=\"tollgate-tokens\";w=1800";
        assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        let quotas = answer.header("ratelimit").unwrap();
        assert!(quotas.starts_with(&format!("\"rl-p0.requests\";r={left};t=")), "{quotas}");
        let number = |name: &str| answer.header(name).unwrap().parse::<u64>().unwrap();
        assert_eq!((number("x-ratelimit-limit-requests"), number("x-ratelimit-remaining-requests")), (4, left));
        assert_eq!(number("x-ratelimit-limit-tokens"), 1_000);
        let tokens_left = number("x-ratelimit-remaining-tokens");
        assert!((700..900).contains(&tokens_left), "100 are reserved, and the input: {tokens_left}");
        targets.until_idle().await;
    }
}

#[tokio::test]
async fn a_vendors_own_figures_on_its_limits_are_not_ours_to_pass_on() {
    let targets = coins("openai", 1).start().await;
    let answer = targets.pay(8).await;
    assert_paid(&answer);
    for name in ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "ratelimit", "ratelimit-policy"] {
        assert_eq!(answer.header(name), None, "{name}: no limit of ours applies");
    }
}

/// A key over each of its limits.
async fn exhausted(api: Api) -> Targets {
    let targets = coins(api.vendor(), 1)
        .govern("budgets", budget("b", 8))
        .govern("rate_limits", requests("rl", 1, "1h"))
        .govern("providers", json!({"name": "p0", "rate_limit_id": "rl"}))
        .key_field("budget_id", json!("b"))
        .start()
        .await;
    assert_paid(&reply(targets.coin(KEY, api, COIN, false, 8)).await);
    targets.until_idle().await;
    assert_ne!(reply(targets.coin(KEY, api, COIN, false, 8)).await.status, 200);
    targets
}

#[tokio::test]
async fn what_costs_nothing_stays_open_to_a_key_over_its_limits() {
    let get = |targets: &Targets, path: &str| reply(targets.client.get(targets.gateway.url(path)).bearer_auth(KEY));
    let chat = exhausted(Api::Chat).await;
    assert_eq!(get(&chat, "/v1/models").await.status, 200);

    let messages = exhausted(Api::Messages).await;
    let body = json!({"model": COIN, "messages": [{"role": "user", "content": "12345678"}]});
    let counted = reply(messages.post("/v1/messages/count_tokens").body(body.to_string())).await;
    assert_eq!((counted.status, &counted.json()["input_tokens"]), (200, &json!(2)), "{}", counted.text());

    let gemini = exhausted(Api::Gemini).await;
    assert_eq!(get(&gemini, "/v1beta/models").await.status, 200);
    let body = json!({"contents": [{"parts": [{"text": "12345678"}]}]});
    let counted = reply(gemini.post(&format!("/v1beta/models/{COIN}:countTokens")).body(body.to_string())).await;
    assert_eq!((counted.status, &counted.json()["totalTokens"]), (200, &json!(2)), "{}", counted.text());
}
