//! Budgets and rate limits, and what they hang on. Read and checked; what they demand is not built yet.

use crate::id::{CustomerId, ProviderName, TeamId, VirtualKeyId};
use crate::money::NanoUsd;
use crate::window::ResetDuration;

use super::node::{Node, Read};
use super::scalar::{text_or_whole, whole};

/// One entry of `governance.budgets`.
#[derive(Clone, Debug)]
pub struct BudgetShape {
    /// `id`
    pub id: Box<str>,
    /// `max_limit`, in US dollars; 0 lets nothing through.
    pub max_limit: NanoUsd,
    /// `reset_duration`
    pub reset: ResetDuration,
    /// `virtual_key_id`: its owner, if that is a virtual key.
    pub virtual_key: Option<VirtualKeyId>,
    /// `provider_config_id`: its owner, if that is an entry of a key's `provider_configs`.
    pub provider_config: Option<Box<str>>,
    /// `team_id`: its owner, if that is a team.
    pub team: Option<TeamId>,
    /// `customer_id`: its owner, if that is a customer.
    pub customer: Option<CustomerId>,
    /// `calendar_aligned`
    pub calendar_aligned: bool,
}

/// One entry of `governance.rate_limits`.
#[derive(Clone, Debug)]
pub struct RateLimitShape {
    /// `id`
    pub id: Box<str>,
    /// `request_max_limit` and `request_reset_duration`
    pub requests: CountLimit,
    /// `token_max_limit` and `token_reset_duration`
    pub tokens: CountLimit,
}

/// One dimension of a rate limit: both parts or none.
#[derive(Clone, Debug)]
pub struct CountLimit {
    /// How many.
    pub most: Option<u64>,
    /// In what time.
    pub window: Option<ResetDuration>,
}

/// One entry of `governance.model_configs`: limits of a model, whoever uses it.
#[derive(Clone, Debug)]
pub struct ModelConfigShape {
    /// `id`
    pub id: Box<str>,
    /// `model_name`
    pub model: Box<str>,
    /// `provider`; absent: whichever provider serves it.
    pub provider: Option<ProviderName>,
    /// `budget_id`
    pub budget: Option<Box<str>>,
    /// `rate_limit_id`
    pub rate_limit: Option<Box<str>>,
}

/// One entry of `governance.providers`: limits of a provider, whoever uses it.
#[derive(Clone, Debug)]
pub struct ProviderLimitsShape {
    /// `name`
    pub name: ProviderName,
    /// `budget_id`
    pub budget: Option<Box<str>>,
    /// `rate_limit_id`
    pub rate_limit: Option<Box<str>>,
    /// `send_back_raw_request`
    pub send_back_raw_request: bool,
    /// `send_back_raw_response`
    pub send_back_raw_response: bool,
}

impl Read for BudgetShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            max_limit: fields.required("max_limit"),
            reset: fields.required("reset_duration"),
            virtual_key: fields.optional("virtual_key_id"),
            provider_config: fields.with("provider_config_id", text_or_whole),
            team: fields.optional("team_id"),
            customer: fields.optional("customer_id"),
            calendar_aligned: fields.or("calendar_aligned", false),
        })
    }
}

impl Read for RateLimitShape {
    fn read(node: Node<'_>) -> Self {
        let count = |node: Node<'_>| whole(node, &(1..=u64::MAX));
        node.object(|fields| Self {
            id: fields.required("id"),
            requests: CountLimit {
                most: fields.with("request_max_limit", count),
                window: fields.optional("request_reset_duration"),
            },
            tokens: CountLimit {
                most: fields.with("token_max_limit", count),
                window: fields.optional("token_reset_duration"),
            },
        })
    }
}

impl Read for ModelConfigShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            model: fields.required("model_name"),
            provider: fields.optional("provider"),
            budget: fields.optional("budget_id"),
            rate_limit: fields.optional("rate_limit_id"),
        })
    }
}

impl Read for ProviderLimitsShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            name: fields.required("name"),
            budget: fields.optional("budget_id"),
            rate_limit: fields.optional("rate_limit_id"),
            send_back_raw_request: fields.or("send_back_raw_request", false),
            send_back_raw_response: fields.or("send_back_raw_response", false),
        })
    }
}
