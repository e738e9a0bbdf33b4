//! Content blocks, as requests and answers have them, read into parts.

use crate::hub::part::{Arguments, CacheMark, Citation, Part, Reasoning, Text, ToolCall, ToolOutput, ToolResult};
use crate::hub::request::Other;
use crate::hub::source::{Result, Source};
use crate::hub::stranger::unmarked;
use crate::hub::text::Json;
use crate::json::Kind;

use super::media;

/// Blocks that are read.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// What they ask that no part can hold.
    pub(super) others: Vec<Other<'a>>,
}

impl<'a> Blocks<'a> {
    /// Reads a text, or blocks.
    pub(super) fn content(&mut self, source: &mut Source<'a>) -> Result<()> {
        match source.kind()? {
            Kind::String => {
                self.parts.push(Part::Text(Text::plain(source.text()?)));
                Ok(())
            }
            Kind::Array => source.elements(|source| self.block(source)),
            Kind::Null => source.skip(),
            _ => source.wrong("a string or an array of content blocks"),
        }
    }

    /// Reads a block. Some are several parts.
    pub(super) fn block(&mut self, source: &mut Source<'a>) -> Result<()> {
        let Some(kind) = source.ahead("type")? else { return source.wrong("an object with a `type`") };
        let part = match kind.raw() {
            "text" => Part::Text(text(source)?),
            "image" | "document" => return media::read(source, self, kind.is("image")),
            "search_result" => return media::read_search_result(source, self),
            "tool_use" => Part::ToolCall(tool_call(source)?),
            "tool_result" => Part::ToolResult(self.tool_result(source)?),
            "thinking" | "redacted_thinking" => Part::Reasoning(reasoning(source)?),
            _ => Part::Other { kind, value: source.json()? },
        };
        self.parts.push(part);
        Ok(())
    }

    /// Notes what no part can hold, once.
    pub(super) fn note(&mut self, name: &'static str, value: Json<'a>) {
        if self.others.iter().all(|other| other.name != name) {
            self.others.push(Other { name: name.into(), value });
        }
    }

    fn tool_result(&mut self, source: &mut Source<'a>) -> Result<ToolResult<'a>> {
        let mut within = Blocks::default();
        let (mut id, mut is_error, mut cache) = (None, false, None);
        source.members(|source, name| {
            match name {
                "tool_use_id" => id = Some(source.text()?),
                "content" => within.content(source)?,
                "is_error" => is_error = source.flag()?.unwrap_or_default(),
                "cache_control" => cache = cache_mark(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        within.others.into_iter().for_each(|other| self.others.push(other));
        Ok(ToolResult { id, name: None, content: ToolOutput::Parts(within.parts), is_error, cache })
    }
}

fn text<'a>(source: &mut Source<'a>) -> Result<Text<'a>> {
    let mut text = Text::default();
    source.members(|source, name| {
        match name {
            "text" => text.text = source.text()?,
            "citations" => text.citations = source.list(citation)?,
            "cache_control" => text.cache = cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(text)
}

/// A mark for the cache; `None` where it is null.
pub(super) fn cache_mark<'a>(source: &mut Source<'a>) -> Result<Option<CacheMark<'a>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let mut ttl = None;
    source.members(|source, name| {
        match name {
            "ttl" => ttl = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(Some(CacheMark { ttl }))
}

/// A citation. Its places are those within the document that is cited; it is the whole block's text that rests on it.
pub(super) fn citation<'a>(source: &mut Source<'a>) -> Result<Citation<'a>> {
    let mut citation = Citation::default();
    source.members(|source, name| {
        match name {
            "url" | "source" => citation.url = source.text_or_null()?,
            "title" | "document_title" => citation.title = source.text_or_null()?,
            "cited_text" => citation.quote = source.text_or_null()?.filter(|text| !text.is_empty()),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(citation)
}

fn tool_call<'a>(source: &mut Source<'a>) -> Result<ToolCall<'a>> {
    let (mut id, mut called, mut input, mut cache) = (None, None, None, None);
    source.members(|source, name| {
        match name {
            "id" => id = source.text_or_null()?,
            "name" => called = Some(source.text()?),
            "input" if matches!(source.kind()?, Kind::Object | Kind::Null) => input = source.json_or_null()?,
            "input" => source.wrong("an object")?,
            "cache_control" => cache = cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let arguments = Arguments::Value(input.unwrap_or(Json::read("{}")));
    Ok(ToolCall { id, name: called.unwrap_or_default(), arguments, signature: None, cache })
}

fn reasoning<'a>(source: &mut Source<'a>) -> Result<Reasoning<'a>> {
    let mut reasoning = Reasoning::default();
    source.members(|source, name| {
        match name {
            "thinking" => reasoning.text = source.text_or_null()?.unwrap_or_default(),
            "signature" => reasoning.signature = source.text_or_null()?.and_then(unmarked),
            "data" => reasoning.sealed = source.text_or_null()?.and_then(unmarked),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(reasoning)
}
