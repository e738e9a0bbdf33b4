//! Usage as Anthropic reports it (<https://platform.claude.com/docs/en/api/messages>, 2026-11). Its input does not hold what was
//! read from or written to the cache; its output holds thinking. In a stream, `message_start` has the input and `message_delta`
//! the output, cumulative, with the input again where tools made it grow.

use policy::usage::{ServiceTier, Usage};
use serde::Deserialize;

use crate::count::Count;
use crate::hub::sink::Sink;
use crate::meter::tally::{Reading, carve};
use crate::tier;

/// What was reported so far; or one of several passes that the vendor made for one answer.
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct Report {
    /// Of a pass: what it was for.
    #[serde(rename = "type")]
    kind: Option<String>,
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation: Option<CacheCreation>,
    output_tokens: Count,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
    speed: Option<String>,
    inference_geo: Option<String>,
    iterations: Option<Vec<Report>>,
}

#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Count,
}

impl Report {
    /// Reads a `usage` object. `None`: it is null, or cannot be read.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Option<Self>>(raw).ok()?
    }

    /// Takes out the output: in `message_start` it is a seed, not a count.
    pub(crate) fn without_output(self) -> Self {
        Self { output_tokens: Count(None), output_tokens_details: None, ..self }
    }

    /// Takes in a later report; what it does not say stays.
    pub(crate) fn update(&mut self, later: Self) {
        let own = std::mem::take(self);
        let count = |later: Count, own: Count| Count(later.0.or(own.0));
        *self = Self {
            kind: None,
            input_tokens: count(later.input_tokens, own.input_tokens),
            cache_creation_input_tokens: count(later.cache_creation_input_tokens, own.cache_creation_input_tokens),
            cache_read_input_tokens: count(later.cache_read_input_tokens, own.cache_read_input_tokens),
            cache_creation: later.cache_creation.or(own.cache_creation),
            output_tokens: count(later.output_tokens, own.output_tokens),
            output_tokens_details: later.output_tokens_details.or(own.output_tokens_details),
            server_tool_use: later.server_tool_use.or(own.server_tool_use),
            service_tier: later.service_tier.or(own.service_tier),
            speed: later.speed.or(own.speed),
            inference_geo: later.inference_geo.or(own.inference_geo),
            iterations: later.iterations.or(own.iterations),
        };
    }

    /// The price class, fast mode apart.
    pub(crate) fn tier(&self) -> ServiceTier {
        self.service_tier.as_deref().map_or(ServiceTier::Standard, tier::of_answer)
    }

    /// Whether it was served in fast mode. `None`: it does not say.
    pub(crate) fn is_fast(&self) -> Option<bool> {
        self.speed.as_deref().map(tier::is_fast)
    }

    /// Whether it was served in a place that costs more. `None`: it does not say.
    pub(crate) fn is_regional(&self) -> Option<bool> {
        self.inference_geo.as_deref().map(tier::is_regional)
    }

    pub(crate) fn reading(&self) -> Reading {
        let mut usage = Usage::default();
        self.add_to(&mut usage);
        // Passes that summarise or advise are charged, and are not in the totals.
        let passes = self.iterations.iter().flatten();
        passes
            .filter(|pass| matches!(pass.kind.as_deref(), Some("compaction" | "advisor_message")))
            .for_each(|pass| pass.add_to(&mut usage));
        usage.searches = self.server_tool_use.as_ref().map_or(0, |tools| tools.web_search_requests.or_zero());
        let (has_input, has_output) = (self.input_tokens.0.is_some(), self.output_tokens.0.is_some());
        Reading { usage, has_input, has_output, cost: None }
    }

    fn add_to(&self, usage: &mut Usage) {
        let creation = self.cache_creation.as_ref();
        let long = creation.map_or(0, |creation| creation.ephemeral_1h_input_tokens.or_zero());
        let short = creation.map_or(0, |creation| creation.ephemeral_5m_input_tokens.or_zero());
        let mut written = self.cache_creation_input_tokens.0.unwrap_or(short.saturating_add(long));
        let long = carve(&mut written, long);
        let mut output = self.output_tokens.or_zero();
        let thinking = self.output_tokens_details.as_ref().map_or(0, |details| details.thinking_tokens.or_zero());
        let thinking = carve(&mut output, thinking);
        for (place, count) in [
            (&mut usage.input, self.input_tokens.or_zero()),
            (&mut usage.cache_read, self.cache_read_input_tokens.or_zero()),
            (&mut usage.cache_write, written),
            (&mut usage.cache_write_1h, long),
            (&mut usage.output, output),
            (&mut usage.reasoning, thinking),
        ] {
            *place = place.saturating_add(count);
        }
    }
}

/// Writes the members of a `usage` object, from which [`Report`] reads the same totals.
pub(crate) fn write(sink: &mut Sink, usage: &Usage) {
    let sum = |counts: &[u64]| counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    sink.count_member("input_tokens", sum(&[usage.input, usage.input_audio, usage.input_image]));
    let (short, long) = (usage.cache_write, usage.cache_write_1h);
    sink.count_member("cache_creation_input_tokens", sum(&[short, long]));
    sink.count_member("cache_read_input_tokens", usage.cache_read);
    if long > 0 {
        sink.key("cache_creation").object(|sink| {
            sink.count_member("ephemeral_5m_input_tokens", short);
            sink.count_member("ephemeral_1h_input_tokens", long);
        });
    }
    let output = sum(&[usage.output, usage.reasoning, usage.output_audio, usage.output_image]);
    sink.count_member("output_tokens", output);
    if usage.reasoning > 0 {
        sink.key("output_tokens_details").object(|sink| sink.count_member("thinking_tokens", usage.reasoning));
    }
    if usage.searches > 0 {
        sink.key("server_tool_use").object(|sink| {
            sink.count_member("web_search_requests", usage.searches);
            sink.count_member("web_fetch_requests", 0);
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            input in 0..1_000_000_u64, audio in 0..1_000_u64, image in 0..1_000_u64, cache_read in 0..1_000_000_u64,
            cache_write in 0..1_000_u64, cache_write_1h in 0..1_000_u64, output in 0..1_000_000_u64,
            reasoning in 0..1_000_u64, drawn in 0..1_000_u64, searches in 0..9_u64,
        ) {
            let usage = Usage {
                input, input_audio: audio, input_image: image, cache_read, cache_write, cache_write_1h, output, reasoning,
                output_image: drawn, searches, ..Usage::default()
            };
            let mut sink = Sink::default();
            sink.object(|sink| write(sink, &usage));
            let read = Report::read(&sink.into_bytes()).unwrap().reading();
            let expected = Usage {
                input: input + audio + image, input_audio: 0, input_image: 0, output: output + drawn, output_image: 0, ..usage
            };
            prop_assert_eq!(read.usage, expected);
            prop_assert!(read.has_input && read.has_output);
        }
    }
}
