//! What goes wrong at one provider while another is well: the caller gets the other one's answer, whole and as if nothing had
//! been, each provider is asked no more than it must be, and one fault closes no way.

use futures::future::join_all;
use loadtest::fake::{Entry, FakeProvider};
use serde_json::json;

use super::support::scene::Reply;
use super::support::sse::{Api, reason};
use super::support::stub::Stub;
use super::support::targets::{Setup, Targets, assert_served, assert_trail, trail};
use super::support::{PATIENCE, soon};

/// One API of each dialect.
const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Gemini];

/// Two providers that say other things, so that one can see whose words an answer has.
async fn two(api: Api) -> Targets {
    Setup::of(api.vendor(), 2).retries(1).does(1, "~words_seed=7").start().await
}

/// The second provider's answer, and nothing of the first one's.
#[track_caller]
fn assert_whole_and_of_the_second(what: &str, api: Api, stream: bool, reply: &Reply) {
    let text = reply.text();
    assert!(text.contains("v7_0") && text.contains("v7_7"), "{what}: {text}");
    assert!(!text.contains("w0"), "{what}: words of the provider that failed: {text}");
    assert!(!stream || text.contains(api.end_mark()), "{what}: {text}");
}

/// The first provider does this and is tried so often, with this outcome; then the second one answers. The next calls go to the
/// first again, and there are enough of them to outweigh its failures.
async fn assert_goes_on(targets: &Targets, api: Api, stream: bool, fault: &str, tries: usize, outcome: &str) {
    let what = format!("{api:?}, stream: {stream}, after {fault}");
    targets.forget();
    targets.let_do(0, fault);
    let reply = targets.asked(api, stream).await;
    assert_served(&reply, 1, &vec![("p0", outcome); tries]);
    assert_whole_and_of_the_second(&what, api, stream, &reply);
    let walked = targets.walked();
    let (order, entries): (Vec<_>, Vec<_>) = walked.into_iter().unzip();
    assert_eq!(order, [vec![0; tries], vec![1]].concat(), "{what}");
    let bodies: Vec<_> = entries.iter().map(|entry| (&entry.body_sha256, entry.body_bytes)).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{what}: asked for other things: {bodies:?}");
    let line = targets.logged(&reply).await;
    assert_eq!((&line["attempts"], &line["provider"]), (&json!(tries + 1), &json!("p1")), "{what}: {line}");
    // The connection that it is asked over is not kept: one that dies later would be a fault of its own.
    targets.let_do(0, "~close");
    for _ in 0..3 {
        assert_served(&targets.asked(api, stream).await, 0, &[]);
    }
}

#[tokio::test]
async fn a_provider_that_cannot_serve_is_asked_once_more_and_then_the_next() {
    for api in APIS {
        let targets = two(api).await;
        for stream in [false, true] {
            for fault in ["~error=server_error", "~error=overloaded", "~status=502~html", "~status=408", "~error_200"] {
                assert_goes_on(&targets, api, stream, fault, 2, "unavailable").await;
            }
            for fault in ["~reset_before_header", "~hangup_before_header"] {
                assert_goes_on(&targets, api, stream, fault, 2, "broken").await;
            }
        }
    }
}

