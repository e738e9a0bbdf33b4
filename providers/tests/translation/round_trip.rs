//! There and back again: what both formats can express is still there.

use providers::translate::{Target, Translation, Wire};
use serde_json::Value;

use crate::support::words::Said;
use crate::support::{Kind, VENDORS, answered, fixtures, streamed, target, text};

/// A limit that no effort of thinking comes near to: a format that wants one weighs other fields against it.
fn roomy(drops: bool) -> Target<'static> {
    Target { limit_if_none: LIMIT, ..target(drops) }
}

const LIMIT: u64 = 100_000;

/// The request as its own format's reader and writer have it.
pub(crate) fn canonical(wire: Wire, request: &[u8]) -> Result<Vec<u8>, String> {
    let translated = Translation::between(wire, wire).request(request, &roomy(true));
    translated.map(|translated| translated.body).map_err(|error| error.to_string())
}

/// The request by way of another format. `None`: that one cannot express all of it.
pub(crate) fn there_and_back(wire: Wire, other: Wire, request: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let Ok(there) = Translation::between(wire, other).request(request, &roomy(false)) else { return Ok(None) };
    if !there.dropped.is_empty() || (other == Wire::Chat && has_moved(&there.body)) {
        return Ok(None);
    }
    let back = Translation::between(other, wire).request(&there.body, &roomy(true));
    back.map(|back| Some(back.body)).map_err(|error| format!("{error}\n{}", text(&there.body)))
}

/// Whether a user shows media right behind a tool's message: in chat completions, that is where a tool's own media go.
fn has_moved(chat: &[u8]) -> bool {
    let chat: Value = serde_json::from_slice(chat).unwrap_or_default();
    let messages = chat["messages"].as_array().map_or(&[][..], Vec::as_slice);
    messages.windows(2).any(|pair| pair[0]["role"] == "tool" && pair[1]["content"][0]["type"] == "image_url")
}

/// The request without what formats need not agree on: ids of calls (in the order of their appearance), space within JSON in
/// strings, names of schemas that only some have, how many tokens an effort is, whether thoughts are shown and images looked at
/// closely, what is so by itself, a limit that somebody had to make up, and thoughts of the past and their proofs, which only their
/// own vendor takes.
pub(crate) fn comparable(request: &[u8]) -> Value {
    let parsed = serde_json::from_slice(request);
    let mut value: Value = parsed.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(request)));
    reduce(&mut value, &mut Vec::new());
    value
}

const IDS: [&str; 4] = ["id", "call_id", "tool_call_id", "tool_use_id"];

fn reduce(value: &mut Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            rename(members, ids);
            members.retain(|name, value| !is_made_up(name, value));
            members.values_mut().for_each(|value| reduce(value, ids));
            members.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
        }
        Value::Array(elements) => {
            elements.retain(|element| !is_thought(element));
            elements.iter_mut().for_each(|element| reduce(element, ids));
            // A text by itself is as often a string as a part.
            if let [Value::Object(part)] = elements.as_slice()
                && let Some(Value::String(kind)) = part.get("type")
                && matches!(kind.as_str(), "text" | "input_text" | "output_text")
                && let (2, Some(text)) = (part.len(), part.get("text"))
            {
                *value = text.clone();
            }
        }
        _ => {}
    }
}

/// The same things by the same names.
fn rename(members: &mut serde_json::Map<String, Value>, ids: &mut Vec<String>) {
    let is_call = members.contains_key("args") || members.contains_key("response");
    if is_call {
        // Gemini's calls have ids only if somebody gave them some.
        members.remove("id");
    }
    if members.get("type").is_some_and(|kind| kind == "json_schema") || members.contains_key("schema") {
        members.retain(|name, _| !matches!(name.as_str(), "name" | "description" | "strict"));
    }
    let schemas = ["parameters", "input_schema", "parametersJsonSchema"];
    if schemas.iter().any(|name| members.get(*name).is_some_and(is_empty_schema)) {
        members.retain(|name, _| !schemas.contains(&name.as_str()) && name != "strict");
    }
    for (name, value) in members {
        match value {
            Value::String(id) if IDS.contains(&name.as_str()) => *id = place(id, ids),
            Value::String(text) if name == "arguments" || name == "output" => {
                *value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
            }
            Value::Object(response) if name == "response" && response.len() == 1 => {
                let output = response.get("output").and_then(Value::as_str);
                if let Some(inner) =
                    output.and_then(|text| serde_json::from_str::<Value>(text).ok()).filter(Value::is_object)
                {
                    *value = inner;
                }
            }
            _ => {}
        }
    }
}

/// No arguments: every format has its own way to say so.
fn is_empty_schema(schema: &Value) -> bool {
    schema["properties"].as_object().is_none_or(serde_json::Map::is_empty)
}

