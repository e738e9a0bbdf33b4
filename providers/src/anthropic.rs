//! Anthropic's dialect: the Messages API.

pub(crate) mod error;
