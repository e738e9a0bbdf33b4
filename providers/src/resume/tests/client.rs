//! A client that reads a stream as strictly as it can be read.

use serde_json::Value;

use super::vendor::Kind;
use crate::sse::{Decoder, Item};

/// What the client got. Whatever is not as it must be panics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) text: String,
    pub(super) id: String,
    pub(super) is_complete: bool,
    finishes: usize,
}

pub(super) fn read(kind: Kind, stream: &[u8]) -> Got {
    let events = events(stream);
    match kind {
        Kind::Chat | Kind::Completion => openai(kind, &events),
        Kind::Anthropic => anthropic(&events),
        Kind::Responses => responses(&events),
        Kind::Gemini => gemini(&events),
    }
}

fn events(stream: &[u8]) -> Vec<(String, String)> {
    let mut events = Vec::new();
    let mut each = |item: Item<'_>| match item {
        Item::Event(event) => {
            assert!(event.is_whole, "{}", String::from_utf8_lossy(event.raw));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let name = event.name.map(text).unwrap_or_default();
            events.extend(event.data.map(|data| (name, text(&data))));
        }
        Item::Piece(_) => panic!("no event is long"),
    };
    let mut decoder = Decoder::default();
    decoder.push(stream, &mut each);
    decoder.finish(&mut each);
    events
}

fn json(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))
}

/// The same in every event.
fn same(known: &mut Option<Value>, value: &Value) {
    assert_eq!(known.get_or_insert_with(|| value.clone()), value);
}

fn openai(kind: Kind, events: &[(String, String)]) -> Got {
    let (mut got, mut names, mut roles) = (Got::default(), None, 0);
    for (name, data) in events {
        assert!(name.is_empty() && !got.is_complete, "{name} {data}");
        if data == "[DONE]" {
            got.is_complete = true;
            continue;
        }
        let chunk = json(data);
        same(
            &mut names,
            &serde_json::json!([chunk["id"], chunk["model"], chunk["created"], chunk["system_fingerprint"]]),
        );
        got.id = chunk["id"].as_str().unwrap().to_owned();
        let choices = chunk["choices"].as_array().unwrap();
        let Some(choice) = choices.first() else {
            assert_eq!(got.finishes, 1, "usage comes behind the end");
            continue;
        };
        assert_eq!((choices.len(), choice["index"].as_u64(), got.finishes), (1, Some(0), 0));
        let text = if kind == Kind::Chat { &choice["delta"]["content"] } else { &choice["text"] };
        got.text += text.as_str().unwrap_or_default();
        roles += usize::from(choice["delta"].get("role").is_some());
        assert!(kind == Kind::Completion || roles == 1, "{roles} roles: {data}");
        got.finishes += usize::from(!choice["finish_reason"].is_null());
    }
    assert!(!got.is_complete || got.finishes == 1);
    got
}

fn anthropic(events: &[(String, String)]) -> Got {
    let (mut got, mut open, mut blocks) = (Got::default(), None, 0);
    for (at, (name, data)) in events.iter().enumerate() {
        let event = json(data);
        assert_eq!(event["type"].as_str(), Some(&**name));
        assert_eq!(name == "message_start", at == 0, "{name} at {at}");
        assert!(!got.is_complete, "{name} behind the end");
        match &**name {
            "message_start" => got.id = event["message"]["id"].as_str().unwrap().to_owned(),
            "content_block_start" => {
                assert_eq!((open, event["index"].as_u64(), got.finishes), (None, Some(blocks), 0));
                open = Some(blocks);
                blocks += 1;
            }
            "content_block_delta" => {
                assert!(open.is_some() && event["index"].as_u64() == open, "{data} within {open:?}");
                got.text += event["delta"]["text"].as_str().unwrap_or_default();
            }
            "content_block_stop" => {
                assert!(open.is_some() && event["index"].as_u64() == open.take(), "{data}");
            }
            "message_delta" => {
                assert_eq!((open, got.finishes), (None, 0));
                got.finishes += 1;
            }
            "message_stop" => got.is_complete = true,
            _ => assert_eq!(name, "ping"),
        }
    }
    assert!(!got.is_complete || got.finishes == 1);
    got
}

fn responses(events: &[(String, String)]) -> Got {
    let (mut got, mut sequence, mut seen) = (Got::default(), None, Vec::<&str>::new());
    let (mut names, mut item_id) = (None, None);
    for (name, data) in events {
        let event = json(data);
        assert_eq!(event["type"].as_str(), Some(&**name));
        let number = event["sequence_number"].as_u64().unwrap();
        assert!(sequence.is_none_or(|last| number == last + 1), "{number} after {sequence:?}");
        sequence = Some(number);
        let step = name.strip_prefix("response.").unwrap();
        assert!(step == "output_text.delta" || !seen.contains(&step), "{step} twice");
        let before: &[&str] = match step {
            "created" => &[],
            "in_progress" => &["created"],
            "output_item.added" => &["in_progress"],
            "content_part.added" => &["output_item.added"],
            "output_text.delta" => &["content_part.added", "output_text.delta"],
            "output_text.done" => &["content_part.added", "output_text.delta"],
            "content_part.done" => &["output_text.done"],
            "output_item.done" => &["content_part.done"],
            _ => &["output_item.done"],
        };
        assert!(seen.last().map_or(before.is_empty(), |last| before.contains(last)), "{step} after {seen:?}");
        seen.push(step);
        if let Some(id) = event.get("item_id").or_else(|| event["item"].get("id")) {
            same(&mut item_id, id);
        }
        if let Some(response) = event.get("response") {
            same(&mut names, &serde_json::json!([response["id"], response["model"], response["created_at"]]));
            got.id = response["id"].as_str().unwrap().to_owned();
        }
        match step {
            "output_text.delta" => got.text += event["delta"].as_str().unwrap(),
            "output_text.done" => assert_eq!(event["text"].as_str(), Some(&*got.text)),
            "content_part.done" => assert_eq!(event["part"]["text"].as_str(), Some(&*got.text)),
            "output_item.done" => assert_eq!(event["item"]["content"][0]["text"].as_str(), Some(&*got.text)),
            "completed" => {
                let output = &event["response"]["output"];
                assert_eq!(output.as_array().unwrap().len(), 1);
                assert_eq!(output[0]["content"][0]["text"].as_str(), Some(&*got.text));
                same(&mut item_id, &output[0]["id"]);
                got.finishes += 1;
                got.is_complete = true;
            }
            _ => {}
        }
    }
    got
}

fn gemini(events: &[(String, String)]) -> Got {
    let (mut got, mut names) = (Got::default(), None);
    for (_, data) in events {
        assert_eq!(got.finishes, 0, "{data} behind the end");
        let chunk = json(data);
        same(&mut names, &serde_json::json!([chunk["responseId"], chunk["modelVersion"]]));
        got.id = chunk["responseId"].as_str().unwrap().to_owned();
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            got.text += part["text"].as_str().unwrap();
        }
        got.finishes += usize::from(candidate.get("finishReason").is_some());
    }
    got.is_complete = got.finishes == 1;
    got
}
