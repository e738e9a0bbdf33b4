//! What an attempt has reserved: written down, released, or charged, on all its accounts alike.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use policy::account::{PaceMark, SpendingMark};
use policy::decision::{Reason, Refusal};
use policy::money::NanoUsd;
use policy::usage::UsageSource;
use smallvec::SmallVec;
use store::{AttemptId, Closed, Entry, Kind, Opened, Outcome};

use super::Sending;
use crate::ledger::commit::Lock;
use crate::ledger::{Account, AccountId, Meters, Shared};

/// An attempt's worst case, on all its accounts.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) held: SmallVec<[Held; 8]>,
    pub(super) amount: NanoUsd,
    pub(super) is_hard: bool,
    pub(super) attempt: AttemptId,
    pub(super) shared: Arc<Shared>,
}

/// What is reserved on one account.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) account: Arc<Account>,
    pub(crate) mark: Mark,
    /// Whether it is the caller's side.
    pub(crate) is_callers: bool,
}

/// Where it is reserved.
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
    /// Writes it down. `false`: there is nothing to write, or nowhere, or it could not be and no budget forbids to go on.
    pub(super) fn write(&self, sending: &Sending<'_>) -> Result<bool, Refusal> {
        let Some(journal) = self.shared.journal.as_ref().filter(|_| !self.held.is_empty()) else { return Ok(false) };
        let mut entries: SmallVec<[Entry<'_>; 16]> = SmallVec::new();
        self.held.iter().for_each(|held| held.entries(self.amount, &mut |entry| entries.push(entry)));
        let Sending { caller, attempt, at_ms } = sending;
        let opened = Opened {
            attempt: self.attempt,
            at_ms: *at_ms,
            key: caller.key.as_ref().map_or("", |key| key.id.as_str()),
            provider: attempt.provider.name.as_str(),
            model: attempt.model.as_str(),
            entries: &entries,
        };
        match journal.open(&opened) {
            Ok(()) => Ok(true),
            Err(_) => {
                self.shared.counts.unwritten.fetch_add(1, Ordering::Relaxed);
                if self.is_hard { Err(unwritten()) } else { Ok(false) }
            }
        }
    }

    /// Nothing was sent.
    pub(super) fn release(&self) {
        for held in &self.held {
            match (&mut *held.account.lock(), held.mark) {
                (Meters::Budget(spending), Mark::Budget(mark)) => spending.release(mark, self.amount),
                (Meters::Rate(pace), Mark::Rate { mark, is_counted }) => {
                    pace.settle(mark, Some(0));
                    // The call was counted on its caller's limits, whatever becomes of this attempt.
                    if is_counted && !held.is_callers {
                        pace.take_back_request(mark);
                        pace.leave();
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn abandon(&self, is_written: bool, at_ms: u64) {
        let counts = &self.shared.counts;
        counts.note_settled(UsageSource::Abandoned);
        counts.abandoned_nano.fetch_add(self.amount.0, Ordering::Relaxed);
        self.close(is_written, at_ms, Outcome::Abandoned);
        self.settle(self.amount, None);
    }

    pub(super) fn charge(&self, cost: NanoUsd, tokens: u64, is_written: bool, at_ms: u64) {
        if cost > self.amount {
            self.shared.counts.exceeded.fetch_add(1, Ordering::Relaxed);
        }
        self.close(is_written, at_ms, Outcome::Charged { nano: cost.0, tokens });
        self.settle(cost, Some(tokens));
    }

    pub(super) fn close(&self, is_written: bool, at_ms: u64, outcome: Outcome) {
        if let Some(journal) = self.shared.journal.as_ref().filter(|_| is_written) {
            journal.close(Closed { attempt: self.attempt, at_ms, outcome });
        }
    }

    fn settle(&self, cost: NanoUsd, tokens: Option<u64>) {
        for held in &self.held {
            match (&mut *held.account.lock(), held.mark) {
                (Meters::Budget(spending), Mark::Budget(mark)) => spending.settle(mark, self.amount, cost),
                (Meters::Rate(pace), Mark::Rate { mark, is_counted }) => {
                    pace.settle(mark, tokens);
                    if is_counted && !held.is_callers {
                        pace.leave();
                    }
                }
                _ => {}
            }
        }
    }
}

impl Held {
    /// What the journal keeps of it.
    fn entries<'a>(&'a self, amount: NanoUsd, write: &mut dyn FnMut(Entry<'a>)) {
        let id = self.account.id.as_str();
        let entry = |kind, start_ms, length_ms, amount| Entry { kind, id, start_ms, length_ms, amount };
        match (&self.account.id, self.mark) {
            (AccountId::Budget(_), Mark::Budget(mark)) => write(entry(Kind::Budget, mark.window_ms, 0, amount.0)),
            (AccountId::Rate(_), Mark::Rate { mark, .. }) => {
                if let Some((start_ms, length_ms)) = mark.request {
                    write(entry(Kind::Requests, start_ms, length_ms, 1));
                }
                if let Some((start_ms, length_ms, held)) = mark.tokens {
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
