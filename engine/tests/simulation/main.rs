//! Many calls over simulated minutes, with given time and dice: how balancing and health do together.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod adaptive;
mod outage;
mod world;
