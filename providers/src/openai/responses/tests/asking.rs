//! Requests of clients, read.

use super::*;

#[test]
fn a_text_is_a_turn_behind_the_instructions() {
    let request = read_request(fixture!("text.request.json")).unwrap();
    assert_eq!(request.turns[0].role, Role::System);
    assert_eq!(request.turns[0].parts, [text("Answer in one sentence.")]);
    assert_eq!(request.turns[1].parts, [text("What is a monad?\nBriefly.")]);
    assert_eq!(request.max_output, Some(300));
    assert_eq!((request.temperature, request.top_p), (Some(Json::read("0.2")), Some(Json::read("0.9"))));
    assert_eq!(request.user, Some(Str::raw_of("user-7f3")));
    assert_eq!((request.format, request.verbosity, request.thinking), (None, None, None));
    assert!(request.others.is_empty(), "what is as usual is not asked");
}

#[test]
fn messages_of_all_forms_are_turns() {
    let request = read_request(fixture!("multi-turn.request.json")).unwrap();
    use Role::{Assistant, System, User};
    let expected = [(System, 1), (User, 1), (Assistant, 1), (User, 2), (Assistant, 1), (System, 1), (User, 1)];
    assert_eq!(roles(&request), expected);
    let Part::Text(marked) = &request.turns[3].parts[1] else { panic!("a text") };
    assert_eq!(marked.cache.as_ref().unwrap().ttl, Some(Str::raw_of("1h")));
    assert_eq!(others(&request), ["prompt_cache_key", "service_tier", "safety_identifier"]);
}

#[test]
fn media_are_read_from_wherever_they_are() {
    let request = read_request(fixture!("media.request.json")).unwrap();
    let media = request.turns[0].parts.iter().filter_map(|part| match part {
        Part::Media(Media { kind, source, detail, name, .. }) => {
            let source = match source {
                MediaSource::Inline { mime, base64 } => format!("{} {}", mime.raw(), base64.raw()),
                MediaSource::Url { url, mime: None } => url.raw().to_owned(),
                other => panic!("{other:?}"),
            };
            Some((*kind, source, detail.as_ref().map(Str::raw), name.as_ref().map(Str::raw)))
        }
        _ => None,
    });
    let media: Vec<_> = media.collect();
    let png = media[0].1.strip_prefix("image/png iVBOR").is_some();
    assert!(png && media[0].2 == Some("low"), "{:?}", media[0]);
    assert_eq!(media[1], (MediaKind::Image, "https://example.com/cat.jpg".to_owned(), None, None));
    assert_eq!(media[2], (MediaKind::File, "application/pdf JVBERi0xLjQK".to_owned(), None, Some("report.pdf")));
    assert_eq!(media[3], (MediaKind::File, "text/plain aGVsbG8=".to_owned(), None, Some("notes.txt")));
    assert_eq!(media[4], (MediaKind::File, "https://example.com/paper.pdf".to_owned(), None, None));
    let audio = r#"{"input":[{"role":"user","content":[
        {"type":"input_audio","input_audio":{"format":"wav","data":"UklGRg=="}}]}]}"#;
    let request = read_request(audio.as_bytes()).unwrap();
    let Part::Media(Media { kind: MediaKind::Audio, source, .. }) = &request.turns[0].parts[0] else { panic!("audio") };
    assert_eq!(*source, MediaSource::Inline { mime: Str::raw_of("audio/wav"), base64: Str::raw_of("UklGRg==") });
}

