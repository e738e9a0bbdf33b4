//! Budgets and rate limits as configured, and what they hang on. What was used of them lies in accounts, outside the snapshot.

pub mod refusal;

use std::fmt;

use smallvec::SmallVec;

use crate::catalog::base_name;
use crate::id::{BudgetId, ModelName, ProviderName, RateLimitId};
use crate::money::NanoUsd;
use crate::route::{Attempt, Caller};
use crate::snapshot::Snapshot;
use crate::window::{BudgetWindow, Now, ResetDuration};

/// How much may be spent in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its id, which is its account's too.
    pub id: BudgetId,
    /// How much; zero lets nothing through.
    pub limit: NanoUsd,
    /// In what time.
    pub window: BudgetWindow,
    /// Whether it can be overspent.
    pub mode: Mode,
}

/// Whether a budget can be overspent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Never: each attempt holds the most that it can cost before it is sent.
    #[default]
    Hard,
    /// By the calls in flight when it runs out: admitted while anything is left, charged afterwards.
    Soft,
}

/// How many requests and tokens may be used in a window, and how many calls may be in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Its id, which is its account's too.
    pub id: RateLimitId,
    /// On requests.
    pub requests: Option<Quota>,
    /// On tokens, input and output.
    pub tokens: Option<Quota>,
    /// On calls at one time.
    pub concurrent: Option<u32>,
    /// How windows follow each other.
    pub algorithm: Algorithm,
}

/// So many in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many; at least 1.
    pub most: u64,
    /// In what time. A month counts as 30 days here, a quarter as 90, a year as 365.
    pub window: ResetDuration,
}

/// How the windows of a rate limit follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Never more than the limit in any window, wherever it begins. Counted in twelve slices; a slice counts until its end is
    /// one window old.
    #[default]
    Rolling,
    /// A window begins with the first request after the last one ended.
    Fixed,
}

/// The limits that hang on one entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Its budgets, each with a window of its own.
    pub budgets: SmallVec<[BudgetId; 1]>,
    /// Its rate limit.
    pub rate_limit: Option<RateLimitId>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.rate_limit.is_none()
    }
}

/// The limits of a model, whoever uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// The provider; `None`: whichever serves the model.
    pub provider: Option<ProviderName>,
    /// The model.
    pub model: ModelName,
    /// Its limits.
    pub limits: Limits,
}

/// What a limit hangs on, as far as an attempt meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The caller's virtual key.
    VirtualKey,
    /// The key's team.
    Team,
    /// The key's customer, or its team's.
    Customer,
    /// The entry for the provider among the key's `provider_configs`.
    ProviderConfig,
    /// The provider.
    Provider,
    /// The model.
    Model,
}

impl Holder {
    /// Whether it is the caller's side: what is exhausted there ends the call, whatever other targets there are.
    #[must_use]
    pub const fn is_callers(self) -> bool {
        matches!(self, Self::VirtualKey | Self::Team | Self::Customer)
    }
}

/// Shows the limits of the caller's side: key, team, customer.
pub fn of_caller<'a>(snapshot: &'a Snapshot, caller: &'a Caller, mut show: impl FnMut(Holder, &'a Limits)) {
    let Some(key) = caller.key.as_deref() else { return };
    show(Holder::VirtualKey, &key.limits);
    let team = key.team.as_ref().and_then(|id| snapshot.team(id));
    if let Some(team) = team {
        show(Holder::Team, &team.limits);
    }
    let customer = key.customer.as_ref().or_else(|| team?.customer.as_ref());
    if let Some(customer) = customer.and_then(|id| snapshot.customer(id)) {
        show(Holder::Customer, &customer.limits);
    }
}

/// Shows the limits of a target: the key's own for the provider, the provider's, and those of the model under each name that it
/// has, with the provider and without. One may be shown more than once.
pub fn of_target<'a>(
    snapshot: &'a Snapshot,
    caller: &'a Caller,
    provider: &ProviderName,
    models: &[&str],
    mut show: impl FnMut(Holder, &'a Limits),
) {
    let access = caller.key.as_ref().and_then(|key| key.providers.iter().find(|access| access.provider == *provider));
    if let Some(access) = access {
        show(Holder::ProviderConfig, &access.limits);
    }
    if let Some(limits) = snapshot.limits_of_provider(provider) {
        show(Holder::Provider, limits);
    }
    if snapshot.has_model_limits() {
        for model in models {
            let of_both = snapshot.limits_of_model(Some(provider), model);
            let of_any = snapshot.limits_of_model(None, model);
            of_both.into_iter().chain(of_any).for_each(|found| show(Holder::Model, &found.limits));
        }
    }
}

/// The names that an attempt's model has: the provider's own, the one asked for, the one in the price list, and each of them
/// without the date or `-latest` at its end: a limit is not walked around by naming a dated version.
#[must_use]
pub fn names_of<'a>(attempt: &'a Attempt, asked: &'a ModelName) -> SmallVec<[&'a str; 4]> {
    let mut names: SmallVec<[&str; 4]> = SmallVec::from_slice(&[attempt.model.as_str()]);
    let written =
        [Some(attempt.model.as_str()), Some(asked.as_str()), attempt.known.as_ref().map(|known| &*known.name)];
    let written = written.into_iter().flatten();
    for name in written.clone().chain(written.filter_map(base_name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What was used of a budget at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetStanding {
    /// Charged in the window.
    pub spent: NanoUsd,
    /// Reserved by calls in flight.
    pub held: NanoUsd,
    /// When the window ends, in milliseconds since 1970; 0: it has not begun.
    pub resets_at_ms: u64,
}

/// What was used of a rate limit at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateStanding {
    /// Requests of the window.
    pub requests: QuotaStanding,
    /// Tokens of the window.
    pub tokens: QuotaStanding,
    /// Calls in flight.
    pub concurrent: u32,
}

/// What was used of one quota at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaStanding {
    /// Counted in the window, reserved ones included.
    pub used: u64,
    /// The part of it that calls in flight reserved.
    pub held: u64,
    /// Milliseconds until some of it is free again; 0: nothing is used.
    pub frees_in_ms: u64,
}

/// Knows what was used. What it says is a reading: the next moment it may be different, and only a hold decides.
pub trait Accounts: fmt::Debug {
    /// The moment that the reading is of; `None`: of none, so that nobody is told how long to wait for a budget's next window.
    fn now(&self) -> Option<Now> {
        None
    }

    /// What was used of a budget.
    fn of_budget(&self, budget: &Budget) -> BudgetStanding;

    /// What was used of a rate limit.
    fn of_rate_limit(&self, limit: &RateLimit) -> RateStanding;
}

/// Nothing was used: for decisions that no traffic came before.
impl Accounts for () {
    fn of_budget(&self, _budget: &Budget) -> BudgetStanding {
        BudgetStanding::default()
    }

    fn of_rate_limit(&self, _limit: &RateLimit) -> RateStanding {
        RateStanding::default()
    }
}

/// A budget or a rate limit.
#[derive(Clone, Copy, Debug)]
pub enum Limit<'a> {
    /// A budget.
    Budget(&'a Budget),
    /// A rate limit.
    Rate(&'a RateLimit),
}

#[cfg(test)]
mod tests;
