//! What vendors of the API are sent, and what they say.

use super::*;
use crate::hub::Wire;
use crate::hub::field::Lost;
use crate::hub::part::{CacheMark, ToolResult, Turn};
use crate::hub::request::{Function, Other, WebSearch};
use crate::translate::Target;
use crate::vendor::Quirks;

const TARGET: Target<'static> = Target {
    model: "gpt-6-astra",
    stream: false,
    limit: None,
    limit_if_none: 4_096,
    quirks: Quirks::NONE,
    drops: false,
};

/// What is sent for a request, and what is not.
fn sent(request: &Request<'_>) -> (Value, Lost) {
    let mut lost = Lost::new(|field| match field {
        crate::hub::field::Field::CacheMark => "mark",
        other => name(other),
    });
    let body = write_request(request, &TARGET, &mut lost).unwrap();
    (serde_json::from_slice(&body).unwrap(), lost)
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, name: None, parts }
}

#[test]
fn a_request_comes_back_as_it_was() {
    for body in [
        fixture!("text.request.json"),
        fixture!("media.request.json"),
        fixture!("tools.request.json"),
        fixture!("forced.request.json"),
        fixture!("structured.request.json"),
        fixture!("hosted.request.json"),
    ] {
        let body = in_one_line(body);
        let asked = read_request(body.as_bytes()).unwrap();
        let mut lost = Lost::new(name);
        let written = write_request(&asked, &TARGET, &mut lost).unwrap();
        let again = read_request(&written).unwrap();
        assert_eq!(again.turns, asked.turns);
        // One that takes nothing gets a schema that says so.
        let takes = |tool: &&Tool<'_>| !matches!(tool, Tool::Function(Function { parameters: None, .. }));
        assert!(asked.tools.iter().filter(takes).all(|tool| again.tools.contains(tool)));
        assert_eq!(again.tools.len(), asked.tools.len());
        // Without tools there is nothing to choose.
        let has_tools = !asked.tools.is_empty();
        assert_eq!(again.tool_choice, asked.tool_choice.filter(|_| has_tools));
        assert_eq!(again.parallel_tools, asked.parallel_tools.filter(|_| has_tools));
        assert_eq!((&again.format, &again.verbosity), (&asked.format, &asked.verbosity));
        assert_eq!((again.logprobs, again.top_logprobs), (asked.logprobs, asked.top_logprobs));
        assert_eq!((&again.temperature, &again.user), (&asked.temperature, &asked.user));
        assert_eq!(again.max_output, asked.max_output);
    }
}

#[test]
fn a_conversation_is_instructions_and_items() {
    let mut request = Request::new(Wire::Messages);
    let seen = Text { cache: Some(CacheMark { ttl: None }), ..Text::plain(Str::raw_of("Hi")) };
    let sealed = |text, sealed, id| {
        Part::Reasoning(Reasoning { text: Str::raw_of(text), is_summary: true, sealed, id, ..Reasoning::default() })
    };
    let id = || Some(Str::raw_of("rs_1"));
    request.turns = vec![
        turn(Role::System, vec![text("Be brief.")]),
        turn(Role::User, vec![Part::Text(seen)]),
        turn(
            Role::Assistant,
            vec![
                thought("signed elsewhere", false, Some("EuYB")),
                sealed("Weather?", None, id()),
                sealed("", Some(Str::raw_of("gAAA")), id()),
                sealed("", Some(Str::raw_of("gAAB~rs_2")), None),
                sealed("", Some(Str::raw_of("EmwKAhgB")), None),
                text("I look."),
                text("Twice."),
                call(Some("toolu_1"), "", None),
            ],
        ),
        turn(Role::User, vec![result(Some("toolu_1"), vec![text("-3")]), text("Well?")]),
        turn(Role::System, vec![text("In German.")]),
    ];
    request.max_output = Some(99);
    let (body, lost) = sent(&request);
    let expected = json!({
        "model": "gpt-6-astra",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Weather?"}],
                "encrypted_content": "gAAA"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAB"},
            {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "I look.", "annotations": []},
                {"type": "output_text", "text": "Twice.", "annotations": []}]},
            {"type": "function_call", "call_id": "toolu_1", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "toolu_1", "output": "-3"},
            {"role": "user", "content": "Well?"},
            {"role": "system", "content": "In German."},
        ],
        "max_output_tokens": 99,
        "include": ["reasoning.encrypted_content"],
        "store": false,
    });
    assert_eq!(body, expected);
    assert_eq!((lost.hints, lost.demands), (vec!["mark".into()], vec![]));
}

