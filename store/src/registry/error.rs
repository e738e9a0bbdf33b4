//! What can go wrong with what is configured.

use std::error::Error;

use thiserror::Error;

use super::audit::Tampered;
use crate::StoreError;
use crate::seal::SealError;

/// Why rows could not be changed or read. Nothing was changed then, but for [`Uncertain`](Self::Uncertain).
#[derive(Debug, Error)]
pub enum RegistryError {
    /// Another row of the kind has the name.
    #[error("the name {name:?} is taken by the {kind} {by:?}")]
    Taken {
        /// The kind.
        kind: String,
        /// The name that was asked for.
        name: String,
        /// The id of the row that has it.
        by: String,
    },
    /// Another row has one of the tokens.
    #[error("a token of the {kind} {id:?} is taken by the {by_kind} {by:?}")]
    TokenTaken {
        /// The kind of the row that was to have it.
        kind: String,
        /// Its id.
        id: String,
        /// The kind of the row that has it.
        by_kind: String,
        /// Its id.
        by: String,
    },
    /// There is one already, where none was expected.
    #[error("there is a {kind} {id:?} already")]
    Exists {
        /// The kind.
        kind: String,
        /// The id.
        id: String,
    },
    /// Somebody else changed it meanwhile.
    #[error("the {kind} {id:?} was changed meanwhile")]
    Stale {
        /// The kind.
        kind: String,
        /// The id.
        id: String,
        /// Its revision now; `None`: it is gone.
        found: Option<u64>,
    },
    /// Somebody else changed something meanwhile, where nobody was expected to.
    #[error("something was changed meanwhile: revision {found} is the last")]
    Moved {
        /// The revision of the last change.
        found: u64,
    },
    /// There is none.
    #[error("there is no {kind} {id:?}")]
    Unknown {
        /// The kind.
        kind: String,
        /// The id.
        id: String,
    },
    /// Something that cannot be kept.
    #[error("the {kind} {id:?} cannot be kept: {why}")]
    Unfit {
        /// The kind.
        kind: String,
        /// The id.
        id: String,
        /// Why not.
        why: Unfit,
    },
    /// The audit log was changed by others.
    #[error("the audit log was tampered with: {0}")]
    Tampered(#[from] Tampered),
    /// Something cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Another process, or another call, did not let go of the database in time.
    #[error("the database is locked by somebody else: try again")]
    Busy,
    /// The connection broke while a change was committed, and what came of it cannot be asked: look before it is made again.
    #[error("the database did not say whether the change was made: look before making it again")]
    Uncertain,
    /// There is no room.
    #[error("the disk of the database is full")]
    DiskFull,
    /// The database cannot be written.
    #[error("the database is read-only")]
    ReadOnly,
    /// The database holds what this program did not write.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The database, in its own words.
    #[error("the database: {0}")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with something that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It cannot be told from others.
    #[error("it has no kind or no id")]
    Nameless,
    /// No database keeps it.
    #[error("a text in it holds the character U+0000")]
    Nul,
    /// It is too long.
    #[error("it is too long: a text may have 16 MiB, a kind 200 bytes")]
    TooLong,
    /// What is no document.
    #[error("its document is not JSON")]
    NotJson,
    /// It is in one change twice.
    #[error("it is named twice in one change")]
    Twice,
    /// A value that only looks sealed, or was sealed for another place or with another key.
    #[error("a value in it looks sealed, but was not sealed for this place with the present encryption key")]
    Seal,
}

impl RegistryError {
    /// Whether it may go well later without anything else being done: the database is out of reach, not the change wrong.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Uncertain | Self::DiskFull | Self::ReadOnly | Self::Database(_) | Self::Store(_)
        )
    }

    pub(crate) fn unfit(kind: &str, id: &str, why: Unfit) -> Self {
        Self::Unfit { kind: kind.to_owned(), id: id.to_owned(), why }
    }
}
