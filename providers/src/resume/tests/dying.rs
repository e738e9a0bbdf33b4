//! What a transcript passes, remembers and holds back.

use bytes::Bytes;
use policy::request::{Dialect, Operation};

use super::going_on::{broken_off, go_on, is_one_stream};
use super::vendor::{ALL, Kind};
use crate::resume::{MAX_TEXT_BYTES, Mode, Transcript};
use crate::sse::MAX_EVENT_BYTES;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/", $name)).as_slice()
    };
}

fn pass(transcript: &mut Transcript, bytes: &[u8]) -> Vec<u8> {
    transcript.pass(Bytes::copy_from_slice(bytes), false).to_vec()
}

#[test]
fn a_healthy_stream_passes_unchanged_however_it_arrives() {
    let streams = [
        (Kind::Chat, fixture!("openai/chat-stream.sse")),
        (Kind::Chat, fixture!("openai/chat-stream-tools.sse")),
        (Kind::Completion, fixture!("openai/completion-stream.sse")),
        (Kind::Anthropic, fixture!("anthropic/message-stream.sse")),
        (Kind::Anthropic, fixture!("anthropic/message-stream-tools.sse")),
        (Kind::Responses, fixture!("openai/responses-stream.sse")),
        (Kind::Gemini, fixture!("gemini/stream.sse")),
        (Kind::Gemini, fixture!("gemini/stream.json")),
        (Kind::Chat, fixture!("openai/chat.json")),
        (Kind::Chat, b"data: {\"choices\":[]}\r\rdata: [DONE]"),
        (Kind::Chat, b" \n"),
    ];
    for (kind, stream) in streams {
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            let mut transcript = kind.transcript();
            let mut given = pass(&mut transcript, head);
            given.extend_from_slice(&transcript.pass(Bytes::copy_from_slice(tail), true));
            assert!(given == stream, "{kind:?} cut at {cut}: {}", String::from_utf8_lossy(&given));
        }
        let mut transcript = kind.transcript();
        let mut given: Vec<u8> = stream.iter().flat_map(|byte| pass(&mut transcript, &[*byte])).collect();
        given.extend_from_slice(&transcript.pass(Bytes::new(), true));
        assert!(given == stream, "{kind:?} byte by byte");
    }
}

#[test]
fn the_documented_streams_can_be_continued_up_to_their_end() {
    let cases = [
        (Kind::Chat, fixture!("openai/chat-stream.sse"), "Zwölf Boxkämpfer \"jagen\"\n日本 \u{1F600}"),
        (Kind::Completion, fixture!("openai/completion-stream.sse"), "This is a test"),
        (Kind::Anthropic, fixture!("anthropic/message-stream.sse"), "Hello! Schöne Grüße"),
    ];
    for (kind, stream, text) in cases {
        for cut in 0..=stream.len() {
            let (transcript, given) = broken_off(kind, stream, cut, usize::MAX);
            assert!(transcript.is_resumable() || transcript.is_finished(), "{kind:?} {cut}");
            assert!(text.starts_with(transcript.text()));
            assert_eq!(transcript.has_content(), !transcript.text().is_empty());
            if transcript.is_finished() || given.is_empty() {
                continue;
            }
            let other = kind.stream("other", &[text]);
            let (_, rest) = go_on(transcript, Mode::Restart, [other.as_bytes()]);
            let id = super::client::read(kind, stream).id;
            is_one_stream(kind, &[given, rest].concat(), text, &id, &|| format!("{kind:?} {cut}"));
        }
    }
}

#[test]
fn pieces_that_end_on_an_event_are_not_copied() {
    for kind in ALL {
        let mut transcript = kind.transcript();
        for event in kind.events("a", &["One", " two"], false) {
            let piece = Bytes::from(event);
            let given = transcript.pass(piece.clone(), false);
            assert_eq!((given.as_ptr(), given.len()), (piece.as_ptr(), piece.len()));
        }
    }
}