fn result<'a>(id: Option<&'a str>, parts: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: id.map(Str::of),
        name: Some(Str::raw_of("get_weather")),
        content: ToolOutput::Parts(parts),
        is_error: false,
        cache: None,
    })
}

#[test]
fn calls_without_ids_get_running_numbers() {
    let mut request = Request::new(Wire::Generate);
    request.turns = vec![
        turn(Role::Assistant, vec![call(None, "{}", None), call(None, "{}", None)]),
        turn(Role::User, vec![result(None, vec![]), result(None, vec![]), result(None, vec![])]),
    ];
    let (body, _) = sent(&request);
    let ids: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| item["call_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["call_1", "call_2", "call_1", "call_2", "call_3"]);
}

#[test]
fn settings_have_their_places() {
    let mut request = Request::new(Wire::Chat);
    let function = |strict| {
        let name = Str::raw_of("f");
        Tool::Function(Function { name, description: None, parameters: None, strict, cache: None })
    };
    request.tools = vec![
        function(None),
        function(Some(true)),
        Tool::WebSearch(WebSearch {
            max_uses: Some(3),
            allowed_domains: vec![Str::raw_of("example.com")],
            location: Some(Json::read(r#"{"city":"Oslo"}"#)),
            ..WebSearch::default()
        }),
    ];
    request.tool_choice = Some(ToolChoice::Among { names: vec![Str::raw_of("f")], required: true });
    request.parallel_tools = Some(false);
    request.thinking = Some(Thinking { budget: Some(10_000), is_shown: Some(true), ..Thinking::default() });
    request.format = Some(Format::Schema { name: None, description: None, schema: Json::read("{}"), strict: None });
    request.verbosity = Some(Str::raw_of("low"));
    (request.logprobs, request.top_logprobs) = (Some(true), Some(2));
    request.others = vec![
        Other { name: "service_tier".into(), value: Json::read("\"flex\"") },
        Other { name: "logit_bias".into(), value: Json::read("{}") },
        Other { name: "web_search_options.search_context_size".into(), value: Json::read("\"low\"") },
    ];
    let (body, lost) = sent(&request);
    let schema = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let expected = json!({
        "model": "gpt-6-astra",
        "input": [],
        "top_logprobs": 2,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "answer", "schema": {}}},
        "tools": [
            {"type": "function", "name": "f", "parameters": schema, "strict": false},
            {"type": "function", "name": "f", "parameters": schema, "strict": true},
            {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}, "search_context_size": "low",
                "user_location": {"type": "approximate", "city": "Oslo"}},
        ],
        "max_tool_calls": 3,
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        "parallel_tool_calls": false,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "service_tier": "flex",
        "store": false,
    });
    assert_eq!(body, expected);
    assert_eq!((lost.hints, lost.demands), (vec![], vec!["logit_bias".into()]));
}

