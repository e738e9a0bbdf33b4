//! Everything compiled, immutable, with a revision. Entities hold ids of each other, so one of them changes alone.

mod buckets;
mod change;
mod limits;
mod map;
mod shared;
mod table;
mod tokens;
mod uses;
mod world;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::id::{BudgetId, CustomerId, ProviderName, RateLimitId, TeamId, VirtualKeyId};
use crate::key::{TokenHash, VirtualKey};
use crate::limit::{Budget, Limits, ModelLimits, RateLimit};
use crate::price::overrides::{PriceOverride, PriceOverrides};
use crate::provider::Provider;
use crate::route::rule::{Rule, RuleScope, RuleSet};
use crate::settings::Settings;

pub use change::{ApplyError, Change};
use map::HashMap;
use shared::Lists;
use table::Table;
use tokens::Tokens;
use uses::{of_customer, of_key, of_team};

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name for people.
    pub name: Box<str>,
    /// The customer it belongs to.
    pub customer: Option<CustomerId>,
    /// Its budgets and its rate limit.
    pub limits: Limits,
}

/// A customer.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name for people.
    pub name: Box<str>,
    /// Its budgets and its rate limit.
    pub limits: Limits,
}

/// Tells whether two snapshots limit the same in the same way: it is another one after each change of what limits hang on, and of
/// the models' names. Nothing is equal to it but its copies.
#[derive(Clone, Debug, Default)]
pub struct Edition(Arc<()>);

impl PartialEq for Edition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Edition {}

/// The whole policy at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    revision: u64,
    edition: Edition,
    settings: Arc<Settings>,
    catalog: Arc<Catalog>,
    providers: HashMap<ProviderName, Arc<Provider>>,
    /// The providers' names in the order of the configuration.
    provider_order: Arc<[ProviderName]>,
    customers: Table<Customer>,
    teams: Table<Team>,
    keys: Table<VirtualKey>,
    tokens: Tokens,
    lists: Lists,
    rules: RuleSet,
    price_overrides: Arc<PriceOverrides>,
    limits: limits::LimitSet,
}

impl Snapshot {
    /// Grows by one with every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The edition of its limits.
    #[must_use]
    pub fn edition(&self) -> &Edition {
        &self.edition
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The known models.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The provider of that name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    /// All providers, in the order of the configuration.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.provider_order.iter().filter_map(|name| self.providers.get(name))
    }

    /// The team of that id.
    #[must_use]
    pub fn team(&self, id: &TeamId) -> Option<&Arc<Team>> {
        self.teams.get(id.as_str())
    }

    /// The customer of that id.
    #[must_use]
    pub fn customer(&self, id: &CustomerId) -> Option<&Arc<Customer>> {
        self.customers.get(id.as_str())
    }

