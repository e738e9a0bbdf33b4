//! How often something is named by others, so that removing it need not look at all of them.

use super::map::HashMap;
use super::{Customer, Team};
use crate::id::{BudgetId, CustomerId, RateLimitId, TeamId};
use crate::key::VirtualKey;
use crate::limit::Limits;

/// Something that others name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Named {
    Budget(BudgetId),
    RateLimit(RateLimitId),
    Team(TeamId),
    Customer(CustomerId),
}

/// How often each is named; what nothing names is not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses(HashMap<Named, u32>);

impl Uses {
    pub(super) fn add(&mut self, named: impl Iterator<Item = Named>) {
        for one in named {
            let count = self.0.entry(one).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn take(&mut self, named: impl Iterator<Item = Named>) {
        for one in named {
            match self.0.get_mut(&one) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.0.remove(&one)),
            }
        }
    }

    pub(super) fn has(&self, named: &Named) -> bool {
        self.0.contains_key(named)
    }
}

/// What limits name.
pub(super) fn of_limits(limits: &Limits) -> impl Iterator<Item = Named> {
    let budgets = limits.budgets.iter().cloned().map(Named::Budget);
    budgets.chain(limits.rate_limit.iter().cloned().map(Named::RateLimit))
}

/// What a virtual key names.
pub(super) fn of_key(key: &VirtualKey) -> impl Iterator<Item = Named> {
    let limits = std::iter::once(&key.limits).chain(key.providers.iter().map(|access| &access.limits));
    let team = key.team.iter().cloned().map(Named::Team);
    limits.flat_map(of_limits).chain(team).chain(key.customer.iter().cloned().map(Named::Customer))
}

/// What a team names.
pub(super) fn of_team(team: &Team) -> impl Iterator<Item = Named> {
    of_limits(&team.limits).chain(team.customer.iter().cloned().map(Named::Customer))
}

/// What a customer names.
pub(super) fn of_customer(customer: &Customer) -> impl Iterator<Item = Named> {
    of_limits(&customer.limits)
}
