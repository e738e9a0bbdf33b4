//! Wakes the writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// What the writer waits at.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_rung: Mutex<bool>,
    condvar: Condvar,
    /// Whether the writer sleeps until there is something to do, rather than for a moment.
    is_asleep: AtomicBool,
}

impl Bell {
    /// Wakes the writer, or keeps it from going to sleep.
    pub(crate) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.condvar.notify_one();
    }

    /// Wakes the writer unless it will soon be awake anyway. Costs next to nothing then.
    pub(crate) fn ring_if_asleep(&self) {
        if self.is_asleep.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Waits for a moment. `true`: it was not rung.
    pub(crate) fn nap(&self, moment: Duration) -> bool {
        let mut is_rung = self.is_rung.lock();
        let is_over = !*is_rung && self.condvar.wait_for(&mut is_rung, moment).timed_out();
        *is_rung = false;
        is_over
    }

    /// Waits for so long at most. `is_idle` is asked once everybody sees that the writer sleeps: what came before that was not
    /// rung for.
    pub(crate) fn sleep(&self, most: Duration, is_idle: impl FnOnce() -> bool) {
        self.is_asleep.store(true, Ordering::SeqCst);
        if is_idle() {
            self.nap(most);
        }
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}
