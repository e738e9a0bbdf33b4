//! The fake provider over real sockets. Nothing here sleeps or looks at a clock, except for time-outs that only a hang can reach.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod books;
mod breaks;
mod complaints;
mod dialects;
mod faults;
mod resuming;
mod support;
