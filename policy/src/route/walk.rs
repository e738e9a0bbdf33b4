//! The way of one call through its plan: which attempt comes first, and which after each failure. Pure: what happened, how
//! routes do, and chance are given.

use std::time::Duration;

use smallvec::SmallVec;

use super::balance::Choice;
use super::credentials::{attempt, reading, usable};
use super::health::{Reading, State};
use super::planner::draw;
use super::{Attempt, Circumstances, Failure, Plan, Target};
use crate::id::{CredentialName, ModelName};
use crate::provider::Credential;

/// No call makes more attempts, whatever there is to try.
const MAX_ATTEMPTS: u16 = 64;

/// Sessions are spread over a provider's credentials apart from how they are spread over providers.
const CREDENTIALS: u64 = 1;

/// How far a call has come in its plan.
#[derive(Clone, Debug)]
pub struct Walk {
    plan: Plan,
    /// The target under way.
    at: usize,
    /// Its credentials that were tried since the last pause.
    tried: SmallVec<[CredentialName; 2]>,
    /// Its credentials that were refused: no pause mends that.
    refused: SmallVec<[CredentialName; 1]>,
    /// How often it was asked once more after a pause.
    retries: u8,
    /// Attempts so far, this one included.
    made: u16,
    /// Models whose context window is too small.
    too_small: SmallVec<[ModelName; 1]>,
    prefill_refused: bool,
    attempt: Option<Attempt>,
}

impl Walk {
    /// Begins at the first attempt that can be made.
    #[must_use]
    pub fn begin(plan: Plan, now: &mut Circumstances<'_>) -> Self {
        let mut walk = Self {
            plan,
            at: 0,
            tried: SmallVec::new(),
            refused: SmallVec::new(),
            retries: 0,
            made: 0,
            too_small: SmallVec::new(),
            prefill_refused: false,
            attempt: None,
        };
        let _ = walk.next_credential(now) || walk.next_target(now);
        walk
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The attempt under way, or the next one; `None` when there is none that can be made.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempt.as_ref()
    }

