//! OpenAI's dialect: chat and text completions, the Responses API, embeddings.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod fields;
mod queue;
pub(crate) mod request;
pub(crate) mod responses;
pub(crate) mod stream;
mod tool_error;
mod tool_schema;
pub(crate) mod usage;
mod user;
