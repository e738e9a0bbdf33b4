//! Images that the model drew: items of their own (`ImageGenerationCall` of `response_output_item.py`).

use crate::hub::members::Members;
use crate::hub::part::{Media, MediaKind, MediaSource};
use crate::hub::sink::Sink;
use crate::hub::source::Result;
use crate::hub::text::Str;

/// An image that was drawn. `None`: none was.
pub(super) fn read<'a>(members: &Members<'a>) -> Result<Option<Media<'a>>> {
    let Some(base64) = members.text("result")? else { return Ok(None) };
    let mime = match members.text("output_format")? {
        Some(format) => Str::of(&format!("image/{}", format.plain())).into_owned(),
        None => Str::raw_of("image/png"),
    };
    let source = MediaSource::Inline { mime, base64 };
    Ok(Some(Media { kind: MediaKind::Image, source, detail: None, name: None, cache: None }))
}

/// The type and the base64 of a medium that can be told as such an item. `None`: it cannot.
pub(super) fn drawn<'m>(media: &'m Media<'_>) -> Option<(&'m Str<'m>, &'m Str<'m>)> {
    match &media.source {
        MediaSource::Inline { mime, base64 } if media.kind == MediaKind::Image => Some((mime, base64)),
        _ => None,
    }
}

/// Writes the item.
pub(super) fn write(id: &str, mime: &Str<'_>, base64: &Str<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("id", id);
        sink.plain_member("type", "image_generation_call");
        sink.plain_member("status", "completed");
        sink.text_member("result", base64);
        if let Some(format) = mime.raw().strip_prefix("image/") {
            sink.plain_member("output_format", format);
        }
    });
}
