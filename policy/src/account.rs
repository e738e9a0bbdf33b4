//! What was used of one limit: pure steps, each under the account's lock, which is elsewhere. An account is rolled to
//! the moment, checked, and held on, in this order. Limits and time are arguments: a configuration can change the one without
//! touching the amounts, and a test can replay the other.

mod counter;
mod pace;
mod spending;

pub use pace::{Pace, PaceMark, Slot};
pub use spending::{Spending, SpendingMark};

use std::time::Duration;

/// Why an account cannot take an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// What is left does not pay for it.
    Spent,
    /// What is left would pay for it, but calls in flight reserved it.
    Reserved,
    /// A rate limit is reached.
    Limited {
        /// The one on requests.
        requests: bool,
        /// The one on tokens.
        tokens: bool,
        /// How long until there is room, if nothing else is counted; a second at most where only reserved tokens are in the way.
        wait: Duration,
    },
    /// As many calls are in flight as may be.
    Crowded,
}
