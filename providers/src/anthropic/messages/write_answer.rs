//! A whole answer written in Anthropic's Messages.

use std::borrow::Cow;

use policy::usage::Usage;

use crate::anthropic::usage;
use crate::hub::answer::{Answer, Candidate, Head, Stop};
use crate::hub::part::{Part, Text};
use crate::hub::sink::Sink;
use crate::hub::text::Str;
use crate::translate::Context;

use super::answer_blocks as blocks;
use super::proof;
use super::stop::{self, Held};

/// Writes an answer. Anthropic has one candidate: the first.
pub(crate) fn write_answer(answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    let none = Candidate::default();
    let candidate = answer.candidates.first().unwrap_or(&none);
    let mut held = Held::default();
    let mut sink = Sink::with_capacity(1_024);
    sink.object(|sink| {
        head(sink, &answer.head, context);
        sink.key("content").array(|sink| held = content(sink, &candidate.parts, context));
        end(sink, stop::ending(candidate.stop.as_ref(), held));
        sink.key("usage").object(|sink| usage::write(sink, &answer.usage.unwrap_or_default()));
    });
    sink.into_bytes()
}

/// Writes what a message is known by.
pub(super) fn head(sink: &mut Sink, head: &Head<'_>, context: &Context) {
    let id = match &head.id {
        Some(id) if !id.is_empty() => Cow::Borrowed(id.raw()),
        _ => Cow::Owned(format!("msg_{}", Str::of(&context.request_id).raw())),
    };
    sink.text_member("id", &Str::raw_of(&id));
    sink.plain_member("type", "message");
    sink.plain_member("role", "assistant");
    match &head.model {
        Some(model) if !model.is_empty() => sink.text_member("model", model),
        _ => sink.plain_member("model", &context.model),
    }
}

fn content(sink: &mut Sink, parts: &[Part<'_>], context: &Context) -> Held {
    let (mut held, mut calls) = (Held::default(), 0);
    for part in parts.iter().filter(|part| blocks::has_block(part)) {
        match part {
            Part::Text(text) => blocks::text(sink, text),
            Part::Refusal(text) => {
                held.refusal = true;
                blocks::text(sink, &Text::plain(text.by_ref()));
            }
            Part::ToolCall(call) => {
                held.call = true;
                let id = blocks::call_id(call.id.as_ref(), &context.request_id, calls);
                blocks::tool_call(sink, call, &id);
                if let Some(signature) = &call.signature {
                    blocks::reasoning(sink, &proof::sealed(&id, signature));
                }
                calls += 1;
            }
            Part::Reasoning(reasoning) => blocks::reasoning(sink, reasoning),
            Part::Media(media) => blocks::media(sink, media),
            Part::ToolResult(_) | Part::Other { .. } => {}
        }
    }
    held
}

/// Writes why an answer ended.
pub(super) fn end(sink: &mut Sink, stop: &Stop<'_>) {
    sink.plain_member("stop_reason", stop::reason(stop));
    match stop {
        Stop::Sequence(Some(sequence)) => sink.text_member("stop_sequence", sequence),
        _ => sink.key("stop_sequence").null(),
    }
    if stop::reason(stop) == "refusal" {
        sink.key("stop_details").object(|sink| {
            sink.plain_member("type", "refusal");
            sink.key("category").null();
            sink.key("explanation").null();
        });
    }
}

/// Usage in an event that is sent before anything is known of it.
pub(super) fn no_usage(sink: &mut Sink) {
    usage::write(sink, &Usage::default());
}
