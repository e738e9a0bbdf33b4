//! Anthropic's dialect: the Messages API.

pub(crate) mod error;
pub(crate) mod request;
