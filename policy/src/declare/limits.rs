//! Budgets and rate limits as they are written: in lists of their own, or on what they limit.

use jiff::tz::TimeZone;

use crate::id::{CustomerId, ModelName, ProviderName, TeamId, VirtualKeyId};
use crate::limit::{Algorithm, Mode};
use crate::money::NanoUsd;
use crate::window::ResetDuration;

use super::node::{Fields, Node, Read};
use super::scalar::{one_of, text_or_whole, time_zone, whole};

/// What a budget allows, wherever it is written.
#[derive(Clone, Debug)]
pub struct BudgetTerms {
    /// `max_limit`, in US dollars; 0 lets nothing through.
    pub max_limit: NanoUsd,
    /// `reset_duration`
    pub reset: ResetDuration,
    /// `calendar_aligned`
    pub calendar_aligned: bool,
    /// `timezone`
    pub zone: TimeZone,
    /// `mode`
    pub mode: Mode,
}

/// One entry of `governance.budgets`.
#[derive(Clone, Debug)]
pub struct BudgetShape {
    /// `id`
    pub id: Box<str>,
    /// What it allows.
    pub terms: BudgetTerms,
    /// `virtual_key_id`: its owner, if that is a virtual key.
    pub virtual_key: Option<VirtualKeyId>,
    /// `provider_config_id`: its owner, if that is an entry of a key's `provider_configs`.
    pub provider_config: Option<Box<str>>,
    /// `team_id`: its owner, if that is a team.
    pub team: Option<TeamId>,
    /// `customer_id`: its owner, if that is a customer.
    pub customer: Option<CustomerId>,
}

/// A budget that is written on its owner.
#[derive(Clone, Debug)]
pub struct InlineBudget {
    /// `id`; absent: one is made of the owner's.
    pub id: Option<Box<str>>,
    /// What it allows.
    pub terms: BudgetTerms,
}

/// What a rate limit allows, wherever it is written.
#[derive(Clone, Debug)]
pub struct RateTerms {
    /// `request_max_limit` and `request_reset_duration`
    pub requests: CountLimit,
    /// `token_max_limit` and `token_reset_duration`
    pub tokens: CountLimit,
    /// `max_concurrent_requests`
    pub concurrent: Option<u32>,
    /// `algorithm`
    pub algorithm: Algorithm,
}

/// One dimension of a rate limit: both parts or none.
#[derive(Clone, Debug)]
pub struct CountLimit {
    /// How many.
    pub most: Option<u64>,
    /// In what time.
    pub window: Option<ResetDuration>,
}

/// One entry of `governance.rate_limits`.
#[derive(Clone, Debug)]
pub struct RateLimitShape {
    /// `id`
    pub id: Box<str>,
    /// What it allows.
    pub terms: RateTerms,
}

/// A rate limit that is written on its owner.
#[derive(Clone, Debug)]
pub struct InlineRateLimit {
    /// `id`; absent: one is made of the owner's.
    pub id: Option<Box<str>>,
    /// What it allows.
    pub terms: RateTerms,
}

/// What stands on an entity about its limits. In the normal form just `budget_ids` and `rate_limit_id`.
#[derive(Clone, Debug, Default)]
pub struct LimitsShape {
    /// `budget_id`
    pub budget_id: Option<Box<str>>,
    /// `budget_ids`
    pub budget_ids: Vec<Box<str>>,
    /// `budget`
    pub budget: Option<InlineBudget>,
    /// `budgets`
    pub budgets: Vec<InlineBudget>,
    /// `rate_limit_id`
    pub rate_limit_id: Option<Box<str>>,
    /// `rate_limit`
    pub rate_limit: Option<InlineRateLimit>,
}

/// One entry of `governance.model_configs`: limits of a model, whoever uses it.
#[derive(Clone, Debug)]
pub struct ModelConfigShape {
    /// `id`
    pub id: Box<str>,
    /// `model_name`
    pub model: ModelName,
    /// `provider`; absent: whichever provider serves it.
    pub provider: Option<ProviderName>,
    /// Its limits.
    pub limits: LimitsShape,
}

/// One entry of `governance.providers`: limits of a provider, whoever uses it.
#[derive(Clone, Debug)]
pub struct ProviderLimitsShape {
    /// `name`
    pub name: ProviderName,
    /// Its limits.
    pub limits: LimitsShape,
    /// `calendar_aligned`: of all its budgets.
    pub calendar_aligned: bool,
    /// `send_back_raw_request`
    pub send_back_raw_request: bool,
    /// `send_back_raw_response`
    pub send_back_raw_response: bool,
}

