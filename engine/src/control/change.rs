//! A change in the making: what is to be in force, and what is to be kept of it.

use policy::declare::entity::{Kind, Normalised, Placed, Shape, Written, read_entity};
use policy::declare::{Problem, Severity};
use policy::id::BudgetId;
use policy::key::TokenHash;
use policy::provider::Secret;
use policy::snapshot::Snapshot;
use serde_json::Value;
use store::registry::{AuditEntry, Entity, Expected, Origin, Put, Registry, Removal, Row, Write};
use store::seal::Seal;

use super::{Actor, ControlError, Env, password, secrets, vocabulary};
use crate::compile::{self, edit, release};

/// Entities that are made by the API come after those of the file.
const AFTER_FILE: i64 = 1 << 20;

/// A change in the making.
pub(super) struct Draft<'a> {
    registry: &'a Registry,
    env: Env,
    seal: Seal,
    actor: &'a Actor<'a>,
    action: &'static str,
    /// What is in force once it is done.
    snapshot: Snapshot,
    budgets: Vec<BudgetId>,
    write: Write,
}

/// Where an entity comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) file_mac: Option<[u8; 32]>,
    /// Its place among its kind; `None`: where it was, or last.
    pub(super) order: Option<u32>,
}

impl<'a> Draft<'a> {
    pub(super) fn begin(
        (registry, env): (&'a Registry, Env),
        snapshot: Snapshot,
        actor: &'a Actor<'a>,
        action: &'static str,
        at_ms: u64,
    ) -> Self {
        let write = Write { at_ms, ..Write::default() };
        Self { registry, env, seal: registry.seal(), actor, action, snapshot, budgets: Vec::new(), write }
    }

    /// Puts an entity with its limits. A virtual key without a token gets one, which is given back.
    pub(super) fn put_all(
        &mut self,
        mut normalised: Normalised,
        before: Option<&Row>,
    ) -> Result<Option<Secret>, ControlError> {
        let entity = &mut normalised.entity;
        let token = self.token_for(entity, before)?;
        if entity.kind == Kind::VirtualKey {
            // It is told by its hash, which is in what is kept alone.
            entity.document = secrets::sealed(&self.seal, entity.kind, &entity.id, &entity.document)?;
        }
        let old = before.map(|row| self.shape_of(row)).transpose()?;
        let order = self.order(before, Source::of(before));
        let edited = edit(&self.snapshot, normalised, place(order), old.as_ref(), &self.env, &vocabulary())?;
        self.snapshot = edited.snapshot;
        let tokens = tokens_of(&edited.shape);
        let last = edited.written.len().saturating_sub(1);
        for (at, written) in edited.written.iter().enumerate() {
            if at == last {
                self.keep_row(written, before, Source::of(before), order, tokens.clone())?;
            } else {
                let row = self.registry.get(written.kind.as_str(), &written.id)?;
                let order = self.order(row.as_ref(), Source::of(None));
                self.keep_row(written, row.as_ref(), Source::of(row.as_ref()), order, Vec::new())?;
            }
        }
        self.take_rows_of(&edited.removed)?;
        Ok(token)
    }

    fn token_for(&self, entity: &mut Written, before: Option<&Row>) -> Result<Option<Secret>, ControlError> {
        if entity.kind != Kind::VirtualKey || before.is_some() {
            return Ok(None);
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&entity.document) else { return Ok(None) };
        let token = new_token(&self.snapshot)?;
        fields.insert("value".to_owned(), Value::String(token.reveal().to_owned()));
        entity.document = Value::Object(fields).to_string();
        Ok(Some(token))
    }

    /// Puts one entity. `before` is its row, if there is one that is not deleted.
    pub(super) fn put(&mut self, new: &Written, before: Option<&Row>, source: Source) -> Result<(), ControlError> {
        let kept = secrets::sealed(&self.seal, new.kind, &new.id, &new.document)?;
        let readable = if new.kind == Kind::VirtualKey { &kept } else { &new.document };
        let order = self.order(before, source);
        let placed = Placed { shape: self.read(new.kind, &new.id, readable)?, order: place(order) };
        let old = before.map(|row| self.shape_of(row)).transpose()?;
        self.snapshot = compile::put(&self.snapshot, &placed, old.as_ref())?;
        self.keep_row(new, before, source, order, tokens_of(&placed.shape))
    }

    /// Keeps what an entity is to be, and tells the audit log of it.
    fn keep_row(
        &mut self,
        new: &Written,
        before: Option<&Row>,
        source: Source,
        order: i64,
        token_hashes: Vec<[u8; 32]>,
    ) -> Result<(), ControlError> {
        let (kind, id) = (new.kind, &*new.id);
        let document = secrets::sealed(&self.seal, kind, id, &password::hashed(kind, &new.document)?)?;
        let text = |field: &str| text_of(&document, field);
        let entity = Entity {
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
        };
        let action = if before.is_some() { "update" } else { "create" };
        self.tell(action, kind, id, before.map(|row| &*row.document), Some(&entity.document));
        let expected = before.map_or(Expected::Absent, |row| Expected::Revision(row.revision));
        self.write.puts.push(Put { entity, expected });
        self.budgets.extend((kind == Kind::Budget).then(|| BudgetId::from(id)));
        Ok(())
    }

    /// Removes an entity.
    pub(super) fn remove(&mut self, row: &Row) -> Result<(), ControlError> {
        let shape = self.shape_of(row)?;
        self.snapshot = compile::remove(&self.snapshot, &shape)?;
        self.take_row(row);
        Ok(())
    }

    /// Removes those limits that nothing names any more.
    pub(super) fn remove_unused(&mut self, limits: Vec<(Kind, Box<str>)>) -> Result<(), ControlError> {
        let released = release(&mut self.snapshot, limits);
        self.take_rows_of(&released)
    }

    fn take_rows_of(&mut self, removed: &[(Kind, Box<str>)]) -> Result<(), ControlError> {
        for (kind, id) in removed {
            if let Some(row) = self.registry.get(kind.as_str(), id)? {
                self.take_row(&row);
            }
        }
        Ok(())
    }

    fn take_row(&mut self, row: &Row) {
        let Ok(kind) = row.kind.parse() else { return };
        self.tell("delete", kind, &row.id, Some(&row.document), None);
        self.write.removals.push(Removal {
            kind: row.kind.clone(),
            id: row.id.clone(),
            is_remembered: row.file_mac.is_some() && self.actor.kind != super::ActorKind::File,
            expected: Expected::Revision(row.revision),
        });
    }

    /// Tells the audit log of something that changes no entity.
    pub(super) fn tell_only(mut self, kind: &str, id: &str) -> Result<u64, ControlError> {
        let entry = AuditEntry { kind: kind.to_owned(), entity_id: id.to_owned(), ..self.entry(self.action) };
        self.write.audit.push(entry);
        Ok(self.registry.commit(&self.write)?.revision)
    }

    /// Keeps it, and gives what is to be in force then.
    pub(super) fn keep(self) -> Result<Kept, ControlError> {
        let Self { registry, snapshot, budgets, write, .. } = self;
        let is_empty = write.puts.is_empty() && write.removals.is_empty();
        let revision = if is_empty { None } else { Some(registry.commit(&write)?.revision) };
        Ok(Kept { revision, snapshot, budgets })
    }

    /// Whether there is anything to be done.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.write.puts.len(), self.write.removals.len())
    }

