//! What an attempt has reserved: written down, released, or charged, on all its accounts alike.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use policy::account::{PaceMark, SpendingMark};
use policy::decision::{Reason, Refusal};
use policy::money::NanoUsd;
use policy::usage::UsageSource;
use smallvec::SmallVec;
use store::{AttemptId, Closed, Entry, Kind, Opened, Outcome};

use super::{Admission, Sending};
use crate::ledger::commit::Lock;
use crate::ledger::{Account, AccountId, Line, Lines, Meters};

/// An attempt's worst case, on all its accounts.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) lines: Arc<Lines>,
    /// What is reserved on each of them.
    pub(super) marks: SmallVec<[Mark; 8]>,
    pub(super) amount: NanoUsd,
    pub(super) is_hard: bool,
    pub(super) attempt: AttemptId,
}

/// A limit of the caller's on which a call counts as a request, and as one in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Its place among the accounts.
    pub(super) place: usize,
    /// The slice and length of slice in which it is a request.
    pub(super) request: Option<(u64, u64)>,
}

/// Where something is reserved on an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// On a budget.
    Budget(SpendingMark),
    /// On a rate limit.
    Rate {
        /// The slices.
        mark: PaceMark,
        /// Whether it counts as a request and as one in flight.
        is_counted: bool,
    },
    /// Nowhere.
    None,
}

