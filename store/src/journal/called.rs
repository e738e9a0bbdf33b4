//! A call that is over, as the journal is told of it. It becomes a row of the request log. Never a secret, never content.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::AttemptId;

/// A call that is over, with all its attempts. A text that there is nothing to say in is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called<'a> {
    /// The name of its first attempt; `None`: the journal knows of no attempt of it.
    pub call: Option<AttemptId>,
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    /// As the client and the vendor were told it. Clients may choose it, so it need not be unique.
    pub request_id: Cow<'a, str>,
    /// The virtual key.
    pub key: Cow<'a, str>,
    /// The key's team.
    pub team: Cow<'a, str>,
    /// The key's, or its team's, customer.
    pub customer: Cow<'a, str>,
    /// The provider of the last attempt.
    pub provider: Cow<'a, str>,
    /// The provider's key of the last attempt.
    pub credential: Cow<'a, str>,
    /// The model of the last attempt, as the provider calls it.
    pub model: Cow<'a, str>,
    /// The model as the client named it.
    pub model_asked: Cow<'a, str>,
    /// What was asked for.
    pub operation: Cow<'a, str>,
    /// Whose API the client speaks.
    pub dialect: Cow<'a, str>,
    /// How it ended.
    pub status: CallStatus,
    /// The status that the client saw; 0: none.
    pub http_status: u16,
    /// The status of the vendor's last answer; 0: there was none.
    pub vendor_status: u16,
    /// The stable reason of a refusal or failure.
    pub reason: Cow<'a, str>,
    /// What the client was told of it.
    pub reason_text: Cow<'a, str>,
    /// Whether the answer was to be streamed.
    pub is_stream: bool,
    /// Whether every attempt that was charged had a price.
    pub is_priced: bool,
    /// From the beginning to the first content, in microseconds.
    pub first_content_us: Option<u64>,
    /// From the beginning to the end, in microseconds.
    pub total_us: u64,
    /// How long it waited between attempts, in microseconds.
    pub paused_us: u64,
    /// What all attempts used, by class.
    pub tokens: TokenCounts,
    /// All tokens together.
    pub total_tokens: u64,
    /// Who says what was used; of several attempts, the one that is to be trusted least.
    pub source: Cow<'a, str>,
    /// What all attempts cost together, in nano-dollars.
    pub cost_nano: u64,
    /// What the vendor says that the last one cost, in nano-dollars.
    pub vendor_cost_nano: Option<u64>,
    /// How many attempts.
    pub attempts: u32,
    /// How many of them were made once more after a pause.
    pub retries: u32,
    /// The attempts that failed: `provider/credential=outcome, …`.
    pub trail: Cow<'a, str>,
    /// The routing rules that decided, with commas between them.
    pub rules: Cow<'a, str>,
    /// The override that set the price.
    pub price_override: Cow<'a, str>,
    /// The size of the request's body.
    pub bytes_in: u64,
    /// The size of the answer.
    pub bytes_out: u64,
    /// It becomes no row of the request log, nor counts in its sums; what was charged for it stands.
    pub is_unlogged: bool,
}

/// Tokens, each in exactly one of the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenCounts {
    /// Input at the plain rate.
    #[serde(skip_serializing_if = "is_zero")]
    pub input: u64,
    /// Input of audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_audio: u64,
    /// Input of images.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_image: u64,
    /// Input read from the vendor's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Input written to it for its default time.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Input written to it for an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    /// Output at the plain rate.
    #[serde(skip_serializing_if = "is_zero")]
    pub output: u64,
    /// Output of reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
    /// Output of audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_audio: u64,
    /// Output of images.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_image: u64,
    /// Searches, which are no tokens.
    #[serde(skip_serializing_if = "is_zero")]
    pub searches: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallStatus {
    /// The client got its whole answer.
    #[default]
    Success,
    /// The vendor, or the way to it, failed.
    Error,
    /// It was refused here, and nothing was sent.
    Refused,
    /// The client left before it had its answer.
    ClientLeft,
    /// Nobody saw its end: the process was killed meanwhile.
    Abandoned,
}

/// A word that is no status of a call.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no status of a call: it is one of success, error, refused, client_left and abandoned")]
pub struct UnknownStatus(String);

impl TokenCounts {
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

    /// All of them in a row.
    pub(crate) fn numbers(&self) -> [u64; 11] {
        let Self { input, input_audio, input_image, cache_read, cache_write, cache_write_1h, .. } = *self;
        let Self { output, reasoning, output_audio, output_image, searches, .. } = *self;
        let inputs = (input, input_audio, input_image, cache_read, cache_write, cache_write_1h);
        let (a, b, c, d, e, f) = inputs;
        [a, b, c, d, e, f, output, reasoning, output_audio, output_image, searches]
    }

    /// Back from that.
    pub(crate) fn of(numbers: [u64; 11]) -> Self {
        let [input, input_audio, input_image, cache_read, cache_write, cache_write_1h, rest @ ..] = numbers;
        let [output, reasoning, output_audio, output_image, searches] = rest;
        Self {
            input,
            input_audio,
            input_image,
            cache_read,
            cache_write,
            cache_write_1h,
            output,
            reasoning,
            output_audio,
            output_image,
            searches,
        }
    }
}

impl CallStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Success, Self::Error, Self::Refused, Self::ClientLeft, Self::Abandoned];

    /// The word for it in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::ClientLeft => "client_left",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CallStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        let status = Self::ALL.into_iter().find(|status| status.as_str() == word);
        status.ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

impl Called<'_> {
    /// The same in a form of its own.
    #[must_use]
    pub fn into_owned(self) -> Called<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Called {
            request_id: own(self.request_id),
            key: own(self.key),
            team: own(self.team),
            customer: own(self.customer),
            provider: own(self.provider),
            credential: own(self.credential),
            model: own(self.model),
            model_asked: own(self.model_asked),
            operation: own(self.operation),
            dialect: own(self.dialect),
            reason: own(self.reason),
            reason_text: own(self.reason_text),
            source: own(self.source),
            trail: own(self.trail),
            rules: own(self.rules),
            price_override: own(self.price_override),
            ..self
        }
    }
}
