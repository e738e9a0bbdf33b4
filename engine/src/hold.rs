//! The typed life of a reservation: `Hold` → `dispatch` → `Sent` → `settle`. Nothing is sent without a `Sent`, and nothing that
//! is limited is sent before it is written down.

mod reserved;

pub(crate) use reserved::Mark;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use policy::decision::{LimitsLeft, Refusal};
use policy::money::NanoUsd;
use policy::price::ModelPrice;
use policy::route::{Attempt, Caller};
use policy::usage::{Metered, UsageSource};
use smallvec::SmallVec;
use store::{AttemptId, Outcome};

use crate::ledger::{Left, Lines, Terms, not_alone};
use reserved::{Counted, Reserved, leave};

/// An attempt's worst case, reserved on all its accounts. Dropping it releases it: nothing was sent.
#[must_use = "dropping a hold releases it"]
#[derive(Debug)]
pub struct Hold {
    reserved: Option<Reserved>,
    clamped: Option<u64>,
    left: Left,
}

/// A reservation whose request is on its way. Dropping it charges the whole hold as abandoned: nobody saw the end.
#[must_use = "dropping a sent hold charges it in full"]
#[derive(Debug)]
pub struct Sent {
    reserved: Option<Reserved>,
    /// Whether it is in the journal.
    is_written: bool,
    /// Whether it is the one that tells the journal of the call.
    tells_of_call: bool,
    /// What the journal calls the call; `None`: it knows nothing of it.
    call: Option<AttemptId>,
    clamped: Option<u64>,
    left: Left,
}

/// A call that counts as a request, and as one in flight, on the limits of its caller. Dropping it says that it is over.
#[must_use = "dropping an admission says that the call is over"]
#[derive(Debug)]
pub struct Admission {
    lines: Arc<Lines>,
    counted: SmallVec<[Counted; 4]>,
    /// Whether the journal knows of the request: the first attempt that is written tells it.
    is_written: AtomicBool,
    /// The number of the first attempt that was to be written; 0: there was none.
    call: AtomicU64,
}

/// What an attempt was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The amount; zero for a model without a price.
    pub cost: NanoUsd,
    /// Who says how much was used.
    pub source: UsageSource,
}

/// Whom an attempt is for, and when it is sent: for the journal.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The call that it is an attempt of; `None`: one that is over.
    pub admission: Option<&'a Admission>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Admission {
    pub(crate) fn of(lines: &Arc<Lines>, marks: &[Mark]) -> Self {
        let counted = lines.iter().zip(marks).enumerate().filter_map(|(place, (line, mark))| match mark {
            Mark::Rate { mark, is_counted: true } if line.holder.is_callers() => {
                Some(Counted { place, request: mark.request(line.rate_limit()?) })
            }
            _ => None,
        });
        Self {
            counted: counted.collect(),
            lines: Arc::clone(lines),
            is_written: AtomicBool::default(),
            call: AtomicU64::default(),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for line in self.counted.iter().filter_map(|counted| self.lines.get(counted.place)) {
            leave(&line.account);
        }
    }
}

impl Hold {
    pub(crate) fn new(lines: Arc<Lines>, marks: SmallVec<[Mark; 8]>, terms: &Terms, left: Left) -> Self {
        let (amount, is_hard) = (terms.amount, terms.is_hard);
        let attempt = lines.shared.next_attempt();
        let reserved = Reserved { lines, marks, amount, is_hard, attempt };
        Self { reserved: Some(reserved), clamped: terms.clamped, left }
    }

    /// One of an operation that costs nothing: it touches no account.
    pub fn free() -> Self {
        Self { reserved: None, clamped: None, left: Left::default() }
    }

