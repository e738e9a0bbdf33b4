//! Calls of tools: in messages, whole, and in streams, piece by piece.

use crate::hub::part::{Arguments, Part, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// A call or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    /// Which of the calls of a message; some who copy the API leave it out.
    pub(super) index: Option<u64>,
    pub(super) id: Option<Str<'a>>,
    pub(super) name: Option<Str<'a>>,
    /// A string that holds an object's text; some who copy the API (Ollama's older servers) have the object itself.
    pub(super) arguments: Option<Arguments<'a>>,
    /// Gemini's proof, as Google's own copy of this API has it
    /// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, 2026-11).
    pub(super) signature: Option<Str<'a>>,
    /// A custom tool's call, which only this wire format and Responses have.
    custom: Option<Json<'a>>,
}

impl<'a> Call<'a> {
    pub(super) fn read(source: &mut Source<'a>) -> Result<Self> {
        let mut call = Self::default();
        let is_custom = source.ahead("type")?.is_some_and(|kind| kind.is("custom"));
        if is_custom {
            call.custom = Some(source.json()?);
            return Ok(call);
        }
        source.members(|source, name| {
            match name {
                "index" => call.index = source.count()?,
                "id" => call.id = source.text_or_null()?.filter(|id| !id.is_empty()),
                "function" => call.function(source)?,
                "extra_content" => call.signature = signature(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        Ok(call)
    }

    /// Reads the object with name and arguments; the deprecated `function_call` is just that.
    pub(super) fn function(&mut self, source: &mut Source<'a>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        source.members(|source, name| {
            match name {
                "name" => self.name = source.text_or_null()?.filter(|name| !name.is_empty()),
                "arguments" if source.kind()? == Kind::Object => {
                    self.arguments = Some(Arguments::Value(source.json()?));
                }
                "arguments" => self.arguments = source.text_or_null()?.map(Arguments::Text),
                _ => source.skip()?,
            }
            Ok(())
        })
    }

    /// The part that a whole call is.
    pub(super) fn into_part(self) -> Result<Part<'a>> {
        if let Some(value) = self.custom {
            return Ok(Part::Other { kind: Str::raw_of("custom"), value });
        }
        let Some(name) = self.name else {
            return Err(ReadError::wrong("a string").under("name").under("function"));
        };
        let arguments = self.arguments.unwrap_or_else(|| Arguments::Text(Str::default()));
        Ok(Part::ToolCall(ToolCall { id: self.id, name, arguments, signature: self.signature, cache: None }))
    }
}

/// Reads the calls of a message.
pub(super) fn read_all<'a>(source: &mut Source<'a>) -> Result<Vec<Part<'a>>> {
    source.list(|source| Call::read(source)?.into_part())
}

/// Reads Google's proof out of `extra_content`.
pub(super) fn signature<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    let mut signature = None;
    if source.kind()? != Kind::Object {
        source.skip()?;
        return Ok(None);
    }
    source.members(|source, name| {
        if name != "google" || source.kind()? != Kind::Object {
            return source.skip();
        }
        source.members(|source, name| {
            match name {
                "thought_signature" => signature = source.text_or_null()?,
                _ => source.skip()?,
            }
            Ok(())
        })
    })?;
    Ok(signature)
}

/// Writes a proof as Google's copy of this API has it.
pub(super) fn write_signature(signature: &Str<'_>, sink: &mut Sink) {
    sink.key("extra_content").object(|sink| {
        sink.key("google").object(|sink| sink.text_member("thought_signature", signature));
    });
}

/// Writes a call. `index`: it is a piece of a stream.
pub(super) fn write(call: &ToolCall<'_>, id: &Str<'_>, index: Option<u64>, is_signed: bool, sink: &mut Sink) {
    sink.object(|sink| {
        if let Some(index) = index {
            sink.count_member("index", index);
        }
        sink.text_member("id", id);
        sink.plain_member("type", "function");
        sink.key("function").object(|sink| write_function(call, index.is_none(), sink));
        if let Some(signature) = call.signature.as_ref().filter(|_| is_signed) {
            write_signature(signature, sink);
        }
    });
}

/// Writes name and arguments. `is_whole`: a call without arguments has the text of an empty object, which every client can read.
pub(super) fn write_function(call: &ToolCall<'_>, is_whole: bool, sink: &mut Sink) {
    sink.text_member("name", &call.name);
    let arguments = call.arguments.text();
    if is_whole && arguments.is_empty() {
        sink.plain_member("arguments", "{}");
    } else {
        sink.text_member("arguments", &arguments);
    }
}
