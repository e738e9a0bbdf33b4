//! The request to go on: the client's bytes, with what it has been given as the beginning of the answer.

use bytes::Bytes;
use policy::request::{Dialect, Operation};
use serde_json::Value;

use crate::json::{JsonError, Kind, Reader, Span, Text};

/// The body with this text at the end of its conversation, as what the assistant has said so far. Where the conversation already
/// ends with the assistant's words, the text is joined to them. All else stays as the client wrote it, the output limit too: how
/// many tokens the text was is not known, and an answer that ends too early would be worse than one that is a little too long.
///
/// Anthropic refuses an assistant's last words that end with white space, so there it is left out; [`super::Continuation`] knows.
/// `None`: the dialect, the operation or this body has no place for it.
#[must_use]
pub fn with_prefill(body: &Bytes, dialect: Dialect, operation: Operation, text: &str) -> Option<Bytes> {
    let form = Form::of(dialect, operation)?;
    let text = if dialect == Dialect::Anthropic { text.trim_end() } else { text };
    let place = form.place_in(&mut Reader::new(body)).ok().flatten()?;
    if text.is_empty() {
        return Some(body.clone());
    }
    let quoted = Value::from(text).to_string();
    let (at, addition) = match place {
        Place::InString(at) => (at, quoted.get(1..quoted.len().checked_sub(1)?)?.to_owned()),
        Place::InArray { at, is_first } => {
            (at, format!("{}{}", if is_first { "" } else { "," }, form.message(&quoted)))
        }
    };
    let (before, behind) = body.split_at_checked(at)?;
    Some(Bytes::from([before, addition.as_bytes(), behind].concat()))
}

/// Where the text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the closing quote of a string.
    InString(usize),
    /// Before the closing bracket of an array of messages.
    InArray { at: usize, is_first: bool },
}

/// How a dialect writes a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `messages` of `role` and `content`: text, or blocks with text.
    Messages,
    /// `contents` of `role` and `parts`.
    Contents,
    /// One `prompt`.
    Prompt,
}

/// What a message turned out to be.
#[derive(Default)]
struct Message {
    is_assistant: bool,
    /// Where its text ends.
    end: Option<usize>,
    /// Members that are not the role nor the text, or that come twice.
    is_strange: bool,
    roles: u32,
    texts: u32,
}

impl Form {
    const fn of(dialect: Dialect, operation: Operation) -> Option<Self> {
        match (dialect, operation) {
            (Dialect::OpenAi | Dialect::Anthropic, Operation::ChatCompletion) => Some(Self::Messages),
            (Dialect::Gemini, Operation::ChatCompletion) => Some(Self::Contents),
            (Dialect::OpenAi, Operation::TextCompletion) => Some(Self::Prompt),
            _ => None,
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Contents => "contents",
            Self::Prompt => "prompt",
        }
    }

    fn message(self, quoted: &str) -> String {
        match self {
            Self::Messages => format!("{{\"role\":\"assistant\",\"content\":{quoted}}}"),
            Self::Contents => format!("{{\"role\":\"model\",\"parts\":[{{\"text\":{quoted}}}]}}"),
            Self::Prompt => quoted.to_owned(),
        }
    }

