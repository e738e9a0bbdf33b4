//! A request written in Anthropic's Messages.

use crate::hub::field::{Field, Lost};
use crate::hub::part::{Part, Role};
use crate::hub::request::{Format, Other, Request};
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result};
use crate::hub::text::{Json, Str};
use crate::translate::Target;

use super::model::Generation;
use super::request_blocks::BlockWriter;
use super::thinking::Asked;
use super::{schema, tools};

/// Writes a request. What Anthropic cannot be asked is added to `lost`.
pub(crate) fn write_request(request: &Request<'_>, target: &Target<'_>, lost: &mut Lost) -> Result<Vec<u8>> {
    let generation = Generation::of(target.model);
    // The API demands a limit.
    let limit = target.limit.or(request.max_output).unwrap_or(target.limit_if_none);
    let asked = Asked::of(request, generation, limit, lost);
    note_lost(request, lost);
    let mut sink = Sink::with_capacity(capacity(request));
    let mut fault = None;
    sink.object(|sink| {
        sink.plain_member("model", target.model);
        sink.count_member("max_tokens", limit);
        fault = conversation(sink, request, lost);
        tools::write(sink, request, generation, lost);
        asked.write(sink);
        output_config(sink, request, asked, generation, lost);
        stop_sequences(sink, request, lost);
        sampling(sink, request, asked, generation, lost);
        user(sink, request, lost);
        if target.stream {
            sink.flag_member("stream", true);
        }
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(sink.into_bytes()),
    }
}

/// About as many bytes as the conversation will take.
fn capacity(request: &Request<'_>) -> usize {
    let length = |part: &Part<'_>| match part {
        Part::Text(text) => text.text.raw().len() + 64,
        _ => 256,
    };
    request.turns.iter().flat_map(|turn| &turn.parts).map(length).sum::<usize>() + 1_024
}

/// Writes `system` and `messages`.
fn conversation(sink: &mut Sink, request: &Request<'_>, lost: &mut Lost) -> Option<ReadError> {
    lost.add_if(request.turns.iter().any(|turn| turn.name.is_some()), Field::ParticipantName);
    let mut system: Vec<&Part<'_>> = request.instructions().collect();
    let mut turns = request.alternating();
    // Anthropic wants something to answer; others answer instructions.
    if turns.is_empty()
        && let Some(last) = system.pop()
    {
        turns.push((Role::User, vec![last]));
    }
    let mut blocks = BlockWriter::new(request.from, lost);
    blocks.system(sink, &system);
    let last = turns.len().saturating_sub(1);
    sink.key("messages").array(|sink| {
        for (at, (role, parts)) in turns.iter().enumerate() {
            blocks.is_prefill = at == last && *role == Role::Assistant;
            blocks.turn(sink, *role, parts);
        }
    });
    blocks.fault
}

/// What no request to Anthropic can ask.
fn note_lost(request: &Request<'_>, lost: &mut Lost) {
    let is_set = |number: &Option<Json<'_>>| number.as_ref().is_some_and(|number| value_of(number) != Some(0.0));
    let is_told = |verbosity: &Str<'_>| !verbosity.is("medium");
    for (is_lost, field) in [
        (request.choices.is_some_and(|choices| choices > 1), Field::Choices),
        (is_set(&request.frequency_penalty), Field::FrequencyPenalty),
        (is_set(&request.presence_penalty), Field::PresencePenalty),
        (request.seed.is_some(), Field::Seed),
        (request.logprobs == Some(true), Field::Logprobs),
        (request.top_logprobs.is_some_and(|count| count > 0), Field::TopLogprobs),
        (request.verbosity.as_ref().is_some_and(is_told), Field::Verbosity),
        (request.modalities.iter().any(|modality| !modality.is("text")), Field::Modalities),
    ] {
        lost.add_if(is_lost, field);
    }
    request.others.iter().filter(|other| !is_default(other)).for_each(|other| lost.add_other(&other.name));
}

