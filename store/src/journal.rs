//! The journal: what each attempt reserved, written before it is sent, and what it came to. Balances are folded from it.

pub(crate) mod bell;
mod called;
mod file;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod told;

pub use called::{CallStatus, Called, TokenCounts, UnknownStatus};
pub use file::{FileJournal, Statistics};

use std::fmt;

use thiserror::Error;

use crate::Lease;

/// Names one attempt, for ever: nothing counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The process that made it.
    pub run: u64,
    /// Its number in that process.
    pub number: u64,
}

/// What an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nano-dollars of a budget.
    Budget,
    /// Requests of a rate limit.
    Requests,
    /// Tokens of a rate limit.
    Tokens,
}

/// What an attempt reserves on one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What is counted.
    pub kind: Kind,
    /// The budget's or the rate limit's id.
    pub id: &'a str,
    /// When the window (of a budget) or the slice (of a rate limit) began, in milliseconds since 1970.
    pub start_ms: u64,
    /// The length of the slice; 0 for budgets.
    pub length_ms: u64,
    /// How much: nano-dollars, requests or tokens.
    pub amount: u64,
}

/// An attempt that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// Its name.
    pub attempt: AttemptId,
    /// The number of the first attempt of the call that it is for; 0: it is that.
    pub call: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The virtual key; empty for an anonymous call.
    pub key: &'a str,
    /// The provider.
    pub provider: &'a str,
    /// The model, as the provider calls it.
    pub model: &'a str,
    /// What it reserves.
    pub entries: &'a [Entry<'a>],
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is charged what it used: each budget entry so many nano-dollars, each token entry so many tokens, each request
    /// entry what it reserved.
    Charged {
        /// The cost, in nano-dollars.
        nano: u64,
        /// The tokens.
        tokens: u64,
    },
    /// Nobody saw its end: each entry is charged what it reserved.
    Abandoned,
    /// It was not sent after all: nothing is charged, and it was no request.
    Unsent,
}

/// An attempt that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its name.
    pub attempt: AttemptId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it came to.
    pub outcome: Outcome,
}

/// Why a record was not written.
#[derive(Debug, Error)]
#[error("the journal cannot be written: {0}")]
pub struct JournalError(#[from] pub std::io::Error);

/// Writes down what is reserved and charged.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Writes an attempt down. It is with the operating system when this returns: the end of the process does not lose it.
    ///
    /// # Errors
    /// When it could not be written; then nothing of it is.
    fn open(&self, opened: &Opened<'_>) -> Result<(), JournalError>;

    /// Takes note of the end of an attempt that was opened. Never waits; it is written soon.
    fn close(&self, closed: Closed);

    /// Whether what is known here of hard budgets is all that is spent of them: only while it is held.
    fn lease(&self) -> Lease {
        Lease::Held
    }

    /// Takes note of a call that is over, once all its attempts are closed. Never waits; it is written soon.
    fn called(&self, called: &Called<'_>);
}

/// One text, as logs and people see it: `18f3c2a1b-42`.
impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.run, self.number)
    }
}
