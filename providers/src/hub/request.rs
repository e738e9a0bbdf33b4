//! What a request asks. The model, whether the answer is streamed and whether usage is wanted in it are not here: they are known
//! before (`peek`), and decided by the gateway.

use super::Wire;
use super::part::{Part, Role, Turn};
use super::text::{Json, Str};

/// A request for a conversation's next turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request<'a> {
    /// The wire format that it was read from.
    pub(crate) from: Wire,
    /// The conversation, instructions among it.
    pub(crate) turns: Vec<Turn<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
    pub(crate) tool_choice: Option<ToolChoice<'a>>,
    /// Whether the model may call several tools at once; `None`: as the vendor does by itself.
    pub(crate) parallel_tools: Option<bool>,
    /// What form the answer's text has to have; `None`: any.
    pub(crate) format: Option<Format<'a>>,
    pub(crate) thinking: Option<Thinking<'a>>,
    /// How long the answer's text is to be: `low`, `medium`, `high`.
    pub(crate) verbosity: Option<Str<'a>>,
    /// The most output tokens.
    pub(crate) max_output: Option<u64>,
    /// How many answers.
    pub(crate) choices: Option<u64>,
    pub(crate) temperature: Option<Json<'a>>,
    pub(crate) top_p: Option<Json<'a>>,
    pub(crate) top_k: Option<Json<'a>>,
    pub(crate) frequency_penalty: Option<Json<'a>>,
    pub(crate) presence_penalty: Option<Json<'a>>,
    pub(crate) seed: Option<Json<'a>>,
    /// Texts before which the answer ends.
    pub(crate) stop: Vec<Str<'a>>,
    /// Whether each token comes with its log-probability.
    pub(crate) logprobs: Option<bool>,
    /// With those of how many others in its place.
    pub(crate) top_logprobs: Option<u64>,
    /// What the answer is made of besides text, as the words `audio` and `image`, in small letters.
    pub(crate) modalities: Vec<Str<'a>>,
    /// Who the application's own user is, for the vendor's watch over abuse.
    pub(crate) user: Option<Str<'a>>,
    /// Fields that have no place above, null ones left out.
    pub(crate) others: Vec<Other<'a>>,
}

/// A field that only its own wire format knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Other<'a> {
    /// Its place in the request, as `generationConfig.responseLogprobs`.
    pub(crate) name: std::borrow::Cow<'a, str>,
    pub(crate) value: Json<'a>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tool<'a> {
    /// One that the caller runs.
    Function(Function<'a>),
    /// The vendor's own search of the web.
    WebSearch(WebSearch<'a>),
    /// Another of the vendor's own: the name of its type, and the whole tool.
    Hosted { kind: Str<'a>, value: Json<'a> },
}

/// A tool that the caller runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function<'a> {
    pub(crate) name: Str<'a>,
    pub(crate) description: Option<Str<'a>>,
    /// The JSON schema of its arguments; `None`: it takes none.
    pub(crate) parameters: Option<Json<'a>>,
    /// Whether the arguments must keep to the schema.
    pub(crate) strict: Option<bool>,
    pub(crate) cache: Option<super::part::CacheMark<'a>>,
}

/// How the vendor searches the web.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WebSearch<'a> {
    /// How often at most.
    pub(crate) max_uses: Option<u64>,
    /// The only sites that may be found.
    pub(crate) allowed_domains: Vec<Str<'a>>,
    /// Sites that may not.
    pub(crate) blocked_domains: Vec<Str<'a>>,
    /// Where the user is, as an object with `city`, `region`, `country` and `timezone`.
    pub(crate) location: Option<Json<'a>>,
}

/// Which tools the model calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ToolChoice<'a> {
    /// Any or none, as it likes.
    Auto,
    /// None.
    None,
    /// One at least.
    Required,
    /// This one.
    Named(Str<'a>),
    /// Of these alone; `required`: one at least.
    Among { names: Vec<Str<'a>>, required: bool },
}

/// What form the answer's text has to have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format<'a> {
    /// Any JSON object.
    Json,
    /// JSON that keeps to a schema.
    Schema { name: Option<Str<'a>>, description: Option<Str<'a>>, schema: Json<'a>, strict: Option<bool> },
}

/// How much the model thinks before it answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thinking<'a> {
    /// In a word: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub(crate) effort: Option<Str<'a>>,
    /// In tokens at most; 0: not at all.
    pub(crate) budget: Option<u64>,
    /// As the model likes.
    pub(crate) is_adaptive: bool,
    /// Whether the answer is to show the thoughts or a summary of them; `None`: as the vendor does by itself.
    pub(crate) is_shown: Option<bool>,
}

impl<'a> Request<'a> {
    /// A request that asks nothing yet.
    pub(crate) fn new(from: Wire) -> Self {
        Self {
            from,
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            format: None,
            thinking: None,
            verbosity: None,
            max_output: None,
            choices: None,
            temperature: None,
            top_p: None,
            top_k: None,
            frequency_penalty: None,
            presence_penalty: None,
            seed: None,
            stop: Vec::new(),
            logprobs: None,
            top_logprobs: None,
            modalities: Vec::new(),
            user: None,
            others: Vec::new(),
        }
    }

    /// The instructions, for wire formats that keep them apart from the conversation.
    pub(crate) fn instructions(&self) -> impl Iterator<Item = &Part<'a>> {
        self.turns.iter().filter(|turn| turn.role == Role::System).flat_map(|turn| &turn.parts)
    }

    /// The conversation without instructions, turns of the same speaker that follow each other as one: for wire formats in which
    /// they take turns.
    pub(crate) fn alternating(&self) -> Vec<(Role, Vec<&Part<'a>>)> {
        let mut merged: Vec<(Role, Vec<&Part<'a>>)> = Vec::new();
        for turn in self.turns.iter().filter(|turn| turn.role != Role::System) {
            match merged.last_mut().filter(|(role, _)| *role == turn.role) {
                Some((_, parts)) => parts.extend(&turn.parts),
                None => merged.push((turn.role, turn.parts.iter().collect())),
            }
        }
        merged
    }
}
