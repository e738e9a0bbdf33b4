//! Whether this gateway may go by its own memory alone. Until limits are shared, that is true of one gateway on a database at a
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether this gateway may go by its own memory alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Lease {
    /// No other gateway may, until this one ends or does not renew its lease in time.
    #[default]
    Held = 0,
    /// It was not renewed in time, so another gateway may have it by now.
    Lapsed = 1,
    /// Another gateway had it when this one began, or has taken it since. This one never has it again: what the other one spent
    /// is not in its memory.
    Elsewhere = 2,
}

/// The same, as it is now: seen by all who hold a clone.
#[derive(Clone, Debug)]
pub(crate) struct LeaseNow(Arc<AtomicU8>);

impl LeaseNow {
    pub(crate) fn new(lease: Lease) -> Self {
        Self(Arc::new(AtomicU8::new(lease as u8)))
    }

    pub(crate) fn get(&self) -> Lease {
        match self.0.load(Ordering::Acquire) {
            0 => Lease::Held,
            1 => Lease::Lapsed,
            _ => Lease::Elsewhere,
        }
    }

    pub(crate) fn set(&self, lease: Lease) {
        self.0.store(lease as u8, Ordering::Release);
    }
}
