//! A message's content: a string, or an array of parts (`chat_completion_content_part_param.py`), and the parts that vendors who
//! copy the API have besides.

use crate::hub::part::{CacheMark, Media, MediaKind, MediaSource, Part, Reasoning, Text};
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;
use crate::json::Kind;

/// Reads a content and adds its parts; an empty string is none.
pub(super) fn read<'a>(source: &mut Source<'a>, parts: &mut Vec<Part<'a>>) -> Result<()> {
    match source.kind()? {
        Kind::Null => source.skip(),
        Kind::String => {
            let text = source.text()?;
            if !text.is_empty() {
                parts.push(Part::Text(Text::plain(text)));
            }
            Ok(())
        }
        Kind::Array => source.elements(|source| {
            parts.push(part(source)?);
            Ok(())
        }),
        _ => source.wrong("a string or an array of content parts"),
    }
}

fn part<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let Some(kind) = source.ahead("type")? else { return source.wrong("an object with a `type`") };
    match kind.raw() {
        "text" => text(source),
        "image_url" => at_url(source, "image_url", MediaKind::Image),
        "video_url" => at_url(source, "video_url", MediaKind::Video),
        "audio_url" => at_url(source, "audio_url", MediaKind::Audio),
        // Mistral's, 2026-11.
        "document_url" => at_url(source, "document_url", MediaKind::File),
        "input_audio" => audio(source),
        "file" => file(source),
        "refusal" => refusal(source),
        "thinking" => thinking(source),
        _ => Ok(Part::Other { kind, value: source.json()? }),
    }
}

fn text<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let mut text = Text::default();
    source.members(|source, name| {
        match name {
            "text" => text.text = source.text()?,
            "cache_control" | "prompt_cache_breakpoint" => text.cache = cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(Part::Text(text))
}

fn refusal<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let mut refusal = Str::default();
    source.members(|source, name| {
        match name {
            "refusal" => refusal = source.text()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(Part::Refusal(refusal))
}

/// Mistral's thoughts (<https://docs.mistral.ai/capabilities/reasoning>, 2026-11): an array of texts, or one text.
fn thinking<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let mut thought = Reasoning::default();
    source.members(|source, name| {
        match name {
            "thinking" => {
                let mut parts = Vec::new();
                read(source, &mut parts)?;
                for part in &parts {
                    if let Part::Text(text) = part {
                        thought.text.push(&text.text);
                    }
                }
            }
            "signature" => thought.signature = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(Part::Reasoning(thought))
}

/// A mark for the cache: `cache_control` as OpenRouter and LiteLLM take it, `prompt_cache_breakpoint` as OpenAI does.
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

/// Writes a mark as `cache_control`, which knows two lifetimes.
pub(super) fn write_mark(mark: &CacheMark<'_>, sink: &mut Sink) {
    sink.key("cache_control").object(|sink| {
        sink.plain_member("type", "ephemeral");
        if mark.ttl.as_ref().is_some_and(|ttl| ["1h", "12h", "24h"].iter().any(|long| ttl.is(long))) {
            sink.plain_member("ttl", "1h");
        }
    });
}

fn media(kind: MediaKind) -> Media<'static> {
    let source = MediaSource::Plain(Str::default());
    Media { kind, source, detail: None, name: None, cache: None }
}

/// A medium at a URL: an object with the URL, or (Mistral's) the URL itself.
fn at_url<'a>(source: &mut Source<'a>, member: &str, kind: MediaKind) -> Result<Part<'a>> {
    let mut media: Media<'a> = media(kind);
    let mut url = None;
    source.members(|source, name| {
        match name {
            _ if name == member && source.kind()? == Kind::String => url = Some(source.text()?),
            _ if name == member => source.members(|source, name| {
                match name {
                    "url" => url = Some(source.text()?),
                    "detail" => media.detail = source.text_or_null()?,
                    _ => source.skip()?,
                }
                Ok(())
            })?,
            "document_name" => media.name = source.text_or_null()?,
            "cache_control" | "prompt_cache_breakpoint" => media.cache = cache_mark(source)?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let Some(url) = url else { return Err(missing("a URL").under(member)) };
    media.source = MediaSource::at(url);
    Ok(Part::Media(media))
}

fn missing(expected: &'static str) -> crate::hub::source::ReadError {
    crate::hub::source::ReadError::wrong(expected)
}

fn audio<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let mut media: Media<'a> = media(MediaKind::Audio);
    let (mut data, mut format) = (None, None);
    source.members(|source, name| match name {
        "input_audio" => source.members(|source, name| {
            match name {
                "data" => data = Some(source.text()?),
                "format" => format = source.text_or_null()?,
                _ => source.skip()?,
            }
            Ok(())
        }),
        "cache_control" | "prompt_cache_breakpoint" => {
            media.cache = cache_mark(source)?;
            Ok(())
        }
        _ => source.skip(),
    })?;
    let Some(data) = data else { return Err(missing("an object with `data` and `format`").under("input_audio")) };
    media.source = match data.data_url() {
        Some((mime, base64)) => MediaSource::Inline { mime, base64 },
        None => MediaSource::Inline { mime: audio_mime(format), base64: data },
    };
    Ok(Part::Media(media))
}

/// The MIME type of OpenAI's name for a sound's format.
fn audio_mime(format: Option<Str<'_>>) -> Str<'_> {
    match format.as_ref().map(Str::raw) {
        None | Some("wav") => Str::raw_of("audio/wav"),
        Some("mp3") => Str::raw_of("audio/mpeg"),
        Some("m4a") => Str::raw_of("audio/mp4"),
        Some("pcm16") => Str::raw_of("audio/pcm"),
        Some(other) => Str::of(&format!("audio/{other}")).into_owned(),
    }
}

/// OpenAI's name for the format of a sound of this MIME type. `None`: it takes none such.
pub(super) fn audio_format(mime: &Str<'_>) -> Option<&'static str> {
    match mime.raw() {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

fn file<'a>(source: &mut Source<'a>) -> Result<Part<'a>> {
    let mut media: Media<'a> = media(MediaKind::File);
    let (mut data, mut id) = (None, None);
    source.members(|source, name| match name {
        "file" => source.members(|source, name| {
            match name {
                "file_data" => data = source.text_or_null()?,
                "file_id" => id = source.text_or_null()?,
                "filename" => media.name = source.text_or_null()?,
                _ => source.skip()?,
            }
            Ok(())
        }),
        "cache_control" | "prompt_cache_breakpoint" => {
            media.cache = cache_mark(source)?;
            Ok(())
        }
        _ => source.skip(),
    })?;
    media.source = match (data, id) {
        (Some(data), _) => file_source(data, media.name.as_ref()),
        (None, Some(id)) => MediaSource::Id(id),
        (None, None) => return Err(missing("an object with `file_data` or `file_id`").under("file")),
    };
    Ok(Part::Media(media))
}

/// A file's data: a `data:` URL, the URL where it is (OpenRouter takes these), or bare base64, whose type its name tells.
fn file_source<'a>(data: Str<'a>, name: Option<&Str<'a>>) -> MediaSource<'a> {
    let has_scheme = ["http:", "https:", "data:", "gs:"].iter().any(|scheme| data.raw().starts_with(scheme));
    if has_scheme {
        return MediaSource::at(data);
    }
    let extension = name.and_then(|name| name.raw().rsplit_once('.')).map(|(_, extension)| extension);
    let mime = match extension {
        Some("txt" | "md" | "csv") => "text/plain",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => "application/pdf",
    };
    MediaSource::Inline { mime: Str::raw_of(mime), base64: data }
}
