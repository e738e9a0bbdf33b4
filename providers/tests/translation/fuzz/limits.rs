//! How long an input may take, in time of the processor, which does not count what others do meanwhile.

use std::time::{Duration, Instant};

/// Unoptimized code on a slow processor, with room to spare: what takes the square of the size is far beyond it.
const PER_BYTE: Duration = Duration::from_micros(20);
const AT_LEAST: Duration = Duration::from_millis(500);

/// When to stop.
pub(crate) struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "a run that is to take so long has to look at the clock")]
    pub(crate) fn in_seconds(seconds: u64) -> Self {
        Self(Instant::now() + Duration::from_secs(seconds))
    }

    #[expect(clippy::disallowed_methods, reason = "a run that is to take so long has to look at the clock")]
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// What a thread has had of the processor.
#[derive(Clone, Copy)]
pub(crate) struct CpuTime(Duration);

impl CpuTime {
    /// Of this one, as Linux tells it; nothing elsewhere.
    pub(crate) fn of_thread() -> Self {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = told.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Self(Duration::from_nanos(nanoseconds))
    }

    pub(crate) fn since(self, before: Self) -> Duration {
        self.0.saturating_sub(before.0)
    }
}

/// `None`: it is within the bounds.
pub(crate) fn too_long(spent: Duration, bytes: usize) -> Option<String> {
    let allowed = AT_LEAST + PER_BYTE * u32::try_from(bytes).unwrap_or(u32::MAX);
    (spent > allowed).then(|| format!("it takes {spent:?}, more than {allowed:?}"))
}