#[test]
fn a_part_of_an_event_is_held_back_until_it_is_whole() {
    let event = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let mut transcript = Kind::Chat.transcript();
    let mut twice = event.to_vec();
    twice.extend_from_slice(&event[..20]);
    assert_eq!(pass(&mut transcript, &twice), event);
    assert_eq!(pass(&mut transcript, &event[20..event.len() - 1]), b"");
    assert_eq!(transcript.text(), "a");
    assert_eq!(pass(&mut transcript, &event[event.len() - 1..]), event);
    assert_eq!(transcript.text(), "aa");
}

#[test]
fn what_is_left_of_an_event_at_the_end_is_dropped_unless_it_can_be_read() {
    let event =
        "data: {\"id\":\"first\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"}}]}";
    for cut in 1..event.len() {
        let mut transcript = Kind::Chat.transcript();
        assert_eq!(transcript.pass(Bytes::from(event[..cut].to_owned()), true), "", "{cut}");
        assert_eq!(transcript.text(), "");
    }
    let mut transcript = Kind::Chat.transcript();
    let given = transcript.pass(Bytes::from(event), true);
    assert_eq!(given, format!("{event}\n\n"), "so that another target's events can follow");
    assert_eq!(transcript.text(), "a");
}

#[test]
fn a_failure_is_withheld_and_the_stream_goes_on() {
    let failures = [
        (Kind::Chat, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
        (Kind::Completion, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
        (
            Kind::Anthropic,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        ),
        (Kind::Responses, "event: error\ndata: {\"type\":\"error\",\"message\":\"m\",\"sequence_number\":6}\n\n"),
        (Kind::Responses, "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{}}\n\n"),
        (Kind::Gemini, "data: {\"error\":{\"code\":503,\"message\":\"busy\"}}\n\n"),
        (Kind::Chat, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"c\"}}\n\n"),
        (Kind::Gemini, "data: oops\n\n"),
    ];
    for (kind, failure) in failures {
        let events = kind.events("first", &["a", "b", "c"], false);
        let at = events.iter().position(|event| event.contains("\"c\"") && !event.contains("\"abc\"")).unwrap();
        let stream = [&*events[..at].concat(), failure, &*events[at..].concat()].concat();
        for size in [1, 10, usize::MAX] {
            let (mut transcript, given) = broken_off(kind, stream.as_bytes(), stream.len(), size);
            assert!(transcript.has_failed() && transcript.is_resumable(), "{failure}");
            assert_eq!(transcript.text(), "ab");
            let withheld = transcript.take_withheld();
            assert_eq!([&*given, &*withheld].concat(), stream.as_bytes());
            let other = kind.stream("other", &["abc"]);
            let (_, rest) = go_on(transcript, Mode::Restart, [other.as_bytes()]);
            is_one_stream(kind, &[given, rest].concat(), "abc", "first", &|| failure.to_owned());
        }
        // A second one that fails as well leaves what it gave.
        let (transcript, given) = broken_off(kind, stream.as_bytes(), stream.len(), usize::MAX);
        let again = [&*kind.events("second", &["abc", "d"], false).concat()].concat();
        let cut = again.find("\"d\"").unwrap();
        let cut = again[..cut].rfind("\n\n").or(again[..cut].rfind("\r\n\r\n")).unwrap();
        let again = format!("{}\n\n{failure}", &again[..cut]);
        let (mut transcript, more) = go_on(transcript, Mode::Restart, [again.as_bytes()]);
        assert!(transcript.has_failed() && transcript.is_resumable());
        assert_eq!(transcript.text(), "abc");
        assert_eq!(transcript.take_withheld(), failure);
        let (_, rest) = go_on(transcript, Mode::Restart, [kind.stream("third", &["abcde"]).as_bytes()]);
        is_one_stream(kind, &[given, more, rest].concat(), "abcde", "first", &|| failure.to_owned());
    }
}

#[test]
fn only_plain_text_of_one_answer_can_be_continued() {
    let chat = |choice: &str| format!("data: {{\"choices\":[{choice}]}}\n\n");
    let block =
        |start: &str| format!("data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{start}}}\n\n");
    let delta = |delta: &str| format!("data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{delta}}}\n\n");
    let part = |part: &str| format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}]}}}}]}}\n\n");
    let cases = [
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0}]}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"refusal\":\"No\"}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"audio\":{\"id\":\"a\"}}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"annotations\":[{}]}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"content\":\"\\ud83d\"}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"content\":[{}]}}")),
        (Kind::Chat, chat("{\"index\":1,\"delta\":{\"content\":\"b\"}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{}},{\"index\":0,\"delta\":{}}")),
        (Kind::Chat, chat("{\"index\":0,\"delta\":{\"content\":\"b\"},\"logprobs\":{\"content\":[{}]}}")),
        (Kind::Chat, "data: {\"choices\":[],\"citations\":[\"https://example.com\"]}\n\n".to_owned()),
        (Kind::Completion, chat("{\"index\":0,\"text\":\"b\",\"logprobs\":{\"tokens\":[\"b\"]}}")),
        (Kind::Anthropic, block("{\"type\":\"thinking\",\"thinking\":\"\"}")),
        (Kind::Anthropic, block("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")),
        (Kind::Anthropic, block("{\"type\":\"text\",\"text\":\"\",\"citations\":[{}]}")),
        (Kind::Anthropic, delta("{\"type\":\"citations_delta\",\"citation\":{}}")),
        (Kind::Anthropic, "data: {\"type\":\"new\"}\n\n".to_owned()),
        (Kind::Gemini, part("{\"text\":\"Hm\",\"thought\":true}")),
        (Kind::Gemini, part("{\"functionCall\":{\"name\":\"f\"}}")),
        (Kind::Gemini, "data: {\"candidates\":[{\"groundingMetadata\":{\"a\":1}}]}\n\n".to_owned()),
        (Kind::Gemini, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n".to_owned()),
        (Kind::Responses, "data: {\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"Hm\"}\n\n".to_owned()),
        (
            Kind::Responses,
            "data: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\"}}\n\n".to_owned(),
        ),
        (
            Kind::Responses,
            "data: {\"type\":\"response.output_text.annotation.added\",\"annotation\":{\"type\":\"url\"}}\n\n"
                .to_owned(),
        ),
    ];
    for (kind, event) in cases {
        let first = kind.events("first", &["a", "b"], false);
        let at = first.iter().position(|event| event.contains("\"a\"")).unwrap();
        for before in [first[..=at].concat(), String::new()] {
            let mut transcript = kind.transcript();
            assert_eq!(pass(&mut transcript, before.as_bytes()), before.as_bytes());
            assert!(transcript.is_resumable());
            assert_eq!(pass(&mut transcript, event.as_bytes()), event.as_bytes());
            assert!(!transcript.is_resumable() && transcript.has_content(), "{event}");
        }
    }
}