#[tokio::test]
async fn an_error_in_place_of_the_first_content_goes_on_like_an_error_answer() {
    for api in APIS {
        let targets = two(api).await;
        for point in [0, api.preludes()] {
            for error in ["server_error", "overloaded"] {
                let fault = format!("~error_after={point}~error={error}");
                assert_goes_on(&targets, api, true, &fault, 2, "unavailable").await;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_content_goes_on_elsewhere() {
    for api in APIS {
        let targets = two(api).await;
        for point in [0, api.preludes()] {
            for (fault, outcome) in [
                ("cut_after", "bad_answer"),
                ("garbage_after", "bad_answer"),
                ("hangup_after", "broken"),
                ("goaway_after", "broken"),
                ("reset_after", "broken"),
            ] {
                assert_goes_on(&targets, api, true, &format!("~{fault}={point}"), 1, outcome).await;
            }
        }
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_none_goes_on_elsewhere() {
    for api in APIS {
        let targets = two(api).await;
        for (fault, outcome) in [
            ("~cut_after=20", "bad_answer"),
            ("~cut_after=20~nocontentlength", "bad_answer"),
            ("~length_under=20", "bad_answer"),
            ("~length_over=20", "broken"),
            ("~hangup_after=20", "broken"),
            ("~reset_after=20~nocontentlength", "broken"),
        ] {
            assert_goes_on(&targets, api, false, fault, 1, outcome).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_compressed_unasked_is_not_unpacked_but_asked_for_elsewhere() {
    for api in APIS {
        let targets = two(api).await;
        for stream in [false, true] {
            assert_goes_on(&targets, api, stream, "~gzip_bomb=64", 1, "bad_answer").await;
        }
        let asked = targets.fakes[0].books().entries();
        let takes = |name: &str| asked.iter().filter_map(|entry| entry.header(name)).collect::<Vec<_>>();
        assert!(takes("accept-encoding").iter().all(|coding| *coding == "identity"), "{:?}", takes("accept-encoding"));
    }
}

/// A first provider with a short deadline: it keeps silent, and is not asked a second time for it.
async fn assert_silence_goes_on(api: Api, stream: bool, fault: &str, deadline: (&str, u64)) {
    let what = format!("{api:?}, stream: {stream}, after {fault}");
    let setup = Setup::of(api.vendor(), 2).does(0, fault).does(1, "~words_seed=7");
    let targets = setup.network_of(0, deadline.0, json!(deadline.1)).start().await;
    // Twice: the first silence has not closed the way.
    for _ in 0..2 {
        targets.forget();
        let reply = targets.asked(api, stream).await;
        assert_served(&reply, 1, &[("p0", "timeout")]);
        assert_whole_and_of_the_second(&what, api, stream, &reply);
        assert_eq!(targets.seen(), [1, 1], "{what}: a silent route is not tried again");
        let is_left = |all: &[Entry]| all.iter().all(|entry| entry.caller_gone.is_some());
        targets.fakes[0].books().wait_for(is_left, PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_does_not_begin_in_time_is_asked_for_elsewhere() {
    for fault in ["~noanswer", "~header_stall_ms=600000"] {
        join_all(APIS.map(|api| assert_silence_goes_on(api, true, fault, ("stream_header_timeout_ms", 200)))).await;
    }
}

#[tokio::test]
async fn a_first_token_that_does_not_come_in_time_is_asked_for_elsewhere() {
    for fault in ["~first_token_delay_ms=20000", "~trickle_ms=1000"] {
        join_all(APIS.map(|api| assert_silence_goes_on(api, true, fault, ("stream_first_token_timeout_ms", 300))))
            .await;
    }
}

#[tokio::test]
async fn a_stream_that_is_silent_before_its_first_token_is_asked_for_elsewhere() {
    let silent = |api: Api| async move {
        let fault = format!("~silent_after={}", api.preludes());
        assert_silence_goes_on(api, true, &fault, ("stream_idle_timeout_in_seconds", 1)).await;
    };
    join_all(APIS.map(silent)).await;
}

#[tokio::test]
async fn a_whole_answer_that_is_not_there_when_the_call_must_end_is_asked_for_where_there_is_more_time() {
    let deadline = ("default_request_timeout_in_seconds", 1);
    let each = APIS.into_iter().flat_map(|api| ["~noanswer", "~trickle_ms=1000"].map(|fault| (api, fault)));
    join_all(each.map(|(api, fault)| assert_silence_goes_on(api, false, fault, deadline))).await;
}

#[tokio::test]
async fn no_attempt_is_begun_when_the_call_has_no_time_left() {
    for stream in [false, true] {
        let setup = Setup::of("openai", 2).network("default_request_timeout_in_seconds", json!(1));
        let targets = setup.does(0, "~noanswer").start().await;
        let reply = targets.asked(Api::Chat, stream).await;
        assert_eq!((reply.status, reason(&reply.json())), (504, Some("upstream_timeout")), "{}", reply.text());
        assert_trail(&reply, &[("p0", "timeout")]);
        assert_eq!(targets.seen(), [1, 0], "what is begun cannot end, and would be paid for");
    }
}

#[tokio::test]
async fn a_provider_whose_name_is_unknown_is_passed_over() {
    for api in APIS {
        let setup = Setup::of(api.vendor(), 2).retries(1).does(1, "~words_seed=7");
        let targets = setup.network_of(0, "base_url", json!("http://nowhere.invalid")).start().await;
        for stream in [false, true] {
            let reply = targets.asked(api, stream).await;
            assert_served(&reply, 1, &[("p0", "unresolved"); 2]);
            assert_whole_and_of_the_second("unresolved", api, stream, &reply);
        }
        assert_eq!(targets.seen(), [0, 2]);
    }
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_passed_over() {
    let closed = FakeProvider::closed().unwrap();
    for api in APIS {
        let setup = Setup::of(api.vendor(), 2).retries(1).does(1, "~words_seed=7");
        let targets = setup.network_of(0, "base_url", json!(format!("http://{}", closed.addr()))).start().await;
        for stream in [false, true] {
            let reply = targets.asked(api, stream).await;
            assert_served(&reply, 1, &[("p0", "connect_failed"); 2]);
            assert_whole_and_of_the_second("refused", api, stream, &reply);
        }
        assert_eq!(targets.seen(), [0, 2]);
    }
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_given_up_and_not_begun_again() {
    let mute = FakeProvider::mute().unwrap();
    for api in APIS {
        let url = format!("https://localhost:{}", mute.addr().port());
        let setup = Setup::of(api.vendor(), 2).does(1, "~words_seed=7").network_of(0, "base_url", json!(url));
        let targets = setup.network_of(0, "connect_timeout_ms", json!(200)).start().await;
        let before = mute.accepted_us().len();
        let reply = soon(targets.asked(api, true)).await;
        assert_served(&reply, 1, &[("p0", "connect_timeout")]);
        assert_whole_and_of_the_second("stalled", api, true, &reply);
        assert_eq!((mute.accepted_us().len() - before, targets.seen()), (1, vec![0, 1]));
    }
}

#[tokio::test]
async fn one_error_in_a_hundred_is_never_seen_and_closes_no_way() {
    for (n, api) in APIS.into_iter().enumerate() {
        let targets = Setup::of(api.vendor(), 2).does(0, "~failevery=100").start().await;
        let mut failed = 0;
        for asked in 0..300 {
            let reply = targets.asked(api, (n + asked) % 2 == 0).await;
            let trail = reply.header("x-tollgate-attempts").map(str::to_owned);
            assert_served(&reply, 0, &trail.iter().map(|_| ("p0", "unavailable")).collect::<Vec<_>>());
            failed += usize::from(trail.is_some());
        }
        assert_eq!((failed, targets.seen()), (3, vec![303, 0]), "{api:?}: each is asked once more where it failed");
    }
}

#[tokio::test]
async fn an_error_answer_that_breaks_off_goes_on_elsewhere() {
    for api in APIS {
        for stream in [false, true] {
            let targets = two(api).await;
            for fault in ["~hangup_after=9", "~reset_after=9", "~length_over=9"] {
                targets.forget();
                targets.let_do(0, &format!("~status=503{fault}"));
                let reply = targets.asked(api, stream).await;
                let told = trail(&reply);
                assert!(!told.is_empty() && told.iter().all(|step| step.starts_with("p0/")), "{fault}: {told:?}");
                assert_whole_and_of_the_second(fault, api, stream, &reply);
                assert_eq!(targets.seen(), [told.len(), 1], "{api:?}, stream: {stream}, {fault}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_stream_goes_on_elsewhere_however_it_is_cut_up() {
    for api in APIS {
        let targets = two(api).await;
        for cut_up in ["", "~chunk_bytes=10", "~chunk_bytes=1~nocontentlength", "~trickle_ms=1"] {
            let fault = format!("~error_200~error=overloaded{cut_up}");
            assert_goes_on(&targets, api, true, &fault, 2, "unavailable").await;
        }
    }
}

#[tokio::test]
async fn an_error_answer_that_comes_byte_by_byte_is_not_read_to_its_end() {
    let each = APIS.map(async |api| {
        let setup = Setup::of(api.vendor(), 2).retries(0).does(0, "~status=503~trickle_ms=1000");
        let targets = setup.does(1, "~words_seed=7").start().await;
        let reply = targets.asked(api, true).await;
        assert_eq!((reply.status, targets.seen()), (200, vec![1, 1]), "{}", reply.text());
        assert_whole_and_of_the_second("trickled", api, true, &reply);
        let walked = targets.walked();
        let (first, second) = (&walked[0].1, &walked[1].1);
        assert!(!first.finished || second.received_us < first.ended_us.unwrap(), "{api:?}: its end was waited for");
    });
    join_all(each).await;
}

/// What no vendor's API says, and what is made of it.
const NO_ANSWERS: [(&str, &str); 12] = [
    ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "bad_answer"),
    ("HTTP/1.1 204 No Content\r\n\r\n", "bad_answer"),
    ("HTTP/1.1 302 Found\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n", "bad_answer"),
    ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 18\r\n\r\n<html>Hello</html>", "bad_answer"),
    ("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n", "bad_answer"),
    ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull", "bad_answer"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n", "broken"),
    ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "broken"),
    ("HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n", "unavailable"),
    ("HTTP/1.1 503 Down\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "unavailable"),
    ("HTTP/1.1 503 Down\r\nconnection: close\r\n\r\n", "unavailable"),
    ("HTTP/1.1 304 Not Modified\r\n\r\n", "bad_answer"),
];

#[tokio::test]
async fn what_is_no_answer_goes_on_elsewhere() {
    for (text, outcome) in NO_ANSWERS {
        let stub = Stub::answering(|_| text.to_owned()).await;
        let setup = Setup::of("openai", 2).retries(0).does(1, "~words_seed=7");
        let targets = setup.network_of(0, "base_url", json!(stub.url())).start().await;
        for stream in [false, true] {
            let reply = targets.asked(Api::Chat, stream).await;
            assert_served(&reply, 1, &[("p0", outcome)]);
            assert_whole_and_of_the_second(text, Api::Chat, stream, &reply);
        }
    }
}
