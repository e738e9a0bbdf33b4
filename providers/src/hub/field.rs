//! What one wire format can ask and another cannot: how each is called where it was asked, and what was left out.

use std::borrow::Cow;

use super::part::MediaKind;

/// Something that a request may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Temperature,
    TopP,
    TopK,
    FrequencyPenalty,
    PresencePenalty,
    Seed,
    Stop,
    Choices,
    Logprobs,
    TopLogprobs,
    User,
    Format,
    Thinking,
    Verbosity,
    Modalities,
    HostedTool,
    ToolChoice,
    ParallelTools,
    /// A strict tool's schema.
    StrictTool,
    CacheMark,
    ParticipantName,
    Image,
    Audio,
    Video,
    File,
    /// A medium at a URL.
    MediaUrl,
    /// A medium in the vendor's store.
    MediaId,
    /// A medium in what a tool gave back.
    ToolMedia,
    Refusal,
    /// A part of a turn of a type that only its own wire format has.
    Part,
}

impl Field {
    /// The field that a medium of this kind is.
    pub(crate) const fn of(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Image => Self::Image,
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
            MediaKind::File => Self::File,
        }
    }

    /// Whether the answer is the same in kind without it: marks for caches and accounts, and what was only a wish.
    const fn is_hint(self) -> bool {
        matches!(
            self,
            Self::CacheMark
                | Self::User
                | Self::ParallelTools
                | Self::StrictTool
                | Self::ParticipantName
                // No vendor promises the same answer for the same seed.
                | Self::Seed
                | Self::Verbosity
        )
    }
}

/// What a target cannot be asked, as it is called where it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Left out without harm to the answer.
    pub(crate) hints: Vec<Cow<'static, str>>,
    /// The answer would be another without it.
    pub(crate) demands: Vec<Cow<'static, str>>,
    names: fn(Field) -> &'static str,
}

impl Lost {
    /// For requests of a wire format that calls fields by these names.
    pub(crate) fn new(names: fn(Field) -> &'static str) -> Self {
        Self { hints: Vec::new(), demands: Vec::new(), names }
    }

    /// A field that the target cannot be asked.
    pub(crate) fn add(&mut self, field: Field) {
        self.note(Cow::Borrowed((self.names)(field)), field.is_hint());
    }

    /// The same of one that counts as a demand elsewhere, where it is but a wish.
    pub(crate) fn add_hint(&mut self, field: Field) {
        self.note(Cow::Borrowed((self.names)(field)), true);
    }

    /// The same, where this is so.
    pub(crate) fn add_if(&mut self, is_lost: bool, field: Field) {
        if is_lost {
            self.add(field);
        }
    }

    /// A field that only the client's wire format knows, by its name there.
    pub(crate) fn add_other(&mut self, name: &str) {
        let is_hint = HINTS.contains(&name);
        self.note(Cow::Owned(name.to_owned()), is_hint);
    }

    fn note(&mut self, name: Cow<'static, str>, is_hint: bool) {
        let list = if is_hint { &mut self.hints } else { &mut self.demands };
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// Fields that only one wire format knows and without which the answer is the same in kind: names for accounts, caches and
/// statistics, price classes, where the user is, what tools give back, and how the stream is framed.
const HINTS: &[&str] = &[
    "betas",
    "cache_control",
    "contents[].parts[].partMetadata",
    "diagnostics",
    "include",
    "labels",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safetySettings",
    "safety_identifier",
    "service_tier",
    "serviceTier",
    "store",
    "stream_options.include_obfuscation",
    "tools[].functionDeclarations[].response",
    "tools[].functionDeclarations[].responseJsonSchema",
    "tools[].output_schema",
    "tools[].search_context_size",
    "tools[].user_location",
    "truncation",
    "web_search_options.user_location",
];
