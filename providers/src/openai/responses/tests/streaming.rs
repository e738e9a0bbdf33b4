//! Streams for clients, written.

use super::*;

#[test]
fn the_last_event_of_a_stream_has_what_a_whole_answer_has() {
    let answer = full();
    let (_, events) = streamed(&deltas(&answer));
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"], written(&answer));
    for (event, number) in events.iter().zip(0..) {
        assert_eq!(event["sequence_number"], number);
    }
}

#[test]
fn a_stream_tells_its_items_piece_by_piece() {
    let answer = full();
    let (_, events) = streamed(&deltas(&answer));
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let part = |kind: &str| format!("response.{kind}");
    let expected: Vec<String> = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    .map(part)
    .into();
    assert_eq!(kinds, expected);
    let response = &events.last().unwrap()["response"];
    for event in events.iter().filter(|event| event["type"] == "response.output_item.done") {
        let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
        assert_eq!(event["item"], response["output"][index]);
    }
}

#[test]
fn a_stream_that_breaks_off_says_so() {
    let at = At::default();
    let begun = || {
        vec![Delta::Open { at, part: Opened::Text }, Delta::Text { at, text: Str::raw_of("Once") }, Delta::Close { at }]
    };
    let with = |more: Vec<Delta<'static>>| [begun(), more].concat();
    let (_, events) = streamed(&with(vec![Delta::Stop { candidate: 0, stop: Stop::Length }, Delta::End]));
    let [.., item, last] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&item["item"]["status"], &last["type"]), (&json!("incomplete"), &json!("response.incomplete")));
    let error = crate::error::VendorError::read(br#"{"error":{"message":"busy","type":"overloaded_error"}}"#).unwrap();
    let (_, events) = streamed(&with(vec![Delta::Error(error)]));
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["error"]["message"]), (&json!("error"), &json!("busy")));
}

#[test]
fn of_several_candidates_the_first_is_told() {
    let at = |candidate| At { candidate, part: 0 };
    let text = |candidate, text| Delta::Text { at: at(candidate), text: Str::raw_of(text) };
    let (_, events) = streamed(&[
        Delta::Open { at: at(0), part: Opened::Text },
        Delta::Open { at: at(1), part: Opened::Text },
        text(0, "a"),
        text(1, "b"),
        Delta::Close { at: at(1) },
        text(0, "c"),
        Delta::Close { at: at(0) },
        Delta::End,
    ]);
    assert_eq!(events.last().unwrap()["response"]["output"][0]["content"][0]["text"], "ac");
}
