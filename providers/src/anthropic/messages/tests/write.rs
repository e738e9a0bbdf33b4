//! What Anthropic is asked.

use serde_json::{Value, json};

use super::super::write_request;
use super::{SAME, fixture, json, target};
use crate::hub::Wire;
use crate::hub::field::Lost;
use crate::hub::part::{
    Arguments, CacheMark, Media, MediaKind, MediaSource, Part, Reasoning, Role, Text, ToolCall, ToolOutput, ToolResult,
    Turn,
};
use crate::hub::request::{Format, Function, Other, Request, Thinking, Tool, ToolChoice, WebSearch};
use crate::hub::text::{Json, Str};
use crate::translate::Target;

const NEW: &str = "claude-opus-5";
const OLD: &str = "claude-sonnet-4-5";

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::plain(Str::of(text)))
}

fn turn<'a>(role: Role, parts: impl Into<Vec<Part<'a>>>) -> Turn<'a> {
    Turn { role, name: None, parts: parts.into() }
}

fn request<'a>(turns: impl Into<Vec<Turn<'a>>>) -> Request<'a> {
    Request { turns: turns.into(), ..Request::new(Wire::Chat) }
}

fn call<'a>(id: Option<&'a str>, name: &'a str, arguments: &'a str) -> Part<'a> {
    let arguments = Arguments::Text(Str::of(arguments));
    Part::ToolCall(ToolCall { id: id.map(Str::of), name: Str::of(name), arguments, signature: None, cache: None })
}

fn result<'a>(id: Option<&'a str>, name: Option<&'a str>, content: &'a str) -> Part<'a> {
    let content = ToolOutput::Parts(vec![text(content)]);
    Part::ToolResult(ToolResult { id: id.map(Str::of), name: name.map(Str::of), content, is_error: false, cache: None })
}

/// What is written of a request, and what is lost.
fn written(request: &Request<'_>, target: &Target<'_>) -> (Value, Vec<String>) {
    let mut lost = Lost::new(super::super::name);
    let body = write_request(request, target, &mut lost).unwrap();
    (json(&body), [lost.demands, lost.hints].concat().into_iter().map(Into::into).collect())
}

fn asking(change: impl FnOnce(&mut Request<'static>), model: &str) -> (Value, Vec<String>) {
    let mut request = request([turn(Role::User, [text("x")])]);
    change(&mut request);
    written(&request, &target(model))
}

fn object(value: Value) -> Json<'static> {
    Json::checked(value.to_string()).unwrap()
}

#[test]
fn requests_come_back_as_they_were() {
    for name in ["text", "turns", "media", "tools", "forced", "structured", "thinking", "budget"] {
        let body = fixture(&format!("{name}.request.json"));
        let asked = json(&body);
        let translated = SAME.request(&body, &target(asked["model"].as_str().unwrap())).unwrap();
        assert_eq!(json(&translated.body), asked, "{name}");
        assert!(translated.dropped.is_empty(), "{name}: {:?}", translated.dropped);
    }
}

#[test]
fn a_limit_is_always_said() {
    for (clients, gateways, expected) in
        [(None, None, 4_096), (Some(9), None, 9), (Some(9), Some(5), 5), (None, Some(5), 5)]
    {
        let mut asked = request([turn(Role::User, [text("x")])]);
        asked.max_output = clients;
        let (body, _) = written(&asked, &Target { limit: gateways, stream: true, ..target(NEW) });
        assert_eq!(
            (&body["max_tokens"], &body["stream"], &body["model"]),
            (&json!(expected), &json!(true), &json!(NEW))
        );
    }
}

