//! Answers for clients, written.

use super::*;

#[test]
fn a_whole_answer_has_items_in_the_order_of_its_parts() {
    let response = written(&full());
    let expected = [
        ("reasoning", "rs_0a1b_0"),
        ("reasoning", "rs_0a1b_1"),
        ("reasoning", "rs_0a1b_2"),
        ("message", "msg_0a1b_3"),
        ("image_generation_call", "ig_0a1b_4"),
        ("function_call", "fc_0a1b_5"),
        ("reasoning", "rs_0a1b_6"),
        ("function_call", "fc_0a1b_7"),
    ];
    assert_eq!(shape(&response), expected.map(|(kind, id)| (kind.to_owned(), id.to_owned())));
    let output = &response["output"];
    assert_eq!(output[0]["summary"], json!([{"type": "summary_text", "text": "Oslo?"}]));
    assert_eq!((&output[0]["content"], &output[0]["encrypted_content"]), (&Value::Null, &json!("tollgate:")));
    assert_eq!(output[1]["content"], json!([{"type": "reasoning_text", "text": "North."}]));
    assert_eq!(
        (&output[1]["summary"], &output[1]["encrypted_content"]),
        (&json!([]), &json!("tollgate:signature:EuYB"))
    );
    assert_eq!(output[2]["encrypted_content"], "tollgate:sealed:EmwK");
    let content = &output[3]["content"];
    assert_eq!(
        content[0]["logprobs"],
        json!([{
            "token": "a", "logprob": -0.25, "bytes": [97],
            "top_logprobs": [{"token": "b", "logprob": -0.25, "bytes": [98]}],
        }])
    );
    assert_eq!((&content[0]["text"], &content[1]["logprobs"]), (&json!("Let me \"see\"."), &json!([])));
    assert_eq!(
        content[1]["annotations"],
        json!([{
            "type": "url_citation", "url": "https://example.com/oslo", "title": "Oslo",
            "start_index": 0, "end_index": 11,
        }])
    );
    assert_eq!((&output[4]["result"], &output[4]["output_format"]), (&json!("UklGRg=="), &json!("webp")));
    assert_eq!(output[5]["arguments"], r#"{"city":"Oslo"}"#);
    assert_eq!(
        (&output[5]["call_id"], &output[6]["encrypted_content"]),
        (&json!("toolu_1"), &json!("tollgate:call:toolu_1:CiQB"))
    );
    assert_eq!((&output[7]["call_id"], &output[7]["arguments"]), (&json!("call_0a1b_7"), &json!("{}")));
}

#[test]
fn an_answer_repeats_what_was_asked() {
    let response = written(&full());
    let asked: Value = serde_json::from_slice(fixture!("tools.request.json")).unwrap();
    assert_eq!((&response["id"], &response["model"]), (&json!("resp_0a1b"), &json!("claude-sonnet-5")));
    assert_eq!((&response["created_at"], &response["status"]), (&json!(1_795_000_000), &json!("completed")));
    assert_eq!((&response["tools"], &response["tool_choice"]), (&asked["tools"], &json!("auto")));
    assert_eq!((&response["text"], &response["metadata"]), (&json!({"format": {"type": "text"}}), &json!({})));
    assert_eq!((&response["store"], &response["previous_response_id"]), (&json!(false), &Value::Null));
}

#[test]
fn what_was_used_is_read_back_as_it_was() {
    let answer = full();
    let response = written(&answer);
    let mut usage = crate::openai::usage::read(response["usage"].to_string().as_bytes()).unwrap().usage;
    crate::openai::usage::add_tools(&mut usage, response["tool_usage"].to_string().as_bytes());
    assert_eq!(Some(usage), answer.usage);
    assert_eq!(response["usage"]["total_tokens"], 28);
    assert_eq!(written(&Answer::default())["usage"], Value::Null);
}

#[test]
fn an_answer_says_why_it_ended() {
    let ended = |stop, part| {
        let candidate = Candidate { parts: vec![part], stop, ..Candidate::default() };
        let response = written(&Answer { candidates: vec![candidate], ..Answer::default() });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reason = text(&response["incomplete_details"]["reason"]);
        (text(&response["status"]), reason, text(&response["output"][0]["status"]))
    };
    let of = |texts: (&str, &str, &str)| (texts.0.to_owned(), texts.1.to_owned(), texts.2.to_owned());
    for (stop, expected) in [
        (None, ("completed", "", "completed")),
        (Some(Stop::End), ("completed", "", "completed")),
        (Some(Stop::Sequence(None)), ("completed", "", "completed")),
        (Some(Stop::Length), ("incomplete", "max_output_tokens", "incomplete")),
        (Some(Stop::Context), ("incomplete", "max_output_tokens", "incomplete")),
        (Some(Stop::Filter), ("incomplete", "content_filter", "incomplete")),
        (Some(Stop::Refusal), ("incomplete", "content_filter", "incomplete")),
        (Some(Stop::BadToolCall), ("failed", "", "incomplete")),
    ] {
        assert_eq!(ended(stop.clone(), text("x")), of(expected), "{stop:?}");
    }
    assert_eq!(ended(Some(Stop::Refusal), Part::Refusal(Str::raw_of("No."))), of(("completed", "", "completed")));
}
