//! Counting in a window: in twelve slices that roll, or in one window that begins with the first count in it.

use std::time::Duration;

use crate::limit::{Algorithm, Quota, QuotaStanding};

/// How many slices a rolling window has.
const SLICES: u64 = 12;
/// A slice counts until its end is one window old, so that one more than a window's slices count at any moment.
const KEPT: usize = 13;
/// Longer windows are as good as endless, and sums of times would not be exact.
const LONGEST_MS: u64 = u64::MAX / 4;

/// A count of requests, of which none is reserved.
pub(super) type Requests = Counter<0>;
/// A count of tokens, some of them reserved.
pub(super) type Tokens = Counter<KEPT>;

/// A count. `HELD`: in how many slices it is known what is reserved: in all or in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter<const HELD: usize> {
    /// Tells it from the account's counters of the same kind before it.
    number: u32,
    algorithm: Algorithm,
    /// Whether a fixed window is under way. One that is not begins when something is counted.
    is_begun: bool,
    window_ms: u64,
    /// The length of a slice. A fixed window has one.
    slice_ms: u64,
    /// When the newest slice began. It never goes back, so that no two begin together.
    newest_ms: u64,
    /// By age, the newest first; reserved amounts included.
    used: [u64; KEPT],
    /// The reserved part.
    held: [u64; HELD],
    /// The sums of both over all slices: at nearly every moment all of them count.
    all_used: u64,
    all_held: u64,
}

impl<const HELD: usize> Counter<HELD> {
    pub(super) fn new(number: u32, algorithm: Algorithm, quota: Quota) -> Self {
        Self {
            number,
            algorithm,
            is_begun: false,
            window_ms: window_ms(quota),
            slice_ms: slice_ms(algorithm, quota),
            newest_ms: 0,
            used: [0; KEPT],
            held: [0; HELD],
            all_used: 0,
            all_held: 0,
        }
    }

    /// Whether it counts as this quota wants it counted.
    pub(super) fn is_for(&self, algorithm: Algorithm, quota: Quota) -> bool {
        self.algorithm == algorithm && self.window_ms == window_ms(quota)
    }

    /// Which one it is.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The length of a slice: what is kept of the count is kept by it.
    pub(super) fn slice_ms(&self) -> u64 {
        self.slice_ms
    }

    /// Moves on to this moment. One before the newest slice counts as in it.
    pub(super) fn roll(&mut self, now_ms: u64) {
        let is_over = now_ms >= self.newest_ms.saturating_add(self.slice_ms);
        match self.algorithm {
            Algorithm::Rolling if is_over => self.advance_to(now_ms / self.slice_ms * self.slice_ms),
            Algorithm::Fixed if is_over || !self.is_begun => {
                self.clear();
                self.is_begun = false;
                self.newest_ms = self.newest_ms.max(now_ms);
            }
            Algorithm::Rolling | Algorithm::Fixed => {}
        }
    }

    fn advance_to(&mut self, start_ms: u64) {
        let steps = start_ms.saturating_sub(self.newest_ms) / self.slice_ms;
        let steps = usize::try_from(steps).unwrap_or(KEPT);
        pass(&mut self.used, &mut self.all_used, steps);
        pass(&mut self.held, &mut self.all_held, steps);
        self.newest_ms = self.newest_ms.max(start_ms);
    }

    fn clear(&mut self) {
        self.used.fill(0);
        self.held.fill(0);
        (self.all_used, self.all_held) = (0, 0);
    }

    /// What counts at this moment, reserved amounts included.
    pub(super) fn used(&self, now_ms: u64) -> u64 {
        if self.all_count(now_ms) { self.all_used } else { sum(&self.used, self.counting(now_ms)) }
    }

    /// The part of it that is reserved.
    fn held(&self, now_ms: u64) -> u64 {
        if self.all_count(now_ms) { self.all_held } else { sum(&self.held, self.counting(now_ms)) }
    }

    /// How long until `need` more fit under `most`, if nothing else is counted; zero: they fit. More than `most` never would:
    /// then it is until nothing counts. Should reserved amounts alone be in the way, it is a second at most: they are settled
    /// sooner than they roll out.
    pub(super) fn wait(&self, most: u64, need: u64, now_ms: u64) -> Duration {
        let room = most.saturating_sub(need);
        let used = self.used(now_ms);
        if used <= room {
            return Duration::ZERO;
        }
        // Those that count longest may stay, as many as there is room for.
        let mut longest = 0_u64;
        let is_in_the_way = |slice: &u64| {
            longest = longest.saturating_add(*slice);
            longest > room
        };
        let exact_ms =
            self.used.iter().position(is_in_the_way).map_or(0, |age| self.end_ms(age).saturating_sub(now_ms));
        let are_reserved = used.saturating_sub(self.held(now_ms)) <= room;
        Duration::from_millis(if are_reserved { exact_ms.min(1_000) } else { exact_ms })
    }

    /// Whether no slice is too old to count at this moment. A fixed window has one.
    fn all_count(&self, now_ms: u64) -> bool {
        let others_ms = match self.algorithm {
            Algorithm::Rolling => self.slice_ms.saturating_mul(SLICES),
            Algorithm::Fixed => 0,
        };
        self.end_ms(0).saturating_sub(now_ms) > others_ms
    }

