//! What the tests have in common: fixtures, and an answer that says a bit of everything.

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
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/responses/", $name)).as_slice()
    };
}

mod answering;
mod asking;
mod streaming;
mod vendor;

/// A document without space between its values, as streams have them.
fn in_one_line(document: &[u8]) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        in_string ^= *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        in_string || !character.is_whitespace()
    };
    std::str::from_utf8(document).unwrap().chars().filter(is_kept).collect()
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
