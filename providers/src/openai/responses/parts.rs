//! The parts of what is said, read: texts, media, citations, thoughts (`response_input_content_param.py`,
//! `response_output_message_param.py`, `response_reasoning_item_param.py`).

use crate::hub::members::Members;
use crate::hub::part::{CacheMark, Citation, Media, MediaKind, MediaSource, Part, Reasoning, Text};
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// The types of a text: whoever said it, and as chat completions call it.
const TEXTS: [&str; 3] = ["input_text", "output_text", "text"];

/// What is said: one text, or parts.
pub(super) fn content<'a>(source: &mut Source<'a>) -> Result<Vec<Part<'a>>> {
    match source.kind()? {
        Kind::Null => source.skip().map(|()| Vec::new()),
        Kind::String => Ok(vec![Part::Text(Text::plain(source.text()?))]),
        Kind::Array => source.list(|source| match source.ahead("type")? {
            Some(kind) if TEXTS.contains(&kind.raw()) => read_text(source).map(Part::Text),
            _ => read_part(&source.unread_members()?),
        }),
        _ => source.wrong("a string or an array"),
    }
}

/// A part of a message's content (`response_input_content_param.py`, `response_output_message_param.py`).
pub(super) fn read_part<'a>(members: &Members<'a>) -> Result<Part<'a>> {
    let kind = members.needed_text("type")?;
    Ok(match &*kind.plain() {
        text if TEXTS.contains(&text) => Part::Text(read_text(&mut Source::of(members.text_of_whole()))?),
        "refusal" => Part::Refusal(members.needed_text("refusal")?),
        "input_image" => Part::Media(read_image(members)?),
        "input_file" => Part::Media(read_file(members)?),
        "input_audio" => Part::Media(read_audio(members)?),
        _ => Part::Other { kind: kind.clone(), value: members.whole() },
    })
}

/// A text. It may be long, and is read at once.
fn read_text<'a>(source: &mut Source<'a>) -> Result<Text<'a>> {
    let (mut text, mut read) = (None, Text::default());
    source.members(|source, name| {
        match name {
            "text" => text = Some(source.text()?),
            "annotations" if !source.is_null()? => read.citations = citations(source)?,
            "prompt_cache_breakpoint" if !source.is_null()? => read.cache = read_mark(source)?,
            "annotations" | "prompt_cache_breakpoint" => {}
            _ => source.skip()?,
        }
        Ok(())
    })?;
    read.text = text.ok_or_else(|| ReadError::wrong("a string").under("text"))?;
    Ok(read)
}

fn read_image<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let source = match (members.text("image_url")?, members.text("file_id")?) {
        (Some(url), _) => MediaSource::at(url),
        (None, Some(id)) => MediaSource::Id(id),
        (None, None) => return Err(ReadError::wrong("a string").under("image_url")),
    };
    Ok(Media {
        kind: MediaKind::Image,
        source,
        detail: members.text("detail")?.filter(|detail| !detail.is("auto")),
        name: None,
        cache: cache(members)?,
    })
}

fn read_file<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let name = members.text("filename")?;
    let data = members.text("file_data")?;
    let source = match (data, members.text("file_url")?, members.text("file_id")?) {
        (Some(data), _, _) => read_data(data, name.as_ref()),
        (None, Some(url), _) => MediaSource::at(url),
        (None, None, Some(id)) => MediaSource::Id(id),
        (None, None, None) => return Err(ReadError::wrong("a string").under("file_data")),
    };
    Ok(Media { kind: MediaKind::File, source, detail: None, name, cache: cache(members)? })
}

/// A file's content: a `data:` URL, or base64 and nothing else.
fn read_data<'a>(data: Str<'a>, name: Option<&Str<'a>>) -> MediaSource<'a> {
    match MediaSource::at(data) {
        MediaSource::Url { url, .. } => MediaSource::Inline { mime: Str::raw_of(mime_of(name)), base64: url },
        inline => inline,
    }
}

/// The type of a file that is known by its name only.
fn mime_of(name: Option<&Str<'_>>) -> &'static str {
    let name = name.map(|name| name.plain().to_ascii_lowercase()).unwrap_or_default();
    match name.rsplit('.').next() {
        Some("txt" | "md" | "csv" | "log") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

fn read_audio<'a>(members: &Members<'a>) -> Result<Media<'a>> {
    let audio = members.read("input_audio", Source::unread_members)?.unwrap_or_default();
    let read = || {
        let format = audio.needed_text("format")?;
        let mime = Str::of(&format!("audio/{}", format.plain())).into_owned();
        Ok(MediaSource::Inline { mime, base64: audio.needed_text("data")? })
    };
    let source = read().map_err(|error: ReadError| error.under("input_audio"))?;
    Ok(Media { kind: MediaKind::Audio, source, detail: None, name: None, cache: None })
}

fn cache<'a>(members: &Members<'a>) -> Result<Option<CacheMark<'a>>> {
    Ok(members.read("prompt_cache_breakpoint", read_mark)?.flatten())
}

/// A mark for the vendor's cache. Its lifetimes are half an hour, which is the default, and twelve hours.
fn read_mark<'a>(source: &mut Source<'a>) -> Result<Option<CacheMark<'a>>> {
    let ttl = source.unread_members()?.text("ttl")?;
    Ok(Some(CacheMark { ttl: ttl.filter(|ttl| ttl.is("12h")).map(|_| Str::raw_of("1h")) }))
}

/// The places on the web that a text rests on. Annotations of other types name files in the vendor's store.
fn citations<'a>(source: &mut Source<'a>) -> Result<Vec<Citation<'a>>> {
    let citations = source.list(|source| read_citation(&source.unread_members()?))?;
    Ok(citations.into_iter().flatten().collect())
}

/// `None`: it names no place on the web.
pub(super) fn read_citation<'a>(members: &Members<'a>) -> Result<Option<Citation<'a>>> {
    if members.text("type")?.is_none_or(|kind| !kind.is("url_citation")) {
        return Ok(None);
    }
    let from = members.read("start_index", Source::count)?.flatten();
    let to = members.read("end_index", Source::count)?.flatten();
    let title = members.text("title")?.filter(|title| !title.is_empty());
    Ok(Some(Citation { url: members.text("url")?, title, quote: None, range: from.zip(to) }))
}

/// The texts of a reasoning item: summaries, then thoughts that are shown as they are.
pub(super) fn read_thoughts<'a>(members: &Members<'a>) -> Result<Vec<Reasoning<'a>>> {
    let id = members.text("id")?;
    let mut parts = Vec::new();
    for (name, is_summary) in [("summary", true), ("content", false)] {
        let texts = members.read(name, |source| source.list(|source| source.unread_members()?.needed_text("text")))?;
        let texts = texts.unwrap_or_default().into_iter().filter(|text| !text.is_empty());
        parts.extend(texts.map(|text| Reasoning { text, is_summary, id: id.clone(), ..Reasoning::default() }));
    }
    Ok(parts)
}
