//! How each vendor speaks: bytes in, bytes out. No sockets, no runtime, no clock, no dice.
//!
//! Here are the requests' bodies ([`peek`], [`splice`]), the answers' ([`meter`], [`resume`]), both as another wire format has
//! them ([`translate`]), what a failed answer failed for ([`verdict`]), the vendors themselves ([`vendor`]) and what the gateway says in their stead ([`error`], [`models`]). What is
//! allowed and what it costs is the `policy` crate's business.

mod anthropic;
mod count;
mod draft;
pub mod error;
mod estimate;
mod gemini;
mod hub;
mod json;
pub mod json_tap;
pub mod meter;
pub mod models;
mod openai;
pub mod peek;
pub mod resume;
mod scan;
pub mod splice;
pub mod sse;
mod tier;
pub mod translate;
pub mod vendor;
pub mod verdict;