fn is_thought(part: &Value) -> bool {
    matches!(part["type"].as_str(), Some("thinking" | "redacted_thinking" | "reasoning")) || part["thought"] == true
}

fn is_made_up(name: &str, value: &Value) -> bool {
    match name {
        "tool_choice" => *value == "auto" || value["type"] == "auto",
        "parallel_tool_calls" => *value == true,
        "additionalProperties" => *value == false,
        "max_completion_tokens" | "max_tokens" | "max_output_tokens" | "maxOutputTokens" => *value == LIMIT,
        "thinking" => value["type"] != "disabled",
        "budget_tokens" | "thinkingConfig" | "thoughtSignature" | "display" | "summary" | "detail" => true,
        _ => false,
    }
}

fn place(id: &str, ids: &mut Vec<String>) -> String {
    let known = ids.iter().position(|known| known == id);
    let place = known.unwrap_or_else(|| {
        ids.push(id.to_owned());
        ids.len() - 1
    });
    place.to_string()
}

/// Where two requests differ first.
fn difference(place: &str, own: &Value, back: &Value) -> String {
    match (own, back) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<_> = left.keys().chain(right.keys()).collect();
            names.sort();
            let differing = names.into_iter().find(|name| left.get(*name) != right.get(*name));
            differing.map_or_else(String::new, |name| difference(&format!("{place}.{name}"), &own[name], &back[name]))
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let differing = left.iter().zip(right).position(|(left, right)| left != right);
            differing
                .map_or_else(String::new, |index| difference(&format!("{place}[{index}]"), &own[index], &back[index]))
        }
        _ => format!("{place}\n  - {own}\n  + {back}"),
    }
}

/// Requests that come back in other words that mean the same.
const OTHER_WORDS: &[(&str, Wire)] = &[
    // Tools that may not be called are left out there.
    ("chat/allowed-tools", Wire::Messages),
    // How often the web is searched is how often any of the vendor's tools is called.
    ("messages/forced", Wire::Responses),
    ("generate/allowed-tools", Wire::Messages),
    // A plain text in base64 is a plain text.
    ("responses/media", Wire::Messages),
    // Files have no names there.
    ("responses/media", Wire::Generate),
    // Not all of JSON schema is taken there; what is not is put into words.
    ("generate/schema", Wire::Messages),
    // That a tool failed is told in its words alone.
    ("generate/tools", Wire::Chat),
    ("generate/tools", Wire::Responses),
];

#[test]
fn requests_come_back() {
    let (mut compared, mut problems) = (0, Vec::new());
    for fixture in fixtures(Kind::Request).into_iter().filter(|fixture| fixture.wire != Wire::Completions) {
        let Ok(own) = canonical(fixture.wire, &fixture.bytes) else { continue };
        for other in VENDORS.into_iter().filter(|other| *other != fixture.wire) {
            match there_and_back(fixture.wire, other, &fixture.bytes) {
                Ok(None) => {}
                Ok(Some(back)) => {
                    compared += 1;
                    let is_known = OTHER_WORDS.contains(&(fixture.name().as_str(), other));
                    if !is_known && comparable(&back) != comparable(&own) {
                        let what = difference("", &comparable(&own), &comparable(&back));
                        problems.push(format!("{} by {other:?}: {what}", fixture.name()));
                    }
                }
                Err(error) => problems.push(format!("{} by {other:?}: {error}", fixture.name())),
            }
        }
    }
    assert!(problems.is_empty(), "{}\n{} of {compared}", problems.join("\n"), problems.len());
    assert!(compared > 10, "{compared}");
}

#[test]
fn answers_come_back() {
    come_back(Kind::Answer, Said::whole, answered);
}

#[test]
fn streams_come_back() {
    come_back(Kind::Stream, Said::streamed, |client, vendor, stream| streamed(client, vendor, [stream]));
}

fn come_back(
    kind: Kind,
    said: impl Fn(Wire, &[u8]) -> Said,
    told: impl Fn(Wire, Wire, &[u8]) -> Result<Vec<u8>, String>,
) {
    let mut problems = Vec::new();
    for fixture in
        fixtures(kind).into_iter().filter(|fixture| fixture.wire != Wire::Completions && !fixture.is_failure())
    {
        for other in VENDORS.into_iter().filter(|other| *other != fixture.wire) {
            let what = format!("{} by {other:?}", fixture.name());
            let back = told(other, fixture.wire, &fixture.bytes).and_then(|there| told(fixture.wire, other, &there));
            match back {
                Ok(back) => {
                    let own = said(fixture.wire, &fixture.bytes);
                    problems.extend(own.difference(&said(fixture.wire, &back), &what));
                }
                Err(error) => problems.push(format!("{what}: {error}")),
            }
        }
    }
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
}
