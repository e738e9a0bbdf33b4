//! A change in the making: what is to be in force, and what is to be kept of it.

mod audit;
mod row;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use policy::declare::Problem;
use policy::declare::entity::{Kind, Normalised, Placed, Shape, Written, read_entity, read_kept};
use policy::id::BudgetId;
use policy::provider::Secret;
use policy::snapshot::Snapshot;
use serde_json::Value;
use store::registry::{Expected, Origin, Put, Registry, Removal, Row, Write};
use store::seal::Seal;

pub(super) use self::row::{Source, id_of, new_token, problem};
use self::row::{kind_of, place, tokens_of};
use super::claims::Claimed;
use super::kept::Kept;
use super::keys::token_name;
use super::{Actor, ActorKind, ControlError, Entry, Env, password, secrets, vocabulary};
use crate::compile::{self, edit, release};

/// Entities that are made by the API come after those of the file.
const AFTER_FILE: i64 = 1 << 20;

/// A change in the making.
pub(super) struct Draft<'a> {
    registry: &'a Registry,
    env: Env,
    seal: Seal,
    actor: Actor<'a>,
    action: &'static str,
    /// What is in force and kept once it is done; as far as it is made.
    kept: Kept,
    /// The rows that it depends on.
    reads: RefCell<HashSet<(Kind, Box<str>)>>,
    budgets: Vec<BudgetId>,
    write: Write,
    entries: Vec<Entry>,
    lost: Vec<Lost>,
}

/// A model config whose model the file gave to another one.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) id: Arc<str>,
    /// The other one.
    pub(super) by: Arc<str>,
}

/// A change that was drafted, to be kept.
#[derive(Debug)]
pub(super) struct Drafted {
    /// What is in force and kept after it.
    pub(super) kept: Kept,
    /// The budgets that are new or different.
    pub(super) budgets: Vec<BudgetId>,
    /// What is to be kept of it.
    pub(super) write: Write,
    /// The entities that it makes or replaces, as they are shown but for their revision.
    pub(super) entries: Vec<Entry>,
}