    fn order(&self, before: Option<&Row>, source: Source) -> i64 {
        let last = AFTER_FILE + i64::try_from(self.write.at_ms / 1_000).unwrap_or(0);
        source.order.map(i64::from).or_else(|| before.map(|row| row.order)).unwrap_or(last)
    }

    fn read(&self, kind: Kind, id: &str, document: &str) -> Result<Shape, Vec<Problem>> {
        Ok(read_entity(kind, id, document, self.env, &self.snapshot, &vocabulary())?.0)
    }

    /// What a row declares.
    pub(super) fn shape_of(&self, row: &Row) -> Result<Shape, ControlError> {
        let kind = row.kind.parse().map_err(|()| ControlError::internal(format!("no such kind: {}", row.kind)))?;
        Ok(self.read(kind, &row.id, &secrets::opened(&self.seal, row)?)?)
    }

    fn tell(&mut self, action: &str, kind: Kind, id: &str, before: Option<&str>, after: Option<&str>) {
        let shown = |document: Option<&str>| document.map(|document| secrets::redacted(kind, document));
        let action = if self.action == "create" || self.action == "update" { action } else { self.action };
        self.write.audit.push(AuditEntry {
            kind: kind.as_str().to_owned(),
            entity_id: id.to_owned(),
            before: shown(before),
            after: shown(after),
            ..self.entry(action)
        });
    }

    fn entry(&self, action: &str) -> AuditEntry {
        AuditEntry {
            at_ms: self.write.at_ms,
            actor: self.actor.name.to_owned(),
            actor_kind: self.actor.kind.as_str().to_owned(),
            address: self.actor.address.to_owned(),
            action: action.to_owned(),
            ..AuditEntry::default()
        }
    }
}

/// What was kept.
pub(super) struct Kept {
    /// The revision that it has; `None`: nothing was changed.
    pub(super) revision: Option<u64>,
    /// What it makes of the policy.
    pub(super) snapshot: Snapshot,
    /// The budgets that are new or different.
    pub(super) budgets: Vec<BudgetId>,
}

impl Source {
    /// Of an entity that a call changes. What the file said of it is remembered: as long as that is the same, the call's word counts.
    pub(super) fn of(before: Option<&Row>) -> Self {
        Self { origin: Origin::Api, file_mac: before.and_then(|row| row.file_mac), order: None }
    }
}

/// The id of an entity that is to be made: the body's, or a new one.
pub(super) fn id_of(kind: Kind, body: &str) -> Result<String, ControlError> {
    let field = kind.id_field().unwrap_or("name");
    match text_of(body, field) {
        Some(id) => Ok(id),
        None if matches!(kind.id_field(), Some("id")) => Ok(new_id()),
        None => Err(ControlError::Invalid(vec![problem(field, "required, but missing")])),
    }
}

/// An error about a field of a body.
pub(super) fn problem(path: &str, message: &str) -> Problem {
    Problem { path: path.to_owned(), severity: Severity::Error, message: message.to_owned(), value: None }
}

/// A token for a virtual key: the prefix, and 192 random bits.
pub(super) fn new_token(snapshot: &Snapshot) -> Result<Secret, ControlError> {
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

/// Names that a call gives must be unique where people go by them; files have never been held to that.
fn is_name_unique(kind: Kind, before: Option<&Row>, source: Source) -> bool {
    match before {
        Some(row) => row.is_name_unique,
        None => source.origin == Origin::Api && matches!(kind, Kind::VirtualKey | Kind::Team),
    }
}

fn tokens_of(shape: &Shape) -> Vec<[u8; 32]> {
    match shape {
        Shape::VirtualKey(key) => key.tokens().iter().map(TokenHash::to_bytes).collect(),
        _ => Vec::new(),
    }
}

fn place(order: i64) -> u32 {
    u32::try_from(order).unwrap_or(u32::MAX)
}
