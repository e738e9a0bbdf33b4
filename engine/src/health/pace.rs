//! How fast a route answers, how often it fails, and what its vendor says is left.

use super::fade::{WHOLE, faded};

/// The weight of the latest attempt in the error rate: one in sixteen.
const LATEST: u32 = 16;

/// A latency counts in full for so long, though nothing is seen any more.
const LATENCY_HOLDS_US: u64 = 30_000_000;

/// A vendor's word about its own limits fades over a minute, the usual window of such limits.
const HEADROOM_HOLDS_US: u64 = 60_000_000;

const MILLION: u32 = 1_000_000;

const PS_PER_US: u64 = 1_000_000;

/// Rates that forget.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// In picoseconds, so that it also falls where answers come by the thousand each second.
    latency_ps: u64,
    latency_at_us: u64,
    /// In millionths.
    errors: u32,
    errors_at_us: u64,
    /// What is lacking, in thousandths: 0 where the vendor says nothing.
    lack: u16,
    lack_at_us: u64,
}

impl Pace {
    /// The first content came after so long. A slower answer counts at once; a faster one the more, the longer nothing
    /// was seen.
    pub(super) fn saw_first_content(&mut self, after_us: u64, now_us: u64) {
        let sample_ps = after_us.max(1).saturating_mul(PS_PER_US);
        let above_ps = self.latency_ps.saturating_sub(sample_ps);
        let left_ps = faded(above_ps, now_us.saturating_sub(self.latency_at_us));
        self.latency_ps = sample_ps.saturating_add(left_ps);
        self.latency_at_us = self.latency_at_us.max(now_us);
    }

    /// An attempt ended.
    pub(super) fn saw_end(&mut self, has_failed: bool, now_us: u64) {
        let faded = self.errors_millionths(now_us);
        let latest = if has_failed { MILLION / LATEST } else { 0 };
        self.errors = (faded - faded / LATEST + latest).min(MILLION);
        self.errors_at_us = self.errors_at_us.max(now_us);
    }

    /// The vendor says how much of its limits is left, in thousandths.
    pub(super) fn saw_headroom(&mut self, thousandths: u16, now_us: u64) {
        self.lack = WHOLE.saturating_sub(thousandths);
        self.lack_at_us = now_us;
    }

    /// Microseconds to the first content; 0 where none was seen. It fades where none was seen for long, so that a route
    /// that was slow is tried again: so often for each route, and not for so many calls, because of many calls the few
    /// that look whether it is still slow must not be the slowest hundredth.
    pub(super) fn latency_us(&self, now_us: u64) -> u64 {
        let stale_us = now_us.saturating_sub(self.latency_at_us).saturating_sub(LATENCY_HOLDS_US);
        let latency_us = self.latency_ps / PS_PER_US;
        faded(latency_us, stale_us).max(latency_us.min(1))
    }

    /// Failed attempts, in thousandths.
    pub(super) fn errors(&self, now_us: u64) -> u16 {
        u16::try_from(self.errors_millionths(now_us) / 1_000).unwrap_or(WHOLE)
    }

    /// What is left of the vendor's limits, in thousandths.
    pub(super) fn headroom(&self, now_us: u64) -> u16 {
        let holds_us = HEADROOM_HOLDS_US.saturating_sub(now_us.saturating_sub(self.lack_at_us));
        let lack = u64::from(self.lack) * holds_us / HEADROOM_HOLDS_US;
        WHOLE.saturating_sub(u16::try_from(lack).unwrap_or(WHOLE))
    }

    fn errors_millionths(&self, now_us: u64) -> u32 {
        let left = faded(u64::from(self.errors), now_us.saturating_sub(self.errors_at_us));
        u32::try_from(left).unwrap_or(MILLION)
    }
}
