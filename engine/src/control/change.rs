//! A change in the making: what is to be in force, and what is to be kept of it.

use policy::declare::entity::{Kind, Normalised, Placed, Shape, Written, read_entity};
use policy::declare::{Problem, Severity};
use policy::key::TokenHash;
use policy::provider::Secret;
use policy::snapshot::{Change, Snapshot};
use serde_json::Value;
use store::registry::{AuditEntry, Entity, Expected, Origin, Put, Registry, Removal, Row, Write};
use store::seal::Seal;

use super::{Actor, ControlError, Env, secrets, vocabulary};
use crate::compile::{self, CompileError};
use crate::ledger::Ledger;
use crate::live::Live;

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
    changes: Vec<Change>,
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
        Self { registry, env, seal: registry.seal(), actor, action, snapshot, changes: Vec::new(), write }
    }

    /// Puts an entity with its limits. A virtual key without a token gets one, which is given back.
    pub(super) fn put_all(
        &mut self,
        normalised: Normalised,
        before: Option<&Row>,
    ) -> Result<Option<Secret>, ControlError> {
        let Normalised { mut entity, budgets, rate_limits, removed } = normalised;
        for limit in budgets.iter().chain(&rate_limits) {
            let row = self.registry.get(limit.kind.as_str(), &limit.id)?;
            self.put(limit, row.as_ref(), Source::of(row.as_ref()))?;
        }
        let token = self.token_for(&mut entity, before)?;
        self.put(&entity, before, Source::of(before))?;
        self.remove_unused(&removed)?;
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
    pub(super) fn put(&mut self, new: &Written, before: Option<&Row>, source: Source) -> Result<Shape, ControlError> {
        let (kind, id) = (new.kind, &*new.id);
        let kept = secrets::sealed(&self.seal, kind, id, &new.document)?;
        // A virtual key is told by its hash, which is in what is kept alone.
        let readable = if kind == Kind::VirtualKey { &kept } else { &new.document };
        let shape = self.read(kind, id, readable).map_err(|problems| at(problems, &new.at))?;
        let order = self.order(before, source);
        let placed = Placed { shape, order: u32::try_from(order).unwrap_or(u32::MAX) };
        let old = before.map(|row| self.shape_of(row)).transpose()?;
        self.apply(compile::entity(&placed, old.as_ref(), &self.snapshot)?, &placed.shape)?;
        let text = |field: &str| text_of(&kept, field);
        let entity = Entity {
            kind: kind.as_str().to_owned(),
            id: id.to_owned(),
            name: if kind == Kind::Provider { Some(id.to_owned()) } else { text("name") },
            is_name_unique: is_name_unique(kind, before, source),
            token_hashes: tokens_of(&placed.shape),
            origin: source.origin,
            file_mac: source.file_mac,
            order: Some(order),
            team_id: text("team_id"),
            customer_id: text("customer_id"),
            document: kept,
        };
        let action = if before.is_some() { "update" } else { "create" };
        self.tell(action, kind, id, before.map(|row| &*row.document), Some(&entity.document));
        let expected = before.map_or(Expected::Absent, |row| Expected::Revision(row.revision));
        self.write.puts.push(Put { entity, expected });
        Ok(placed.shape)
    }

    /// Removes an entity.
    pub(super) fn remove(&mut self, row: &Row) -> Result<(), ControlError> {
        let shape = self.shape_of(row)?;
        self.apply(compile::removal(&shape), &shape)?;
        let (kind, id) = (shape.kind(), &row.id);
        self.tell("delete", kind, id, Some(&row.document), None);
        self.write.removals.push(Removal {
            kind: row.kind.clone(),
            id: row.id.clone(),
            is_remembered: row.file_mac.is_some() && self.actor.kind != super::ActorKind::File,
            expected: Expected::Revision(row.revision),
        });
        Ok(())
    }

    /// Removes those limits that nothing names any more.
    pub(super) fn remove_unused(&mut self, limits: &[(Kind, Box<str>)]) -> Result<(), ControlError> {
        for (kind, id) in limits {
            let Some(row) = self.registry.get(kind.as_str(), id)? else { continue };
            match self.remove(&row) {
                Ok(()) | Err(ControlError::Contradiction(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the audit log of something that changes no entity.
    pub(super) fn tell_only(mut self, kind: &str, id: &str) -> Result<u64, ControlError> {
        let entry = AuditEntry { kind: kind.to_owned(), entity_id: id.to_owned(), ..self.entry(self.action) };
        self.write.audit.push(entry);
        Ok(self.registry.commit(&self.write)?.revision)
    }

    /// Keeps it, and gives what is in force then, at which revision.
    pub(super) fn keep(self) -> Result<Kept, ControlError> {
        let Self { registry, snapshot, changes, write, .. } = self;
        let revision = if write.puts.is_empty() && write.removals.is_empty() {
            None
        } else {
            Some(registry.commit(&write)?.revision)
        };
        Ok(Kept { revision, snapshot, changes })
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

    /// All of these changes or none.
    fn apply(&mut self, changes: Vec<Change>, shape: &Shape) -> Result<(), ControlError> {
        let contradiction = |error| CompileError::Contradiction { what: compile::name_of(shape), error };
        let next = changes.iter().cloned().try_fold(self.snapshot.clone(), |next, change| next.apply(change));
        self.snapshot = next.map_err(contradiction)?;
        self.changes.extend(changes);
        Ok(())
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
    changes: Vec<Change>,
}

impl Kept {
    /// Puts it in force, and gives the budgets that begin now, for the store to remember.
    pub(super) fn put_in_force(
        self,
        live: &Live,
        ledger: &Ledger,
        now: policy::window::Now,
    ) -> Result<Vec<store::Began>, ControlError> {
        let budgets = self.changes.iter().filter_map(|change| match change {
            Change::PutBudget(budget) => Some(budget.clone()),
            _ => None,
        });
        let budgets: Vec<_> = budgets.collect();
        live.apply(self.changes).map_err(|error| ControlError::internal(error.to_string()))?;
        Ok(budgets.iter().filter_map(|budget| ledger.begin(budget, now)).collect())
    }
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

/// Problems of a part of a body, told as seen from the whole.
fn at(problems: Vec<Problem>, place: &str) -> Vec<Problem> {
    let told = |problem: Problem| match (place, &*problem.path) {
        ("", _) => problem,
        (_, "") => Problem { path: place.to_owned(), ..problem },
        (_, path) => Problem { path: format!("{place}.{path}"), ..problem },
    };
    problems.into_iter().map(told).collect()
}
