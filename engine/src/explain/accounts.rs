//! What stands on the accounts that a call's attempts touch.

use policy::decision::Refusal;
use policy::id::ModelName;
use policy::limit::refusal::name_of;
use policy::limit::{Accounts, BudgetStanding, Holder, Limits, RateStanding, names_of, of_caller, of_target};
use policy::limit::{Budget, RateLimit};
use policy::request::Request;
use policy::route::{Attempt, Caller};
use policy::snapshot::Snapshot;
use policy::window::Now;
use std::sync::Arc;

use crate::ledger::{self, Ledger};

/// Where it is asked what stands on accounts, and when.
#[derive(Clone, Copy, Debug)]
pub struct Books<'a> {
    /// The accounts.
    pub ledger: &'a Ledger,
    /// When.
    pub now: Now,
}

/// One account that attempts of the call touch.
#[derive(Clone, Debug)]
pub struct AccountLine {
    /// What its limit hangs on; where that is several, the first of key, team, customer, provider config, provider, model.
    pub holder: Holder,
    /// The name of that.
    pub name: String,
    /// The limit, and what stands.
    pub what: AccountKind,
}

/// A limit, and what stands on it.
#[derive(Clone, Debug)]
pub enum AccountKind {
    /// A budget.
    Budget(Arc<Budget>, BudgetStanding),
    /// A rate limit.
    Rate(Arc<RateLimit>, RateStanding),
}

impl Books<'_> {
    /// Why an attempt could not be made at this moment; `None`: it could.
    pub(super) fn denial(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        request: &Request<'_>,
        (asked, attempt): (&ModelName, &Attempt),
    ) -> Option<Refusal> {
        if !request.operation.costs() {
            return None;
        }
        let may_clamp = request.demand.own_limit().is_none() && request.operation.has_output_limit();
        let wanted = ledger::Request {
            more_input: 0,
            snapshot,
            caller,
            asked,
            attempt,
            may_clamp,
            is_admitted: false,
            now: self.now,
        };
        self.ledger.probe(&wanted).err().map(|denied| denied.refusal)
    }

    /// Adds the accounts of an attempt that are not there yet.
    pub(super) fn add(
        &self,
        lines: &mut Vec<AccountLine>,
        snapshot: &Snapshot,
        caller: &Caller,
        (asked, attempt): (&ModelName, &Attempt),
    ) {
        let provider = &attempt.provider.name;
        let mut add = |holder: Holder, limits: &Limits| {
            let name = || name_of(snapshot, caller, holder, provider, attempt.model.as_str());
            self.add_limits(lines, snapshot, limits, &|what| AccountLine { holder, name: name(), what });
        };
        of_caller(snapshot, caller, &mut add);
        of_target(snapshot, caller, provider, &names_of(attempt, asked), &mut add);
    }

    fn add_limits(
        &self,
        lines: &mut Vec<AccountLine>,
        snapshot: &Snapshot,
        limits: &Limits,
        line: &dyn Fn(AccountKind) -> AccountLine,
    ) {
        let view = self.ledger.at(self.now);
        for budget in limits.budgets.iter().filter_map(|id| snapshot.budget(id)) {
            let is_there =
                |known: &AccountLine| matches!(&known.what, AccountKind::Budget(one, _) if one.id == budget.id);
            if !lines.iter().any(is_there) {
                lines.push(line(AccountKind::Budget(Arc::clone(budget), view.of_budget(budget))));
            }
        }
        if let Some(limit) = limits.rate_limit.as_ref().and_then(|id| snapshot.rate_limit(id)) {
            let is_there = |known: &AccountLine| matches!(&known.what, AccountKind::Rate(one, _) if one.id == limit.id);
            if !lines.iter().any(is_there) {
                lines.push(line(AccountKind::Rate(Arc::clone(limit), view.of_rate_limit(limit))));
            }
        }
    }
}
