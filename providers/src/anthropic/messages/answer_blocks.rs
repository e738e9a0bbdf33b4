//! The parts of an answer as its content blocks: whole ones, and what a block begins with in a stream.

use std::borrow::Cow;

use crate::hub::part::{Arguments, Citation, Media, MediaKind, MediaSource, Part, Reasoning, Text, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::stranger::marked;
use crate::hub::text::{Json, Str};

/// Writes a text.
pub(super) fn text(sink: &mut Sink, text: &Text<'_>) {
    sink.object(|sink| {
        sink.plain_member("type", "text");
        sink.text_member("text", &text.text);
        if text.citations.iter().any(is_told) {
            sink.key("citations").array(|sink| {
                text.citations.iter().filter(|citation| is_told(citation)).for_each(|told| citation(sink, told));
            });
        }
    });
}

/// Whether a citation can be told: the others are of documents by their numbers, which other vendors do not know.
pub(super) const fn is_told(citation: &Citation<'_>) -> bool {
    citation.url.is_some()
}

/// Writes a citation as that of a page of the web (`types/citations_web_search_result_location.py`).
pub(super) fn citation(sink: &mut Sink, citation: &Citation<'_>) {
    let none = Str::default();
    sink.object(|sink| {
        sink.plain_member("type", "web_search_result_location");
        sink.text_member("cited_text", citation.quote.as_ref().unwrap_or(&none));
        sink.text_member("url", citation.url.as_ref().unwrap_or(&none));
        match &citation.title {
            Some(title) => sink.text_member("title", title),
            None => sink.key("title").null(),
        }
        sink.text_member("encrypted_index", &none);
    });
}

/// Writes a thought. Its proof is none of Anthropic's.
pub(super) fn reasoning(sink: &mut Sink, reasoning: &Reasoning<'_>) {
    sink.object(|sink| match &reasoning.sealed {
        Some(sealed) if reasoning.text.is_empty() && reasoning.signature.is_none() => {
            sink.plain_member("type", "redacted_thinking");
            sink.text_member("data", &marked(sealed));
        }
        sealed => {
            sink.plain_member("type", "thinking");
            sink.text_member("thinking", &reasoning.text);
            let proof = reasoning.signature.as_ref().or(sealed.as_ref());
            sink.text_member("signature", &marked(proof.unwrap_or(&Str::default())));
        }
    });
}

/// Writes what a thought begins with in a stream: its text follows, and then its proof.
pub(super) fn reasoning_start(sink: &mut Sink) {
    sink.object(|sink| {
        sink.plain_member("type", "thinking");
        sink.plain_member("thinking", "");
        sink.plain_member("signature", "");
    });
}

/// Writes a call with its input.
pub(super) fn tool_call(sink: &mut Sink, call: &ToolCall<'_>, id: &str) {
    tool_use(sink, id, &call.name, |sink| match call.arguments.object() {
        Some(input) => sink.json(&input),
        None => not_json(sink, &call.arguments),
    });
}

/// Writes what a call begins with in a stream: its input follows.
pub(super) fn tool_call_start(sink: &mut Sink, id: &str, name: &Str<'_>) {
    tool_use(sink, id, name, |sink| sink.json(&Json::read("{}")));
}

fn tool_use(sink: &mut Sink, id: &str, name: &Str<'_>, input: impl FnOnce(&mut Sink)) {
    sink.object(|sink| {
        sink.plain_member("type", "tool_use");
        sink.text_member("id", &Str::raw_of(id));
        sink.text_member("name", name);
        input(sink.key("input"));
    });
}

/// Arguments that are no object, in the wrapping that Anthropic advises for them
/// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming>, 2026-11).
fn not_json(sink: &mut Sink, arguments: &Arguments<'_>) {
    sink.object(|sink| sink.text_member("INVALID_JSON", &arguments.text()));
}

/// A call's id: the vendor's, or one made of the request's.
pub(super) fn call_id<'s>(id: Option<&'s Str<'_>>, request_id: &str, number: u32) -> Cow<'s, str> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) => Cow::Borrowed(id.raw()),
        None => Cow::Owned(format!("call_{}_{number}", Str::of(request_id).raw())),
    }
}

/// Writes an image that a model made; no other medium has a block that clients know.
pub(super) fn media(sink: &mut Sink, media: &Media<'_>) {
    sink.object(|sink| {
        sink.plain_member("type", "image");
        sink.key("source").object(|sink| match &media.source {
            MediaSource::Inline { mime, base64 } => {
                sink.plain_member("type", "base64");
                sink.text_member("media_type", mime);
                sink.text_member("data", base64);
            }
            MediaSource::Plain(text) | MediaSource::Url { url: text, .. } | MediaSource::Id(text) => {
                sink.plain_member("type", "url");
                sink.text_member("url", text);
            }
        });
    });
}

/// Whether a part has a block.
pub(super) fn has_block(part: &Part<'_>) -> bool {
    match part {
        Part::Text(_) | Part::Refusal(_) | Part::ToolCall(_) => true,
        Part::Reasoning(reasoning) => {
            !reasoning.text.is_empty() || reasoning.signature.is_some() || reasoning.sealed.is_some()
        }
        Part::Media(media) => {
            let is_there = matches!(media.source, MediaSource::Inline { .. } | MediaSource::Url { .. });
            media.kind == MediaKind::Image && is_there
        }
        Part::ToolResult(_) | Part::Other { .. } => false,
    }
}
