//! What there is, by name: for those who check an entity before it is put in force.

use std::sync::Arc;

use super::{Customer, Snapshot, Team};
use crate::key::VirtualKey;

impl Snapshot {
    /// All virtual keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<VirtualKey>> {
        self.keys.values()
    }

    /// All teams, in no order.
    pub fn teams(&self) -> impl Iterator<Item = &Arc<Team>> {
        self.teams.values()
    }

    /// All customers, in no order.
    pub fn customers(&self) -> impl Iterator<Item = &Arc<Customer>> {
        self.customers.values()
    }
}
