//! Where it is kept. The only crate that knows SQL, and the files beside the database.

pub mod journal;

pub use journal::{AttemptId, Closed, Entry, Journal, JournalError, Kind, Opened, Outcome};
