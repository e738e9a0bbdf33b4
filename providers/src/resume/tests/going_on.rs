//! A stream that dies anywhere goes on, and is one stream.

use bytes::Bytes;

use super::client;
use super::vendor::{ALL, Kind};
use crate::resume::{Continuation, Mode, Transcript};

const PIECES: [&str; 4] = ["Zwölf", " Boxkämpfer \"jagen\"\n", "", "日本 \u{1F600} "];
/// The same text in other pieces.
const OTHERS: [&str; 5] = ["Zw", "ölf Box", "kämpfer \"jagen\"\n日", "本", " \u{1F600} "];

/// What a client has of a stream that breaks off at `cut` and came in these pieces.
pub(super) fn broken_off(kind: Kind, stream: &[u8], cut: usize, size: usize) -> (Transcript, Vec<u8>) {
    let mut transcript = kind.transcript();
    let mut given = Vec::new();
    for piece in stream[..cut].chunks(size) {
        given.extend_from_slice(&transcript.pass(Bytes::copy_from_slice(piece), false));
    }
    assert!(stream.starts_with(&given));
    (transcript, given)
}

/// The text that the other target is to say.
pub(super) fn other_text(kind: Kind, transcript: &Transcript, mode: Mode, whole: &str) -> String {
    let known = match (mode, kind) {
        (Mode::Restart, _) => "",
        (Mode::Prefill, Kind::Anthropic) => transcript.text().trim_end(),
        (Mode::Prefill, _) => transcript.text(),
    };
    whole.strip_prefix(known).unwrap().to_owned()
}

fn pieces_of(text: &str, mode: Mode) -> Vec<&str> {
    if mode == Mode::Restart && text == OTHERS.concat() { OTHERS.to_vec() } else { text.split_inclusive(' ').collect() }
}

/// Goes on with the other target's stream, cut into these pieces.
pub(super) fn go_on<'a>(
    transcript: Transcript,
    mode: Mode,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Transcript, Vec<u8>) {
    let mut continuation = Continuation::new(transcript, mode);
    let mut given = Vec::new();
    for piece in pieces {
        given.extend_from_slice(&continuation.pass(Bytes::copy_from_slice(piece), false).unwrap());
    }
    given.extend_from_slice(&continuation.pass(Bytes::new(), true).unwrap());
    (continuation.into_transcript(), given)
}

pub(super) fn is_one_stream(kind: Kind, given: &[u8], text: &str, id: &str, context: &dyn Fn() -> String) {
    let got = client::read(kind, given);
    assert!(got.is_complete, "{}: {}", context(), String::from_utf8_lossy(given));
    assert_eq!((&*got.text, &*got.id), (text, id), "{}", context());
}

#[test]
fn the_streams_of_these_tests_are_whole() {
    for kind in ALL {
        let context = || format!("{kind:?}");
        is_one_stream(kind, kind.stream("a", &PIECES).as_bytes(), &PIECES.concat(), "a", &context);
    }
}

#[test]
fn a_stream_cut_at_any_byte_goes_on_as_one_stream() {
    let text = PIECES.concat();
    for kind in ALL {
        let first = kind.stream("first", &PIECES);
        for (cut, mode) in (0..=first.len()).flat_map(|cut| [(cut, Mode::Restart), (cut, Mode::Prefill)]) {
            let context = || format!("{kind:?} cut at {cut}, {mode:?}");
            let (transcript, mut given) = broken_off(kind, first.as_bytes(), cut, usize::MAX);
            if transcript.is_finished() {
                assert!(!transcript.is_resumable());
                given.extend_from_slice(&transcript.closing());
                is_one_stream(kind, &given, &text, "first", &context);
                continue;
            }
            assert!(transcript.is_resumable(), "{}", context());
            assert!(transcript.closing().is_empty());
            let id = if given.is_empty() { "other" } else { "first" };
            let said = other_text(kind, &transcript, mode, &text);
            let other = kind.stream("other", &pieces_of(&said, mode));
            let (transcript, rest) = go_on(transcript, mode, [other.as_bytes()]);
            given.extend_from_slice(&rest);
            is_one_stream(kind, &given, &text, id, &context);
            assert!(transcript.is_finished() && transcript.closing().is_empty(), "{}", context());
            assert_eq!(transcript.text(), text);
        }
    }
}

