//! What entities name: those that are named stay.

use super::{Customer, Snapshot, Team};
use crate::id::{BudgetId, CustomerId, RateLimitId, TeamId};
use crate::key::VirtualKey;
use crate::limit::Limits;

/// Something that others name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    Budget(&'a BudgetId),
    RateLimit(&'a RateLimitId),
    Team(&'a TeamId),
    Customer(&'a CustomerId),
}

impl Snapshot {
    /// Counts that these are named once more.
    pub(super) fn name<'a>(&mut self, named: impl Iterator<Item = Named<'a>>) {
        named.for_each(|one| self.count(one, |count| count.saturating_add(1)));
    }

    /// Counts that these are named once less.
    pub(super) fn unname<'a>(&mut self, named: impl Iterator<Item = Named<'a>>) {
        named.for_each(|one| self.count(one, |count| count.saturating_sub(1)));
    }

    fn count(&mut self, named: Named<'_>, change: impl FnOnce(u32) -> u32) {
        match named {
            Named::Budget(id) => self.limits.budgets.count(id.as_str(), change),
            Named::RateLimit(id) => self.limits.rate_limits.count(id.as_str(), change),
            Named::Team(id) => self.teams.count(id.as_str(), change),
            Named::Customer(id) => self.customers.count(id.as_str(), change),
        }
    }
}

/// What limits name.
pub(super) fn of_limits(limits: &Limits) -> impl Iterator<Item = Named<'_>> {
    let budgets = limits.budgets.iter().map(Named::Budget);
    budgets.chain(limits.rate_limit.iter().map(Named::RateLimit))
}

/// What a virtual key names.
pub(super) fn of_key(key: &VirtualKey) -> impl Iterator<Item = Named<'_>> {
    let limits = std::iter::once(&key.limits).chain(key.providers.iter().map(|access| &access.limits));
    let team = key.team.iter().map(Named::Team);
    limits.flat_map(of_limits).chain(team).chain(key.customer.iter().map(Named::Customer))
}

/// What a team names.
pub(super) fn of_team(team: &Team) -> impl Iterator<Item = Named<'_>> {
    of_limits(&team.limits).chain(team.customer.iter().map(Named::Customer))
}

/// What a customer names.
pub(super) fn of_customer(customer: &Customer) -> impl Iterator<Item = Named<'_>> {
    of_limits(&customer.limits)
}