    /// What is reserved on each budget.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.reserved.as_ref().map_or(NanoUsd::ZERO, |reserved| reserved.amount)
    }

    /// The output limit that it is to be sent with, where the client set none and the model's own costs more than is left.
    #[must_use]
    pub fn clamped(&self) -> Option<u64> {
        self.clamped
    }

    /// Says that the request is being sent now, and has it written down first.
    ///
    /// # Errors
    /// When it cannot be written down, or another gateway may keep the budget by now, and a budget applies that cannot be overspent;
    /// then it is released.
    pub fn dispatch(mut self, sending: &Sending<'_>) -> Result<Sent, Refusal> {
        // It may have taken long to connect.
        let hard = self.reserved.as_ref().filter(|reserved| reserved.is_hard);
        if let Some(lease) = hard.and_then(|reserved| reserved.lines.shared.not_alone()) {
            return Err(not_alone(lease));
        }
        let untold = sending.admission.filter(|admission| !admission.is_written.load(Ordering::Relaxed));
        let is_written = match self.reserved.as_ref().map(|reserved| reserved.write(sending, untold)) {
            None | Some(Ok(false)) => false,
            Some(Ok(true)) => true,
            Some(Err(refusal)) => return Err(refusal),
        };
        let tells_of_call = is_written && untold.is_some();
        if let Some(untold) = untold.filter(|_| is_written) {
            untold.is_written.store(true, Ordering::Relaxed);
        }
        let call = self.reserved.as_ref().filter(|_| is_written).map(|reserved| reserved.call(sending.admission));
        let (reserved, clamped, left) = (self.reserved.take(), self.clamped, self.left);
        Ok(Sent { reserved, is_written, tells_of_call, call, clamped, left })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            reserved.release();
        }
    }
}

impl Sent {
    /// The output limit that it was sent with, where that was lowered.
    #[must_use]
    pub fn clamped(&self) -> Option<u64> {
        self.clamped
    }

    /// What the journal calls the call that it is an attempt of: the name of its first attempt. `None`: it knows nothing of it.
    #[must_use]
    pub fn call(&self) -> Option<AttemptId> {
        self.call
    }

    /// What was left of the tightest limits when it was reserved.
    #[must_use]
    pub fn left(&self) -> LimitsLeft {
        self.reserved.as_ref().map(|reserved| self.left.told(&reserved.lines)).unwrap_or_default()
    }

    /// Charges what was used at its price and frees the rest. A usage that was abandoned is charged the full hold.
    pub fn settle(mut self, metered: &Metered, price: Option<&ModelPrice>, at_ms: u64) -> Charge {
        let source = metered.source;
        let Some(reserved) = self.reserved.take() else {
            return Charge { cost: NanoUsd::ZERO, source };
        };
        if source == UsageSource::Abandoned {
            let cost = reserved.amount;
            reserved.abandon(self.is_written, at_ms);
            return Charge { cost, source };
        }
        let cost = price.map_or(NanoUsd::ZERO, |price| price.cost(&metered.usage));
        // The hold is the most that it can cost; an estimate beyond it is a bad one.
        let cost = if source == UsageSource::Estimated { cost.min(reserved.amount) } else { cost };
        let tokens = metered.usage.input_total().saturating_add(metered.usage.output_total());
        reserved.lines.shared.counts.note_settled(source);
        reserved.charge(cost, tokens, self.is_written, at_ms);
        Charge { cost, source }
    }

    /// Frees the hold at no cost: the vendor refused. It was a request all the same.
    pub fn settle_free(mut self, at_ms: u64) {
        if let Some(reserved) = self.reserved.take() {
            reserved.charge(NanoUsd::ZERO, 0, self.is_written, at_ms);
        }
    }

    /// Takes it back: the request never reached anybody. The call's next attempt tells the journal of the call.
    pub fn take_back(mut self, admission: Option<&Admission>, at_ms: u64) {
        if let Some(reserved) = self.reserved.take() {
            reserved.close(self.is_written, at_ms, Outcome::Unsent);
            if let Some(admission) = admission.filter(|_| self.tells_of_call) {
                admission.is_written.store(false, Ordering::Relaxed);
            }
            reserved.release();
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            reserved.lines.shared.counts.unsettled.fetch_add(1, Ordering::Relaxed);
            reserved.abandon(self.is_written, 0);
        }
    }
}

#[cfg(test)]
mod tests;
