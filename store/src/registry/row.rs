//! What is configured, a row for each entity, and how rows are changed.

use policy::provider::Secret;

use super::RegistryError;
use super::audit::AuditEntry;

/// Who declared an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The configuration file.
    File,
    /// A call to the API.
    Api,
}

/// The SHA-256 of a virtual key's token.
pub type TokenHash = [u8; 32];

/// An entity as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is: `virtual_key`, `team`, ….
    pub kind: String,
    /// Unique among its kind.
    pub id: String,
    /// What it is searched and sorted by.
    pub name: Option<String>,
    /// Whether no other row of the kind may have the name. Upper and lower case are different.
    pub is_name_unique: bool,
    /// All that it declares, as JSON. Secrets in it are sealed for this kind and id.
    pub document: String,
    /// The tokens that a virtual key is called by. No two rows may have the same.
    pub token_hashes: Vec<TokenHash>,
    /// Who declared it.
    pub origin: Origin,
    /// What its entry in the file resolved to, when it was taken from there: see [`file_mac`](super::Registry::file_mac).
    pub file_mac: Option<[u8; 32]>,
    /// Its place among its kind. `None`: it stays where it is; a new one comes last.
    pub order: Option<i64>,
    /// The team that it belongs to.
    pub team_id: Option<String>,
    /// The customer that it belongs to.
    pub customer_id: Option<String>,
}

/// An entity as it is kept, or what is left of a deleted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: String,
    /// Unique among its kind.
    pub id: String,
    /// What it is searched and sorted by; a deleted one keeps it, but does not keep others from having it.
    pub name: Option<String>,
    /// Whether no other row of the kind may have the name.
    pub is_name_unique: bool,
    /// All that it declares, as JSON; empty if it is deleted.
    pub document: String,
    /// The tokens that a virtual key is called by; none if it is deleted.
    pub token_hashes: Vec<TokenHash>,
    /// Who declared it.
    pub origin: Origin,
    /// What its entry in the file resolved to, when it was taken from there.
    pub file_mac: Option<[u8; 32]>,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// Its place among its kind.
    pub order: i64,
    /// When it was made.
    pub created_ms: u64,
    /// When it was changed last.
    pub updated_ms: u64,
    /// The transaction that changed it last.
    pub revision: u64,
    /// The team that it belongs to.
    pub team_id: Option<String>,
    /// The customer that it belongs to.
    pub customer_id: Option<String>,
}

/// What must be so of a row for a change to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    #[default]
    Anything,
    /// There is none, or only a deleted one.
    Absent,
    /// It is as it was when it had this revision: nobody changed it meanwhile.
    Revision(u64),
}

/// An entity that is made or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// What it is to be.
    pub entity: Entity,
    /// What must be so.
    pub expected: Expected,
}

/// An entity that is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What it is.
    pub kind: String,
    /// Which.
    pub id: String,
    /// Whether it is remembered as deleted, with its name, its owner and its file's entry, so that the file does not bring it back.
    pub is_remembered: bool,
    /// What must be so.
    pub expected: Expected,
}

/// Changes that are made together or not at all, and who made them. No row is named twice in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// When.
    pub at_ms: u64,
    /// Entities that are made or replaced. Names and tokens may change hands among them.
    pub puts: Vec<Put>,
    /// Entities that are taken away.
    pub removals: Vec<Removal>,
    /// What is to be read of it in the audit log, in this order.
    pub audit: Vec<AuditEntry>,
    /// Secrets in the place of those that are [kept](super::Registry::keep) by name. Where none is kept, none is from now on.
    pub secrets: Vec<(String, Secret)>,
}

/// That it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision that the changed rows have now; the present one if no row was changed.
    pub revision: u64,
}

/// Why changes that were to be made together were not.
#[derive(Debug)]
pub struct Refused {
    /// Which one is at fault; `None`: none, but the database.
    pub at: Option<usize>,
    /// What is wrong.
    pub error: RegistryError,
}

/// Rows that were changed after some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// How far it goes: what to ask from next time.
    pub revision: u64,
    /// Each changed row as it is now, in the order of the last changes. One that is gone for good is told as deleted.
    pub rows: Vec<Row>,
}

/// What rows are sorted by. Those that are equal are sorted by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The name, by its bytes; rows without one come first.
    #[default]
    Name,
    /// When they were made.
    Created,
    /// When they were changed.
    Updated,
}

/// A text that stands in a field of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldIs {
    /// The field. It becomes part of a statement, and so it is no text from outside.
    pub name: &'static str,
    /// What stands there.
    pub text: String,
    /// What stands there where nothing does.
    pub absent: &'static str,
}

/// Which rows are wanted. Deleted ones never are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this kind.
    pub kind: String,
    /// With this in their name or id; upper and lower case of ASCII letters are the same.
    pub search: Option<String>,
    /// Of this team.
    pub team_id: Option<String>,
    /// Of this customer.
    pub customer_id: Option<String>,
    /// With these texts in fields of their documents.
    pub fields: Vec<FieldIs>,
    /// In this order.
    pub sort: Sort,
    /// The other way round.
    pub is_descending: bool,
    /// No more than so many.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u64,
}

impl Row {
    /// A row that will be there. What is not said by the entity is taken from the row before it.
    pub(super) fn of(entity: &Entity, before: Option<&Self>, order: i64, at_ms: u64, revision: u64) -> Self {
        let created_ms = before.filter(|row| !row.is_deleted).map_or(at_ms, |row| row.created_ms);
        Self {
            kind: entity.kind.clone(),
            id: entity.id.clone(),
            name: entity.name.clone(),
            is_name_unique: entity.is_name_unique,
            document: entity.document.clone(),
            token_hashes: entity.token_hashes.clone(),
            origin: entity.origin,
            file_mac: entity.file_mac,
            is_deleted: false,
            order,
            created_ms,
            updated_ms: at_ms,
            revision,
            team_id: entity.team_id.clone(),
            customer_id: entity.customer_id.clone(),
        }
    }

    /// The same as it is remembered when it is deleted.
    pub(super) fn deleted(self, at_ms: u64, revision: u64) -> Self {
        let (document, token_hashes) = (String::new(), Vec::new());
        Self { document, token_hashes, is_deleted: true, updated_ms: at_ms, revision, ..self }
    }

    /// What is told of one that is gone for good.
    pub(crate) fn gone(kind: String, id: String, at_ms: u64, revision: u64) -> Self {
        Self {
            kind,
            id,
            name: None,
            is_name_unique: false,
            document: String::new(),
            token_hashes: Vec::new(),
            origin: Origin::Api,
            file_mac: None,
            is_deleted: true,
            order: 0,
            created_ms: at_ms,
            updated_ms: at_ms,
            revision,
            team_id: None,
            customer_id: None,
        }
    }

    /// The name that no other row may have.
    pub(crate) fn unique_name(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.is_name_unique && !self.is_deleted)
    }
}
