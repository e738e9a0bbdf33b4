//! Gemini's dialect: generateContent, streamGenerateContent, embedContent, countTokens.

pub(crate) mod error;
pub(crate) mod request;
