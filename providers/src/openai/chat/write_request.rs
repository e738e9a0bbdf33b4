//! Requests as the API and those who copy it take them.

use super::{name, tool, write_message};
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Format, Request, Thinking};
use crate::hub::sink::Sink;
use crate::hub::source::Result;
use crate::hub::text::{Json, Str};
use crate::openai::user::user;
use crate::translate::Target;
use crate::vendor::{Asked, ChatQuirks};

/// Fields that Responses has by the same name and in the same form.
const SHARED: &[&str] = &[
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
];

/// Writes a request.
pub(crate) fn write_request(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    let quirks = &target.quirks.chat;
    let mut sink = Sink::with_capacity(2048);
    sink.object(|sink| {
        sink.plain_member("model", target.model);
        sink.key("messages").array(|sink| write_message::write(request, quirks, lost, sink));
        if target.stream {
            sink.flag_member("stream", true);
        }
        stream_options(request, target, sink);
        if let Some(limit) = target.limit.or(request.max_output) {
            sink.count_member(target.quirks.limit_field, limit);
        }
        tool::write(request, quirks, lost, sink);
        format(request.format.as_ref(), quirks, lost, sink);
        if let Some(thinking) = &request.thinking {
            write_thinking(thinking, quirks, lost, sink);
        }
        sampling(request, quirks, lost, sink);
        others(request, quirks, lost, sink);
    });
    Ok(sink.into_bytes())
}

fn stream_options(request: &Request<'_>, target: &Target<'_>, sink: &mut Sink) {
    let obfuscation = request.others.iter().find(|other| other.name == OBFUSCATION).map(|other| &other.value);
    if !target.stream || !(target.quirks.usage_on_request || obfuscation.is_some()) {
        return;
    }
    sink.key("stream_options").object(|sink| {
        if target.quirks.usage_on_request {
            sink.flag_member("include_usage", true);
        }
        if let Some(obfuscation) = obfuscation {
            sink.json_member("include_obfuscation", obfuscation);
        }
    });
}

const OBFUSCATION: &str = "stream_options.include_obfuscation";

/// Whether the target has the field; if not, it is lost.
fn has(field: Field, quirks: &ChatQuirks, lost: &mut Lost) -> bool {
    let is_known = !quirks.unknown.contains(&name(field)) && (field != Field::Verbosity || quirks.has_own_fields);
    lost.add_if(!is_known, field);
    is_known
}

fn format(format: Option<&Format<'_>>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    let Some(format) = format else { return };
    if matches!(format, Format::Schema { .. }) && quirks.unknown.contains(&"response_format.json_schema") {
        return lost.add(Field::Format);
    }
    sink.key("response_format").object(|sink| match format {
        Format::Json => sink.plain_member("type", "json_object"),
        Format::Schema { name, description, schema, strict } => {
            sink.plain_member("type", "json_schema");
            sink.key("json_schema").object(|sink| {
                match name {
                    Some(name) => sink.text_member("name", name),
                    None => sink.plain_member("name", "answer"),
                }
                if let Some(description) = description {
                    sink.text_member("description", description);
                }
                sink.json_member("schema", schema);
                if let Some(strict) = strict {
                    sink.flag_member("strict", *strict);
                }
            });
        }
    });
}

fn write_thinking(thinking: &Thinking<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    let is_off = thinking.budget == Some(0) || thinking.effort.as_ref().is_some_and(|effort| effort.is("none"));
    match quirks.thinking {
        Asked::Effort => effort(thinking, "reasoning_effort", quirks, lost, sink),
        Asked::Switch => {
            let kind = if is_off { "disabled" } else { "enabled" };
            sink.key("thinking").object(|sink| sink.plain_member("type", kind));
            if !is_off {
                effort(thinking, "reasoning_effort", quirks, lost, sink);
            }
        }
        Asked::Object => sink.key("reasoning").object(|sink| {
            match thinking.budget {
                _ if is_off => sink.flag_member("enabled", false),
                Some(budget) if thinking.effort.is_none() => sink.count_member("max_tokens", budget),
                None if thinking.effort.is_none() => sink.flag_member("enabled", true),
                _ => effort(thinking, "effort", quirks, lost, sink),
            }
            if thinking.is_shown == Some(false) {
                sink.flag_member("exclude", true);
            }
        }),
    }
}

