//! Images, documents and search results of a request, read.

use crate::hub::part::{CacheMark, Media, MediaKind, MediaSource, Part, Text};
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

use super::blocks::{Blocks, cache_mark};

/// Reads an image or a document.
pub(super) fn read<'a>(source: &mut Source<'a>, blocks: &mut Blocks<'a>, is_image: bool) -> Result<()> {
    let mut document = Document::default();
    source.members(|source, name| {
        match name {
            "source" => document.source(source, is_image)?,
            "title" => document.title = source.text_or_null()?,
            "context" => document.context = source.text_or_null()?,
            "cache_control" => document.cache = cache_mark(source)?,
            "citations" => document.is_cited = is_enabled(source)?,
            "transformations" => {
                let value = source.json_or_null()?;
                value.into_iter().for_each(|value| blocks.note("messages[].content[].transformations", value));
            }
            _ => source.skip()?,
        }
        Ok(())
    })?;
    if document.is_cited {
        blocks.note("messages[].content[].citations", Json::read(r#"{"enabled":true}"#));
    }
    document.into_parts(blocks, if is_image { MediaKind::Image } else { MediaKind::File });
    Ok(())
}

/// Reads what an application's own search has found: a text that says where it is from.
pub(super) fn read_search_result<'a>(source: &mut Source<'a>, blocks: &mut Blocks<'a>) -> Result<()> {
    let (mut found, mut content, mut is_cited) = (Text::default(), Blocks::default(), false);
    let (mut from, mut title) = (Str::default(), Str::default());
    source.members(|source, name| {
        match name {
            "source" => from = source.text()?,
            "title" => title = source.text()?,
            "content" => content.content(source)?,
            "cache_control" => found.cache = cache_mark(source)?,
            "citations" => is_cited = is_enabled(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let line = Str::raw_of("\\n");
    for text in [&title, &line, &from, &line] {
        found.text.push(text);
    }
    for part in &content.parts {
        if let Part::Text(text) = part {
            found.text.push(&line);
            found.text.push(&text.text);
        }
    }
    if is_cited {
        blocks.note("messages[].content[].citations", Json::read(r#"{"enabled":true}"#));
    }
    blocks.parts.push(Part::Text(found));
    Ok(())
}

/// Whether citations are asked for, in an object that says so.
fn is_enabled(source: &mut Source<'_>) -> Result<bool> {
    let mut is_enabled = false;
    if !source.is_null()? {
        source.members(|source, name| {
            match name {
                "enabled" => is_enabled = source.flag()?.unwrap_or_default(),
                _ => source.skip()?,
            }
            Ok(())
        })?;
    }
    Ok(is_enabled)
}

/// What an image's or document's block says.
#[derive(Debug, Default)]
struct Document<'a> {
    source: Option<MediaSource<'a>>,
    /// What it is made of, where it is made of blocks.
    content: Blocks<'a>,
    title: Option<Str<'a>>,
    context: Option<Str<'a>>,
    cache: Option<CacheMark<'a>>,
    is_cited: bool,
}

impl<'a> Document<'a> {
    fn source(&mut self, source: &mut Source<'a>, is_image: bool) -> Result<()> {
        let Some(kind) = source.ahead("type")? else { return source.wrong("an object with a `type`") };
        let (mut text, mut mime) = (None, None);
        source.members(|source, name| {
            match name {
                "data" | "url" | "file_id" => text = Some(source.text()?),
                "media_type" => mime = source.text_or_null()?,
                "content" if source.kind()? == Kind::String => text = Some(source.text()?),
                "content" => self.content.content(source)?,
                _ => source.skip()?,
            }
            Ok(())
        })?;
        let default = if is_image { "image/png" } else { "application/pdf" };
        self.source = match (kind.raw(), text) {
            ("base64", Some(base64)) => {
                Some(MediaSource::Inline { mime: mime.unwrap_or(Str::raw_of(default)), base64 })
            }
            ("text" | "content", Some(text)) => Some(MediaSource::Plain(text)),
            ("url", Some(url)) => Some(MediaSource::Url { url, mime: (!is_image).then_some(Str::raw_of(default)) }),
            ("file", Some(id)) => Some(MediaSource::Id(id)),
            _ => None,
        };
        Ok(())
    }

    fn into_parts(self, blocks: &mut Blocks<'a>, kind: MediaKind) {
        if let Some(context) = self.context.filter(|context| !context.is_empty()) {
            blocks.parts.push(Part::Text(Text::plain(context)));
        }
        if let Some(source) = self.source {
            blocks.parts.push(Part::Media(Media { kind, source, detail: None, name: self.title, cache: self.cache }));
            return;
        }
        if let Some(title) = self.title.filter(|title| !title.is_empty()) {
            blocks.parts.push(Part::Text(Text::plain(title)));
        }
        blocks.parts.extend(self.content.parts);
    }
}
