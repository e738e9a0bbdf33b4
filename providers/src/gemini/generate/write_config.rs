//! `generationConfig`, written.

use super::model::Family;
use crate::hub::Wire;
use crate::hub::field::{Field, Lost};
use crate::hub::request::{Format, Request, Thinking};
use crate::hub::sink::Sink;
use crate::hub::text::{Json, Str};
use crate::translate::Target;

/// Where the names of fields begin that only Gemini's settings have.
pub(super) const PLACE: &str = "generationConfig.";

/// Writes `generationConfig`, where there is anything to be set.
pub(super) fn write(request: &Request<'_>, target: &Target<'_>, family: Family, lost: &mut Lost, sink: &mut Sink) {
    let mut inner = Sink::default();
    inner.object(|sink| {
        sampling(request, sink);
        limits(request, target, sink);
        format(request.format.as_ref(), sink);
        if let Some(thinking) = &request.thinking {
            write_thinking(thinking, (family, request.from), lost, sink);
        }
        modalities(&request.modalities, sink);
        if request.from == Wire::Generate {
            for other in &request.others {
                if let Some(name) = other.name.strip_prefix(PLACE).filter(|name| !name.contains('.')) {
                    sink.json_member(name, &other.value);
                }
            }
        }
    });
    lost.add_if(request.verbosity.is_some(), Field::Verbosity);
    let inner = inner.into_bytes();
    if let Some(config) = std::str::from_utf8(&inner).ok().filter(|config| *config != "{}") {
        sink.json_member("generationConfig", &Json::read(config));
    }
}

fn sampling(request: &Request<'_>, sink: &mut Sink) {
    for (name, number) in [
        ("temperature", &request.temperature),
        ("topP", &request.top_p),
        ("topK", &request.top_k),
        ("frequencyPenalty", &request.frequency_penalty),
        ("presencePenalty", &request.presence_penalty),
    ] {
        if let Some(number) = number {
            sink.json_member(name, number);
        }
    }
    if let Some(seed) = &request.seed {
        write_seed(seed, sink);
    }
}

/// Gemini's seeds have 32 bits, others' have 64: the same large seed always becomes the same small one.
fn write_seed(seed: &Json<'_>, sink: &mut Sink) {
    let large = seed.raw().parse::<i64>().ok().filter(|seed| i32::try_from(*seed).is_err());
    match large {
        Some(large) => sink.count_member("seed", large.unsigned_abs() & 0x7fff_ffff),
        None => sink.json_member("seed", seed),
    }
}

fn limits(request: &Request<'_>, target: &Target<'_>, sink: &mut Sink) {
    if let Some(limit) = target.limit.or(request.max_output) {
        sink.count_member("maxOutputTokens", limit);
    }
    if let Some(choices) = request.choices.filter(|choices| *choices != 1) {
        sink.count_member("candidateCount", choices);
    }
    if !request.stop.is_empty() {
        sink.key("stopSequences").array(|sink| request.stop.iter().for_each(|stop| sink.text(stop)));
    }
    if request.logprobs == Some(true) {
        sink.flag_member("responseLogprobs", true);
        if let Some(top) = request.top_logprobs.filter(|top| *top > 0) {
            sink.count_member("logprobs", top);
        }
    }
}

fn format(format: Option<&Format<'_>>, sink: &mut Sink) {
    if format.is_some() {
        sink.plain_member("responseMimeType", "application/json");
    }
    if let Some(Format::Schema { schema, .. }) = format {
        sink.json_member("responseJsonSchema", schema);
    }
}

/// Text is there by itself, and beside an image; a voice comes alone.
fn modalities(asked: &[Str<'_>], sink: &mut Sink) {
    if asked.is_empty() {
        return;
    }
    sink.key("responseModalities").array(|sink| {
        if !asked.iter().any(|modality| modality.is("audio")) {
            sink.plain("TEXT");
        }
        asked.iter().for_each(|modality| sink.plain(&modality.plain().to_ascii_uppercase()));
    });
}

/// The tokens that an effort stands for; between formats that have words and formats that have numbers.
const EFFORTS: [(&str, u64); 7] = [
    ("none", 0),
    ("minimal", 1_024),
    ("low", 2_048),
    ("medium", 8_192),
    ("high", 16_384),
    ("xhigh", 32_768),
    ("max", 65_536),
];

/// The largest budget that every model of an unknown family has.
const USUAL_MOST: u64 = 24_576;

fn write_thinking(thinking: &Thinking<'_>, (family, from): (Family, Wire), lost: &mut Lost, sink: &mut Sink) {
    let effort = thinking.effort.as_ref().map(|effort| effort.plain());
    let named = EFFORTS.iter().find(|(name, _)| effort.as_deref() == Some(name));
    let budget = thinking.budget.or(named.map(|(_, budget)| *budget));
    if family == Family::Plain {
        let is_off = budget == Some(0) || (budget.is_none() && !thinking.is_adaptive);
        lost.add_if(!is_off, Field::Thinking);
        return;
    }
    sink.key("thinkingConfig").object(|sink| {
        match (family, budget) {
            _ if from == Wire::Generate && thinking.budget.is_none() && effort.is_some() => {
                sink.plain_member("thinkingLevel", &effort.unwrap_or_default().to_ascii_uppercase());
            }
            (Family::Level { is_pro }, Some(budget)) if thinking.budget.is_none() || budget == 0 => {
                sink.plain_member("thinkingLevel", level(budget, is_pro));
            }
            (Family::Budget { off, .. }, Some(0)) => sink.count_member("thinkingBudget", off),
            (Family::Budget { least, most, .. }, Some(budget)) => {
                sink.count_member("thinkingBudget", budget.clamp(least, most));
            }
            (Family::Unknown, Some(budget)) if thinking.budget.is_none() => {
                sink.count_member("thinkingBudget", budget.min(USUAL_MOST));
            }
            (_, Some(budget)) => sink.count_member("thinkingBudget", budget),
            // The third generation thinks as it likes where nothing is said.
            (Family::Budget { .. } | Family::Unknown, None) if thinking.is_adaptive => {
                sink.key("thinkingBudget").json(&Json::read("-1"));
            }
            (_, None) => {}
        }
        if let Some(is_shown) = thinking.is_shown {
            sink.flag_member("includeThoughts", is_shown);
        }
    });
}

/// The level of the third generation, which cannot be kept from thinking; its large models think a little at least.
const fn level(budget: u64, is_pro: bool) -> &'static str {
    match budget {
        0..2_048 if is_pro => "LOW",
        0..2_048 => "MINIMAL",
        2_048..8_192 => "LOW",
        8_192..16_384 => "MEDIUM",
        _ => "HIGH",
    }
}
