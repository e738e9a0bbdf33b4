//! Settings that decisions depend on, compiled from the `client` and `governance` sections.

use crate::headers::RequiredHeader;
use crate::route::balance::Balance;

/// Whether a call needs a virtual key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRequirement {
    /// Never; a key that is sent is checked all the same.
    Never,
    /// Always.
    Always,
    /// As soon as one virtual key exists.
    WhenKeysExist,
}

/// What the sections of a configuration say about whether a call needs a virtual key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeysSaid {
    /// `client.enforce_auth_on_inference`
    pub enforced: Option<bool>,
    /// `is_vk_mandatory` of the governance plugin
    pub mandatory: Option<bool>,
    /// `governance.auth_config.disable_auth_on_inference`
    pub disabled: Option<bool>,
    /// `governance.auth_config.is_enabled`
    pub is_admin_enabled: bool,
}

impl KeysSaid {
    /// Whether a call needs a virtual key, and the setting that says so.
    #[must_use]
    pub fn requirement(self) -> (KeyRequirement, &'static str) {
        if self.disabled == Some(true) {
            (KeyRequirement::Never, "governance.auth_config.disable_auth_on_inference is true")
        } else if self.enforced == Some(true) {
            (KeyRequirement::Always, "client.enforce_auth_on_inference is true")
        } else if self.mandatory == Some(true) {
            (KeyRequirement::Always, "is_vk_mandatory of the governance plugin is true")
        } else if self.is_admin_enabled {
            (KeyRequirement::Always, "governance.auth_config.is_enabled is true")
        } else if self.enforced == Some(false) {
            (KeyRequirement::Never, "client.enforce_auth_on_inference is false")
        } else if self.mandatory == Some(false) {
            (KeyRequirement::Never, "is_vk_mandatory of the governance plugin is false")
        } else {
            (KeyRequirement::WhenKeysExist, "no setting says otherwise")
        }
    }
}

/// What becomes of a streamed answer that breaks off after its first content was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamRecovery {
    /// It ends with an error in the client's own dialect.
    #[default]
    Error,
    /// Another target goes on where it broke off.
    Resume,
    /// Nothing is sent until the answer is whole, so it can be asked for again.
    Buffer,
}

/// What is done to requests that the target cannot be asked as they are (`client.compat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compat {
    /// What the target's API has no equivalent of is left out rather than refused.
    pub drops_params: bool,
    /// Text completions of models that only chat are asked for as chats.
    pub text_to_chat: bool,
    /// Chats with models that only the Responses API has are asked for there.
    pub chat_to_responses: bool,
}

/// What is written down of calls. What is charged for them is so in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logging {
    /// Whether calls are rows of the request log, and lines of the access log.
    pub is_enabled: bool,
    /// Rows are kept for so many days; `None`: nothing is said.
    pub retention_days: Option<u32>,
    /// Whether what is said in a call is kept beside its row.
    pub keeps_content: bool,
    /// Whether a call's own header may say otherwise.
    pub is_content_asked: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self { is_enabled: true, retention_days: None, keeps_content: false, is_content_asked: false }
    }
}

impl Logging {
    /// Whether what is said in a call is kept, by what its virtual key and its own header say.
    #[must_use]
    pub fn keeps_content_of(&self, key: Option<bool>, header: Option<bool>) -> bool {
        let header = header.filter(|_| self.is_content_asked);
        self.is_enabled && header.or(key).unwrap_or(self.keeps_content)
    }
}

/// Settings that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A credential that begins with it is meant to be a virtual key, so an unknown one is refused. Compared without case.
    pub key_prefix: Box<str>,
    /// What the sections say about whether a call needs a virtual key, so that one of them can change alone.
    pub keys_said: KeysSaid,
    /// Whether a call needs a virtual key.
    pub key_requirement: KeyRequirement,
    /// The setting that decided `key_requirement`, for the start-up log and `check`.
    pub key_requirement_reason: &'static str,
    /// Whether a credential that is no virtual key is passed on to the provider as the caller's own.
    pub allow_direct_keys: bool,
    /// Headers that every inference request must carry.
    pub required_headers: Vec<RequiredHeader>,
    /// The output limit assumed for a model whose own is not known, in tokens.
    pub default_max_output_tokens: u64,
    /// How traffic is spread where neither the rule nor the key says.
    pub balance: Balance,
    /// What becomes of a streamed answer that breaks off.
    pub stream_recovery: StreamRecovery,
    /// Whether calls whose prompts begin alike go the same way, so that the vendor's prompt cache is used.
    pub prompt_cache_affinity: bool,
    /// How many rules a call may go through, one after the other; at least 1.
    pub chain_depth: u8,
    /// Whether a model without a price is refused where a budget that cannot be overspent applies.
    pub refuse_unpriced: bool,
    /// An output limit that is lowered to what a budget affords is lowered no further than this, in tokens.
    pub min_clamped_tokens: u64,
    /// What is written down of calls.
    pub logging: Logging,
    /// What is done to requests that the target cannot be asked as they are.
    pub compat: Compat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_prefix: "sk-bf-".into(),
            keys_said: KeysSaid::default(),
            key_requirement: KeyRequirement::WhenKeysExist,
            key_requirement_reason: "no setting says otherwise",
            allow_direct_keys: false,
            required_headers: Vec::new(),
            default_max_output_tokens: 4_096,
            balance: Balance::Weighted,
            stream_recovery: StreamRecovery::Error,
            prompt_cache_affinity: false,
            chain_depth: 10,
            refuse_unpriced: true,
            min_clamped_tokens: 256,
            logging: Logging::default(),
            compat: Compat::default(),
        }
    }
}

impl Settings {
    /// The same settings where something else is said about keys.
    #[must_use]
    pub fn with_keys_said(&self, keys_said: KeysSaid) -> Self {
        let (key_requirement, key_requirement_reason) = keys_said.requirement();
        Self { keys_said, key_requirement, key_requirement_reason, ..self.clone() }
    }

    /// Whether a credential is meant to be a virtual key.
    #[must_use]
    pub fn looks_like_key(&self, token: &str) -> bool {
        !self.key_prefix.is_empty()
            && token.get(..self.key_prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.key_prefix))
    }
}
