//! What an answer says, read by hand from documents and streams of every format: the yardstick for translated ones.

use std::collections::BTreeMap;

use providers::translate::Wire;
use serde_json::Value;

use super::events;

/// The first candidate's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// Its text. Not all formats tell a refusal from it, so that is in it too.
    pub(crate) text: String,
    pub(crate) reasoning: String,
    /// Tools' names and arguments.
    pub(crate) calls: Vec<(String, Value)>,
}

/// A call whose arguments come in pieces.
#[derive(Clone, Default)]
struct Growing {
    id: String,
    name: String,
    arguments: String,
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The value of arguments as text; what is no JSON is kept as that text.
fn parsed(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}

impl Said {
    /// How what was heard differs from it. `None`: not at all.
    pub(crate) fn difference(&self, heard: &Self, what: &str) -> Option<String> {
        (self != heard).then(|| format!("{what}\n  said:  {self:?}\n  heard: {heard:?}"))
    }

    /// What a whole answer says.
    pub(crate) fn whole(wire: Wire, answer: &[u8]) -> Self {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        match wire {
            Wire::Chat => chat(&answer),
            Wire::Completions => Self { text: string(&answer["choices"][0]["text"]).to_owned(), ..Self::default() },
            Wire::Responses => responses(&answer),
            Wire::Messages => messages(&answer),
            Wire::Generate => generate(&answer),
        }
    }

    /// What a stream says, whole or up to where it was cut.
    pub(crate) fn streamed(wire: Wire, stream: &[u8]) -> Self {
        let events = events(stream);
        match wire {
            Wire::Chat => chat_stream(&events),
            Wire::Completions => {
                let choices = events.iter().flat_map(|event| list(&event["choices"]));
                let first = choices.filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
                Self { text: first.map(|choice| string(&choice["text"])).collect(), ..Self::default() }
            }
            Wire::Responses => responses_stream(&events),
            Wire::Messages => messages_stream(&events),
            Wire::Generate => {
                let mut said = Self::default();
                for chunk in events.iter().map(generate) {
                    said.text += &chunk.text;
                    said.reasoning += &chunk.reasoning;
                    said.calls.extend(chunk.calls);
                }
                said
            }
        }
    }

    fn finish(mut self, calls: BTreeMap<u64, Growing>) -> Self {
        self.calls = calls.into_values().map(|call| (call.name, parsed(&call.arguments))).collect();
        self
    }
}

fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => list(parts).iter().map(|part| string(&part["text"])).collect(),
    }
}

/// Mistral has what a model thinks among the parts of its content.
fn thoughts(content: &Value) -> String {
    list(content).iter().map(|part| texts(&part["thinking"])).collect()
}

fn chat(answer: &Value) -> Said {
    let choices = list(&answer["choices"]);
    let first = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0).unwrap_or(&Value::Null);
    let message = &first["message"];
    let calls = list(&message["tool_calls"]).iter().map(|call| {
        let function = &call["function"];
        (string(&function["name"]).to_owned(), parsed(string(&function["arguments"])))
    });
    Said {
        text: texts(&message["content"]) + string(&message["refusal"]),
        reasoning: reasoning(message),
        calls: calls.collect(),
    }
}

fn reasoning(message: &Value) -> String {
    let named = ["reasoning_content", "reasoning"].iter().find_map(|name| message[*name].as_str());
    named.unwrap_or_default().to_owned() + &thoughts(&message["content"])
}

