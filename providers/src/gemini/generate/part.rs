//! Parts of turns and answers, read: an object with one member that says what it is, and others about it.

use super::blob::standard;
use super::names::{members, one_or_many, other, word};
use crate::hub::part::{
    Arguments, Media, MediaKind, MediaSource, Part, Reasoning, Text, ToolCall, ToolOutput, ToolResult,
};
use crate::hub::request::Other;
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// What the members of a part say.
#[derive(Default)]
struct Draft<'a> {
    text: Option<Str<'a>>,
    media: Option<Media<'a>>,
    call: Option<ToolCall<'a>>,
    result: Option<ToolResult<'a>>,
    /// The name of a member that only Gemini knows.
    other: Option<Str<'static>>,
    is_thought: bool,
    signature: Option<Str<'a>>,
    detail: Option<Str<'a>>,
}

/// Reads a part. What is said about it and has no place is kept by its name. `None`: it is empty.
pub(super) fn read<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<Option<Part<'a>>> {
    let mut draft = Draft::default();
    let ((), whole) = source.kept(|source| members(source, |source, name| draft.member(source, name, others)))?;
    Ok(draft.finish(whole))
}

impl<'a> Draft<'a> {
    fn member(&mut self, source: &mut Source<'a>, name: &str, others: &mut Vec<Other<'a>>) -> Result<()> {
        if source.is_null()? {
            return Ok(());
        }
        match name {
            "text" => self.text = source.text_or_null()?,
            "thought" => self.is_thought = source.flag()?.unwrap_or(false),
            "thoughtSignature" => self.signature = source.text_or_null()?.map(standard),
            "inlineData" => self.media = Some(inline(source)?),
            "fileData" => self.media = Some(file(source)?),
            "functionCall" => self.call = Some(call(source)?),
            "functionResponse" => self.result = Some(result(source, others)?),
            "mediaResolution" => self.detail = detail(source)?,
            "partMetadata"
            | "videoMetadata"
            | "audioMetadata"
            | "documentMetadata"
            | "spreadsheetMetadata"
            | "speechMetadata"
            | "mediaProcessing"
            | "audioTranscription" => {
                other(others, source, "contents[].parts[].", name)?;
            }
            _ => {
                self.other = Some(Str::of(name).into_owned());
                source.skip()?;
            }
        }
        Ok(())
    }

    fn finish(self, whole: Json<'a>) -> Option<Part<'a>> {
        let Self { text, media, call, result, other, is_thought, signature, detail } = self;
        if let Some(call) = call {
            return Some(Part::ToolCall(ToolCall { signature, ..call }));
        }
        if let Some(result) = result {
            return Some(Part::ToolResult(result));
        }
        if let Some(media) = media {
            return Some(Part::Media(Media { detail, ..media }));
        }
        if let Some(kind) = other {
            return Some(Part::Other { kind, value: whole });
        }
        if text.is_none() && signature.is_none() {
            return None;
        }
        let text = text.unwrap_or_default();
        Some(if is_thought {
            // What Gemini shows of its thoughts are summaries (<https://ai.google.dev/gemini-api/docs/thinking#summaries>).
            Part::Reasoning(Reasoning { text, is_summary: true, signature, ..Reasoning::default() })
        } else {
            Part::Text(Text { signature, ..Text::plain(text) })
        })
    }
}

/// Bytes that are here.
fn inline<'a>(source: &mut Source<'a>) -> Result<Media<'a>> {
    let (mut mime, mut base64, mut name) = (Str::default(), Str::default(), None);
    members(source, |source, member| {
        match member {
            "mimeType" => mime = source.text_or_null()?.unwrap_or_default(),
            "data" => base64 = source.text_or_null()?.map(standard).unwrap_or_default(),
            "displayName" => name = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let kind = kind_of(&mime.plain()).unwrap_or(MediaKind::File);
    Ok(Media { kind, source: MediaSource::Inline { mime, base64 }, detail: None, name, cache: None })
}

/// Bytes that are elsewhere: in Google's own stores, which nobody else can read, or on the web.
fn file<'a>(source: &mut Source<'a>) -> Result<Media<'a>> {
    let (mut mime, mut url, mut name) = (None, Str::default(), None);
    members(source, |source, member| {
        match member {
            "mimeType" => mime = source.text_or_null()?,
            "fileUri" => url = source.text_or_null()?.unwrap_or_default(),
            "displayName" => name = source.text_or_null()?,
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let kind = mime.as_ref().and_then(|mime| kind_of(&mime.plain())).or_else(|| kind_of(mime_of(&url.plain())?));
    let source = if is_googles(&url.plain()) { MediaSource::Id(url) } else { MediaSource::Url { url, mime } };
    Ok(Media { kind: kind.unwrap_or(MediaKind::File), source, detail: None, name, cache: None })
}

/// Whether a URI leads into Google's own stores.
pub(super) fn is_googles(uri: &str) -> bool {
    uri.starts_with("gs://") || uri.starts_with("https://generativelanguage.googleapis.com/") || !uri.contains("://")
}

/// What a MIME type is the type of. `None`: it is none.
fn kind_of(mime: &str) -> Option<MediaKind> {
    Some(match mime.split('/').next()? {
        "" => return None,
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::File,
    })
}

/// The MIME type that a URL's ending tells.
pub(super) fn mime_of(url: &str) -> Option<&'static str> {
    if ["youtube.com/", "youtu.be/"].iter().any(|host| url.contains(host)) {
        return Some("video/mp4");
    }
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "html" => "text/html",
        "md" => "text/md",
        "json" => "application/json",
        _ => return None,
    })
}

