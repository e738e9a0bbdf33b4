//! The accounts that an attempt touches, each once, in the order in which they are locked.

use std::sync::Arc;

use policy::account::{Short, Spending};
use policy::limit::refusal::{Who, name_of};
use policy::limit::{Holder, Limit, Limits, Mode, names_of, of_caller, of_target};
use policy::money::NanoUsd;
use policy::snapshot::Snapshot;
use policy::window::Now;
use smallvec::SmallVec;

use super::report::Standing;
use super::{Account, Ledger, Meters, Request, Terms, slot};
use crate::hold::{Held, Mark};

/// One account that an attempt touches.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) account: Arc<Account>,
    pub(super) limit: Limit<'a>,
    /// What it hangs on; where it hangs on several, the caller's side counts.
    pub(super) holder: Holder,
}

/// All of an attempt's.
pub(super) type Lines<'a> = SmallVec<[Line<'a>; 8]>;

impl Ledger {
    /// The accounts of an attempt.
    pub(super) fn lines<'a>(&self, request: &Request<'a>) -> Lines<'a> {
        let Request { snapshot, caller, attempt, asked, now, .. } = *request;
        let mut lines = Lines::new();
        of_caller(snapshot, caller, |holder, limits| self.add(&mut lines, snapshot, holder, limits, now));
        let names = names_of(attempt, asked);
        of_target(snapshot, caller, &attempt.provider.name, &names, |holder, limits| {
            self.add(&mut lines, snapshot, holder, limits, now);
        });
        lines.sort_unstable_by_key(|line| line.account.number);
        lines
    }

    fn add<'a>(&self, lines: &mut Lines<'a>, snapshot: &'a Snapshot, holder: Holder, limits: &'a Limits, now: Now) {
        for budget in limits.budgets.iter().filter_map(|id| snapshot.budget(id)) {
            let begin = || Spending::new(budget.window.clone(), now.wall_ms);
            let account = self.accounts.of_budget(&budget.id, begin);
            push(lines, Line { account, limit: Limit::Budget(budget), holder });
        }
        if let Some(limit) = limits.rate_limit.as_ref().and_then(|id| snapshot.rate_limit(id)) {
            let account = self.accounts.of_rate_limit(&limit.id);
            push(lines, Line { account, limit: Limit::Rate(limit), holder });
        }
    }
}

/// Adds an account that is not there yet. The caller's come first, so that theirs is the side that counts.
fn push<'a>(lines: &mut Lines<'a>, line: Line<'a>) {
    if !lines.iter().any(|known| known.account.number == line.account.number) {
        lines.push(line);
    }
}

impl Line<'_> {
    /// Moves its windows on.
    pub(super) fn roll(&self, meters: &mut Meters, now: Now) {
        match (self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) => spending.roll(budget, now.wall_ms),
            (Limit::Rate(limit), Meters::Rate(pace)) => pace.roll(limit, now.mono_ms),
            _ => {}
        }
    }

    /// What is left of a budget that cannot be overspent.
    pub(super) fn hard_rest(&self, meters: &Meters) -> Option<NanoUsd> {
        match (self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) if budget.mode == Mode::Hard => {
                Some(spending.rest(budget))
            }
            _ => None,
        }
    }

    /// Whether it can take the attempt.
    pub(super) fn check(&self, meters: &Meters, terms: &Terms, request: &Request<'_>) -> Result<(), Short> {
        match (self.limit, meters) {
            (Limit::Budget(budget), Meters::Budget(spending)) => spending.check(budget, terms.amount),
            (Limit::Rate(limit), Meters::Rate(pace)) => {
                pace.check(limit, slot(self, terms, request), request.now.mono_ms)
            }
            _ => Ok(()),
        }
    }

    /// Reserves on it.
    pub(super) fn commit(&self, meters: &mut Meters, terms: &Terms, request: &Request<'_>) -> Held {
        let account = Arc::clone(&self.account);
        let is_callers = self.holder.is_callers();
        let mark = match (self.limit, meters) {
            (Limit::Rate(limit), Meters::Rate(pace)) => {
                let slot = slot(self, terms, request);
                Mark::Rate { mark: pace.hold(limit, slot), is_counted: slot.request }
            }
            (_, Meters::Budget(spending)) => Mark::Budget(spending.hold(terms.amount)),
            (Limit::Budget(_), Meters::Rate(_)) => Mark::None,
        };
        Held { account, mark, is_callers }
    }

    /// What stands on it.
    pub(super) fn standing(&self, meters: &Meters, now: Now) -> Standing {
        match (self.limit, meters) {
            (Limit::Rate(limit), Meters::Rate(pace)) => Standing::Rate(pace.standing(limit, now.mono_ms)),
            (Limit::Budget(budget), Meters::Budget(spending)) => {
                Standing::Budget(spending.standing(budget, now.wall_ms))
            }
            _ => Standing::Budget(policy::limit::BudgetStanding::default()),
        }
    }

    /// The name of what it hangs on.
    pub(super) fn name(&self, request: &Request<'_>) -> String {
        let Request { snapshot, caller, attempt, .. } = *request;
        name_of(snapshot, caller, self.holder, &attempt.provider.name, attempt.model.as_str())
    }

    pub(super) fn who<'n>(&self, name: &'n str) -> Who<'n> {
        Who { holder: self.holder, name }
    }
}
