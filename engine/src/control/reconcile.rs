//! The configuration file and what is kept. Each entity knows its owner, and what its entry in the file resolved to when it was taken
//! from there: as long as that is the same, what is kept stands, edits by calls among it; when it differs, the file wins.

mod displaced;

use std::collections::HashMap;
use std::sync::Arc;

use policy::declare::entity::{Entity, Kind, Written};
use policy::provider::Secret;
use serde_json::Value;
use store::registry::{Origin, Registry, RegistryError, Row};

use super::change::{Draft, Drafted, Source};
use super::{Actor, ActorKind, Control, ControlError, Env, Kept, load, secrets, turn};

pub use displaced::Displaced;

/// So often it is taken over anew because another process was quicker.
const TRIES: u32 = 10;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Entities that were made or replaced.
    pub put: usize,
    /// Entities that were removed.
    pub removed: usize,
    /// Entities that are gone from it and cannot be removed.
    pub still_named: Vec<StillNamed>,
    /// Limits of models that calls made, where the file limits the same model now.
    pub displaced: Vec<Displaced>,
}

/// An entity that is gone from the file, and that something names that a call made. It stays until nothing does: a virtual key
/// opens nothing meanwhile, all else is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillNamed {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub id: String,
    /// Who names it, in words.
    pub why: String,
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
    /// It is gone from the file, and stays because something names it that a call made. A virtual key opens nothing.
    StillNamed,
}

