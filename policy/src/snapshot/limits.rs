//! Budgets and rate limits of a snapshot, and those that hang on providers and models.

use std::sync::Arc;

use super::map::HashMap;
use super::table::Table;
use super::uses::of_limits;
use super::{ApplyError, Snapshot};
use crate::id::{BudgetId, ModelName, ProviderName, RateLimitId};
use crate::limit::{Budget, Limits, ModelLimits, RateLimit};

/// The limits of a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct LimitSet {
    pub(super) budgets: Table<Budget>,
    pub(super) rate_limits: Table<RateLimit>,
    providers: HashMap<ProviderName, Arc<Limits>>,
    /// By model; few have more than one.
    models: HashMap<ModelName, Arc<[ModelLimits]>>,
}

impl LimitSet {
    pub(super) fn budget(&self, id: &BudgetId) -> Option<&Arc<Budget>> {
        self.budgets.get(id.as_str())
    }

    pub(super) fn rate_limit(&self, id: &RateLimitId) -> Option<&Arc<RateLimit>> {
        self.rate_limits.get(id.as_str())
    }

    pub(super) fn budgets(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.budgets.values()
    }

    pub(super) fn rate_limits(&self) -> impl Iterator<Item = &Arc<RateLimit>> {
        self.rate_limits.values()
    }

    pub(super) fn of_provider(&self, name: &ProviderName) -> Option<&Limits> {
        self.providers.get(name).map(|limits| &**limits)
    }

    pub(super) fn of_model(&self, provider: Option<&ProviderName>, model: &str) -> Option<&ModelLimits> {
        self.models.get(model)?.iter().find(|one| one.provider.as_ref() == provider)
    }

    pub(super) fn has_models(&self) -> bool {
        !self.models.is_empty()
    }

    pub(super) fn put_budget(&mut self, budget: Arc<Budget>) {
        self.budgets.put(budget);
    }

    pub(super) fn put_rate_limit(&mut self, limit: Arc<RateLimit>) {
        self.rate_limits.put(limit);
    }

    fn limit_provider(&mut self, name: ProviderName, limits: Limits) -> Option<Arc<Limits>> {
        if limits.is_empty() { self.providers.remove(&name) } else { self.providers.insert(name, Arc::new(limits)) }
    }

    fn limit_model(&mut self, new: ModelLimits) {
        let before = self.models.get(&new.model).map(|old| &**old).unwrap_or_default();
        let model = new.model.clone();
        let mut all: Vec<_> = before.iter().filter(|old| old.provider != new.provider).cloned().collect();
        all.extend((!new.limits.is_empty()).then_some(new));
        if all.is_empty() {
            self.models.remove(&model);
        } else {
            self.models.insert(model, all.into());
        }
    }

    /// Whether the limits that an entity names are there.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), ApplyError> {
        if let Some(id) = limits.budgets.iter().find(|id| !self.budgets.has(id.as_str())) {
            return Err(ApplyError::NoSuchBudget(id.clone()));
        }
        match limits.rate_limit.as_ref().filter(|id| !self.rate_limits.has(id.as_str())) {
            Some(id) => Err(ApplyError::NoSuchRateLimit(id.clone())),
            None => Ok(()),
        }
    }
}

impl Snapshot {
    pub(super) fn limit_provider(&mut self, name: ProviderName, limits: Limits) -> Result<(), ApplyError> {
        self.limits.check(&limits)?;
        self.name(of_limits(&limits));
        if let Some(old) = self.limits.limit_provider(name, limits) {
            self.unname(of_limits(&old));
        }
        Ok(())
    }

    pub(super) fn limit_model(&mut self, new: ModelLimits) -> Result<(), ApplyError> {
        self.limits.check(&new.limits)?;
        let old = self.limits.of_model(new.provider.as_ref(), new.model.as_str()).map(|old| old.limits.clone());
        self.name(of_limits(&new.limits));
        self.limits.limit_model(new);
        if let Some(old) = old {
            self.unname(of_limits(&old));
        }
        Ok(())
    }

    pub(super) fn remove_budget(&mut self, id: &BudgetId) -> Result<(), ApplyError> {
        if self.limits.budgets.is_named(id.as_str()) {
            return Err(self.named_by(|limits| limits.budgets.contains(id)));
        }
        self.limits.budgets.remove(id.as_str());
        Ok(())
    }

    pub(super) fn remove_rate_limit(&mut self, id: &RateLimitId) -> Result<(), ApplyError> {
        if self.limits.rate_limits.is_named(id.as_str()) {
            return Err(self.named_by(|limits| limits.rate_limit.as_ref() == Some(id)));
        }
        self.limits.rate_limits.remove(id.as_str());
        Ok(())
    }

    /// Tells of an entity whose limits are such. It looks at all of them.
    fn named_by(&self, is_such: impl Fn(&Limits) -> bool) -> ApplyError {
        let keys = self
            .keys
            .values()
            .find(|key| is_such(&key.limits) || key.providers.iter().any(|access| is_such(&access.limits)));
        let teams = || self.teams.values().find(|team| is_such(&team.limits));
        let customers = || self.customers.values().find(|customer| is_such(&customer.limits));
        let providers = || self.limits.providers.iter().find(|(_, limits)| is_such(limits));
        let models = || self.limits.models.values().flat_map(|all| all.iter()).find(|one| is_such(&one.limits));
        let who = keys
            .map(|key| format!("virtual key `{}`", key.id))
            .or_else(|| teams().map(|team| format!("team `{}`", team.id)))
            .or_else(|| customers().map(|customer| format!("customer `{}`", customer.id)))
            .or_else(|| providers().map(|(name, _)| format!("provider `{name}`")))
            .or_else(|| models().map(|one| format!("model `{}`", one.model)));
        ApplyError::InUse(who.unwrap_or_default())
    }
}
