//! Marks: what a vendor said about a credential, and for how long it is taken at its word.

use std::time::Duration;

use policy::provider::Secret;

use super::fade::returned_share;

/// The longest mark, whatever the vendor says.
const LONGEST_US: u64 = 300_000_000;

/// How long traffic takes to come back.
const RETURN_US: u64 = 5_000_000;

/// How marks of one kind grow, each time that the vendor says the same again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    first_us: u64,
    longest_us: u64,
}

impl Growth {
    /// For a credential that was refused, altogether or for a model.
    pub(super) const REFUSED: Self = Self { first_us: 5_000_000, longest_us: LONGEST_US };
    /// For a rate limit, where the vendor does not say when to come back.
    pub(super) const THROTTLED: Self = Self { first_us: 1_000_000, longest_us: 30_000_000 };
}

/// What a vendor said about a credential. It holds for the secret that it was said about, and for no other.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    secret: Secret,
    made_us: u64,
    until_us: u64,
    /// How long the last one was for; 0 after a success.
    step_us: u64,
}

/// What a reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Marked until then.
    Until(u64),
    /// Not any more; how much of its traffic it gets, in thousandths.
    Share(u16),
}

/// The call that a vendor answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    /// The secret that was sent.
    pub(super) secret: &'a Secret,
    /// When the call began.
    pub(super) began_us: u64,
    /// Now.
    pub(super) now_us: u64,
}

impl Mark {
    /// How it stands for a secret; for whatever secret, where none is given.
    pub(super) fn standing(&self, secret: Option<&Secret>, now_us: u64) -> Standing {
        if secret.is_some_and(|secret| *secret != self.secret) {
            return Standing::Share(super::fade::WHOLE);
        }
        if now_us < self.until_us {
            return Standing::Until(self.until_us);
        }
        Standing::Share(returned_share(now_us - self.until_us, RETURN_US))
    }

    /// When its traces are gone.
    pub(super) const fn gone_us(&self) -> u64 {
        self.until_us.saturating_add(RETURN_US)
    }

    fn concerns(&self, heard: Heard<'_>) -> bool {
        self.secret == *heard.secret && heard.began_us > self.made_us
    }
}

/// Marks a credential, for as long as the vendor says or else longer each time. Calls that were under way when it was
/// marked say nothing new.
pub(super) fn put(mark: &mut Option<Mark>, heard: Heard<'_>, growth: Growth, until: Option<Duration>) {
    let before = mark.take().filter(|mark| mark.secret == *heard.secret);
    let is_new = before.as_ref().is_none_or(|mark| mark.concerns(heard));
    if let (Some(before), false, None) = (&before, is_new, until) {
        *mark = Some(before.clone());
        return;
    }
    let step_before_us = before.as_ref().map_or(0, |mark| mark.step_us);
    let (step_us, lasts_us) = match until {
        Some(until) => (step_before_us, u64::try_from(until.as_micros()).unwrap_or(u64::MAX).min(LONGEST_US)),
        None => {
            let step_us = step_before_us.saturating_mul(2).clamp(growth.first_us, growth.longest_us);
            (step_us, step_us)
        }
    };
    let until_us = heard.now_us.saturating_add(lasts_us).max(before.map_or(0, |mark| mark.until_us));
    *mark = Some(Mark { secret: heard.secret.clone(), made_us: heard.now_us, until_us, step_us });
}

/// The credential served a call that began after it was marked: the next mark is a short one again, and the traffic
/// comes back from now on.
pub(super) fn lift(mark: &mut Option<Mark>, heard: Heard<'_>) {
    if let Some(mark) = mark
        && mark.concerns(heard)
    {
        mark.step_us = 0;
        mark.until_us = mark.until_us.min(heard.now_us);
    }
}

/// The same, but what the vendor said about when to come back still holds.
pub(super) fn soften(mark: &mut Option<Mark>, heard: Heard<'_>) {
    if let Some(mark) = mark
        && mark.concerns(heard)
    {
        mark.step_us = 0;
    }
}

#[cfg(test)]
mod tests;
