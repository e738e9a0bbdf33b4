//! What was used of a rate limit: requests and tokens in their windows, and calls in flight.

use std::time::Duration;

use super::Short;
use super::counter::{Counter, Requests, Tokens, slice_ms};
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

/// Where an attempt was counted. Small: each attempt carries one for each limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaceMark {
    /// The slice in which it is a request.
    request_ms: u64,
    /// The slice of its tokens.
    tokens_ms: u64,
    /// How many tokens are reserved.
    held: u64,
    /// By which counter of requests; 0: it is none.
    request_counter: u32,
    /// By which counter of tokens; 0: by none.
    token_counter: u32,
}

impl PaceMark {
    /// The slice in which it is a request, by its start in milliseconds of the steady clock, and its length. `limit` is the one
    /// that it was counted by.
    #[must_use]
    pub fn request(&self, limit: &RateLimit) -> Option<(u64, u64)> {
        let quota = limit.requests.filter(|_| self.request_counter != 0)?;
        Some((self.request_ms, slice_ms(limit.algorithm, quota)))
    }

    /// The slice of its tokens, likewise, and how many are reserved.
    #[must_use]
    pub fn tokens(&self, limit: &RateLimit) -> Option<(u64, u64, u64)> {
        let quota = limit.tokens.filter(|_| self.token_counter != 0)?;
        Some((self.tokens_ms, slice_ms(limit.algorithm, quota), self.held))
    }
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
            mark.request_ms = requests.add(1, 0);
            mark.request_counter = requests.number();
        }
        if let Some((tokens, quota)) = self.tokens.as_mut().zip(limit.tokens) {
            mark.held = slot.tokens.min(quota.most);
            mark.tokens_ms = tokens.add(mark.held, mark.held);
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
        if let Some(tokens) = tokens {
            tokens.settle(mark.tokens_ms, mark.held, used.unwrap_or(mark.held));
        }
    }

    /// Takes back that it was a request: nothing was sent.
    pub fn take_back_request(&mut self, mark: PaceMark) {
        let requests = self.requests.as_mut().filter(|requests| requests.number() == mark.request_counter);
        if let Some(requests) = requests {
            requests.take_back(mark.request_ms, 1);
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

    /// How much is used of requests and of tokens, reserved ones included, once it was rolled to this moment.
    #[must_use]
    pub fn used(&self, steady_ms: u64) -> (u64, u64) {
        let requests = self.requests.as_deref().map_or(0, |requests| requests.used(steady_ms));
        (requests, self.tokens.as_deref().map_or(0, |tokens| tokens.used(steady_ms)))
    }

    /// Milliseconds until some of the requests are free again, likewise; 0: none is used.
    #[must_use]
    pub fn requests_free_in_ms(&self, steady_ms: u64) -> u64 {
        self.requests.as_deref().map_or(0, |requests| requests.frees_in_ms(steady_ms))
    }

    /// Milliseconds until some of the tokens are free again, likewise; 0: none is used.
    #[must_use]
    pub fn tokens_free_in_ms(&self, steady_ms: u64) -> u64 {
        self.tokens.as_deref().map_or(0, |tokens| tokens.frees_in_ms(steady_ms))
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
            *counters = counters.wrapping_add(1).max(1);
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