#[test]
fn instructions_are_gathered_and_turns_alternate() {
    let asked = request([
        turn(Role::System, [text("a")]),
        turn(Role::User, [text("b")]),
        turn(Role::User, [text("c")]),
        turn(Role::System, [text("d")]),
        turn(Role::Assistant, [text("")]),
        turn(Role::User, [text(" \n")]),
    ]);
    let (body, lost) = written(&asked, &target(NEW));
    assert_eq!(body["system"], json!([{"type": "text", "text": "a"}, {"type": "text", "text": "d"}]));
    let content = json!([{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]);
    assert_eq!(body["messages"], json!([{"role": "user", "content": content}]));
    assert!(lost.is_empty());
}

#[test]
fn instructions_alone_are_answered() {
    let (body, _) = written(&request([turn(Role::System, [text("a"), text("b")])]), &target(NEW));
    assert_eq!((&body["system"], &body["messages"]), (&json!("a"), &json!([{"role": "user", "content": "b"}])));
}

#[test]
fn results_stand_first_in_the_turn_behind_their_calls() {
    let asked = request([
        turn(Role::Assistant, [call(Some("a"), "f", "{}"), call(Some("b"), "g", "")]),
        turn(Role::User, [text("and?")]),
        turn(Role::User, [result(Some("a"), None, "1"), result(Some("b"), None, "")]),
    ]);
    let (body, _) = written(&asked, &target(NEW));
    let expected = json!([
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "g", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "b"},
            {"type": "text", "text": "and?"},
        ]},
    ]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn calls_without_a_fit_id_get_one_and_their_results_too() {
    let asked = request([
        turn(
            Role::Assistant,
            [call(None, "f", "{}"), call(None, "g", "{}"), call(None, "f", "{}"), call(Some("a:b"), "h", "{}")],
        ),
        turn(
            Role::User,
            [
                result(None, Some("f"), "1"),
                result(None, Some("f"), "3"),
                result(None, Some("g"), "2"),
                result(Some("a:b"), None, "4"),
            ],
        ),
    ]);
    let (body, _) = written(&asked, &target(NEW));
    let ids = |turn: usize, name: &str| -> Vec<String> {
        let blocks = body["messages"][turn]["content"].as_array().unwrap();
        blocks.iter().map(|block| block[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(0, "id"), ["call_1", "call_2", "call_3", "call_4"]);
    assert_eq!(ids(1, "tool_use_id"), ["call_1", "call_3", "call_2", "call_4"]);
}

#[test]
fn arguments_that_are_no_object_are_refused() {
    let asked = request([turn(Role::Assistant, [call(Some("a"), "f", "{\"x\":")])]);
    let fault = write_request(&asked, &target(NEW), &mut Lost::new(super::super::name)).unwrap_err();
    assert_eq!(fault.to_string(), "`messages[].tool_calls[].function.arguments` must be the text of a JSON object");
}

#[test]
fn thoughts_go_back_only_to_their_own_vendor() {
    let thought = |signature: Option<&'static str>, sealed: Option<&'static str>| {
        Part::Reasoning(Reasoning {
            text: Str::of("t"),
            signature: signature.map(Str::of),
            sealed: sealed.map(Str::of),
            ..Reasoning::default()
        })
    };
    let asked = request([turn(
        Role::Assistant,
        [
            thought(Some("EqQB"), None),
            thought(None, Some("EmwK")),
            thought(None, None),
            thought(None, Some("gAAAAB")),
            text("x"),
        ],
    )]);
    let (body, lost) = written(&asked, &target(NEW));
    let expected = json!([
        {"type": "thinking", "thinking": "t", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "text", "text": "x"},
    ]);
    assert_eq!((&body["messages"][0]["content"], lost.len()), (&expected, 0));
}

#[test]
fn a_turn_to_go_on_with_ends_in_no_space() {
    let asked = request([turn(Role::User, [text("x")]), turn(Role::Assistant, [text("The answer is (\n ")])]);
    assert_eq!(written(&asked, &target(OLD)).0["messages"][1]["content"], "The answer is (");
    let asked = request([turn(Role::Assistant, [text("a "), text("b ")])]);
    let expected = json!([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]);
    assert_eq!(written(&asked, &target(OLD)).0["messages"][0]["content"], expected);
}

#[test]
fn media_that_anthropic_does_not_take_are_lost() {
    let medium = |kind, source| Part::Media(Media { kind, source, detail: None, name: None, cache: None });
    let inline = |mime| MediaSource::Inline { mime: Str::of(mime), base64: Str::of("AA==") };
    for (part, is_taken) in [
        (medium(MediaKind::Image, inline("image/webp")), true),
        (medium(MediaKind::Image, inline("image/heic")), false),
        (medium(MediaKind::File, inline("application/pdf")), true),
        (medium(MediaKind::File, inline("application/zip")), false),
        (medium(MediaKind::Audio, inline("audio/wav")), false),
        (medium(MediaKind::Video, MediaSource::Url { url: Str::of("https://a"), mime: None }), false),
        (medium(MediaKind::File, MediaSource::Plain(Str::of("x"))), true),
        (medium(MediaKind::Image, MediaSource::Id(Str::of("file-1"))), false),
    ] {
        let asked = request([turn(Role::User, [text("x"), part.clone()])]);
        let (body, lost) = written(&asked, &target(NEW));
        assert_eq!((body["messages"][0]["content"].is_array(), lost.is_empty()), (is_taken, is_taken), "{part:?}");
    }
}

#[test]
fn a_file_of_text_is_a_document_of_text() {
    let source = MediaSource::Inline { mime: Str::of("text/csv"), base64: Str::of("YSxiCg==") };
    let file = Media { kind: MediaKind::File, source, detail: None, name: Some(Str::of("a.csv")), cache: None };
    let (body, lost) = written(&request([turn(Role::User, [Part::Media(file)])]), &target(NEW));
    let source = json!({"type": "text", "media_type": "text/plain", "data": "a,b\n"});
    assert_eq!(body["messages"][0]["content"], json!([{"type": "document", "source": source, "title": "a.csv"}]));
    assert!(lost.is_empty());
}

#[test]
fn a_lone_text_with_a_mark_is_a_block() {
    let mark = CacheMark { ttl: Some(Str::of("24h")) };
    let marked = Part::Text(Text { cache: Some(mark), ..Text::plain(Str::of("x")) });
    let (body, _) = written(&request([turn(Role::User, [marked])]), &target(NEW));
    let expected = json!([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]);
    assert_eq!(body["messages"][0]["content"], expected);
}

#[test]
fn thinking_is_asked_for_as_the_model_knows_it() {
    let thinking =
        |effort: Option<&'static str>, budget| Thinking { effort: effort.map(Str::of), budget, ..Thinking::default() };
    let none = json!(null);
    for (asked, model, limit, expected, effort) in [
        (thinking(Some("high"), None), NEW, 99, json!({"type": "adaptive"}), json!("high")),
        (thinking(Some("minimal"), None), NEW, 99, json!({"type": "adaptive"}), json!("low")),
        (thinking(None, Some(20_000)), NEW, 99, json!({"type": "adaptive"}), json!("high")),
        (thinking(Some("xhigh"), None), NEW, 99, json!({"type": "adaptive"}), json!("xhigh")),
        (thinking(Some("xhigh"), None), "claude-opus-4-6", 99, json!({"type": "adaptive"}), json!("high")),
        (thinking(Some("none"), None), NEW, 99, json!({"type": "disabled"}), none.clone()),
        (thinking(Some("none"), None), "claude-opus-4-8", 99, none.clone(), none.clone()),
        (thinking(None, Some(0)), OLD, 99, none.clone(), none.clone()),
        (thinking(Some("low"), None), OLD, 9_999, json!({"type": "enabled", "budget_tokens": 2_048}), none.clone()),
        (thinking(Some("max"), None), OLD, 9_999, json!({"type": "enabled", "budget_tokens": 6_666}), none.clone()),
        (thinking(None, Some(1_000)), OLD, 9_999, json!({"type": "enabled", "budget_tokens": 1_024}), none.clone()),
    ] {
        let change = |request: &mut Request<'static>| {
            request.thinking = Some(asked.clone());
            request.max_output = Some(limit);
        };
        let (body, lost) = asking(change, model);
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&expected, &effort), "{asked:?} {model}");
        assert!(lost.is_empty(), "{asked:?} {model}");
    }
}