    /// How many slices count at this moment; the newest do.
    fn counting(&self, now_ms: u64) -> usize {
        let left_ms = self.end_ms(0).saturating_sub(now_ms);
        usize::try_from(left_ms.div_ceil(self.slice_ms)).unwrap_or(KEPT)
    }

    /// When a slice of this age no longer counts.
    fn end_ms(&self, age: usize) -> u64 {
        let counts_ms = match self.algorithm {
            Algorithm::Rolling => self.window_ms.saturating_add(self.slice_ms),
            Algorithm::Fixed => self.window_ms,
        };
        let age_ms = self.slice_ms.saturating_mul(u64::try_from(age).unwrap_or(u64::MAX));
        self.newest_ms.saturating_add(counts_ms).saturating_sub(age_ms)
    }

    /// Counts in the newest slice, and says when that began.
    pub(super) fn add(&mut self, used: u64, held: u64) -> u64 {
        self.is_begun = true;
        self.change(self.newest_ms, |all_used, all_held| {
            *all_used = all_used.saturating_add(used);
            *all_held = all_held.saturating_add(held);
        });
        self.newest_ms
    }

    /// Replaces what was reserved in a slice by what was used. A slice that is gone stays so.
    pub(super) fn settle(&mut self, slice_ms: u64, held: u64, used: u64) {
        self.change(slice_ms, |all_used, all_held| {
            *all_used = all_used.saturating_sub(held).saturating_add(used);
            *all_held = all_held.saturating_sub(held);
        });
    }

    /// Takes back what was counted in a slice.
    pub(super) fn take_back(&mut self, slice_ms: u64, used: u64) {
        self.change(slice_ms, |all_used, _| *all_used = all_used.saturating_sub(used));
    }

    /// Counts what an earlier process counted in a slice that began then. One of the future counts as of now.
    pub(super) fn restore(&mut self, slice_ms: u64, used: u64, now_ms: u64) {
        let start_ms = slice_ms.min(now_ms);
        match self.algorithm {
            Algorithm::Rolling => {
                // Then it was no slice of a rolling window.
                if !slice_ms.is_multiple_of(self.slice_ms) {
                    return;
                }
                let start_ms = start_ms / self.slice_ms * self.slice_ms;
                self.advance_to(start_ms);
                self.change(start_ms, |all_used, _| *all_used = all_used.saturating_add(used));
            }
            // Two that are not over can only be left by a clock that was set back; what counts longer is safe.
            Algorithm::Fixed if start_ms.saturating_add(self.window_ms) > now_ms => {
                self.newest_ms = if self.is_begun { self.newest_ms.max(start_ms) } else { start_ms };
                self.add(used, 0);
            }
            Algorithm::Fixed => {}
        }
    }

    /// Changes what is used and held in the slice that began then, if it is still there.
    fn change(&mut self, slice_ms: u64, change: impl FnOnce(&mut u64, &mut u64)) {
        let Some(age_ms) = self.newest_ms.checked_sub(slice_ms) else { return };
        // What is left of an older one must not be read by a thread whose time is old.
        if self.algorithm == Algorithm::Fixed && age_ms > 0 {
            return;
        }
        let age = usize::try_from(age_ms / self.slice_ms).unwrap_or(KEPT);
        if let Some(used) = self.used.get_mut(age) {
            let mut none = 0;
            let held = self.held.get_mut(age).unwrap_or(&mut none);
            let before = (*used, *held);
            change(used, held);
            let after = (*used, *held);
            self.all_used = replaced(self.all_used, before.0, after.0, &self.used);
            if age < HELD {
                self.all_held = replaced(self.all_held, before.1, after.1, &self.held);
            }
        }
    }

    /// What stands at this moment, with nothing moved.
    pub(super) fn standing(&self, now_ms: u64) -> QuotaStanding {
        QuotaStanding { used: self.used(now_ms), held: self.held(now_ms), frees_in_ms: self.frees_in_ms(now_ms) }
    }

    /// How long until the oldest slice that counts no longer does; 0: none does.
    pub(super) fn frees_in_ms(&self, now_ms: u64) -> u64 {
        let oldest = self.used.iter().take(self.counting(now_ms)).rposition(|used| *used > 0);
        oldest.map_or(0, |age| self.end_ms(age).saturating_sub(now_ms))
    }
}

fn window_ms(quota: Quota) -> u64 {
    quota.window.nominal_ms().clamp(1, LONGEST_MS)
}

/// How long a slice is.
pub(super) fn slice_ms(algorithm: Algorithm, quota: Quota) -> u64 {
    match algorithm {
        Algorithm::Rolling => window_ms(quota).div_ceil(SLICES),
        Algorithm::Fixed => window_ms(quota),
    }
}

/// Makes room for so many new slices.
fn pass(slices: &mut [u64], all: &mut u64, steps: usize) {
    let steps = steps.min(slices.len());
    slices.rotate_right(steps);
    slices.iter_mut().take(steps).for_each(|slice| *slice = 0);
    *all = sum(slices, KEPT);
}

/// A sum of slices of which one has changed. One that is as great as can be may be too small.
fn replaced(all: u64, before: u64, after: u64, slices: &[u64]) -> u64 {
    if all == u64::MAX { sum(slices, KEPT) } else { (all - before).saturating_add(after) }
}

fn sum(slices: &[u64], newest: usize) -> u64 {
    slices.iter().take(newest).fold(0, |sum, slice| sum.saturating_add(*slice))
}

#[cfg(test)]
mod tests;
