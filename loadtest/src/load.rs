//! The load driver: runs the gateway beside the bare pass-through (and nginx, where there is one), in short slices that take turns,
//! and compares the processor time they need. Wall-clock figures are information; only ratios of processor time are results.

mod client;
mod machine;
mod measure;
mod peer;
mod report;
mod scenario;
mod stats;

pub use measure::{Options, Outcome, run};
pub use peer::GatewayCommand;
