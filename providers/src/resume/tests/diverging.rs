//! A stream that is another answer is not passed on.

use bytes::Bytes;

use super::going_on::{broken_off, go_on, is_one_stream};
use super::vendor::{ALL, Kind};
use crate::resume::{Continuation, Diverged, Mode, Transcript};

fn half(kind: Kind) -> Transcript {
    let first = kind.stream("first", &["One, two", ", three", ", four"]);
    let cut = first.find(", four").unwrap();
    let (transcript, _) = broken_off(kind, first.as_bytes(), cut, usize::MAX);
    assert_eq!(transcript.text(), "One, two, three");
    transcript
}

/// Feeds the other stream in pieces of this size. What was passed before it diverged, and the transcript.
fn diverge(kind: Kind, mode: Mode, other: &[u8], size: usize) -> (Vec<u8>, Transcript) {
    let mut continuation = Continuation::new(half(kind), mode);
    let mut passed = Vec::new();
    for piece in other.chunks(size) {
        match continuation.pass(Bytes::copy_from_slice(piece), false) {
            Ok(piece) => passed.extend_from_slice(&piece),
            Err(Diverged) => {
                assert_eq!(continuation.pass(Bytes::from_static(b"data: [DONE]\n\n"), true), Err(Diverged));
                return (passed, continuation.into_transcript());
            }
        }
    }
    panic!("{kind:?} passed {}", String::from_utf8_lossy(&passed));
}

#[test]
fn nothing_is_passed_of_an_answer_that_differs_or_ends_earlier() {
    let answers: [&[&str]; 5] =
        [&["Uno"], &["One, two", ", free"], &["One, ", "two, thre"], &["One, two, Three and more"], &[]];
    for (kind, pieces) in ALL.into_iter().flat_map(|kind| answers.map(|answer| (kind, answer))) {
        let other = kind.stream("other", pieces);
        for size in [1, 5, 64, usize::MAX] {
            let (passed, transcript) = diverge(kind, Mode::Restart, other.as_bytes(), size);
            assert!(passed.is_empty(), "{kind:?} {pieces:?}: {}", String::from_utf8_lossy(&passed));
            assert!(transcript.is_resumable());
            assert_eq!(transcript.text(), "One, two, three");
        }
    }
}

#[test]
fn an_end_mark_without_a_reason_is_an_end_too() {
    for (kind, mark) in [
        (Kind::Chat, "data: [DONE]\n\n"),
        (Kind::Completion, "data: [DONE]\n\n"),
        (Kind::Anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
    ] {
        assert!(diverge(kind, Mode::Restart, mark.as_bytes(), usize::MAX).0.is_empty());
    }
}

#[test]
fn a_restart_that_dies_before_its_border_has_not_diverged() {
    for kind in ALL {
        let other = kind.stream("other", &["One, ", "two, three", ", four"]);
        let cut = other.find("two,").unwrap();
        let mut continuation = Continuation::new(half(kind), Mode::Restart);
        assert_eq!(continuation.pass(Bytes::from(other[..cut].to_owned()), true), Ok(Bytes::new()));
        assert!(!continuation.transcript().is_finished() && continuation.transcript().is_resumable());
    }
}

#[test]
fn text_of_a_piece_that_diverges_counts_as_not_given() {
    let good = Kind::Chat.events("other", &[", four"], false);
    let bad = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let (passed, transcript) = diverge(Kind::Chat, Mode::Prefill, [&*good[1], bad].concat().as_bytes(), usize::MAX);
    assert!(passed.is_empty());
    assert_eq!(transcript.text(), "One, two, three");
    let (passed, transcript) = diverge(Kind::Chat, Mode::Prefill, [&*good[1], bad].concat().as_bytes(), good[1].len());
    assert!(!passed.is_empty());
    assert_eq!(transcript.text(), "One, two, three, four");
}

#[test]
fn what_cannot_follow_plain_text_diverges() {
    let block = |kind: &str| {
        format!(
            "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{kind}}}\n\n"
        )
    };
    let delta =
        |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n");
    let part = |part: &str| format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}]}}}}]}}\n\n");
    let cases = [
        (Kind::Anthropic, block("{\"type\":\"thinking\",\"thinking\":\"\"}")),
        (Kind::Anthropic, "event: new\ndata: {\"type\":\"new\"}\n\n".to_owned()),
        (Kind::Chat, delta("{\"reasoning_content\":\"Hm\"}")),
        (Kind::Chat, delta("{\"refusal\":\"No\"}")),
        (Kind::Chat, delta("{\"content\":[{\"type\":\"text\"}]}")),
        (Kind::Chat, "{\"id\":\"a document\"}".to_owned()),
        (Kind::Gemini, part("{\"text\":\"Hm\",\"thought\":true}")),
        (Kind::Gemini, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n".to_owned()),
        (
            Kind::Responses,
            "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"reasoning\",\"id\":\"r\"}}\n\n"
                .to_owned(),
        ),
        (Kind::Responses, "data: {\"type\":\"response.refusal.delta\",\"delta\":\"No\"}\n\n".to_owned()),
    ];
    for (kind, other) in cases {
        for mode in [Mode::Prefill, Mode::Restart] {
            assert!(diverge(kind, mode, other.as_bytes(), usize::MAX).0.is_empty(), "{other}");
        }
    }
    let calls = [
        (Kind::Anthropic, block("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")),
        (Kind::Chat, delta("{\"tool_calls\":[{\"index\":0}]}")),
        (Kind::Gemini, part("{\"functionCall\":{\"name\":\"f\"}}")),
    ];
    for (kind, other) in calls {
        assert!(diverge(kind, Mode::Restart, other.as_bytes(), usize::MAX).0.is_empty(), "{other}");
    }
}

#[test]
fn a_transcript_that_cannot_be_continued_is_not() {
    let mut transcript = Kind::Chat.transcript();
    transcript.pass(Bytes::from(Kind::Chat.stream("first", &["whole"])), true);
    assert_eq!(Continuation::new(transcript, Mode::Prefill).pass(Bytes::new(), false), Err(Diverged));
}

#[test]
fn of_comments_only_that_they_came_is_passed() {
    let mut continuation = Continuation::new(half(Kind::Chat), Mode::Restart);
    let passed = continuation.pass(Bytes::from_static(b": busy at example\r\n\r\nevent: nothing\n\n"), false);
    assert_eq!(passed, Ok(Bytes::from_static(b":\n\n")));
}

#[test]
fn a_beginning_or_an_end_of_a_piece_that_diverges_counts_as_not_given() {
    let strange = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let events = Kind::Chat.events("second", &[], false);
    let mut continuation = Continuation::new(Kind::Chat.transcript(), Mode::Restart);
    assert_eq!(continuation.pass(Bytes::from([&*events[0], strange].concat()), false), Err(Diverged));
    let third = Kind::Chat.stream("third", &["a"]);
    let (_, given) = go_on(continuation.into_transcript(), Mode::Restart, [third.as_bytes()]);
    is_one_stream(Kind::Chat, &given, "a", "third", &String::new);

    let mut continuation = Continuation::new(half(Kind::Chat), Mode::Prefill);
    assert_eq!(continuation.pass(Bytes::from([&*events[1], strange].concat()), false), Err(Diverged));
    assert!(continuation.transcript().is_resumable() && !continuation.transcript().is_finished());
}
