//! Messages: one event names the answer; text is in blocks that are numbered, opened and closed.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::continuation::{Diverged, Line, is_empty};
use super::told::{End, Nature, Speech, Told, says_something};
use crate::json::{JsonError, Kind, Reader, Text};

/// What ends a stream that has said why it ended.
pub(super) const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// The content block that the client was told of last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    /// `None`: none was begun.
    index: Option<u64>,
    is_open: bool,
}

/// What an event brings.
#[derive(Default)]
struct Seen<'a> {
    kind: Option<Text<'a>>,
    index: Option<u64>,
    text: Option<Cow<'a, str>>,
    has_stop_reason: bool,
    is_strange: bool,
}

/// Reads an event that the client is given.
pub(super) fn read(told: &mut Told, data: &[u8]) -> Result<Nature, JsonError> {
    let mut reader = Reader::new(data);
    let seen = Seen::read(&mut reader)?;
    reader.finish()?;
    let kind = seen.kind.map(Text::name).unwrap_or_default();
    if kind == "error" {
        return Ok(Nature::Failure);
    }
    if seen.has_stop_reason {
        told.set_end(End::Finished);
    }
    if let Some(Speech::Anthropic(block)) = &mut told.speech {
        match &*kind {
            "content_block_start" => *block = Block { index: seen.index, is_open: true },
            "content_block_stop" => block.is_open = false,
            _ => {}
        }
    }
    match &*kind {
        "message_start" => told.set_head(data),
        "content_block_start" | "content_block_delta" if !seen.is_strange && seen.index.is_some() => {
            told.add_text(seen.text.as_deref().unwrap_or_default());
        }
        "message_stop" => told.set_end(End::Complete),
        "content_block_stop" | "message_delta" | "ping" => {}
        _ => return Ok(Nature::Strange),
    }
    Ok(Nature::Plain)
}

impl<'a> Seen<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut seen = Self::default();
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"type" if reader.kind()? == Kind::String => seen.kind = Some(reader.string()?),
                b"index" => {
                    let span = reader.skip()?;
                    seen.index = crate::count::read(reader.slice(span));
                }
                b"delta" | b"content_block" if reader.kind()? == Kind::Object => seen.content(reader)?,
                _ => {
                    reader.skip()?;
                }
            }
        }
        Ok(seen)
    }

    /// The inside of a block's start, of a piece of it, or of the message's end.
    fn content(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"type" if reader.kind()? == Kind::String => {
                    self.is_strange |= !matches!(reader.string()?.raw(), b"text" | b"text_delta");
                }
                b"text" if reader.kind()? == Kind::String => {
                    self.text = reader.string()?.decoded();
                    self.is_strange |= self.text.is_none();
                }
                b"stop_reason" => self.has_stop_reason = says_something(reader)?,
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }
}

/// Makes an event of the continuing stream into those of the first.
pub(super) fn rewrite(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    match &*kind {
        "message_start" if line.told.head.is_none() => line.emit(Some(&kind), &event),
        "message_start" => {}
        // Those of the opening would come twice.
        "ping" if line.is_joined() => line.emit(Some(&kind), &event),
        "ping" => {}
        "content_block_start" => start(line, event)?,
        "content_block_delta" => delta(line, event)?,
        "content_block_stop" => stop(line, event)?,
        "message_delta" => {
            line.must_have_joined()?;
            close(line);
            line.emit(Some(&kind), &event);
        }
        "message_stop" => {
            line.must_have_joined()?;
            line.emit(Some(&kind), &event.take());
        }
        _ => return Err(Diverged),
    }
    Ok(())
}

fn start(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    let content = event.get("content_block").ok_or(Diverged)?;
    let text = content.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    match content.get("type").and_then(Value::as_str) {
        // It is opened when it brings something.
        Some("text") if content.get("citations").is_none_or(is_empty) => say(line, &text),
        Some("text" | "thinking" | "redacted_thinking") | None => Err(Diverged),
        Some(_) => {
            line.must_have_joined()?;
            close(line);
            let ours = next_index(line);
            let theirs = index_of(&event)?;
            *line.block = Some((theirs, ours));
            renumber(&mut event, ours);
            line.emit(Some("content_block_start"), &event);
            Ok(())
        }
    }
}

fn delta(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    if let Some(ours) = passed_as(line, &event)? {
        renumber(&mut event, ours);
        line.emit(Some("content_block_delta"), &event);
        return Ok(());
    }
    let delta = event.get("delta").ok_or(Diverged)?;
    match (delta.get("type").and_then(Value::as_str), delta.get("text").and_then(Value::as_str)) {
        (Some("text_delta"), Some(text)) => say(line, text),
        _ => Err(Diverged),
    }
}

fn stop(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    if let Some(ours) = passed_as(line, &event)? {
        *line.block = None;
        renumber(&mut event, ours);
        line.emit(Some("content_block_stop"), &event);
    } else if line.is_joined() {
        close(line);
    }
    Ok(())
}

/// Gives the client what it does not have of this text, in the block that is open or in a new one.
fn say(line: &mut Line<'_>, text: &str) -> Result<(), Diverged> {
    let text = line.rest_of(text)?.to_owned();
    if text.is_empty() {
        return Ok(());
    }
    let block = block_of(line);
    let index = match block.index.filter(|_| block.is_open) {
        Some(index) => index,
        None => {
            let index = next_index(line);
            let content = json!({"type": "text", "text": ""});
            let event = json!({"type": "content_block_start", "index": index, "content_block": content});
            line.emit(Some("content_block_start"), &event);
            index
        }
    };
    let delta = json!({"type": "text_delta", "text": text});
    let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
    line.emit(Some("content_block_delta"), &event);
    Ok(())
}

/// Closes the block that is open, if one is.
fn close(line: &mut Line<'_>) {
    if let Block { index: Some(index), is_open: true } = block_of(line) {
        line.emit(Some("content_block_stop"), &json!({"type": "content_block_stop", "index": index}));
    }
}

fn block_of(line: &Line<'_>) -> Block {
    match &line.told.speech {
        Some(Speech::Anthropic(block)) => *block,
        _ => Block::default(),
    }
}

fn next_index(line: &Line<'_>) -> u64 {
    block_of(line).index.map_or(0, |index| index.saturating_add(1))
}

fn index_of(event: &Value) -> Result<u64, Diverged> {
    event.get("index").and_then(Value::as_u64).ok_or(Diverged)
}

/// The index under which the event's block is passed whole.
fn passed_as(line: &Line<'_>, event: &Value) -> Result<Option<u64>, Diverged> {
    let index = index_of(event)?;
    Ok(line.block.filter(|(theirs, _)| *theirs == index).map(|(_, ours)| ours))
}

fn renumber(event: &mut Value, index: u64) {
    if let Some(place) = event.get_mut("index") {
        *place = Value::from(index);
    }
}