/// Whether a field of another format asks for what is so with Anthropic anyway.
fn is_default(other: &Other<'_>) -> bool {
    matches!(
        (&*other.name, other.value.raw()),
        ("service_tier", r#""auto""# | r#""default""#)
            | ("store" | "background", "false")
            | ("truncation", r#""disabled""#)
            | ("metadata", "{}")
    )
}

fn value_of(number: &Json<'_>) -> Option<f64> {
    number.raw().parse().ok()
}

fn output_config(sink: &mut Sink, request: &Request<'_>, asked: Asked, generation: Generation, lost: &mut Lost) {
    let schema = match &request.format {
        Some(Format::Schema { schema, .. }) if generation.keeps_to_schemas() => schema::closed(schema),
        _ => None,
    };
    lost.add_if(request.format.is_some() && schema.is_none(), Field::Format);
    if schema.is_none() && asked.effort.is_none() {
        return;
    }
    sink.key("output_config").object(|sink| {
        if let Some(effort) = asked.effort {
            sink.plain_member("effort", effort);
        }
        if let Some(schema) = &schema {
            sink.key("format").object(|sink| {
                sink.plain_member("type", "json_schema");
                sink.json_member("schema", schema);
            });
        }
    });
}

/// Anthropic refuses texts of white space alone.
fn stop_sequences(sink: &mut Sink, request: &Request<'_>, lost: &mut Lost) {
    let is_blank = |text: &&Str<'_>| text.plain().trim().is_empty();
    lost.add_if(request.stop.iter().any(|text| is_blank(&text)), Field::Stop);
    let kept: Vec<_> = request.stop.iter().filter(|text| !is_blank(text)).collect();
    if !kept.is_empty() {
        sink.key("stop_sequences").array(|sink| kept.iter().for_each(|text| sink.text(text)));
    }
}

/// Temperature and the like: a model that thinks has its own, newer ones have no other, and some take one of two.
fn sampling(sink: &mut Sink, request: &Request<'_>, asked: Asked, generation: Generation, lost: &mut Lost) {
    let is_free = generation.takes_sampling() && !asked.is_on();
    let is_told = |top_p: &&Json<'_>| value_of(top_p).is_none_or(|top_p| top_p < 1.0);
    let top_p = request.top_p.as_ref().filter(is_told);
    let has_room_for_default = top_p.is_none() || generation.takes_both_sampling();
    let mut is_hot = false;
    if let Some(temperature) = &request.temperature {
        let value = value_of(temperature).unwrap_or(1.0);
        let is_default = (value - 1.0).abs() < f64::EPSILON;
        lost.add_if(!is_free && !is_default, Field::Temperature);
        is_hot = is_free && !is_default;
        if is_hot || (is_free && has_room_for_default) {
            // Others go up to 2.
            let top = Json::read("1");
            sink.json_member("temperature", if value > 1.0 { &top } else { temperature });
        }
    }
    if let Some(top_p) = top_p {
        let is_taken = is_free && (!is_hot || generation.takes_both_sampling());
        lost.add_if(!is_taken, Field::TopP);
        if is_taken {
            sink.json_member("top_p", top_p);
        }
    }
    if let Some(top_k) = &request.top_k {
        lost.add_if(!is_free, Field::TopK);
        if is_free {
            sink.json_member("top_k", top_k);
        }
    }
}

/// Anthropic refuses what could be a person's address.
fn user(sink: &mut Sink, request: &Request<'_>, lost: &mut Lost) {
    let Some(user) = request.user.as_ref().filter(|user| !user.is_empty()) else { return };
    let is_taken = !user.raw().contains('@') && user.raw().len() <= 256;
    lost.add_if(!is_taken, Field::User);
    if is_taken {
        sink.key("metadata").object(|sink| sink.text_member("user_id", user));
    }
}
