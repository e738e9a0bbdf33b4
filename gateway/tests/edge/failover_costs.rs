//! What a call costs that more than one provider was asked for: what each attempt used, by the providers' own figures where they
//! gave any, and by decision 4.3 where they did not.

use futures::future::join_all;
use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

use super::support::prices::{Tokens, listed};
use super::support::scene::{Reply, metric};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served, rule};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// The output limit that every request of these tests sets.
const MAX_OUTPUT: u64 = 4_000;

fn cost(api: Api, input: u64, output: u64) -> u64 {
    Tokens { input, output, ..Tokens::default() }.nano_dollars(&listed(api))
}

/// What the log says that a call cost, in billionths of a dollar.
fn charged(line: &Value) -> u64 {
    let text = line["cost_usd"].as_str().unwrap_or_else(|| panic!("no cost: {line}"));
    text.replace('.', "").parse().unwrap()
}

/// What the second provider says that its answer used.
fn of_the_answer(targets: &Targets, api: Api) -> u64 {
    let usage = targets.fakes[1].books().last().unwrap().usage.unwrap();
    Tokens::of(api, &usage).nano_dollars(&listed(api))
}

/// What the first provider, which failed, was charged.
async fn of_the_failure(targets: &Targets, api: Api, reply: &Reply, outcome: &str) -> u64 {
    assert_served(reply, 1, &[("p0", outcome)]);
    let line = targets.logged(reply).await;
    assert_eq!((&line["provider"], &line["attempts"]), (&json!("p1"), &json!(2)), "{line}");
    let usage = targets.fakes[1].books().last().unwrap().usage.unwrap();
    let answer = Tokens::of(api, &usage);
    assert_eq!(line["tokens.source"], "reported", "the answer's own: {line}");
    assert_eq!(line["tokens.output"], answer.output_total(), "{line}");
    charged(&line) - of_the_answer(targets, api)
}

/// What the input of a stream is estimated at, as a call tells that reaches the first provider alone and gets no answer.
async fn input_of_a_stream(targets: &Targets, api: Api) -> u64 {
    targets.let_do(0, "~reset_before_header");
    let line = targets.logged(&targets.asked_for(api, &format!("p0/{}", api.model()), true).await).await;
    assert_eq!((&line["tokens.source"], &line["tokens.output"]), (&json!("estimated"), &json!(0)), "{line}");
    let input = line["tokens.input"].as_u64().unwrap();
    // Two tokens of it are the text; no more than a fourth of all its bytes can be meant.
    assert!((2..=line["bytes.in"].as_u64().unwrap().div_ceil(4)).contains(&input), "{line}");
    assert_eq!(charged(&line), cost(api, input, 0), "{line}");
    input
}

/// Two providers, the first of which does this, and is asked once.
fn two(api: Api, fault: &str) -> Setup {
    Setup::of(api.vendor(), 2).retries(0).does(0, fault).does(1, "~words=12")
}

#[tokio::test]
async fn the_target_that_answered_is_named_and_an_error_answer_costs_nothing() {
    for api in APIS {
        let other = match api {
            Api::Messages => "claude-haiku-4-5",
            Api::Gemini => "gemini-2.5-pro",
            _ => "gpt-4.1",
        };
        let fallback = format!("p1/{other}");
        let targets = two(api, "").rule(rule("r", "", &[("p0", 1.0)], &[&fallback])).start().await;
        for (fault, outcome) in [
            ("~error=server_error", "unavailable"),
            ("~error=context_length", "context_length_exceeded"),
            ("~error_200~error=overloaded", "unavailable"),
            // The last one, for it marks the credential.
            ("~error=bad_key", "credential_refused"),
        ] {
            targets.let_do(0, fault);
            let reply = targets.asked(api, false).await;
            assert_served(&reply, 1, &[("p0", outcome)]);
            assert_eq!(reply.header("x-tollgate-model"), Some(other), "{api:?}{fault}");
            let line = targets.logged(&reply).await;
            assert_eq!([&line["model.asked"], &line["model.used"]], [api.model(), other], "{line}");
            let usage = targets.fakes[1].books().last().unwrap().usage.unwrap();
            let name = if api == Api::Gemini { format!("gemini/{other}") } else { other.to_owned() };
            assert_eq!(charged(&line), Tokens::of(api, &usage).nano_dollars(&name), "{api:?}{fault}: {line}");
        }
    }
}