const MODES: [(&str, Mode); 2] = [("hard", Mode::Hard), ("soft", Mode::Soft)];

const ALGORITHMS: [(&str, Algorithm); 2] = [("rolling", Algorithm::Rolling), ("fixed", Algorithm::Fixed)];

impl BudgetTerms {
    fn of(fields: &mut Fields<'_>) -> Self {
        Self {
            max_limit: fields.required("max_limit"),
            reset: fields.required("reset_duration"),
            calendar_aligned: fields.or("calendar_aligned", false),
            zone: fields.with("timezone", time_zone).unwrap_or(TimeZone::UTC),
            mode: fields.with("mode", |node| one_of(node, &MODES)).flatten().unwrap_or_default(),
        }
    }
}

impl RateTerms {
    fn of(fields: &mut Fields<'_>) -> Self {
        let count = |node: Node<'_>| whole(node, &(1..=u64::MAX));
        let concurrent = |node: Node<'_>| u32::try_from(whole(node, &(1..=u32::MAX.into()))).unwrap_or(u32::MAX);
        Self {
            requests: CountLimit {
                most: fields.with("request_max_limit", count),
                window: fields.optional("request_reset_duration"),
            },
            tokens: CountLimit {
                most: fields.with("token_max_limit", count),
                window: fields.optional("token_reset_duration"),
            },
            concurrent: fields.with("max_concurrent_requests", concurrent),
            algorithm: fields.with("algorithm", |node| one_of(node, &ALGORITHMS)).flatten().unwrap_or_default(),
        }
    }
}

impl LimitsShape {
    /// Reads the fields that each entity with limits has.
    pub(super) fn of(fields: &mut Fields<'_>) -> Self {
        let named = Self {
            budget_ids: fields.list("budget_ids"),
            rate_limit_id: fields.optional("rate_limit_id"),
            ..Self::default()
        };
        if fields.is_normal() {
            return named;
        }
        Self {
            budget_id: fields.optional("budget_id"),
            budget: fields.optional("budget"),
            budgets: fields.list("budgets"),
            rate_limit: fields.optional("rate_limit"),
            ..named
        }
    }

    /// Whether nothing is limited by what stands here.
    pub(super) fn is_empty(&self) -> bool {
        let has_budget = self.named_budgets().next().is_some() || self.inline_budgets().next().is_some();
        !has_budget && self.rate_limit_id.is_none() && self.rate_limit.is_none()
    }

    /// The ids of the budgets that are named here.
    pub(super) fn named_budgets(&self) -> impl Iterator<Item = &str> {
        self.budget_id.iter().chain(&self.budget_ids).map(|id| &**id)
    }

    /// The budgets that are written here.
    pub(super) fn inline_budgets(&self) -> impl Iterator<Item = &InlineBudget> {
        self.budget.iter().chain(&self.budgets)
    }
}

impl Read for BudgetShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| {
            let (id, terms) = (fields.required("id"), BudgetTerms::of(fields));
            if fields.is_normal() {
                return Self { id, terms, virtual_key: None, provider_config: None, team: None, customer: None };
            }
            Self {
                id,
                terms,
                virtual_key: fields.optional("virtual_key_id"),
                provider_config: fields.with("provider_config_id", text_or_whole),
                team: fields.optional("team_id"),
                customer: fields.optional("customer_id"),
            }
        })
    }
}

impl Read for InlineBudget {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { id: fields.optional("id"), terms: BudgetTerms::of(fields) })
    }
}

impl Read for RateLimitShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { id: fields.required("id"), terms: RateTerms::of(fields) })
    }
}

impl Read for InlineRateLimit {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { id: fields.optional("id"), terms: RateTerms::of(fields) })
    }
}

impl Read for ModelConfigShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            model: fields.required("model_name"),
            provider: fields.optional("provider"),
            limits: LimitsShape::of(fields),
        })
    }
}

impl Read for ProviderLimitsShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            name: fields.required("name"),
            limits: LimitsShape::of(fields),
            calendar_aligned: fields.or("calendar_aligned", false),
            send_back_raw_request: fields.or("send_back_raw_request", false),
            send_back_raw_response: fields.or("send_back_raw_response", false),
        })
    }
}
