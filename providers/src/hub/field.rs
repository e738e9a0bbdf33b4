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
    /// How many more there are, which are not compared with each other.
    more: usize,
    /// Whether one of those is a demand.
    demands_more: bool,
    names: fn(Field) -> &'static str,
}

/// So many names are kept: clients make up their own, and each is compared with those that are kept.
const MAX_NAMES: usize = 64;

/// How the entry begins that stands for names that are not kept.
pub(crate) const MORE: &str = "… and ";

impl Lost {
    /// For requests of a wire format that calls fields by these names.
    pub(crate) fn new(names: fn(Field) -> &'static str) -> Self {
        Self { hints: Vec::new(), demands: Vec::new(), more: 0, demands_more: false, names }
    }

    /// A field that the target cannot be asked.
    pub(crate) fn add(&mut self, field: Field) {
        self.note(Cow::Borrowed((self.names)(field)), field.is_hint());
    }

    /// The same of one that the client may ask, but not at this point of the conversation: it did nothing wrong.
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
        let is_full = self.hints.len() + self.demands.len() >= MAX_NAMES;
        let list = if is_hint { &mut self.hints } else { &mut self.demands };
        if list.contains(&name) {
            return;
        }
        if is_full {
            self.more += 1;
            self.demands_more |= !is_hint;
        } else {
            list.push(name);
        }
    }

    /// All demands and all hints. Names beyond those that are kept are one last entry, which is a demand if one of them is.
    pub(crate) fn into_lists(mut self) -> (Vec<Cow<'static, str>>, Vec<Cow<'static, str>>) {
        if self.more > 0 {
            let list = if self.demands_more { &mut self.demands } else { &mut self.hints };
            list.push(Cow::Owned(format!("{MORE}{} more", self.more)));
        }
        (self.demands, self.hints)
    }
}

/// Fields that only one wire format knows and without which the answer is the same in kind: names for accounts, caches and
/// statistics, price classes, where the user is, what tools give back, and how the stream is framed.
const HINTS: &[&str] = &[
    "betas",
    "cache_control",
    "client_metadata",
    "contents[].parts[].partMetadata",
    // Of Anthropic's, where nothing is to be summed up.
    "context_management.edits",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(names: impl IntoIterator<Item = String>) -> (Vec<Cow<'static, str>>, Vec<Cow<'static, str>>) {
        let mut lost = Lost::new(|_| "thinking");
        names.into_iter().for_each(|name| lost.add_other(&name));
        lost.into_lists()
    }

    #[test]
    fn of_many_names_some_are_kept_and_the_others_counted() {
        let (demands, hints) = lost((0..100_000).map(|n| format!("x{n}")));
        assert_eq!((demands.len(), hints.len()), (MAX_NAMES + 1, 0));
        assert_eq!((demands.first().unwrap(), demands.last().unwrap()), (&"x0".into(), &"… and 99936 more".into()));
    }

    #[test]
    fn as_many_names_as_are_kept_are_all_named() {
        let twice = || (0..2).flat_map(|_| (0..MAX_NAMES).map(|n| format!("x{n}")));
        assert_eq!(lost(twice()).0.last().unwrap(), "x63");
    }

    #[test]
    fn names_that_are_not_kept_are_a_demand_if_one_is() {
        let kept = || (0..MAX_NAMES).map(|n| format!("x{n}"));
        let (demands, hints) = lost(kept().chain(["store".to_owned(), "betas".to_owned()]));
        assert_eq!((demands.len(), hints), (MAX_NAMES, vec!["… and 2 more".into()]));
        let (demands, hints) = lost(kept().chain(["store".to_owned(), "y".to_owned()]));
        assert_eq!((demands.last().unwrap(), hints.len()), (&"… and 2 more".into(), 0));
    }

    #[test]
    fn what_tools_say_of_themselves_is_a_hint() {
        let (demands, hints) =
            lost(["client_metadata", "context_management.edits", "context_management"].map(String::from));
        assert_eq!(
            (demands, hints),
            (vec!["context_management".into()], vec!["client_metadata".into(), "context_management.edits".into()])
        );
    }
}