fn chat_stream(events: &[Value]) -> Said {
    let (mut said, mut calls) = (Said::default(), BTreeMap::<u64, Growing>::new());
    for choice in events.iter().flat_map(|event| list(&event["choices"])) {
        if choice["index"].as_u64().unwrap_or(0) != 0 {
            continue;
        }
        let delta = &choice["delta"];
        said.text += &(texts(&delta["content"]) + string(&delta["refusal"]));
        said.reasoning += &reasoning(delta);
        for call in list(&delta["tool_calls"]) {
            let index = call["index"].as_u64().unwrap_or(0);
            let id = string(&call["id"]);
            // Ollama gives every call the same index.
            let is_another =
                |(_, growing): &(&u64, &mut Growing)| id.is_empty() || growing.id.is_empty() || growing.id == id;
            let place =
                calls.iter_mut().filter(|(key, _)| **key % PLACES == index).find(is_another).map(|(key, _)| *key);
            let next = index + PLACES * u64::try_from(calls.len()).unwrap();
            let growing = calls.entry(place.unwrap_or(next)).or_default();
            growing.id = if growing.id.is_empty() { id.to_owned() } else { growing.id.clone() };
            growing.name += string(&call["function"]["name"]);
            growing.arguments += string(&call["function"]["arguments"]);
        }
    }
    said.finish(calls)
}

/// More than any answer has calls.
const PLACES: u64 = 1_000;

fn responses(answer: &Value) -> Said {
    let mut said = Said::default();
    for item in list(&answer["output"]) {
        match string(&item["type"]) {
            "message" => list(&item["content"]).iter().for_each(|part| {
                said.text += string(&part["text"]);
                said.text += string(&part["refusal"]);
            }),
            "reasoning" => {
                for part in list(&item["content"]).iter().chain(list(&item["summary"])) {
                    said.reasoning += string(&part["text"]);
                }
            }
            "function_call" => said.calls.push((string(&item["name"]).to_owned(), parsed(string(&item["arguments"])))),
            _ => {}
        }
    }
    said
}

fn responses_stream(events: &[Value]) -> Said {
    let (mut said, mut calls) = (Said::default(), BTreeMap::<u64, Growing>::new());
    for event in events {
        let index = event["output_index"].as_u64().unwrap_or(0);
        let delta = string(&event["delta"]);
        match string(&event["type"]) {
            "response.output_text.delta" | "response.refusal.delta" => said.text += delta,
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => said.reasoning += delta,
            "response.output_item.added" if event["item"]["type"] == "function_call" => {
                calls.entry(index).or_default().name = string(&event["item"]["name"]).to_owned();
            }
            "response.function_call_arguments.delta" => calls.entry(index).or_default().arguments += delta,
            _ => {}
        }
    }
    said.finish(calls)
}

fn messages(answer: &Value) -> Said {
    let mut said = Said::default();
    for block in list(&answer["content"]) {
        said.text += string(&block["text"]);
        said.reasoning += string(&block["thinking"]);
        if block["type"] == "tool_use" {
            said.calls.push((string(&block["name"]).to_owned(), block["input"].clone()));
        }
    }
    said.text += string(&answer["stop_details"]["explanation"]);
    said
}

fn messages_stream(events: &[Value]) -> Said {
    let (mut said, mut calls) = (Said::default(), BTreeMap::<u64, Growing>::new());
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0);
        match string(&event["type"]) {
            "content_block_start" => {
                let block = &event["content_block"];
                said.text += string(&block["text"]);
                said.reasoning += string(&block["thinking"]);
                if block["type"] == "tool_use" {
                    calls.entry(index).or_default().name = string(&block["name"]).to_owned();
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                said.text += string(&delta["text"]);
                said.reasoning += string(&delta["thinking"]);
                if let Some(call) = calls.get_mut(&index) {
                    call.arguments += string(&delta["partial_json"]);
                }
            }
            "message_delta" => said.text += string(&event["delta"]["stop_details"]["explanation"]),
            _ => {}
        }
    }
    said.finish(calls)
}

fn generate(answer: &Value) -> Said {
    let mut said = Said::default();
    let candidates = list(&answer["candidates"]);
    let first =
        candidates.iter().find(|candidate| candidate["index"].as_u64().unwrap_or(0) == 0).unwrap_or(&Value::Null);
    for part in list(&first["content"]["parts"]) {
        let place = if part["thought"] == true { &mut said.reasoning } else { &mut said.text };
        *place += string(&part["text"]);
        if let Some(call) = part.get("functionCall") {
            let arguments = call.get("args").cloned().unwrap_or_else(|| parsed(""));
            said.calls.push((string(&call["name"]).to_owned(), arguments));
        }
    }
    said
}
