//! Conversations and answers that nobody wrote down: they come back from every format, and say the same in all of them.

use proptest::prelude::*;
use providers::translate::{Translation, Wire};
use serde_json::{Value, json};

use crate::round_trip::{canonical, comparable, there_and_back};
use crate::support::words::Said;
use crate::support::{CLIENTS, VENDORS, answered, streamed, target, text};

/// A text with whatever needs an escape in it.
fn words() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "Hi",
        " there",
        "\n",
        "\"",
        "\\",
        "é",
        "\u{1F600}",
        "\u{0}",
        "\u{7f}",
        "data: ",
        "\r\n\r\n",
        "</s>",
        "{}",
        "\t",
    ]);
    prop::collection::vec(piece, 1..6).prop_map(|pieces| format!("w{}", pieces.concat()))
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z_]{0,12}"
}

/// A tool's arguments.
fn arguments() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        words().prop_map(Value::from),
        prop::collection::vec(words(), 0..3).prop_map(Value::from),
    ];
    prop::collection::btree_map(name(), value, 0..4).prop_map(|members| members.into_iter().collect())
}

/// What the model does in its turn: a text, calls of tools, or both.
fn turn() -> impl Strategy<Value = (Option<String>, Vec<(String, Value)>)> {
    let calls = prop::collection::vec((name(), arguments()), 0..4);
    (prop::option::of(words()), calls).prop_filter("something", |(text, calls)| text.is_some() || !calls.is_empty())
}

/// A chat request that every format can express.
fn conversation() -> impl Strategy<Value = Value> {
    let settings = (prop::option::of(0_u32..=10), 1_u32..100_000, prop::option::of(words()));
    let tools = prop::collection::btree_map(name(), prop::option::of(words()), 0..3);
    (prop::option::of(words()), prop::collection::vec((words(), turn(), words()), 0..4), words(), tools, settings)
        .prop_map(|(system, rounds, last, tools, (temperature, limit, stop))| {
            let mut request = json!({"model": "m", "messages": messages(system, rounds, last)});
            if !tools.is_empty() {
                request["tools"] = tools.into_iter().map(tool).collect();
            }
            if let Some(tenths) = temperature {
                request["temperature"] = json!(f64::from(tenths) / 10.0);
            }
            request["max_completion_tokens"] = limit.into();
            if let Some(stop) = stop {
                request["stop"] = json!([stop]);
            }
            request
        })
}

fn tool((name, description): (String, Option<String>)) -> Value {
    let mut function = json!({"name": name, "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}});
    if let Some(description) = description {
        function["description"] = description.into();
    }
    json!({"type": "function", "function": function})
}

type Round = (String, (Option<String>, Vec<(String, Value)>), String);

fn messages(system: Option<String>, rounds: Vec<Round>, last: String) -> Vec<Value> {
    let mut messages: Vec<Value> = system.into_iter().map(|text| json!({"role": "system", "content": text})).collect();
    let mut number = 0;
    for (asked, (said, calls), result) in rounds {
        messages.push(json!({"role": "user", "content": asked}));
        let mut answer = json!({"role": "assistant"});
        if let Some(said) = said {
            answer["content"] = said.into();
        }
        let first = number;
        let calls: Vec<Value> = calls
            .into_iter()
            .map(|(name, arguments)| {
                number += 1;
                let function = json!({"name": name, "arguments": arguments.to_string()});
                json!({"id": format!("call_{number}"), "type": "function", "function": function})
            })
            .collect();
        if !calls.is_empty() {
            answer["tool_calls"] = calls.into();
        }
        messages.push(answer);
        for call in first + 1..=number {
            messages.push(
                json!({"role": "tool", "tool_call_id": format!("call_{call}"), "content": format!("{result}{call}")}),
            );
        }
    }
    messages.push(json!({"role": "user", "content": last}));
    messages
}

/// An answer in chat's format, whole and as a stream.
fn chat_answer() -> impl Strategy<Value = (Value, String)> {
    let pieces = || prop::collection::vec(words(), 0..5);
    let calls = prop::collection::vec((name(), arguments()), 0..4);
    (pieces(), pieces(), calls, 0_usize..20).prop_map(|(thoughts, texts, calls, cut)| {
        (document(&thoughts, &texts, &calls), stream(&thoughts, &texts, &calls, cut))
    })
}

const HEAD: [(&str, &str); 2] = [("id", "chatcmpl-1"), ("model", "m")];

fn headed(mut answer: Value, object: &str) -> Value {
    for (name, value) in HEAD {
        answer[name] = value.into();
    }
    answer["object"] = object.into();
    answer["created"] = 1.into();
    answer
}

fn document(thoughts: &[String], texts: &[String], calls: &[(String, Value)]) -> Value {
    let mut message = json!({"role": "assistant", "content": texts.concat()});
    if texts.is_empty() {
        message["content"] = Value::Null;
    }
    if !thoughts.is_empty() {
        message["reasoning_content"] = thoughts.concat().into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = (1..).zip(calls).map(|(number, call)| whole_call(number, call)).collect();
    }
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    headed(json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}), "chat.completion")
}