#[test]
fn how_the_streams_arrive_does_not_matter() {
    let text = PIECES.concat();
    for (kind, mode) in ALL.into_iter().flat_map(|kind| [(kind, Mode::Restart), (kind, Mode::Prefill)]) {
        let events = kind.events("first", &PIECES, true);
        let first = events.concat();
        let mut cut = 0;
        for (at, event) in events[..events.len() - 1].iter().enumerate() {
            cut += event.len();
            let (transcript, given) = broken_off(kind, first.as_bytes(), cut, 1);
            if transcript.is_finished() {
                continue;
            }
            let said = other_text(kind, &transcript, mode, &text);
            let other = kind.events("other", &pieces_of(&said, mode), true).concat();
            let (_, rest) = go_on(transcript, mode, [other.as_bytes()]);
            is_one_stream(kind, &[&*given, &*rest].concat(), &text, "first", &|| format!("{kind:?} {mode:?}"));
            // Each event has other splits than its neighbours; together they have them all.
            for split in (at % 3..=other.len()).step_by(3) {
                let (transcript, _) = broken_off(kind, first.as_bytes(), cut, usize::MAX);
                let (head, tail) = other.as_bytes().split_at(split);
                assert!(go_on(transcript, mode, [head, tail]).1 == rest, "{kind:?} {mode:?} {cut} {split}");
            }
            let (transcript, _) = broken_off(kind, first.as_bytes(), cut, 7);
            assert!(go_on(transcript, mode, other.as_bytes().chunks(1)).1 == rest, "{kind:?} {mode:?} {cut}");
        }
    }
}

#[test]
fn a_third_target_goes_on_when_the_second_dies_too() {
    let text = PIECES.concat();
    for (kind, mode) in ALL.into_iter().flat_map(|kind| [(kind, Mode::Restart), (kind, Mode::Prefill)]) {
        let first = kind.stream("first", &PIECES);
        for cut in (first.len() / 3..first.len()).step_by(97) {
            let (transcript, given) = broken_off(kind, first.as_bytes(), cut, 50);
            if transcript.is_finished() {
                continue;
            }
            let said = other_text(kind, &transcript, mode, &text);
            let second = kind.stream("second", &pieces_of(&said, mode));
            for second_cut in (0..second.len()).step_by(61) {
                let (transcript, _) = broken_off(kind, first.as_bytes(), cut, 50);
                let (transcript, more) = go_on(transcript, mode, [&second.as_bytes()[..second_cut]]);
                let mut all = [&*given, &*more].concat();
                if transcript.is_finished() {
                    all.extend_from_slice(&transcript.closing());
                } else {
                    let said = other_text(kind, &transcript, mode, &text);
                    let third = kind.stream("third", &pieces_of(&said, mode));
                    all.extend_from_slice(&go_on(transcript, mode, [third.as_bytes()]).1);
                }
                is_one_stream(kind, &all, &text, "first", &|| format!("{kind:?} {mode:?} {cut} {second_cut}"));
            }
        }
    }
}

