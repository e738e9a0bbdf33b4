//! Why the policy was not changed, or cannot be read. Nothing was changed then.

use policy::declare::Problem;
use policy::declare::entity::Kind;
use store::seal::SealError;
use store::{RegistryError, StoreError};
use thiserror::Error;

use crate::compile::{CompileError, EditError};

/// Why the policy was not changed, or cannot be read.
#[derive(Clone, Debug, Error)]
pub enum ControlError {
    /// What was written is wrong.
    #[error("{}", .0.first().map_or_else(|| "what was written is wrong".to_owned(), ToString::to_string))]
    Invalid(Vec<Problem>),
    /// It contradicts something else.
    #[error(transparent)]
    Contradiction(#[from] CompileError),
    /// There is none.
    #[error("there is no {} `{id}`", .kind.label())]
    NotFound {
        /// The kind.
        kind: Kind,
        /// The id.
        id: String,
    },
    /// There is one already.
    #[error("there is a {} `{id}` already", .kind.label())]
    Exists {
        /// The kind.
        kind: Kind,
        /// The id.
        id: String,
    },
    /// Another one has the name or the token.
    #[error("{0}")]
    Taken(String),
    /// It cannot be changed at all.
    #[error("{0}")]
    ReadOnly(String),
    /// The database cannot be used at present.
    #[error("the configuration store cannot be used at present: {0}")]
    Unavailable(String),
    /// What is kept cannot be used.
    #[error("{0}")]
    Internal(String),
}

impl ControlError {
    pub(super) fn not_found(kind: Kind, id: &str) -> Self {
        Self::NotFound { kind, id: id.to_owned() }
    }

    pub(super) fn internal(why: impl Into<String>) -> Self {
        Self::Internal(why.into())
    }
}

impl From<Vec<Problem>> for ControlError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Invalid(problems)
    }
}

impl From<EditError> for ControlError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Wrong(problems) => Self::Invalid(problems),
            EditError::Compile(error) => Self::Contradiction(error),
        }
    }
}

impl From<RegistryError> for ControlError {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Taken { .. } | RegistryError::TokenTaken { .. } => Self::Taken(text),
            RegistryError::Unfit { .. } => Self::ReadOnly(text),
            // Another process changes it all the time.
            RegistryError::Moved { .. } => Self::Unavailable(text),
            _ if error.is_unavailable() => Self::Unavailable(text),
            _ => Self::Internal(text),
        }
    }
}

impl From<SealError> for ControlError {
    fn from(error: SealError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
