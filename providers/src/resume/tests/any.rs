//! Whatever the text, the cut and the borders of the pieces.

use bytes::Bytes;
use policy::request::{Dialect, Operation};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::going_on::{broken_off, go_on, is_one_stream, other_text};
use super::vendor::ALL;
use crate::resume::{Continuation, Mode, with_prefill};

fn pieces() -> impl Strategy<Value = Vec<String>> {
    let text = prop::sample::select(vec![
        "a",
        "é",
        "\u{1F600}",
        "日本",
        " ",
        "\n",
        "\"",
        "\\",
        "\u{1}",
        "\\u00e9",
        "data: ",
        "\r\n\r\n",
        "\u{2028}",
        "[DONE]",
        "{",
    ]);
    prop::collection::vec(prop::collection::vec(text, 0..5).prop_map(|texts| texts.concat()), 0..8)
}

fn chunks<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    for size in sizes {
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        chunks.push(head);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}

/// The text in pieces that end at other places.
fn cut_anew(text: &str, lengths: &[usize]) -> Vec<String> {
    let mut characters = text.chars();
    let mut pieces: Vec<String> = lengths.iter().map(|length| characters.by_ref().take(*length).collect()).collect();
    pieces.push(characters.collect());
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_goes_on_from_anywhere(
        kind in prop::sample::select(ALL.to_vec()),
        mode in prop::sample::select(vec![Mode::Restart, Mode::Prefill]),
        pieces in pieces(),
        lengths in prop::collection::vec(0_usize..6, 0..6),
        cut in any::<prop::sample::Index>(),
        size in 1_usize..200,
        sizes in prop::collection::vec(0_usize..300, 0..12),
        ascii in any::<bool>(),
    ) {
        let text = pieces.concat();
        let pieces: Vec<&str> = pieces.iter().map(|piece| &**piece).collect();
        let first = kind.events("first", &pieces, ascii).concat();
        let (transcript, mut given) = broken_off(kind, first.as_bytes(), cut.index(first.len() + 1), size);
        let id = if given.is_empty() { "other" } else { "first" };
        if transcript.is_finished() {
            given.extend_from_slice(&transcript.closing());
        } else {
            prop_assert!(transcript.is_resumable());
            let said = cut_anew(&other_text(kind, &transcript, mode, &text), &lengths);
            let said: Vec<&str> = said.iter().map(|piece| &**piece).collect();
            let other = kind.events("other", &said, !ascii).concat();
            given.extend_from_slice(&go_on(transcript, mode, chunks(other.as_bytes(), &sizes)).1);
        }
        is_one_stream(kind, &given, &text, id, &|| format!("{kind:?} {mode:?}"));
    }

    #[test]
    fn another_text_never_gets_through(
        kind in prop::sample::select(ALL.to_vec()),
        known in pieces(),
        other in pieces(),
        sizes in prop::collection::vec(0_usize..300, 0..12),
    ) {
        let (text, said) = (known.concat(), other.concat());
        prop_assume!(!said.starts_with(&text));
        let pieces: Vec<&str> = known.iter().map(|piece| &**piece).collect();
        let mut events = kind.events("first", &pieces, false);
        let end = events.iter().position(|event| event.contains("done") || event.contains("content_block_stop") || event.contains("\"finish_reason\":\"stop\"") || event.contains("finishReason")).unwrap();
        events.truncate(end);
        let first = events.concat();
        let (transcript, _) = broken_off(kind, first.as_bytes(), first.len(), usize::MAX);
        prop_assert_eq!(transcript.text(), &text);
        let pieces: Vec<&str> = other.iter().map(|piece| &**piece).collect();
        let stream = kind.stream("other", &pieces);
        let mut continuation = Continuation::new(transcript, Mode::Restart);
        let mut has_diverged = false;
        for piece in chunks(stream.as_bytes(), &sizes) {
            match continuation.pass(Bytes::copy_from_slice(piece), false) {
                Ok(passed) => prop_assert!(passed.is_empty() && !has_diverged),
                Err(_) => has_diverged = true,
            }
        }
        prop_assert!(has_diverged);
        prop_assert_eq!(continuation.transcript().text(), &text);
    }

    #[test]
    fn any_bytes_are_survived(
        kind in prop::sample::select(ALL.to_vec()),
        mode in prop::sample::select(vec![Mode::Restart, Mode::Prefill]),
        parts in prop::collection::vec(prop::sample::select(vec![
            "data: ", "\n\n", "\r", "{", "}", "[DONE]", "\"choices\":", "[{\"index\":0,\"delta\":{\"content\":\"a\"}}]", "event: x\n",
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}", ":", "\u{feff}",
            "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
        ]), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = parts.concat();
        let (head, tail) = stream.as_bytes().split_at(cut.index(stream.len() + 1));
        let mut transcript = kind.transcript();
        let mut given = transcript.pass(Bytes::copy_from_slice(head), false).to_vec();
        prop_assert!(stream.as_bytes().starts_with(&given));
        given.extend_from_slice(&transcript.pass(Bytes::copy_from_slice(tail), true));
        prop_assert!(given.len() <= stream.len() + 2);
        let mut continuation = Continuation::new(transcript, mode);
        let _ = continuation.pass(Bytes::copy_from_slice(head), false);
        let _ = continuation.pass(Bytes::copy_from_slice(tail), true);
    }

    #[test]
    fn a_prefilled_body_has_the_text_and_nothing_else_changed(
        text in pieces().prop_map(|pieces| pieces.concat()),
        content in pieces().prop_map(|pieces| pieces.concat()),
        role in prop::sample::select(vec!["user", "assistant"]),
    ) {
        let body = json!({"n": 1.5, "messages": [{"role": "user", "content": "x"}, {"role": role, "content": content}], "z": [1]});
        let bytes = Bytes::from(body.to_string());
        let done = with_prefill(&bytes, Dialect::OpenAi, Operation::ChatCompletion, &text).unwrap();
        let mut expected = body;
        let messages = expected["messages"].as_array_mut().unwrap();
        match (role, &*text) {
            (_, "") => {}
            ("user", _) => messages.push(json!({"role": "assistant", "content": text})),
            _ => messages[1]["content"] = Value::from(content + &text),
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&done).unwrap(), expected);
    }
}
