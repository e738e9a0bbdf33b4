//! What of a configuration may change at run time, one entity at a time: its kinds, its normal form, and how one is read.
//!
//! In the normal form budgets and rate limits are entities of their own, and whatever has them names them by `budget_ids`
//! and `rate_limit_id`.

mod kind;
mod merge;
mod normal;
mod read;
mod shape;
mod split;

use std::fmt;

use crate::provider::Secret;

pub use kind::{AT_START, Kind};
pub use merge::{Normalised, Written, made_for, merge};
pub use read::{read_entity, read_kept};
pub use shape::{Placed, Shape};
pub use split::split;

/// One entity in its normal form, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// Which of its kind: its id, or its name where it has none; of what there is only one, the name of its kind.
    pub id: Box<str>,
    /// Its place among those of its kind in the file, from 0. Not part of what it says.
    pub order: u32,
    /// What it says, as compact JSON. References to the environment stand in it as written, and so do secrets.
    pub document: String,
    /// The same with references resolved, fields sorted: the same bytes as long as it means the same. For a keyed hash.
    pub resolved: Secret,
}

/// Without what it says, which may hold secrets.
impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entity({} {:?}, {})", self.kind, self.id, self.order)
    }
}
