use serde_json::{Value, json};

use super::*;
use crate::hub::answer::{Answer, Stop};
use crate::hub::part::Part;
use crate::translate::Context;

fn context() -> Context {
    Context { request_id: "req-1".to_owned(), model: "m".to_owned(), now_s: 7, ..Context::default() }
}

fn written(answer: &Answer<'_>, context: &Context) -> Value {
    serde_json::from_slice(&write_answer(answer, context)).unwrap()
}

#[test]
fn what_was_written_reads_the_same() {
    for name in fixtures(".answer.json") {
        let text = fixture(&name);
        let first = read_answer(text.as_bytes()).unwrap();
        let body = write_answer(&first, &context());
        let mut again = read_answer(&body).unwrap();
        if name == "perplexity.answer.json" {
            // What rests on all of a text names all of it.
            let Part::Text(text) = &mut again.candidates[0].parts[0] else { panic!() };
            text.citations.iter_mut().for_each(|citation| assert_eq!(citation.range.take(), Some((0, 15))));
        }
        if name == "tools.answer.json" {
            let Part::ToolCall(call) = &mut again.candidates[0].parts[1] else { panic!() };
            assert_eq!(
                std::mem::replace(&mut call.arguments, crate::hub::part::Arguments::Text(Default::default()))
                    .text()
                    .raw(),
                "{}"
            );
        }
        assert_eq!(first, again, "{name}");
    }
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let text = fixture("choices.answer.json");
    let mut expected: Value = serde_json::from_str(&text).unwrap();
    expected["choices"][1].as_object_mut().unwrap().remove("logprobs");
    expected["usage"]["prompt_tokens_details"] = json!({"cached_tokens": 0, "audio_tokens": 0});
    expected["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 0, "audio_tokens": 0});
    assert_eq!(written(&read_answer(text.as_bytes()).unwrap(), &context()), expected);
}

#[test]
fn thoughts_carry_their_proofs() {
    let text = fixture("openrouter.answer.json");
    let value = written(&read_answer(text.as_bytes()).unwrap(), &context());
    let message = &value["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "The user wants the time.");
    let detail =
        json!({"type": "reasoning.text", "text": "The user wants the time.", "signature": "EuYBCkYICh==", "index": 0});
    assert_eq!(message["reasoning_details"], json!([detail]));
    // And the client gives them back as they are.
    let asked = json!({"messages": [message]}).to_string();
    let request = read_request(asked.as_bytes()).unwrap();
    let answer = read_answer(text.as_bytes()).unwrap();
    assert_eq!(request.turns[0].parts, answer.candidates[0].parts);
}

#[test]
fn reasons_to_end_are_told_apart() {
    for (reason, members, stop) in [
        ("stop", r#""content":"x""#, Stop::End),
        ("eos", r#""content":"x""#, Stop::End),
        ("stop", r#""tool_calls":[{"function":{"name":"f"}}]"#, Stop::Tools),
        ("stop", r#""refusal":"no""#, Stop::Refusal),
        ("function_call", r#""function_call":{"name":"f","arguments":""}"#, Stop::Tools),
        ("length", r#""content":"x""#, Stop::Length),
        ("model_length", r#""content":"x""#, Stop::Context),
        ("content_filter", r#""content":"""#, Stop::Filter),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", r#""content":null"#, Stop::BadToolCall),
    ] {
        let text = format!(r#"{{"choices":[{{"finish_reason":"{reason}","message":{{{members}}}}}]}}"#);
        assert_eq!(read_answer(text.as_bytes()).unwrap().candidates[0].stop, Some(stop), "{text}");
    }
}

#[test]
fn what_is_missing_is_made() {
    let text = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let value = written(&read_answer(text.as_bytes()).unwrap(), &context());
    assert_eq!((&value["id"], &value["created"], &value["model"]), (&json!("chatcmpl-req-1"), &json!(7), &json!("m")));
    let calls = &value["choices"][0]["message"]["tool_calls"];
    assert_eq!((&calls[0]["id"], &calls[1]["id"]), (&json!("call_req-1_0"), &json!("call_req-1_1")));
    assert!(value.get("usage").is_none());
}

#[test]
fn a_client_of_functions_gets_a_function_call() {
    let text = r#"{"choices":[{"finish_reason":"tool_calls","message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let context = Context { asked: r#"{"functions":[{"name":"f"}]}"#.into(), ..context() };
    let choice = &written(&read_answer(text.as_bytes()).unwrap(), &context)["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call");
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert!(choice["message"].get("tool_calls").is_none());
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in [
        "{}",
        "[]",
        r#"{"choices":{}}"#,
        r#"{"error":{"message":"m"}}"#,
        r#"{"choices":[{"finish_reason":"error","message":{}}]}"#,
    ] {
        assert!(read_answer(text.as_bytes()).is_err(), "{text}");
    }
}
