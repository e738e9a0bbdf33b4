//! From what is kept to what is in force: all of it at the start, and later what others have changed.

use std::sync::Arc;

use policy::catalog::Catalog;
use policy::declare::entity::{Kind, Placed, read_entity};
use policy::snapshot::{Change, Snapshot};
use store::registry::{Registry, RegistryError, Row};
use store::seal::Seal;
use thiserror::Error;

use super::claims::{Claimed, Claims};
use super::kept::Kept;
use super::{ControlError, Env, secrets, vocabulary};
use crate::compile::{self, Model};

/// Why what is kept cannot be put in force.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An entity cannot be put in force.
    #[error("the {} `{id}` in the configuration store cannot be put in force: {why}", .kind)]
    Entity {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
        /// Why not.
        why: String,
    },
}

/// The policy that is kept.
///
/// # Errors
/// When it cannot be read, or an entity of it cannot be put in force.
pub fn load(registry: &Registry, catalog: Arc<Catalog>, env: Env) -> Result<Kept, LoadError> {
    let empty = Snapshot::default();
    let snapshot = empty.apply(Change::Catalog(catalog)).unwrap_or(empty);
    let (waiting, keys) = (Vec::new(), Vec::new());
    let claims = Claims::default();
    let mut loading = Loading { snapshot, claims, seal: registry.seal(), env, waiting, keys, failed: None };
    let revision = registry.load(&mut |row| loading.take(row))?;
    loading.put_keys();
    loading.put_waiting(None);
    match loading.failed {
        Some(failed) => Err(failed),
        None => Ok(Kept::new(loading.snapshot, revision, loading.claims)),
    }
}

/// So many virtual keys are read at a time, by all cores.
const KEYS_AT_A_TIME: usize = 4_096;

/// A policy in the making. Rows come by the names of their kinds, which is not the order in which they can be put in force; the kinds of
/// which there are many need not wait.
struct Loading {
    snapshot: Snapshot,
    claims: Claims,
    seal: Seal,
    env: Env,
    waiting: Vec<(Kind, Row)>,
    keys: Vec<Row>,
    failed: Option<LoadError>,
}

impl Loading {
    fn take(&mut self, row: Row) {
        if row.is_deleted || self.failed.is_some() {
            return;
        }
        match row.kind.parse() {
            // They refer to nothing.
            Ok(Kind::Budget | Kind::RateLimit) => self.put(&row),
            Ok(Kind::VirtualKey) => {
                self.put_waiting(Some(Kind::VirtualKey));
                self.keys.push(row);
                if self.keys.len() >= KEYS_AT_A_TIME {
                    self.put_keys();
                }
            }
            Ok(kind) => self.waiting.push((kind, row)),
            Err(()) => self.fail(failed(&row, "no such kind is known to this version")),
        }
    }

    /// Puts what waits, up to a kind.
    fn put_waiting(&mut self, below: Option<Kind>) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_by_key(|(kind, row)| (*kind, row.order));
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (now, later): (Vec<_>, Vec<_>) = waiting.partition(|(kind, _)| below.is_none_or(|below| *kind < below));
        self.waiting = later;
        now.iter().for_each(|(_, row)| self.put(row));
    }

    /// Puts the keys that were gathered. They refer to what is there already and not to each other, so they are read side by side.
    fn put_keys(&mut self) {
        let rows = std::mem::take(&mut self.keys);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (snapshot, seal, env) = (&self.snapshot, &self.seal, self.env);
        let read = |rows: &[Row]| -> Vec<Result<Read, LoadError>> {
            rows.iter().map(|row| Read::of(snapshot, seal, env, row)).collect()
        };
        let part = rows.len().div_ceil(threads).max(1);
        let all: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> = rows.chunks(part).map(|rows| scope.spawn(|| read(rows))).collect();
            started
                .into_iter()
                .zip(rows.chunks(part))
                .flat_map(|(one, rows)| one.join().unwrap_or_else(|_| read(rows)))
                .collect()
        });
        let all: Result<Vec<_>, _> = all.into_iter().collect();
        match all.map(|all| self.apply(all)) {
            Ok(Ok(())) => {}
            // Which one it was is told by putting them one by one.
            Ok(Err(())) => rows.iter().for_each(|row| self.put(row)),
            Err(failed) => self.fail(failed),
        }
    }

    fn put(&mut self, row: &Row) {
        let before = self.snapshot.clone();
        let applied = Read::of(&self.snapshot, &self.seal, self.env, row).and_then(|read| {
            // Where a call's limits and the file's are for the same model, the file's count: they come first.
            if read.kind == Kind::ModelConfig && self.claims.taken(&read.claimed).is_some() {
                return Ok((before.clone(), None));
            }
            let next = before.clone().apply_all(read.changes).map_err(|error| failed(row, &error.to_string()))?;
            Ok((next, Some(read.claimed)))
        });
        match applied {
            Ok((next, claimed)) => {
                self.snapshot = next;
                claimed.into_iter().for_each(|claimed| self.claims.put(claimed));
            }
            Err(failed) => self.fail(failed),
        }
    }

    /// All of them, in place. Where one contradicts another, what was put before them stays.
    fn apply(&mut self, all: Vec<Read>) -> Result<(), ()> {
        let before = self.snapshot.clone();
        let (changes, claimed): (Vec<_>, Vec<_>) = all.into_iter().map(|read| (read.changes, read.claimed)).unzip();
        match std::mem::take(&mut self.snapshot).apply_all(changes.into_iter().flatten()) {
            Ok(next) => {
                self.snapshot = next;
                claimed.into_iter().for_each(|claimed| self.claims.put(claimed));
                Ok(())
            }
            Err(_) => {
                self.snapshot = before;
                Err(())
            }
        }
    }

    fn fail(&mut self, failed: LoadError) {
        self.failed.get_or_insert(failed);
    }
}

fn failed(row: &Row, why: &str) -> LoadError {
    LoadError::Entity { kind: row.kind.clone(), id: row.id.clone(), why: why.to_owned() }
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct Read {
    kind: Kind,
    /// What it changes of a policy in which it is not.
    pub(super) changes: Vec<Change>,
    /// What it has for itself.
    pub(super) claimed: Claimed,
}

impl Read {
    /// Whether it limits this model.
    pub(super) fn is_for(&self, model: &Model) -> bool {
        self.claimed.is_for(model)
    }

    pub(super) fn of(snapshot: &Snapshot, seal: &Seal, env: Env, row: &Row) -> Result<Self, LoadError> {
        let read = || -> Result<Self, ControlError> {
            let kind = row.kind.parse().map_err(|()| ControlError::internal("no such kind"))?;
            let document = secrets::opened(seal, row)?;
            let (shape, _) = read_entity(kind, &row.id, &document, env, snapshot, &vocabulary())?;
            let claimed = Claimed::of(&shape);
            let placed = Placed { shape, order: u32::try_from(row.order).unwrap_or(u32::MAX) };
            Ok(Self { kind, changes: compile::entity(&placed, None, snapshot)?, claimed })
        };
        read().map_err(|error| failed(row, &error.to_string()))
    }
}
