//! The Responses API: every event is numbered; one item with one part holds the text, and its closing events hold all of it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::continuation::{self, Diverged, Line, is_empty};
use super::told::{End, Nature, Speech, Told, says_something};
use crate::count;
use crate::json::{JsonError, Kind, Reader, Text};

/// Where in its answer a stream is.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    step: Step,
    sequence: Option<u64>,
    item_id: String,
    output_index: u64,
    content_index: u64,
}

/// The stations of an answer that is one text, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    #[default]
    Nothing,
    Created,
    Queued,
    InProgress,
    Item,
    Part,
    TextDone,
    PartDone,
    ItemDone,
    Over,
}

impl Step {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "response.created" => Self::Created,
            "response.queued" => Self::Queued,
            "response.in_progress" => Self::InProgress,
            "response.output_item.added" => Self::Item,
            "response.content_part.added" | "response.output_text.delta" => Self::Part,
            "response.output_text.done" => Self::TextDone,
            "response.content_part.done" => Self::PartDone,
            "response.output_item.done" => Self::ItemDone,
            "response.completed" | "response.incomplete" => Self::Over,
            _ => return None,
        })
    }
}

/// What an event brings.
#[derive(Default)]
struct Seen<'a> {
    kind: Option<Text<'a>>,
    delta: Option<Cow<'a, str>>,
    sequence: Option<u64>,
    output_index: Option<u64>,
    content_index: Option<u64>,
    item_id: Option<Cow<'a, str>>,
    is_strange: bool,
}

/// Reads an event that the client is given.
pub(super) fn read(told: &mut Told, data: &[u8]) -> Result<Nature, JsonError> {
    let mut reader = Reader::new(data);
    let seen = Seen::read(&mut reader)?;
    reader.finish()?;
    let kind = seen.kind.map(Text::name).unwrap_or_default();
    if matches!(&*kind, "error" | "response.failed") {
        return Ok(Nature::Failure);
    }
    let (Some(step), Some(Speech::Responses(answer))) = (Step::of(&kind), &mut told.speech) else {
        return Ok(Nature::Strange);
    };
    let is_second = step == Step::Item && answer.step >= Step::Item;
    let has_changed = seen.item_id.as_ref().is_some_and(|id| !answer.item_id.is_empty() && answer.item_id != **id);
    answer.take(step, &seen);
    if step == Step::Over {
        told.set_end(End::Complete);
    }
    if seen.is_strange || is_second || has_changed {
        return Ok(Nature::Strange);
    }
    if step == Step::Created {
        told.set_head(data);
    }
    told.add_text(seen.delta.as_deref().unwrap_or_default());
    Ok(Nature::Plain)
}

impl Answer {
    fn take(&mut self, step: Step, seen: &Seen<'_>) {
        self.step = self.step.max(step);
        self.sequence = seen.sequence.or(self.sequence);
        self.output_index = seen.output_index.unwrap_or(self.output_index);
        self.content_index = seen.content_index.unwrap_or(self.content_index);
        if let Some(id) = &seen.item_id {
            self.item_id = id.clone().into_owned();
        }
    }
}

impl<'a> Seen<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut seen = Self::default();
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"type" if reader.kind()? == Kind::String => seen.kind = Some(reader.string()?),
                b"delta" if reader.kind()? == Kind::String => {
                    seen.delta = reader.string()?.decoded();
                    seen.is_strange |= seen.delta.is_none();
                }
                b"item_id" if reader.kind()? == Kind::String => seen.item_id = reader.string()?.decoded(),
                b"sequence_number" => seen.sequence = number(reader)?,
                b"output_index" => seen.output_index = number(reader)?,
                b"content_index" => seen.content_index = number(reader)?,
                b"item" if reader.kind()? == Kind::Object => seen.part(reader, true)?,
                b"part" if reader.kind()? == Kind::Object => seen.part(reader, false)?,
                b"response" | b"text" | b"obfuscation" => {
                    reader.skip()?;
                }
                _ => seen.is_strange |= says_something(reader)?,
            }
        }
        Ok(seen)
    }

    /// An item, or a part of one: a message, or its text.
    fn part(&mut self, reader: &mut Reader<'a>, is_item: bool) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"type" if reader.kind()? == Kind::String => {
                    self.is_strange |= !matches!(reader.string()?.raw(), b"message" | b"output_text");
                }
                b"id" if is_item && reader.kind()? == Kind::String => self.item_id = reader.string()?.decoded(),
                b"text" | b"content" | b"status" | b"role" | b"id" | b"phase" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }
}

