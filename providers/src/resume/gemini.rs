//! Gemini's chunks: every one repeats who answers; text is in the parts of the one candidate.

use serde_json::{Map, Value, json};

use super::continuation::{Diverged, Line, is_empty};
use super::told::{End, Nature, Told, says_something};
use crate::json::{JsonError, Kind, Reader};

/// The members that say who answers, the same in every chunk.
const IDENTITY: [&str; 3] = ["responseId", "modelVersion", "createTime"];

/// What a chunk brings.
#[derive(Default)]
struct Chunk {
    candidates: usize,
    text: String,
    has_finish: bool,
    is_strange: bool,
    is_failure: bool,
}

/// Reads a chunk that the client is given.
pub(super) fn read(told: &mut Told, data: &[u8]) -> Result<Nature, JsonError> {
    let mut reader = Reader::new(data);
    let chunk = Chunk::read(&mut reader)?;
    reader.finish()?;
    if chunk.is_failure {
        return Ok(Nature::Failure);
    }
    if chunk.has_finish {
        told.set_end(End::Finished);
    }
    if chunk.is_strange || chunk.candidates > 1 {
        return Ok(Nature::Strange);
    }
    if chunk.candidates > 0 {
        told.set_head(data);
    }
    told.add_text(&chunk.text);
    Ok(Nature::Plain)
}

impl Chunk {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        let mut chunk = Self::default();
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"candidates" if reader.kind()? == Kind::Array => {
                    let mut walk = reader.array()?;
                    while reader.next_element(&mut walk)? {
                        chunk.candidates += 1;
                        chunk.candidate(reader)?;
                    }
                }
                b"error" => chunk.is_failure |= says_something(reader)?,
                b"usageMetadata" | b"modelVersion" | b"responseId" | b"createTime" => {
                    reader.skip()?;
                }
                _ => chunk.is_strange |= says_something(reader)?,
            }
        }
        Ok(chunk)
    }

    fn candidate(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"index" => {
                    let span = reader.skip()?;
                    self.is_strange |= reader.slice(span) != b"0";
                }
                b"content" if reader.kind()? == Kind::Object => self.content(reader)?,
                b"finishReason" => self.has_finish |= says_something(reader)?,
                b"finishMessage" | b"safetyRatings" | b"tokenCount" | b"avgLogprobs" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }

    fn content(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"parts" if reader.kind()? == Kind::Array => {
                    let mut walk = reader.array()?;
                    while reader.next_element(&mut walk)? {
                        self.part(reader)?;
                    }
                }
                b"role" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }

    /// A signature on plain text is for the vendor's own use, and may be left out of the next request.
    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match key.raw() {
                b"text" if reader.kind()? == Kind::String => match reader.string()?.decoded() {
                    Some(text) => self.text.push_str(&text),
                    None => self.is_strange = true,
                },
                b"thoughtSignature" => {
                    reader.skip()?;
                }
                _ => self.is_strange |= says_something(reader)?,
            }
        }
        Ok(())
    }
}

/// Makes a chunk of the continuing stream into one of the first.
pub(super) fn rewrite(line: &mut Line<'_>, mut event: Value) -> Result<(), Diverged> {
    let fields = event.as_object_mut().ok_or(Diverged)?;
    let is_blocked = fields.get("promptFeedback").is_some_and(|feedback| !is_empty(feedback));
    let candidates = fields.get_mut("candidates").and_then(Value::as_array_mut).map(Vec::as_mut_slice);
    let is_wanted = match candidates {
        None | Some([]) if is_blocked => return Err(Diverged),
        None | Some([]) => line.told.end != End::Open,
        Some([candidate]) => rewrite_candidate(line, candidate.as_object_mut().ok_or(Diverged)?)?,
        Some(_) => return Err(Diverged),
    };
    if is_wanted {
        line.name(fields, &IDENTITY);
        line.emit(None, &event);
    }
    Ok(())
}

/// Takes out of a candidate what the client has. Whether anything is left.
fn rewrite_candidate(line: &mut Line<'_>, candidate: &mut Map<String, Value>) -> Result<bool, Diverged> {
    if candidate.get("index").and_then(Value::as_u64).is_some_and(|index| index != 0) {
        return Err(Diverged);
    }
    let has_finish = candidate.get("finishReason").is_some_and(|reason| !is_empty(reason));
    let mut has_content = false;
    if let Some(parts) = candidate.get_mut("content").and_then(|content| content.get_mut("parts")) {
        let old = parts.as_array_mut().map(std::mem::take).ok_or(Diverged)?;
        let mut kept = Vec::with_capacity(old.len());
        for part in old {
            kept.extend(rewrite_part(line, part)?);
        }
        has_content = !kept.is_empty();
        if kept.is_empty() {
            kept.push(json!({"text": ""}));
        }
        *parts = Value::Array(kept);
    }
    if has_finish {
        line.must_have_joined()?;
    }
    Ok(has_content || has_finish || line.told.head.is_none())
}

/// What the client does not have of a part.
fn rewrite_part(line: &mut Line<'_>, mut part: Value) -> Result<Option<Value>, Diverged> {
    if part.get("thought").is_some_and(|thought| !is_empty(thought)) {
        return Err(Diverged);
    }
    let Some(Value::String(text)) = part.get_mut("text") else {
        line.must_have_joined()?;
        return Ok(Some(part));
    };
    *text = line.rest_of(text)?.to_owned();
    let is_left = !text.is_empty();
    Ok(is_left.then_some(part))
}
