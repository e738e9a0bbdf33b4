//! A request of the Responses API, written (`response_create_params.py`). Its items are written in `write_input`.

use super::write_input::Items;
use super::write_tools::{self, CONTEXT_SIZE};
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::part::{Part, Role, Turn};
use crate::hub::request::{Format, Request, Thinking};
use crate::hub::sink::Sink;
use crate::hub::source::Result;
use crate::hub::text::{Json, Str};
use crate::openai::user::user;
use crate::translate::Target;

/// Fields that chat completions have too, in the same shape (`completion_create_params.py`).
const SHARED: [&str; 8] = [
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
];

const OBFUSCATION: &str = "stream_options.include_obfuscation";

/// Writes a request. What it cannot be asked is added to `lost`.
pub(crate) fn write_request(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    note_lost(request, lost);
    let mut sink = Sink::with_capacity(4096);
    let mut items = Items::new(request.from);
    sink.object(|sink| {
        sink.plain_member("model", target.model);
        if target.stream {
            sink.flag_member("stream", true);
        }
        let turns = write_instructions(&request.turns, sink);
        sink.key("input").array(|sink| items.write(turns, lost, sink));
        write_settings(request, target, lost, sink);
        write_tools::write(request, lost, sink);
        write_include(request, items.has_sealed, sink);
        write_others(request, target, lost, sink);
    });
    Ok(sink.into_bytes())
}

fn note_lost(request: &Request<'_>, lost: &mut Lost) {
    let is_some_number = |number: &Option<Json<'_>>| number.as_ref().is_some_and(|number| !is_zero(number));
    lost.add_if(request.top_k.is_some(), Field::TopK);
    lost.add_if(request.seed.is_some(), Field::Seed);
    lost.add_if(!request.stop.is_empty(), Field::Stop);
    lost.add_if(request.choices.is_some_and(|choices| choices > 1), Field::Choices);
    lost.add_if(is_some_number(&request.frequency_penalty), Field::FrequencyPenalty);
    lost.add_if(is_some_number(&request.presence_penalty), Field::PresencePenalty);
    lost.add_if(request.modalities.iter().any(|modality| !modality.is("text")), Field::Modalities);
}

fn is_zero(number: &Json<'_>) -> bool {
    number.raw().bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
}

/// The first turn is the instructions, where it is the system's and one text. Gives the other turns.
fn write_instructions<'t, 'a>(turns: &'t [Turn<'a>], sink: &mut Sink) -> &'t [Turn<'a>] {
    match turns {
        [Turn { role: Role::System, name: None, parts }, rest @ ..] => match parts.as_slice() {
            [Part::Text(text)] if text.cache.is_none() => {
                sink.text_member("instructions", &text.text);
                rest
            }
            _ => turns,
        },
        _ => turns,
    }
}

fn write_settings(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost, sink: &mut Sink) {
    if let Some(limit) = target.limit.or(request.max_output) {
        sink.count_member("max_output_tokens", limit);
    }
    for (name, number) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        if let Some(number) = number {
            sink.json_member(name, number);
        }
    }
    if let Some(others) = request.top_logprobs {
        sink.count_member("top_logprobs", others);
    }
    if let Some(user) = user(request, lost) {
        sink.text_member("user", user);
    }
    if let Some(thinking) = &request.thinking {
        write_thinking(thinking, sink);
    }
    if request.format.is_some() || request.verbosity.is_some() {
        sink.key("text").object(|sink| write_text(request, sink));
    }
}

fn write_text(request: &Request<'_>, sink: &mut Sink) {
    if let Some(verbosity) = &request.verbosity {
        sink.text_member("verbosity", verbosity);
    }
    match &request.format {
        None => {}
        Some(Format::Json) => sink.key("format").object(|sink| sink.plain_member("type", "json_object")),
        Some(Format::Schema { name, description, schema, strict }) => sink.key("format").object(|sink| {
            sink.plain_member("type", "json_schema");
            sink.text_member("name", name.as_ref().unwrap_or(&Str::raw_of("answer")));
            if let Some(description) = description {
                sink.text_member("description", description);
            }
            sink.json_member("schema", schema);
            if let Some(strict) = strict {
                sink.flag_member("strict", *strict);
            }
        }),
    }
}

fn write_thinking(thinking: &Thinking<'_>, sink: &mut Sink) {
    let effort = thinking.effort.clone().or_else(|| thinking.budget.map(effort_of));
    let is_shown = thinking.is_shown == Some(true);
    if effort.is_none() && !is_shown {
        return;
    }
    sink.key("reasoning").object(|sink| {
        if let Some(effort) = &effort {
            sink.text_member("effort", effort);
        }
        if is_shown {
            sink.plain_member("summary", "auto");
        }
    });
}

/// The effort that is nearest to so many tokens of thought and not above.
fn effort_of(budget: u64) -> Str<'static> {
    Str::raw_of(match budget {
        0 => "none",
        1..2_048 => "minimal",
        2_048..8_192 => "low",
        8_192..16_384 => "medium",
        16_384..32_768 => "high",
        32_768..65_536 => "xhigh",
        _ => "max",
    })
}

/// Models that do not think refuse to be asked for sealed thoughts.
fn write_include(request: &Request<'_>, has_sealed: bool, sink: &mut Sink) {
    let thinks = |thinking: &Thinking<'_>| {
        thinking.budget != Some(0) && thinking.effort.as_ref().is_none_or(|effort| !effort.is("none"))
    };
    let sealed = has_sealed || request.thinking.as_ref().is_some_and(thinks);
    let logprobs = request.logprobs == Some(true);
    if !sealed && !logprobs {
        return;
    }
    sink.key("include").array(|sink| {
        if sealed {
            sink.plain("reasoning.encrypted_content");
        }
        if logprobs {
            sink.plain("message.output_text.logprobs");
        }
    });
}

/// The conversation is in each request, so that the vendor need not keep it; of itself it would.
fn write_others(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost, sink: &mut Sink) {
    let mut keeps = false;
    for other in &request.others {
        let name = &*other.name;
        let is_shared = match request.from {
            Wire::Chat => SHARED.contains(&name),
            Wire::Responses => name != "include" && !name.contains(['.', '[']),
            _ => false,
        };
        match name {
            _ if is_shared => sink.json_member(name, &other.value),
            OBFUSCATION if request.from == Wire::Chat && target.stream => {
                sink.key("stream_options").object(|sink| sink.json_member("include_obfuscation", &other.value));
            }
            // It is in the tool.
            CONTEXT_SIZE => {}
            // Without a stream there is none to obfuscate.
            OBFUSCATION => {}
            _ => lost.add_other(name),
        }
        keeps |= is_shared && name == "store";
    }
    if !keeps {
        sink.flag_member("store", false);
    }
}
