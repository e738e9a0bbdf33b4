//! What was used of a rate limit: requests and tokens in their windows, and calls in flight.

use std::time::Duration;

use super::Short;
use super::counter::{Counter, Requests, Tokens};
use crate::limit::{Algorithm, Quota, QuotaStanding, RateLimit, RateStanding};

/// The counts of one rate limit. Small while nothing is counted: there may be a million of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    requests: Option<Box<Requests>>,
    tokens: Option<Box<Tokens>>,
    concurrent: u32,
    /// How many counters there have been.
    counters: u32,
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
    /// By which counter of requests.
    request_counter: u32,
    /// By which counter of tokens.
    token_counter: u32,
}

impl Pace {
    /// Moves on to this moment; the other steps go from there. A quota whose window was changed begins anew. Nothing begins a
    /// fixed window but something that is counted in it.
    pub fn roll(&mut self, limit: &RateLimit, steady_ms: u64) {
        let Self { requests, tokens, counters, .. } = self;
        if let Some(requests) = fit(requests, limit.algorithm, limit.requests, counters) {
            requests.roll(steady_ms);
        }
        if let Some(tokens) = fit(tokens, limit.algorithm, limit.tokens, counters) {
            tokens.roll(steady_ms);
        }
    }

    /// Whether an attempt may be made.
    ///
    /// # Errors
    /// [`Short::Crowded`] or [`Short::Limited`].
    pub fn check(&self, limit: &RateLimit, slot: Slot, steady_ms: u64) -> Result<(), Short> {
        let requests = wait(self.requests.as_deref(), limit.requests, u64::from(slot.request), steady_ms);
        let tokens = wait(self.tokens.as_deref(), limit.tokens, slot.tokens, steady_ms);
        if !requests.is_zero() || !tokens.is_zero() {
            let (is_requests, is_tokens) = (!requests.is_zero(), !tokens.is_zero());
            return Err(Short::Limited { requests: is_requests, tokens: is_tokens, wait: requests.max(tokens) });
        }
        let is_crowded = slot.request && limit.concurrent.is_some_and(|most| self.concurrent >= most);
        if is_crowded { Err(Short::Crowded) } else { Ok(()) }
    }

    /// Counts an attempt.
    pub fn hold(&mut self, limit: &RateLimit, slot: Slot) -> PaceMark {
        let mut mark = PaceMark::default();
        if slot.request {
            self.concurrent = self.concurrent.saturating_add(1);
        }
        if let Some(requests) = self.requests.as_mut().filter(|_| slot.request) {
            mark.request = Some((requests.add(1, 0), requests.slice_ms()));
            mark.request_counter = requests.number();
        }
        if let Some((tokens, quota)) = self.tokens.as_mut().zip(limit.tokens) {
            let held = slot.tokens.min(quota.most);
            mark.tokens = Some((tokens.add(held, held), tokens.slice_ms(), held));
            mark.token_counter = tokens.number();
        }
        mark
    }

    /// An attempt or a call that was counted as one in flight is over.
    pub fn leave(&mut self) {
        self.concurrent = self.concurrent.saturating_sub(1);
    }

    /// Replaces what was reserved by what was used; `None`: what was reserved counts as used.
    pub fn settle(&mut self, mark: PaceMark, used: Option<u64>) {
        let tokens = self.tokens.as_mut().filter(|tokens| tokens.number() == mark.token_counter);
        if let Some((tokens, (slice_ms, _, held))) = tokens.zip(mark.tokens) {
            tokens.settle(slice_ms, held, used.unwrap_or(held));
        }
    }

    /// Takes back that it was a request: nothing was sent.
    pub fn take_back_request(&mut self, mark: PaceMark) {
        let requests = self.requests.as_mut().filter(|requests| requests.number() == mark.request_counter);
        if let Some((requests, (slice_ms, _))) = requests.zip(mark.request) {
            requests.take_back(slice_ms, 1);
        }
    }

    /// Counts what an earlier process counted: requests of a slice, told by its start and length. One of another length is of
    /// another window, and does not count.
    pub fn restore_requests(&mut self, limit: &RateLimit, slice: (u64, u64), used: u64, steady_ms: u64) {
        let requests = fit(&mut self.requests, limit.algorithm, limit.requests, &mut self.counters);
        if let Some(requests) = requests.filter(|requests| requests.slice_ms() == slice.1) {
            requests.restore(slice.0, used, steady_ms);
        }
    }

    /// Counts what an earlier process counted: tokens of a slice, told by its start and length. One of another length is of
    /// another window, and does not count.
    pub fn restore_tokens(&mut self, limit: &RateLimit, slice: (u64, u64), used: u64, steady_ms: u64) {
        let tokens = fit(&mut self.tokens, limit.algorithm, limit.tokens, &mut self.counters);
        if let Some(tokens) = tokens.filter(|tokens| tokens.slice_ms() == slice.1) {
            tokens.restore(slice.0, used, steady_ms);
        }
    }

    /// What stands at this moment, with nothing moved.
    #[must_use]
    pub fn standing(&self, limit: &RateLimit, steady_ms: u64) -> RateStanding {
        RateStanding {
            requests: standing(self.requests.as_deref(), limit.algorithm, limit.requests, steady_ms),
            tokens: standing(self.tokens.as_deref(), limit.algorithm, limit.tokens, steady_ms),
            concurrent: self.concurrent,
        }
    }
}

/// The counter, if one is wanted: the one that is there where it counts as it should, else a new one.
fn fit<'a, const HELD: usize>(
    counter: &'a mut Option<Box<Counter<HELD>>>,
    algorithm: Algorithm,
    quota: Option<Quota>,
    counters: &mut u32,
) -> Option<&'a mut Counter<HELD>> {
    match quota {
        None => *counter = None,
        Some(quota) if counter.as_ref().is_some_and(|counter| counter.is_for(algorithm, quota)) => {}
        Some(quota) => {
            *counters = counters.wrapping_add(1);
            *counter = Some(Box::new(Counter::new(*counters, algorithm, quota)));
        }
    }
    counter.as_deref_mut()
}

/// How long until so many more fit.
fn wait<const HELD: usize>(
    counter: Option<&Counter<HELD>>,
    quota: Option<Quota>,
    need: u64,
    steady_ms: u64,
) -> Duration {
    match counter.zip(quota).filter(|_| need > 0) {
        Some((counter, quota)) => counter.wait(quota.most, need, steady_ms),
        None => Duration::ZERO,
    }
}

/// What stands; nothing where the window has been changed since.
fn standing<const HELD: usize>(
    counter: Option<&Counter<HELD>>,
    algorithm: Algorithm,
    quota: Option<Quota>,
    steady_ms: u64,
) -> QuotaStanding {
    let counter = counter.zip(quota).filter(|(counter, quota)| counter.is_for(algorithm, *quota));
    counter.map_or_else(QuotaStanding::default, |(counter, _)| counter.standing(steady_ms))
}

#[cfg(test)]
mod tests;