#[test]
fn other_operations_and_forms_pass_as_they_come() {
    let half = b"data: {\"choices\":";
    for operation in [Operation::Embedding, Operation::CountTokens, Operation::ListModels] {
        let mut transcript = Transcript::new(Dialect::OpenAi, operation, false);
        assert_eq!(pass(&mut transcript, half), half);
        assert!(!transcript.is_resumable());
    }
    let mut transcript = Transcript::new(Dialect::Gemini, Operation::ChatCompletion, true);
    assert_eq!(pass(&mut transcript, b"[{\"candi"), b"[{\"candi");
    assert!(!transcript.is_resumable());
}

#[test]
fn text_beyond_the_bound_is_let_go() {
    let piece = "x".repeat(MAX_TEXT_BYTES / 2);
    let mut transcript = Kind::Chat.transcript();
    for (event, is_resumable) in
        Kind::Chat.events("a", &[&piece, &piece, "y"], false)[1..4].iter().zip([true, true, false])
    {
        pass(&mut transcript, event.as_bytes());
        assert_eq!(transcript.is_resumable(), is_resumable);
    }
    assert_eq!(transcript.text(), "");
}

#[test]
fn an_event_beyond_the_bound_is_let_through_in_pieces() {
    let event = format!("data: {{\"choices\":[],\"x\":\"{}\"}}\n\n", "x".repeat(MAX_EVENT_BYTES + 5));
    let mut transcript = Kind::Chat.transcript();
    let given: Vec<u8> = event.as_bytes().chunks(40_000).flat_map(|piece| pass(&mut transcript, piece)).collect();
    assert!(given == event.as_bytes());
    assert!(!transcript.is_resumable());
}
