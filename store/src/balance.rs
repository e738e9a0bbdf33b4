//! Balances: what is known of budgets and rate limits between two processes, and how charges change it.

use std::cmp::Ordering;

use crate::journal::{AttemptId, Kind};
use crate::{Amount, Attempted};

/// A database keeps signed numbers: no balance exceeds this. In nano-dollars it is nine thousand million dollars.
pub(crate) const MOST: u64 = i64::MAX.cast_unsigned();

/// A rolling window has twelve slices, and each counts until its end is one window old.
const SLICES_THAT_COUNT: u64 = 14;

/// What was spent of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetState {
    /// Its id.
    pub id: String,
    /// How its windows follow each other, as text; empty: nobody has said yet.
    pub window: String,
    /// When it was made, in milliseconds since 1970.
    pub began_ms: u64,
    /// When the window began that `spent_nano` belongs to; 0: nothing was charged yet.
    pub window_ms: u64,
    /// Charged in that window.
    pub spent_nano: u64,
    /// Charged since it was made.
    pub total_nano: u64,
}

/// What was used in a slice of a rate limit's window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceState {
    /// Requests or tokens.
    pub kind: Kind,
    /// The rate limit's id.
    pub id: String,
    /// When the slice began, in milliseconds since 1970.
    pub start_ms: u64,
    /// How long it is.
    pub length_ms: u64,
    /// How much was used.
    pub used: u64,
}

/// When a budget began, and how its windows follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Began {
    /// The budget's id.
    pub id: String,
    /// How its windows follow each other; another text is another window.
    pub window: String,
    /// When it was made, in milliseconds since 1970.
    pub began_ms: u64,
}

/// An attempt that was charged in full because nobody saw its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonedCharge {
    /// Its place among all of them: a later one has a greater number.
    pub place: u64,
    /// The attempt, with what it was charged.
    pub attempted: Attempted,
    /// When it was charged, in milliseconds since 1970.
    pub at_ms: u64,
    /// When it was taken back.
    pub voided_at_ms: Option<u64>,
}

/// A part of the abandoned attempts, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only those before this place; `None`: from the newest on.
    pub before: Option<u64>,
    /// How many at most.
    pub most: u32,
}

/// A charge that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// The attempt.
    pub attempt: AttemptId,
    /// What was taken back: money and tokens. That it was a request stands.
    pub entries: Vec<Amount>,
}

impl BudgetState {
    /// One that nothing is known of.
    pub(crate) fn unknown(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Charges an amount in the window that began at `start_ms`. Windows only move forward: an earlier one's charges no longer
    /// show in what was spent.
    pub(crate) fn charge(&mut self, start_ms: u64, nano: u64) {
        self.total_nano = plus(self.total_nano, nano);
        match start_ms.cmp(&self.window_ms) {
            Ordering::Greater => (self.window_ms, self.spent_nano) = (start_ms, nano.min(MOST)),
            Ordering::Equal if start_ms > 0 => self.spent_nano = plus(self.spent_nano, nano),
            _ => {}
        }
    }

    /// Takes a charge back.
    pub(crate) fn take_back(&mut self, start_ms: u64, nano: u64) {
        self.total_nano = self.total_nano.saturating_sub(nano);
        if start_ms == self.window_ms && start_ms > 0 {
            self.spent_nano = self.spent_nano.saturating_sub(nano);
        }
    }

    /// Counts as not spent what was spent in a window; what was spent in all stands.
    pub(crate) fn forgive(&mut self, start_ms: u64, nano: u64) {
        if start_ms == self.window_ms && start_ms > 0 {
            self.spent_nano = self.spent_nano.saturating_sub(nano);
        }
    }

    /// Takes over what is said of its windows. `true`: they are not what they were, and nothing was spent in the new ones yet.
    pub(crate) fn adopt(&mut self, began: &Began) -> bool {
        if self.window == began.window {
            return false;
        }
        let is_changed = !self.window.is_empty();
        began.window.clone_into(&mut self.window);
        self.began_ms = began.began_ms;
        if is_changed {
            (self.window_ms, self.spent_nano) = (0, 0);
        }
        is_changed
    }
}

impl SliceState {
    /// From when on it cannot count any more.
    pub(crate) fn ends_ms(length_ms: u64, start_ms: u64) -> u64 {
        start_ms.saturating_add(length_ms.saturating_mul(SLICES_THAT_COUNT))
    }
}

/// A sum that a database can keep.
pub(crate) fn plus(left: u64, right: u64) -> u64 {
    left.saturating_add(right).min(MOST)
}