    fn place_in(self, reader: &mut Reader<'_>) -> Result<Option<Place>, JsonError> {
        let (mut place, mut found) = (None, 0);
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            if key.is(self.field()) {
                found += 1;
                place = if self == Self::Prompt { prompt(reader)? } else { self.conversation(reader)? };
            } else if self == Self::Prompt && key.is("echo") {
                // The answer then repeats the prompt, and with it the text.
                found += usize::from(reader.kind()? != Kind::False);
                reader.skip()?;
            } else {
                reader.skip()?;
            }
        }
        reader.finish()?;
        Ok(place.filter(|_| found == 1))
    }

    /// The end of the conversation.
    fn conversation(self, reader: &mut Reader<'_>) -> Result<Option<Place>, JsonError> {
        if reader.kind()? != Kind::Array {
            return reader.skip().map(|_| None);
        }
        let mut last = Message::default();
        let mut walk = reader.array()?;
        while reader.next_element(&mut walk)? {
            last = self.read_message(reader)?;
        }
        if last.roles > 1 {
            return Ok(None);
        }
        if last.is_assistant {
            return Ok(last.end.filter(|_| !last.is_strange && last.texts == 1).map(Place::InString));
        }
        Ok(Some(Place::InArray { at: walk.close, is_first: walk.count == 0 }))
    }

    fn read_message(self, reader: &mut Reader<'_>) -> Result<Message, JsonError> {
        let mut message = Message::default();
        if reader.kind()? != Kind::Object {
            reader.skip()?;
            return Ok(Message { is_assistant: true, ..message });
        }
        let mut walk = reader.object()?;
        while let Some(key) = reader.next_key(&mut walk)? {
            match &*key.name() {
                "role" => {
                    message.roles += 1;
                    message.is_assistant |= is_assistant(reader)?;
                }
                "content" if self == Self::Messages => {
                    message.texts += 1;
                    message.end = content_end(reader)?;
                }
                "parts" if self == Self::Contents => {
                    message.texts += 1;
                    message.end = content_end(reader)?;
                }
                "name" => {
                    reader.skip()?;
                }
                _ => {
                    let span = reader.skip()?;
                    message.is_strange |= !super::told::is_nothing(reader.slice(span));
                }
            }
        }
        Ok(message)
    }
}

fn is_assistant(reader: &mut Reader<'_>) -> Result<bool, JsonError> {
    if reader.kind()? == Kind::String {
        return Ok(matches!(&*reader.string()?.name(), "assistant" | "model"));
    }
    reader.skip().map(|_| false)
}

/// Where the text of a message ends, if it ends with text.
fn content_end(reader: &mut Reader<'_>) -> Result<Option<usize>, JsonError> {
    match reader.kind()? {
        Kind::String => string_end(reader),
        Kind::Array => {
            let mut end = None;
            let mut walk = reader.array()?;
            while reader.next_element(&mut walk)? {
                end = block_end(reader)?;
            }
            Ok(end)
        }
        _ => reader.skip().map(|_| None),
    }
}

/// Where the text of a block or part ends. `None`: it is no plain text.
fn block_end(reader: &mut Reader<'_>) -> Result<Option<usize>, JsonError> {
    if reader.kind()? != Kind::Object {
        return reader.skip().map(|_| None);
    }
    let (mut end, mut is_plain, mut texts) = (None, true, 0);
    let mut walk = reader.object()?;
    while let Some(key) = reader.next_key(&mut walk)? {
        match &*key.name() {
            "text" if reader.kind()? == Kind::String => {
                texts += 1;
                end = string_end(reader)?;
            }
            "type" | "cache_control" => {
                reader.skip()?;
            }
            _ => {
                let span = reader.skip()?;
                is_plain &= super::told::is_nothing(reader.slice(span));
            }
        }
    }
    Ok(end.filter(|_| is_plain && texts == 1))
}

/// A prompt that is one text, by itself or in a list.
fn prompt(reader: &mut Reader<'_>) -> Result<Option<Place>, JsonError> {
    match reader.kind()? {
        Kind::String => Ok(string_end(reader)?.map(Place::InString)),
        Kind::Array => {
            let mut end = None;
            let mut walk = reader.array()?;
            while reader.next_element(&mut walk)? {
                end = if reader.kind()? == Kind::String { string_end(reader)? } else { reader.skip().map(|_| None)? };
            }
            Ok(end.filter(|_| walk.count == 1).map(Place::InString))
        }
        _ => reader.skip().map(|_: Span| None),
    }
}

/// Where the next string's closing quote is. `None`: it means no text, so nothing can be joined to it.
fn string_end(reader: &mut Reader<'_>) -> Result<Option<usize>, JsonError> {
    let text: Text<'_> = reader.string()?;
    Ok(text.decoded().and_then(|_| reader.at().checked_sub(1)))
}
