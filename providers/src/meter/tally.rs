//! What an answer has told so far, in whatever dialect, and what is charged for it.

use policy::demand::Demand;
use policy::money::NanoUsd;
use policy::usage::{Metered, ServiceTier, Usage, UsageSource};

use crate::error::VendorError;
use crate::estimate::TextCount;
use crate::json::{JsonError, Kind, Reader};

/// Output tokens of an image of which only the bytes were seen (<https://ai.google.dev/gemini-api/docs/pricing>, 2026-11:
/// 1,290 for 1024×1024; the larger ones of newer models report for themselves).
const TOKENS_PER_IMAGE: u64 = 1_290;

/// What a vendor reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) usage: Usage,
    /// Whether the input is in it.
    pub(crate) has_input: bool,
    /// Whether the output is in it.
    pub(crate) has_output: bool,
    /// What it cost, where the vendor says that too.
    pub(crate) cost: Option<NanoUsd>,
}

/// What an answer has told so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) text: TextCount,
    /// Events that brought content; each is a token at least, where `events_are_tokens`.
    pub(crate) content_events: u64,
    pub(crate) events_are_tokens: bool,
    pub(crate) images: u64,
    pub(crate) has_content: bool,
    /// Some part of the answer said why it ended.
    pub(crate) has_finish: bool,
    /// The answer came to its own end.
    pub(crate) is_complete: bool,
    /// The vendor works on, and reports elsewhere.
    pub(crate) is_background: bool,
    pub(crate) error: Option<VendorError>,
    /// An event could not be read.
    pub(crate) is_malformed: bool,
    pub(crate) reading: Reading,
    /// The reading is the vendor's last word.
    pub(crate) is_final: bool,
    /// Searches seen, for where none are reported.
    pub(crate) searches: u64,
    pub(crate) tier: ServiceTier,
    /// Whether it is in fast mode, and served in a region of the client's choice; `None`: as the client asked.
    pub(crate) is_fast: Option<bool>,
    pub(crate) is_regional: Option<bool>,
    /// The operation has no output tokens.
    pub(crate) has_no_output: bool,
}

/// What the strings under a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Other,
    /// Text that the model wrote.
    Text,
    /// An object that the model wrote, so that all of its strings are text.
    Arguments,
    /// Why the answer ended.
    Finish,
    /// Encoded media.
    Media,
    /// What the answer is grounded on; of it, only the queries matter.
    Grounding,
    Queries,
    /// What parts of the text rest on; of it, only the kinds matter.
    Annotations,
    AnnotationKind,
    /// Nothing that matters.
    Skipped,
}

/// What one event brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) has_content: bool,
    pub(crate) queries: u64,
    /// Text rests on something that was found on the web.
    pub(crate) cites: bool,
}

impl Key {
    fn under(self, name: &[u8]) -> Self {
        match (self, name) {
            (Self::Arguments, _) => Self::Arguments,
            (Self::Grounding, b"webSearchQueries") => Self::Queries,
            (Self::Annotations, b"type") => Self::AnnotationKind,
            (Self::Annotations, _) => Self::Annotations,
            (Self::Grounding, _) | (_, b"logprobs" | b"logprobsResult" | b"citationMetadata" | b"safetyRatings") => {
                Self::Skipped
            }
            (_, b"annotations") => Self::Annotations,
            (
                _,
                b"content" | b"text" | b"reasoning" | b"reasoning_content" | b"refusal" | b"arguments" | b"name"
                | b"input" | b"transcript" | b"thinking" | b"partial_json" | b"code",
            ) => Self::Text,
            (_, b"args") => Self::Arguments,
            (_, b"finish_reason" | b"finishReason" | b"stop_reason") => Self::Finish,
            (_, b"data") => Self::Media,
            (_, b"groundingMetadata") => Self::Grounding,
            _ => Self::Other,
        }
    }
}

