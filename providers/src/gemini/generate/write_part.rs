//! Parts of turns and answers, written.

use super::blob::is_base64;
use super::part::mime_of;
use crate::hub::part::{Media, MediaKind, MediaSource, Reasoning, Text, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::text::{Json, Str};

/// A text.
pub(super) fn text(text: &Text<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.text_member("text", &text.text);
        signature(text.signature.as_ref(), sink);
    });
}

/// A text by itself.
pub(super) fn plain(text: &Str<'_>, sink: &mut Sink) {
    sink.object(|sink| sink.text_member("text", text));
}

/// A thought.
pub(super) fn thought(reasoning: &Reasoning<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.text_member("text", &reasoning.text);
        sink.flag_member("thought", true);
        signature(reasoning.signature.as_ref(), sink);
    });
}

/// A call of a tool, with these arguments.
pub(super) fn call(call: &ToolCall<'_>, arguments: &Json<'_>, proof: Option<&Str<'_>>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.key("functionCall").object(|sink| {
            if let Some(id) = &call.id {
                sink.text_member("id", id);
            }
            sink.text_member("name", &call.name);
            sink.json_member("args", arguments);
        });
        signature(proof, sink);
    });
}

/// A medium that is here, in the usual base64, or at a URI. What is in another vendor's store is not written.
pub(super) fn media(media: &Media<'_>, sink: &mut Sink) {
    match &media.source {
        MediaSource::Plain(text) => plain(text, sink),
        MediaSource::Inline { mime, base64 } => blob(mime, base64, media, sink),
        MediaSource::Url { url, mime } => file(url, mime.as_ref(), media, sink),
        MediaSource::Id(uri) => file(uri, None, media, sink),
    }
}

fn blob(mime: &Str<'_>, base64: &Str<'_>, media: &Media<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.key("inlineData").object(|sink| {
            match mime.is_empty() {
                true => sink.plain_member("mimeType", usual_mime(media.kind)),
                false => sink.text_member("mimeType", mime),
            }
            sink.text_member("data", base64);
        });
    });
}

/// The MIME type is demanded; where nobody tells it, it is guessed.
fn file(uri: &Str<'_>, mime: Option<&Str<'_>>, media: &Media<'_>, sink: &mut Sink) {
    sink.object(|sink| {
        sink.key("fileData").object(|sink| {
            match mime {
                Some(mime) => sink.text_member("mimeType", mime),
                None => {
                    let guess = mime_of(&uri.plain()).unwrap_or(usual_mime(media.kind));
                    sink.plain_member("mimeType", guess);
                }
            }
            sink.text_member("fileUri", uri);
        });
    });
}

const fn usual_mime(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Audio => "audio/mp3",
        MediaKind::Video => "video/mp4",
        MediaKind::File => "application/pdf",
    }
}

fn signature(signature: Option<&Str<'_>>, sink: &mut Sink) {
    if let Some(signature) = signature.filter(|signature| is_base64(signature)) {
        sink.text_member("thoughtSignature", signature);
    }
}
