//! When things happen, for the books and for dates in headers. Nothing else here asks.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One zero for the process, so that the books of several providers compare.
static ZERO: LazyLock<Instant> = LazyLock::new(now);

/// Microseconds since the first books of this process were opened.
pub(super) fn micros() -> u64 {
    u64::try_from(now().saturating_duration_since(*ZERO).as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the books say when things really happened; nothing is decided by it")]
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the books say when things really happened; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}
