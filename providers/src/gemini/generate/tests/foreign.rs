//! What conversations and answers of other formats become.

use serde_json::{Value, json};

use super::requests::target;
use super::{context, json as parsed};
use crate::gemini::generate::{StreamWriter, write_answer, write_request};
use crate::hub::answer::{Answer, Candidate, Stop};
use crate::hub::delta::{At, Delta, Opened};
use crate::hub::field::Lost;
use crate::hub::part::{Arguments, Citation, Part, Text, ToolCall};
use crate::hub::request::{Request, Thinking};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::openai::chat;
use crate::translate::{Context, Target};

/// A chat completion's request as Gemini gets it, and what is lost of it.
fn asked(body: &Value, model: &str) -> (Value, Vec<String>, Vec<String>) {
    let body = body.to_string();
    let request = chat::read_request(body.as_bytes()).unwrap();
    let mut lost = Lost::new(chat::name);
    let written = write_request(&request, &target(model), &mut lost).unwrap();
    let names = |names: Vec<std::borrow::Cow<'static, str>>| names.into_iter().map(String::from).collect();
    (parsed(std::str::from_utf8(&written).unwrap()), names(lost.demands), names(lost.hints))
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": id.to_uppercase(), "arguments": arguments}})
}

#[test]
fn calls_and_results_are_told_with_names_and_proofs() {
    let (written, demands, hints) = asked(
        &json!({"model": "m", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Go."}]},
            {"role": "assistant", "content": null, "tool_calls": [call("a", "{\"x\": \"\\\"\"}"), call("b", "")]},
            {"role": "tool", "tool_call_id": "b", "content": "two"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "more"}]},
            {"role": "user", "content": "Well?"},
        ]}),
        "gemini-3-pro-preview",
    );
    let result = |name: &str, output: &str| json!({"functionResponse": {"id": name.to_lowercase(), "name": name, "response": {"output": output}}});
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Go."}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "a", "name": "A", "args": {"x": "\""}}, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"id": "b", "name": "B", "args": {}}},
            ]},
            {"role": "user", "parts": [result("B", "two"), result("A", "one\nmore"), {"text": "Well?"}]},
        ],
    });
    assert_eq!((written, demands, hints), (expected, vec![], vec![]));
}

#[test]
fn arguments_that_are_no_object_are_refused_at_their_place() {
    let body = json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [call("a", "[1]")]}]}).to_string();
    let request = chat::read_request(body.as_bytes()).unwrap();
    let error = write_request(&request, &target("m"), &mut Lost::new(chat::name)).unwrap_err();
    let expected = "`messages[].tool_calls[].function.arguments` must be the text of a JSON object";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn settings_have_geminis_names() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let (written, demands, hints) = asked(
        &json!({
            "model": "m", "messages": [{"role": "system", "content": "Say something."}],
            "max_completion_tokens": 50, "temperature": 1.5, "top_p": 0.5, "n": 2, "stop": "x", "seed": 9_000_000_000_u64,
            "logprobs": true, "top_logprobs": 2, "user": "u", "parallel_tool_calls": false, "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}},
            "tools": [{"type": "function", "function": {"name": "f", "strict": true}}], "tool_choice": "required",
        }),
        "gemini-2.5-flash",
    );
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "Say something."}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "temperature": 1.5, "topP": 0.5, "seed": 9_000_000_000_u64 & 0x7fff_ffff, "maxOutputTokens": 50, "candidateCount": 2,
            "stopSequences": ["x"], "responseLogprobs": true, "logprobs": 2, "responseMimeType": "application/json",
            "responseJsonSchema": schema,
        },
    });
    assert_eq!(written, expected);
    assert!(demands.is_empty());
    assert_eq!(hints, ["user", "tools[].function.strict", "parallel_tool_calls", "verbosity"]);
}

#[test]
fn what_means_nothing_special_is_not_lost() {
    let (written, demands, hints) = asked(
        &json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 1, "logprobs": false, "stop": [],
            "tool_choice": "auto", "response_format": {"type": "text"}, "parallel_tool_calls": true, "modalities": ["text"]}),
        "gemini-2.5-flash",
    );
    assert_eq!(written, json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}));
    assert_eq!((demands, hints), (vec![], vec![]));
}