fn detail<'a>(source: &mut Source<'a>) -> Result<Option<Str<'a>>> {
    let mut detail = None;
    members(source, |source, name| match name {
        "level" => {
            detail = match word(source)?.as_deref() {
                Some("MEDIA_RESOLUTION_LOW") => Some(Str::raw_of("low")),
                Some("MEDIA_RESOLUTION_HIGH" | "MEDIA_RESOLUTION_ULTRA_HIGH") => Some(Str::raw_of("high")),
                _ => None,
            };
            Ok(())
        }
        _ => source.skip(),
    })?;
    Ok(detail)
}

fn call<'a>(source: &mut Source<'a>) -> Result<ToolCall<'a>> {
    let (mut id, mut name, mut arguments) = (None, Str::default(), Json::read("{}"));
    members(source, |source, member| {
        match member {
            "id" => id = source.text_or_null()?.filter(|id| !id.is_empty()),
            "name" => name = source.text()?,
            "args" => arguments = source.json_or_null()?.unwrap_or(Json::read("{}")),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    Ok(ToolCall { id, name, arguments: Arguments::Value(arguments), signature: None, cache: None })
}

/// `output` alone is what the tool gave back, `error` alone is what went wrong; any other object is what it gave back itself.
fn result<'a>(source: &mut Source<'a>, others: &mut Vec<Other<'a>>) -> Result<ToolResult<'a>> {
    let (mut id, mut name, mut response, mut media) = (None, None, Response::default(), Vec::new());
    members(source, |source, member| match member {
        "id" => {
            id = source.text_or_null()?.filter(|id| !id.is_empty());
            Ok(())
        }
        "name" => {
            name = source.text_or_null()?;
            Ok(())
        }
        "response" => {
            response = Response::read(source)?;
            Ok(())
        }
        "parts" => one_or_many(source, |source| {
            media.extend(read(source, others)?);
            Ok(())
        }),
        // They are for calls that are not waited for, which only the Live API has.
        _ => other(others, source, "contents[].parts[].functionResponse.", member),
    })?;
    let is_error = response.is_error;
    Ok(ToolResult { id, name, content: response.content(media), is_error, cache: None })
}

#[derive(Default)]
struct Response<'a> {
    value: Option<Json<'a>>,
    text: Option<Str<'a>>,
    is_error: bool,
}

impl<'a> Response<'a> {
    fn read(source: &mut Source<'a>) -> Result<Self> {
        if source.is_null()? {
            return Ok(Self::default());
        }
        let (mut count, mut inner) = (0, Self::default());
        let ((), whole) = source.kept(|source| {
            source.members(|source, name| {
                count += 1;
                match (name, source.kind()?) {
                    ("output" | "error", Kind::String) => inner.text = Some(source.text()?),
                    ("output" | "error", _) => inner.value = Some(source.json()?),
                    _ => return source.skip(),
                }
                inner.is_error = name == "error";
                Ok(())
            })
        })?;
        let is_wrapped = count == 1 && (inner.text.is_some() || inner.value.is_some());
        Ok(if is_wrapped { inner } else { Self { value: Some(whole), ..Self::default() } })
    }

    fn content(self, media: Vec<Part<'a>>) -> ToolOutput<'a> {
        let text = match (self.text, self.value) {
            (Some(text), _) => Some(text),
            (None, Some(value)) if media.is_empty() => return ToolOutput::Value(value),
            (None, value) => value.map(|value| value.as_text().into_owned()),
        };
        let text = text.map(|text| Part::Text(Text::plain(text)));
        ToolOutput::Parts(text.into_iter().chain(media).collect())
    }
}
