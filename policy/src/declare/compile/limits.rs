//! The budgets and rate limits of a file in one form, however they are written, and what each of them hangs on.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::id::{BudgetId, RateLimitId};
use crate::limit::{Budget, Limits, ModelLimits, Quota, RateLimit};
use crate::window::BudgetWindow;

use super::super::owner::Entity;
use super::super::{
    BudgetShape, BudgetTerms, CountLimit, File, InlineBudget, InlineRateLimit, LimitsShape, ModelConfigShape, Owner,
    RateLimitShape, RateTerms,
};

/// The limits of a whole file.
#[derive(Clone, Debug, Default)]
pub struct FileLimits<'a> {
    /// All budgets, each once.
    pub budgets: Vec<Budget>,
    /// All rate limits, each once.
    pub rate_limits: Vec<RateLimit>,
    of: HashMap<Owner<'a>, Limits>,
}

impl File {
    /// The limits as decisions see them.
    #[must_use]
    pub fn limits(&self) -> FileLimits<'_> {
        let governance = &self.governance;
        let mut limits = FileLimits {
            budgets: governance.budgets.iter().map(BudgetShape::to_policy).collect(),
            rate_limits: governance.rate_limits.iter().map(RateLimitShape::to_policy).collect(),
            of: HashMap::new(),
        };
        for entity in governance.entities() {
            limits.add(&entity);
        }
        for budget in &governance.budgets {
            for (_, owner) in budget.owners() {
                add_budget(&mut limits.of.entry(owner).or_default().budgets, (*budget.id).into());
            }
        }
        limits.align(governance.entities().filter(|entity| entity.calendar_aligned).map(|entity| entity.owner));
        limits
    }
}

impl<'a> FileLimits<'a> {
    /// What hangs on an entity.
    #[must_use]
    pub fn of(&self, owner: Owner<'_>) -> Limits {
        self.of.get(&owner).cloned().unwrap_or_default()
    }

    /// The ids of all budgets that hang on something.
    pub(in super::super) fn used_budgets(&self) -> HashSet<&str> {
        self.of.values().flat_map(|limits| &limits.budgets).map(BudgetId::as_str).collect()
    }

    /// The ids of all rate limits that hang on something.
    pub(in super::super) fn used_rate_limits(&self) -> HashSet<&str> {
        self.of.values().filter_map(|limits| limits.rate_limit.as_ref()).map(RateLimitId::as_str).collect()
    }

    /// Adds what is written on an entity.
    fn add(&mut self, entity: &Entity<'a>) {
        let LimitsShape { rate_limit_id, rate_limit, .. } = entity.limits;
        let inline = entity.limits.inline_budgets().map(|budget| budget.to_policy(entity.owner));
        let inline_rate = rate_limit.as_ref().map(|limit| limit.to_policy(entity.owner));
        let of = self.of.entry(entity.owner).or_default();
        for id in entity.limits.named_budgets() {
            add_budget(&mut of.budgets, id.into());
        }
        for budget in inline {
            add_budget(&mut of.budgets, budget.id.clone());
            self.budgets.push(budget);
        }
        of.rate_limit = rate_limit_id.as_deref().map(Into::into).or(inline_rate.as_ref().map(|limit| limit.id.clone()));
        self.rate_limits.extend(inline_rate);
    }

    /// Lets the budgets of these begin where the calendar says.
    fn align(&mut self, owners: impl Iterator<Item = Owner<'a>>) {
        let aligned: HashSet<_> =
            owners.filter_map(|owner| self.of.get(&owner)).flat_map(|limits| &limits.budgets).collect();
        for budget in self.budgets.iter_mut().filter(|budget| aligned.contains(&budget.id)) {
            budget.window.calendar_aligned = true;
        }
    }
}

fn add_budget(budgets: &mut SmallVec<[BudgetId; 1]>, id: BudgetId) {
    if !budgets.contains(&id) {
        budgets.push(id);
    }
}

impl InlineBudget {
    /// Its id where it hangs on `owner`: `team:ml/1M`, unless one is written.
    pub(in super::super) fn id_on(&self, owner: Owner<'_>) -> String {
        self.id.as_deref().map_or_else(|| format!("{owner}/{}", self.terms.reset), str::to_owned)
    }

    fn to_policy(&self, owner: Owner<'_>) -> Budget {
        self.terms.to_policy(self.id_on(owner).into())
    }
}

impl BudgetTerms {
    /// In what time it may be spent.
    pub(in super::super) fn window(&self) -> BudgetWindow {
        BudgetWindow { every: self.reset, calendar_aligned: self.calendar_aligned, zone: self.zone.clone() }
    }

    fn to_policy(&self, id: BudgetId) -> Budget {
        Budget { id, limit: self.max_limit, window: self.window(), mode: self.mode }
    }
}

impl BudgetShape {
    /// The budget as decisions see it.
    #[must_use]
    pub fn to_policy(&self) -> Budget {
        self.terms.to_policy((*self.id).into())
    }
}

impl RateLimitShape {
    /// The rate limit as decisions see it.
    #[must_use]
    pub fn to_policy(&self) -> RateLimit {
        self.terms.to_policy((*self.id).into())
    }
}

impl LimitsShape {
    /// What hangs on an entity in the normal form.
    #[must_use]
    pub fn to_policy(&self) -> Limits {
        let mut budgets = SmallVec::new();
        self.named_budgets().for_each(|id| add_budget(&mut budgets, id.into()));
        Limits { budgets, rate_limit: self.rate_limit_id.as_deref().map(Into::into) }
    }
}

impl ModelConfigShape {
    /// The limits as decisions see them. The shape is in the normal form.
    #[must_use]
    pub fn to_policy(&self) -> ModelLimits {
        let limits = self.limits.to_policy();
        ModelLimits { provider: self.provider.clone(), model: self.model.clone(), limits }
    }
}

impl InlineRateLimit {
    /// Its id where it hangs on `owner`: `team:ml`, unless one is written.
    pub(in super::super) fn id_on(&self, owner: Owner<'_>) -> String {
        self.id.as_deref().map_or_else(|| owner.to_string(), str::to_owned)
    }

    fn to_policy(&self, owner: Owner<'_>) -> RateLimit {
        self.terms.to_policy(self.id_on(owner).into())
    }
}

impl RateTerms {
    fn to_policy(&self, id: RateLimitId) -> RateLimit {
        RateLimit {
            id,
            requests: self.requests.to_policy(),
            tokens: self.tokens.to_policy(),
            concurrent: self.concurrent,
            algorithm: self.algorithm,
        }
    }
}

impl CountLimit {
    fn to_policy(&self) -> Option<Quota> {
        Some(Quota { most: self.most?, window: self.window? })
    }
}
