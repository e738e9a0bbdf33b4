//! The only place that asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use policy::window::Now;

/// The clock of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// Milliseconds since 1970 at that moment.
    started_ms: u64,
}

impl Clock {
    /// A clock whose steady time begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { started: Instant::now(), started_ms: wall_ms() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { wall_ms: wall_ms(), mono_ms: self.started_ms.saturating_add(millis(self.started.elapsed())) }
    }

    /// Microseconds since the clock was started.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
