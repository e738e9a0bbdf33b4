//! How much of the limits that apply to a call is used, as rules see it: `budget_used`, `tokens_used`, `requests_used`.

use std::cell::OnceCell;
use std::fmt;

use smallvec::SmallVec;

use super::super::candidates::{Wanted, known};
use super::super::exhausted::Books;
use crate::limit::{Limits, Quota, QuotaStanding, of_caller, of_target};

/// Millionths of a percent; a whole one is a limit that is used up.
const PERCENT: u64 = 1_000_000;

/// How much is used of the tightest limit of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shares {
    budget: u64,
    tokens: u64,
    requests: u64,
}

/// What is used of the limits of a call: read when the first rule asks, and once. A reading, not a promise: calls in flight go on.
#[derive(Default)]
pub struct Used<'a> {
    of_caller: Option<&'a OfCaller<'a>>,
    /// What the request, or the rule before, names.
    wanted: Option<&'a Wanted>,
    shares: OnceCell<Shares>,
}

/// What is used of the caller's own limits; the same for all rules that are asked about a request.
pub(in crate::route) struct OfCaller<'a> {
    books: Books<'a>,
    shares: OnceCell<Shares>,
}

impl<'a> OfCaller<'a> {
    /// Nothing is read yet.
    pub(in crate::route) fn new(books: Books<'a>) -> Self {
        Self { books, shares: OnceCell::new() }
    }

    fn shares(&self) -> Shares {
        *self.shares.get_or_init(|| {
            let mut shares = Shares::default();
            of_caller(self.books.snapshot, self.books.caller, |_, limits| shares.count(&self.books, limits));
            shares
        })
    }
}

impl<'a> Used<'a> {
    /// That of a caller and of what is wanted: where a provider is named, its limits and those of its model count too.
    pub(in crate::route) fn of(of_caller: &'a OfCaller<'a>, wanted: &'a Wanted) -> Self {
        Self { of_caller: Some(of_caller), wanted: Some(wanted), shares: OnceCell::new() }
    }

    /// Percent of the tightest budget, of the tightest limit on tokens, and of the tightest limit on requests; 0 where there is no
    /// such limit.
    #[must_use]
    pub fn percents(&self) -> [f64; 3] {
        let Shares { budget, tokens, requests } = *self.shares.get_or_init(|| self.read());
        [budget, tokens, requests].map(double)
    }

    fn read(&self) -> Shares {
        let Some(of_caller) = self.of_caller else { return Shares::default() };
        let (mut shares, books) = (of_caller.shares(), &of_caller.books);
        let named = self.wanted.and_then(|wanted| Some((wanted.provider.as_ref()?, &wanted.model)));
        if let Some((provider, model)) = named {
            let listed = known(books.snapshot.catalog(), provider, model);
            let listed = listed.as_ref().map(|listed| &*listed.name).filter(|name| *name != model.as_str());
            let names: SmallVec<[&str; 2]> = [Some(model.as_str()), listed].into_iter().flatten().collect();
            of_target(books.snapshot, books.caller, &provider.name, &names, |_, limits| shares.count(books, limits));
        }
        shares
    }
}

impl Shares {
    fn count(&mut self, books: &Books<'_>, limits: &Limits) {
        for budget in limits.budgets.iter().filter_map(|id| books.snapshot.budget(id)) {
            let standing = books.accounts.of_budget(budget);
            let used = standing.spent.saturating_add(standing.held);
            self.budget = self.budget.max(share(used.0, budget.limit.0));
        }
        if let Some(limit) = limits.rate_limit.as_ref().and_then(|id| books.snapshot.rate_limit(id)) {
            let standing = books.accounts.of_rate_limit(limit);
            let of_quota = |quota: Option<Quota>, standing: QuotaStanding| {
                quota.map_or(0, |quota| share(standing.used, quota.most))
            };
            self.tokens = self.tokens.max(of_quota(limit.tokens, standing.tokens));
            self.requests = self.requests.max(of_quota(limit.requests, standing.requests));
        }
    }
}

/// A limit of nothing is used up.
fn share(used: u64, limit: u64) -> u64 {
    let used = u128::from(used) * u128::from(100 * PERCENT);
    used.checked_div(u128::from(limit)).map_or(100 * PERCENT, |share| u64::try_from(share).unwrap_or(u64::MAX))
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a rule sees a double, and nothing is counted with it"
)]
fn double(share: u64) -> f64 {
    share as f64 / PERCENT as f64
}

/// What it stands on is all of the policy.
impl fmt::Debug for Used<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Used({:?})", self.shares.get())
    }
}

#[cfg(test)]
mod tests;
