//! Usage as Anthropic reports it (<https://platform.claude.com/docs/en/api/messages>, 2026-11). Its input does not hold what was
//! read from or written to the cache; its output holds thinking. In a stream, `message_start` has the input and `message_delta`
//! the output, cumulative, with the input again where tools made it grow.

use policy::usage::{ServiceTier, Usage};
use serde::Deserialize;

use crate::count::Count;
use crate::meter::tally::{Reading, carve};

/// What was reported so far.
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct Report {
    #[serde(flatten)]
    counts: Counts,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
    speed: Option<String>,
    iterations: Option<Vec<Iteration>>,
}

#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
struct Counts {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation: Option<CacheCreation>,
    output_tokens: Count,
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

/// One of several passes that the vendor made for one answer.
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(default)]
struct Iteration {
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    counts: Counts,
}

impl Report {
    /// Reads a `usage` object. `None`: it is null, or cannot be read.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Option<Self>>(raw).ok()?
    }

    /// Takes out the output: in `message_start` it is a seed, not a count.
    pub(crate) fn without_output(mut self) -> Self {
        self.counts.output_tokens = Count(None);
        self.output_tokens_details = None;
        self
    }

    /// Takes in a later report; what it does not say stays.
    pub(crate) fn update(&mut self, later: Self) {
        let (own, new) = (&mut self.counts, later.counts);
        if new.cache_creation.is_some() {
            own.cache_creation = new.cache_creation;
        }
        own.input_tokens.0 = new.input_tokens.0.or(own.input_tokens.0);
        own.cache_creation_input_tokens.0 = new.cache_creation_input_tokens.0.or(own.cache_creation_input_tokens.0);
        own.cache_read_input_tokens.0 = new.cache_read_input_tokens.0.or(own.cache_read_input_tokens.0);
        own.output_tokens.0 = new.output_tokens.0.or(own.output_tokens.0);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.server_tool_use = later.server_tool_use.or(self.server_tool_use.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
        self.speed = later.speed.or(self.speed.take());
        self.iterations = later.iterations.or(self.iterations.take());
    }

    /// The price class. Fast mode has no class of its own; it is dearer, as priority is.
    pub(crate) fn tier(&self) -> ServiceTier {
        match (self.service_tier.as_deref(), self.speed.as_deref()) {
            (Some("priority"), _) | (_, Some("fast")) => ServiceTier::Priority,
            (Some("batch"), _) => ServiceTier::Batch,
            _ => ServiceTier::Standard,
        }
    }

    pub(crate) fn reading(&self) -> Reading {
        let mut usage = Usage::default();
        self.counts.add_to(&mut usage);
        let thinking = self.output_tokens_details.as_ref().map_or(0, |details| details.thinking_tokens.or_zero());
        usage.reasoning = carve(&mut usage.output, thinking);
        // Passes that summarise or advise are charged, and are not in the totals.
        let extra = self.iterations.iter().flatten();
        extra
            .filter(|pass| matches!(pass.kind.as_str(), "compaction" | "advisor_message"))
            .for_each(|pass| pass.counts.add_to(&mut usage));
        usage.searches = self.server_tool_use.as_ref().map_or(0, |tools| tools.web_search_requests.or_zero());
        Reading {
            usage,
            has_input: self.counts.input_tokens.0.is_some(),
            has_output: self.counts.output_tokens.0.is_some(),
        }
    }
}

impl Counts {
    fn add_to(&self, usage: &mut Usage) {
        let creation = self.cache_creation.as_ref();
        let long = creation.map_or(0, |creation| creation.ephemeral_1h_input_tokens.or_zero());
        let short = creation.map_or(0, |creation| creation.ephemeral_5m_input_tokens.or_zero());
        let mut written = self.cache_creation_input_tokens.0.unwrap_or(short.saturating_add(long));
        let long = carve(&mut written, long);
        for (place, count) in [
            (&mut usage.input, self.input_tokens.or_zero()),
            (&mut usage.cache_read, self.cache_read_input_tokens.or_zero()),
            (&mut usage.cache_write, written),
            (&mut usage.cache_write_1h, long),
            (&mut usage.output, self.output_tokens.or_zero()),
        ] {
            *place = place.saturating_add(count);
        }
    }
}
