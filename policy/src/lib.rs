//! What is allowed. Pure decisions: no I/O, no async, no clock, no dice of its own, no Pingora, no SQL.
//!
//! Everything that varies (the time, the dice, the configuration) is an argument, so every decision can be replayed.

#![deny(clippy::float_arithmetic)]

pub mod account;
pub mod admit;
pub mod catalog;
pub mod decision;
pub mod declare;
pub mod demand;
pub mod headers;
pub mod id;
pub mod key;
pub mod limit;
pub mod list;
pub mod money;
mod nearest;
pub mod price;
pub mod provider;
pub mod request;
pub mod route;
pub mod settings;
pub mod snapshot;
pub mod usage;
pub mod window;
