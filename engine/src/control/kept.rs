//! The policy as it is kept: what is in force of it, and what is known of it besides.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::catalog::Catalog;
use policy::declare::entity::Kind;
use policy::snapshot::{Change, Snapshot};

use super::claims::Claims;

/// The policy as it is kept, at one revision of the registry. Copied in no time.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it means.
    pub snapshot: Snapshot,
    /// Where in the registry that is.
    pub position: Position,
}

/// A revision of the registry, and what only those need to know of it who change it.
#[derive(Clone, Debug)]
pub struct Position {
    pub(super) revision: u64,
    pub(super) claims: Claims,
    /// The greatest order of a kind, where it was asked for.
    pub(super) last_orders: BTreeMap<Kind, i64>,
    /// A later revision that cannot be put in force.
    pub(super) stuck: Option<Stuck>,
}

/// A revision of the registry that cannot be put in force. Nothing but another one mends that.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    pub(super) revision: u64,
    pub(super) why: String,
}

impl Position {
    /// The revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl Kept {
    /// The same with another price list.
    #[must_use]
    pub fn with_catalog(self, catalog: Arc<Catalog>) -> Self {
        let snapshot = self.snapshot.apply(Change::Catalog(catalog)).unwrap_or(self.snapshot);
        Self { snapshot, ..self }
    }

    pub(super) fn new(snapshot: Snapshot, revision: u64, claims: Claims) -> Self {
        Self { snapshot, position: Position { revision, claims, last_orders: BTreeMap::new(), stuck: None } }
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.position.claims
    }

    pub(super) fn claims_mut(&mut self) -> &mut Claims {
        &mut self.position.claims
    }

    pub(super) fn last_order(&self, kind: Kind) -> Option<i64> {
        self.position.last_orders.get(&kind).copied()
    }

    pub(super) fn set_last_order(&mut self, kind: Kind, order: i64) {
        self.position.last_orders.insert(kind, order);
    }
}