/// Takes over what has changed in the file since it was last taken over. Gives the policy as it is kept then.
///
/// # Errors
/// When an entity cannot be put in force, or it cannot be kept: then nothing is changed.
pub fn reconcile(
    registry: &Registry,
    env: Env,
    mut kept: Kept,
    file: &FilePolicy,
    at_ms: u64,
) -> Result<(Kept, Reconciled), ControlError> {
    let actor = Actor { name: &file.name, kind: ActorKind::File, address: "" };
    let mut tries = 0;
    loop {
        let base = kept.position.revision();
        let catalog = Arc::clone(kept.snapshot.catalog());
        let mut draft = Draft::begin((registry, env), kept, actor, "update", at_ms);
        let done = take_over(&mut draft, registry, file)?;
        let Drafted { kept: mut next, write, .. } = draft.done();
        match turn::commit(registry, base, &write) {
            Ok(revision) => {
                next.position.revision = revision;
                return Ok((next, done));
            }
            // Another gateway starts at the same time.
            Err(RegistryError::Moved { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
        kept = load(registry, catalog, env).map_err(|error| ControlError::internal(error.to_string()))?;
    }
}

impl Control {
    /// Takes over what has changed in the file, and puts it in force.
    ///
    /// # Errors
    /// When an entity cannot be put in force, or it cannot be kept: then nothing is changed.
    pub fn reconcile(&self, file: &FilePolicy) -> Result<Reconciled, ControlError> {
        let actor = Actor { name: &file.name, kind: ActorKind::File, address: "" };
        self.alone(&actor, "update", |draft| take_over(draft, &self.0.parts.registry, file))
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
        (Origin::File, false, false) => Some(DriftKind::StillNamed),
        _ => None,
    }
}

/// What the file declares, and what is kept of it.
struct Entries<'a> {
    registry: &'a Registry,
    file: &'a FilePolicy,
    wanted: HashMap<(&'a str, &'a str), &'a Entity>,
    rows: HashMap<(String, String), Row>,
}

impl Entries<'_> {
    fn row(&self, entity: &Entity) -> Option<&Row> {
        self.rows.get(&(entity.kind.as_str().to_owned(), entity.id.to_string()))
    }

    /// What its entry in the file resolved to.
    fn mac(&self, entity: &Entity) -> [u8; 32] {
        self.registry.file_mac(entity.kind.as_str(), &entity.id, entity.resolved.reveal().as_bytes())
    }
}

fn take_over(draft: &mut Draft<'_>, registry: &Registry, file: &FilePolicy) -> Result<Reconciled, ControlError> {
    let wanted: HashMap<(&str, &str), &Entity> =
        file.entities.iter().map(|one| ((one.kind.as_str(), &*one.id), one)).collect();
    let mut entries = Entries { registry, file, wanted, rows: HashMap::new() };
    let mut gone = Vec::new();
    registry.load(&mut |row| {
        if entries.wanted.contains_key(&(&*row.kind, &*row.id)) {
            entries.rows.insert((row.kind.clone(), row.id.clone()), row);
        } else if !row.is_deleted && (is_of_file(&row) || file.is_only_source) {
            gone.push(row);
        }
    })?;
    let mut done = Reconciled::default();
    let late = revoke_keys(draft, gone, &mut done)?;
    for entity in &file.entities {
        let mac = entries.mac(entity);
        if entries.row(entity).is_none_or(|row| row.file_mac != Some(mac)) {
            put(draft, &entries, entity, &mut done)?;
        }
    }
    displaced::settle(draft, &entries, &late, &mut done)?;
    late.iter().try_for_each(|row| remove(draft, row, &mut done))?;
    Ok(done)
}

/// Whether the file declares it, or did when it was last in it.
fn is_of_file(row: &Row) -> bool {
    row.file_mac.is_some() || row.origin == Origin::File
}

/// Removes the keys among what is gone, and gives the rest in the order in which it can be removed. Keys come first: another one may
/// have the token of one that is gone. One that something names, which perhaps goes too, opens nothing from here on.
fn revoke_keys(draft: &mut Draft<'_>, gone: Vec<Row>, done: &mut Reconciled) -> Result<Vec<Row>, ControlError> {
    let (keys, mut late): (Vec<_>, Vec<_>) = gone.into_iter().partition(|row| row.kind == Kind::VirtualKey.as_str());
    for row in keys {
        match draft.remove(&row) {
            Ok(()) => done.removed += 1,
            Err(ControlError::Contradiction(_)) => {
                draft.revoke(&row)?;
                late.push(row);
            }
            Err(error) => return Err(error),
        }
    }
    late.sort_by_key(|row| std::cmp::Reverse(row.kind.parse::<Kind>().ok()));
    Ok(late)
}

/// Removes what is gone from the file. What something names that a call made stays, as nobody's; a key of that kind opens nothing.
fn remove(draft: &mut Draft<'_>, row: &Row, done: &mut Reconciled) -> Result<(), ControlError> {
    match draft.remove(row) {
        Ok(()) => done.removed += 1,
        Err(ControlError::Contradiction(why)) => {
            draft.disown(row)?;
            let kind = row.kind.parse().map_err(|()| ControlError::internal("no such kind"))?;
            done.still_named.push(StillNamed { kind, id: row.id.clone(), why: why.to_string() });
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn put(
    draft: &mut Draft<'_>,
    entries: &Entries<'_>,
    entity: &Entity,
    done: &mut Reconciled,
) -> Result<(), ControlError> {
    let source = Source { origin: Origin::File, file_mac: Some(entries.mac(entity)), order: Some(entity.order) };
    let before = entries.row(entity).filter(|row| !row.is_deleted);
    let document = with_token(entity, entries.file, before);
    let written = Written { kind: entity.kind, id: entity.id.clone(), document, at: String::new() };
    draft.put(&written, before, source)?;
    done.put += 1;
    Ok(())
}

/// A virtual key to which the file gives no token has those that a call gave it, or the one that was made for it.
fn with_token(entity: &Entity, file: &FilePolicy, before: Option<&Row>) -> String {
    let read = serde_json::from_str(&entity.document);
    let (Ok(Value::Object(mut fields)), Kind::VirtualKey) = (read, entity.kind) else { return entity.document.clone() };
    if fields.get("value").is_some_and(|value| !value.is_null()) {
        return entity.document.clone();
    }
    if let Some(tokens) = before.and_then(secrets::tokens_of_calls) {
        fields.extend(tokens);
    } else if let Some(token) = file.tokens.get(&*entity.id) {
        fields.insert("value".to_owned(), Value::String(token.reveal().to_owned()));
    }
    Value::Object(fields).to_string()
}