#[test]
fn what_the_api_does_not_know_is_lost() {
    let mut request = Request::new(Wire::Generate);
    let media = |kind, source| Part::Media(Media { kind, source, detail: None, name: None, cache: None });
    let inline = || MediaSource::Inline { mime: Str::raw_of("audio/wav"), base64: Str::raw_of("UklG") };
    request.turns = vec![turn(
        Role::User,
        vec![
            media(MediaKind::Audio, inline()),
            media(MediaKind::Image, MediaSource::Id(Str::raw_of("files/1"))),
            result(Some("c"), vec![media(MediaKind::Video, inline()), text("x")]),
            Part::Other { kind: Str::raw_of("executableCode"), value: Json::read("{}") },
        ],
    )];
    request.tools = vec![Tool::Hosted { kind: Str::raw_of("code_execution"), value: Json::read("{}") }];
    (request.top_k, request.seed) = (Some(Json::read("40")), Some(Json::read("7")));
    (request.frequency_penalty, request.presence_penalty) = (Some(Json::read("0.5")), Some(Json::read("0.0")));
    (request.stop, request.choices) = (vec![Str::raw_of("END")], Some(2));
    request.modalities = vec![Str::raw_of("text"), Str::raw_of("image")];
    let (body, lost) = sent(&request);
    let expected = [
        "top_k",
        "stop",
        "n",
        "frequency_penalty",
        "modalities",
        "input[].content[].input_audio",
        "input[].content[].file_id",
        "input[].output",
        "input[].type",
        "tools",
    ];
    assert_eq!(lost.demands, expected);
    assert_eq!(lost.hints, ["seed"]);
    assert_eq!(body.get("tools"), None);
}

#[test]
fn what_means_nothing_special_is_not_lost() {
    let mut request = Request::new(Wire::Chat);
    request.turns = vec![turn(Role::User, vec![text("x")])];
    (request.choices, request.logprobs, request.parallel_tools) = (Some(1), Some(false), Some(true));
    (request.frequency_penalty, request.tool_choice) = (Some(Json::read("0")), Some(ToolChoice::Auto));
    request.modalities = vec![Str::raw_of("text")];
    let (body, lost) = sent(&request);
    assert!(lost.demands.is_empty() && lost.hints.is_empty(), "{lost:?}");
    assert_eq!(body, json!({"model": "gpt-6-astra", "input": [{"role": "user", "content": "x"}], "store": false}));
}

const ANSWERS: [(&str, &[u8], &[u8]); 10] = [
    ("text", fixture!("text.answer.json"), fixture!("text.stream.sse")),
    ("tools", fixture!("tools.answer.json"), fixture!("tools.stream.sse")),
    ("reasoning", fixture!("reasoning.answer.json"), fixture!("reasoning.stream.sse")),
    ("thoughts", fixture!("thoughts.answer.json"), fixture!("thoughts.stream.sse")),
    ("incomplete", fixture!("incomplete.answer.json"), fixture!("incomplete.stream.sse")),
    ("filtered", fixture!("filtered.answer.json"), fixture!("filtered.stream.sse")),
    ("refusal", fixture!("refusal.answer.json"), fixture!("refusal.stream.sse")),
    ("search", fixture!("search.answer.json"), fixture!("search.stream.sse")),
    ("logprobs", fixture!("logprobs.answer.json"), fixture!("logprobs.stream.sse")),
    ("image", fixture!("image.answer.json"), fixture!("image.stream.sse")),
];

fn read(fixture: &str) -> Answer<'static> {
    let (_, answer, _) = ANSWERS.iter().find(|(name, ..)| *name == fixture).unwrap();
    read_answer(answer).unwrap()
}

#[test]
fn answers_end_for_a_reason() {
    for (name, stop) in [
        ("text", Stop::End),
        ("tools", Stop::Tools),
        ("incomplete", Stop::Length),
        ("filtered", Stop::Filter),
        ("refusal", Stop::Refusal),
    ] {
        assert_eq!(read(name).candidates[0].stop, Some(stop), "{name}");
    }
    let failed = read_answer(fixture!("failed.answer.json")).unwrap_err();
    assert_eq!(failed.to_string(), "`status` must be `completed` or `incomplete`");
}