fn whole_call(number: usize, (name, arguments): &(String, Value)) -> Value {
    json!({"id": format!("call_{number}"), "type": "function", "function": {"name": name, "arguments": arguments.to_string()}})
}

fn stream(thoughts: &[String], texts: &[String], calls: &[(String, Value)], cut: usize) -> String {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    deltas.extend(thoughts.iter().map(|text| json!({"reasoning_content": text})));
    deltas.extend(texts.iter().map(|text| json!({"content": text})));
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let arguments = arguments.to_string();
        let cut = (0..=cut.min(arguments.len())).rev().find(|at| arguments.is_char_boundary(*at)).unwrap_or(0);
        let (head, tail) = arguments.split_at(cut);
        let id = format!("call_{}", index + 1);
        let function = json!({"name": name, "arguments": head});
        deltas.push(json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}));
        deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": tail}}]}));
    }
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    let mut choices: Vec<Value> =
        deltas.into_iter().map(|delta| json!([{"index": 0, "delta": delta, "finish_reason": null}])).collect();
    choices.push(json!([{"index": 0, "delta": {}, "finish_reason": finish}]));
    let chunks = choices.into_iter().map(|choices| headed(json!({ "choices": choices }), "chat.completion.chunk"));
    let mut stream: String = chunks.map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream
}

proptest! {
    #[test]
    fn conversations_come_back_from_every_format(request in conversation()) {
        let chat = request.to_string();
        for wire in VENDORS {
            let own = if wire == Wire::Chat {
                canonical(Wire::Chat, chat.as_bytes()).unwrap()
            } else {
                // Some formats have no texts before which the answer ends.
                Translation::between(Wire::Chat, wire).request(chat.as_bytes(), &target(true)).unwrap().body
            };
            for other in VENDORS.into_iter().filter(|other| *other != wire) {
                let Some(back) = there_and_back(wire, other, &own).unwrap() else { continue };
                let (own, back) = (comparable(&own), comparable(&back));
                prop_assert_eq!(own, back, "{:?} by {:?}", wire, other);
            }
        }
    }

    #[test]
    fn answers_say_the_same_in_every_format((document, stream) in chat_answer()) {
        let document = document.to_string();
        let said = Said::whole(Wire::Chat, document.as_bytes());
        prop_assert_eq!(&Said::streamed(Wire::Chat, stream.as_bytes()), &said);
        for vendor in VENDORS {
            let (whole, pieces) = if vendor == Wire::Chat {
                (document.clone().into_bytes(), stream.clone().into_bytes())
            } else {
                (
                    answered(vendor, Wire::Chat, document.as_bytes()).unwrap(),
                    streamed(vendor, Wire::Chat, [stream.as_bytes()]).unwrap(),
                )
            };
            prop_assert_eq!(&Said::whole(vendor, &whole), &said, "{:?}: {}", vendor, text(&whole));
            prop_assert_eq!(&Said::streamed(vendor, &pieces), &said, "{:?}: {}", vendor, text(&pieces));
            for client in CLIENTS.into_iter().filter(|client| *client != vendor) {
                let whole = answered(client, vendor, &whole).unwrap();
                let pieces = streamed(client, vendor, [pieces.as_slice()]).unwrap();
                let (whole, pieces) = (Said::whole(client, &whole), Said::streamed(client, &pieces));
                prop_assert_eq!(&whole, &pieces, "{:?} to {:?}", vendor, client);
                prop_assert_eq!(&whole.text, &said.text, "{:?} to {:?}", vendor, client);
                if client != Wire::Completions {
                    prop_assert_eq!(&whole, &said, "{:?} to {:?}", vendor, client);
                }
            }
        }
    }
}
