//! Vendors whose answers are no answers: errors that break off, come in pieces, or stand where an answer belongs. The caller gets
//! another target's answer, or a whole error, and never a vendor's credential.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::support::config::{KEY, VENDOR_SECRET, vendor_secret};
use super::support::raw::{
    answer, behind, chat_end, document, error_event, role, server_error, stream, torn, torn_stream, two_pieces, word,
};
use super::support::scene::{Reply, reply};
use super::support::soon;
use super::support::sse::{Api, events, reason};
use super::support::stub::{Stub, WAIT};
use super::support::targets::{Setup, Targets, assert_served, assert_trail};
use super::support::wire::{Wire, head};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// What may become of a stream that breaks off.
const RECOVERIES: [&str; 3] = ["error", "resume", "buffer"];

/// The text of a chat's stream.
fn text_of(reply: &Reply) -> String {
    let content = |event: &Value| event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
    events(Api::Chat, &reply.text()).iter().map(content).collect()
}

#[tokio::test]
async fn an_error_answer_that_breaks_off_is_judged_by_its_status_and_blames_no_other_target() {
    for api in APIS {
        let (vendor, setup) = behind(api, 2, torn("503 Service Unavailable", "", "{\"error\": {")).await;
        let targets = setup.network_of(0, "circuit_breaker", json!(false)).start().await;
        let mut asked = 0;
        for is_stream in [false, true, false, true, false, true] {
            asked += 1;
            let reply = targets.asked(api, is_stream).await;
            assert_served(&reply, 1, &[("p0", "unavailable:503")]);
            assert!(reply.text().contains("w0"), "{api:?}: {}", reply.text());
            assert!(!is_stream || reply.text().contains(api.end_mark()), "{api:?}: {}", reply.text());
            let line = targets.logged(&reply).await;
            assert_eq!((&line["attempts"], &line["http.status"]), (&json!(2), &json!(200)), "{api:?}: {line}");
            assert_eq!((vendor.requests().len(), targets.seen()), (asked, vec![0, asked]), "{api:?}");
        }
    }
}

#[tokio::test]
async fn an_error_answer_that_breaks_off_is_an_error_where_there_is_no_other_target() {
    for api in APIS {
        let (_vendor, setup) = behind(api, 1, torn("503 Service Unavailable", "", "{\"error\": {")).await;
        let targets = setup.network("circuit_breaker", json!(false)).start().await;
        for is_stream in [false, true] {
            let reply = targets.asked(api, is_stream).await;
            assert!(reply.status >= 500, "{api:?}: {} {}", reply.status, reply.text());
            assert_trail(&reply, &[("p0", "unavailable:503")]);
        }
    }
}

#[tokio::test]
async fn an_error_as_the_first_event_reaches_the_client_where_there_is_no_other_target() {
    for recovery in RECOVERIES {
        for api in Api::ALL {
            let setup = Setup::of(api.vendor(), 1).retries(0).network("circuit_breaker", json!(false));
            let targets = setup.client("stream_recovery", json!(recovery)).start().await;
            for point in [0, api.preludes()] {
                for error in ["server_error", "content_policy"] {
                    targets.let_do(0, &format!("~error_after={point}~error={error}"));
                    let reply = targets.asked(api, true).await;
                    let what = format!("{recovery} {api:?} {error} at {point}: {} {}", reply.status, reply.text());
                    assert_tells_error(&what, api, error, &reply);
                    assert!(!reply.text().contains(api.end_mark()), "looks complete: {what}");
                    assert!(!reply.text().contains("before it was complete"), "two errors: {what}");
                }
            }
        }
    }
}

/// The vendor's words are in it.
#[track_caller]
fn assert_tells_error(what: &str, api: Api, error: &str, reply: &Reply) {
    let words = match (api.vendor(), error) {
        ("openai", "content_policy") => "flagged as potentially violating our usage policy",
        ("anthropic", "content_policy") => "Output blocked by content filtering policy",
        ("gemini", "content_policy") => "Responsible AI practices",
        ("openai", _) => "The server had an error while processing your request",
        ("anthropic", _) => "Internal server error",
        _ => "An internal error has occurred",
    };
    assert!(reply.text().contains("error") && reply.text().contains(words), "{what}");
}

