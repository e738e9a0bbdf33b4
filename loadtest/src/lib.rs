//! What Tollgate is tested and measured with: a fake provider that speaks every dialect and fails on demand.
//! The load driver and the bare pass-through are binaries of this crate; nothing here ships in the gateway.

pub mod fake;
