//! What one page of the books says, and the totals at the bottom.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::route::{Dialect, Operation};

/// A credential as it was presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The header's name in lower case, or `?key` for Gemini's query parameter.
    pub header: String,
    /// The secret, without the `Bearer ` in front of it.
    pub value: String,
}

/// How an exchange came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole answer went out.
    Whole,
    /// The provider broke it off.
    BrokenOff,
    /// The caller left first.
    CallerGone,
}

/// One request and what became of it. Times ending in `_us` are microseconds of one monotonic clock, whose zero is the same for all
/// providers of a process: entries of several of them compare.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Counts requests from 0 since the provider started; not reset by [`Books::clear`](super::Books::clear).
    pub seq: u64,
    /// Counts accepted connections from 0; requests with the same number came over the same one.
    pub connection: u64,
    /// Wall clock when the request header had arrived, in milliseconds since 1970.
    pub received_unix_ms: u64,
    /// When the request header had arrived.
    pub received_us: u64,
    /// When the last byte of the request's body had arrived.
    pub body_us: Option<u64>,
    /// When the response header was handed to the connection.
    pub header_sent_us: Option<u64>,
    /// When the first event (or the whole body) was written.
    pub first_event_us: Option<u64>,
    /// When the last event so far was written.
    pub last_event_us: Option<u64>,
    /// When the exchange was over, for whatever reason.
    pub ended_us: Option<u64>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The request method.
    pub method: String,
    /// The path as received.
    pub path: String,
    /// The query as received, without the question mark.
    pub query: Option<String>,
    /// Request headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Every credential presented.
    pub credentials: Vec<Credential>,
    /// Length of the request body.
    pub body_bytes: u64,
    /// SHA-256 of the request body, in hex; empty until the body has arrived.
    pub body_sha256: String,
    /// The request body, if it is JSON of at most 1 MiB.
    pub body: Option<Value>,
    /// The model as received, controls included.
    pub model: Option<String>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The text of the conversation's last message, if that is the assistant's: what the answer was to go on from.
    pub prefill: Option<String>,
    /// The dialect, for paths that belong to one.
    pub dialect: Option<Dialect>,
    /// The operation, for paths that belong to one.
    pub operation: Option<Operation>,
    /// Input tokens counted in the request's text.
    pub input_tokens: u64,
    /// The status given; `None` if the response header was never sent.
    pub status: Option<u16>,
    /// Events written to the socket; 1 for a whole body.
    pub events: u64,
    /// Output tokens written to the socket.
    pub output_tokens: u64,
    /// The usage that the answer reports (or would have, had it not been broken off), in the dialect's own shape.
    pub usage: Option<Value>,
    /// Whether the whole answer went out, its end marker included.
    pub finished: bool,
    /// Milliseconds after `received_us` at which the caller was seen to have gone before the answer was over.
    pub caller_gone: Option<u64>,
}

impl Entry {
    /// The value of the first request header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// How it ended; `None` while it lasts.
    pub fn ending(&self) -> Option<Ending> {
        self.ended_us?;
        Some(match (self.caller_gone, self.finished) {
            (Some(_), _) => Ending::CallerGone,
            (None, true) => Ending::Whole,
            (None, false) => Ending::BrokenOff,
        })
    }

    /// When the caller could know the outcome: when the response header went out, or without one when the exchange ended.
    pub fn answered_us(&self) -> Option<u64> {
        self.header_sent_us.or(self.ended_us)
    }

    /// The first credential presented.
    pub fn credential(&self) -> Option<&str> {
        self.credentials.first().map(|credential| credential.value.as_str())
    }
}

/// The truth about everything served since the start or the last [`Books::clear`](super::Books::clear).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests received, control requests under `/_fake` excluded.
    pub requests: u64,
    /// Input tokens counted in requests.
    pub input_tokens: u64,
    /// Output tokens written to sockets.
    pub output_tokens: u64,
    /// Requests by model as received.
    pub requests_by_model: HashMap<String, u64>,
}
