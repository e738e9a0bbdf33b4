//! Folding: from records to what they change. Pure, so that every database is given the same.
//!
//! An attempt counts once. Its first `Open` stands and its first end; what names it again, or names one that is not open,
//! changes nothing and is counted as a stray.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::balance::plus;
use crate::journal::record::Record;
use crate::journal::{AttemptId, Closed, Kind, Outcome};
use crate::{Abandoned, Amount, Attempted};

/// What is known of attempts between two folds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    /// Those that are still open.
    pub(crate) open: HashMap<AttemptId, Attempted>,
    /// Those that ended in the last fold: should one be opened again, it is known.
    ended: HashSet<AttemptId>,
}

/// What a stretch of the journal changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The number of the last segment in it.
    pub(crate) folded_to: u64,
    /// The time of the newest record in it, in milliseconds since 1970.
    pub(crate) newest_ms: u64,
    /// What is charged to budgets: by id and by the beginning of the window.
    pub(crate) charges: HashMap<String, BTreeMap<u64, u64>>,
    /// What is counted on rate limits, or taken back.
    pub(crate) slices: HashMap<SliceId, Counted>,
    /// The attempts that are new, and still open.
    pub(crate) opened: HashMap<AttemptId, Attempted>,
    /// The attempts that were open before, and are over.
    pub(crate) ended: HashSet<AttemptId>,
    /// The attempts that are charged in full, and when they were found to be abandoned.
    pub(crate) abandoned: Vec<(Attempted, u64)>,
    /// Attempts that were both opened and ended here.
    passed: HashSet<AttemptId>,
    /// Records that changed nothing.
    pub(crate) strays: u64,
}

/// A slice of a rate limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SliceId {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) length_ms: u64,
    pub(crate) start_ms: u64,
}

/// How the count of a slice changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    used: u64,
    taken_back: u64,
}

impl Change {
    /// None yet, of a stretch that ends with this segment.
    pub(crate) fn up_to(folded_to: u64) -> Self {
        Self { folded_to, ..Self::default() }
    }

    /// Adds what a record changes, after those that led to `before`.
    pub(crate) fn add(&mut self, before: &Attempts, record: Record) {
        match record {
            Record::Opened(attempted) => self.add_opened(before, attempted),
            Record::Closed(closed) => self.add_closed(before, closed),
        }
    }

    /// Charges all that is still open in full, and says how much that is.
    pub(crate) fn abandon_all(&mut self, before: &Attempts, now_ms: u64) -> Abandoned {
        let known = self.abandoned.len();
        let opened = std::mem::take(&mut self.opened);
        for (name, attempted) in opened {
            self.passed.insert(name);
            self.abandon(attempted, now_ms);
        }
        for (name, attempted) in &before.open {
            if self.ended.insert(*name) {
                self.abandon(attempted.clone(), now_ms);
            }
        }
        let mut total = Abandoned::default();
        for (attempted, _) in self.abandoned.iter().skip(known) {
            total.attempts += 1;
            total.nano = total.nano.saturating_add(attempted.nano());
        }
        total
    }

    fn add_opened(&mut self, before: &Attempts, attempted: Attempted) {
        self.newest_ms = self.newest_ms.max(attempted.at_ms);
        let name = attempted.attempt;
        let is_known = before.open.contains_key(&name) || before.ended.contains(&name);
        if is_known || self.opened.contains_key(&name) || self.passed.contains(&name) {
            self.strays += 1;
            return;
        }
        // It is a request from now on, whenever it ends.
        for amount in attempted.amounts.iter().filter(|amount| amount.kind == Kind::Requests) {
            self.count(amount, amount.amount);
        }
        self.opened.insert(name, attempted);
    }

    fn add_closed(&mut self, before: &Attempts, closed: Closed) {
        self.newest_ms = self.newest_ms.max(closed.at_ms);
        if let Some(attempted) = self.opened.remove(&closed.attempt) {
            self.passed.insert(closed.attempt);
            self.settle(attempted, closed);
            return;
        }
        match before.open.get(&closed.attempt) {
            Some(attempted) if self.ended.insert(closed.attempt) => self.settle(attempted.clone(), closed),
            _ => self.strays += 1,
        }
    }

    fn settle(&mut self, attempted: Attempted, closed: Closed) {
        match closed.outcome {
            Outcome::Charged { nano, tokens } => {
                attempted.amounts.iter().for_each(|amount| self.charge(amount, nano, tokens));
            }
            Outcome::Abandoned => self.abandon(attempted, closed.at_ms),
            Outcome::Unsent => {
                let requests = attempted.amounts.iter().filter(|amount| amount.kind == Kind::Requests);
                requests.for_each(|amount| self.take_back(amount));
            }
        }
    }

    fn abandon(&mut self, attempted: Attempted, at_ms: u64) {
        for amount in &attempted.amounts {
            self.charge(amount, amount.amount, amount.amount);
        }
        let at_ms = at_ms.max(attempted.at_ms);
        self.abandoned.push((attempted, at_ms));
    }

    fn charge(&mut self, amount: &Amount, nano: u64, tokens: u64) {
        match amount.kind {
            Kind::Budget => {
                let windows = match self.charges.get_mut(&amount.id) {
                    Some(windows) => windows,
                    None => self.charges.entry(amount.id.clone()).or_default(),
                };
                let charged = windows.entry(amount.start_ms).or_default();
                *charged = plus(*charged, nano);
            }
            Kind::Tokens => self.count(amount, tokens),
            // It was counted when it was opened.
            Kind::Requests => {}
        }
    }

    fn count(&mut self, amount: &Amount, used: u64) {
        let counted = self.slice(amount);
        counted.used = plus(counted.used, used);
    }

    fn take_back(&mut self, amount: &Amount) {
        let counted = self.slice(amount);
        counted.taken_back = plus(counted.taken_back, amount.amount);
    }

    fn slice(&mut self, amount: &Amount) -> &mut Counted {
        let Amount { kind, id, start_ms, length_ms, .. } = amount;
        let slice = SliceId { kind: *kind, id: id.clone(), length_ms: *length_ms, start_ms: *start_ms };
        self.slices.entry(slice).or_default()
    }
}

impl Counted {
    /// A slice's count after this.
    pub(crate) fn apply_to(self, used: u64) -> u64 {
        plus(used, self.used).saturating_sub(self.taken_back)
    }
}

impl Attempts {
    pub(crate) fn of(open: Vec<Attempted>) -> Self {
        let open = open.into_iter().map(|attempted| (attempted.attempt, attempted)).collect();
        Self { open, ended: HashSet::new() }
    }

    /// Those that are still open and reserved something on one of these budgets, as they are when the windows of these follow
    /// each other differently from now on: what they reserved belongs to none of the new windows.
    pub(crate) fn detached(&self, budgets: &HashSet<&str>) -> Vec<Attempted> {
        let is_of = |amount: &Amount| amount.kind == Kind::Budget && budgets.contains(&*amount.id);
        let concerned = self.open.values().filter(|attempted| attempted.amounts.iter().any(is_of));
        let detach = |attempted: &Attempted| {
            let mut attempted = attempted.clone();
            attempted.amounts.iter_mut().filter(|amount| is_of(amount)).for_each(|amount| amount.start_ms = 0);
            attempted
        };
        concerned.map(detach).collect()
    }

    /// What is known after a change that is kept.
    pub(crate) fn apply(&mut self, change: Change) {
        change.ended.iter().for_each(|name| drop(self.open.remove(name)));
        self.open.extend(change.opened);
        self.ended = change.ended;
        self.ended.extend(change.passed);
    }
}

#[cfg(test)]
mod tests;
