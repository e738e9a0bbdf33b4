//! Whether this gateway may go by its own memory alone. Until limits are shared, that is true of one gateway on a database at a
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::time::Instant;

/// Whether this gateway may go by its own memory alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Lease {
    /// No other gateway may, until this one ends or does not renew its lease in time.
    #[default]
    Held = 0,
    /// It was not renewed in time, so another gateway may have it soon. Unless one has taken it, it is held again once it can be renewed.
    Lapsed = 1,
    /// Another gateway had it when this one began, or has taken it since. This one never has it again: what the other one spent
    /// is not in its memory.
    Elsewhere = 2,
}

/// The same, as it is now: seen by all who hold a clone.
#[derive(Clone, Debug)]
pub(crate) struct LeaseNow(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lease: AtomicU8,
    /// When this was made. Times are told from here.
    began: Instant,
    /// When it lapses unless it is renewed, in milliseconds; the largest number: never.
    ends_ms: AtomicU64,
}

impl LeaseNow {
    pub(crate) fn new(lease: Lease) -> Self {
        let ends_ms = AtomicU64::new(u64::MAX);
        Self(Arc::new(Inner { lease: AtomicU8::new(lease as u8), began: Instant::now(), ends_ms }))
    }

    /// Whoever renews it may be late, or never come: that it is over by our own clock is seen here.
    pub(crate) fn get(&self) -> Lease {
        match self.0.lease.load(Ordering::Acquire) {
            0 if self.is_over(Instant::now()) => Lease::Lapsed,
            0 => Lease::Held,
            1 => Lease::Lapsed,
            _ => Lease::Elsewhere,
        }
    }

    pub(crate) fn set(&self, lease: Lease) {
        self.0.lease.store(lease as u8, Ordering::Release);
    }

    /// It is held until then, if it is not renewed.
    pub(crate) fn hold_until(&self, ends: Instant) {
        // Rounded down: it lapses a little early rather than late.
        let ends_ms = ends.saturating_duration_since(self.0.began).as_millis();
        self.0.ends_ms.store(u64::try_from(ends_ms).unwrap_or(u64::MAX), Ordering::Release);
        self.set(Lease::Held);
    }

    fn is_over(&self, now: Instant) -> bool {
        let ends_ms = self.0.ends_ms.load(Ordering::Acquire);
        ends_ms != u64::MAX && now.saturating_duration_since(self.0.began).as_millis() >= u128::from(ends_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lease_that_nobody_renews_is_over_by_the_clock_alone() {
        let (lease, hour) = (LeaseNow::new(Lease::Elsewhere), Duration::from_hours(1));
        let now = Instant::now();
        lease.hold_until(now + hour);
        assert!(!lease.is_over(now) && lease.is_over(now + hour));
        assert_eq!(lease.get(), Lease::Held);
        lease.hold_until(now);
        assert_eq!(lease.get(), Lease::Lapsed);
        lease.hold_until(now + hour);
        assert_eq!(lease.get(), Lease::Held, "it was renewed");
        lease.set(Lease::Elsewhere);
        assert_eq!(lease.get(), Lease::Elsewhere);
        assert_eq!(LeaseNow::new(Lease::Held).get(), Lease::Held, "without a server it has no end");
    }
}