fn number(reader: &mut Reader<'_>) -> Result<Option<u64>, JsonError> {
    let span = reader.skip()?;
    Ok(count::read(reader.slice(span)))
}

/// Makes an event of the continuing stream into one of the first.
pub(super) fn rewrite(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let step = Step::of(&kind).ok_or(Diverged)?;
    let answer = answer_of(line)?;
    let fields = event.as_object_mut().ok_or(Diverged)?;
    check(fields)?;
    if kind == "response.output_text.delta" {
        let Some(Value::String(text)) = fields.get_mut("delta") else { return Err(Diverged) };
        *text = line.rest_of(text)?.to_owned();
        if text.is_empty() {
            return Ok(());
        }
        if answer.step > Step::Part {
            return Err(Diverged);
        }
    } else if step <= answer.step {
        return Ok(());
    }
    if step > Step::Part {
        line.must_have_joined()?;
    }
    if !line.told.is_plain {
        return Err(Diverged);
    }
    rename(line, fields, step, &answer);
    line.emit(Some(&kind), &event);
    Ok(())
}

/// That the event is about plain text: no other item, no other part, no citations.
fn check(fields: &Map<String, Value>) -> Result<(), Diverged> {
    let kind_of = |name: &str| fields.get(name).map(|value| value.get("type").and_then(Value::as_str));
    let annotations = |part: &Value| part.get("annotations").is_some_and(|notes| !is_empty(notes));
    let is_message = matches!(kind_of("item"), None | Some(Some("message")));
    let is_text = matches!(kind_of("part"), None | Some(Some("output_text")));
    if is_message && is_text && !fields.get("part").is_some_and(annotations) { Ok(()) } else { Err(Diverged) }
}

fn answer_of(line: &Line<'_>) -> Result<Answer, Diverged> {
    match &line.told.speech {
        Some(Speech::Responses(answer)) => Ok(answer.as_ref().clone()),
        _ => Err(Diverged),
    }
}

/// Gives the event the first stream's number and names, and its closing events the whole text.
fn rename(line: &Line<'_>, fields: &mut Map<String, Value>, step: Step, answer: &Answer) {
    let sequence = answer.sequence.map_or(0, |last| last.saturating_add(1));
    replace(fields, "sequence_number", sequence.into());
    if fields.contains_key("logprobs") {
        replace(fields, "logprobs", json!([]));
    }
    if let Some(response) = fields.get_mut("response").and_then(Value::as_object_mut) {
        rename_response(line, response, step, answer);
    }
    // Before its item was begun, the first stream has no name for it.
    if answer.step < Step::Item {
        return;
    }
    replace(fields, "item_id", answer.item_id.as_str().into());
    replace(fields, "output_index", answer.output_index.into());
    if answer.step >= Step::Part {
        replace(fields, "content_index", answer.content_index.into());
    }
    if let Some(item) = fields.get_mut("item") {
        complete(item, answer, &line.told.text);
    }
    let text = Value::from(line.told.text.as_str());
    if step == Step::TextDone {
        fields.insert("text".to_owned(), text);
    } else if let (Step::PartDone, Some(part)) = (step, fields.get_mut("part").and_then(Value::as_object_mut)) {
        part.insert("text".to_owned(), text);
        part.retain(|key, _| key != "logprobs");
    }
}

fn rename_response(line: &Line<'_>, response: &mut Map<String, Value>, step: Step, answer: &Answer) {
    if let Some(Value::Object(first)) = line.head.and_then(|head| head.get("response")) {
        continuation::rename(first, response, &["id", "created_at", "model"]);
    }
    if step != Step::Over || answer.step < Step::Item {
        return;
    }
    let items = response.get_mut("output").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let is_message = |item: &Value| item.get("type").and_then(Value::as_str) == Some("message");
    let mut item =
        items.into_iter().find(is_message).unwrap_or_else(|| json!({"type": "message", "role": "assistant"}));
    complete(&mut item, answer, &line.told.text);
    response.insert("output".to_owned(), json!([item]));
}

/// Gives an item the first one's name, and all of its text.
fn complete(item: &mut Value, answer: &Answer, text: &str) {
    let Some(item) = item.as_object_mut() else { return };
    item.insert("id".to_owned(), answer.item_id.as_str().into());
    item.entry("status").or_insert_with(|| "completed".into());
    item.insert("content".to_owned(), json!([{"type": "output_text", "text": text, "annotations": []}]));
}

fn replace(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(place) = fields.get_mut(name) {
        *place = value;
    }
}
