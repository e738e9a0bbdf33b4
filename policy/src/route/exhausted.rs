//! Which limits of a target are used up, as a reading says when the plan is made. The caller's own are not asked here: where they
//! are, no other target helps, so the hold refuses the call.

use std::time::Duration;

use smallvec::SmallVec;

use super::credentials::usable;
use super::{Caller, Target, candidates};
use crate::account::Short;
use crate::decision::Refusal;
use crate::id::{ModelName, ProviderName};
use crate::limit::refusal::{SOON, Who, name_of, of_budget, of_rate_limit};
use crate::limit::{
    Accounts, Budget, BudgetStanding, Holder, Limits, Quota, QuotaStanding, RateLimit, RateStanding, of_caller,
    of_target,
};
use crate::money::NanoUsd;
use crate::snapshot::Snapshot;

/// Where limits stand, and what was used of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Books<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) caller: &'a Caller,
    pub(super) accounts: &'a dyn Accounts,
}

/// A limit of a target that is used up.
#[derive(Clone, Debug)]
pub(super) struct Exhausted<'a> {
    used_up: UsedUp<'a>,
    holder: Holder,
    provider: ProviderName,
    model: ModelName,
}

#[derive(Clone, Copy, Debug)]
struct UsedUp<'a> {
    limit: Reached<'a>,
    /// How long until some of it is free again; the longest time there is where that is not known.
    wait: Duration,
}

/// A limit, and what stands on it.
#[derive(Clone, Copy, Debug)]
enum Reached<'a> {
    Budget(&'a Budget, BudgetStanding),
    Rate(&'a RateLimit, RateStanding, Short),
}

impl<'a> Books<'a> {
    /// The limit that keeps a target from being used for longest. A target with several credentials is kept by what keeps each of
    /// them: a credential has its own name for the model, and that may have limits. `None`: it can be used.
    pub(super) fn exhausted(&self, target: &Target) -> Option<Exhausted<'a>> {
        let (holder, used_up) = match self.snapshot.has_model_limits() {
            false => self.longest(target, &[])?,
            true => self.of_credentials(target)?,
        };
        Some(Exhausted { used_up, holder, provider: target.provider.name.clone(), model: target.model.clone() })
    }

    fn of_credentials(&self, target: &Target) -> Option<(Holder, UsedUp<'a>)> {
        let mut soonest: Option<(Holder, UsedUp<'a>)> = None;
        for (_, credential) in usable(&target.provider, &target.model, target.pinned.as_ref(), self.caller) {
            let found = self.longest(target, &[credential.resolve(&target.model)])?;
            if soonest.is_none_or(|(_, known)| found.1.wait < known.wait) {
                soonest = Some(found);
            }
        }
        soonest
    }

    /// The one that lasts longest, of the limits of a target and of the model under these names of the provider's.
    fn longest(&self, target: &Target, resolved: &[&ModelName]) -> Option<(Holder, UsedUp<'a>)> {
        let provider = &target.provider;
        let listed = |name: &&ModelName| candidates::known(self.snapshot.catalog(), provider, name);
        let of_resolved = resolved.iter().find_map(|name| listed(name).filter(|_| **name != target.model));
        let listed = of_resolved.as_ref().or(target.known.as_ref()).map(|known| &*known.name);
        let mut names: SmallVec<[&str; 3]> = SmallVec::new();
        for name in resolved.iter().map(|name| name.as_str()).chain([target.model.as_str()]).chain(listed) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut longest: Option<(Holder, UsedUp<'a>)> = None;
        of_target(self.snapshot, self.caller, &provider.name, &names, |holder, limits| {
            for found in self.used_up(limits) {
                if longest.is_none_or(|(_, known)| found.wait > known.wait) {
                    longest = Some((holder, found));
                }
            }
        });
        longest
    }

    fn used_up(&self, limits: &'a Limits) -> impl Iterator<Item = UsedUp<'a>> {
        let budgets = limits.budgets.iter().filter_map(|id| self.snapshot.budget(id));
        let rate_limit = limits.rate_limit.as_ref().and_then(|id| self.snapshot.rate_limit(id));
        let spent = budgets.filter_map(|budget| self.spent(budget));
        spent.chain(rate_limit.and_then(|limit| self.reached(limit)))
    }

    /// What calls in flight have reserved is not spent.
    fn spent(&self, budget: &'a Budget) -> Option<UsedUp<'a>> {
        let standing = self.accounts.of_budget(budget);
        if standing.spent < budget.limit || self.is_callers(|limits| limits.budgets.contains(&budget.id)) {
            return None;
        }
        let until_reset = || standing.resets_at_ms.checked_sub(self.accounts.now()?.wall_ms);
        let wait = until_reset().filter(|_| budget.limit > NanoUsd::ZERO).map_or(Duration::MAX, Duration::from_millis);
        Some(UsedUp { limit: Reached::Budget(budget, standing), wait })
    }

    /// Whether a limit hangs on the caller too: then it is the hold that tells of it.
    fn is_callers(&self, is_it: impl Fn(&Limits) -> bool) -> bool {
        let mut is_there = false;
        of_caller(self.snapshot, self.caller, |_, limits| is_there |= is_it(limits));
        is_there
    }

    fn reached(&self, limit: &'a RateLimit) -> Option<UsedUp<'a>> {
        let standing = self.accounts.of_rate_limit(limit);
        let requests = until_free(limit.requests, &standing.requests);
        let tokens = until_free(limit.tokens, &standing.tokens);
        let (short, wait) = match requests.max(tokens) {
            Some(wait) => (Short::Limited { requests: requests.is_some(), tokens: tokens.is_some(), wait }, wait),
            None if limit.concurrent.is_some_and(|most| standing.concurrent >= most) => (Short::Crowded, SOON),
            None => return None,
        };
        let is_callers = self.is_callers(|limits| limits.rate_limit.as_ref() == Some(&limit.id));
        (!is_callers).then_some(UsedUp { limit: Reached::Rate(limit, standing, short), wait })
    }
}

/// How long until some of a quota is free; `None`: some is. What calls in flight have reserved is soon settled.
fn until_free(quota: Option<Quota>, standing: &QuotaStanding) -> Option<Duration> {
    let most = quota?.most;
    if standing.used < most {
        return None;
    }
    let is_settled_soon = standing.used.saturating_sub(standing.held) < most;
    Some(if is_settled_soon { SOON } else { Duration::from_millis(standing.frees_in_ms) })
}

impl Exhausted<'_> {
    /// How long until some of it is free again.
    pub(super) fn wait(&self) -> Duration {
        self.used_up.wait
    }

    /// What a caller is told where no target is left.
    pub(super) fn refusal(&self, books: &Books<'_>) -> Refusal {
        let Self { used_up, holder, provider, model } = self;
        let name = name_of(books.snapshot, books.caller, *holder, provider, model.as_str());
        let who = Who { holder: *holder, name: &name };
        let now = books.accounts.now();
        match used_up.limit {
            Reached::Budget(budget, standing) => {
                let refusal = of_budget(budget, standing, Short::Spent, NanoUsd::ZERO, who, now.unwrap_or_default());
                Refusal { retry_after: refusal.retry_after.filter(|_| now.is_some()), ..refusal }
            }
            Reached::Rate(limit, standing, short) => {
                of_rate_limit(limit, standing, short, 0, who, now.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests;
