//! The management API, asked in-process: a real control on a folder of its own, and a client that is what the edge says it is.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod audit;
mod auth;
mod config;
mod document;
mod entities;
mod lists;
mod logs;
mod providers;
mod refused;
mod support;
mod virtual_keys;
