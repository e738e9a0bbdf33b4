//! Entities as replies show them.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::TargetBody;

/// A budget and what was used of it.
#[derive(Debug, ToSchema)]
pub struct Budget {
    /// Its id.
    pub id: String,
    /// How much may be spent in a window, in US dollars.
    pub max_limit: f64,
    /// How long a window is: `30s`, `5m`, `1h`, `1d`, `1w`, `1M`, `1Q`, `1Y`.
    pub reset_duration: String,
    /// Whether windows begin where the calendar says.
    pub calendar_aligned: bool,
    /// Whose calendar.
    pub timezone: String,
    /// `hard`: never overspent; `soft`: charged afterwards.
    pub mode: String,
    /// What was charged in the window under way, in US dollars.
    pub current_usage: f64,
    /// What calls in flight reserved besides, in US dollars.
    pub reserved: f64,
    /// When the window ends (RFC 3339); `null`: it has not begun.
    #[schema(required)]
    pub resets_at: Option<String>,
}

/// A rate limit and what was used of it.
#[derive(Debug, ToSchema)]
pub struct RateLimit {
    /// Its id.
    pub id: String,
    /// How many tokens in a window.
    #[schema(required)]
    pub token_max_limit: Option<u64>,
    /// How long that window is.
    #[schema(required)]
    pub token_reset_duration: Option<String>,
    /// Tokens used in it.
    pub token_current_usage: u64,
    /// How many requests in a window.
    #[schema(required)]
    pub request_max_limit: Option<u64>,
    /// How long that window is.
    #[schema(required)]
    pub request_reset_duration: Option<String>,
    /// Requests made in it.
    pub request_current_usage: u64,
    /// How many calls at one time.
    #[schema(required)]
    pub max_concurrent_requests: Option<u32>,
    /// Calls in flight.
    pub concurrent_requests: u32,
    /// `rolling` or `fixed`.
    pub algorithm: String,
}

/// A virtual key.
#[derive(Debug, ToSchema)]
pub struct VirtualKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its token: in the reply to its creation and rotation only; else asterisks, or the environment variable that holds it.
    pub value: Option<String>,
    /// Whether it opens anything.
    pub is_active: Option<bool>,
    /// From when on it opens nothing (RFC 3339).
    pub expires_at: Option<String>,
    /// Its team.
    pub team_id: Option<String>,
    /// Its customer.
    pub customer_id: Option<String>,
    /// Whether providers that are not listed are allowed, too.
    pub allow_all_providers: Option<bool>,
    /// What it may use of each provider.
    pub provider_configs: Option<Vec<ProviderConfig>>,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
    /// `file` or `api`: who declared it.
    pub source: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was changed last (RFC 3339).
    pub updated_at: String,
}

/// What a virtual key may use of a provider.
#[derive(Debug, ToSchema)]
pub struct ProviderConfig {
    /// The provider's name.
    pub provider: String,
    /// Its share; `null`: reached only by name.
    pub weight: Option<f64>,
    /// Models: `["*"]` or absent: all; `[]`: none.
    pub allowed_models: Option<Vec<String>>,
    /// Names of the provider's keys: `["*"]` or absent: all; `[]`: none.
    pub key_ids: Option<Vec<String>>,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
}

/// A team.
#[derive(Debug, ToSchema)]
pub struct Team {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its customer.
    pub customer_id: Option<String>,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
    /// `file` or `api`.
    pub source: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was changed last (RFC 3339).
    pub updated_at: String,
}

/// A customer.
#[derive(Debug, ToSchema)]
pub struct Customer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
    /// `file` or `api`.
    pub source: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was changed last (RFC 3339).
    pub updated_at: String,
}

/// The limits of a provider, whoever uses it.
#[derive(Debug, ToSchema)]
pub struct ProviderLimits {
    /// The provider's name.
    pub name: String,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
    /// `file` or `api`.
    pub source: String,
}

/// The limits of a model, whoever uses it.
#[derive(Debug, ToSchema)]
pub struct ModelConfig {
    /// Its id.
    pub id: String,
    /// The model.
    pub model_name: String,
    /// The provider; absent: whichever serves the model.
    pub provider: Option<String>,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Its rate limit.
    #[schema(required)]
    pub rate_limit: Option<RateLimit>,
    /// `file` or `api`.
    pub source: String,
}

/// A routing rule.
#[derive(Debug, ToSchema)]
pub struct RoutingRule {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it applies; empty or absent: always.
    pub cel_expression: Option<String>,
    /// Where calls go. The weights sum to 1.
    pub targets: Option<Vec<TargetBody>>,
    /// Where they go next: `provider` or `provider/model`.
    pub fallbacks: Option<Vec<String>>,
    /// `global`, `customer`, `team` or `virtual_key`.
    pub scope: Option<String>,
    /// Whose, unless it is everybody's.
    pub scope_id: Option<String>,
    /// Lower ones come first.
    pub priority: Option<i32>,
    /// Whether it is asked at all.
    pub enabled: Option<bool>,
    /// Whether the rules are asked again with what it chose.
    pub chain_rule: Option<bool>,
    /// `file` or `api`.
    pub source: String,
}

/// A price of the operator's own.
#[derive(Debug, ToSchema)]
pub struct PricingOverride {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose calls: `global`, `provider`, `provider_key`, `virtual_key`, `virtual_key_provider` or `virtual_key_provider_key`.
    pub scope_kind: Option<String>,
    /// `exact` or `wildcard`.
    pub match_type: Option<String>,
    /// The model, or how its name begins.
    pub pattern: String,
    /// `file` or `api`.
    pub source: String,
}

/// A provider.
#[derive(Debug, ToSchema)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// Its keys, without what opens the vendor's door.
    pub keys: Option<Vec<ProviderKey>>,
    /// Where it is, and how it is reached.
    #[schema(value_type = Option<Object>)]
    pub network_config: Option<BTreeMap<String, String>>,
    /// Whose API it has, if its name does not say.
    #[schema(value_type = Option<Object>)]
    pub custom_provider_config: Option<BTreeMap<String, String>>,
    /// `file` or `api`.
    pub source: String,
}

/// A provider's key.
#[derive(Debug, ToSchema)]
pub struct ProviderKey {
    /// Its name, unique within the provider.
    pub name: String,
    /// Asterisks, or the environment variable that holds it.
    pub value: Option<String>,
    /// The models that it is for.
    pub models: Option<Vec<String>>,
    /// Its share; `null`: used only where it is named.
    pub weight: Option<f64>,
    /// Whether it is used.
    pub enabled: Option<bool>,
}
