//! Usage as OpenAI reports it (<https://platform.openai.com/docs/api-reference/chat/object>, `.../responses/object`, 2026-11).
//! Its totals hold their details: cached, written and spoken tokens are part of the input, reasoning is part of the output.

use policy::money::NanoUsd;
use policy::usage::{ServiceTier, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::count::Count;
use crate::meter::tally::{Reading, carve};
use crate::tier;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Report<'a> {
    prompt_tokens: Count,
    completion_tokens: Count,
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Option<InputDetails>,
    input_tokens_details: Option<InputDetails>,
    /// DeepSeek's word for `cached_tokens` (<https://api-docs.deepseek.com/guides/kv_cache>, 2026-11).
    prompt_cache_hit_tokens: Count,
    completion_tokens_details: Option<OutputDetails>,
    output_tokens_details: Option<OutputDetails>,
    /// What it cost, as some who copy the API say: a number of US dollars, or an object with the total.
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TotalCost<'a> {
    #[serde(borrow)]
    total_cost: &'a RawValue,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
    cache_write_tokens_details: Option<WriteDetails>,
    audio_tokens: Count,
    image_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WriteDetails {
    ttl_12h_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

/// Reads a `usage` object. `None`: it is null, or cannot be read.
pub(crate) fn read(raw: &[u8]) -> Option<Reading> {
    let report: Report<'_> = serde_json::from_slice::<Option<Report<'_>>>(raw).ok()??;
    let input = report.prompt_tokens.0.or(report.input_tokens.0);
    let rest = report.total_tokens.0.zip(input).map(|(total, input)| total.saturating_sub(input));
    let output = report.completion_tokens.0.or(report.output_tokens.0).or(rest);
    let mut usage = Usage::default();
    let mut details = report.prompt_tokens_details.or(report.input_tokens_details).unwrap_or_default();
    details.cached_tokens.0 = details.cached_tokens.0.or(report.prompt_cache_hit_tokens.0);
    add_input(&mut usage, input.unwrap_or(0), Some(details));
    let details = report.completion_tokens_details.or(report.output_tokens_details).unwrap_or_default();
    let written = output.unwrap_or(0);
    // Some who copy the API leave reasoning out of the output and put it into the total only.
    let reasoning = details.reasoning_tokens.or_zero();
    let is_extra = reasoning > 0
        && report.total_tokens.0 == input.and_then(|input| input.checked_add(written)?.checked_add(reasoning));
    add_output(&mut usage, if is_extra { written.saturating_add(reasoning) } else { written }, &details);
    let cost = report.cost.and_then(read_cost);
    Some(Reading { usage, has_input: input.is_some(), has_output: output.is_some(), cost })
}

/// OpenRouter writes a number (<https://openrouter.ai/docs/use-cases/usage-accounting>, 2026-11), Perplexity an object
/// (<https://docs.perplexity.ai/api-reference>, 2026-11). Anything else is no cost.
fn read_cost(raw: &RawValue) -> Option<NanoUsd> {
    let total = serde_json::from_str::<TotalCost<'_>>(raw.get()).map_or(raw, |cost| cost.total_cost);
    NanoUsd::from_usd_text(total.get())
}

fn add_input(usage: &mut Usage, total: u64, details: Option<InputDetails>) {
    let details = details.unwrap_or_default();
    let mut rest = total;
    usage.cache_read = carve(&mut rest, details.cached_tokens.or_zero());
    let mut written = carve(&mut rest, details.cache_write_tokens.or_zero());
    let long = details.cache_write_tokens_details.unwrap_or_default().ttl_12h_tokens.or_zero();
    // There is one field for writes that last longer than the default; the vendor has one price for all of them so far.
    usage.cache_write_1h = carve(&mut written, long);
    usage.cache_write = written;
    usage.input_audio = carve(&mut rest, details.audio_tokens.or_zero());
    usage.input_image = carve(&mut rest, details.image_tokens.or_zero());
    usage.input = rest;
}

fn add_output(usage: &mut Usage, total: u64, details: &OutputDetails) {
    let mut rest = total;
    usage.reasoning = carve(&mut rest, details.reasoning_tokens.or_zero());
    usage.output_audio = carve(&mut rest, details.audio_tokens.or_zero());
    usage.output_image = carve(&mut rest, details.image_tokens.or_zero());
    usage.output = rest;
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ToolReport {
    image_gen: Option<ImageReport>,
    web_search: Option<SearchReport>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ImageReport {
    input_tokens: Count,
    output_tokens: Count,
    input_tokens_details: Option<InputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SearchReport {
    num_requests: Count,
}

/// Adds what hosted tools used, which the Responses API reports apart from the model's own usage. What cannot be read adds
/// nothing.
pub(crate) fn add_tools(usage: &mut Usage, raw: &[u8]) {
    let report: ToolReport = serde_json::from_slice::<Option<ToolReport>>(raw).ok().flatten().unwrap_or_default();
    if let Some(SearchReport { num_requests: Count(Some(searches)) }) = report.web_search {
        usage.searches = searches;
    }
    if let Some(images) = report.image_gen {
        let mut own = Usage::default();
        add_input(&mut own, images.input_tokens.or_zero(), images.input_tokens_details);
        usage.input = usage.input.saturating_add(own.input);
        usage.input_image = usage.input_image.saturating_add(own.input_image);
        usage.output_image = usage.output_image.saturating_add(images.output_tokens.or_zero());
    }
}

/// The price class by its name in an answer. `None`: the value is null or no string.
pub(crate) fn tier(raw: &[u8]) -> Option<ServiceTier> {
    let name: &str = serde_json::from_slice::<Option<&str>>(raw).ok()??;
    Some(tier::of_answer(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_read_under_either_name_and_once() {
        for (report, read_from_cache) in [
            (
                r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}"#,
                8,
            ),
            (r#"{"prompt_tokens":10,"prompt_cache_hit_tokens":8,"prompt_tokens_details":{"cached_tokens":8}}"#, 8),
            (r#"{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":3}}"#, 3),
            (r#"{"prompt_tokens":10}"#, 0),
        ] {
            let usage = read(report.as_bytes()).unwrap().usage;
            assert_eq!((usage.cache_read, usage.input), (read_from_cache, 10 - read_from_cache), "{report}");
        }
    }
}
