//! How the chat completions of vendors who copy OpenAI's API differ from its own: what else can be asked, and what cannot.

/// How a vendor's chat completions differ from OpenAI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatQuirks {
    /// Where the model's earlier thoughts go back to it.
    pub thoughts: Thoughts,
    /// How it is asked to think.
    pub thinking: Asked,
    /// Which efforts it knows.
    pub efforts: Efforts,
    /// Whether it has the fields that OpenAI added for its own models and accounts: `store`, `service_tier`, `prompt_cache_key`,
    /// `verbosity` and the like, and `allowed_tools`.
    pub has_own_fields: bool,
    /// Whether it has `top_k`.
    pub has_top_k: bool,
    /// Whether parts of a message may carry `cache_control`.
    pub has_cache_control: bool,
    /// Its name for `seed`.
    pub seed_field: &'static str,
    /// Fields of OpenAI's that it does not know.
    pub unknown: &'static [&'static str],
}

/// Where a model's earlier thoughts go back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoughts {
    /// Nowhere.
    Nowhere,
    /// As `reasoning_content` of its message.
    Content,
    /// As `reasoning_details`, with the proofs of whose they are.
    Details,
}

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By `reasoning_effort`.
    Effort,
    /// By `reasoning_effort`, and by `thinking` whether at all.
    Switch,
    /// By `reasoning`, an object with an effort or a budget.
    Object,
}

/// Which efforts a vendor's models can be asked to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// None can be asked.
    Nowhere,
    /// `low`, `medium` and `high`.
    LowToHigh,
    /// All that OpenAI has.
    All,
}

impl Efforts {
    /// The one that is nearest to this. `None`: there is none; not to think at all is not the same as to think little.
    #[must_use]
    pub fn nearest(self, effort: &str) -> Option<&str> {
        match (self, effort) {
            (Self::Nowhere, _) | (Self::LowToHigh, "none") => None,
            (Self::LowToHigh, "minimal") => Some("low"),
            (Self::LowToHigh, "xhigh" | "max") => Some("high"),
            (Self::LowToHigh | Self::All, own) => Some(own),
        }
    }
}

impl ChatQuirks {
    /// None: OpenAI's own.
    pub const NONE: Self = Self {
        thoughts: Thoughts::Nowhere,
        thinking: Asked::Effort,
        efforts: Efforts::All,
        has_own_fields: true,
        has_top_k: false,
        has_cache_control: false,
        seed_field: "seed",
        unknown: &[],
    };
    /// Those of most who copy the API.
    pub const COPY: Self = Self { has_own_fields: false, efforts: Efforts::LowToHigh, ..Self::NONE };
    /// Those of servers that operators run themselves (vLLM, SGLang), and of hosts that serve open models by them: their sampling
    /// has more to set.
    pub const OPEN_MODELS: Self = Self { has_top_k: true, ..Self::COPY };
    /// DeepSeek's (<https://api-docs.deepseek.com/guides/thinking_mode>, 2026-11): the thoughts that led to a call of a tool must
    /// come back with it. Its output has a form, but keeps to no schema.
    pub const DEEPSEEK: Self = Self {
        thoughts: Thoughts::Content,
        thinking: Asked::Switch,
        efforts: Efforts::All,
        unknown: &[
            "response_format.json_schema",
            "seed",
            "n",
            "user",
            "parallel_tool_calls",
            "tools[].function.strict",
        ],
        ..Self::COPY
    };
    /// Mistral's (<https://docs.mistral.ai/api>, 2026-11), which refuses fields that it does not know.
    pub const MISTRAL: Self = Self {
        efforts: Efforts::Nowhere,
        seed_field: "random_seed",
        unknown: &["user", "logprobs", "top_logprobs", "messages[].name", "web_search_options"],
        ..Self::COPY
    };
    /// OpenRouter's (<https://openrouter.ai/docs/use-cases/reasoning-tokens>, 2026-11).
    pub const OPENROUTER: Self = Self {
        thoughts: Thoughts::Details,
        thinking: Asked::Object,
        efforts: Efforts::All,
        has_top_k: true,
        has_cache_control: true,
        ..Self::COPY
    };
}
