//! What an answer used, read from its bytes as they pass.

use bytes::Bytes;
use policy::demand::Demand;
use policy::request::{Dialect, Operation};
use policy::usage::{Metered, Usage, UsageSource};

pub use crate::error::VendorError as StreamError;

/// The meter of one attempt's answer.
#[derive(Debug)]
pub struct Meter {
    delivered: u64,
}

impl Meter {
    /// A meter for an answer in this dialect to this operation. `stream`: the request asked for a stream; what really comes is
    /// seen from its first byte. `hide_usage`: the gateway asked for usage, the client did not.
    #[must_use]
    pub fn new(dialect: Dialect, operation: Operation, stream: bool, hide_usage: bool) -> Self {
        let _ = (dialect, operation, stream, hide_usage);
        Self { delivered: 0 }
    }

    /// Takes the answer's next bytes and gives those for the client. `end`: these are the last.
    pub fn pass(&mut self, chunk: Bytes, end: bool) -> Bytes {
        let _ = end;
        self.delivered += chunk.len() as u64;
        chunk
    }

    /// Whether bytes that count have passed.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.delivered > 0
    }

    /// The error that the answer turned out to be.
    #[must_use]
    pub fn error_seen(&self) -> Option<StreamError> {
        None
    }

    /// Whether the answer has come to its own end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        true
    }

    /// Bytes given to the client so far.
    #[must_use]
    pub fn delivered_bytes(&self) -> u64 {
        self.delivered
    }

    /// What is to be charged.
    #[must_use]
    pub fn metered(&self, demand: &Demand, extra_output: u64) -> Metered {
        let usage =
            Usage { input: demand.input_estimate(), output: self.output_estimate() + extra_output, ..Usage::default() };
        Metered { usage, source: UsageSource::Estimated }
    }

    /// Tokens of what was delivered so far, estimated.
    #[must_use]
    pub fn output_estimate(&self) -> u64 {
        self.delivered.div_ceil(4)
    }
}