#[tokio::test]
async fn what_never_reached_the_provider_costs_nothing() {
    let closed = FakeProvider::closed().unwrap();
    for (url, outcome) in
        [(format!("http://{}", closed.addr()), "connect_failed"), ("http://nowhere.invalid".to_owned(), "unresolved")]
    {
        let targets = two(Api::Chat, "").network_of(0, "base_url", json!(url)).start().await;
        for stream in [false, true] {
            let reply = targets.asked(Api::Chat, stream).await;
            assert_eq!(of_the_failure(&targets, Api::Chat, &reply, outcome).await, 0, "{outcome}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_got_no_answer_is_charged_its_input() {
    let each = APIS.map(async |api| {
        let setup = two(api, "").network_of(0, "stream_header_timeout_ms", json!(500));
        let targets = setup.network("circuit_breaker", json!(false)).start().await;
        let input = input_of_a_stream(&targets, api).await;
        for (fault, outcome) in [
            ("~reset_before_header".to_owned(), "broken"),
            ("~noanswer".to_owned(), "timeout"),
            (format!("~cut_after={}", api.preludes()), "bad_answer"),
            (format!("~hangup_after={}", api.preludes()), "broken"),
        ] {
            targets.let_do(0, &fault);
            let reply = targets.asked(api, true).await;
            let failure = of_the_failure(&targets, api, &reply, outcome).await;
            // Anthropic says at the beginning what the input was.
            let is_told = api == Api::Messages && fault.contains("_after");
            assert_eq!(failure, cost(api, if is_told { 2 } else { input }, 0), "{api:?}{fault}");
        }
    });
    join_all(each).await;
}

#[tokio::test]
async fn an_error_in_place_of_a_streams_content_costs_nothing() {
    for api in [Api::Chat, Api::Gemini] {
        let targets = two(api, &format!("~error_after={}~error=overloaded", api.preludes())).start().await;
        let reply = targets.asked(api, true).await;
        assert_eq!(of_the_failure(&targets, api, &reply, "unavailable").await, 0, "{api:?}");
    }
}

#[tokio::test]
async fn a_whole_answer_that_did_not_come_is_charged_its_hold_for_the_vendor_may_have_worked_to_the_end() {
    let each = APIS.map(async |api| {
        let setup = two(api, "").network_of(0, "default_request_timeout_in_seconds", json!(1));
        let targets = setup.start().await;
        for (fault, outcome) in [
            ("~reset_before_header", "broken"),
            ("~cut_after=20", "bad_answer"),
            ("~hangup_after=20", "broken"),
            ("~noanswer", "timeout"),
        ] {
            targets.let_do(0, fault);
            let reply = targets.asked(api, false).await;
            let failure = of_the_failure(&targets, api, &reply, outcome).await;
            let least = cost(api, 0, MAX_OUTPUT);
            assert!(failure > least, "{api:?}{fault}: {failure} is less than all its output: {least}");
        }
        // Alone, where nothing else is charged.
        let alone = targets.asked_for(api, &format!("p0/{}", api.model()), false).await;
        let line = targets.logged(&alone).await;
        assert_eq!(line["tokens.source"], "abandoned", "{api:?}: {line}");
        assert!(charged(&line) > cost(api, 0, MAX_OUTPUT), "{api:?}: {line}");
    });
    join_all(each).await;
}

#[tokio::test]
async fn a_stream_that_broke_is_charged_for_what_it_delivered() {
    for api in APIS {
        let targets = two(api, "").client("stream_recovery", json!("buffer")).start().await;
        for (fault, outcome) in [("~cut_after=40", "bad_answer"), ("~hangup_after=40", "broken")] {
            targets.let_do(0, &format!("~words=60~by_tokens{fault}"));
            let reply = targets.asked(api, true).await;
            let failure = of_the_failure(&targets, api, &reply, outcome).await;
            let delivered = targets.fakes[0].books().last().unwrap().output_tokens;
            assert_eq!(delivered, 40);
            let (least, most) = (cost(api, 2, delivered), cost(api, 25, 2 * delivered));
            assert!((least..=most).contains(&failure), "{api:?}{fault}: {failure} is not in {least}..={most}");
        }
    }
}

#[tokio::test]
async fn a_call_that_failed_everywhere_is_charged_for_what_it_may_have_used() {
    for api in APIS {
        let targets = two(api, "~reset_before_header").does(1, "~status=500").start().await;
        let reply = targets.asked(api, true).await;
        assert_eq!(reply.status, 502, "{}", reply.text());
        let line = targets.logged(&reply).await;
        let input = input_of_a_stream(&targets, api).await;
        assert_eq!((&line["tokens.source"], charged(&line)), (&json!("estimated"), cost(api, input, 0)), "{line}");
    }
}

#[tokio::test]
async fn each_provider_is_counted_for_its_own_attempts_and_costs() {
    let targets = two(Api::Chat, "~reset_before_header").start().await;
    let reply = targets.asked(Api::Chat, true).await;
    let failure = of_the_failure(&targets, Api::Chat, &reply, "broken").await;
    let counted = async |name: &str| metric(&targets.client, &targets.gateway, name).await;
    let attempts = "tollgate_attempts_total";
    assert_eq!(counted(&format!("{attempts}{{model=\"gpt-4o\",outcome=\"broken\",provider=\"p0\"}} ")).await, Some(1));
    assert_eq!(
        counted(&format!("{attempts}{{model=\"gpt-4o\",outcome=\"answered\",provider=\"p1\"}} ")).await,
        Some(1)
    );
    for (provider, cost) in [("p0", failure), ("p1", of_the_answer(&targets, Api::Chat))] {
        let name = format!("tollgate_cost_nanodollars_total{{model=\"gpt-4o\",provider=\"{provider}\"}} ");
        assert_eq!(counted(&name).await, Some(cost), "{provider}");
    }
}