impl<'a> Draft<'a> {
    /// Begins a change of what is in force and kept.
    pub(super) fn begin(
        (registry, env): (&'a Registry, Env),
        kept: Kept,
        actor: Actor<'a>,
        action: &'static str,
        at_ms: u64,
    ) -> Self {
        let write = Write { at_ms, ..Write::default() };
        let (reads, budgets, entries, lost) = (RefCell::default(), Vec::new(), Vec::new(), Vec::new());
        Self { registry, env, seal: registry.seal(), actor, action, kept, reads, budgets, write, entries, lost }
    }

    /// A row that is not deleted, as it was before this change.
    pub(super) fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, ControlError> {
        self.reads.borrow_mut().insert((kind, id.into()));
        Ok(self.registry.get(kind.as_str(), id)?)
    }

    /// The rows that it depends on.
    pub(super) fn reads(&self) -> HashSet<(Kind, Box<str>)> {
        self.reads.borrow().clone()
    }

    pub(super) fn env(&self) -> Env {
        self.env
    }

    pub(super) fn at_ms(&self) -> u64 {
        self.write.at_ms
    }

    /// A document with its secrets.
    pub(super) fn opened(&self, row: &Row) -> Result<String, ControlError> {
        Ok(secrets::opened(&self.seal, row)?)
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.kept.snapshot
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
        let (kind, id) = (entity.kind, entity.id.clone());
        let order = self.order(kind, before, None)?;
        let model = self.kept.claims().model_of(kind, &id);
        let edited = edit(self.snapshot(), normalised, place(order), model.as_ref(), &self.env, &vocabulary())?;
        self.claim(&edited.shape, Origin::Api)?;
        self.kept.snapshot = edited.snapshot;
        let mut written = edited.written;
        let entity = written.pop().ok_or_else(|| ControlError::internal("an edit wrote nothing"))?;
        for limit in &written {
            let row = self.row(limit.kind, &limit.id)?;
            let order = self.order(limit.kind, row.as_ref(), None)?;
            self.keep(limit, row.as_ref(), Source::of(row.as_ref()), order, Vec::new())?;
        }
        self.keep(&entity, before, Source::of(before), order, tokens_of(&edited.shape))?;
        self.take_rows_of(&edited.removed)?;
        Ok(token)
    }

    fn token_for(&self, entity: &mut Written, before: Option<&Row>) -> Result<Option<Secret>, ControlError> {
        if entity.kind != Kind::VirtualKey || before.is_some() {
            return Ok(None);
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&entity.document) else { return Ok(None) };
        let token = new_token(self.snapshot())?;
        fields.insert("value".to_owned(), Value::String(token.reveal().to_owned()));
        entity.document = Value::Object(fields).to_string();
        Ok(Some(token))
    }

    /// Puts one entity. `before` is its row, if there is one that is not deleted.
    pub(super) fn put(&mut self, new: &Written, before: Option<&Row>, source: Source) -> Result<(), ControlError> {
        let order = self.order(new.kind, before, source.order)?;
        let shape = self.try_on(new, order, source.origin, false)?;
        self.keep(new, before, source, order, tokens_of(&shape))
    }

    /// Puts one entity in force, perhaps as one that is kept already. What is kept of it is not changed.
    fn try_on(&mut self, new: &Written, order: i64, origin: Origin, is_kept: bool) -> Result<Shape, ControlError> {
        let sealed;
        let readable = match new.kind {
            // It is told by its hash, which is in what is kept alone.
            Kind::VirtualKey => {
                sealed = secrets::sealed(&self.seal, new.kind, &new.id, &new.document)?;
                &sealed
            }
            _ => &new.document,
        };
        let placed = Placed { shape: self.read(new.kind, &new.id, readable, is_kept)?, order: place(order) };
        let model = self.kept.claims().model_of(new.kind, &new.id);
        self.claim(&placed.shape, origin)?;
        self.kept.snapshot = compile::put(self.snapshot(), &placed, model.as_ref())?;
        Ok(placed.shape)
    }

    /// What only one entity may have is this one's. A call takes nothing from others; the file does, where a call had it.
    fn claim(&mut self, shape: &Shape, origin: Origin) -> Result<(), ControlError> {
        let claimed = Claimed::of(shape);
        if let Some(taken) = self.kept.claims().taken(&claimed).filter(|_| origin == Origin::Api) {
            return Err(ControlError::Invalid(vec![problem(&taken.field, &taken.message)]));
        }
        let loser = self.kept.claims().loser(&claimed);
        self.lost.extend(loser.map(|id| Lost { id, by: Arc::clone(claimed.id()) }));
        self.kept.claims_mut().put(claimed);
        Ok(())
    }

    /// One of those that lost their models, and have none now.
    pub(super) fn next_lost(&mut self) -> Option<Lost> {
        loop {
            let lost = self.lost.pop()?;
            if self.kept.claims().model_of(Kind::ModelConfig, &lost.id).is_none() {
                return Some(lost);
            }
        }
    }

    /// Keeps what an entity is to be, and tells the audit log of it.
    fn keep(
        &mut self,
        new: &Written,
        before: Option<&Row>,
        source: Source,
        order: i64,
        token_hashes: Vec<[u8; 32]>,
    ) -> Result<(), ControlError> {
        let (kind, id) = (new.kind, &*new.id);
        let document = secrets::sealed(&self.seal, kind, id, &password::hashed(kind, &new.document)?)?;
        let entity = row::entity((kind, id), document, before, source, order, token_hashes);
        let action = if before.is_some() { "update" } else { "create" };
        self.tell(action, kind, id, before.map(|row| &*row.document), Some(&entity.document));
        let expected = before.map_or(Expected::Absent, |row| Expected::Revision(row.revision));
        self.entries.push(row::entry(kind, &entity, before, self.write.at_ms));
        self.write.puts.push(Put { entity, expected });
        self.budgets.extend((kind == Kind::Budget).then(|| BudgetId::from(id)));
        Ok(())
    }

    /// Removes an entity.
    pub(super) fn remove(&mut self, row: &Row) -> Result<(), ControlError> {
        let kind = kind_of(row)?;
        let model = self.kept.claims().model_of(kind, &row.id);
        self.kept.snapshot = compile::remove(self.snapshot(), kind, &row.id, model)?;
        self.kept.claims_mut().remove(kind, &row.id);
        self.take_row(row)
    }

    /// A virtual key opens nothing from here on. What is kept of it is not changed yet.
    pub(super) fn revoke(&mut self, row: &Row) -> Result<(), ControlError> {
        let revoked = self.ownerless(row)?;
        self.try_on(&revoked, row.order, Origin::File, true).map(drop)
    }

    /// Keeps an entity that is gone from the file as nobody's; a virtual key so that it opens nothing.
    pub(super) fn disown(&mut self, row: &Row) -> Result<(), ControlError> {
        if row.origin == Origin::File && row.file_mac.is_none() {
            return Ok(());
        }
        let written = self.ownerless(row)?;
        let shape = self.try_on(&written, row.order, Origin::File, true)?;
        let source = Source { origin: Origin::File, file_mac: None, order: None };
        self.keep(&written, Some(row), source, row.order, tokens_of(&shape))
    }

    fn ownerless(&self, row: &Row) -> Result<Written, ControlError> {
        let kind = kind_of(row)?;
        let document = match kind {
            Kind::VirtualKey => secrets::revoked(&row.document, &new_token(self.snapshot())?),
            _ => self.opened(row)?,
        };
        Ok(Written { kind, id: row.id.as_str().into(), document, at: String::new() })
    }

    /// Removes those limits that nothing names any more.
    pub(super) fn remove_unused(&mut self, limits: Vec<(Kind, Box<str>)>) -> Result<(), ControlError> {
        let released = release(&mut self.kept.snapshot, limits);
        self.take_rows_of(&released)
    }

    fn take_rows_of(&mut self, removed: &[(Kind, Box<str>)]) -> Result<(), ControlError> {
        for (kind, id) in removed {
            if let Some(row) = self.row(*kind, id)? {
                self.take_row(&row)?;
            }
        }
        Ok(())
    }

    fn take_row(&mut self, row: &Row) -> Result<(), ControlError> {
        self.tell("delete", kind_of(row)?, &row.id, Some(&row.document), None);
        self.write.removals.push(Removal {
            kind: row.kind.clone(),
            id: row.id.clone(),
            is_remembered: row.file_mac.is_some() && self.actor.kind != ActorKind::File,
            expected: Expected::Revision(row.revision),
        });
        Ok(())
    }

    /// The token that was made for a virtual key of the file is another one from now on, so that no earlier one ever opens it again.
    pub(super) fn replace_token(&mut self, id: &str, token: &Secret) {
        self.write.secrets.push((token_name(id), token.clone()));
    }

    /// What was drafted.
    pub(super) fn done(self) -> Drafted {
        let Self { kept, budgets, write, entries, .. } = self;
        Drafted { kept, budgets, write, entries }
    }

    /// Its place among its kind: the one that it is given, the one that it has, or the last.
    fn order(&mut self, kind: Kind, before: Option<&Row>, given: Option<u32>) -> Result<i64, ControlError> {
        if let Some(order) = given.map(i64::from).or_else(|| before.map(|row| row.order)) {
            return Ok(order);
        }
        let last = match self.kept.last_order(kind) {
            Some(last) => last,
            None => self.registry.last_order(kind.as_str())?.unwrap_or_default(),
        };
        let order = last.saturating_add(1).max(AFTER_FILE);
        self.kept.set_last_order(kind, order);
        Ok(order)
    }

    fn read(&self, kind: Kind, id: &str, document: &str, is_kept: bool) -> Result<Shape, Vec<Problem>> {
        let (world, vocabulary) = (self.snapshot(), vocabulary());
        let read = match is_kept {
            true => read_kept(kind, id, document, self.env, world, &vocabulary),
            false => read_entity(kind, id, document, self.env, world, &vocabulary),
        };
        Ok(read?.0)
    }
}