    /// How often the target under way was asked once more after a pause.
    #[must_use]
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// Whether the attempt is its target's once more after a pause.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.retries > 0
    }

    /// Whether it is the first attempt at its target.
    #[must_use]
    pub fn is_first_of_target(&self) -> bool {
        self.retries == 0 && self.tried.len() < 2 && self.refused.is_empty()
    }

    /// Whether the first target is still being tried.
    #[must_use]
    pub fn is_at_first_target(&self) -> bool {
        self.at == 0
    }

    /// Moves on after the attempt failed, and says how long to wait before the next one. `None`: there is no next one, and this one
    /// stays. `left` is the time that the call has left.
    pub fn after(&mut self, failure: Failure, left: Duration, now: &mut Circumstances<'_>) -> Option<Duration> {
        if self.made >= MAX_ATTEMPTS {
            return None;
        }
        let at_once = |moved: bool| moved.then_some(Duration::ZERO);
        match failure {
            Failure::Final => None,
            Failure::CredentialRefused | Failure::NotForCredential => {
                self.refused.extend(self.attempt.as_ref().map(|attempt| attempt.credential.name.clone()));
                at_once(self.next_credential(now) || self.next_target(now))
            }
            Failure::Throttled { retry_after } => {
                if self.next_credential(now) {
                    return Some(Duration::ZERO);
                }
                self.again(retry_after, left, now).or_else(|| at_once(self.next_target(now)))
            }
            Failure::Unavailable { .. } | Failure::Unreachable | Failure::Broken { may_repeat: true } => {
                self.again(failure.retry_after(), left, now).or_else(|| at_once(self.next_target(now)))
            }
            Failure::Broken { may_repeat: false } | Failure::Silent | Failure::BadAnswer => {
                at_once(self.next_target(now))
            }
            Failure::TooLong => {
                self.too_small.extend(self.target().map(|target| target.model.clone()));
                at_once(self.next_target(now))
            }
            Failure::PrefillRefused if !self.prefill_refused => {
                self.prefill_refused = true;
                self.made += 1;
                Some(Duration::ZERO)
            }
            Failure::PrefillRefused => at_once(self.next_target(now)),
        }
    }

    /// Passes the attempt over, which was not made: its route is not open to this call, or an account of its target is exhausted.
    pub fn skip(&mut self, now: &mut Circumstances<'_>) -> bool {
        self.made = self.made.saturating_sub(1);
        self.next_credential(now) || self.next_target(now)
    }

    /// The target under way.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        self.plan.targets.get(self.at)
    }

    /// The same target once more after a pause: with another credential where there is one.
    fn again(
        &mut self,
        retry_after: Option<Duration>,
        left: Duration,
        now: &mut Circumstances<'_>,
    ) -> Option<Duration> {
        let provider = self.target()?.provider.clone();
        let wait = self.pause(retry_after, now)?;
        if self.retries >= provider.retries.max || wait >= left {
            return None;
        }
        let before = (self.attempt.clone(), self.made);
        let tried = std::mem::take(&mut self.tried);
        let keeps = self.attempt.as_ref().map(|attempt| attempt.credential.name.clone());
        self.tried.extend(keeps.filter(|_| retry_after.is_none()));
        if !self.next_credential(now) {
            self.tried.clear();
            if !self.next_credential(now) {
                self.tried = tried;
                return None;
            }
        }
        if !now.health.take_retry(&provider) {
            (self.attempt, self.made) = before;
            self.tried = tried;
            return None;
        }
        self.retries += 1;
        Some(wait)
    }

    /// What the vendor asks for, where that is not too long; else a random part of a time that doubles with each retry. Where
    /// another target is left, nobody waits for this one longer than for a first retry.
    fn pause(&self, retry_after: Option<Duration>, now: &mut Circumstances<'_>) -> Option<Duration> {
        let retries = &self.target()?.provider.retries;
        if let Some(wait) = retry_after {
            let has_other = self.at + 1 < self.plan.targets.len();
            let most = if has_other { retries.backoff_initial } else { retries.backoff_max };
            return (wait <= most).then_some(wait);
        }
        let factor = 1_u32.checked_shl(u32::from(self.retries)).unwrap_or(u32::MAX);
        let most = retries.backoff_initial.saturating_mul(factor).min(retries.backoff_max);
        let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Some(Duration::from_micros(now.dice.below(most_us)))
    }

    /// Another credential of the target; that costs no retry.
    fn next_credential(&mut self, now: &mut Circumstances<'_>) -> bool {
        let Some(next) = self.drawn(now) else { return false };
        self.tried.push(next.credential.name.clone());
        self.attempt = Some(next);
        self.made += 1;
        true
    }

    fn drawn(&self, now: &mut Circumstances<'_>) -> Option<Attempt> {
        let target = self.target()?;
        let pricing = &self.plan.pricing;
        let left: SmallVec<[_; 4]> =
            usable(&target.provider, &target.model, target.pinned.as_ref(), &self.plan.caller).collect();
        if let ([(_, credential)], 0, true) = (&*left, self.made, self.tried.is_empty()) {
            // How it does was looked at when the plan was made.
            return Some(attempt(pricing, target, credential));
        }
        let read: SmallVec<[_; 4]> = left
            .into_iter()
            .map(|(weight, credential)| {
                let mut reading = reading(now.health, &pricing.catalog, target, credential);
                if self.is_spent(credential) {
                    reading.state = Reading::DOWN.state;
                }
                (weight, reading, credential)
            })
            .collect();
        let stick_to = self.plan.choice.stick_to.map(|stick| stick.within(CREDENTIALS));
        let choice = Choice { stick_to, ..self.plan.choice };
        let ordered = draw(read, |(weight, reading, _)| (*weight, *reading), choice, now.dice);
        let is_usable = |reading: &Reading| !matches!(reading.state, State::Down { .. });
        let (_, _, credential) = ordered.into_iter().find(|(_, reading, _)| is_usable(reading))?;
        Some(attempt(pricing, target, credential))
    }

    /// Whether a credential was refused, or was tried since the last pause.
    fn is_spent(&self, credential: &Credential) -> bool {
        if self.plan.caller.own_credential.is_some() {
            // The caller's own is sent beside each of ours: another one of them changes nothing.
            return !self.tried.is_empty() || !self.refused.is_empty();
        }
        self.tried.contains(&credential.name) || self.refused.contains(&credential.name)
    }

    fn next_target(&mut self, now: &mut Circumstances<'_>) -> bool {
        let before = (self.at, std::mem::take(&mut self.tried), self.retries);
        self.retries = 0;
        while self.at + 1 < self.plan.targets.len() {
            self.at += 1;
            self.tried.clear();
            self.refused.clear();
            self.prefill_refused = false;
            let is_too_small = self.target().is_some_and(|target| self.too_small.contains(&target.model));
            if !is_too_small && self.next_credential(now) {
                return true;
            }
        }
        (self.at, self.tried, self.retries) = before;
        false
    }
}

#[cfg(test)]
mod tests;
