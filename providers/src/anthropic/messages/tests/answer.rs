//! Whole answers.

use serde_json::json;

use super::super::{read_answer, write_answer};
use super::{SAME, context, fixture, json};
use crate::hub::answer::{Answer, Candidate, Stop};
use crate::hub::part::{Arguments, Part, Reasoning, ToolCall};
use crate::hub::text::Str;

#[test]
fn answers_come_back_as_they_were() {
    for name in ["text", "tools", "cited", "sequence", "length"] {
        let body = fixture(&format!("{name}.answer.json"));
        let mut expected = json(&body);
        // What a price class means is the vendor's own affair.
        expected["usage"].as_object_mut().unwrap().remove("service_tier");
        // What is translated is taken for another vendor's.
        for block in expected["content"].as_array_mut().unwrap() {
            for name in ["signature", "data"] {
                if let Some(proof) = block.get_mut(name) {
                    *proof = format!("tollgate:{}", proof.as_str().unwrap()).into();
                }
            }
        }
        assert_eq!(json(&SAME.answer(&body, &context()).unwrap()), expected, "{name}");
    }
}

#[test]
fn citations_of_every_kind_and_blocks_of_servers_tools_are_read() {
    let body = fixture("search.answer.json");
    let answer = read_answer(&body).unwrap();
    let [Part::Other { kind: call, .. }, Part::Other { kind: found, .. }, Part::Text(text)] =
        &*answer.candidates[0].parts
    else {
        panic!()
    };
    assert_eq!((call.raw(), found.raw()), ("server_tool_use", "web_search_tool_result"));
    let titles: Vec<_> = text.citations.iter().map(|citation| citation.title.as_ref().unwrap().raw()).collect();
    assert_eq!(titles, ["Claude Shannon - Wikipedia", "Facts", "PDF", "Custom", "Docs"]);
    let urls = text.citations.iter().filter(|citation| citation.url.is_some()).count();
    assert_eq!((urls, &answer.candidates[0].stop), (2, &Some(Stop::Pause)));
    assert_eq!(answer.usage.unwrap().searches, 1);
}

#[test]
fn a_refusal_has_its_words() {
    let body = fixture("refusal.answer.json");
    let answer = read_answer(&body).unwrap();
    let candidate = &answer.candidates[0];
    assert_eq!(candidate.parts[1], Part::Refusal(Str::of("The request asks for malware.")));
    assert_eq!(candidate.stop, Some(Stop::Refusal));
    let written = json(&write_answer(&answer, &context()));
    assert_eq!(
        (&written["stop_reason"], &written["content"][1]["text"]),
        (&json!("refusal"), &json!("The request asks for malware."))
    );
}

#[test]
fn stop_reasons_are_read() {
    for (reason, stop) in [
        ("end_turn", Stop::End),
        ("max_tokens", Stop::Length),
        ("model_context_window_exceeded", Stop::Context),
        ("tool_use", Stop::Tools),
        ("stop_sequence", Stop::Sequence(None)),
        ("refusal", Stop::Refusal),
        ("pause_turn", Stop::Pause),
        ("something_new", Stop::End),
    ] {
        let body = json!({"content": [], "stop_reason": reason, "new": {}}).to_string();
        assert_eq!(read_answer(body.as_bytes()).unwrap().candidates[0].stop, Some(stop), "{reason}");
    }
}

fn written(parts: Vec<Part<'_>>, stop: Option<Stop<'_>>) -> serde_json::Value {
    let candidate = Candidate { parts, stop, ..Candidate::default() };
    json(&write_answer(&Answer { candidates: vec![candidate], ..Answer::default() }, &context()))
}

#[test]
fn what_another_vendor_leaves_out_is_made_up_for() {
    let call = |arguments: &'static str| {
        let arguments = Arguments::Text(Str::of(arguments));
        Part::ToolCall(ToolCall { id: None, name: Str::of("f"), arguments, signature: None, cache: None })
    };
    let answer =
        written(vec![call("{\"a\":1}"), call("{\"a\":"), Part::Reasoning(Reasoning::default())], Some(Stop::End));
    let block = |id, input| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
    let expected = json!({
        "id": "msg_req-1", "type": "message", "role": "assistant", "model": "m",
        "content": [block("call_req-1_0", json!({"a": 1})), block("call_req-1_1", json!({"INVALID_JSON": "{\"a\":"}))],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0},
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_calls_proof_comes_back_with_the_clients_next_request() {
    let arguments = Arguments::Value(crate::hub::text::Json::read("{}"));
    let (id, signature) = (Some(Str::of("a:1")), Some(Str::of("CiQB/+==")));
    let call = Part::ToolCall(ToolCall { id, name: Str::of("f"), arguments, signature, cache: None });
    let answer = written(vec![call.clone()], None);
    assert_eq!(answer["content"][1], json!({"type": "redacted_thinking", "data": "tollgate:call:a:1:CiQB/+=="}));
    let body = json!({"messages": [{"role": "assistant", "content": answer["content"]}]}).to_string();
    assert_eq!(super::super::read_request(body.as_bytes()).unwrap().turns[0].parts, [call]);
}

#[test]
fn thoughts_without_proof_and_sealed_ones_have_blocks() {
    let thought = |text, sealed: Option<&'static str>| {
        Part::Reasoning(Reasoning { text: Str::of(text), sealed: sealed.map(Str::of), ..Reasoning::default() })
    };
    let answer = written(vec![thought("a", None), thought("b", Some("gAAAA")), thought("", Some("EmwK"))], None);
    let expected = json!([
        {"type": "thinking", "thinking": "a", "signature": "tollgate:"},
        {"type": "thinking", "thinking": "b", "signature": "tollgate:gAAAA"},
        {"type": "redacted_thinking", "data": "tollgate:EmwK"},
    ]);
    assert_eq!((&answer["content"], &answer["stop_reason"]), (&expected, &json!("end_turn")));
    let body = json!({"messages": [{"role": "assistant", "content": expected}]}).to_string();
    let turns = super::super::read_request(body.as_bytes()).unwrap().turns;
    let signed = Reasoning { text: Str::of("b"), signature: Some(Str::of("gAAAA")), ..Reasoning::default() };
    assert_eq!(turns[0].parts, [thought("a", None), Part::Reasoning(signed), thought("", Some("EmwK"))]);
}
