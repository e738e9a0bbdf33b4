//! Images and documents, written for a request.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::hub::field::{Field, Lost};
use crate::hub::part::{Media, MediaKind, MediaSource};
use crate::hub::sink::Sink;
use crate::hub::text::Str;

use super::request_blocks::write_mark;

/// Images that Anthropic takes (`types/base64_image_source_param.py`).
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Whether Anthropic takes an image or a document.
pub(super) fn is_taken(media: &Media<'_>, lost: &mut Lost) -> bool {
    let is_taken = taken(media).is_some();
    lost.add_if(!is_taken, refused(media));
    is_taken
}

/// Writes an image or a document that is taken.
pub(super) fn write(sink: &mut Sink, media: &Media<'_>) {
    let Some((kind, source)) = taken(media) else { return };
    sink.object(|sink| {
        sink.plain_member("type", kind);
        sink.key("source").object(|sink| write_source(sink, &source));
        if let Some(title) = media.name.as_ref().filter(|title| kind == DOCUMENT && !title.is_empty()) {
            sink.text_member("title", title);
        }
        write_mark(sink, media.cache.as_ref());
    });
}

const IMAGE: &str = "image";
const DOCUMENT: &str = "document";

/// The block's type, and what it is made of. `None`: Anthropic does not take it.
fn taken<'m>(media: &'m Media<'_>) -> Option<(&'static str, Cow<'m, MediaSource<'m>>)> {
    let as_it_is = |kind| Some((kind, Cow::Borrowed(&media.source)));
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Inline { mime, .. }) if IMAGES.contains(&mime.raw()) => as_it_is(IMAGE),
        (MediaKind::Image, MediaSource::Url { .. }) => as_it_is(IMAGE),
        (MediaKind::File, MediaSource::Inline { mime, base64 }) => {
            document(mime, base64).map(|source| (DOCUMENT, Cow::Owned(source)))
        }
        (MediaKind::File, MediaSource::Url { mime, .. }) if mime.as_ref().is_none_or(|mime| mime.is(PDF)) => {
            as_it_is(DOCUMENT)
        }
        (MediaKind::File, MediaSource::Plain(_)) => as_it_is(DOCUMENT),
        _ => None,
    }
}

const PDF: &str = "application/pdf";

/// A document that is a PDF or a text, whatever it is called.
fn document<'m>(mime: &'m Str<'_>, base64: &'m Str<'_>) -> Option<MediaSource<'m>> {
    // The base64 of `%PDF-`.
    if mime.is(PDF) || base64.raw().starts_with("JVBERi") {
        return Some(MediaSource::Inline { mime: Str::raw_of(PDF), base64: base64.by_ref() });
    }
    let bytes = BASE64_STANDARD.decode(base64.plain().as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    Some(MediaSource::Plain(Str::of(&text).into_owned()))
}

/// What of a medium Anthropic does not take.
const fn refused(media: &Media<'_>) -> Field {
    match (media.kind, &media.source) {
        (MediaKind::Image | MediaKind::File, MediaSource::Id(_)) => Field::MediaId,
        (kind, _) => Field::of(kind),
    }
}

fn write_source(sink: &mut Sink, source: &MediaSource<'_>) {
    match source {
        MediaSource::Inline { mime, base64 } => {
            sink.plain_member("type", "base64");
            sink.text_member("media_type", mime);
            sink.text_member("data", base64);
        }
        MediaSource::Plain(text) => {
            sink.plain_member("type", "text");
            sink.plain_member("media_type", "text/plain");
            sink.text_member("data", text);
        }
        MediaSource::Url { url, .. } => {
            sink.plain_member("type", "url");
            sink.text_member("url", url);
        }
        MediaSource::Id(id) => {
            sink.plain_member("type", "file");
            sink.text_member("file_id", id);
        }
    }
}
