//! Folding: from records to what they change. Pure, so that every database is given the same.
//!
//! An attempt counts once. Its first `Open` stands and its first end; what names it again, or names one that is not open,
//! changes nothing and is counted as a stray.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::balance::plus;
use crate::journal::record::{Record, Recorded};
use crate::journal::told::Told;
use crate::journal::{AttemptId, Closed, Entry, Kind, Outcome};
use crate::logs::{Calls, Untold};
use crate::{Abandoned, Attempted};

/// What is known of attempts between two folds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    /// Those that are still open: the payloads of their records.
    open: HashMap<AttemptId, Box<[u8]>>,
    /// Those that ended in the last fold: should one be opened again, it is known.
    ended: HashSet<AttemptId>,
    /// The calls whose attempts ended, and that are not over.
    untold: Untold,
}

/// What a stretch of the journal changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// The number of the last segment in it.
    pub(crate) folded_to: u64,
    /// The time of the newest record in it, in milliseconds since 1970.
    pub(crate) newest_ms: u64,
    /// The beginning of the newest slice in it. Slices may follow another clock than records, so they are compared with each other.
    pub(crate) newest_slice_ms: u64,
    /// What is charged to budgets: by id and by the beginning of the window.
    pub(crate) charges: HashMap<&'a str, BTreeMap<u64, u64>>,
    /// What is counted on rate limits, or taken back.
    pub(crate) slices: HashMap<SliceId<'a>, Counted>,
    /// The attempts that are new, and still open.
    pub(crate) opened: HashMap<AttemptId, Recorded<'a>>,
    /// The attempts that were open before, and are over.
    pub(crate) ended: HashSet<AttemptId>,
    /// The attempts that are charged in full, and when they were found to be abandoned.
    pub(crate) abandoned: Vec<(Recorded<'a>, u64)>,
    /// What it tells of calls.
    pub(crate) calls: Calls<'a>,
    /// Attempts that were both opened and ended here.
    passed: HashSet<AttemptId>,
    /// Records that changed nothing.
    pub(crate) strays: u64,
}

/// A slice of a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SliceId<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: &'a str,
    pub(crate) length_ms: u64,
    pub(crate) start_ms: u64,
}

/// How the count of a slice changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    used: u64,
    taken_back: u64,
}

/// What a change leaves behind for the next.
#[derive(Debug)]
pub(crate) struct CarriedOver {
    opened: Vec<(AttemptId, Box<[u8]>)>,
    ended: HashSet<AttemptId>,
    passed: HashSet<AttemptId>,
    untold: Untold,
    covered: HashSet<AttemptId>,
}

impl<'a> Change<'a> {
    /// None yet, of a stretch that ends with this segment.
    pub(crate) fn up_to(folded_to: u64) -> Self {
        Self { folded_to, ..Self::default() }
    }

    /// Adds what a segment changes, after those that led to `before`. Gives what follows its records, and is none.
    pub(crate) fn add_all(&mut self, before: &'a Attempts, told: &'a Told) -> &'a [u8] {
        let mut records = told.records();
        records.by_ref().for_each(|record| self.add(before, record));
        records.rest()
    }

    fn add(&mut self, before: &'a Attempts, record: Record<'a>) {
        match record {
            Record::Opened(recorded) => self.add_opened(before, recorded),
            Record::Closed(closed) => self.add_closed(before, closed),
            Record::Called(called) => self.calls.tell(&before.untold, *called),
        }
    }

    /// Charges all that is still open in full, and says how much that is. Their calls are rows, if calls are logged.
    pub(crate) fn abandon_all(&mut self, before: &'a Attempts, now_ms: u64, are_logged: bool) -> Abandoned {
        let mut total = Abandoned::default();
        let opened = std::mem::take(&mut self.opened);
        self.passed.extend(opened.keys());
        let left = before.iter().filter(|recorded| self.ended.insert(recorded.attempt));
        let left: Vec<_> = opened.into_values().chain(left).collect();
        for recorded in left {
            total.attempts += 1;
            total.nano = total.nano.saturating_add(Attempted::nano_of(recorded.entries()));
            let closed = Closed { attempt: recorded.attempt, at_ms: now_ms, outcome: Outcome::Abandoned };
            self.settle(before, recorded, closed);
        }
        self.calls.give_up(&before.untold, are_logged);
        total
    }

    /// What is to be known once it is kept.
    pub(crate) fn carried_over(self) -> CarriedOver {
        let opened = self.opened.into_iter().map(|(name, recorded)| (name, recorded.payload.into())).collect();
        let (untold, covered) = self.calls.carried_over();
        CarriedOver { opened, ended: self.ended, passed: self.passed, untold, covered }
    }

    fn add_opened(&mut self, before: &Attempts, recorded: Recorded<'a>) {
        self.newest_ms = self.newest_ms.max(recorded.at_ms);
        let name = recorded.attempt;
        if before.knows(&name) || self.opened.contains_key(&name) || self.passed.contains(&name) {
            self.strays += 1;
            return;
        }
        // It is a request from now on, whenever it ends.
        for entry in recorded.entries().filter(|entry| entry.kind == Kind::Requests) {
            self.count(&entry, entry.amount);
        }
        self.opened.insert(name, recorded);
    }

    fn add_closed(&mut self, before: &'a Attempts, closed: Closed) {
        self.newest_ms = self.newest_ms.max(closed.at_ms);
        if let Some(recorded) = self.opened.remove(&closed.attempt) {
            self.passed.insert(closed.attempt);
            self.settle(before, recorded, closed);
            return;
        }
        match before.find(&closed.attempt) {
            Some(recorded) if self.ended.insert(closed.attempt) => self.settle(before, recorded, closed),
            _ => self.strays += 1,
        }
    }

    fn settle(&mut self, before: &Attempts, recorded: Recorded<'a>, closed: Closed) {
        self.calls.end(&before.untold, recorded, closed);
        match closed.outcome {
            Outcome::Charged { nano, tokens } => {
                recorded.entries().for_each(|entry| self.charge(&entry, nano, tokens));
            }
            Outcome::Abandoned => self.abandon(recorded, closed.at_ms),
            Outcome::Unsent => {
                let requests = recorded.entries().filter(|entry| entry.kind == Kind::Requests);
                requests.for_each(|entry| self.take_back(&entry));
            }
        }
    }

    fn abandon(&mut self, recorded: Recorded<'a>, at_ms: u64) {
        recorded.entries().for_each(|entry| self.charge(&entry, entry.amount, entry.amount));
        self.abandoned.push((recorded, at_ms.max(recorded.at_ms)));
    }

    fn charge(&mut self, entry: &Entry<'a>, nano: u64, tokens: u64) {
        match entry.kind {
            Kind::Budget => {
                let charged = self.charges.entry(entry.id).or_default().entry(entry.start_ms).or_default();
                *charged = plus(*charged, nano);
            }
            Kind::Tokens => self.count(entry, tokens),
            // It was counted when it was opened.
            Kind::Requests => {}
        }
    }

    fn count(&mut self, entry: &Entry<'a>, used: u64) {
        self.newest_slice_ms = self.newest_slice_ms.max(entry.start_ms);
        let counted = self.slices.entry(SliceId::of(entry)).or_default();
        counted.used = plus(counted.used, used);
    }

    fn take_back(&mut self, entry: &Entry<'a>) {
        let counted = self.slices.entry(SliceId::of(entry)).or_default();
        counted.taken_back = plus(counted.taken_back, entry.amount);
    }
}

