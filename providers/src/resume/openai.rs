//! Chat and text completions: every event repeats who answers; the text is in the one choice.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::continuation::{Diverged, Line, is_empty};
use super::told::{End, Nature, Speech, Told, says_something};
use crate::json::{JsonError, Kind, Reader};

/// The end of a stream.
pub(super) const DONE: &[u8] = b"data: [DONE]\n\n";

/// The members that say who answers, the same in every event.
const IDENTITY: [&str; 7] = ["id", "object", "created", "model", "system_fingerprint", "service_tier", "provider"];

/// What an event brings.
#[derive(Default)]
struct Chunk<'a> {
    choices: usize,
    text: Option<Cow<'a, str>>,
    has_finish: bool,
    is_strange: bool,
    is_failure: bool,
}

/// Reads an event that the client is given.
pub(super) fn read(told: &mut Told, data: &[u8]) -> Result<Nature, JsonError> {
    if data == b"[DONE]" {
        told.set_end(End::Complete);
        return Ok(Nature::Plain);
    }
    let mut reader = Reader::new(data);
    let chunk = Chunk::read(&mut reader)?;
    reader.finish()?;
    if chunk.is_failure {
        return Ok(Nature::Failure);
    }
    if chunk.has_finish {
        told.set_end(End::Finished);
    }
    if chunk.is_strange || chunk.choices > 1 {
        return Ok(Nature::Strange);
    }
    if chunk.choices > 0 {
        told.set_head(data);
    }
    told.add_text(chunk.text.as_deref().unwrap_or_default());
    Ok(Nature::Plain)
}

impl<'a> Chunk<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut chunk = Self::default();
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"choices" if reader.kind()? == Kind::Array => chunk.choices(reader)?,
                b"error" => chunk.is_failure |= says_something(reader)?,
                b"id"
                | b"object"
                | b"created"
                | b"model"
                | b"system_fingerprint"
                | b"service_tier"
                | b"provider"
                | b"obfuscation"
                | b"usage"
                | b"prompt_filter_results"
                | b"x_groq" => {
                    reader.skip()?;
                }
                _ => chunk.is_strange |= says_something(reader)?,
            }
        }
        Ok(chunk)
    }

    fn choices(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        let mut walk = reader.array()?;
        while reader.next_element(&mut walk)? {
            self.choices += 1;
            self.choice(reader)?;
        }
        Ok(())
    }

    fn choice(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"index" => {
                    let span = reader.skip()?;
                    self.is_strange |= reader.slice(span) != b"0";
                }
                b"delta" if reader.kind()? == Kind::Object => self.delta(reader)?,
                b"text" => self.text(reader)?,
                b"finish_reason" => self.has_finish |= says_something(reader)?,
                b"content_filter_results" | b"content_filter_offsets" | b"native_finish_reason" | b"stop_reason" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }

    fn delta(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"content" => self.text(reader)?,
                b"role" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        if reader.kind()? != Kind::String {
            self.is_strange |= says_something(reader)?;
            return Ok(());
        }
        let text = reader.string()?.decoded();
        self.is_strange |= text.is_none() || self.text.is_some();
        self.text = text;
        Ok(())
    }
}

/// Makes an event of the continuing stream into one of the first.
pub(super) fn rewrite(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    let is_chat = matches!(line.told.speech, Some(Speech::Chat));
    let fields = event.as_object_mut().ok_or(Diverged)?;
    let choices = fields.get_mut("choices").and_then(Value::as_array_mut).map(Vec::as_mut_slice);
    let is_wanted = match choices {
        // What is used is told behind the end; filters' verdicts on the prompt, before the beginning.
        None | Some([]) => line.told.end != End::Open && fields.get("usage").is_some_and(|usage| !is_empty(usage)),
        Some([choice]) => rewrite_choice(line, choice.as_object_mut().ok_or(Diverged)?, is_chat)?,
        Some(_) => return Err(Diverged),
    };
    if is_wanted {
        line.name(fields, &IDENTITY);
        line.emit(None, &event);
    }
    Ok(())
}

/// Takes out of a choice what the client has. Whether anything is left.
fn rewrite_choice(line: &mut Line<'_>, choice: &mut Map<String, Value>, is_chat: bool) -> Result<bool, Diverged> {
    if choice.get("index").and_then(Value::as_u64).is_some_and(|index| index != 0) {
        return Err(Diverged);
    }
    let has_begun = line.told.head.is_some();
    let mut no_delta = Map::new();
    let (has_calls, text) = if is_chat {
        let delta = choice.get_mut("delta").and_then(Value::as_object_mut).unwrap_or(&mut no_delta);
        if has_begun {
            delta.remove("role");
        }
        delta.retain(|key, value| key == "content" || !is_empty(value));
        let has_calls = delta.contains_key("tool_calls") || delta.contains_key("function_call");
        let is_known = |key: &str| matches!(key, "role" | "content" | "tool_calls" | "function_call");
        if !delta.keys().all(|key| is_known(key)) {
            return Err(Diverged);
        }
        (has_calls, delta.get_mut("content"))
    } else {
        (false, choice.get_mut("text"))
    };
    let has_text = match text {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => {
            *text = line.rest_of(text)?.to_owned();
            !text.is_empty()
        }
        Some(_) => return Err(Diverged),
    };
    // They would be of the text as it came, before a part of it was dropped.
    if let Some(place) = choice.get_mut("logprobs") {
        *place = Value::Null;
    }
    let has_finish = choice.get("finish_reason").is_some_and(|reason| !is_empty(reason));
    if has_finish || has_calls {
        line.must_have_joined()?;
    }
    Ok(has_text || has_calls || has_finish || !has_begun)
}

/// The end mark of the continuing stream.
pub(super) fn done(line: &mut Line<'_>) -> Result<(), Diverged> {
    line.must_have_joined()?;
    line.raw(DONE);
    line.told.read(b"[DONE]");
    Ok(())
}
