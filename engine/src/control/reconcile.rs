//! The configuration file and what is kept. Each entity knows its owner, and what its entry in the file resolved to when it was taken
//! from there: as long as that is the same, what is kept stands, edits by calls among it; when it differs, the file wins.

use std::collections::HashMap;

use policy::declare::entity::{Entity, Kind, Written};
use policy::provider::Secret;
use policy::snapshot::Snapshot;
use serde_json::Value;
use store::registry::{Origin, Registry, Row};

use super::change::{Draft, Source};
use super::{Actor, ActorKind, Control, ControlError, Env};

/// What a configuration file declares.
#[derive(Debug)]
pub struct FilePolicy {
    /// Its name, for the audit log.
    pub name: String,
    /// Its entities, as [`policy::declare::entity::split`] gives them.
    pub entities: Vec<Entity>,
    /// The tokens of virtual keys that it gives none, by id.
    pub tokens: HashMap<String, Secret>,
    /// Whether what it does not declare is removed, whoever made it.
    pub is_only_source: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Entities that were made or replaced.
    pub put: usize,
    /// Entities that were removed.
    pub removed: usize,
}

/// Where what is kept is not what the file declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub id: String,
    /// How it differs.
    pub what: DriftKind,
}

/// How what is kept differs from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftKind {
    /// It was taken from the file, and changed by a call since.
    EditedByApi,
    /// It is in the file, and was deleted by a call.
    DeletedByApi,
    /// A call made it; the file does not know it.
    OnlyInStore,
}

/// Takes over what has changed in the file since it was last taken over. Gives the policy and its revision then.
///
/// # Errors
/// When an entity cannot be put in force, or it cannot be kept: then nothing is changed.
pub fn reconcile(
    registry: &Registry,
    env: Env,
    (snapshot, revision): (Snapshot, u64),
    file: &FilePolicy,
    at_ms: u64,
) -> Result<(Snapshot, u64, Reconciled), ControlError> {
    let actor = Actor { name: &file.name, kind: ActorKind::File, address: "" };
    let mut draft = Draft::begin((registry, env), snapshot, &actor, "update", at_ms);
    let done = take_over(&mut draft, registry, file)?;
    let kept = draft.keep()?;
    Ok((kept.snapshot, kept.revision.unwrap_or(revision), done))
}

impl Control {
    /// Takes over what has changed in the file, and puts it in force.
    ///
    /// # Errors
    /// When an entity cannot be put in force, or it cannot be kept: then nothing is changed.
    pub fn reconcile(&self, file: &FilePolicy) -> Result<Reconciled, ControlError> {
        let mut turn = self.0.turn.lock();
        self.catch_up(&mut turn)?;
        let actor = Actor { name: &file.name, kind: ActorKind::File, address: "" };
        let mut draft = self.draft(&actor, "update");
        let done = take_over(&mut draft, &self.0.parts.registry, file)?;
        self.finish(draft, &mut turn)?;
        Ok(done)
    }

    /// Where what is kept is not what a file declares.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn drift(&self) -> Result<Vec<Drift>, ControlError> {
        let registry = &self.0.parts.registry;
        let mut found = Vec::new();
        registry.load(&mut |row| {
            let (Ok(kind), Some(what)) = (row.kind.parse(), drift_of(&row)) else { return };
            found.push(Drift { kind, id: row.id, what });
        })?;
        Ok(found)
    }
}

/// The origin of a row is who changed it last.
fn drift_of(row: &Row) -> Option<DriftKind> {
    match (row.origin, row.is_deleted, row.file_mac.is_some()) {
        (_, true, true) => Some(DriftKind::DeletedByApi),
        (Origin::Api, false, true) => Some(DriftKind::EditedByApi),
        (Origin::Api, false, false) => Some(DriftKind::OnlyInStore),
        _ => None,
    }
}

fn take_over(draft: &mut Draft<'_>, registry: &Registry, file: &FilePolicy) -> Result<Reconciled, ControlError> {
    let wanted: HashMap<(&str, &str), &Entity> =
        file.entities.iter().map(|one| ((one.kind.as_str(), &*one.id), one)).collect();
    let mut rows: HashMap<(String, String), Row> = HashMap::new();
    let mut gone = Vec::new();
    registry.load(&mut |row| {
        if wanted.contains_key(&(&*row.kind, &*row.id)) {
            rows.insert((row.kind.clone(), row.id.clone()), row);
        } else if !row.is_deleted && (row.file_mac.is_some() || file.is_only_source) {
            gone.push(row);
        }
    })?;
    // Keys first: another one may have the token of one that is gone.
    let (keys, others): (Vec<_>, Vec<_>) = gone.into_iter().partition(|row| row.kind == Kind::VirtualKey.as_str());
    let mut late = Vec::new();
    for row in keys {
        match draft.remove(&row) {
            Err(ControlError::Contradiction(_)) => late.push(row),
            done => done?,
        }
    }
    for entity in &file.entities {
        let row = rows.get(&(entity.kind.as_str().to_owned(), entity.id.to_string()));
        let mac = registry.file_mac(entity.kind.as_str(), &entity.id, entity.resolved.reveal().as_bytes());
        if row.is_none_or(|row| row.file_mac != Some(mac)) {
            put(draft, file, entity, row, mac)?;
        }
    }
    late.extend(others);
    late.sort_by_key(|row| std::cmp::Reverse(row.kind.parse::<Kind>().ok()));
    late.iter().try_for_each(|row| draft.remove(row))?;
    let (put, removed) = draft.counts();
    Ok(Reconciled { put, removed })
}

fn put(
    draft: &mut Draft<'_>,
    file: &FilePolicy,
    entity: &Entity,
    row: Option<&Row>,
    mac: [u8; 32],
) -> Result<(), ControlError> {
    let source = Source { origin: Origin::File, file_mac: Some(mac), order: Some(entity.order) };
    let before = row.filter(|row| !row.is_deleted);
    let document = with_token(entity, file);
    let written = Written { kind: entity.kind, id: entity.id.clone(), document, at: String::new() };
    draft.put(&written, before, source).map(drop)
}

/// A virtual key to which the file gives no token has the one that was made for it.
fn with_token(entity: &Entity, file: &FilePolicy) -> String {
    let token = file.tokens.get(&*entity.id).filter(|_| entity.kind == Kind::VirtualKey);
    let Some(token) = token else { return entity.document.clone() };
    match serde_json::from_str(&entity.document) {
        Ok(Value::Object(mut fields)) if fields.get("value").is_none_or(Value::is_null) => {
            fields.insert("value".to_owned(), Value::String(token.reveal().to_owned()));
            Value::Object(fields).to_string()
        }
        _ => entity.document.clone(),
    }
}