#[test]
fn thinking_leaves_room_for_an_answer() {
    for (effort, budget, own_limit, gateways_limit, expected) in [
        (Some("high"), None, Some(4_096), None, 2_731),
        (Some("high"), None, None, None, 2_731),
        (Some("low"), None, Some(4_096), None, 2_048),
        (Some("high"), None, Some(1_200), None, 1_024),
        (Some("high"), None, Some(1_025), None, 1_024),
        (None, None, Some(6_000), None, 4_000),
        (None, Some(2_000), Some(2_500), None, 2_000),
        (None, Some(2_000), Some(2_001), None, 2_000),
        (None, Some(9_000), Some(9_000), None, 7_976),
        (None, Some(9_000), None, None, 3_072),
        (None, Some(9_000), Some(20_000), Some(9_001), 7_977),
        (None, Some(9_000), Some(9_100), Some(9_050), 8_950),
        (None, Some(9_000), Some(20_000), Some(1_500), 1_024),
    ] {
        let mut asked = request([turn(Role::User, [text("x")])]);
        asked.thinking = Some(Thinking { effort: effort.map(Str::of), budget, ..Thinking::default() });
        asked.max_output = own_limit;
        let (body, lost) = written(&asked, &Target { limit: gateways_limit, ..target(OLD) });
        assert_eq!(body["thinking"]["budget_tokens"], expected, "{asked:?} {gateways_limit:?}");
        assert!(lost.is_empty());
    }
}

