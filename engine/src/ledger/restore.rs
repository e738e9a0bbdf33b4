//! The ledger at the start of a process: what earlier ones left in the store.

use std::collections::HashMap;
use std::sync::Arc;

use policy::account::Spending;
use policy::id::RateLimitId;
use policy::limit::Budget;
use policy::money::NanoUsd;
use policy::snapshot::Snapshot;
use policy::window::Now;
use store::{Amount, Began, BudgetState, Journal, Kind, SliceState, State};

use super::commit::Lock;
use super::{Ledger, Meters};

impl Ledger {
    /// The ledger of a policy, with what was used before; and the budgets that begin now, for the store to remember.
    #[must_use]
    pub fn restored(
        snapshot: &Snapshot,
        state: &State,
        journal: Option<Arc<dyn Journal>>,
        now: Now,
    ) -> (Self, Vec<Began>) {
        let ledger = Self::new(journal, state.run);
        let known: HashMap<&str, &BudgetState> = state.budgets.iter().map(|saved| (&*saved.id, saved)).collect();
        let mut began = Vec::new();
        for budget in snapshot.budgets() {
            let saved = known.get(budget.id.as_str()).copied();
            let spending = spending(budget, saved, now);
            if saved.is_none_or(|saved| *saved.window != *budget.window.to_string()) {
                began.push(Began {
                    id: budget.id.as_str().into(),
                    window: budget.window.to_string(),
                    began_ms: spending.began_ms(),
                });
            }
            ledger.accounts.of_budget(&budget.id, || spending);
        }
        for slice in &state.slices {
            ledger.restore_slice(snapshot, slice, now);
        }
        (ledger, began)
    }

    /// A budget, or its windows, are new: they are counted from here, unless a call was quicker, and from that call then. Gives when
    /// they began, for the store to remember.
    pub fn begin(&self, budget: &Budget, now: Now) -> Option<Began> {
        let account = self.accounts.of_budget(&budget.id, || Spending::new(budget.window.clone(), now.wall_ms));
        let mut meters = account.lock();
        let Meters::Budget(spending) = &mut *meters else { return None };
        spending.roll(budget, now.wall_ms);
        let (began_ms, window) = (spending.began_ms(), budget.window.to_string());
        Some(Began { id: budget.id.as_str().into(), window, began_ms })
    }

    fn restore_slice(&self, snapshot: &Snapshot, slice: &SliceState, now: Now) {
        let id = RateLimitId::from(&*slice.id);
        let Some(limit) = snapshot.rate_limit(&id) else { return };
        let account = self.accounts.of_rate_limit(&id);
        let (place, now_ms) = ((slice.start_ms, slice.length_ms), now.mono_ms);
        if let Meters::Rate(pace) = &mut *account.lock() {
            match slice.kind {
                Kind::Requests => pace.restore_requests(limit, place, slice.used, now_ms),
                Kind::Tokens => pace.restore_tokens(limit, place, slice.used, now_ms),
                Kind::Budget => {}
            }
        };
    }

    /// Counts what calls of another process reserve, for a ledger that is only looked at.
    pub fn note_held(&self, held: &[Amount]) {
        for one in held.iter().filter(|one| one.kind == Kind::Budget) {
            if let Some(account) = self.accounts.find_budget(&(*one.id).into())
                && let Meters::Budget(spending) = &mut *account.lock()
            {
                spending.hold(NanoUsd(one.amount));
            }
        }
    }

    /// Counts as not spent what was spent of a budget in its window, where the store does so too.
    ///
    /// # Errors
    /// What the store says; then it counts as it did.
    pub fn reset<E>(
        &self,
        budget: &Budget,
        now: Now,
        keep: impl FnOnce(u64, NanoUsd) -> Result<(), E>,
    ) -> Result<NanoUsd, E> {
        let account = self.accounts.of_budget(&budget.id, || Spending::new(budget.window.clone(), now.wall_ms));
        let reset = match &mut *account.lock() {
            Meters::Budget(spending) => {
                spending.roll(budget, now.wall_ms);
                spending.reset()
            }
            Meters::Rate(_) => (0, NanoUsd::ZERO),
        };
        // No lock is held while it is written; charges meanwhile are counted beside it.
        keep(reset.0, reset.1).inspect_err(|_| {
            if let Meters::Budget(spending) = &mut *account.lock() {
                spending.unreset(reset.0, reset.1);
            }
        })?;
        Ok(reset.1)
    }

    /// Takes a charge back that the store has taken back.
    pub fn void(&self, entries: &[Amount]) {
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Budget) {
            if let Some(account) = self.accounts.find_budget(&(*entry.id).into())
                && let Meters::Budget(spending) = &mut *account.lock()
            {
                spending.void(entry.start_ms, NanoUsd(entry.amount));
            }
        }
    }
}

/// What was spent of a budget: from where it was left if its windows are the same, else from nothing in a window that begins now.
fn spending(budget: &Budget, saved: Option<&BudgetState>, now: Now) -> Spending {
    match saved.filter(|saved| saved.window.is_empty() || *saved.window == *budget.window.to_string()) {
        Some(saved) => Spending::restored(
            budget.window.clone(),
            saved.began_ms,
            saved.window_ms,
            NanoUsd(saved.spent_nano),
            NanoUsd(saved.total_nano),
        ),
        None => {
            let (total, began_ms) = (saved.map_or(0, |saved| saved.total_nano), now.wall_ms);
            Spending::restored(budget.window.clone(), began_ms, began_ms, NanoUsd::ZERO, NanoUsd(total))
        }
    }
}
