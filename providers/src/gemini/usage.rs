//! Usage as Gemini reports it (<https://ai.google.dev/api/generate-content#UsageMetadata>, 2026-11). The prompt holds what was
//! cached; what tools brought comes on top of it; the candidates do not hold the thoughts. Counts of zero are left out.

use policy::usage::{ServiceTier, Usage};
use serde::Deserialize;

use crate::count::Count;
use crate::meter::tally::{Reading, carve};
use crate::tier;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Report {
    prompt_token_count: Count,
    cached_content_token_count: Count,
    tool_use_prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
    total_token_count: Count,
    prompt_tokens_details: Option<Vec<Modality>>,
    cache_tokens_details: Option<Vec<Modality>>,
    candidates_tokens_details: Option<Vec<Modality>>,
    service_tier: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Modality {
    modality: String,
    token_count: Count,
}

/// Reads a `usageMetadata` object. `None`: it is null, or cannot be read.
pub(crate) fn read(raw: &[u8]) -> Option<(Reading, ServiceTier)> {
    let report: Report = serde_json::from_slice::<Option<Report>>(raw).ok()??;
    let extra = report.tool_use_prompt_token_count.or_zero();
    let candidates = report.candidates_token_count.or_zero();
    let thoughts = report.thoughts_token_count.or_zero();
    let others = extra.saturating_add(candidates).saturating_add(thoughts);
    let rest = report.total_token_count.0.map(|total| total.saturating_sub(others)).filter(|rest| *rest > 0);
    let prompt = report.prompt_token_count.0.or(rest);
    let usage = input(&report, prompt.unwrap_or(0), extra);
    let usage = Usage { reasoning: thoughts, ..output(&report, candidates, usage) };
    // A report that says nothing at all is none.
    let has_output = prompt.is_some() || others > 0;
    Some((Reading { usage, has_input: prompt.is_some(), has_output, cost: None }, tier(&report)))
}

fn input(report: &Report, prompt: u64, extra: u64) -> Usage {
    let mut rest = prompt;
    let cache_read = carve(&mut rest, report.cached_content_token_count.or_zero());
    let mut plain = |name| {
        let cached = of(report.cache_tokens_details.as_deref(), name);
        carve(&mut rest, of(report.prompt_tokens_details.as_deref(), name).saturating_sub(cached))
    };
    let (input_audio, input_image) = (plain("AUDIO"), plain("IMAGE"));
    Usage { input: rest.saturating_add(extra), input_audio, input_image, cache_read, ..Usage::default() }
}

fn output(report: &Report, candidates: u64, usage: Usage) -> Usage {
    let mut rest = candidates;
    let mut part = |name| carve(&mut rest, of(report.candidates_tokens_details.as_deref(), name));
    let (output_audio, output_image) = (part("AUDIO"), part("IMAGE"));
    Usage { output: rest, output_audio, output_image, ..usage }
}

/// The tokens of one modality.
fn of(details: Option<&[Modality]>, name: &str) -> u64 {
    let details = details.unwrap_or_default().iter().filter(|detail| detail.modality.eq_ignore_ascii_case(name));
    details.fold(0, |sum, detail| sum.saturating_add(detail.token_count.or_zero()))
}

fn tier(report: &Report) -> ServiceTier {
    report.service_tier.as_deref().map_or(ServiceTier::Standard, tier::of_answer)
}
