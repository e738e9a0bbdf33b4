//! What Tollgate is tested and measured with: a fake provider that speaks every dialect and fails on demand, and a load driver.
//! The bare pass-through is a binary of this crate. Nothing here ships in the gateway.

pub mod fake;
pub mod load;
