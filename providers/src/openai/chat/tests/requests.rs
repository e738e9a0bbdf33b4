use serde_json::{Value, json};

use super::*;
use crate::hub::Wire;
use crate::hub::field::Lost;
use crate::hub::part::{Part, Role, ToolOutput};
use crate::hub::request::{Request, Tool};
use crate::translate::Target;
use crate::vendor::{ChatQuirks, Quirks};

fn target() -> Target<'static> {
    Target { model: "m", stream: false, limit: None, limit_if_none: 4096, quirks: Quirks::NONE, drops: false }
}

fn written(request: &Request<'_>, target: &Target<'_>) -> (Value, Lost) {
    let mut lost = Lost::new(name);
    let body = write_request(request, target, &mut lost).unwrap();
    let value =
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
    (value, lost)
}

fn rewritten(text: &str) -> (Value, Lost) {
    written(&read_request(text.as_bytes()).unwrap(), &target())
}

#[test]
fn what_was_written_reads_the_same() {
    // Calls without ids get some; thoughts, proofs and marks for the cache have no place in OpenAI's own API.
    let lossy = ["functions.request.json", "reasoning.request.json", "signed-call.request.json", "cached.request.json"];
    for name in fixtures(".request.json") {
        // Values are written in one line.
        let text: String = fixture(&name).lines().map(str::trim_start).collect();
        let mut first = read_request(text.as_bytes()).unwrap();
        let target = Target { stream: name == "conversation.request.json", ..target() };
        let mut lost = Lost::new(super::name);
        let body = write_request(&first, &target, &mut lost).unwrap();
        let mut again = read_request(&body).unwrap();
        for request in [&mut first, &mut again] {
            request.others.sort_by(|a, b| a.name.cmp(&b.name));
            for tool in &mut request.tools {
                if let Tool::Function(function) = tool {
                    // Without parameters, the empty object's schema is written.
                    function
                        .parameters
                        .get_or_insert(crate::hub::text::Json::read(r#"{"type":"object","properties":{}}"#));
                }
            }
        }
        if !lossy.contains(&&*name) {
            assert_eq!(first, again, "{name}");
            assert!(lost.demands.is_empty() && lost.hints.is_empty(), "{name}: {lost:?}");
        }
        assert_eq!(lost.demands, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn functions_are_tools_and_their_results_find_their_calls() {
    let (value, _) = rewritten(&fixture("functions.request.json"));
    assert_eq!(value["messages"][1]["tool_calls"][0]["id"], "call_0");
    assert_eq!(value["messages"][2], json!({"role": "tool", "tool_call_id": "call_0", "content": "4"}));
    assert_eq!(value["tools"][0]["function"]["name"], "add");
    assert_eq!(value["max_completion_tokens"], 64);
    assert!(value.get("functions").is_none() && value.get("tool_choice").is_none());
}

#[test]
fn thoughts_are_put_together_from_their_pieces() {
    let text = fixture("reasoning.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    let [Part::Reasoning(words), Part::Reasoning(sealed), Part::Text(said)] = &*request.turns[1].parts else {
        panic!("{:?}", request.turns[1]);
    };
    assert_eq!(words.text.raw(), "No divisor up to 88.");
    assert_eq!(words.signature.as_ref().unwrap().raw(), "EqoBCkgIARAB");
    assert_eq!(sealed.sealed.as_ref().unwrap().raw(), "gAAAAABo");
    assert_eq!(said.text.raw(), "Yes.");
    let (value, lost) = written(&request, &target());
    assert_eq!(value["messages"][1], json!({"role": "assistant", "content": "Yes."}));
    assert_eq!(value["reasoning_effort"], "high");
    assert!(lost.demands.is_empty() && lost.hints.is_empty());
}

#[test]
fn thoughts_come_in_several_fields() {
    for (members, words, signature) in [
        (r#""reasoning_content":"a""#, "a", None),
        (r#""reasoning":"b","reasoning_content":null"#, "b", None),
        (r#""reasoning_content":"a","reasoning":"b""#, "a", None),
        (r#""thinking_blocks":[{"type":"thinking","thinking":"c","signature":"s"}]"#, "c", Some("s")),
        (r#""reasoning_content":"d","reasoning_details":[{"type":"reasoning.text","signature":"s"}]"#, "d", Some("s")),
    ] {
        let text = format!(r#"{{"messages":[{{"role":"assistant",{members}}}]}}"#);
        let request = read_request(text.as_bytes()).unwrap();
        let [Part::Reasoning(thought)] = &*request.turns[0].parts else { panic!("{:?}", request.turns) };
        assert_eq!(thought.text.raw(), words, "{members}");
        assert_eq!(thought.signature.as_ref().map(|signature| signature.raw()), signature, "{members}");
    }
}

#[test]
fn a_mark_on_a_message_is_one_on_its_last_part() {
    let text = fixture("cached.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    let marks: Vec<_> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .map(|part| {
            let Part::Text(text) = part else { panic!("{part:?}") };
            text.cache.as_ref().map(|mark| mark.ttl.as_ref().map(|ttl| ttl.raw().to_owned()))
        })
        .collect();
    assert_eq!(marks, [None, Some(Some("1h".to_owned())), Some(None)]);
    let (_, lost) = written(&request, &target());
    assert_eq!(lost.hints, ["messages[].content[].cache_control"]);
    assert!(lost.demands.is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    for (body, message) in [
        (r#"{}"#, "`messages` must be an array"),
        (r#"{"messages":{}}"#, "`messages` must be an array"),
        (
            r#"{"messages":[{"content":"x"}]}"#,
            "`messages[0].role` must be `system`, `developer`, `user`, `assistant` or `tool`",
        ),
        (
            r#"{"messages":[{"role":"user","content":7}]}"#,
            "`messages[0].content` must be a string or an array of content parts",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":7}]}]}"#,
            "`messages[0].content[0].text` must be a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            "`messages[0].content[0].image_url` must be a URL",
        ),
        (r#"{"messages":[],"tools":[{"type":"function"}]}"#, "`tools[0].function` must be an object"),
        (r#"{"messages":[],"temperature":"hot"}"#, "`temperature` must be a number"),
        (
            r#"{"messages":[],"response_format":{"type":"xml"}}"#,
            "`response_format.type` must be `text`, `json_object` or `json_schema`",
        ),
        (r#"{"messages":[],"tool_choice":"some"}"#, "`tool_choice` must be `none`, `auto`, `required` or an object"),
    ] {
        assert_eq!(read_request(body.as_bytes()).unwrap_err().to_string(), message, "{body}");
    }
}

#[test]
fn defaults_are_not_written_and_not_lost() {
    let (value, lost) = rewritten(
        r#"{"model":"x","messages":[{"role":"user","content":"a"}],"n":1,"stop":[],"tool_choice":"auto","modalities":["text"],
        "logprobs":false,"response_format":{"type":"text"},"parallel_tool_calls":true,"logit_bias":null,"stream":true,
        "stream_options":{"include_usage":true},"fallbacks":["y"],"tools":null}"#,
    );
    assert_eq!(value, json!({"model": "m", "messages": [{"role": "user", "content": "a"}]}));
    assert!(lost.demands.is_empty() && lost.hints.is_empty(), "{lost:?}");
}

#[test]
fn the_gateways_limit_and_stream_count() {
    let request = read_request(br#"{"messages":[],"max_tokens":9}"#).unwrap();
    let quirks = Quirks { limit_field: "max_tokens", ..Quirks::NONE };
    let (value, _) = written(&request, &Target { limit: Some(5), stream: true, quirks, ..target() });
    assert_eq!((&value["max_tokens"], &value["stream"]), (&json!(5), &json!(true)));
    assert_eq!(value["stream_options"], json!({"include_usage": true}));
}

#[test]
fn what_others_ask_becomes_messages() {
    let mut request = read_request(br#"{"messages":[{"role":"user","content":"x"}]}"#).unwrap();
    request.from = Wire::Messages;
    let tools = read_request(
        br#"{"messages":[{"role":"assistant","tool_calls":[{"id":"","function":{"name":"f","arguments":{"a":1}}},{"function":{"name":"g","arguments":""}}]}]}"#,
    )
    .unwrap();
    request.turns.extend(tools.turns);
    let results = read_request(
        br#"{"messages":[{"role":"tool","name":"g","content":"1"},{"role":"tool","name":"f","content":[{"type":"text","text":"2"},{"type":"image_url","image_url":"https://x/y"}]}]}"#,
    )
    .unwrap();
    // One turn with both results and what the user says, as in Anthropic's format.
    let mut parts: Vec<_> =
        read_request(br#"{"messages":[{"role":"user","content":"go on"}]}"#).unwrap().turns.remove(0).parts;
    parts.extend(results.turns.into_iter().flat_map(|turn| turn.parts));
    request.turns.push(crate::hub::part::Turn { role: Role::User, name: None, parts });
    let (value, lost) = written(&request, &target());
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(
        value["messages"],
        json!([
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "tool_calls": [call("call_0", "f", "{\"a\":1}"), call("call_1", "g", "{}")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "tool", "tool_call_id": "call_0", "content": "2"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}, {"type": "text", "text": "go on"}]},
        ])
    );
    assert_eq!(lost.demands, Vec::<String>::new());
}

#[test]
fn a_tools_value_is_told_as_text() {
    for (value, text) in [("\"a\\\"b\"", "a\"b"), (r#"{"t": 1}"#, r#"{"t": 1}"#)] {
        let mut request = read_request(br#"{"messages":[{"role":"tool","tool_call_id":"c","content":""}]}"#).unwrap();
        let Part::ToolResult(result) = &mut request.turns[0].parts[0] else { panic!() };
        result.content = ToolOutput::Value(crate::hub::text::Json::read(value));
        assert_eq!(written(&request, &target()).0["messages"][0]["content"], text);
    }
}

#[test]
fn a_budget_becomes_the_nearest_effort_not_above() {
    for (thinking, effort) in [
        (r#""reasoning":{"max_tokens":8191}"#, Some("low")),
        (r#""reasoning":{"effort":"high","exclude":true}"#, Some("high")),
        (r#""reasoning":{"enabled":false}"#, Some("none")),
        (r#""thinking":{"type":"enabled","budget_tokens":16384}"#, Some("high")),
        (r#""thinking":{"type":"disabled"}"#, Some("none")),
        (r#""thinking":{"type":"adaptive"}"#, None),
        (r#""reasoning_effort":null"#, None),
    ] {
        let (value, _) = rewritten(&format!(r#"{{"messages":[],{thinking}}}"#));
        assert_eq!(value.get("reasoning_effort").and_then(Value::as_str), effort, "{thinking}");
    }
}

#[test]
fn what_the_target_cannot_be_asked_is_named() {
    let (_, lost) = rewritten(
        r#"{"messages":[{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://x/v.mp4"}},{"type":"file","file":{"file_data":"https://x/a.pdf"}}]}],"top_k":5}"#,
    );
    assert_eq!(lost.demands, ["messages[].content[].video_url", "messages[].content[].image_url.url", "top_k"]);
}

fn asked_of(chat: ChatQuirks, text: &str, from: Wire) -> (Value, Lost) {
    let mut request = read_request(text.as_bytes()).unwrap();
    request.from = from;
    written(&request, &Target { quirks: Quirks { chat, ..Quirks::NONE }, ..target() })
}

#[test]
fn thoughts_go_back_to_whom_wants_them() {
    let text = fixture("reasoning.request.json");
    let (value, _) = asked_of(ChatQuirks::DEEPSEEK, &text, Wire::Messages);
    let message = json!({"role": "assistant", "content": "Yes.", "reasoning_content": "No divisor up to 88."});
    assert_eq!(value["messages"][1], message);
    assert_eq!((&value["thinking"], &value["reasoning_effort"]), (&json!({"type": "enabled"}), &json!("high")));
    let (value, _) = asked_of(ChatQuirks::OPENROUTER, &text, Wire::Messages);
    let details = json!([
        {"type": "reasoning.text", "text": "No divisor up to 88.", "signature": "EqoBCkgIARAB", "index": 0},
        {"type": "reasoning.encrypted", "id": "rs_1", "data": "gAAAAABo", "index": 1},
    ]);
    assert_eq!(value["messages"][1]["reasoning_details"], details);
    assert_eq!(value["reasoning"], json!({"effort": "high"}));
}

#[test]
fn each_vendor_is_asked_to_think_in_its_way() {
    for (thinking, switch, object) in [
        (r#""reasoning":{"max_tokens":3000}"#, json!(["enabled", "low"]), json!({"max_tokens": 3000})),
        (r#""reasoning_effort":"none""#, json!(["disabled", null]), json!({"enabled": false})),
        (r#""reasoning":{"enabled":false}"#, json!(["disabled", null]), json!({"enabled": false})),
        (r#""thinking":{"type":"adaptive"}"#, json!(["enabled", null]), json!({"enabled": true})),
        (
            r#""reasoning":{"effort":"low","exclude":true}"#,
            json!(["enabled", "low"]),
            json!({"effort": "low", "exclude": true}),
        ),
    ] {
        let text = format!(r#"{{"messages":[],{thinking}}}"#);
        let (value, _) = asked_of(ChatQuirks::DEEPSEEK, &text, Wire::Chat);
        assert_eq!(json!([value["thinking"]["type"], value["reasoning_effort"]]), switch, "{thinking}");
        assert_eq!(asked_of(ChatQuirks::OPENROUTER, &text, Wire::Chat).0["reasoning"], object, "{thinking}");
    }
}

#[test]
fn marks_for_the_cache_go_to_whom_knows_them() {
    let (value, lost) = asked_of(ChatQuirks::OPENROUTER, &fixture("cached.request.json"), Wire::Messages);
    let marks: Vec<_> = value["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(marks[0][1]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(marks[1], &json!([{"type": "text", "text": "Summary?", "cache_control": {"type": "ephemeral"}}]));
    assert!(lost.hints.is_empty());
}

#[test]
fn what_a_copy_does_not_know_is_named() {
    let text = r#"{"messages":[{"role":"user","name":"a","content":"x"}],"seed":1,"user":"u","logprobs":true,"verbosity":"low","store":true,"top_k":3}"#;
    let (value, lost) = asked_of(ChatQuirks::MISTRAL, text, Wire::Responses);
    assert_eq!(value, json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "random_seed": 1}));
    assert_eq!(lost.demands, ["top_k", "logprobs"]);
    assert_eq!(lost.hints, ["messages[].name", "user", "verbosity", "store"]);
    let (value, _) = asked_of(ChatQuirks::OPEN_MODELS, text, Wire::Responses);
    assert_eq!((&value["top_k"], &value["user"], &value["logprobs"]), (&json!(3), &json!("u"), &json!(true)));
    let (_, lost) = asked_of(ChatQuirks::DEEPSEEK, &fixture("structured.request.json"), Wire::Messages);
    assert_eq!(lost.demands, ["response_format"]);
    let (_, lost) = asked_of(ChatQuirks::COPY, &fixture("search.request.json"), Wire::Messages);
    assert_eq!(lost.demands, ["tools"]);
}

#[test]
fn only_allowed_tools_go_to_a_copy() {
    let (value, lost) = asked_of(ChatQuirks::COPY, &fixture("allowed-tools.request.json"), Wire::Responses);
    let names: Vec<_> = value["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(json!([names, value["tool_choice"]]), json!([["search", "open"], "required"]));
    assert!(lost.demands.is_empty());
}

#[test]
fn what_tools_show_follows_the_last_of_their_messages() {
    let shown = |id: &str| {
        format!(
            r#"{{"role":"tool","tool_call_id":"{id}","content":[{{"type":"image_url","image_url":{{"url":"https://x/{id}"}}}}]}}"#
        )
    };
    let image = |id: &str| json!({"type": "image_url", "image_url": {"url": format!("https://x/{id}")}});
    let tool = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "What the tool gave back follows in the next message of the user."});
    let user = json!({"role": "user", "content": [image("a"), image("b")]});
    let (a, b) = (shown("a"), shown("b"));
    for (next, expected) in [
        (String::new(), json!([tool("a"), tool("b"), user])),
        (
            r#",{"role":"assistant","content":"x"}"#.to_owned(),
            json!([tool("a"), tool("b"), user, {"role": "assistant", "content": "x"}]),
        ),
        (
            r#",{"role":"system","content":"x"}"#.to_owned(),
            json!([tool("a"), tool("b"), user, {"role": "system", "content": "x"}]),
        ),
    ] {
        let (value, lost) = rewritten(&format!(r#"{{"messages":[{a},{b}{next}]}}"#));
        assert_eq!(value["messages"], expected);
        assert!(lost.demands.is_empty(), "{lost:?}");
    }
}

#[test]
fn content_of_which_all_is_lost_is_empty_text() {
    let film = r#"[{"type":"video_url","video_url":{"url":"https://x/v.mp4"}}]"#;
    let (value, lost) = rewritten(&format!(
        r#"{{"messages":[{{"role":"tool","tool_call_id":"a","content":{film}}},{{"role":"user","content":{film}}}]}}"#
    ));
    assert_eq!((&value["messages"][0]["content"], &value["messages"][1]["content"]), (&json!(""), &json!("")));
    assert_eq!(lost.demands, ["messages[].content[].video_url"]);
}

#[test]
fn a_tools_failure_is_told_in_its_text() {
    let text = |text: &str| format!(r#"[{{"type":"text","text":"{text}"}}]"#);
    for (content, expected) in [
        (text("no such file"), json!("Error: no such file")),
        (text("ERROR: no such file"), json!("ERROR: no such file")),
        (text("Errors are many"), json!("Error: Errors are many")),
        (text(""), json!("Error:")),
        ("[]".to_owned(), json!("Error:")),
        (
            r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#.to_owned(),
            json!([{"type": "text", "text": "Error: a"}, {"type": "text", "text": "b"}]),
        ),
    ] {
        let text = format!(r#"{{"messages":[{{"role":"tool","tool_call_id":"c","content":{content}}}]}}"#);
        let mut request = read_request(text.as_bytes()).unwrap();
        let Part::ToolResult(result) = &mut request.turns[0].parts[0] else { panic!() };
        result.is_error = true;
        assert_eq!(written(&request, &target()).0["messages"][0]["content"], expected, "{content}");
    }
}

#[test]
fn a_tool_that_takes_nothing_has_properties_all_the_same() {
    let (value, _) = rewritten(
        r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}"#,
    );
    assert_eq!(value["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
}

#[test]
fn a_users_name_that_is_too_long_is_left_out() {
    for (length, is_written) in [(64, true), (65, false)] {
        let (value, lost) = rewritten(&format!(r#"{{"messages":[],"user":"{}"}}"#, "ü".repeat(length)));
        assert_eq!((value.get("user").is_some(), lost.hints.is_empty()), (is_written, is_written), "{length}");
        assert!(lost.demands.is_empty());
    }
}

#[test]
fn efforts_go_only_to_whom_knows_them() {
    for (asked, copy, own) in [
        ("none", None, "none"),
        ("minimal", Some("low"), "minimal"),
        ("medium", Some("medium"), "medium"),
        ("xhigh", Some("high"), "xhigh"),
        ("max", Some("high"), "max"),
    ] {
        let text = format!(r#"{{"messages":[],"reasoning_effort":"{asked}"}}"#);
        let effort = |chat| {
            let (value, lost) = asked_of(chat, &text, Wire::Messages);
            let effort = value.get("reasoning_effort").and_then(Value::as_str).map(str::to_owned);
            assert!(lost.demands.is_empty(), "{lost:?}");
            assert_eq!(lost.hints.is_empty(), effort.is_some(), "{asked}");
            effort
        };
        assert_eq!(effort(ChatQuirks::NONE).as_deref(), Some(own));
        assert_eq!(effort(ChatQuirks::COPY).as_deref(), copy);
        assert_eq!(effort(ChatQuirks::OPEN_MODELS).as_deref(), copy);
        assert_eq!(effort(ChatQuirks::MISTRAL), None);
    }
}