#[test]
fn white_space_that_anthropic_would_not_take_is_not_doubled() {
    let first = Kind::Anthropic.stream("first", &["One. \n", "rest"]);
    let cut = first.find("rest").unwrap();
    for (said, expected) in [
        (" \nTwo.", "One. \nTwo."),
        ("Two.", "One. \nTwo."),
        (" Two.", "One. \nTwo."),
        (" \n\nTwo.", "One. \n\nTwo."),
        ("Two. \nThree.", "One. \nTwo. \nThree."),
    ] {
        for pieces in [vec![said], said.split_inclusive([' ', '\n']).collect(), said.split_inclusive('.').collect()] {
            let (transcript, given) = broken_off(Kind::Anthropic, first.as_bytes(), cut, usize::MAX);
            assert_eq!(transcript.text(), "One. \n");
            let other = Kind::Anthropic.stream("other", &pieces);
            let (_, rest) = go_on(transcript, Mode::Prefill, [other.as_bytes()]);
            is_one_stream(Kind::Anthropic, &[given, rest].concat(), expected, "first", &|| format!("{said:?}"));
        }
    }
}

#[test]
fn a_prefilled_model_that_has_nothing_to_add_still_ends_the_answer() {
    for kind in ALL {
        let first = kind.stream("first", &["All said."]);
        let cut = first.find("said.").unwrap();
        let cut = cut + first[cut..].find("\n\n").or(first[cut..].find("\r\n\r\n")).unwrap() + 4;
        let (transcript, given) = broken_off(kind, first.as_bytes(), cut.min(first.len()), usize::MAX);
        let other = kind.stream("other", &[]);
        // No block at all, where there are blocks.
        let other = match kind {
            Kind::Anthropic => other.split_inclusive("\n\n").filter(|event| !event.contains("content_block")).collect(),
            _ => other,
        };
        let (_, rest) = go_on(transcript, Mode::Prefill, [other.as_bytes()]);
        is_one_stream(kind, &[given, rest].concat(), "All said.", "first", &|| format!("{kind:?}"));
    }
}

#[test]
fn the_end_tells_the_usage_of_the_target_that_reached_it() {
    let first = Kind::Chat.stream("first", &["a", "b", "c", "d"]);
    let cut = first.find("\"c\"").unwrap();
    let (transcript, _) = broken_off(Kind::Chat, first.as_bytes(), cut, usize::MAX);
    let other = Kind::Chat.stream("other", &["abc", "d"]);
    let (_, rest) = go_on(transcript, Mode::Restart, [other.as_bytes()]);
    assert!(String::from_utf8(rest).unwrap().contains("\"completion_tokens\":2"));
}

#[test]
fn a_tool_called_behind_the_text_gets_the_next_block() {
    let first = Kind::Anthropic.stream("first", &["Let me", " see."]);
    let cut = first.find(" see.").unwrap();
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"other\"}}\n\n";
    let tool = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":5}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let (transcript, given) = broken_off(Kind::Anthropic, first.as_bytes(), cut, usize::MAX);
    let (transcript, rest) = go_on(transcript, Mode::Prefill, [start.as_bytes(), tool.as_bytes()]);
    assert!(transcript.is_finished() && !transcript.is_resumable());
    let all = [given, rest].concat();
    is_one_stream(Kind::Anthropic, &all, "Let me", "first", &String::new);
    let all = String::from_utf8(all).unwrap();
    assert!(all.contains("\"name\":\"f\"") && all.contains("\"index\":1"), "{all}");
}

#[test]
fn tools_called_behind_the_text_pass_in_a_chat() {
    let first = Kind::Chat.stream("first", &["Let me", " see."]);
    let cut = first.find(" see.").unwrap();
    let tools = "data: {\"id\":\"other\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n\n\
        data: {\"id\":\"other\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n\
        data: {\"id\":\"other\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n\
        data: [DONE]\n\n";
    let (transcript, given) = broken_off(Kind::Chat, first.as_bytes(), cut, usize::MAX);
    let (_, rest) = go_on(transcript, Mode::Prefill, [tools.as_bytes()]);
    let all = [given, rest].concat();
    is_one_stream(Kind::Chat, &all, "Let me", "first", &String::new);
    let all = String::from_utf8(all).unwrap();
    assert!(all.contains("\"name\":\"f\"") && all.contains("\"prompt_tokens\":1"), "{all}");
}
