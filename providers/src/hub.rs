//! The one neutral form of a conversation: what a request asks, what an answer says, whole or piece by piece. Each wire format is
//! read into it and written from it (`openai::chat`, `anthropic::messages` and so on), never from one into another.
//!
//! Texts are kept as JSON has them, escapes and all: most are copied from document to document without being decoded.

use policy::request::{Dialect, Operation};

pub(crate) mod answer;
pub(crate) mod delta;
pub(crate) mod embedding;
pub(crate) mod field;
pub(crate) mod members;
pub(crate) mod part;
pub(crate) mod request;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod stranger;
pub(crate) mod text;

/// A wire format of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI's chat completions, and all that copy them.
    Chat,
    /// OpenAI's Responses API.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Gemini's generateContent.
    Generate,
    /// OpenAI's older text completions.
    Completions,
}

impl Wire {
    /// The format in which an operation is asked for in a dialect. `None`: the operation is no conversation.
    #[must_use]
    pub const fn of(dialect: Dialect, operation: Operation) -> Option<Self> {
        match (dialect, operation) {
            (Dialect::OpenAi, Operation::ChatCompletion) => Some(Self::Chat),
            (Dialect::OpenAi, Operation::Responses) => Some(Self::Responses),
            (Dialect::OpenAi, Operation::TextCompletion) => Some(Self::Completions),
            (Dialect::Anthropic, Operation::ChatCompletion) => Some(Self::Messages),
            (Dialect::Gemini, Operation::ChatCompletion) => Some(Self::Generate),
            _ => None,
        }
    }

    /// The name of the folder of its fixtures, and in errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Generate => "generate",
            Self::Completions => "completions",
        }
    }
}