impl<'a> SliceId<'a> {
    pub(crate) fn of(entry: &Entry<'a>) -> Self {
        let Entry { kind, id, start_ms, length_ms, .. } = *entry;
        Self { kind, id, length_ms, start_ms }
    }
}

impl Counted {
    /// A slice's count after this.
    pub(crate) fn apply_to(self, used: u64) -> u64 {
        plus(used, self.used).saturating_sub(self.taken_back)
    }
}

impl Attempts {
    /// Those whose payloads a database has kept.
    pub(crate) fn of(open: Vec<(AttemptId, Box<[u8]>)>) -> Self {
        Self { open: open.into_iter().collect(), ..Self::default() }
    }

    /// The same, with calls that a database has kept.
    pub(crate) fn with_untold(self, untold: Untold) -> Self {
        Self { untold, ..self }
    }

    /// Those that are still open.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Recorded<'_>> {
        self.open.values().filter_map(|payload| Recorded::of(payload))
    }

    /// What is known after a change that is kept.
    pub(crate) fn apply(&mut self, change: CarriedOver) {
        change.ended.iter().for_each(|name| drop(self.open.remove(name)));
        self.open.extend(change.opened);
        self.ended = change.ended;
        self.ended.extend(change.passed);
        change.covered.iter().for_each(|name| drop(self.untold.remove(name)));
        self.untold.extend(change.untold);
    }

    /// Those that reserved something on one of these budgets, as they are when the windows of these follow each other
    /// differently from now on: what they reserved belongs to none of the new windows.
    pub(crate) fn detached(&self, budgets: &HashSet<&str>) -> Vec<Attempted> {
        let is_of = |kind: Kind, id: &str| kind == Kind::Budget && budgets.contains(id);
        let concerned = self.iter().filter(|recorded| recorded.entries().any(|entry| is_of(entry.kind, entry.id)));
        let detach = |recorded: Recorded<'_>| {
            let mut attempted = recorded.attempted();
            let amounts = attempted.amounts.iter_mut().filter(|amount| is_of(amount.kind, &amount.id));
            amounts.for_each(|amount| amount.start_ms = 0);
            attempted
        };
        concerned.map(detach).collect()
    }

    /// Takes over attempts that a database keeps differently now.
    pub(crate) fn replace(&mut self, open: Vec<(AttemptId, Box<[u8]>)>) {
        self.open.extend(open);
    }

    /// Whether an attempt is open, with this payload.
    pub(crate) fn is_known_as(&self, name: &AttemptId, payload: &[u8]) -> bool {
        self.open.get(name).is_some_and(|known| **known == *payload)
    }

    fn find(&self, name: &AttemptId) -> Option<Recorded<'_>> {
        self.open.get(name).and_then(|payload| Recorded::of(payload))
    }

    fn knows(&self, name: &AttemptId) -> bool {
        self.open.contains_key(name) || self.ended.contains(name)
    }
}

#[cfg(test)]
mod tests;
