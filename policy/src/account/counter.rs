//! Counting in a window: twelve slices that roll, or one window that is begun anew.

use std::time::Duration;

use crate::limit::{Algorithm, Quota, QuotaStanding};

/// How many slices a rolling window has.
const SLICES: u64 = 12;
/// A slice counts until its end is one window old, so that one more than a window's slices count at any moment.
const KEPT: usize = SLICES as usize + 1;

/// A count of requests or tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    algorithm: Algorithm,
    window_ms: u64,
    /// The length of a slice.
    slice_ms: u64,
    /// The newest slice's start.
    newest_ms: u64,
    /// By age: the newest first.
    slices: [Slice; KEPT],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slice {
    /// Reserved amounts included.
    used: u64,
    held: u64,
}

impl Counter {
    pub(super) fn new(algorithm: Algorithm, quota: Quota) -> Self {
        let window_ms = quota.window.nominal_ms().max(1);
        let slice_ms = match algorithm {
            Algorithm::Rolling => window_ms.div_ceil(SLICES),
            Algorithm::Fixed => window_ms,
        };
        Self { algorithm, window_ms, slice_ms, newest_ms: 0, slices: [Slice::default(); KEPT] }
    }

    /// Whether it counts as this quota wants it counted.
    pub(super) fn is_for(&self, algorithm: Algorithm, quota: Quota) -> bool {
        self.algorithm == algorithm && self.window_ms == quota.window.nominal_ms().max(1)
    }

    /// The length of a slice: what is kept of the count is kept by it.
    pub(super) fn slice_ms(&self) -> u64 {
        self.slice_ms
    }

    /// Moves on to this moment.
    pub(super) fn roll(&mut self, now_ms: u64) {
        match self.algorithm {
            Algorithm::Rolling => self.advance_to(now_ms / self.slice_ms * self.slice_ms),
            Algorithm::Fixed if now_ms >= self.newest_ms.saturating_add(self.window_ms) => {
                self.slices = [Slice::default(); KEPT];
                self.newest_ms = now_ms;
            }
            Algorithm::Fixed => {}
        }
    }

    fn advance_to(&mut self, start_ms: u64) {
        if start_ms <= self.newest_ms {
            return;
        }
        let steps = (start_ms - self.newest_ms) / self.slice_ms;
        let steps = usize::try_from(steps).unwrap_or(KEPT).min(KEPT);
        self.slices.rotate_right(steps % KEPT);
        self.slices.iter_mut().take(steps).for_each(|slice| *slice = Slice::default());
        self.newest_ms = start_ms;
    }

    /// What counts, reserved amounts included.
    pub(super) fn used(&self) -> u64 {
        self.slices.iter().fold(0, |sum, slice| sum.saturating_add(slice.used))
    }

    fn held(&self) -> u64 {
        self.slices.iter().fold(0, |sum, slice| sum.saturating_add(slice.held))
    }

    /// How long until `need` more fit under `most`, if nothing else is counted; zero: they fit. Should reserved amounts alone be
    /// in the way, it is a second: they are settled sooner than they roll out.
    pub(super) fn wait(&self, most: u64, need: u64, now_ms: u64) -> Duration {
        let room = most.saturating_sub(need);
        if self.used() <= room {
            return Duration::ZERO;
        }
        if self.used().saturating_sub(self.held()) <= room {
            return Duration::from_secs(1);
        }
        let mut left = self.used();
        let mut last = self.end_of(0);
        for age in (0..KEPT).rev() {
            let Some(slice) = self.slices.get(age).filter(|slice| slice.used > 0) else { continue };
            left = left.saturating_sub(slice.used);
            last = self.end_of(age);
            if left <= room {
                break;
            }
        }
        Duration::from_millis(last.saturating_sub(now_ms))
    }

    /// When a slice no longer counts.
    fn end_of(&self, age: usize) -> u64 {
        let age_ms = self.slice_ms.saturating_mul(age as u64);
        let end_ms = self.newest_ms.saturating_sub(age_ms).saturating_add(self.slice_ms);
        match self.algorithm {
            Algorithm::Rolling => end_ms.saturating_add(self.window_ms),
            Algorithm::Fixed => end_ms,
        }
    }

    /// Counts in the newest slice, and says which that is.
    pub(super) fn add(&mut self, used: u64, held: u64) -> u64 {
        if let Some(newest) = self.slices.first_mut() {
            newest.used = newest.used.saturating_add(used);
            newest.held = newest.held.saturating_add(held);
        }
        self.newest_ms
    }

    /// Replaces what was reserved in a slice by what was used. A slice that no longer counts stays as it is.
    pub(super) fn settle(&mut self, slice_ms: u64, held: u64, used: u64) {
        if let Some(slice) = self.slice_mut(slice_ms) {
            slice.held = slice.held.saturating_sub(held);
            slice.used = slice.used.saturating_sub(held).saturating_add(used);
        }
    }

    /// Takes back what was counted in a slice.
    pub(super) fn take_back(&mut self, slice_ms: u64, used: u64) {
        if let Some(slice) = self.slice_mut(slice_ms) {
            slice.used = slice.used.saturating_sub(used);
        }
    }

    /// Counts what an earlier process counted in a slice that began then. One of the future counts as of now.
    pub(super) fn restore(&mut self, slice_ms: u64, used: u64, now_ms: u64) {
        let slice_ms = slice_ms.min(now_ms);
        match self.algorithm {
            Algorithm::Fixed if slice_ms > self.newest_ms => {
                self.newest_ms = slice_ms;
                self.slices = [Slice::default(); KEPT];
            }
            Algorithm::Fixed => {}
            Algorithm::Rolling => self.advance_to(slice_ms / self.slice_ms * self.slice_ms),
        }
        if let Some(slice) = self.slice_mut(slice_ms / self.slice_ms * self.slice_ms) {
            slice.used = slice.used.saturating_add(used);
        }
    }

    fn slice_mut(&mut self, slice_ms: u64) -> Option<&mut Slice> {
        let age = match self.algorithm {
            Algorithm::Rolling => self.newest_ms.checked_sub(slice_ms)? / self.slice_ms,
            Algorithm::Fixed => (slice_ms != self.newest_ms).into(),
        };
        self.slices.get_mut(usize::try_from(age).ok()?).filter(|_| self.algorithm == Algorithm::Rolling || age == 0)
    }

    pub(super) fn standing(&self, now_ms: u64) -> QuotaStanding {
        let oldest = (0..KEPT).rev().find(|age| self.slices.get(*age).is_some_and(|slice| slice.used > 0));
        let frees_in_ms = oldest.map_or(0, |age| self.end_of(age).saturating_sub(now_ms));
        QuotaStanding { used: self.used(), held: self.held(), frees_in_ms }
    }
}

#[cfg(test)]
mod tests;
