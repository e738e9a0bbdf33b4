//! What matters of a request body, read in one pass and without building the document. Which fields matter, and what lies in
//! them, is each dialect's business (`openai::request` and so on); what is common to all is here and in `draft`.

use policy::decision::{Reason, Refusal};
use policy::demand::Demand;
use policy::request::{Dialect, Operation};
use thiserror::Error;

use crate::draft::Draft;
use crate::json::{JsonError, Kind};
use crate::splice::SplicePoints;
use crate::{anthropic, gemini, openai};

/// What a request body says.
#[derive(Clone, Debug, Default)]
pub struct Peek {
    /// The model that is asked for. `None` for Gemini, which has it in the path.
    pub model: Option<String>,
    /// Whether the answer is to be streamed. Always false for Gemini, which has it in the path.
    pub stream: bool,
    /// The most that it can use.
    pub demand: Demand,
    /// Where the body can be changed.
    pub splices: SplicePoints,
    /// Whether the client itself asked for usage in its stream (`stream_options.include_usage`).
    pub client_wants_usage: bool,
    /// Where else the call may go, from the gateway's own field `fallbacks`: `provider/model`, `provider` or `model`, in order.
    /// `None` where the field is not there.
    pub fallbacks: Option<Vec<String>>,
    /// Whether the vendor is to work on after it has answered (`background` of the Responses API), so that the answer's usage is
    /// not the final one.
    pub is_background: bool,
}

/// A body that cannot be governed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeekError {
    /// It is no JSON text (RFC 8259) in UTF-8.
    #[error("the body is not valid JSON: {message} at byte {offset}")]
    NotJson {
        /// Where, in bytes from the start.
        offset: usize,
        /// What is wrong there.
        message: &'static str,
    },
    /// It is JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field that decides about the request stands there twice, so that two readers could disagree.
    #[error("the field `{0}` appears more than once")]
    DuplicateField(&'static str),
    /// A field has the right letters in the wrong case: some readers would take it, some not.
    #[error("a field is spelt almost like `{0}`; field names are case-sensitive")]
    AlmostField(&'static str),
    /// A field has a value of the wrong type.
    #[error("the field `{field}` must be {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// No model is named.
    #[error("the field `model` is missing")]
    NoModel,
}

impl PeekError {
    /// The refusal that it leads to.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(Reason::InvalidRequest, self.to_string());
        match self {
            Self::NotJson { .. } | Self::NotAnObject => refusal,
            Self::DuplicateField(field) | Self::AlmostField(field) | Self::WrongType { field, .. } => {
                refusal.about(*field)
            }
            Self::NoModel => refusal.about("model"),
        }
    }
}

impl From<JsonError> for PeekError {
    fn from(error: JsonError) -> Self {
        Self::NotJson { offset: error.offset, message: error.message }
    }
}

/// Reads a request body.
///
/// # Errors
/// When it is no JSON object, names no model, or a field that decides about the request is not what it must be.
pub fn peek(dialect: Dialect, operation: Operation, body: &[u8]) -> Result<Peek, PeekError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(PeekError::NotJson { offset: error.valid_up_to(), message: "invalid UTF-8" });
    }
    let mut draft = Draft::new(dialect, operation, body);
    if draft.reader.kind()? != Kind::Object {
        draft.reader.skip()?;
        draft.reader.finish()?;
        return Err(PeekError::NotAnObject);
    }
    match dialect {
        Dialect::OpenAi => draft.body(openai::fields::of(operation), openai::request::read)?,
        Dialect::Anthropic => draft.body(anthropic::request::FIELDS, anthropic::request::read)?,
        Dialect::Gemini => draft.body(gemini::request::FIELDS, gemini::request::read)?,
    }
    let peek = draft.finish();
    if dialect != Dialect::Gemini && peek.model.is_none() {
        return Err(PeekError::NoModel);
    }
    Ok(peek)
}

#[cfg(test)]
mod tests;
