//! What is wrong with an expression, and where.

use cel::ParseErrors;
use thiserror::Error;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at character {at}: {message}")]
pub struct ExprError {
    /// The character at which it is wrong, from 1.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl ExprError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// The first of the parser's errors. It tells line and column, both from 1.
pub(super) fn of_parser(text: &str, errors: &ParseErrors) -> ExprError {
    let Some(first) = errors.errors.first() else { return ExprError::new(1, "is no expression") };
    let line = usize::try_from(first.pos.0).unwrap_or(0).saturating_sub(1);
    let column = usize::try_from(first.pos.1).unwrap_or(0).max(1);
    let before: usize = text.split_inclusive('\n').take(line).map(|line| line.chars().count()).sum();
    let most = text.chars().count() + 1;
    ExprError::new((before + column).min(most), shortened(&first.msg))
}

/// The parser quotes what it read, which may be all of it.
fn shortened(message: &str) -> String {
    const MOST: usize = 200;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}
