//! Entities of one kind by their ids, each with how often others name it, so that removing one need not look at all of them.

use std::hash::BuildHasher;
use std::sync::Arc;

use super::buckets::{Buckets, Item};
use super::{Customer, Team};
use crate::key::VirtualKey;
use crate::limit::{Budget, RateLimit};

/// What is known by an id.
pub(super) trait Identified {
    fn id(&self) -> &str;
}

/// Entities by their ids, which stand in the entities alone.
#[derive(Debug)]
pub(super) struct Table<T>(Buckets<Row<T>>);

#[derive(Debug)]
struct Row<T> {
    entity: Arc<T>,
    named: u32,
    hash: u32,
}

impl<T: Identified> Table<T> {
    pub(super) fn get(&self, id: &str) -> Option<&Arc<T>> {
        self.row(id).map(|row| &row.entity)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.row(id).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter().map(|row| &row.entity)
    }

    /// Puts an entity in the place of the one with its id, if there is one, which is given back. Those that name it go on doing so.
    pub(super) fn put(&mut self, entity: Arc<T>) -> Option<Arc<T>> {
        let named = self.row(entity.id()).map_or(0, |row| row.named);
        self.put_row(entity, named)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<T>> {
        self.0.remove(hash(id), |row| row.entity.id() == id).map(|old| old.entity)
    }

    /// Whether others name it.
    pub(super) fn is_named(&self, id: &str) -> bool {
        self.row(id).is_some_and(|row| row.named > 0)
    }

    /// Changes how often it is named; what is not there is not counted.
    pub(super) fn count(&mut self, id: &str, change: impl FnOnce(u32) -> u32) {
        if let Some(row) = self.row(id) {
            let (entity, named) = (Arc::clone(&row.entity), change(row.named));
            self.put_row(entity, named);
        }
    }

    fn row(&self, id: &str) -> Option<&Row<T>> {
        self.0.find(hash(id), |row| row.entity.id() == id)
    }

    fn put_row(&mut self, entity: Arc<T>, named: u32) -> Option<Arc<T>> {
        let (new, hash) = (Arc::clone(&entity), hash(entity.id()));
        self.0.put(Row { entity, named, hash }, |row| row.entity.id() == new.id()).map(|old| old.entity)
    }
}

/// Ids are an operator's, so the hash need not withstand callers.
fn hash(id: &str) -> u32 {
    let [_, _, _, _, hash @ ..] = foldhash::quality::FixedState::default().hash_one(id).to_le_bytes();
    u32::from_le_bytes(hash)
}

impl<T> Item for Row<T> {
    fn hash(&self) -> u32 {
        self.hash
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Buckets::default())
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        Self { entity: Arc::clone(&self.entity), ..*self }
    }
}

macro_rules! identified {
    ($($name:ty),*) => {
        $(impl Identified for $name {
            fn id(&self) -> &str {
                self.id.as_str()
            }
        })*
    };
}

identified!(Budget, Customer, RateLimit, Team, VirtualKey);