#[test]
fn work_that_began_without_a_thought_goes_on_without() {
    let said = |part: Part<'static>| turn(Role::Assistant, [part]);
    let user = || turn(Role::User, [text("x")]);
    let back = || turn(Role::User, [result(Some("a"), None, "1")]);
    let calls = || said(call(Some("a"), "f", "{}"));
    let thought =
        |proof: &'static str| Part::Reasoning(Reasoning { signature: Some(Str::of(proof)), ..Reasoning::default() });
    let thinks_and_calls = |proof| turn(Role::Assistant, [thought(proof), call(Some("a"), "f", "{}")]);
    for (turns, is_on) in [
        (vec![user(), calls(), back()], false),
        (vec![user(), calls(), back(), user()], false),
        (vec![user(), thinks_and_calls("gAAAAB"), back()], false),
        (vec![user(), turn(Role::Assistant, [text("so"), thought("EqQB"), call(Some("a"), "f", "{}")]), back()], false),
        (vec![user(), calls(), back(), thinks_and_calls("EqQB"), back()], false),
        (vec![user(), said(text("The answer is ("))], false),
        (vec![user(), thinks_and_calls("EqQB"), back()], true),
        (vec![user(), turn(Role::Assistant, [text(" "), thought("EqQB"), call(Some("a"), "f", "{}")]), back()], true),
        (vec![user(), thinks_and_calls("EqQB"), back(), calls(), back()], true),
        (vec![user(), calls(), back(), said(text("y")), user()], true),
        (vec![user()], true),
    ] {
        let mut asked = request(turns);
        asked.thinking = Some(Thinking { effort: Some(Str::of("medium")), ..Thinking::default() });
        let mut lost = Lost::new(super::super::name);
        let body = json(&write_request(&asked, &target(OLD), &mut lost).unwrap());
        assert_eq!(body["thinking"].is_object(), is_on, "{asked:?}");
        let hints = if is_on { vec![] } else { vec![std::borrow::Cow::from("thinking")] };
        assert_eq!((lost.hints, lost.demands.len()), (hints, 0));
        let (by_effort, lost) = written(&asked, &target(NEW));
        assert_eq!((&by_effort["thinking"], lost.len()), (&json!({"type": "adaptive"}), 0));
    }
}

#[test]
fn thinking_that_does_not_fit_is_lost() {
    let small = |request: &mut Request<'static>| {
        request.thinking = Some(Thinking { effort: Some(Str::of("low")), ..Thinking::default() });
        request.max_output = Some(1_024);
    };
    assert_eq!(asking(small, OLD).1, ["thinking"]);
    let forced = |request: &mut Request<'static>| {
        request.thinking = Some(Thinking { budget: Some(2_000), ..Thinking::default() });
        request.tool_choice = Some(ToolChoice::Required);
        request.tools.push(Tool::WebSearch(WebSearch::default()));
    };
    assert_eq!(asking(forced, OLD).1, ["thinking"]);
    let (body, lost) = asking(forced, NEW);
    assert_eq!((&body["thinking"], &body["output_config"], lost.len()), (&json!(null), &json!({"effort": "low"}), 0));
}

