//! What was charged and reserved on one budget, all of it.

use std::collections::{BTreeMap, BTreeSet};

use policy::limit::Budget;
use policy::window::{BudgetWindow, Period};

#[derive(Debug)]
pub(super) struct BudgetBook {
    pub(super) window: BudgetWindow,
    pub(super) began_ms: u64,
    pub(super) period: Period,
    /// Windows so far: two of them are never the same, wherever they begin.
    pub(super) number: u64,
    /// By attempt: the window, and how much.
    pub(super) reserved: BTreeMap<u64, (u64, u64)>,
    pub(super) charged: Vec<(u64, u64)>,
    /// Windows in which more may be charged than the limit: something else than calls within their holds was charged there.
    pub(super) excused: BTreeSet<u64>,
}

impl BudgetBook {
    pub(super) fn new(window: &BudgetWindow, began_ms: u64) -> Self {
        Self {
            window: window.clone(),
            began_ms,
            period: window.at(began_ms, began_ms),
            number: 0,
            reserved: BTreeMap::new(),
            charged: Vec::new(),
            excused: BTreeSet::new(),
        }
    }

    pub(super) fn clone_without_past(&self) -> Self {
        Self {
            window: self.window.clone(),
            reserved: self.reserved.clone(),
            charged: self.charged.clone(),
            excused: BTreeSet::new(),
            ..*self
        }
    }

    pub(super) fn roll(&mut self, budget: &Budget, wall_ms: u64) {
        if self.window != budget.window {
            // No two windows begin together, however often a budget is changed in one moment.
            self.began_ms = wall_ms.max(self.period.start_ms + 1);
            self.window = budget.window.clone();
            self.period = self.window.at(self.began_ms, self.began_ms);
            self.number += 1;
        }
        if wall_ms >= self.period.end_ms {
            self.period = self.window.at(self.began_ms, wall_ms);
            self.number += 1;
        }
    }

    pub(super) fn spent(&self) -> u64 {
        self.charged.iter().filter(|(number, _)| *number == self.number).map(|(_, amount)| amount).sum()
    }

    pub(super) fn held(&self) -> u64 {
        self.reserved.values().filter(|(number, _)| *number == self.number).map(|(_, amount)| amount).sum()
    }
}
