//! Changes of the policy, and why one cannot be applied.

use std::sync::Arc;

use thiserror::Error;

use super::{Customer, Team};
use crate::catalog::Catalog;
use crate::id::{BudgetId, CustomerId, PriceOverrideId, ProviderName, RateLimitId, RuleId, TeamId, VirtualKeyId};
use crate::key::VirtualKey;
use crate::limit::{Budget, Limits, ModelLimits, RateLimit};
use crate::price::overrides::{PriceOverride, TooManyOverrides};
use crate::provider::Provider;
use crate::route::rule::{Rule, TooManyRules};
use crate::settings::Settings;

/// One change of the policy.
#[derive(Clone, Debug)]
pub enum Change {
    /// New settings.
    Settings(Arc<Settings>),
    /// New price list.
    Catalog(Arc<Catalog>),
    /// A provider is new or different.
    PutProvider(Arc<Provider>),
    /// A provider is gone. Keys may go on naming it: it may come again.
    RemoveProvider(ProviderName),
    /// A customer is new or different.
    PutCustomer(Arc<Customer>),
    /// A customer is gone.
    RemoveCustomer(CustomerId),
    /// A team is new or different.
    PutTeam(Arc<Team>),
    /// A team is gone.
    RemoveTeam(TeamId),
    /// A virtual key is new or different.
    PutVirtualKey(Arc<VirtualKey>),
    /// A virtual key is gone.
    RemoveVirtualKey(VirtualKeyId),
    /// A routing rule is new or different.
    PutRule(Arc<Rule>),
    /// A routing rule is gone.
    RemoveRule(RuleId),
    /// An override of prices is new or different.
    PutPriceOverride(Arc<PriceOverride>),
    /// An override of prices is gone.
    RemovePriceOverride(PriceOverrideId),
    /// A budget is new or different.
    PutBudget(Arc<Budget>),
    /// A budget is gone.
    RemoveBudget(BudgetId),
    /// A rate limit is new or different.
    PutRateLimit(Arc<RateLimit>),
    /// A rate limit is gone.
    RemoveRateLimit(RateLimitId),
    /// A provider's limits, whoever uses it; empty ones: it has none.
    LimitProvider(ProviderName, Limits),
    /// A model's limits, whoever uses it; empty ones: it has none.
    LimitModel(ModelLimits),
}

impl Change {
    /// Whether other limits may apply after it to what a key does with a provider. Keys and providers are told by themselves.
    pub(super) fn is_of_limits(&self) -> bool {
        match self {
            Self::Settings(_)
            | Self::PutProvider(_)
            | Self::RemoveProvider(_)
            | Self::PutVirtualKey(_)
            | Self::RemoveVirtualKey(_)
            | Self::PutRule(_)
            | Self::RemoveRule(_)
            | Self::PutPriceOverride(_)
            | Self::RemovePriceOverride(_) => false,
            Self::Catalog(_)
            | Self::PutCustomer(_)
            | Self::RemoveCustomer(_)
            | Self::PutTeam(_)
            | Self::RemoveTeam(_)
            | Self::PutBudget(_)
            | Self::RemoveBudget(_)
            | Self::PutRateLimit(_)
            | Self::RemoveRateLimit(_)
            | Self::LimitProvider(..)
            | Self::LimitModel(_) => true,
        }
    }
}

/// Why a change cannot be applied. The snapshot stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The entity names a team that does not exist.
    #[error("team `{0}` does not exist")]
    NoSuchTeam(TeamId),
    /// The entity names a customer that does not exist.
    #[error("customer `{0}` does not exist")]
    NoSuchCustomer(CustomerId),
    /// The entity names a virtual key that does not exist.
    #[error("virtual key `{0}` does not exist")]
    NoSuchVirtualKey(VirtualKeyId),
    /// The entity names a budget that does not exist.
    #[error("budget `{0}` does not exist")]
    NoSuchBudget(BudgetId),
    /// The entity names a rate limit that does not exist.
    #[error("rate limit `{0}` does not exist")]
    NoSuchRateLimit(RateLimitId),
    /// Another key has the same token.
    #[error("virtual key `{0}` has the same value")]
    TokenTaken(VirtualKeyId),
    /// Something still refers to the entity.
    #[error("{0} still refers to it")]
    InUse(String),
    /// The rule's scope is full.
    #[error(transparent)]
    TooManyRules(#[from] TooManyRules),
    /// The override's scope is full.
    #[error(transparent)]
    TooManyOverrides(#[from] TooManyOverrides),
}