impl Tally {
    /// Notes an event that could not be read; an empty one is none.
    pub(crate) fn malformed(&mut self, data: &[u8]) {
        self.is_malformed |= !data.trim_ascii().is_empty();
    }

    /// Reads a value that holds the model's words, however deep, and counts them.
    pub(crate) fn words(&mut self, reader: &mut Reader<'_>, key: Key, seen: &mut Seen) -> Result<(), JsonError> {
        if key == Key::Skipped {
            return reader.skip().map(|_| ());
        }
        match reader.kind()? {
            Kind::Object => {
                let mut walk = reader.object()?;
                while let Some(name) = reader.next_key(&mut walk)? {
                    self.words(reader, key.under(name.raw()), seen)?;
                }
                Ok(())
            }
            Kind::Array => {
                let mut walk = reader.array()?;
                while reader.next_element(&mut walk)? {
                    self.words(reader, key, seen)?;
                }
                Ok(())
            }
            Kind::String => {
                let raw = reader.string()?.raw();
                if !raw.is_empty() {
                    self.word(raw, key, seen);
                }
                Ok(())
            }
            _ => reader.skip().map(|_| ()),
        }
    }

    fn word(&mut self, raw: &[u8], key: Key, seen: &mut Seen) {
        match key {
            Key::Text | Key::Arguments => {
                self.text.add_string(raw);
                seen.has_content = true;
            }
            Key::Media => {
                self.images += 1;
                seen.has_content = true;
            }
            Key::Finish => self.has_finish = true,
            Key::Queries => seen.queries += 1,
            Key::AnnotationKind => seen.cites |= raw == b"url_citation",
            Key::Other | Key::Grounding | Key::Annotations | Key::Skipped => {}
        }
    }

    /// Takes in what one event brought.
    pub(crate) fn take(&mut self, seen: Seen) {
        self.content_events += u64::from(seen.has_content);
        self.has_content |= seen.has_content || self.has_finish;
    }

    /// Takes in an error; it ends the answer.
    pub(crate) fn fail(&mut self, error: Option<VendorError>) {
        self.has_content = true;
        if self.error.is_none() {
            self.error = error;
        }
    }

    pub(crate) fn output_estimate(&self) -> u64 {
        if self.has_no_output {
            return 0;
        }
        // No piece is less than a token. Where each event is one, those of encoded media are counted as such.
        let images = if self.events_are_tokens { 0 } else { self.images };
        self.text.tokens().max(self.content_events).saturating_add(images.saturating_mul(TOKENS_PER_IMAGE))
    }

    pub(crate) fn metered(&self, demand: &Demand, extra_output: u64) -> Metered {
        let Reading { usage, has_input, has_output, .. } = self.reading;
        let tier = if self.is_fast.unwrap_or(demand.is_fast) { ServiceTier::Fast } else { self.tier };
        let is_regional = self.is_regional.unwrap_or(demand.is_regional);
        let mut usage = Usage { tier, is_regional, ..usage };
        usage.searches = usage.searches.max(self.searches);
        if has_input && (has_output || self.has_no_output) && self.is_final {
            return Metered { usage, source: UsageSource::Reported };
        }
        if !has_input && !has_output && self.error.is_some() && self.output_estimate() == 0 {
            return Metered { usage, source: UsageSource::Estimated };
        }
        if !has_input {
            usage.input = demand.input_estimate();
        }
        if !self.has_no_output {
            let told = usage.output_total();
            let likely = self.output_estimate().saturating_add(extra_output).max(told);
            usage.output = usage.output.saturating_add(likely - told);
        }
        let source = match (self.is_background, has_input || has_output) {
            (true, _) => UsageSource::Abandoned,
            (false, true) => UsageSource::Partial,
            (false, false) => UsageSource::Estimated,
        };
        Metered { usage, source }
    }
}

/// Takes a part out of a total: at most what is left, so that the parts never sum up to more than the vendor's total.
pub(crate) fn carve(total: &mut u64, part: u64) -> u64 {
    let part = part.min(*total);
    *total -= part;
    part
}
