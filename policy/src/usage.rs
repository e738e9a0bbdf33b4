//! What a call used, and who says so.

/// Who says what was used. Ordered by how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageSource {
    /// The vendor reported it, to the end.
    Reported,
    /// The vendor reported part of it (its input, say); the rest is estimated.
    Partial,
    /// Nobody reported it; it is estimated from what was sent and seen.
    Estimated,
    /// Nobody knows; the full hold is charged, since the vendor may have worked to the end.
    Abandoned,
}

impl UsageSource {
    /// The name in logs, metrics and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Partial => "partial",
            Self::Estimated => "estimated",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The price class in which the vendor served the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    /// The list price.
    #[default]
    Standard,
    /// Dearer and faster.
    Priority,
    /// Cheaper and slower.
    Flex,
    /// Cheaper, within a day.
    Batch,
    /// Much dearer and faster still than priority.
    Ultrafast,
    /// Anthropic's fast mode; where a model has no rates for it, a multiple of the standard ones.
    Fast,
    /// One that the vendor names and that is not known here: the dearest rates of the model count.
    Unknown,
}

impl ServiceTier {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Standard, Self::Priority, Self::Flex, Self::Batch, Self::Ultrafast, Self::Fast, Self::Unknown];
}

/// What one attempt used, in units that do not overlap: each token is in exactly one field.
/// Vendors count differently (OpenAI's totals include cached tokens, Anthropic's do not); meters translate to this form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens at the plain rate: text, and whatever has no field of its own.
    pub input: u64,
    /// Input tokens of audio.
    pub input_audio: u64,
    /// Input tokens of images.
    pub input_image: u64,
    /// Input tokens read from the vendor's prompt cache.
    pub cache_read: u64,
    /// Input tokens written to the prompt cache for its default time (five minutes, where there is a choice).
    pub cache_write: u64,
    /// Input tokens written to the prompt cache for an hour.
    pub cache_write_1h: u64,
    /// Output tokens at the plain rate.
    pub output: u64,
    /// Output tokens of reasoning that the vendor counts apart.
    pub reasoning: u64,
    /// Output tokens of audio.
    pub output_audio: u64,
    /// Output tokens of images.
    pub output_image: u64,
    /// Web searches made by the vendor.
    pub searches: u64,
    /// The price class it was served in.
    pub tier: ServiceTier,
    /// It was served in a region of the client's choice, which costs more.
    pub is_regional: bool,
}

impl Usage {
    /// All input tokens.
    #[must_use]
    pub fn input_total(&self) -> u64 {
        [self.input, self.input_audio, self.input_image, self.cache_read, self.cache_write, self.cache_write_1h]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// All output tokens.
    #[must_use]
    pub fn output_total(&self) -> u64 {
        [self.output, self.reasoning, self.output_audio, self.output_image].into_iter().fold(0, u64::saturating_add)
    }
}

/// A [`Usage`] and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// What was used.
    pub usage: Usage,
    /// Who says so.
    pub source: UsageSource,
}
