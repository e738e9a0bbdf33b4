//! Requests that are read and answers that are written, against what the SDK's types say.

use bytes::Bytes;
use policy::usage::Usage;
use serde_json::{Value, json};

use super::*;
use crate::hub::answer::{Answer, Candidate, Head, Logprob, Stop};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::part::{
    Arguments, Citation, Media, MediaKind, MediaSource, Part, Reasoning, Role, Text, ToolCall, ToolOutput,
};
use crate::hub::request::{Format, Request, Thinking, Tool, ToolChoice};
use crate::hub::sink::Sink;
use crate::hub::text::{Json, Str};
use crate::translate::Context;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/responses/", $name)).as_slice()
    };
}

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::plain(Str::of(text)))
}

fn roles(request: &Request<'_>) -> Vec<(Role, usize)> {
    request.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect()
}

fn others<'a>(request: &'a Request<'_>) -> Vec<&'a str> {
    request.others.iter().map(|other| &*other.name).collect()
}

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

fn context() -> Context {
    Context {
        request_id: "0a1b".to_owned(),
        model: "claude-sonnet-5".to_owned(),
        now_s: 1_795_000_000,
        asked: Bytes::from_static(fixture!("tools.request.json")),
        ..Context::default()
    }
}

fn call<'a>(id: Option<&'a str>, arguments: &'a str, signature: Option<&'a str>) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.map(Str::of),
        name: Str::raw_of("get_weather"),
        arguments: Arguments::Text(Str::of(arguments)),
        signature: signature.map(Str::of),
        cache: None,
    })
}

fn thought<'a>(text: &'a str, is_summary: bool, signature: Option<&'a str>) -> Part<'a> {
    let signature = signature.map(Str::of);
    Part::Reasoning(Reasoning { text: Str::of(text), is_summary, signature, ..Reasoning::default() })
}

/// Says a bit of everything.
fn full() -> Answer<'static> {
    let token = |token| Logprob { token: Str::raw_of(token), logprob: Json::read("-0.25"), bytes: None, top: vec![] };
    let citation = Citation {
        url: Some(Str::raw_of("https://example.com/oslo")),
        title: Some(Str::raw_of("Oslo")),
        ..Citation::default()
    };
    let cited = Text { text: Str::raw_of("It is cöld."), citations: vec![citation], ..Text::default() };
    let image = Media {
        kind: MediaKind::Image,
        source: MediaSource::Inline { mime: Str::raw_of("image/webp"), base64: Str::raw_of("UklGRg==") },
        detail: None,
        name: None,
        cache: None,
    };
    let sealed = Reasoning { sealed: Some(Str::raw_of("EmwK")), ..Reasoning::default() };
    let candidate = Candidate {
        index: 0,
        parts: vec![
            thought("Oslo?", true, None),
            thought("North.", false, Some("EuYB")),
            Part::Reasoning(sealed),
            text("Let me \"see\"."),
            Part::Text(cited),
            Part::Media(image),
            call(Some("toolu_1"), r#"{"city":"Oslo"}"#, Some("CiQB")),
            call(None, "", None),
        ],
        stop: Some(Stop::Tools),
        logprobs: vec![Logprob { top: vec![token("b")], ..token("a") }],
    };
    let usage = Usage {
        input: 10,
        cache_read: 5,
        cache_write: 2,
        cache_write_1h: 1,
        output: 7,
        reasoning: 3,
        searches: 2,
        ..Usage::default()
    };
    Answer { head: Head::default(), candidates: vec![candidate], usage: Some(usage) }
}

fn written(answer: &Answer<'_>) -> Value {
    serde_json::from_slice(&write_answer(answer, &context())).unwrap()
}

fn shape(response: &Value) -> Vec<(String, String)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    response["output"].as_array().unwrap().iter().map(|item| (text(item, "type"), text(item, "id"))).collect()
}

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
    assert_eq!((&output[0]["content"], &output[0]["encrypted_content"]), (&Value::Null, &Value::Null));
    assert_eq!(output[1]["content"], json!([{"type": "reasoning_text", "text": "North."}]));
    assert_eq!((&output[1]["summary"], &output[1]["encrypted_content"]), (&json!([]), &json!("signature:EuYB")));
    assert_eq!(output[2]["encrypted_content"], "sealed:EmwK");
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
        (&json!("toolu_1"), &json!("call:toolu_1:CiQB"))
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

/// The deltas of an answer.
fn deltas<'a>(answer: &'a Answer<'a>) -> Vec<Delta<'a>> {
    let candidate = &answer.candidates[0];
    let mut deltas = vec![Delta::Head(answer.head.clone())];
    for (part, index) in candidate.parts.iter().zip(0..) {
        let at = At { candidate: 0, part: index };
        pieces(part, at, &mut deltas);
        if index == 3 {
            deltas.push(Delta::Logprobs { at, logprobs: candidate.logprobs.clone() });
        }
        deltas.push(Delta::Close { at });
    }
    deltas.extend(candidate.stop.clone().map(|stop| Delta::Stop { candidate: 0, stop }));
    deltas.extend(answer.usage.map(Delta::Usage));
    deltas.push(Delta::End);
    deltas
}

fn pieces<'a>(part: &'a Part<'a>, at: At, deltas: &mut Vec<Delta<'a>>) {
    let halves = |text: &'a Str<'a>| {
        let (head, tail) = text.raw().split_at(text.raw().len() / 2);
        [head, tail].map(|text| Delta::Text { at, text: Str::raw_of(text) })
    };
    let open = |part| Delta::Open { at, part };
    match part {
        Part::Text(text) => {
            deltas.push(open(Opened::Text));
            deltas.extend(halves(&text.text));
            deltas.extend(text.citations.iter().map(|citation| Delta::Citation { at, citation: citation.clone() }));
        }
        Part::Refusal(refusal) => {
            deltas.push(open(Opened::Refusal));
            deltas.extend(halves(refusal));
        }
        Part::ToolCall(call) => {
            deltas.push(open(Opened::ToolCall { id: call.id.clone(), name: call.name.clone() }));
            let Arguments::Text(text) = &call.arguments else { panic!("a text") };
            deltas.extend(halves(text));
            deltas.extend(call.signature.clone().map(|signature| Delta::Signature { at, signature }));
        }
        Part::Reasoning(Reasoning { sealed: None, text, is_summary, signature, .. }) => {
            deltas.push(open(Opened::Reasoning { id: None, is_summary: *is_summary }));
            deltas.extend(halves(text));
            deltas.extend(signature.clone().map(|signature| Delta::Signature { at, signature }));
        }
        whole => deltas.push(open(Opened::Whole(whole.clone()))),
    }
}

/// The stream as it is written, and its events.
fn streamed(deltas: &[Delta<'_>]) -> (String, Vec<Value>) {
    let mut writer = StreamWriter::new(context());
    let mut sink = Sink::default();
    deltas.iter().for_each(|delta| writer.delta(delta, &mut sink));
    let text = String::from_utf8(sink.into_bytes()).unwrap();
    let events = text.split_terminator("\n\n").map(|event| {
        let (kind, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], kind);
        data
    });
    let events = events.collect();
    (text, events)
}

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
