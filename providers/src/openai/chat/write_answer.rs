//! Whole answers as clients of the API expect them.

use memchr::memmem;
use policy::usage::{ServiceTier, Usage};

use super::write_message::{data_url, image, words};
use super::{call, logprobs, thought};
use crate::hub::answer::{Answer, Candidate, Head, Stop};
use crate::hub::part::{Citation, Media, MediaKind, MediaSource, Part, ToolCall};
use crate::hub::sink::Sink;
use crate::hub::source::Source;
use crate::hub::text::Str;
use crate::json::Kind;
use crate::translate::Context;

/// Writes an answer.
pub(crate) fn write_answer(answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    let mut sink = Sink::with_capacity(2048);
    sink.object(|sink| {
        write_head(&answer.head, "chatcmpl-", "chat.completion", context, sink);
        sink.key("choices").array(|sink| {
            let mut writer = Writer { context, wants_functions: wants_functions(&context.asked), made: 0 };
            answer.candidates.iter().for_each(|candidate| writer.choice(candidate, sink));
        });
        if let Some(usage) = &answer.usage {
            sink.key("usage");
            write_usage(usage, sink);
            write_tier(usage, sink);
        }
    });
    sink.into_bytes()
}

/// Writes what an answer, or a chunk of one, is known by.
pub(in crate::openai) fn write_head(head: &Head<'_>, prefix: &str, object: &str, context: &Context, sink: &mut Sink) {
    match &head.id {
        Some(id) => sink.text_member("id", id),
        None => sink.text_member("id", &Str::joined(&[prefix, Str::of(&context.request_id).raw()])),
    }
    sink.plain_member("object", object);
    sink.count_member("created", head.created.unwrap_or(context.now_s));
    match &head.model {
        Some(model) => sink.text_member("model", model),
        None => sink.plain_member("model", &context.model),
    }
}

/// Writes usage so that its totals hold their details, as `completion_usage.py` has them.
pub(in crate::openai) fn write_usage(usage: &Usage, sink: &mut Sink) {
    let (input, output) = (usage.input_total(), usage.output_total());
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    sink.object(|sink| {
        sink.count_member("prompt_tokens", input);
        sink.count_member("completion_tokens", output);
        sink.count_member("total_tokens", input.saturating_add(output));
        sink.key("prompt_tokens_details").object(|sink| {
            sink.count_member("cached_tokens", usage.cache_read);
            sink.count_member("audio_tokens", usage.input_audio);
            some(sink, "cache_write_tokens", written);
            some(sink, "image_tokens", usage.input_image);
            if usage.cache_write_1h > 0 {
                sink.key("cache_write_tokens_details")
                    .object(|sink| sink.count_member("ttl_12h_tokens", usage.cache_write_1h));
            }
        });
        sink.key("completion_tokens_details").object(|sink| {
            sink.count_member("reasoning_tokens", usage.reasoning);
            sink.count_member("audio_tokens", usage.output_audio);
            some(sink, "image_tokens", usage.output_image);
        });
    });
}

fn some(sink: &mut Sink, name: &str, count: u64) {
    if count > 0 {
        sink.count_member(name, count);
    }
}

/// Writes the price class, where it is one of those that OpenAI has besides its own.
pub(in crate::openai) fn write_tier(usage: &Usage, sink: &mut Sink) {
    let name = match usage.tier {
        ServiceTier::Priority => "priority",
        ServiceTier::Flex => "flex",
        _ => return,
    };
    sink.plain_member("service_tier", name);
}

/// Whether a request has tools in the deprecated form, and so expects calls in it.
pub(super) fn wants_functions(asked: &[u8]) -> bool {
    if memmem::find(asked, b"\"functions\"").is_none() {
        return false;
    }
    let mut is_found = false;
    let read = Source::new(asked).and_then(|source| {
        source.whole(|source| {
            source.members(|source, name| {
                is_found |= name == "functions" && source.kind()? == Kind::Array;
                source.skip()
            })
        })
    });
    read.is_ok() && is_found
}

/// The word for why a choice ended. `says_why`: the model's own words on why it does not answer are there, and an ordinary end.
pub(super) const fn finish_reason(stop: &Stop<'_>, says_why: bool, calls_function: bool) -> &'static str {
    match stop {
        Stop::Tools if calls_function => "function_call",
        Stop::Tools => "tool_calls",
        Stop::Length | Stop::Context => "length",
        Stop::Filter => "content_filter",
        Stop::Refusal if !says_why => "content_filter",
        Stop::End | Stop::Sequence(_) | Stop::Refusal | Stop::Pause | Stop::BadToolCall => "stop",
    }
}

struct Writer<'a> {
    context: &'a Context,
    wants_functions: bool,
    /// How many ids were made.
    made: u64,
}