impl Reserved {
    /// Writes it down, and the call that the journal does not know of yet. `false`: there is nothing to write, or nowhere, or it
    /// could not be and no budget forbids to go on.
    pub(super) fn write(&self, sending: &Sending<'_>, untold: Option<&Admission>) -> Result<bool, Refusal> {
        let Some(journal) = self.lines.shared.journal.as_ref().filter(|_| !self.lines.is_empty()) else {
            return Ok(false);
        };
        let mut entries: SmallVec<[Entry<'_>; 16]> = SmallVec::new();
        self.held().for_each(|(line, mark)| line.entries(mark, self.amount, &mut |entry| entries.push(entry)));
        entries.extend(untold.into_iter().flat_map(Admission::entries));
        let Sending { caller, attempt, at_ms, .. } = sending;
        let opened = Opened {
            attempt: self.attempt,
            call: sending.admission.map_or(0, |admission| admission.call_of(self.attempt)),
            at_ms: *at_ms,
            key: caller.key.as_ref().map_or("", |key| key.id.as_str()),
            provider: attempt.provider.name.as_str(),
            model: attempt.model.as_str(),
            entries: &entries,
        };
        match journal.open(&opened) {
            Ok(()) => Ok(true),
            Err(_) => {
                self.lines.shared.counts.unwritten.fetch_add(1, Ordering::Relaxed);
                if self.is_hard { Err(unwritten()) } else { Ok(false) }
            }
        }
    }

    /// What the journal calls its call, once it is written.
    pub(super) fn call(&self, admission: Option<&Admission>) -> AttemptId {
        let number = admission.map_or(0, |admission| admission.call_of(self.attempt));
        AttemptId { number: if number == 0 { self.attempt.number } else { number }, ..self.attempt }
    }

    /// Nothing was sent.
    pub(super) fn release(&self) {
        for (line, mark) in self.held() {
            match (&mut *line.account.lock(), mark) {
                (Meters::Budget(spending), Mark::Budget(mark)) => spending.release(*mark, self.amount),
                (Meters::Rate(pace), Mark::Rate { mark, is_counted }) => {
                    pace.settle(*mark, Some(0));
                    // The call was counted on its caller's limits, whatever becomes of this attempt.
                    if *is_counted && !line.holder.is_callers() {
                        pace.take_back_request(*mark);
                        pace.leave();
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn abandon(&self, is_written: bool, at_ms: u64) {
        let counts = &self.lines.shared.counts;
        counts.note_settled(UsageSource::Abandoned);
        counts.abandoned_nano.fetch_add(self.amount.0, Ordering::Relaxed);
        self.close(is_written, at_ms, Outcome::Abandoned);
        self.settle(self.amount, None);
    }

    pub(super) fn charge(&self, cost: NanoUsd, tokens: u64, is_written: bool, at_ms: u64) {
        if cost > self.amount {
            self.lines.shared.counts.exceeded.fetch_add(1, Ordering::Relaxed);
        }
        self.close(is_written, at_ms, Outcome::Charged { nano: cost.0, tokens });
        self.settle(cost, Some(tokens));
    }

    pub(super) fn close(&self, is_written: bool, at_ms: u64, outcome: Outcome) {
        if let Some(journal) = self.lines.shared.journal.as_ref().filter(|_| is_written) {
            journal.close(Closed { attempt: self.attempt, at_ms, outcome });
        }
    }

    fn settle(&self, cost: NanoUsd, tokens: Option<u64>) {
        for (line, mark) in self.held() {
            match (&mut *line.account.lock(), mark) {
                (Meters::Budget(spending), Mark::Budget(mark)) => spending.settle(*mark, self.amount, cost),
                (Meters::Rate(pace), Mark::Rate { mark, is_counted }) => {
                    pace.settle(*mark, tokens);
                    if *is_counted && !line.holder.is_callers() {
                        pace.leave();
                    }
                }
                _ => {}
            }
        }
    }

    /// Each account with what is reserved on it.
    fn held(&self) -> impl Iterator<Item = (&Line, &Mark)> {
        self.lines.iter().zip(&self.marks)
    }
}

impl Admission {
    /// The number of the call that this attempt is of: that of its first attempt. 0: it is that.
    pub(super) fn call_of(&self, attempt: AttemptId) -> u64 {
        let first = self.call.compare_exchange(0, attempt.number, Ordering::Relaxed, Ordering::Relaxed);
        first.err().filter(|call| *call != attempt.number).unwrap_or_default()
    }

    /// What the journal keeps of a call.
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.counted.iter().filter_map(|counted| {
            let (start_ms, length_ms) = counted.request?;
            let id = self.lines.get(counted.place)?.account.id.as_str();
            Some(Entry { kind: Kind::Requests, id, start_ms, length_ms, amount: 1 })
        })
    }
}

impl Line {
    /// What the journal keeps of an attempt. That the call is a request of its caller's is kept with the call.
    fn entries<'a>(&'a self, mark: &Mark, amount: NanoUsd, write: &mut dyn FnMut(Entry<'a>)) {
        let id = self.account.id.as_str();
        let entry = |kind, start_ms, length_ms, amount| Entry { kind, id, start_ms, length_ms, amount };
        match (&self.account.id, mark) {
            (AccountId::Budget(_), Mark::Budget(mark)) => write(entry(Kind::Budget, mark.window_ms, 0, amount.0)),
            (AccountId::Rate(_), Mark::Rate { mark, .. }) => {
                let Some(limit) = self.rate_limit() else { return };
                if let Some((start_ms, length_ms)) = mark.request(limit).filter(|_| !self.holder.is_callers()) {
                    write(entry(Kind::Requests, start_ms, length_ms, 1));
                }
                if let Some((start_ms, length_ms, held)) = mark.tokens(limit) {
                    write(entry(Kind::Tokens, start_ms, length_ms, held));
                }
            }
            _ => {}
        }
    }
}

/// A call or an attempt that was counted as one in flight is over.
pub(super) fn leave(account: &Account) {
    if let Meters::Rate(pace) = &mut *account.lock() {
        pace.leave();
    }
}

fn unwritten() -> Refusal {
    let message = "what this call may spend cannot be written down at present, so it is not sent: the gateway's data folder \
                   cannot be written (is the disk full?)";
    Refusal::new(Reason::LedgerUnavailable, message).retry_after(std::time::Duration::from_secs(1))
}
