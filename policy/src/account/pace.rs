//! What was used of a rate limit: requests and tokens in their windows, and calls in flight.

use super::Short;
use super::counter::Counter;
use crate::limit::{Algorithm, Quota, QuotaStanding, RateLimit, RateStanding};

/// The counts of one rate limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    requests: Option<Counter>,
    tokens: Option<Counter>,
    concurrent: u32,
}

/// What one attempt counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// As a request. An attempt does on its target's limits; on the caller's, only the call's first.
    pub request: bool,
    /// Tokens that it is likely to use.
    pub tokens: u64,
}

/// Where an attempt was counted. Slices are told by their start, in milliseconds of the steady clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaceMark {
    /// The slice and length of slice in which it is a request.
    pub request: Option<(u64, u64)>,
    /// The slice and length of slice of its tokens, and how many are reserved.
    pub tokens: Option<(u64, u64, u64)>,
}

impl Pace {
    /// Moves on to this moment. A quota whose window was changed begins anew.
    pub fn roll(&mut self, limit: &RateLimit, steady_ms: u64) {
        roll(&mut self.requests, limit.algorithm, limit.requests, steady_ms);
        roll(&mut self.tokens, limit.algorithm, limit.tokens, steady_ms);
    }

    /// Whether an attempt may be made.
    ///
    /// # Errors
    /// [`Short::Crowded`] or [`Short::Limited`].
    pub fn check(&self, limit: &RateLimit, slot: Slot, steady_ms: u64) -> Result<(), Short> {
        let wait = |counter: &Option<Counter>, quota: Option<Quota>, need: u64| {
            let counted = counter.as_ref().zip(quota).filter(|_| need > 0);
            counted
                .map(|(counter, quota)| counter.wait(quota.most, need.min(quota.most), steady_ms))
                .unwrap_or_default()
        };
        let requests = wait(&self.requests, limit.requests, u64::from(slot.request));
        let tokens = wait(&self.tokens, limit.tokens, slot.tokens);
        if !requests.is_zero() || !tokens.is_zero() {
            let (is_requests, is_tokens) = (!requests.is_zero(), !tokens.is_zero());
            return Err(Short::Limited { requests: is_requests, tokens: is_tokens, wait: requests.max(tokens) });
        }
        let is_crowded = slot.request && limit.concurrent.is_some_and(|most| self.concurrent >= most);
        if is_crowded { Err(Short::Crowded) } else { Ok(()) }
    }

    /// Counts an attempt.
    pub fn hold(&mut self, limit: &RateLimit, slot: Slot) -> PaceMark {
        if slot.request {
            self.concurrent = self.concurrent.saturating_add(1);
        }
        let request =
            self.requests.as_mut().filter(|_| slot.request).map(|counter| (counter.add(1, 0), counter.slice_ms()));
        let tokens = self.tokens.as_mut().zip(limit.tokens).map(|(counter, quota)| {
            let held = slot.tokens.min(quota.most);
            (counter.add(held, held), counter.slice_ms(), held)
        });
        PaceMark { request, tokens }
    }

    /// An attempt or a call that was counted as one in flight is over.
    pub fn leave(&mut self) {
        self.concurrent = self.concurrent.saturating_sub(1);
    }

    /// Replaces what was reserved by what was used; `None`: what was reserved counts as used.
    pub fn settle(&mut self, mark: PaceMark, used: Option<u64>) {
        if let Some((counter, (slice, _, held))) = self.tokens.as_mut().zip(mark.tokens) {
            counter.settle(slice, held, used.unwrap_or(held));
        }
    }

    /// Takes back that it was a request: nothing was sent.
    pub fn take_back_request(&mut self, mark: PaceMark) {
        if let Some((counter, (slice, _))) = self.requests.as_mut().zip(mark.request) {
            counter.take_back(slice, 1);
        }
    }

    /// Counts what an earlier process counted: requests of a slice.
    pub fn restore_requests(&mut self, limit: &RateLimit, slice: (u64, u64), used: u64, steady_ms: u64) {
        restore(&mut self.requests, limit.algorithm, limit.requests, slice, used, steady_ms);
    }

    /// Counts what an earlier process counted: tokens of a slice.
    pub fn restore_tokens(&mut self, limit: &RateLimit, slice: (u64, u64), used: u64, steady_ms: u64) {
        restore(&mut self.tokens, limit.algorithm, limit.tokens, slice, used, steady_ms);
    }

    /// What stands at this moment, with nothing moved.
    #[must_use]
    pub fn standing(&self, limit: &RateLimit, steady_ms: u64) -> RateStanding {
        let standing = |counter: &Option<Counter>, quota| {
            let mut counter = counter.clone();
            roll(&mut counter, limit.algorithm, quota, steady_ms);
            counter.map_or_else(QuotaStanding::default, |counter| counter.standing(steady_ms))
        };
        RateStanding {
            requests: standing(&self.requests, limit.requests),
            tokens: standing(&self.tokens, limit.tokens),
            concurrent: self.concurrent,
        }
    }
}

fn roll(counter: &mut Option<Counter>, algorithm: Algorithm, quota: Option<Quota>, steady_ms: u64) {
    match (&mut *counter, quota) {
        (_, None) => *counter = None,
        (Some(counter), Some(quota)) if counter.is_for(algorithm, quota) => counter.roll(steady_ms),
        (_, Some(quota)) => {
            let mut fresh = Counter::new(algorithm, quota);
            fresh.roll(steady_ms);
            *counter = Some(fresh);
        }
    }
}

fn restore(
    counter: &mut Option<Counter>,
    algorithm: Algorithm,
    quota: Option<Quota>,
    (slice_ms, length_ms): (u64, u64),
    used: u64,
    steady_ms: u64,
) {
    let Some(quota) = quota else { return };
    let counter = counter.get_or_insert_with(|| Counter::new(algorithm, quota));
    if counter.slice_ms() == length_ms {
        counter.restore(slice_ms, used, steady_ms);
    }
}

#[cfg(test)]
mod tests;
