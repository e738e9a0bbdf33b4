//! Translation between wire formats, from outside: every fixture in every other format, golden files, properties, and broken input.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod fuzz;
mod generated;
mod golden;
mod round_trip;
mod said;
mod streams;
mod taken;
mod usage;
