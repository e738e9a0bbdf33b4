//! Streams that fail behind their fortieth word of sixty, while another provider is well: what the client has is never taken for
//! a whole answer, and where nothing was sent yet (`stream_recovery: "buffer"`) it gets the other provider's.

use bytes::BytesMut;
use futures::future::join_all;
use loadtest::fake::Ending;
use serde_json::json;

use super::support::scene::{Reply, forgetful_client};
use super::support::sse::{Api, events, reason};
use super::support::targets::{Setup, Targets, assert_served};
use super::support::{PATIENCE, soon};

/// Two providers that say other things; the first one's words are long enough to be seen one by one.
async fn two(api: Api, recovery: &str) -> Targets {
    let setup = Setup::of(api.vendor(), 2).network("stream_idle_timeout_in_seconds", json!(1));
    let setup = setup.client("stream_recovery", json!(recovery)).does(1, "~words=60~words_seed=7");
    let mut targets = setup.start().await;
    targets.client = forgetful_client();
    targets
}

/// A stream whose fault comes when the client has its first forty words.
async fn behind_forty(targets: &Targets, api: Api, fault: &str) -> Reply {
    targets.let_do(0, &format!("~words=60~big=8~lockstep=gate~by_tokens{fault}"));
    let books = targets.fakes[0].books();
    (1..api.preludes() + 40).for_each(|_| books.ack("gate"));
    let mut response = soon(targets.ask(api, true).send()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = BytesMut::new();
    while !body.windows(3).any(|seen| seen == b"w39") {
        body.extend(soon(response.chunk()).await.unwrap().expect("forty words before the fault"));
    }
    (0..100).for_each(|_| books.ack("gate"));
    body.extend(soon(response.bytes()).await.unwrap());
    Reply { status, headers, body: body.freeze() }
}

/// The client has what came before the fault, and is told that it is not all.
async fn assert_told(targets: &Targets, api: Api, fault: &str, why: &str, ending: Ending) {
    targets.forget();
    let answer = behind_forty(targets, api, fault).await;
    let (what, text) = (format!("{api:?}{fault}"), answer.text());
    assert!(text.contains("w0") && text.contains("w39") && !text.contains("w40"), "{what}: {text}");
    assert!(!text.contains(api.end_mark()), "{what} looks complete: {text}");
    assert_eq!(events(api, &text).last().and_then(reason), Some(why), "{what}: {text}");
    let line = targets.logged(&answer).await;
    assert_eq!((&line["error.type"], &line["attempts"]), (&json!(why), &json!(1)), "{what}: {line}");
    assert!(line["tokens.output"].as_u64().unwrap() >= 40, "{what}: what was delivered is charged: {line}");
    let books = targets.fakes[0].books();
    let entry = books.wait_for(|all| all[0].ended_us.is_some(), PATIENCE).await.unwrap().remove(0);
    assert_eq!((entry.ending(), entry.output_tokens), (Some(ending), 40), "{what}");
    assert_eq!(targets.seen(), [1, 0], "{what}: another answer cannot follow on half of this one");
}

#[tokio::test]
async fn a_stream_that_is_cut_in_its_middle_is_not_taken_for_a_whole_one() {
    for api in Api::ALL {
        let targets = two(api, "error").await;
        for fault in ["~cut_after=40", "~goaway_after=40"] {
            assert_told(&targets, api, fault, "upstream_unreachable", Ending::BrokenOff).await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended_at_its_deadline() {
    let silent = |api| async move {
        let targets = two(api, "error").await;
        assert_told(&targets, api, "~silent_after=40", "upstream_timeout", Ending::CallerGone).await;
    };
    join_all(Api::ALL.map(silent)).await;
}

#[tokio::test]
async fn an_event_that_nobody_can_read_is_not_passed_on() {
    // In an array an element that does not end swallows all that follow, so that only the end shows it.
    for api in Api::ALL.into_iter().filter(|api| *api != Api::GeminiArray) {
        let targets = two(api, "error").await;
        let answer = behind_forty(&targets, api, "~garbage_after=40").await;
        let text = answer.text();
        assert!(text.contains("w39") && !text.contains("w40") && !text.contains("{\"not\": json"), "{api:?}: {text}");
        assert_eq!(events(api, &text).last().and_then(reason), Some("upstream_unreachable"), "{api:?}: {text}");
        assert_eq!(targets.seen(), [1, 0], "{api:?}");
    }
}

#[tokio::test]
async fn a_silence_that_is_shorter_than_the_deadline_is_no_fault() {
    let paused = |api: Api| async move {
        let targets = two(api, "error").await;
        let answer = behind_forty(&targets, api, "~silent_after=40~silent_ms=300").await;
        let text = answer.text();
        assert!(text.contains("w59") && text.contains(api.end_mark()), "{api:?}: {text}");
        assert_served(&answer, 0, &[]);
    };
    join_all(Api::ALL.map(paused)).await;
}

#[tokio::test]
async fn a_stream_without_its_end_mark_is_whole_only_where_it_said_why_it_ends() {
    for (api, no_mark_is_whole, no_finish) in [
        (Api::Chat, true, "~nodone~nofinish"),
        (Api::Completion, true, "~nodone~nofinish"),
        (Api::Responses, false, "~nofinish"),
        (Api::Messages, false, "~nodone~nofinish"),
        (Api::Gemini, true, "~nofinish"),
    ] {
        let targets = two(api, "error").await;
        for (fault, is_whole) in [("~nodone", no_mark_is_whole), (no_finish, false)] {
            targets.forget();
            let answer = behind_forty(&targets, api, fault).await;
            let text = answer.text();
            assert!(text.contains("w59"), "{api:?}{fault}: {text}");
            let why = (!is_whole).then_some("upstream_unreachable");
            assert_eq!(events(api, &text).last().and_then(reason), why, "{api:?}{fault}: {text}");
            assert_eq!(targets.logged(&answer).await.get("error.type"), why.map(|why| json!(why)).as_ref());
            assert_eq!(targets.seen(), [1, 0], "{api:?}{fault}");
        }
    }
}

#[tokio::test]
async fn a_provider_whose_streams_keep_failing_in_their_middle_is_left_alone() {
    for fault in ["~cut_after=40", "~goaway_after=40", "~garbage_after=40"] {
        let targets = two(Api::Chat, "error").await;
        for _ in 0..5 {
            targets.forget();
            behind_forty(&targets, Api::Chat, fault).await;
            assert_eq!(targets.seen(), [1, 0], "{fault}");
        }
        targets.let_do(0, "");
        assert_served(&targets.asked(Api::Chat, true).await, 1, &[]);
        assert_eq!(targets.seen(), [1, 1], "{fault}: five in a row open the circuit");
    }
}

#[tokio::test]
async fn a_buffered_stream_that_fails_anywhere_is_asked_for_elsewhere() {
    for api in Api::ALL {
        let targets = two(api, "buffer").await;
        for (fault, outcome) in [
            ("~cut_after=40", "bad_answer"),
            ("~garbage_after=40", "bad_answer"),
            ("~nodone~nofinish", "bad_answer"),
            ("~goaway_after=40", "broken"),
            ("~reset_after=40", "broken"),
        ] {
            targets.forget();
            targets.let_do(0, &format!("~words=60~by_tokens{fault}"));
            let answer = targets.asked(api, true).await;
            assert_served(&answer, 1, &[("p0", outcome)]);
            let text = answer.text();
            assert!(text.contains("v7_59") && text.contains(api.end_mark()), "{api:?}{fault}: {text}");
            assert!(!text.contains("w0"), "{api:?}{fault}: two answers in one: {text}");
            assert_eq!(targets.seen(), [1, 1], "{api:?}{fault}");
            // Enough good answers to outweigh the fault.
            targets.let_do(0, "~close");
            for _ in 0..2 {
                assert_served(&targets.asked(api, true).await, 0, &[]);
            }
        }
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_tells_nothing_of_the_credential() {
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        for error in ["bad_key", "no_credit"] {
            // Each marks the credential, so that the next call would go elsewhere.
            let targets = two(api, "error").await;
            let answer = behind_forty(&targets, api, &format!("~error_after=40~error={error}")).await;
            let text = answer.text();
            assert!(text.contains("w39") && !text.contains("w40"), "{text}");
            assert!(!text.contains(api.end_mark()), "looks complete: {text}");
            for telling in ["canary", "api-key", "API key", "API Key", "proj_fake"] {
                assert!(!text.contains(telling), "{api:?} {error} tells of `{telling}`: {text}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_comes_in_pieces_is_understood() {
    for api in Api::ALL {
        let targets = two(api, "error").await;
        for point in [0, api.preludes()] {
            targets.forget();
            targets.let_do(0, &format!("~error_after={point}~error=bad_key~chunk_bytes=3"));
            let answer = targets.asked(api, true).await;
            assert_eq!(answer.header("x-tollgate-provider"), Some("p1"), "{api:?}: {}", answer.text());
            assert!(answer.text().contains("v7_59"), "{api:?}: {}", answer.text());
        }
    }
}