#[test]
fn only_functions_can_be_called_for() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    for (tools, choice, is_lost) in [
        (json!([function]), named("f"), false),
        (json!([function]), named("g"), true),
        (json!([]), json!("required"), true),
        (json!([]), json!("none"), false),
    ] {
        let body = json!({"model": "m", "messages": [], "tools": tools, "tool_choice": choice,
            "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}});
        let (written, demands, hints) = asked(&body, "gemini-2.5-flash");
        assert_eq!(demands, if is_lost { vec!["tool_choice"] } else { vec![] }, "{body}");
        assert_eq!(hints, ["web_search_options.user_location"]);
        assert_eq!(written["toolConfig"].is_object(), !is_lost && choice != "none", "{body}");
    }
}

#[test]
fn the_gateways_limit_goes_before_the_clients() {
    let request = Request { max_output: Some(10), ..chat::read_request(br#"{"messages":[]}"#).unwrap() };
    let limited = Target { limit: Some(7), ..target("m") };
    let written = write_request(&request, &limited, &mut Lost::new(chat::name)).unwrap();
    assert_eq!(parsed(std::str::from_utf8(&written).unwrap())["generationConfig"], json!({"maxOutputTokens": 7}));
}

#[test]
fn each_family_is_told_to_think_in_its_own_way() {
    let effort = |word: &'static str| Thinking { effort: Some(Str::raw_of(word)), ..Thinking::default() };
    let budget = |budget| Thinking { budget: Some(budget), ..Thinking::default() };
    let adaptive = || Thinking { is_adaptive: true, is_shown: Some(true), ..Thinking::default() };
    for (model, thinking, expected) in [
        ("gemini-3-pro-preview", effort("high"), json!({"thinkingLevel": "HIGH"})),
        ("gemini-3-pro-preview", effort("none"), json!({"thinkingLevel": "LOW"})),
        ("gemini-3-flash-preview", effort("none"), json!({"thinkingLevel": "MINIMAL"})),
        ("gemini-3-flash-preview", effort("low"), json!({"thinkingLevel": "LOW"})),
        ("gemini-3-flash-preview", effort("medium"), json!({"thinkingLevel": "MEDIUM"})),
        ("gemini-3-flash-preview", budget(5_000), json!({"thinkingBudget": 5_000})),
        ("gemini-3-flash-preview", adaptive(), json!({"includeThoughts": true})),
        ("gemini-2.5-pro", effort("none"), json!({"thinkingBudget": 128})),
        ("gemini-2.5-pro", effort("max"), json!({"thinkingBudget": 32_768})),
        ("gemini-2.5-flash", effort("none"), json!({"thinkingBudget": 0})),
        ("gemini-2.5-flash", effort("max"), json!({"thinkingBudget": 24_576})),
        ("gemini-2.5-flash-lite", budget(100), json!({"thinkingBudget": 512})),
        ("gemini-2.5-flash", adaptive(), json!({"thinkingBudget": -1, "includeThoughts": true})),
        ("tuned", effort("medium"), json!({"thinkingBudget": 8_192})),
    ] {
        let name = format!("{model} {thinking:?}");
        let request = Request { thinking: Some(thinking), ..chat::read_request(br#"{"messages":[]}"#).unwrap() };
        let mut lost = Lost::new(chat::name);
        let written = write_request(&request, &target(model), &mut lost).unwrap();
        let config = &parsed(std::str::from_utf8(&written).unwrap())["generationConfig"]["thinkingConfig"];
        assert_eq!((config, lost.demands.len()), (&expected, 0), "{name}");
    }
}

#[test]
fn a_model_that_does_not_think_loses_only_the_wish_to() {
    for (effort, lost_fields) in [("none", 0), ("low", 1)] {
        let thinking = Thinking { effort: Some(Str::raw_of(effort)), ..Thinking::default() };
        let request = Request { thinking: Some(thinking), ..chat::read_request(br#"{"messages":[]}"#).unwrap() };
        let mut lost = Lost::new(chat::name);
        let written = write_request(&request, &target("gemini-2.0-flash"), &mut lost).unwrap();
        assert_eq!(parsed(std::str::from_utf8(&written).unwrap()), json!({"contents": []}));
        assert_eq!(lost.demands.len(), lost_fields, "{effort}");
    }
}

/// A text that rests on a page, as Claude has them: a part for each, without places.
fn cited<'a>(text: &'a str, url: Option<&'a str>) -> Part<'a> {
    let url = url.map(Str::of);
    let citations = url.map(|url| Citation { url: Some(url), ..Citation::default() }).into_iter().collect();
    Part::Text(Text { citations, ..Text::plain(Str::of(text)) })
}

fn support(start: u64, end: u64, text: &str, index: u64) -> Value {
    let mut segment = json!({"endIndex": end, "text": text});
    if start > 0 {
        segment["startIndex"] = json!(start);
    }
    json!({"segment": segment, "groundingChunkIndices": [index]})
}

#[test]
fn texts_with_sources_become_one_text_with_places() {
    let parts = vec![cited("Ça va. ", Some("https://a")), cited("And: ", None), cited("yes", Some("https://b"))];
    let candidates = vec![Candidate { parts, stop: Some(Stop::End), ..Candidate::default() }];
    let written = write_answer(&Answer { candidates, ..Answer::default() }, &context());
    let written = &parsed(std::str::from_utf8(&written).unwrap())["candidates"][0];
    assert_eq!(written["content"]["parts"], json!([{"text": "Ça va. And: yes"}]));
    let chunks = json!([{"web": {"uri": "https://a"}}, {"web": {"uri": "https://b"}}]);
    let supports = json!([support(0, 8, "Ça va. ", 0), support(13, 16, "yes", 1)]);
    assert_eq!(written["groundingMetadata"], json!({"groundingChunks": chunks, "groundingSupports": supports}));
}

/// What these pieces are written as.
fn told(deltas: &[Delta<'_>]) -> Vec<Value> {
    let mut writer = StreamWriter::new(Context { asked: bytes::Bytes::new(), ..context() });
    let mut sink = Sink::default();
    deltas.iter().for_each(|delta| writer.delta(delta, &mut sink));
    let text = String::from_utf8(sink.into_bytes()).unwrap();
    text.split("\r\n\r\n")
        .filter(|event| !event.is_empty())
        .map(|event| parsed(event.strip_prefix("data: ").unwrap()))
        .collect()
}

fn text_at(at: At, text: &str) -> Delta<'_> {
    Delta::Text { at, text: Str::raw_of(text) }
}

#[test]
fn a_call_that_comes_in_pieces_goes_out_whole() {
    let at = At::default();
    let open =
        |name| Delta::Open { at, part: Opened::ToolCall { id: Some(Str::raw_of("c1")), name: Str::raw_of(name) } };
    let events = told(&[
        open("f"),
        text_at(at, "{\\\"x\\\":"),
        text_at(at, "\\\"é\\\"}"),
        Delta::Close { at },
        Delta::Stop { candidate: 0, stop: Stop::Tools },
        Delta::End,
    ]);
    assert_eq!(events.len(), 2);
    let call = json!({"functionCall": {"id": "c1", "name": "f", "args": {"x": "é"}}});
    assert_eq!(events[0]["candidates"][0]["content"], json!({"parts": [call], "role": "model"}));
    assert_eq!(events[1]["candidates"][0]["finishReason"], "STOP");
    assert_eq!((&events[1]["responseId"], &events[1]["modelVersion"]), (&json!("req-1"), &json!("m")));

    let events = told(&[open("f"), text_at(at, "{"), Delta::Close { at }, Delta::End]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
}

#[test]
fn thoughts_are_not_told_to_who_did_not_ask() {
    let (thought, text) = (At::default(), At { candidate: 0, part: 1 });
    let events = told(&[
        Delta::Open { at: thought, part: Opened::Reasoning { id: None, is_summary: false } },
        text_at(thought, "Hm."),
        Delta::Signature { at: thought, signature: Str::raw_of("aGk=") },
        Delta::Close { at: thought },
        Delta::Open { at: text, part: Opened::Text },
        text_at(text, "Yes."),
        Delta::Close { at: text },
        Delta::Stop { candidate: 0, stop: Stop::End },
        Delta::End,
    ]);
    let texts: Vec<_> = events.iter().map(|event| &event["candidates"][0]["content"]["parts"][0]).collect();
    assert_eq!(texts, [&json!({"text": "Yes."}), &json!({"text": ""})]);
}

#[test]
fn sources_go_out_with_the_end() {
    let (first, second) = (At::default(), At { candidate: 0, part: 1 });
    let citation =
        || Citation { url: Some(Str::raw_of("https://a")), title: Some(Str::raw_of("A")), ..Citation::default() };
    let events = told(&[
        Delta::Open { at: first, part: Opened::Text },
        text_at(first, "Well: "),
        Delta::Close { at: first },
        Delta::Open { at: second, part: Opened::Text },
        Delta::Citation { at: second, citation: citation() },
        text_at(second, "ça."),
        Delta::Close { at: second },
        Delta::Stop { candidate: 0, stop: Stop::End },
        Delta::End,
    ]);
    let metadata = &events.last().unwrap()["candidates"][0]["groundingMetadata"];
    assert_eq!(metadata["groundingChunks"], json!([{"web": {"uri": "https://a", "title": "A"}}]));
    assert_eq!(metadata["groundingSupports"], json!([support(6, 10, "ça.", 0)]));
}

#[test]
fn what_no_client_could_decode_is_no_proof() {
    let call = |signature| {
        let arguments = Arguments::Text(Str::default());
        Part::ToolCall(ToolCall {
            id: None,
            name: Str::raw_of("f"),
            arguments,
            signature: Some(Str::raw_of(signature)),
            cache: None,
        })
    };
    let candidates = vec![Candidate { parts: vec![call("aGk="), call("rs_1!")], ..Candidate::default() }];
    let written = write_answer(&Answer { candidates, ..Answer::default() }, &context());
    let parts = &parsed(std::str::from_utf8(&written).unwrap())["candidates"][0]["content"]["parts"];
    let call = json!({"name": "f", "args": {}});
    assert_eq!(*parts, json!([{"functionCall": call, "thoughtSignature": "aGk="}, {"functionCall": call}]));
}
