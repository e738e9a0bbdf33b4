//! From the journal's records to rows of the request log: every call that is over, and those that nobody saw the end of. Pure.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::Attempted;
use crate::journal::record::Recorded;
use crate::journal::{AttemptId, CallStatus, Called, Closed, Outcome};

/// Calls of which attempts have ended, and of which nothing more is known yet: the rows that they would be.
pub(crate) type Untold = HashMap<AttemptId, Called<'static>>;

/// What a stretch of the journal tells of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls<'a> {
    /// Those that are over: rows.
    pub(crate) told: Vec<Called<'a>>,
    /// Those that have had attempts here, and are not over: what is known of them now.
    pub(crate) untold: HashMap<AttemptId, Called<'a>>,
    /// Those that were untold before, and are so no longer.
    pub(crate) covered: HashSet<AttemptId>,
}

impl<'a> Calls<'a> {
    /// An attempt has ended.
    pub(crate) fn end(&mut self, before: &Untold, recorded: Recorded<'a>, closed: Closed) {
        let (nano, tokens, source) = match closed.outcome {
            Outcome::Charged { nano, tokens } => (nano, tokens, ""),
            Outcome::Abandoned => (Attempted::nano_of(recorded.entries()), 0, "abandoned"),
            // It was none, and the call has another one or is told.
            Outcome::Unsent => return,
        };
        let name = recorded.call();
        let known = before.get(&name).filter(|_| !self.covered.contains(&name));
        let call = self.untold.entry(name).or_insert_with(|| known.cloned().unwrap_or_else(|| begun(name, recorded)));
        [call.key, call.provider, call.model] = recorded.names().map(Cow::Borrowed);
        call.attempts = call.attempts.saturating_add(1);
        call.total_us = closed.at_ms.saturating_sub(call.at_ms).saturating_mul(1_000).max(call.total_us);
        call.cost_nano = call.cost_nano.saturating_add(nano);
        call.total_tokens = call.total_tokens.saturating_add(tokens);
        if !source.is_empty() {
            call.source = Cow::Borrowed(source);
        }
    }

    /// A call is over, and with it all its attempts that ended before.
    pub(crate) fn tell(&mut self, before: &Untold, called: Called<'a>) {
        if let Some(name) = called.call {
            self.untold.remove(&name);
            self.cover(before, name);
        }
        if !called.is_unlogged {
            self.told.push(called);
        }
    }

    /// Whatever is untold will never be told: it becomes rows as it is, if calls are logged.
    pub(crate) fn give_up(&mut self, before: &'a Untold, are_logged: bool) {
        for (name, call) in before {
            if !self.covered.contains(name) {
                self.untold.entry(*name).or_insert_with(|| call.clone());
            }
        }
        before.keys().for_each(|name| self.cover(before, *name));
        let mut lost: Vec<_> = std::mem::take(&mut self.untold).into_values().collect();
        lost.sort_by_key(|call| (call.at_ms, call.call));
        if are_logged {
            self.told.append(&mut lost);
        }
    }

    /// What is to be known of them once it is kept.
    pub(crate) fn carried_over(self) -> (Untold, HashSet<AttemptId>) {
        let untold = self.untold.into_iter().map(|(name, call)| (name, call.into_owned()));
        (untold.collect(), self.covered)
    }

    fn cover(&mut self, before: &Untold, name: AttemptId) {
        if before.contains_key(&name) {
            self.covered.insert(name);
        }
    }
}

/// The row of a call of which this attempt is all that is known.
fn begun<'a>(name: AttemptId, recorded: Recorded<'a>) -> Called<'a> {
    Called { call: Some(name), at_ms: recorded.at_ms, status: CallStatus::Abandoned, ..Called::default() }
}
