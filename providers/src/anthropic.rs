//! Anthropic's dialect: the Messages API.

pub(crate) mod error;
pub(crate) mod messages;
pub(crate) mod request;
pub(crate) mod stream;
pub(crate) mod usage;
