//! What was spent of a budget.

use super::Short;
use crate::limit::{Budget, BudgetStanding, Mode};
use crate::money::NanoUsd;
use crate::window::{BudgetWindow, Period};

/// The amounts of one budget. A charge belongs to the window in which its attempt was admitted; windows only move forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// How windows follow each other, as the amounts were counted.
    window: BudgetWindow,
    /// When the budget was made; windows that are not aligned tile from there.
    began_ms: u64,
    /// The window under way.
    period: Period,
    spent: NanoUsd,
    held: NanoUsd,
    /// Reserved in earlier windows, by calls that are still in flight.
    held_before: NanoUsd,
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
        Self {
            window,
            began_ms,
            period,
            spent: NanoUsd::ZERO,
            held: NanoUsd::ZERO,
            held_before: NanoUsd::ZERO,
            total: NanoUsd::ZERO,
        }
    }

    /// The same, of which so much was spent in the window that began at `window_ms`.
    #[must_use]
    pub fn restored(window: BudgetWindow, began_ms: u64, window_ms: u64, spent: NanoUsd, total: NanoUsd) -> Self {
        let fresh = Self::new(window, began_ms);
        let period = fresh.window.at(began_ms, window_ms.max(began_ms));
        Self { period, spent, total, ..fresh }
    }

    /// When the budget was made.
    #[must_use]
    pub fn began_ms(&self) -> u64 {
        self.began_ms
    }

    /// Moves on to the window of this moment. A budget whose windows were changed begins anew.
    pub fn roll(&mut self, budget: &Budget, wall_ms: u64) {
        if budget.window != self.window {
            let (total, held) = (self.total, self.held_before.saturating_add(self.held));
            *self = Self { total, held_before: held, ..Self::new(budget.window.clone(), wall_ms) };
        }
        if wall_ms >= self.period.end_ms {
            self.period = self.window.at(self.began_ms, wall_ms);
            self.spent = NanoUsd::ZERO;
            self.held_before = self.held_before.saturating_add(self.held);
            self.held = NanoUsd::ZERO;
        }
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
            Mode::Hard if self.held.saturating_add(amount) > rest => Err(Short::Reserved),
            Mode::Hard => Ok(()),
        }
    }

    /// Reserves an amount in the window under way.
    pub fn hold(&mut self, amount: NanoUsd) -> SpendingMark {
        self.held = self.held.saturating_add(amount);
        SpendingMark { window_ms: self.period.start_ms }
    }

    /// Frees what was reserved: nothing was sent.
    pub fn release(&mut self, mark: SpendingMark, amount: NanoUsd) {
        let held = if mark.window_ms == self.period.start_ms { &mut self.held } else { &mut self.held_before };
        *held = held.saturating_sub(amount);
    }

    /// Frees what was reserved and charges what it came to.
    pub fn settle(&mut self, mark: SpendingMark, held: NanoUsd, cost: NanoUsd) {
        self.release(mark, held);
        self.total = self.total.saturating_add(cost);
        if mark.window_ms == self.period.start_ms {
            self.spent = self.spent.saturating_add(cost);
        }
    }

    /// Takes a charge back.
    pub fn void(&mut self, window_ms: u64, cost: NanoUsd) {
        self.total = self.total.saturating_sub(cost);
        if window_ms == self.period.start_ms {
            self.spent = self.spent.saturating_sub(cost);
        }
    }

    /// What stands at this moment, with nothing moved: a window that is over counts as empty.
    #[must_use]
    pub fn standing(&self, budget: &Budget, wall_ms: u64) -> BudgetStanding {
        if wall_ms >= self.period.end_ms || budget.window != self.window {
            let mut next = self.clone();
            next.roll(budget, wall_ms);
            return BudgetStanding { spent: next.spent, held: next.held, resets_at_ms: next.period.end_ms };
        }
        BudgetStanding { spent: self.spent, held: self.held, resets_at_ms: self.period.end_ms }
    }

    /// Charged since the budget was made.
    #[must_use]
    pub fn total(&self) -> NanoUsd {
        self.total
    }

    /// Reserved by calls in flight, whatever window they were admitted in.
    #[must_use]
    pub fn held_in_all(&self) -> NanoUsd {
        self.held.saturating_add(self.held_before)
    }
}

#[cfg(test)]
mod tests;
