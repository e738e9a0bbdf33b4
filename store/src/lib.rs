//! Where it is kept. The only crate that knows SQL, and the files beside the database.

mod amount;
mod backup;
mod balance;
mod balances;
mod bookkeeper;
mod config;
mod error;
mod fold;
mod folder;
pub mod journal;
mod lease;
mod logs;
mod migrate;
mod migrations;
mod number;
pub mod password;
mod pen;
mod postgres;
mod reading;
mod recovery;
pub mod registry;
pub mod seal;
mod sqlite;
mod store;
mod writer;

pub use amount::{Amount, Attempted};
pub use backup::{BackedUp, back_up, restore};
pub use balance::{AbandonedCharge, Began, BudgetState, Page, SliceState, Voided};
pub use config::{Config, Database, Postgres, SslMode, UnknownSslMode};
pub use error::StoreError;
pub use journal::{
    AttemptId, CallStatus, Called, Closed, Entry, FileJournal, Journal, JournalError, Kind, Opened, Outcome,
    Statistics, TokenCounts, UnknownStatus,
};
pub use lease::Lease;
pub use logs::{
    Bar, Dimension, FilterData, Histogram, LogFilter, LogId, LogPage, LogRow, Logs, Order, Retention, SortBy, Stats,
    Trimmed, Trimming, Within,
};
pub use migrate::{Migrated, migrate};
pub use reading::{Reading, read, read_abandoned};
pub use registry::{Registry, RegistryError};
pub use store::{Abandoned, State, Store};