/// A model thinks as much as it does of itself where it cannot be told.
fn effort(thinking: &Thinking<'_>, member: &str, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    let effort = thinking.effort.as_ref().map(Str::raw).or_else(|| thinking.budget.map(effort_of));
    match effort.map(|effort| quirks.efforts.nearest(effort)) {
        Some(Some(effort)) => sink.text_member(member, &Str::raw_of(effort)),
        Some(None) => lost.add_hint(Field::Thinking),
        None => {}
    }
}

/// The word for so many tokens: that of the nearest step not above.
const fn effort_of(budget: u64) -> &'static str {
    match budget {
        0 => "none",
        1..2048 => "minimal",
        2048..8192 => "low",
        8192..16_384 => "medium",
        16_384..32_768 => "high",
        32_768..65_536 => "xhigh",
        _ => "max",
    }
}

fn sampling(request: &Request<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    for (field, member, number) in [
        (Field::Temperature, "temperature", &request.temperature),
        (Field::TopP, "top_p", &request.top_p),
        (Field::FrequencyPenalty, "frequency_penalty", &request.frequency_penalty),
        (Field::PresencePenalty, "presence_penalty", &request.presence_penalty),
        (Field::Seed, quirks.seed_field, &request.seed),
    ] {
        if let Some(number) = number.as_ref().filter(|_| has(field, quirks, lost)) {
            sink.json_member(member, number);
        }
    }
    match &request.top_k {
        Some(top_k) if quirks.has_top_k => sink.json_member("top_k", top_k),
        top_k => lost.add_if(top_k.is_some(), Field::TopK),
    }
    if let Some(choices) = request.choices.filter(|choices| *choices != 1 && has(Field::Choices, quirks, lost)) {
        sink.count_member("n", choices);
    }
    if !request.stop.is_empty() {
        sink.key("stop").array(|sink| request.stop.iter().for_each(|stop| sink.text(stop)));
    }
    if request.logprobs == Some(true) && has(Field::Logprobs, quirks, lost) {
        sink.flag_member("logprobs", true);
        if let Some(top) = request.top_logprobs.filter(|top| *top > 0) {
            sink.count_member("top_logprobs", top);
        }
    }
    for (field, text) in [(Field::User, user(request, lost)), (Field::Verbosity, request.verbosity.as_ref())] {
        if let Some(text) = text.filter(|_| has(field, quirks, lost)) {
            sink.text_member(name(field), text);
        }
    }
    modalities(request, lost, sink);
}

/// Sound needs a voice, which only requests of this format name.
fn modalities(request: &Request<'_>, lost: &mut Lost, sink: &mut Sink) {
    if request.modalities.is_empty() {
        return;
    }
    if request.from != Wire::Chat {
        return lost.add(Field::Modalities);
    }
    sink.key("modalities").array(|sink| {
        sink.plain("text");
        request.modalities.iter().for_each(|modality| sink.text(modality));
    });
}

fn others(request: &Request<'_>, quirks: &ChatQuirks, lost: &mut Lost, sink: &mut Sink) {
    for other in &request.others {
        let name = &*other.name;
        let is_written = name == OBFUSCATION || tool::SEARCH_SIZE.contains(&name);
        let is_shared = match request.from {
            Wire::Chat => !name.contains('.') && !name.contains('['),
            Wire::Responses => quirks.has_own_fields && SHARED.contains(&name),
            Wire::Completions => name == "logit_bias" || (quirks.has_own_fields && SHARED.contains(&name)),
            _ => false,
        };
        if is_shared {
            sink.json_member(name, &other.value);
        } else if !is_written && !is_default(name, &other.value) {
            lost.add_other(name);
        }
    }
}

/// Whether the field says nothing that would not be so anyway.
fn is_default(name: &str, value: &Json<'_>) -> bool {
    matches!((name, value.raw()), ("service_tier", "\"auto\"" | "\"standard_only\"") | ("truncation", "\"disabled\""))
}