#[test]
fn answers_have_a_head_and_usage() {
    let answer = read("reasoning");
    let head = Head {
        id: Some(Str::raw_of("resp_68af4030592c81938ec0a5fbab4a3e9f")),
        model: Some(Str::raw_of("gpt-6-astra-2026-10-01")),
        created: Some(1_795_000_123),
    };
    assert_eq!(answer.head, head);
    let usage =
        Usage { input: 512, cache_read: 1024, cache_write: 512, output: 54, reasoning: 256, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(read("search").usage.unwrap().searches, 1);
}

#[test]
fn items_are_parts() {
    let reasoning = read("reasoning");
    let [Part::Reasoning(first), Part::Reasoning(second), Part::Reasoning(sealed), Part::Text(_)] =
        &reasoning.candidates[0].parts[..]
    else {
        panic!("{reasoning:?}")
    };
    assert_eq!((first.text.raw(), first.is_summary), (r"**Checking**\n\nZero is the limit.", true));
    assert_eq!((&first.id, &second.id), (&sealed.id, &Some(Str::raw_of("rs_68af4036"))));
    assert_eq!(
        (sealed.sealed.as_ref().unwrap().raw(), sealed.text.is_empty()),
        ("gAAAAABob3FmQzE3ZTY~rs_68af4036", true)
    );
    let thoughts = read("thoughts");
    let Part::Reasoning(shown) = &thoughts.candidates[0].parts[0] else { panic!("{thoughts:?}") };
    assert_eq!((shown.text.raw(), shown.is_summary), ("Below zero is cold.", false));
    let tools = read("tools");
    assert_eq!(tools.candidates[0].parts.len(), 3, "a thought that says nothing is none");
    let search = read("search");
    let [Part::Other { kind, .. }, Part::Text(cited)] = &search.candidates[0].parts[..] else { panic!("{search:?}") };
    assert_eq!((kind.raw(), cited.citations[0].range), ("web_search_call", Some((12, 24))));
    let logprobs = read("logprobs");
    let [hi, end] = &logprobs.candidates[0].logprobs[..] else { panic!("{logprobs:?}") };
    assert_eq!((hi.token.raw(), hi.top.len(), end.logprob.raw()), ("Hi", 2, "-0.5"));
}

/// An answer from its pieces, which come in the order that is promised.
#[derive(Default)]
struct Fold {
    answer: Answer<'static>,
    open: Option<At>,
    begun: u32,
    error: Option<String>,
    has_ended: bool,
}

impl Fold {
    fn take(&mut self, delta: Delta<'_>) {
        assert!(!self.has_ended, "{delta:?} behind the end");
        match delta {
            Delta::Head(head) => {
                self.answer.head = Head {
                    id: head.id.map(Str::into_owned),
                    model: head.model.map(Str::into_owned),
                    created: head.created,
                };
                self.answer.candidates.push(Candidate::default());
            }
            Delta::Open { at, part } => {
                assert_eq!((self.open.replace(at), at), (None, At { candidate: 0, part: self.begun }));
                self.begun += 1;
                let part = begun(part);
                self.candidate().parts.push(part);
            }
            Delta::Close { at } => assert_eq!(self.open.take(), Some(at)),
            Delta::Text { at, text } => self.add(at, &text),
            Delta::Citation { at, citation } => {
                assert_eq!(self.open, Some(at));
                let Some(Part::Text(text)) = self.candidate().parts.last_mut() else { panic!("no text") };
                text.citations.push(citation.into_owned());
            }
            Delta::Logprobs { at, logprobs } => {
                assert_eq!(self.open, Some(at));
                self.candidate().logprobs.extend(logprobs.into_iter().map(Logprob::into_owned));
            }
            Delta::Stop { stop, .. } => {
                assert_eq!(self.open, None);
                self.candidate().stop = Some(match stop {
                    Stop::Sequence(_) => Stop::Sequence(None),
                    Stop::Length => Stop::Length,
                    Stop::Filter => Stop::Filter,
                    Stop::Tools => Stop::Tools,
                    Stop::Refusal => Stop::Refusal,
                    _ => Stop::End,
                });
            }
            Delta::Usage(usage) => self.answer.usage = Some(usage),
            Delta::End => self.has_ended = true,
            Delta::Error(error) => (self.error, self.has_ended) = (Some(error.message), true),
            Delta::Signature { .. } => panic!("the API signs nothing"),
        }
    }

    fn candidate(&mut self) -> &mut Candidate<'static> {
        self.answer.candidates.last_mut().unwrap()
    }

    fn add(&mut self, at: At, more: &Str<'_>) {
        assert_eq!(self.open, Some(at));
        match self.candidate().parts.last_mut() {
            Some(Part::Text(text)) => text.text.push(more),
            Some(Part::Refusal(text)) => text.push(more),
            Some(Part::Reasoning(reasoning)) => reasoning.text.push(more),
            Some(Part::ToolCall(ToolCall { arguments: Arguments::Text(text), .. })) => text.push(more),
            other => panic!("{other:?} has no words"),
        }
    }
}

