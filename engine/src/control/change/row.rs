//! Rows of a change: what stands in them beside the document.

use policy::declare::entity::{Kind, Shape};
use policy::declare::{Problem, Severity};
use policy::key::TokenHash;
use policy::provider::Secret;
use policy::snapshot::Snapshot;
use serde_json::Value;
use store::registry::{Entity, Origin, Row};

use super::super::{ControlError, Entry, secrets};

/// Where an entity comes from.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Source {
    pub(in super::super) origin: Origin,
    pub(in super::super) file_mac: Option<[u8; 32]>,
    /// Its place among its kind; `None`: where it was, or last.
    pub(in super::super) order: Option<u32>,
}

impl Source {
    /// Of an entity that a call changes. What the file said of it is remembered: as long as that is the same, the call's word counts.
    pub(in super::super) fn of(before: Option<&Row>) -> Self {
        Self { origin: Origin::Api, file_mac: before.and_then(|row| row.file_mac), order: None }
    }
}

/// What is to be kept of an entity with this document, in which secrets are sealed.
pub(super) fn entity(
    (kind, id): (Kind, &str),
    document: String,
    before: Option<&Row>,
    source: Source,
    order: i64,
    token_hashes: Vec<[u8; 32]>,
) -> Entity {
    let text = |field: &str| text_of(&document, field);
    Entity {
        kind: kind.as_str().to_owned(),
        id: id.to_owned(),
        name: if kind == Kind::Provider { Some(id.to_owned()) } else { text("name") },
        is_name_unique: is_name_unique(kind, before, source),
        token_hashes,
        origin: source.origin,
        file_mac: source.file_mac,
        order: Some(order),
        team_id: text("team_id"),
        customer_id: text("customer_id"),
        document,
    }
}

/// The same as it is shown, but for its revision.
pub(super) fn entry(kind: Kind, entity: &Entity, before: Option<&Row>, at_ms: u64) -> Entry {
    Entry {
        kind,
        id: entity.id.as_str().into(),
        document: secrets::redacted(kind, &entity.document),
        is_from_file: entity.file_mac.is_some(),
        created_ms: before.map_or(at_ms, |row| row.created_ms),
        updated_ms: at_ms,
        revision: 0,
    }
}

/// Names that a call gives must be unique where people go by them; files have never been held to that.
fn is_name_unique(kind: Kind, before: Option<&Row>, source: Source) -> bool {
    match before {
        Some(row) => row.is_name_unique,
        None => source.origin == Origin::Api && matches!(kind, Kind::VirtualKey | Kind::Team),
    }
}

pub(super) fn kind_of(row: &Row) -> Result<Kind, ControlError> {
    row.kind.parse().map_err(|()| ControlError::internal(format!("no such kind: {}", row.kind)))
}

pub(super) fn tokens_of(shape: &Shape) -> Vec<[u8; 32]> {
    match shape {
        Shape::VirtualKey(key) => key.tokens().iter().map(TokenHash::to_bytes).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn place(order: i64) -> u32 {
    u32::try_from(order).unwrap_or(u32::MAX)
}

/// The id of an entity that is to be made: the body's, or a new one.
pub(in super::super) fn id_of(kind: Kind, body: &str) -> Result<String, ControlError> {
    let field = kind.id_field().unwrap_or("name");
    match text_of(body, field) {
        Some(id) => Ok(id),
        None if matches!(kind.id_field(), Some("id")) => Ok(new_id()),
        None => Err(ControlError::Invalid(vec![problem(field, "required, but missing")])),
    }
}

/// An error about a field of a body.
pub(in super::super) fn problem(path: &str, message: &str) -> Problem {
    Problem { path: path.to_owned(), severity: Severity::Error, message: message.to_owned(), value: None }
}

/// A token for a virtual key: the prefix, and 192 random bits.
pub(in super::super) fn new_token(snapshot: &Snapshot) -> Result<Secret, ControlError> {
    Ok(store::seal::token(&snapshot.settings().key_prefix)?)
}

/// An id as others make them: 32 hexadecimal digits in five groups. It is no secret.
fn new_id() -> String {
    let digits = format!("{:032x}", fastrand::u128(..));
    let groups: Vec<_> = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .into_iter()
        .filter_map(|(from, to)| digits.get(from..to))
        .collect();
    groups.join("-")
}

fn text_of(document: &str, field: &str) -> Option<String> {
    let value: Value = serde_json::from_str(document).ok()?;
    Some(value.get(field)?.as_str()?.to_owned()).filter(|text| !text.is_empty())
}
