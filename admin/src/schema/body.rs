//! Entities as requests write them. In a `PUT` absent fields stay as they are, and `null` removes.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// A budget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// How much may be spent in a window, in US dollars. Required in a `POST`.
    #[schema(minimum = 0)]
    pub max_limit: Option<f64>,
    /// How long a window is: `1h`, `1d`, `1w`, `1M`, …. Required in a `POST`.
    pub reset_duration: Option<String>,
    /// Whether windows begin where the calendar says.
    pub calendar_aligned: Option<bool>,
    /// Whose calendar: a name of the IANA database.
    pub timezone: Option<String>,
    /// `hard` or `soft`.
    pub mode: Option<String>,
}

/// A rate limit: each limit with its window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// How many tokens in a window.
    #[schema(minimum = 1)]
    pub token_max_limit: Option<u64>,
    /// How long that window is.
    pub token_reset_duration: Option<String>,
    /// How many requests in a window.
    #[schema(minimum = 1)]
    pub request_max_limit: Option<u64>,
    /// How long that window is.
    pub request_reset_duration: Option<String>,
    /// How many calls at one time.
    #[schema(minimum = 1)]
    pub max_concurrent_requests: Option<u32>,
    /// `rolling` or `fixed`.
    pub algorithm: Option<String>,
}

/// A virtual key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualKeyBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// Its name. Required in a `POST`, and no other key's.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it opens anything; absent in a `POST`: yes.
    pub is_active: Option<bool>,
    /// From when on it opens nothing (RFC 3339).
    pub expires_at: Option<String>,
    /// Its team.
    pub team_id: Option<String>,
    /// Its customer.
    pub customer_id: Option<String>,
    /// Whether providers that are not listed are allowed, too.
    pub allow_all_providers: Option<bool>,
    /// What it may use of each provider: all that there are from now on.
    pub provider_configs: Option<Vec<ProviderConfigBody>>,
    /// The operations that it may ask for; absent: all.
    pub allowed_request_types: Option<Vec<String>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets: all that there are from now on. One of the same duration keeps its usage.
    pub budgets: Option<Vec<BudgetBody>>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// Whether all its budgets begin where the calendar says.
    pub calendar_aligned: Option<bool>,
    /// How its calls are spread: `weighted` or `adaptive`.
    pub load_balancing: Option<String>,
    /// Whether what is said in its calls is kept out of the request log; absent: as the `client` section says.
    pub disable_content_logging: Option<bool>,
}

/// What a virtual key may use of a provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfigBody {
    /// The one that it is to replace; absent: that of the same provider.
    pub id: Option<String>,
    /// The provider's name.
    pub provider: String,
    /// Its share; `null`: reached only by name.
    #[schema(minimum = 0)]
    pub weight: Option<f64>,
    /// Models: `["*"]` or absent: all; `[]`: none.
    pub allowed_models: Option<Vec<String>>,
    /// Models that it may not use, whatever `allowed_models` says.
    pub blacklisted_models: Option<Vec<String>>,
    /// Names of the provider's keys: `["*"]` or absent: all; `[]`: none.
    pub key_ids: Option<Vec<String>>,
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets.
    pub budgets: Option<Vec<BudgetBody>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
}

/// A team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// Its name. Required in a `POST`, and no other team's.
    pub name: Option<String>,
    /// Its customer.
    pub customer_id: Option<String>,
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets.
    pub budgets: Option<Vec<BudgetBody>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
    /// Whether all its budgets begin where the calendar says.
    pub calendar_aligned: Option<bool>,
}

/// A customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// Its name. Required in a `POST`.
    pub name: Option<String>,
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets.
    pub budgets: Option<Vec<BudgetBody>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
    /// Whether all its budgets begin where the calendar says.
    pub calendar_aligned: Option<bool>,
}

/// The limits of a provider, whoever uses it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderLimitsBody {
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets.
    pub budgets: Option<Vec<BudgetBody>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
    /// Whether all its budgets begin where the calendar says.
    pub calendar_aligned: Option<bool>,
}

/// The limits of a model, whoever uses it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfigBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// The model. Required in a `POST`.
    pub model_name: Option<String>,
    /// The provider; absent: whichever serves the model.
    pub provider: Option<String>,
    /// Its one budget.
    pub budget: Option<BudgetBody>,
    /// Its budgets.
    pub budgets: Option<Vec<BudgetBody>>,
    /// Budgets that are declared elsewhere.
    pub budget_ids: Option<Vec<String>>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitBody>,
    /// A rate limit that is declared elsewhere.
    pub rate_limit_id: Option<String>,
    /// Whether all its budgets begin where the calendar says.
    pub calendar_aligned: Option<bool>,
}

/// A routing rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRuleBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// Its name. Required in a `POST`.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it applies; empty or absent: always.
    pub cel_expression: Option<String>,
    /// Where calls go. The weights sum to 1. Required in a `POST`.
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
    /// How its targets are spread: `weighted` or `adaptive`.
    pub load_balancing: Option<String>,
}

/// A target of a routing rule.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TargetBody {
    /// The provider; absent: the request's.
    pub provider: Option<String>,
    /// The model; absent: the request's.
    pub model: Option<String>,
    /// The name of the provider's key to use.
    pub key_id: Option<String>,
    /// Its share.
    pub weight: f64,
}

/// A price of the operator's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PricingOverrideBody {
    /// Its id; absent: one is made.
    pub id: Option<String>,
    /// Its name. Required in a `POST`.
    pub name: Option<String>,
    /// Whose calls: `global`, `provider`, `provider_key`, `virtual_key`, `virtual_key_provider` or `virtual_key_provider_key`.
    pub scope_kind: Option<String>,
    /// The virtual key, where the scope has one.
    pub virtual_key_id: Option<String>,
    /// The provider's name, where the scope has one.
    pub provider_id: Option<String>,
    /// The name of the provider's key, where the scope has one.
    pub provider_key_id: Option<String>,
    /// `exact` or `wildcard`. Required in a `POST`.
    pub match_type: Option<String>,
    /// The model, or how its name begins with a `*` at the end. Required in a `POST`.
    pub pattern: Option<String>,
    /// The operations that it is for; absent: all.
    pub request_types: Option<Vec<String>>,
    /// The prices that are set, in US dollars. Required in a `POST`.
    #[schema(value_type = Option<Object>)]
    pub pricing_patch: Option<BTreeMap<String, f64>>,
}

/// A provider.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProviderBody {
    /// Its name. Required in a `POST`; `name` is taken as well.
    pub provider: Option<String>,
    /// Its keys: all that there are from now on. A `value` that is shown as asterisks stands for the one that is there.
    pub keys: Option<Vec<ProviderKeyBody>>,
    /// Where it is, and how it is reached.
    #[schema(value_type = Option<Object>)]
    pub network_config: Option<BTreeMap<String, String>>,
    /// Whose API it has, if its name does not say.
    #[schema(value_type = Option<Object>)]
    pub custom_provider_config: Option<BTreeMap<String, String>>,
}

/// A provider's key.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProviderKeyBody {
    /// Its name, unique within the provider. Required in a `POST`.
    pub name: Option<String>,
    /// The key itself, or `env.NAME`.
    pub value: Option<String>,
    /// The models that it is for; absent: all.
    pub models: Option<Vec<String>>,
    /// Its share; `null`: used only where it is named.
    #[schema(minimum = 0)]
    pub weight: Option<f64>,
    /// What is asked for, and what the provider calls it.
    #[schema(value_type = Option<Object>)]
    pub aliases: Option<BTreeMap<String, String>>,
    /// Whether it is used.
    pub enabled: Option<bool>,
}