#[test]
fn calls_and_results_are_turns_of_their_own() {
    let request = read_request(fixture!("tools.request.json")).unwrap();
    use Role::{Assistant, User};
    assert_eq!(roles(&request), [(User, 1), (Assistant, 3), (User, 2), (User, 1)]);
    let Part::ToolCall(call) = &request.turns[1].parts[1] else { panic!("a call") };
    assert_eq!((call.id.clone(), call.name.raw()), (Some(Str::raw_of("call_9Kd")), "get_weather"));
    assert_eq!(call.arguments.object().unwrap().raw(), r#"{"city":"Oslo"}"#);
    let Part::ToolResult(result) = &request.turns[2].parts[1] else { panic!("a result") };
    let ToolOutput::Parts(parts) = &result.content else { panic!("parts") };
    assert_eq!((parts.len(), &parts[0]), (2, &text("14 degrees")));
    let [Tool::Function(weather), Tool::Function(now)] = &request.tools[..] else { panic!("functions") };
    assert_eq!((weather.strict, weather.parameters.is_some()), (Some(true), true));
    assert_eq!((now.strict, now.parameters.is_none()), (None, true));
    assert_eq!((request.tool_choice, request.parallel_tools), (Some(ToolChoice::Auto), Some(true)));
}

#[test]
fn what_the_model_says_between_others_items_is_one_turn() {
    let turns = |input: &str| {
        let body = format!(r#"{{"input":[{input}]}}"#);
        roles(&read_request(body.as_bytes()).unwrap())
    };
    use Role::{Assistant, User};
    let (said, called) = (
        r#"{"role":"assistant","content":"x"}"#,
        r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
    );
    let (result, asked) =
        (r#"{"type":"function_call_output","call_id":"c","output":"y"}"#, r#"{"role":"user","content":"z"}"#);
    for (items, expected) in [
        (vec![said, said], vec![(Assistant, 1), (Assistant, 1)]),
        (vec![called, said], vec![(Assistant, 2)]),
        (vec![said, called, called, said], vec![(Assistant, 4)]),
        (vec![called, result, called, result], vec![(Assistant, 1), (User, 1), (Assistant, 1), (User, 1)]),
        (vec![called, result, asked], vec![(Assistant, 1), (User, 1), (User, 1)]),
        (vec![asked, asked], vec![(User, 1), (User, 1)]),
        (vec![said, r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#], vec![(Assistant, 1)]),
        (
            vec![said, r#"{"type":"mcp_call","id":"m"}"#, r#"{"type":"shell_call_output"}"#],
            vec![(Assistant, 2), (User, 1)],
        ),
    ] {
        assert_eq!(turns(&items.join(",")), expected, "{items:?}");
    }
}

#[test]
fn choices_of_tools_are_read() {
    let choice = |choice: &str| {
        let body = format!(r#"{{"input":"x","tool_choice":{choice}}}"#);
        let request = read_request(body.as_bytes()).unwrap();
        let others = others(&request).len();
        (request.tool_choice.map(|choice| format!("{choice:?}")), others)
    };
    let named = |name: &'static str| Some(format!("{:?}", ToolChoice::Named(Str::raw_of(name))));
    assert_eq!(choice("\"none\""), (Some("None".to_owned()), 0));
    assert_eq!(choice("\"required\""), (Some("Required".to_owned()), 0));
    assert_eq!(choice("null"), (None, 0));
    assert_eq!(choice(r#"{"type":"function","name":"f"}"#), (named("f"), 0));
    assert_eq!(choice(r#"{"type":"custom","name":"f"}"#), (None, 1));
    assert_eq!(choice(r#"{"type":"file_search"}"#), (None, 1));
    assert_eq!(
        choice(r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"x"}]}"#),
        (None, 1)
    );
    let among = ToolChoice::Among { names: vec![Str::raw_of("f")], required: false };
    let asked = r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}"#;
    assert_eq!(choice(asked), (Some(format!("{among:?}")), 0));
}

#[test]
fn the_vendors_own_tools_are_told_apart() {
    let request = read_request(fixture!("hosted.request.json")).unwrap();
    let [Tool::WebSearch(search), Tool::Hosted { kind: mcp, .. }, Tool::Hosted { kind: custom, value }, _] =
        &request.tools[..]
    else {
        panic!("{:?}", request.tools)
    };
    assert_eq!(search.allowed_domains, [Str::raw_of("example.com")]);
    assert_eq!(search.location.as_ref().unwrap().raw(), r#"{"city":"Oslo","country":"NO"}"#);
    assert_eq!((mcp.raw(), custom.raw()), ("mcp", "custom"));
    assert!(value.raw().starts_with("{") && value.raw().ends_with("}"));
    assert_eq!((request.logprobs, request.top_logprobs), (Some(true), Some(2)));
    assert_eq!(others(&request), ["include", "tools[].search_context_size", "max_tool_calls"]);
}

#[test]
fn what_the_vendor_keeps_cannot_be_told_to_others() {
    let request = read_request(fixture!("stored.request.json")).unwrap();
    assert_eq!(others(&request), ["previous_response_id", "background", "store", "input[].item_reference"]);
    let mut lost = crate::hub::field::Lost::new(name);
    others(&request).into_iter().for_each(|other| lost.add_other(other));
    assert_eq!(lost.hints, ["store"]);
    assert_eq!(lost.demands, ["previous_response_id", "background", "input[].item_reference"]);
}

#[test]
fn reasoning_comes_back_with_its_proof() {
    let request = read_request(fixture!("reasoning.request.json")).unwrap();
    let thinking = Thinking { effort: Some(Str::raw_of("high")), is_shown: Some(true), ..Thinking::default() };
    assert_eq!(request.thinking, Some(thinking));
    let [Part::Reasoning(signed), Part::Reasoning(sealed), Part::ToolCall(call)] = &request.turns[1].parts[..] else {
        panic!("{:?}", request.turns[1])
    };
    assert_eq!((signed.text.raw(), signed.is_summary), ("I need the weather.", true));
    assert_eq!(signed.signature, Some(Str::raw_of("EuYBCkQIBxgCKkDL")));
    assert_eq!((sealed.sealed.clone(), &sealed.signature), (Some(Str::raw_of("EmwKAhgBEgy3va3pzix")), &None));
    assert_eq!(call.signature, Some(Str::raw_of("CiQBcsjaZ4w=")));
    let [Part::Reasoning(own), Part::Text(_)] = &request.turns[3].parts[..] else { panic!("{:?}", request.turns[3]) };
    assert_eq!((own.text.raw(), &own.signature, &own.sealed), ("Below zero is cold.", &None, &None));
}

#[test]
fn forms_of_answers_are_read() {
    let request = read_request(fixture!("structured.request.json")).unwrap();
    let Some(Format::Schema { name: Some(name), description: Some(_), schema, strict: Some(true) }) = &request.format
    else {
        panic!("{:?}", request.format)
    };
    assert_eq!((name.raw(), schema.is_object()), ("person", true));
    assert_eq!(request.verbosity, Some(Str::raw_of("low")));
}

#[test]
fn a_request_that_is_none_says_where() {
    for (body, message) in [
        (r#"{"model":"m"}"#, "`input` must be a string or an array"),
        (r#"{"input":7}"#, "`input` must be a string or an array"),
        (r#"{"input":[7]}"#, "`input[0]` must be an object"),
        (
            r#"{"input":[{"role":"user"},{"role":"tool","content":""}]}"#,
            "`input[1].role` must be `user`, `assistant`, `system` or `developer`",
        ),
        (
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":7}]}]}"#,
            "`input[0].content[0].text` must be a string",
        ),
        (
            r#"{"input":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"mp3"}}]}]}"#,
            "`input[0].content[0].input_audio.data` must be a string",
        ),
        (r#"{"input":[{"type":"function_call","name":"f"}]}"#, "`input[0].call_id` must be a string"),
        (
            r#"{"input":"x","tools":[{"type":"function","name":"f","parameters":[]}]}"#,
            "`tools[0].parameters` must be an object",
        ),
        (r#"{"input":"x","tool_choice":{"type":"function"}}"#, "`tool_choice.name` must be a string"),
        (
            r#"{"input":"x","text":{"format":{"type":"json_schema","name":"n"}}}"#,
            "`text.format.schema` must be an object",
        ),
        (r#"{"input":"x","max_output_tokens":"9"}"#, "`max_output_tokens` must be a whole number, not negative"),
    ] {
        assert_eq!(read_request(body.as_bytes()).unwrap_err().to_string(), message, "{body}");
    }
}

#[test]
fn members_of_an_item_may_come_in_any_order() {
    for (item, expected) in [
        (r#"{"content":[{"text":"x","type":"input_text"}],"role":"user"}"#, (Role::User, text("x"))),
        (r#"{"role":"assistant","content":"x","type":"message"}"#, (Role::Assistant, text("x"))),
        (
            r#"{"content":[{"refusal":"No.","type":"refusal"}],"type":"message","role":"assistant"}"#,
            (Role::Assistant, Part::Refusal(Str::raw_of("No."))),
        ),
    ] {
        let body = format!(r#"{{"input":[{item}]}}"#);
        let request = read_request(body.as_bytes()).unwrap();
        assert_eq!((request.turns[0].role, &request.turns[0].parts[..]), (expected.0, &[expected.1][..]), "{item}");
    }
    let tools = r#"{"input":[{"role":"developer","tools":[],"type":"additional_tools"}]}"#;
    let request = read_request(tools.as_bytes()).unwrap();
    let Part::Other { kind, .. } = &request.turns[0].parts[0] else { panic!("{request:?}") };
    assert_eq!(kind.raw(), "additional_tools");
    let result = r#"{"input":[{"output":"y","name":"f","call_id":"c","type":"function_call_output"}]}"#;
    let request = read_request(result.as_bytes()).unwrap();
    let Part::ToolResult(result) = &request.turns[0].parts[0] else { panic!("{request:?}") };
    assert_eq!(result.content, ToolOutput::Parts(vec![text("y")]));
}
