//! The `governance` section: who may call, and how teams and customers hang together.

use crate::id::{CustomerId, ProviderName, TeamId, VirtualKeyId};
use crate::key::TokenHash;
use crate::list::AllowList;
use crate::provider::Secret;
use crate::request::OperationSet;
use crate::route::Weight;
use crate::route::balance::Balance;

use super::json::Json;
use super::limits::{BudgetShape, LimitsShape, ModelConfigShape, ProviderLimitsShape, RateLimitShape};
use super::node::{Fields, Node, Read};
use super::prices::PriceOverrideShape;
use super::rules::{RuleShape, rules};
use super::scalar::{any_text, balance, header_secret, moment_ms, text_or_whole, whole};

/// The `governance` section.
#[derive(Clone, Debug)]
pub struct GovernanceShape {
    /// `auth_config`
    pub auth: AuthShape,
    /// `virtual_keys`
    pub virtual_keys: Vec<VirtualKeyShape>,
    /// `teams`
    pub teams: Vec<TeamShape>,
    /// `customers`
    pub customers: Vec<CustomerShape>,
    /// `budgets`
    pub budgets: Vec<BudgetShape>,
    /// `rate_limits`
    pub rate_limits: Vec<RateLimitShape>,
    /// `routing_rules`
    pub rules: Vec<RuleShape>,
    /// `pricing_overrides`
    pub price_overrides: Vec<PriceOverrideShape>,
    /// `model_configs`
    pub model_configs: Vec<ModelConfigShape>,
    /// `providers`
    pub provider_limits: Vec<ProviderLimitsShape>,
}

/// `governance.auth_config`: who may administer, and whether calls need a key.
#[derive(Clone, Debug)]
pub struct AuthShape {
    /// `is_enabled`: whether administration needs a password.
    pub is_enabled: bool,
    /// `admin_username`
    pub admin_username: Option<Secret>,
    /// `admin_password`
    pub admin_password: Option<Secret>,
    /// `disable_auth_on_inference`: calls need no key, whatever else is said; `None` where nothing is said.
    pub disable_auth_on_inference: Option<bool>,
}

/// One entry of `governance.virtual_keys`.
#[derive(Clone, Debug)]
pub struct VirtualKeyShape {
    /// `id`
    pub id: VirtualKeyId,
    /// `name`
    pub name: Box<str>,
    /// `description`
    pub description: Option<Box<str>>,
    /// `value`: the token; `None`: one is to be generated.
    pub value: Option<Secret>,
    /// `value_hash` and `value_hashes` of the stored form: the tokens' hashes, in their place or beside it.
    pub hashes: Vec<TokenHash>,
    /// `is_active`
    pub is_active: bool,
    /// `expires_at`, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
    /// `team_id`
    pub team: Option<TeamId>,
    /// `customer_id`
    pub customer: Option<CustomerId>,
    /// `allow_all_providers`: whether providers that are not listed are allowed too; `None` where nothing is said.
    pub allow_all_providers: Option<bool>,
    /// `provider_configs`; `None` when absent, which version 1 reads as all providers and version 2 as none.
    pub providers: Option<Vec<ProviderConfigShape>>,
    /// `allowed_request_types`; absent: all.
    pub operations: OperationSet,
    /// Its limits.
    pub limits: LimitsShape,
    /// `calendar_aligned`: of all its budgets.
    pub calendar_aligned: bool,
    /// `load_balancing`; absent: as the `client` section says.
    pub balance: Option<Balance>,
    /// `disable_content_logging`, the other way round; absent: as the `client` section says.
    pub keeps_content: Option<bool>,
}

/// One entry of a virtual key's `provider_configs`.
#[derive(Clone, Debug)]
pub struct ProviderConfigShape {
    /// `id`, to which a budget may refer.
    pub id: Option<Box<str>>,
    /// `provider`
    pub provider: ProviderName,
    /// `allowed_models`; absent: all.
    pub models: AllowList,
    /// `blacklisted_models`; absent: none.
    pub denied_models: AllowList,
    /// `key_ids` (or `keys`): names of the provider's keys; absent: all.
    pub credentials: AllowList,
    /// `weight`: absent 1; `null`: reached only by name.
    pub weight: Option<Weight>,
    /// Its limits.
    pub limits: LimitsShape,
}

