//! A world with limits, and readings of them as a test wants them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{BudgetId, RateLimitId};
use crate::limit::{
    Accounts, Algorithm, Budget, BudgetStanding, Limits, Mode, ModelLimits, Quota, QuotaStanding, RateLimit,
    RateStanding,
};
use crate::money::NanoUsd;
use crate::snapshot::{Change, Snapshot};
use crate::window::{BudgetWindow, Now};

/// The moment of all readings: 2026-11-21T12:00:00Z.
pub(in crate::route) const NOON_MS: u64 = 1_795_262_400_000;

/// What was used; of everything that is not named: nothing.
#[derive(Clone, Debug, Default)]
pub(in crate::route) struct Readings {
    pub(in crate::route) budgets: BTreeMap<String, BudgetStanding>,
    pub(in crate::route) rates: BTreeMap<String, RateStanding>,
}

impl Readings {
    /// So many dollars of a budget are spent and held; it resets in so many seconds.
    pub(in crate::route) fn budget(mut self, id: &str, spent: u64, held: u64, resets_in_s: u64) -> Self {
        let resets_at_ms = NOON_MS + resets_in_s * 1_000;
        self.budgets.insert(id.into(), BudgetStanding { spent: usd(spent), held: usd(held), resets_at_ms });
        self
    }

    /// So many requests and tokens, of which so many are held, and calls in flight; all free in so many seconds.
    pub(in crate::route) fn rate(mut self, id: &str, counts: [u64; 4], frees_in_s: u64) -> Self {
        let [requests, tokens, held, concurrent] = counts;
        let frees_in_ms = frees_in_s * 1_000;
        let standing = RateStanding {
            requests: QuotaStanding { used: requests, held: 0, frees_in_ms },
            tokens: QuotaStanding { used: tokens, held, frees_in_ms },
            concurrent: u32::try_from(concurrent).unwrap(),
        };
        self.rates.insert(id.into(), standing);
        self
    }
}

impl Accounts for Readings {
    fn now(&self) -> Option<Now> {
        Some(Now { wall_ms: NOON_MS, mono_ms: NOON_MS })
    }

    fn of_budget(&self, budget: &Budget) -> BudgetStanding {
        self.budgets.get(budget.id.as_str()).copied().unwrap_or_default()
    }

    fn of_rate_limit(&self, limit: &RateLimit) -> RateStanding {
        self.rates.get(limit.id.as_str()).copied().unwrap_or_default()
    }
}

pub(in crate::route) fn usd(dollars: u64) -> NanoUsd {
    NanoUsd(dollars * 1_000_000_000)
}

/// A monthly budget of so many dollars.
pub(in crate::route) fn budget(id: &str, dollars: u64) -> Change {
    let window = BudgetWindow::tiled("1M".parse().unwrap());
    Change::PutBudget(Arc::new(Budget { id: id.into(), limit: usd(dollars), window, mode: Mode::Hard }))
}

/// So many requests an hour, tokens a day, and calls at a time; 0: as many as one likes.
pub(in crate::route) fn rate_limit(id: &str, requests: u64, tokens: u64, concurrent: u32) -> Change {
    let quota = |most, window: &str| (most > 0).then(|| Quota { most, window: window.parse().unwrap() });
    Change::PutRateLimit(Arc::new(RateLimit {
        id: id.into(),
        requests: quota(requests, "1h"),
        tokens: quota(tokens, "1d"),
        concurrent: (concurrent > 0).then_some(concurrent),
        algorithm: Algorithm::Rolling,
    }))
}

/// Budgets by their ids, and a rate limit; an empty id: none.
pub(in crate::route) fn limits(budgets: &[&str], rate_limit: &str) -> Limits {
    Limits {
        budgets: budgets.iter().map(|id| BudgetId::from(*id)).collect(),
        rate_limit: (!rate_limit.is_empty()).then(|| RateLimitId::from(rate_limit)),
    }
}

/// Limits of a provider.
pub(in crate::route) fn of_provider(name: &str, limits: Limits) -> Change {
    Change::LimitProvider(name.into(), limits)
}

/// Limits of a model; an empty provider: whoever serves it.
pub(in crate::route) fn of_model(provider: &str, model: &str, limits: Limits) -> Change {
    let provider = (!provider.is_empty()).then(|| provider.into());
    Change::LimitModel(ModelLimits { provider, model: model.into(), limits })
}

/// A world with changes.
pub(in crate::route) fn changed(world: Snapshot, changes: impl IntoIterator<Item = Change>) -> Snapshot {
    changes.into_iter().fold(world, |world, change| world.apply(change).unwrap())
}
