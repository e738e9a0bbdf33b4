//! Entities as they are shown.

use policy::declare::entity::Kind;
use policy::provider::Secret;
use store::registry::Row;

use super::secrets;

/// An entity as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub id: Box<str>,
    /// What it declares, as JSON in the normal form. Secrets are shown as [`REDACTED`](super::REDACTED).
    pub document: String,
    /// Whether the file declares it.
    pub is_from_file: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_ms: u64,
    /// The revision that changed it last.
    pub revision: u64,
}

/// An entity that was just made.
#[derive(Debug)]
pub struct Created {
    /// The entity.
    pub entry: Entry,
    /// The token of a new virtual key: it is shown now, and later only to who may have it revealed.
    pub token: Option<Secret>,
}

impl Entry {
    pub(super) fn of(kind: Kind, row: Row) -> Self {
        Self {
            kind,
            document: secrets::redacted(kind, &row.document),
            id: row.id.into(),
            is_from_file: row.file_mac.is_some(),
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            revision: row.revision,
        }
    }
}
