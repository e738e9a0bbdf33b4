//! The core: all accounts of an attempt are locked in one order, so that all can be looked at and then changed, or none. Small
//! enough for a model checker; what a lock is, is an argument.

use std::ops::DerefMut;

use smallvec::SmallVec;

/// Something that can be locked.
pub trait Lock {
    /// What is behind the lock.
    type State;
    /// The right to it.
    type Guard<'a>: DerefMut<Target = Self::State>
    where
        Self: 'a;

    /// Waits for the right to it.
    fn lock(&self) -> Self::Guard<'_>;
}

/// The locks of one attempt's accounts. Few have more of them.
pub type Guards<'a, L> = SmallVec<[<L as Lock>::Guard<'a>; 8]>;

/// Locks all. They must come in the same order wherever two of them are locked together, each once: else two attempts could
/// wait for each other for ever.
pub fn lock_all<'a, L: Lock + 'a>(in_order: impl Iterator<Item = &'a L>) -> Guards<'a, L> {
    in_order.map(Lock::lock).collect()
}