impl Writer<'_> {
    fn choice(&mut self, candidate: &Candidate<'_>, sink: &mut Sink) {
        let has_refusal = candidate.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        let calls_function = self.wants_functions && calls(&candidate.parts).count() == 1;
        sink.object(|sink| {
            sink.count_member("index", u64::from(candidate.index));
            sink.key("message").object(|sink| self.message(&candidate.parts, calls_function, sink));
            logprobs::write(&candidate.logprobs, has_refusal, sink);
            let stop = candidate.stop.as_ref().unwrap_or(&Stop::End);
            sink.plain_member("finish_reason", finish_reason(stop, has_refusal, calls_function));
        });
    }

    fn message(&mut self, parts: &[Part<'_>], calls_function: bool, sink: &mut Sink) {
        sink.plain_member("role", "assistant");
        let (text, refusal) = words(parts);
        for (name, words) in [("content", text), ("refusal", refusal)] {
            match words {
                Some(words) => sink.text_member(name, &words),
                None => sink.key(name).null(),
            }
        }
        thought::write(parts, sink);
        self.calls(parts, calls_function, sink);
        write_annotations(parts, sink);
        write_media(parts, self.context, sink);
        if let Some(signature) = text_signature(parts) {
            call::write_signature(signature, sink);
        }
    }

    fn calls(&mut self, parts: &[Part<'_>], calls_function: bool, sink: &mut Sink) {
        let mut each = calls(parts);
        let Some(first) = each.next() else { return };
        if calls_function {
            sink.key("function_call").object(|sink| call::write_function(first, true, sink));
            return;
        }
        sink.key("tool_calls").array(|sink| {
            for one in std::iter::once(first).chain(each) {
                let id = match &one.id {
                    Some(id) => id.by_ref(),
                    None => made_id(self.context, &mut self.made),
                };
                call::write(one, &id, None, true, sink);
            }
        });
    }
}

fn calls<'b, 'a>(parts: &'b [Part<'a>]) -> impl Iterator<Item = &'b ToolCall<'a>> {
    parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None })
}

fn text_signature<'b, 'a>(parts: &'b [Part<'a>]) -> Option<&'b Str<'a>> {
    parts.iter().rev().find_map(|part| if let Part::Text(text) = part { text.signature.as_ref() } else { None })
}

/// An id for a call of a vendor that gives none.
pub(super) fn made_id(context: &Context, made: &mut u64) -> Str<'static> {
    let id = Str::joined(&["call_", Str::of(&context.request_id).raw(), "_", &made.to_string()]);
    *made += 1;
    id
}

fn write_annotations(parts: &[Part<'_>], sink: &mut Sink) {
    let has_some = |part: &Part<'_>| matches!(part, Part::Text(text) if text.citations.iter().any(is_told));
    if !parts.iter().any(has_some) {
        return;
    }
    sink.key("annotations").array(|sink| {
        let mut start = 0;
        for part in parts {
            let Part::Text(text) = part else { continue };
            let end = start + characters(&text.text);
            text.citations.iter().for_each(|citation| write_annotation(citation, (start, end), None, sink));
            start = end;
        }
    });
}

/// Only what is on the web can be cited.
pub(super) const fn is_told(citation: &Citation<'_>) -> bool {
    citation.url.is_some()
}

/// Writes what the text from `start` to `end` rests on, or the part of it that is told. `index`: its place among those of a
/// stream, by which OpenAI's client puts lists together; without it, it breaks off at the second one.
pub(super) fn write_annotation(citation: &Citation<'_>, (start, end): (u64, u64), index: Option<u64>, sink: &mut Sink) {
    let Some(url) = &citation.url else { return };
    let (from, to) = citation.range.map_or((start, end), |(from, to)| (start + from, start + to));
    sink.object(|sink| {
        if let Some(index) = index {
            sink.count_member("index", index);
        }
        sink.plain_member("type", "url_citation");
        sink.key("url_citation").object(|sink| {
            sink.count_member("start_index", from);
            sink.count_member("end_index", to);
            sink.text_member("title", citation.title.as_ref().unwrap_or(url));
            sink.text_member("url", url);
            if let Some(quote) = &citation.quote {
                sink.text_member("content", quote);
            }
        });
    });
}

/// How many characters a text has.
pub(in crate::openai) fn characters(text: &Str<'_>) -> u64 {
    u64::try_from(text.plain().chars().count()).unwrap_or(u64::MAX)
}

/// Writes sounds and, as OpenRouter and LiteLLM have them, images.
fn write_media(parts: &[Part<'_>], context: &Context, sink: &mut Sink) {
    let media = || parts.iter().filter_map(|part| if let Part::Media(media) = part { Some(media) } else { None });
    if media().any(is_image) {
        sink.key("images").array(|sink| media().for_each(|media| write_image(media, sink)));
    }
    if let Some(sound) = media().find_map(sound) {
        sink.key("audio").object(|sink| {
            sink.text_member("id", &audio_id(context));
            sink.text_member("data", sound);
            sink.count_member("expires_at", context.now_s);
            sink.plain_member("transcript", "");
        });
    }
}

pub(super) fn audio_id(context: &Context) -> Str<'static> {
    Str::joined(&["audio_", Str::of(&context.request_id).raw()])
}

const fn is_image(media: &Media<'_>) -> bool {
    matches!(media.kind, MediaKind::Image)
}

/// A sound's base64.
pub(super) const fn sound<'b, 'a>(media: &'b Media<'a>) -> Option<&'b Str<'a>> {
    match (media.kind, &media.source) {
        (MediaKind::Audio, MediaSource::Inline { base64, .. }) => Some(base64),
        _ => None,
    }
}

/// Writes an image as an element of `images`.
pub(super) fn write_image(media: &Media<'_>, sink: &mut Sink) {
    match &media.source {
        MediaSource::Inline { mime, base64 } if is_image(media) => image(&data_url(mime, base64), media, sink),
        MediaSource::Url { url, .. } if is_image(media) => image(url, media, sink),
        _ => {}
    }
}