    /// The virtual key of that id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<VirtualKey>> {
        self.keys.get(id)
    }

    /// The virtual key that a token opens, whether it may be used now or not.
    #[must_use]
    pub fn key_of_token(&self, token: &TokenHash) -> Option<&Arc<VirtualKey>> {
        self.tokens.key(token)
    }

    /// How many virtual keys there are.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The routing rules.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The operator's own prices.
    #[must_use]
    pub fn price_overrides(&self) -> &Arc<PriceOverrides> {
        &self.price_overrides
    }

    /// The budget of that id.
    #[must_use]
    pub fn budget(&self, id: &BudgetId) -> Option<&Arc<Budget>> {
        self.limits.budget(id)
    }

    /// The rate limit of that id.
    #[must_use]
    pub fn rate_limit(&self, id: &RateLimitId) -> Option<&Arc<RateLimit>> {
        self.limits.rate_limit(id)
    }

    /// All budgets, in no order.
    pub fn budgets(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.limits.budgets()
    }

    /// All rate limits, in no order.
    pub fn rate_limits(&self) -> impl Iterator<Item = &Arc<RateLimit>> {
        self.limits.rate_limits()
    }

    /// The limits of a provider, whoever uses it.
    #[must_use]
    pub fn limits_of_provider(&self, name: &ProviderName) -> Option<&Limits> {
        self.limits.of_provider(name)
    }

    /// The limits of a model of a provider (`None`: of whichever serves it), whoever uses it.
    #[must_use]
    pub fn limits_of_model(&self, provider: Option<&ProviderName>, model: &str) -> Option<&ModelLimits> {
        self.limits.of_model(provider, model)
    }

    /// Whether any model has limits.
    #[must_use]
    pub fn has_model_limits(&self) -> bool {
        self.limits.has_models()
    }

    /// The customer that a key's calls are for: its own, or its team's.
    #[must_use]
    pub fn customer_of(&self, key: &VirtualKey) -> Option<CustomerId> {
        key.customer.clone().or_else(|| self.teams.get(key.team.as_ref()?.as_str())?.customer.clone())
    }

    /// The policy after a change, in O(log n) for one entity; this one stays as it is.
    ///
    /// # Errors
    /// When the change contradicts what is there.
    pub fn apply(&self, change: Change) -> Result<Self, ApplyError> {
        let mut next = self.clone();
        next.change(change)?;
        Ok(next)
    }

    /// The policy after many changes: faster than one after the other, where nobody else has it.
    ///
    /// # Errors
    /// When one of them contradicts what is there.
    pub fn apply_all(mut self, changes: impl IntoIterator<Item = Change>) -> Result<Self, ApplyError> {
        changes.into_iter().try_for_each(|change| self.change(change))?;
        Ok(self)
    }

    fn change(&mut self, change: Change) -> Result<(), ApplyError> {
        self.revision += 1;
        if change.is_of_limits() {
            self.edition = Edition::default();
        }
        match change {
            Change::Settings(settings) => self.settings = settings,
            Change::Catalog(catalog) => self.catalog = catalog,
            Change::PutProvider(provider) => self.put_provider(provider),
            Change::RemoveProvider(name) => self.remove_provider(&name),
            Change::PutCustomer(customer) => self.put_customer(customer)?,
            Change::RemoveCustomer(id) => self.remove_customer(&id)?,
            Change::PutTeam(team) => self.put_team(team)?,
            Change::RemoveTeam(id) => self.remove_team(&id)?,
            Change::PutVirtualKey(key) => self.put_key(key)?,
            Change::RemoveVirtualKey(id) => {
                self.check_rules(&RuleScope::VirtualKey(id.clone()))?;
                self.check_overrides(&id)?;
                self.remove_key(&id);
            }
            Change::PutRule(rule) => self.put_rule(rule)?,
            Change::RemoveRule(id) => self.rules.remove(&id),
            Change::PutPriceOverride(new) => self.put_price_override(new)?,
            Change::RemovePriceOverride(id) => Arc::make_mut(&mut self.price_overrides).remove(&id),
            Change::PutBudget(budget) => self.limits.put_budget(budget),
            Change::RemoveBudget(id) => self.remove_budget(&id)?,
            Change::PutRateLimit(limit) => self.limits.put_rate_limit(limit),
            Change::RemoveRateLimit(id) => self.remove_rate_limit(&id)?,
            Change::LimitProvider(name, limits) => self.limit_provider(name, limits)?,
            Change::LimitModel(model) => self.limit_model(model)?,
        }
        Ok(())
    }

    fn put_customer(&mut self, customer: Arc<Customer>) -> Result<(), ApplyError> {
        self.limits.check(&customer.limits)?;
        self.name(of_customer(&customer));
        if let Some(old) = self.customers.put(customer) {
            self.unname(of_customer(&old));
        }
        Ok(())
    }

    fn put_provider(&mut self, provider: Arc<Provider>) {
        self.providers.insert(provider.name.clone(), provider);
        self.reorder_providers();
    }

    fn remove_provider(&mut self, name: &ProviderName) {
        self.providers.remove(name);
        self.reorder_providers();
    }

    fn reorder_providers(&mut self) {
        let mut ordered: Vec<_> = self.providers.values().map(|provider| (provider.order, &provider.name)).collect();
        ordered.sort();
        self.provider_order = ordered.into_iter().map(|(_, name)| name.clone()).collect();
    }

    fn put_team(&mut self, team: Arc<Team>) -> Result<(), ApplyError> {
        self.check_customer(team.customer.as_ref())?;
        self.limits.check(&team.limits)?;
        self.name(of_team(&team));
        if let Some(old) = self.teams.put(team) {
            self.unname(of_team(&old));
        }
        Ok(())
    }

    fn remove_team(&mut self, id: &TeamId) -> Result<(), ApplyError> {
        if self.teams.is_named(id.as_str()) {
            let key = self.keys.values().find(|key| key.team.as_ref() == Some(id));
            return Err(in_use("virtual key", key.map(|key| key.id.as_str())));
        }
        self.check_rules(&RuleScope::Team(id.clone()))?;
        if let Some(old) = self.teams.remove(id.as_str()) {
            self.unname(of_team(&old));
        }
        Ok(())
    }

    fn remove_customer(&mut self, id: &CustomerId) -> Result<(), ApplyError> {
        if self.customers.is_named(id.as_str()) {
            let team = self.teams.values().find(|team| team.customer.as_ref() == Some(id));
            let key = || self.keys.values().find(|key| key.customer.as_ref() == Some(id));
            return Err(match team {
                Some(team) => in_use("team", Some(team.id.as_str())),
                None => in_use("virtual key", key().map(|key| key.id.as_str())),
            });
        }
        self.check_rules(&RuleScope::Customer(id.clone()))?;
        if let Some(old) = self.customers.remove(id.as_str()) {
            self.unname(of_customer(&old));
        }
        Ok(())
    }

    fn put_key(&mut self, key: Arc<VirtualKey>) -> Result<(), ApplyError> {
        self.check_customer(key.customer.as_ref())?;
        self.limits.check(&key.limits)?;
        key.providers.iter().try_for_each(|access| self.limits.check(&access.limits))?;
        if let Some(team) = key.team.as_ref().filter(|team| !self.teams.has(team.as_str())) {
            return Err(ApplyError::NoSuchTeam(team.clone()));
        }
        let taken = key.tokens.iter().find_map(|token| self.tokens.key(token).filter(|owner| owner.id != key.id));
        if let Some(owner) = taken {
            return Err(ApplyError::TokenTaken(owner.id.clone()));
        }
        self.remove_key(&key.id);
        let key = self.shared(key);
        self.tokens.put(&key);
        self.name(of_key(&key));
        self.keys.put(key);
        Ok(())
    }

    fn remove_key(&mut self, id: &VirtualKeyId) {
        if let Some(old) = self.keys.remove(id.as_str()) {
            self.unname(of_key(&old));
            self.tokens.remove(&old);
        }
    }

    fn put_rule(&mut self, rule: Arc<Rule>) -> Result<(), ApplyError> {
        match &rule.scope {
            RuleScope::VirtualKey(id) if !self.keys.has(id.as_str()) => {
                return Err(ApplyError::NoSuchVirtualKey(id.clone()));
            }
            RuleScope::Team(id) if !self.teams.has(id.as_str()) => return Err(ApplyError::NoSuchTeam(id.clone())),
            RuleScope::Customer(id) => self.check_customer(Some(id))?,
            RuleScope::VirtualKey(_) | RuleScope::Team(_) | RuleScope::Global => {}
        }
        Ok(self.rules.put(rule)?)
    }

    /// Whether a scope has no rules left.
    fn check_rules(&self, scope: &RuleScope) -> Result<(), ApplyError> {
        match self.rules.of_scope(scope).first() {
            Some(rule) => Err(ApplyError::InUse(format!("routing rule `{}`", rule.id))),
            None => Ok(()),
        }
    }

    fn put_price_override(&mut self, new: Arc<PriceOverride>) -> Result<(), ApplyError> {
        if let Some(key) = new.scope.key().filter(|key| !self.keys.has(key.as_str())) {
            return Err(ApplyError::NoSuchVirtualKey(key.clone()));
        }
        Ok(Arc::make_mut(&mut self.price_overrides).put(new)?)
    }

    /// Whether no override of prices is about a virtual key.
    fn check_overrides(&self, key: &VirtualKeyId) -> Result<(), ApplyError> {
        match self.price_overrides.iter().find(|one| one.scope.key() == Some(key)) {
            Some(one) => Err(ApplyError::InUse(format!("price override `{}`", one.id))),
            None => Ok(()),
        }
    }

    fn check_customer(&self, customer: Option<&CustomerId>) -> Result<(), ApplyError> {
        match customer.filter(|id| !self.customers.has(id.as_str())) {
            Some(id) => Err(ApplyError::NoSuchCustomer(id.clone())),
            None => Ok(()),
        }
    }
}

fn in_use(what: &str, id: Option<&str>) -> ApplyError {
    ApplyError::InUse(format!("{what} `{}`", id.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
