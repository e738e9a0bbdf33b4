//! Texts and media that are given to the model, written (`response_input_content_param.py`).

use crate::hub::part::{Media, MediaKind, MediaSource};
use crate::hub::sink::Sink;
use crate::hub::text::Str;

/// Writes a text.
pub(super) fn write_input_text(text: &Str<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "input_text");
        sink.text_member("text", text);
    });
}

/// Writes a medium. `false`: there is no form for it.
pub(super) fn write_media(media: &Media<'_>, sink: &mut Sink) -> bool {
    match (media.kind, &media.source) {
        (MediaKind::File, MediaSource::Plain(text)) => write_input_text(text, sink),
        (MediaKind::Image, source) if !matches!(source, MediaSource::Plain(_)) => sink.object(|sink| {
            sink.plain_member("type", "input_image");
            sink.text_member("detail", media.detail.as_ref().unwrap_or(&Str::raw_of("auto")));
            match source {
                MediaSource::Id(id) => sink.text_member("file_id", id),
                other => write_url("image_url", other, sink),
            }
        }),
        (MediaKind::File, source) => sink.object(|sink| {
            sink.plain_member("type", "input_file");
            match source {
                MediaSource::Id(id) => sink.text_member("file_id", id),
                MediaSource::Url { .. } => write_url("file_url", source, sink),
                _ => {
                    sink.text_member("filename", media.name.as_ref().unwrap_or(&Str::raw_of(name_of(source))));
                    write_url("file_data", source, sink);
                }
            }
        }),
        _ => return false,
    }
    true
}

fn write_url(name: &str, source: &MediaSource<'_>, sink: &mut Sink) {
    match source {
        MediaSource::Url { url, .. } => sink.text_member(name, url),
        MediaSource::Inline { mime, base64 } => {
            let mut url = Str::default();
            for piece in [&Str::raw_of("data:"), mime, &Str::raw_of(";base64,"), base64] {
                url.push(piece);
            }
            sink.text_member(name, &url);
        }
        MediaSource::Plain(_) | MediaSource::Id(_) => {}
    }
}

/// A name for a file that has none: the API wants one.
fn name_of(source: &MediaSource<'_>) -> &'static str {
    match source {
        MediaSource::Inline { mime, .. } if mime.raw().starts_with("text/") => "file.txt",
        _ => "file.pdf",
    }
}
