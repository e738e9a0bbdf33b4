//! Gemini's dialect: generateContent, streamGenerateContent, embedContent, countTokens.

pub(crate) mod embed;
pub(crate) mod error;
pub(crate) mod generate;
pub(crate) mod request;
pub(crate) mod stream;
pub(crate) mod usage;