#[test]
fn sampling_is_asked_of_models_that_have_it() {
    let number = |text: &'static str| Some(Json::read(text));
    for (model, temperature, top_p, expected, lost) in [
        (OLD, number("0.5"), None, json!([0.5, null]), vec![]),
        (OLD, number("1.7"), None, json!([1, null]), vec![]),
        (OLD, number("0.5"), number("1"), json!([0.5, null]), vec![]),
        (OLD, number("0.5"), number("0.9"), json!([0.5, null]), vec!["top_p"]),
        (OLD, number("1"), number("0.9"), json!([null, 0.9]), vec![]),
        (OLD, number("1.0"), None, json!([1.0, null]), vec![]),
        ("claude-3-5-haiku-latest", number("0.5"), number("0.9"), json!([0.5, 0.9]), vec![]),
        ("claude-3-5-haiku-latest", number("1"), number("0.9"), json!([1, 0.9]), vec![]),
        (NEW, number("1.0"), number("1.0"), json!([null, null]), vec![]),
        (NEW, number("0.5"), number("0.9"), json!([null, null]), vec!["temperature", "top_p"]),
    ] {
        let change = |request: &mut Request<'static>| {
            (request.temperature, request.top_p) = (temperature.clone(), top_p.clone())
        };
        let (body, dropped) = asking(change, model);
        assert_eq!(
            (json!([body["temperature"], body["top_p"]]), dropped),
            (expected, lost.into_iter().map(String::from).collect())
        );
    }
}

#[test]
fn tools_are_described_as_anthropic_wants_them() {
    let function = |name, parameters| {
        Tool::Function(Function { name: Str::of(name), description: None, parameters, strict: Some(true), cache: None })
    };
    let change = |request: &mut Request<'static>| {
        request.tools.push(function("a", None));
        request.tools.push(function("b", Some(object(json!({})))));
        request.tools.push(function("c", Some(object(json!({"type": ["object", "null"], "properties": {"x": {}}})))));
        request.tools.push(Tool::Hosted { kind: Str::of("file_search"), value: Json::read("{}") });
        request.parallel_tools = Some(false);
    };
    let (body, lost) = asking(change, NEW);
    let expected = json!([
        {"name": "a", "input_schema": {"type": "object", "properties": {}}},
        {"name": "b", "input_schema": {"type": "object"}, "strict": true},
        {"name": "c", "input_schema":
            {"type": "object", "properties": {"x": {}}, "additionalProperties": false}, "strict": true},
    ]);
    assert_eq!((&body["tools"], lost), (&expected, vec!["tools".to_owned()]));
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(asking(change, "claude-3-7-sonnet-latest").1, ["tools", "tools[].strict"]);
}

#[test]
fn a_choice_among_tools_leaves_out_the_others() {
    let function = |name| {
        Tool::Function(Function { name: Str::of(name), description: None, parameters: None, strict: None, cache: None })
    };
    let change = |request: &mut Request<'static>| {
        request.tools = vec![function("a"), function("b")];
        request.tool_choice = Some(ToolChoice::Among { names: vec![Str::of("b")], required: true });
    };
    let (body, _) = asking(change, NEW);
    assert_eq!((body["tools"].as_array().unwrap().len(), &body["tools"][0]["name"]), (1, &json!("b")));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
}

#[test]
fn what_cannot_be_asked_is_named_and_defaults_are_not() {
    let (_, lost) = asking(
        |request| {
            request.choices = Some(1);
            request.frequency_penalty = Some(Json::read("0.0"));
            request.logprobs = Some(false);
            request.modalities = vec![Str::of("text")];
            request.tool_choice = Some(ToolChoice::Auto);
            request.parallel_tools = Some(true);
            request.verbosity = Some(Str::of("medium"));
            request.others = vec![
                Other { name: "store".into(), value: Json::read("false") },
                Other { name: "service_tier".into(), value: Json::read("\"auto\"") },
            ];
        },
        NEW,
    );
    assert!(lost.is_empty(), "{lost:?}");
    let (body, lost) = asking(
        |request| {
            request.choices = Some(2);
            request.frequency_penalty = Some(Json::read("0.1"));
            request.presence_penalty = Some(Json::read("-1"));
            request.seed = Some(Json::read("7"));
            request.logprobs = Some(true);
            request.top_logprobs = Some(3);
            request.modalities = vec![Str::of("audio")];
            request.verbosity = Some(Str::of("low"));
            request.format = Some(Format::Json);
            request.stop = vec![Str::of("\n"), Str::of("END")];
            request.user = Some(Str::of("jane@example.com"));
            request.others = vec![Other { name: "prediction".into(), value: Json::read("{}") }];
        },
        NEW,
    );
    let expected = [
        "n",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "modalities",
        "prediction",
        "output_config.format",
        "stop_sequences",
        "seed",
        "verbosity",
        "metadata.user_id",
    ];
    assert_eq!(lost, expected);
    assert_eq!(body["stop_sequences"], json!(["END"]));
}
