//! What there is that an entity may refer to: in the rest of a file, or in the policy in force.

use std::collections::{HashMap, HashSet};

use super::entity::Kind;
use super::{File, LimitsShape, ProviderShape};
use crate::id::{BudgetId, CustomerId, RateLimitId, TeamId};
use crate::snapshot::Snapshot;
use crate::window::ResetDuration;

/// What there is. Only the kinds that others refer to are asked for: providers, virtual keys, teams, customers, budgets and
/// rate limits.
pub trait World {
    /// Whether there is such an entity.
    fn has(&self, kind: Kind, id: &str) -> bool;

    /// The ids of a kind, for a hint after a mistake; none where there are too many to look through. Providers in their order.
    fn ids(&self, kind: Kind) -> Vec<&str>;

    /// The names of a provider's keys. `None`: no provider of this name is configured.
    fn keys_of(&self, provider: &str) -> Option<Vec<&str>>;

    /// How long a budget counts. `None`: there is no such budget.
    fn reset_of(&self, budget: &str) -> Option<ResetDuration>;

    /// Whether callers may bring keys of their own.
    fn allows_direct_keys(&self) -> bool;
}

/// The providers that have a key of this name.
pub(super) fn providers_with_key<'a>(world: &'a dyn World, key: &str) -> Vec<&'a str> {
    let has_it = |provider: &&str| world.keys_of(provider).is_some_and(|keys| keys.contains(&key));
    world.ids(Kind::Provider).into_iter().filter(has_it).collect()
}

/// The ids of one kind of entry.
#[derive(Default)]
pub(super) struct Ids<'a> {
    in_order: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Ids<'a> {
    pub(super) fn new(ids: impl Iterator<Item = &'a str>) -> Self {
        let in_order: Vec<_> = ids.filter(|id| !id.is_empty()).collect();
        let set = in_order.iter().copied().collect();
        Self { in_order, set }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.set.contains(id)
    }

    pub(super) fn in_order(&self) -> Vec<&'a str> {
        self.in_order.clone()
    }
}

/// What stands in a file.
pub(super) struct FileWorld<'a> {
    file: &'a File,
    providers: HashMap<&'a str, &'a ProviderShape>,
    virtual_keys: Ids<'a>,
    teams: Ids<'a>,
    customers: Ids<'a>,
    budgets: Ids<'a>,
    rate_limits: Ids<'a>,
    resets: HashMap<&'a str, ResetDuration>,
}

impl<'a> FileWorld<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        let governance = &file.governance;
        let limits = || governance.entities().map(|entity| entity.limits);
        let inline_budgets = || limits().flat_map(LimitsShape::inline_budgets);
        let inline_budgets = || inline_budgets().filter_map(|one| Some((one.id.as_deref()?, one.terms.reset)));
        let inline_limits = limits().filter_map(|limits| limits.rate_limit.as_ref()?.id.as_deref());
        let budgets = || governance.budgets.iter().map(|one| (&*one.id, one.terms.reset)).chain(inline_budgets());
        Self {
            file,
            providers: file.providers.iter().map(|provider| (provider.name.as_str(), provider)).collect(),
            virtual_keys: Ids::new(governance.virtual_keys.iter().map(|key| key.id.as_str())),
            teams: Ids::new(governance.teams.iter().map(|team| team.id.as_str())),
            customers: Ids::new(governance.customers.iter().map(|customer| customer.id.as_str())),
            budgets: Ids::new(budgets().map(|(id, _)| id)),
            rate_limits: Ids::new(governance.rate_limits.iter().map(|one| &*one.id).chain(inline_limits)),
            resets: budgets().collect(),
        }
    }

    fn ids_of(&self, kind: Kind) -> Option<&Ids<'a>> {
        match kind {
            Kind::VirtualKey => Some(&self.virtual_keys),
            Kind::Team => Some(&self.teams),
            Kind::Customer => Some(&self.customers),
            Kind::Budget => Some(&self.budgets),
            Kind::RateLimit => Some(&self.rate_limits),
            _ => None,
        }
    }
}

impl World for FileWorld<'_> {
    fn has(&self, kind: Kind, id: &str) -> bool {
        match self.ids_of(kind) {
            Some(ids) => ids.contains(id),
            None => kind == Kind::Provider && self.providers.contains_key(id),
        }
    }

    fn ids(&self, kind: Kind) -> Vec<&str> {
        match self.ids_of(kind) {
            Some(ids) => ids.in_order(),
            None if kind == Kind::Provider => self.file.providers.iter().map(|one| one.name.as_str()).collect(),
            None => Vec::new(),
        }
    }

    fn keys_of(&self, provider: &str) -> Option<Vec<&str>> {
        let shape = self.providers.get(provider)?;
        Some(shape.credentials.iter().map(|key| key.name.as_str()).collect())
    }

    fn reset_of(&self, budget: &str) -> Option<ResetDuration> {
        self.resets.get(budget).copied()
    }

    fn allows_direct_keys(&self) -> bool {
        self.file.client.allow_direct_keys
    }
}

/// More ids than these are not looked through for a hint.
const MOST_FOR_HINT: usize = 10_000;

impl World for Snapshot {
    fn has(&self, kind: Kind, id: &str) -> bool {
        match kind {
            Kind::Provider => self.provider(id).is_some(),
            Kind::VirtualKey => self.key(id).is_some(),
            Kind::Team => self.team(&TeamId::from(id)).is_some(),
            Kind::Customer => self.customer(&CustomerId::from(id)).is_some(),
            Kind::Budget => self.budget(&BudgetId::from(id)).is_some(),
            Kind::RateLimit => self.rate_limit(&RateLimitId::from(id)).is_some(),
            _ => false,
        }
    }

    fn ids(&self, kind: Kind) -> Vec<&str> {
        match kind {
            Kind::Provider => self.providers().map(|one| one.name.as_str()).collect(),
            Kind::VirtualKey => few(self.keys().map(|one| one.id.as_str())),
            Kind::Team => few(self.teams().map(|one| one.id.as_str())),
            Kind::Customer => few(self.customers().map(|one| one.id.as_str())),
            Kind::Budget => few(self.budgets().map(|one| one.id.as_str())),
            Kind::RateLimit => few(self.rate_limits().map(|one| one.id.as_str())),
            _ => Vec::new(),
        }
    }

    fn keys_of(&self, provider: &str) -> Option<Vec<&str>> {
        let keys = self.provider(provider)?.credentials.iter().filter(|key| !key.is_none());
        Some(keys.map(|key| key.name.as_str()).collect())
    }

    fn reset_of(&self, budget: &str) -> Option<ResetDuration> {
        Some(self.budget(&BudgetId::from(budget))?.window.every)
    }

    fn allows_direct_keys(&self) -> bool {
        self.settings().allow_direct_keys
    }
}

/// The ids in their order, where there are few enough.
fn few<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut few: Vec<_> = ids.take(MOST_FOR_HINT + 1).collect();
    if few.len() > MOST_FOR_HINT {
        few.clear();
    }
    few.sort_unstable();
    few
}