#[tokio::test]
async fn a_document_that_is_an_error_reaches_the_client_complete_or_as_an_error_of_ours() {
    let mut wrong = Vec::new();
    for recovery in RECOVERIES {
        for api in APIS {
            let setup = Setup::of(api.vendor(), 1).retries(0).network("circuit_breaker", json!(false));
            let targets = setup.client("stream_recovery", json!(recovery)).start().await;
            for (is_stream, error) in
                [false, true].into_iter().flat_map(|s| ["server_error", "content_policy"].map(|e| (s, e)))
            {
                for cut in ["", "~chunk_bytes=10"] {
                    targets.let_do(0, &format!("~error_200~error={error}{cut}"));
                    let reply = targets.asked(api, is_stream).await;
                    let what = format!(
                        "{recovery} {api:?}, stream: {is_stream}, {error}{cut}: {} {}",
                        reply.status,
                        reply.text()
                    );
                    assert_tells_error(&what, api, error, &reply);
                    let length = reply.header("content-length").map(str::to_owned);
                    assert!(length.is_none_or(|length| length == reply.body.len().to_string()), "{what}");
                    assert!(reply.json()["error"].is_object(), "no whole document: {what}");
                    if error != "content_policy" && reply.status < 500 {
                        wrong.push(what);
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a success: {wrong:#?}");
}

#[tokio::test]
async fn a_policy_refusal_as_the_first_event_goes_nowhere_else() {
    for api in APIS {
        let targets =
            Setup::of(api.vendor(), 2).retries(0).does(0, "~error_after=0~error=content_policy").start().await;
        let reply = targets.asked(api, true).await;
        assert_tells_error(&reply.text(), api, "content_policy", &reply);
        assert_eq!(targets.seen(), [1, 0], "{api:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn text_that_was_delivered_once_is_not_delivered_again() {
    let abc = || ["A ", "B ", "C "].map(word);
    let [a, b, c] = abc();
    let whole = [role(), abc().concat(), word("D "), word("E "), chat_end()].concat();
    let long = format!("{}{}", role(), abc().concat());
    let deaths = [
        ("in one write", stream(&long)),
        (
            "event by event",
            stream(&[role(), a.clone(), WAIT.to_owned(), b.clone(), WAIT.to_owned(), c.clone()].concat()),
        ),
        ("with a length", torn_stream(&long)),
        ("with an error", stream(&format!("{long}{}", error_event(Api::Chat, &server_error(Api::Chat, "died"))))),
        (
            "with an error behind a pause",
            stream(&format!("{}{a}{b}{WAIT}{c}{}", role(), error_event(Api::Chat, &server_error(Api::Chat, "died")))),
        ),
    ];
    for (how, second) in deaths {
        let pauses = second.matches(WAIT).count();
        let first = stream(&format!("{}{}", role(), error_event(Api::Chat, &server_error(Api::Chat, "not now"))));
        let (_first, setup) = behind(Api::Chat, 3, first).await;
        let second = Stub::answering(move |_| second.clone()).await;
        let third = whole.clone();
        let third = Stub::answering(move |_| stream(&third)).await;
        let setup = setup.network_of(1, "base_url", json!(second.url())).network_of(2, "base_url", json!(third.url()));
        let targets = setup.client("stream_recovery", json!("resume")).start().await;
        let (answered, ()) = futures::future::join(targets.asked(Api::Chat, true), async {
            for _ in 0..pauses {
                tokio::time::sleep(Duration::from_millis(100)).await;
                second.go_on();
            }
        })
        .await;
        assert_eq!(answered.status, 200, "{how}: {}", answered.text());
        assert_eq!(text_of(&answered), "A B C D E ", "{how}: {}", answered.text());
        assert_eq!(answered.text().matches("\"role\"").count(), 1, "{how}: {}", answered.text());
        assert_eq!(answered.text().matches("[DONE]").count(), 1, "{how}: {}", answered.text());
        assert!(!answered.text().contains("error"), "{how}: {}", answered.text());
    }
}

#[tokio::test]
async fn a_stream_with_a_length_that_ends_without_its_end_mark_ends_with_an_error() {
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let (first, second) = two_pieces(api);
        let length = first.len() + second.len();
        let headers = format!("content-type: text/event-stream\r\ncontent-length: {length}\r\n");
        let (vendor, setup) = behind(api, 1, answer("200 OK", &headers, &format!("{first}{WAIT}{second}"))).await;
        let targets = setup.start().await;
        let mut body = api.body(api.model(), true, "12345678");
        if api == Api::Chat {
            body["stream_options"] = json!({"include_usage": true});
        }
        let begun = soon(targets.post(&api.path(api.model(), true)).body(body.to_string()).send()).await.unwrap();
        vendor.go_on();
        let told = Reply::of(begun).await;
        let text = told.text();
        assert_eq!((told.status, told.header("content-length")), (200, None), "{api:?}: {text}");
        assert!(text.contains("A ") && text.contains("B "), "{api:?}: {text}");
        assert!(!text.contains(api.end_mark()), "{api:?} looks complete: {text}");
        let last = events(api, &text).pop().unwrap();
        assert_eq!(reason(&last), Some("upstream_unreachable"), "{api:?}: {text}");
    }
}

/// The ways in which a vendor may quote the credential that it was shown, in place of an answer.
fn quotations(api: Api) -> Vec<(&'static str, bool, String)> {
    let secret = vendor_secret("p0");
    let error = server_error(api, &format!("the worker failed for account {secret}"));
    let mut elsewhere = server_error(api, "the worker failed");
    elsewhere["error"]["code"] = json!(secret);
    elsewhere["error"]["details"] = json!([{"credential": secret}]);
    let mut both = Vec::new();
    for (what, error) in [("in its message", error), ("beside its message", elsewhere)] {
        let text = error.to_string();
        let refused =
            text.replace("server_error", "invalid_request_error").replace("api_error", "invalid_request_error");
        both.extend([
            (what, true, document("500 Internal Server Error", &text)),
            (what, false, document("500 Internal Server Error", &text)),
            (what, false, document("400 Bad Request", &refused)),
            (what, false, document("200 OK", &text)),
            (what, true, document("200 OK", &text)),
            (what, true, stream(&error_event(api, &error))),
        ]);
    }
    both.push(("on a page", false, answer("500 Oops", "content-type: text/html\r\n", &format!("<p>{secret}</p>"))));
    both.push((
        "in a header",
        false,
        answer("500 Oops", &format!("x-account: {secret}\r\ncontent-length: 2\r\n"), "{}"),
    ));
    both
}

#[tokio::test]
async fn an_error_that_quotes_the_credential_is_neither_shown_nor_logged() {
    let mut shown = Vec::new();
    for recovery in RECOVERIES {
        for api in APIS {
            for (what, is_stream, text) in quotations(api) {
                let (vendor, setup) = behind(api, 1, text.clone()).await;
                let targets = setup.client("stream_recovery", json!(recovery)).start().await;
                let told = targets.asked(api, is_stream).await;
                let case = format!("{recovery} {api:?} {what}, stream: {is_stream}: {text}");
                let seen = format!("{} {:?} {}", told.status, told.headers, told.text());
                assert!(told.status >= 400 || seen.contains("error"), "{case}: {seen}");
                assert!(vendor.requests()[0].contains(&vendor_secret("p0")), "it was shown it: {case}");
                let line = targets.logged(&told).await;
                assert!(!line.to_string().contains(VENDOR_SECRET), "{case}: {line}");
                if seen.contains(VENDOR_SECRET) {
                    shown.push(format!("{case}\nwas told as {seen}"));
                }
            }
        }
    }
    assert!(shown.is_empty(), "{} times: {}", shown.len(), shown.join("\n\n"));
}

#[tokio::test]
async fn an_error_in_mid_stream_that_quotes_the_credential_is_not_shown() {
    let secret = vendor_secret("p0");
    let in_message = server_error(Api::Chat, &format!("the worker failed for account {secret}"));
    let mut beside = server_error(Api::Chat, "the worker failed");
    beside["error"]["code"] = json!(secret);
    for recovery in RECOVERIES {
        for error in [&in_message, &beside] {
            let text = format!("{}{}{WAIT}{}", role(), word("A "), error_event(Api::Chat, error));
            let (vendor, setup) = behind(Api::Chat, 1, stream(&text)).await;
            let targets = setup.client("stream_recovery", json!(recovery)).start().await;
            let (told, ()) = futures::future::join(targets.asked(Api::Chat, true), async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                vendor.go_on();
            })
            .await;
            assert!(told.text().contains("error"), "{recovery}: {}", told.text());
            assert!(!told.text().contains(VENDOR_SECRET), "{recovery}: {}", told.text());
        }
    }
}

#[tokio::test]
async fn a_credential_at_the_end_of_a_long_error_is_not_shown() {
    let text = format!("{}{}", "x".repeat(LONG), vendor_secret("p0"));
    let text = server_error(Api::Chat, &text).to_string().replace("server_error", "invalid_request_error");
    let (_vendor, setup) = behind(Api::Chat, 1, document("400 Bad Request", &text)).await;
    let told = setup.start().await;
    // The answer may also break off there.
    let sent = soon(told.ask(Api::Chat, false).send()).await.unwrap();
    let body = soon(sent.bytes()).await.unwrap_or_default();
    assert!(!String::from_utf8_lossy(&body).contains(VENDOR_SECRET));
}

#[tokio::test]
async fn a_throttled_answer_that_breaks_off_is_throttled() {
    for api in APIS {
        let text = torn("429 Too Many Requests", "retry-after: 60\r\n", "{\"error\": {\"mess");
        let (vendor, setup) = behind(api, 2, text.clone()).await;
        let targets = setup.start().await;
        assert_served(&targets.asked(api, false).await, 1, &[("p0", "throttled:429")]);
        assert_served(&targets.asked(api, true).await, 1, &[]);
        assert_eq!(vendor.requests().len(), 1, "{api:?}: it said when to come back");
        let (_vendor, setup) = behind(api, 1, text).await;
        let alone = setup.start().await;
        let told = alone.asked(api, true).await;
        assert_trail(&told, &[("p0", "throttled:429")]);
        assert_eq!((told.status, told.header("retry-after")), (429, Some("60")), "{api:?}: {}", told.text());
    }
}

#[tokio::test]
async fn an_error_document_in_place_of_a_stream_goes_on_elsewhere_however_it_comes() {
    for api in APIS.into_iter().chain([Api::GeminiArray]) {
        for length in [true, false] {
            let error = server_error(api, "the worker failed").to_string();
            let (half, rest) = error.split_at(error.len() / 2);
            let framing = if length { format!("content-length: {}\r\n", error.len()) } else { String::new() };
            let headers = format!("content-type: application/json\r\n{framing}");
            let (vendor, setup) = behind(api, 2, answer("200 OK", &headers, &format!("{half}{WAIT}{rest}"))).await;
            let targets = setup.start().await;
            let (answered, ()) = futures::future::join(targets.asked(api, true), async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                vendor.go_on();
            })
            .await;
            assert_eq!(vendor.requests().len(), 1, "{api:?}, with a length: {length}: {}", answered.text());
            assert_served(&answered, 1, &[("p0", "unavailable")]);
            assert!(answered.text().contains(api.end_mark()), "{api:?}: {}", answered.text());
            assert!(!answered.text().contains("worker"), "{api:?}: {}", answered.text());
        }
    }
}

/// The same where the pieces come one by one from the fake.
#[tokio::test]
async fn an_error_document_byte_by_byte_in_place_of_a_stream_goes_on_elsewhere() {
    for api in APIS {
        let setup = Setup::of(api.vendor(), 2).retries(0).does(0, "~error_200~chunk_bytes=10");
        let targets = setup.start().await;
        assert_served(&targets.asked(api, true).await, 1, &[("p0", "unavailable")]);
    }
}

/// Text that the vendor has more of than is looked into.
const LONG: usize = 200 * 1024;

#[tokio::test]
async fn a_long_error_that_comes_with_a_pause_arrives_whole() {
    let error = |api| match api {
        Api::Messages => {
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": "x".repeat(LONG)}})
        }
        Api::Gemini => json!({"error": {"code": 400, "message": "x".repeat(LONG), "status": "INVALID_ARGUMENT"}}),
        _ => {
            json!({"error": {"message": "x".repeat(LONG), "type": "invalid_request_error", "param": null, "code": null}})
        }
    };
    let ask = |api: Api| async move {
        let error = error(api);
        let text = error.to_string();
        let (half, rest) = text.split_at(text.len() / 2);
        let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", text.len());
        let (vendor, setup) = behind(api, 2, answer("400 Bad Request", &headers, &format!("{half}{WAIT}{rest}"))).await;
        let targets = setup.start().await;
        let mut response = soon(targets.ask(api, api == Api::Messages).send()).await.unwrap();
        assert_eq!(response.status(), 400);
        let mut body = soon(response.chunk()).await.unwrap().unwrap().to_vec();
        // Longer than an error may take that is still to be judged.
        tokio::time::sleep(Duration::from_secs(6)).await;
        vendor.go_on();
        while let Some(piece) = soon(response.chunk()).await.unwrap() {
            body.extend(piece);
        }
        assert_eq!(body.len(), text.len(), "{api:?}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), error, "{api:?}");
        assert_eq!(targets.seen(), [0, 0], "{api:?}: what blames the request goes nowhere else");
    };
    join_all(APIS.map(ask)).await;
}

#[tokio::test]
async fn a_vendors_not_modified_never_reaches_the_client() {
    let text = answer("304 Not Modified", "etag: \"a\"\r\n", "");
    for api in APIS {
        for is_stream in [false, true] {
            let (vendor, setup) = behind(api, 2, text.clone()).await;
            let targets = setup.start().await;
            let conditional = targets.ask(api, is_stream).header("if-none-match", "\"a\"");
            assert_served(&reply(conditional).await, 1, &[("p0", "bad_answer:304")]);
            assert!(!vendor.requests()[0].to_ascii_lowercase().contains("if-none-match"), "{api:?}");
            let (_vendor, setup) = behind(api, 1, text.clone()).await;
            let alone = setup.start().await;
            let told = alone.asked(api, is_stream).await;
            assert_eq!(
                (told.status, reason(&told.json())),
                (502, Some("upstream_unreachable")),
                "{api:?}: {}",
                told.text()
            );
            assert_eq!(told.header("etag"), None, "{api:?}");
        }
    }
}

/// A request whose Connection header has something in it that is no name.
async fn asked_with_connection(targets: &Targets, value: &str, is_stream: bool) -> u16 {
    let body = Api::Chat.body("gpt-4o", is_stream, "hi").to_string();
    let framing = format!("connection: {value}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    let mut wire = Wire::connect(targets.gateway.address()).await;
    wire.send(format!("{}{body}", head("/v1/chat/completions", &framing))).await;
    wire.answer().await.status
}

#[tokio::test]
async fn a_header_that_cannot_be_passed_on_blames_no_provider() {
    for value in ["foo bar@", "foo, bar@, (", "@", "keep-alive, \u{e9}"] {
        let targets = Setup::of("openai", 1).start().await;
        for n in 0..10 {
            let status = asked_with_connection(&targets, value, n % 2 == 0).await;
            assert!([200, 400].contains(&status), "{value:?}: {status}");
        }
        for is_stream in [false, true] {
            assert_served(&targets.asked(Api::Chat, is_stream).await, 0, &[]);
        }
        assert!(!targets.gateway.output().contains(KEY));
    }
}

#[tokio::test]
async fn a_request_with_too_many_fallbacks_is_refused_by_name() {
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let targets = Setup::of(api.vendor(), 2).does(0, "~status=503").retries(0).start().await;
        let with = |count: usize| {
            let mut body = api.body(api.model(), false, "12345678");
            body["fallbacks"] = vec![json!("p1"); count].into();
            reply(targets.post(&api.path(api.model(), false)).body(body.to_string()))
        };
        let told = with(101).await;
        assert_eq!(told.status, 400, "{api:?}: {}", told.text());
        assert!(told.json()["error"]["message"].as_str().unwrap().contains("fallbacks"), "{api:?}: {}", told.text());
        assert_eq!(targets.seen(), [0, 0], "{api:?}");
        assert_served(&with(100).await, 1, &[("p0", "unavailable")]);
    }
}
