//! From what is kept to what is in force: all of it at the start, and later what others have changed.

use std::sync::Arc;

use policy::catalog::Catalog;
use policy::declare::entity::{Kind, Placed, read_kept};
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
    let claims = Claims::default();
    let mut loading = Loading::of((snapshot, claims), registry.seal(), env);
    let revision = registry.load(&mut |row| loading.take(row))?;
    loading.put_many();
    loading.put_waiting(None);
    match loading.failed {
        Some(failed) => Err(failed),
        None => Ok(Kept::new(loading.snapshot, revision, loading.claims)),
    }
}

/// So many rows are read at a time, by all cores.
const AT_A_TIME: usize = 4_096;

/// A policy in the making. Rows come by the names of their kinds, which is not the order in which they can be put in force; the kinds of
/// which there are many need not wait.
struct Loading {
    snapshot: Snapshot,
    claims: Claims,
    seal: Seal,
    env: Env,
    waiting: Vec<(Kind, Row)>,
    /// Rows of one kind of which there may be a million.
    many: Vec<Row>,
    has_met_keys: bool,
    failed: Option<LoadError>,
    /// How often what waits was gone through.
    #[cfg(test)]
    rounds: usize,
}

impl Loading {
    fn of((snapshot, claims): (Snapshot, Claims), seal: Seal, env: Env) -> Self {
        Self {
            snapshot,
            claims,
            seal,
            env,
            waiting: Vec::new(),
            many: Vec::new(),
            has_met_keys: false,
            failed: None,
            #[cfg(test)]
            rounds: 0,
        }
    }

    fn take(&mut self, row: Row) {
        if row.is_deleted || self.failed.is_some() {
            return;
        }
        match row.kind.parse() {
            // Budgets and rate limits refer to nothing.
            Ok(kind @ (Kind::Budget | Kind::RateLimit | Kind::VirtualKey)) => {
                if self.many.len() >= AT_A_TIME || self.many.first().is_some_and(|first| first.kind != row.kind) {
                    self.put_many();
                }
                // What keys refer to comes before the first of them; what waits after that refers to keys.
                if kind == Kind::VirtualKey && !std::mem::replace(&mut self.has_met_keys, true) {
                    self.put_waiting(Some(kind));
                }
                self.many.push(row);
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
        #[cfg(test)]
        {
            self.rounds += 1;
        }
        self.waiting.sort_by_key(|(kind, row)| (*kind, row.order));
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (now, later): (Vec<_>, Vec<_>) = waiting.partition(|(kind, _)| below.is_none_or(|below| *kind < below));
        self.waiting = later;
        now.iter().for_each(|(_, row)| self.put(row));
    }

    /// Puts the rows that were gathered. They refer to what is there already and not to each other, so they are read side by side.
    fn put_many(&mut self) {
        let rows = std::mem::take(&mut self.many);
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
        match all.into_iter().collect() {
            Ok(all) => self.apply(&rows, all),
            Err(failed) => self.fail(failed),
        }
    }

    fn put(&mut self, row: &Row) {
        match Read::of(&self.snapshot, &self.seal, self.env, row) {
            // Where a call's limits and the file's are for the same model, the file's count: they come first.
            Ok(read) if read.kind == Kind::ModelConfig && self.claims.taken(&read.claimed).is_some() => {}
            Ok(read) => self.apply(std::slice::from_ref(row), vec![read]),
            Err(failed) => self.fail(failed),
        }
    }

    /// Puts in force what each row changes, in place: nobody else has the policy, and where one contradicts another, nobody will.
    fn apply(&mut self, rows: &[Row], all: Vec<Read>) {
        let mut row = None;
        let (changes, claimed): (Vec<_>, Vec<_>) = all.into_iter().map(|read| (read.changes, read.claimed)).unzip();
        let each = rows.iter().zip(changes).flat_map(|(at, changes)| {
            row = Some(at);
            changes
        });
        match std::mem::take(&mut self.snapshot).apply_all(each) {
            Ok(next) => self.snapshot = next,
            Err(error) => self.failed = self.failed.take().or(row.map(|row| failed(row, &error.to_string()))),
        }
        claimed.into_iter().for_each(|claimed| self.claims.put(claimed));
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
            let (shape, _) = read_kept(kind, &row.id, &document, env, snapshot, &vocabulary())?;
            let claimed = Claimed::of(&shape);
            let placed = Placed { shape, order: u32::try_from(row.order).unwrap_or(u32::MAX) };
            Ok(Self { kind, changes: compile::entity(&placed, None, snapshot)?, claimed })
        };
        read().map_err(|error| failed(row, &error.to_string()))
    }
}

#[cfg(test)]
mod tests;
