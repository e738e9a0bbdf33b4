//! OpenAI's dialect: chat and text completions, the Responses API, embeddings.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod request;
pub(crate) mod responses;
pub(crate) mod stream;
pub(crate) mod usage;