fn begun(part: Opened<'_>) -> Part<'static> {
    match part {
        Opened::Text => text(""),
        Opened::Refusal => Part::Refusal(Str::default()),
        Opened::ToolCall { id, name } => Part::ToolCall(ToolCall {
            id: id.map(Str::into_owned),
            name: name.into_owned(),
            arguments: Arguments::Text(Str::default()),
            signature: None,
            cache: None,
        }),
        Opened::Reasoning { id, is_summary } => {
            Part::Reasoning(Reasoning { id: id.map(Str::into_owned), is_summary, ..Reasoning::default() })
        }
        Opened::Whole(part) => crate::openai::queue::owned_whole(part),
    }
}

fn folded(stream: &str) -> Fold {
    let (mut reader, mut fold) = (StreamReader::default(), Fold::default());
    for event in stream.split_terminator("\n\n") {
        let (_, data) = event.split_once("data: ").unwrap();
        reader.event(data, &mut |delta| fold.take(delta)).unwrap();
    }
    reader.finish(&mut |delta| fold.take(delta));
    fold
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    for (name, answer, stream) in ANSWERS {
        let fold = folded(std::str::from_utf8(stream).unwrap());
        assert!(fold.has_ended && fold.error.is_none(), "{name}");
        assert_eq!(fold.answer, read_answer(in_one_line(answer).as_bytes()).unwrap(), "{name}");
    }
}

#[test]
fn a_stream_of_only_its_ends_says_it_too() {
    for (name, answer, stream) in ANSWERS {
        let events = std::str::from_utf8(stream).unwrap().split_inclusive("\n\n");
        for kept in [&["response.created", "response.output_item.done"][..], &["response.created"]] {
            let is_kept = |event: &&str| {
                let last = ["event: response.completed\n", "event: response.incomplete\n"];
                kept.iter().any(|kind| event.starts_with(&format!("event: {kind}\n")))
                    || last.iter().any(|last| event.starts_with(last))
            };
            let ends: String = events.clone().filter(is_kept).collect();
            assert_eq!(folded(&ends).answer, read_answer(in_one_line(answer).as_bytes()).unwrap(), "{name} {kept:?}");
        }
    }
}

#[test]
fn an_error_ends_a_stream() {
    for (stream, message) in [
        (fixture!("error.stream.sse"), "The server had an error while processing your request."),
        (fixture!("failed.stream.sse"), "Rate limit reached for gpt-6-astra."),
    ] {
        let fold = folded(std::str::from_utf8(stream).unwrap());
        assert_eq!(fold.error.as_deref(), Some(message));
    }
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let stream = std::str::from_utf8(fixture!("text.stream.sse")).unwrap();
    let (begun, _) = stream.split_once("event: response.completed").unwrap();
    assert!(!folded(begun).has_ended);
}

#[test]
fn parts_that_run_side_by_side_are_told_one_after_another() {
    let added = |output: u32, name: &str| {
        format!(
            r#"data: {{"type":"response.output_item.added","output_index":{output},"item":{{"type":"function_call","call_id":"{name}","name":"{name}","arguments":""}}}}"#
        )
    };
    let delta = |output: u32, text: &str| {
        format!(r#"data: {{"type":"response.function_call_arguments.delta","output_index":{output},"delta":"{text}"}}"#)
    };
    let done = |output: u32, text: &str| {
        format!(
            r#"data: {{"type":"response.output_item.done","output_index":{output},"item":{{"type":"function_call","arguments":"{text}"}}}}"#
        )
    };
    let stream = [
        r#"data: {"type":"response.created","response":{"id":"resp_1"}}"#.to_owned(),
        added(0, "a"),
        added(1, "b"),
        added(2, "c"),
        delta(1, "[1"),
        delta(0, "[0"),
        delta(2, ""),
        delta(1, "1]"),
        done(1, "[11]"),
        delta(0, "0]"),
        done(0, "[00]"),
        done(2, "[22]"),
        r#"data: {"type":"response.completed","response":{"status":"completed"}}"#.to_owned(),
    ];
    let fold = folded(&stream.join("\n\n"));
    let calls = fold.answer.candidates[0].parts.iter().map(|part| match part {
        Part::ToolCall(call) => (call.name.raw(), call.arguments.text().raw().to_owned()),
        other => panic!("{other:?}"),
    });
    let expected = [("a", "[00]"), ("b", "[11]"), ("c", "[22]")].map(|(name, text)| (name, text.to_owned()));
    assert_eq!(calls.collect::<Vec<_>>(), expected);
    assert_eq!(fold.answer.candidates[0].stop, Some(Stop::Tools));
}

#[test]
fn what_is_written_for_clients_can_be_read() {
    let mut answer = full();
    let candidate = &mut answer.candidates[0];
    // Proofs of other vendors say so, where they are written, and are not taken for OpenAI's own.
    candidate.parts.retain(|part| !matches!(part, Part::Reasoning(_) | Part::ToolCall(_)));
    candidate.parts.push(call(Some("call_1"), r#"{"city":"Oslo"}"#, None));
    let written = write_answer(&answer, &context());
    let whole = read_answer(&written).unwrap();
    let mut deltas = deltas(&answer);
    deltas.retain(|delta| !matches!(delta, Delta::Logprobs { .. }));
    let at = At { candidate: 0, part: 0 };
    let logprobs = answer.candidates[0].logprobs.clone();
    let first = deltas.iter().position(|delta| *delta == Delta::Close { at }).unwrap();
    deltas.insert(first, Delta::Logprobs { at, logprobs });
    let (stream, _) = streamed(&deltas);
    assert_eq!(folded(&stream).answer, whole);
    assert_eq!((whole.usage, &whole.candidates[0].stop), (answer.usage, &answer.candidates[0].stop));
    assert_eq!(whole.candidates[0].parts.len(), answer.candidates[0].parts.len());
}

#[test]
fn a_tools_failure_is_told_in_its_text() {
    let expected_of = |parts| {
        let mut failed = result(Some("call_1"), parts);
        let Part::ToolResult(result) = &mut failed else { panic!() };
        result.is_error = true;
        let mut request = Request::new(Wire::Messages);
        request.turns = vec![turn(Role::User, vec![failed])];
        sent(&request).0["input"][0]["output"].clone()
    };
    assert_eq!(expected_of(vec![]), "Error:");
    assert_eq!(expected_of(vec![text("no such file")]), "Error: no such file");
    assert_eq!(expected_of(vec![text("Error: no such file")]), "Error: no such file");
    let both =
        json!([{"type": "input_text", "text": "Error: no such file"}, {"type": "input_text", "text": "or folder"}]);
    assert_eq!(expected_of(vec![text("no such file"), text("or folder")]), both);
}

#[test]
fn what_the_api_refuses_is_not_sent() {
    let mut request = Request::new(Wire::Messages);
    let parameters = Some(Json::read(r#"{"type":"object"}"#));
    let function = Function { name: Str::raw_of("f"), description: None, parameters, strict: None, cache: None };
    request.tools = vec![Tool::Function(function)];
    for (length, is_sent) in [(64, true), (65, false)] {
        let name = "u".repeat(length);
        request.user = Some(Str::of(&name).into_owned());
        let (body, lost) = sent(&request);
        assert_eq!(body["tools"][0]["parameters"], json!({"type": "object", "properties": {}}));
        assert_eq!((body.get("user").is_some(), lost.hints.is_empty()), (is_sent, is_sent), "{length}");
    }
}
