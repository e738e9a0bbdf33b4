//! The running policy: the live snapshot, the ledger, the clock and the dice. Knows neither Pingora nor HTTP.

pub mod clock;
pub mod compile;
pub mod control;
pub mod dice;
pub mod explain;
pub mod health;
pub mod hold;
pub mod ledger;
pub mod live;