/// One entry of `governance.teams`.
#[derive(Clone, Debug)]
pub struct TeamShape {
    /// `id`
    pub id: TeamId,
    /// `name`
    pub name: Box<str>,
    /// `customer_id`
    pub customer: Option<CustomerId>,
    /// Its limits.
    pub limits: LimitsShape,
    /// `calendar_aligned`: of all its budgets.
    pub calendar_aligned: bool,
}

/// One entry of `governance.customers`.
#[derive(Clone, Debug)]
pub struct CustomerShape {
    /// `id`
    pub id: CustomerId,
    /// `name`
    pub name: Box<str>,
    /// Its limits.
    pub limits: LimitsShape,
    /// `calendar_aligned`: of all its budgets.
    pub calendar_aligned: bool,
}

impl Read for GovernanceShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            auth: fields.section("auth_config"),
            virtual_keys: fields.list("virtual_keys"),
            teams: fields.list("teams"),
            customers: fields.list("customers"),
            budgets: fields.list("budgets"),
            rate_limits: fields.list("rate_limits"),
            rules: fields.with("routing_rules", rules).unwrap_or_default(),
            price_overrides: fields.list("pricing_overrides"),
            model_configs: fields.list("model_configs"),
            provider_limits: fields.list("providers"),
        })
    }
}

impl Read for AuthShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            is_enabled: fields.or("is_enabled", false),
            admin_username: fields.optional("admin_username"),
            admin_password: fields.optional("admin_password"),
            disable_auth_on_inference: fields.optional("disable_auth_on_inference"),
        })
    }
}

impl Read for VirtualKeyShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            description: fields.with("description", any_text),
            value: fields.with("value", header_secret),
            hashes: if fields.is_normal() { hashes(fields) } else { Vec::new() },
            is_active: fields.or("is_active", true),
            expires_at_ms: fields.with("expires_at", moment_ms),
            team: fields.optional("team_id"),
            customer: fields.optional("customer_id"),
            allow_all_providers: fields.optional("allow_all_providers"),
            providers: fields.optional("provider_configs"),
            operations: fields.or("allowed_request_types", OperationSet::ALL),
            limits: LimitsShape::of(fields),
            calendar_aligned: fields.or("calendar_aligned", false),
            balance: fields.with("load_balancing", balance).flatten(),
            keeps_content: fields.optional("disable_content_logging").map(|is_off: bool| !is_off),
        })
    }
}

/// The hashes of a stored key: one, or several with the moments at which they end.
fn hashes(fields: &mut Fields<'_>) -> Vec<TokenHash> {
    let one = fields.with("value_hash", hash);
    let several = fields.with("value_hashes", |node| node.list(hash)).unwrap_or_default();
    one.into_iter().chain(several).flatten().collect()
}

/// A hash, or an object with one and the moment at which it ends.
fn hash(node: Node<'_>) -> Option<TokenHash> {
    if !matches!(node.json, Json::Object(_)) {
        return hex_hash(node);
    }
    node.object(|fields| {
        let hash = fields.with("value_hash", hex_hash);
        if hash.is_none() {
            node.log.error(node.path.field("value_hash"), "required, but missing");
        }
        let end = fields.with("expires_at_ms", |node| whole(node, &(0..=u64::MAX)));
        hash.flatten().map(|hash| hash.until(end))
    })
}

fn hex_hash(node: Node<'_>) -> Option<TokenHash> {
    let hash = node.json.as_text().and_then(TokenHash::from_hex);
    if hash.is_none() {
        node.log.error_about_secret(node.path, "expected a SHA-256 as 64 hexadecimal digits");
    }
    hash
}

impl Read for ProviderConfigShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.with("id", text_or_whole),
            provider: fields.required("provider"),
            models: fields.or("allowed_models", AllowList::All),
            denied_models: fields.or("blacklisted_models", AllowList::nothing()),
            credentials: fields.either("key_ids", "keys").unwrap_or(AllowList::All),
            weight: fields.weight("weight"),
            limits: LimitsShape::of(fields),
        })
    }
}

impl Read for TeamShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            customer: fields.optional("customer_id"),
            limits: LimitsShape::of(fields),
            calendar_aligned: fields.or("calendar_aligned", false),
        })
    }
}

impl Read for CustomerShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            limits: LimitsShape::of(fields),
            calendar_aligned: fields.or("calendar_aligned", false),
        })
    }
}
