//! What was used of one limit: pure steps, each under the account's lock, which is elsewhere. Limits and time are arguments:
//! a configuration can change the one without touching the amounts, and a test can replay the other.

mod counter;
mod pace;
mod spending;

pub use pace::{Pace, PaceMark, Slot};
pub use spending::{Spending, SpendingMark};

use std::time::Duration;

/// What an attempt asks for, of each account that it touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The most that it can cost.
    pub amount: crate::money::NanoUsd,
    /// The tokens that it is likely to use, input and output.
    pub tokens: u64,
}

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
        /// When there is room again, as far as can be said.
        wait: Duration,
    },
    /// As many calls are in flight as may be.
    Crowded,
}
