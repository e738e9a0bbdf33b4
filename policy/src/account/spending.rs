//! What was spent of a budget.

use super::Short;
use crate::limit::{Budget, BudgetStanding, Mode};
use crate::money::NanoUsd;
use crate::window::{BudgetWindow, Period};

/// The amounts of one budget. A charge belongs to the window in which its attempt was admitted; windows only move forward, and no
/// two of them begin at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// How windows follow each other, as the amounts were counted.
    window: BudgetWindow,
    /// When the budget was made, or its windows were changed: they tile from there.
    began_ms: u64,
    /// The window under way.
    period: Period,
    spent: NanoUsd,
    /// Reserved in the window under way. Holds that nothing checks could add up to more than an amount can be, and what is too
    /// large to be true would be freed too early.
    held: u128,
    /// Reserved in earlier windows, by calls that are still in flight.
    held_before: u128,
    /// Charged since the budget was made, whatever the window.
    total: NanoUsd,
}

/// The window that a hold belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendingMark {
    /// When that window began, in milliseconds since 1970.
    pub window_ms: u64,
}

impl Spending {
    /// A budget that was made at `began_ms`, of which nothing was spent.
    #[must_use]
    pub fn new(window: BudgetWindow, began_ms: u64) -> Self {
        let period = window.at(began_ms, began_ms);
        Self { window, began_ms, period, spent: NanoUsd::ZERO, held: 0, held_before: 0, total: NanoUsd::ZERO }
    }

    /// The same, of which so much was spent in the window that began at `window_ms`.
    #[must_use]
    pub fn restored(window: BudgetWindow, began_ms: u64, window_ms: u64, spent: NanoUsd, total: NanoUsd) -> Self {
        let fresh = Self::new(window, began_ms);
        // Charges are known by where their window began, even if the rules of its zone were others then.
        let start_ms = window_ms.max(began_ms);
        let period = Period { start_ms, ..fresh.window.at(began_ms, start_ms) };
        Self { period, spent, total, ..fresh }
    }

    /// When the budget was made, or its windows were changed.
    #[must_use]
    pub fn began_ms(&self) -> u64 {
        self.began_ms
    }

    /// Moves on to the window of this moment. A budget whose windows were changed begins anew: nothing is spent in the first of
    /// them. A moment before the window under way changes nothing.
    pub fn roll(&mut self, budget: &Budget, wall_ms: u64) {
        if budget.window != self.window {
            self.begin_anew(&budget.window, wall_ms);
        }
        if wall_ms >= self.period.end_ms {
            let period = self.window.at(self.began_ms, wall_ms);
            // Not so at the end of time, where the last window stays.
            if period.start_ms > self.period.start_ms {
                self.move_to(period);
            }
        }
    }

    fn begin_anew(&mut self, window: &BudgetWindow, wall_ms: u64) {
        // Later than the window under way, whatever the clock says: what was held or charged there is told apart by its beginning.
        self.began_ms = wall_ms.max(self.period.start_ms.saturating_add(1));
        self.window = window.clone();
        self.move_to(window.at(self.began_ms, self.began_ms));
    }

    fn move_to(&mut self, period: Period) {
        self.period = period;
        self.spent = NanoUsd::ZERO;
        self.held_before += std::mem::take(&mut self.held);
    }

    /// What is not charged yet, whether it is reserved or not.
    #[must_use]
    pub fn rest(&self, budget: &Budget) -> NanoUsd {
        budget.limit.saturating_sub(self.spent)
    }

    /// Whether an attempt that costs at most `amount` may be made.
    ///
    /// # Errors
    /// [`Short::Spent`] or [`Short::Reserved`].
    pub fn check(&self, budget: &Budget, amount: NanoUsd) -> Result<(), Short> {
        let rest = self.rest(budget);
        if rest == NanoUsd::ZERO {
            return Err(Short::Spent);
        }
        match budget.mode {
            Mode::Soft => Ok(()),
            Mode::Hard if amount > rest => Err(Short::Spent),
            Mode::Hard if self.held + u128::from(amount.0) > u128::from(rest.0) => Err(Short::Reserved),
            Mode::Hard => Ok(()),
        }
    }

    /// Reserves an amount in the window under way.
    pub fn hold(&mut self, amount: NanoUsd) -> SpendingMark {
        self.held += u128::from(amount.0);
        SpendingMark { window_ms: self.period.start_ms }
    }

    /// Frees what was reserved: nothing was sent.
    pub fn release(&mut self, mark: SpendingMark, amount: NanoUsd) {
        let held = if mark.window_ms == self.period.start_ms { &mut self.held } else { &mut self.held_before };
        *held = held.saturating_sub(u128::from(amount.0));
    }

    /// Frees what was reserved and charges what it came to.
    pub fn settle(&mut self, mark: SpendingMark, held: NanoUsd, cost: NanoUsd) {
        self.release(mark, held);
        self.total = self.total.saturating_add(cost);
        if mark.window_ms == self.period.start_ms {
            self.spent = self.spent.saturating_add(cost);
        }
    }

    /// Takes a charge back that was made in the window that began then.
    pub fn void(&mut self, window_ms: u64, cost: NanoUsd) {
        self.total = self.total.saturating_sub(cost);
        if window_ms == self.period.start_ms {
            self.spent = self.spent.saturating_sub(cost);
        }
    }

    /// Counts as not spent what was spent in the window under way, and gives when that began and how much it was. What calls in
    /// flight reserved stays reserved, and what was spent in all stands.
    pub fn reset(&mut self) -> (u64, NanoUsd) {
        (self.period.start_ms, std::mem::take(&mut self.spent))
    }

    /// Counts again what was reset.
    pub fn unreset(&mut self, window_ms: u64, spent: NanoUsd) {
        if window_ms == self.period.start_ms {
            self.spent = self.spent.saturating_add(spent);
        }
    }

    /// What stands at this moment, with nothing moved: what [`Self::roll`] would make of it.
    #[must_use]
    pub fn standing(&self, budget: &Budget, wall_ms: u64) -> BudgetStanding {
        if wall_ms < self.period.end_ms && budget.window == self.window {
            return self.stands();
        }
        let mut rolled = self.clone();
        rolled.roll(budget, wall_ms);
        rolled.stands()
    }

    fn stands(&self) -> BudgetStanding {
        BudgetStanding { spent: self.spent, held: amount(self.held), resets_at_ms: self.period.end_ms }
    }

    /// Charged since the budget was made.
    #[must_use]
    pub fn total(&self) -> NanoUsd {
        self.total
    }

    /// Reserved by calls in flight, whatever window they were admitted in.
    #[must_use]
    pub fn held_in_all(&self) -> NanoUsd {
        amount(self.held + self.held_before)
    }
}

fn amount(nano: u128) -> NanoUsd {
    NanoUsd(u64::try_from(nano).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
