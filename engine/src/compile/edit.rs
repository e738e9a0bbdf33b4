//! What a request's body changes of the policy: its limits first, then the entity, then what nothing names any more.

use policy::declare::entity::{Kind, Normalised, Placed, Shape, Written, read_entity};
use policy::declare::{Problem, Vocabulary, World};
use policy::snapshot::{Change, Snapshot};
use policy::window::ResetDuration;
use thiserror::Error;

use super::{CompileError, Model, put};

/// What an edit leads to. Nothing is in force or kept before somebody sees to it.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The policy after it.
    pub snapshot: Snapshot,
    /// The entity itself, as it is in force.
    pub shape: Shape,
    /// The documents that are new or different, in an order in which they can be put in force: limits, then the entity.
    pub written: Vec<Written>,
    /// What is gone.
    pub removed: Vec<(Kind, Box<str>)>,
    /// What is questionable, with its place in the body.
    pub warnings: Vec<Problem>,
}

/// Why an edit changes nothing.
#[derive(Debug, Error)]
pub enum EditError {
    /// The body is wrong; each problem has its place in it.
    #[error("{} problems", .0.len())]
    Wrong(Vec<Problem>),
    /// It is right, and still cannot be put in force.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// Puts in force what a body made of an entity. `order` is the entity's place among those of its kind, `before` the model that it was
/// for, if it limited one.
///
/// # Errors
/// All that is wrong with it; or what it contradicts. Then nothing is changed.
pub fn edit(
    snapshot: &Snapshot,
    body: Normalised,
    order: u32,
    before: Option<&Model>,
    env: &dyn Fn(&str) -> Option<String>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Edited, EditError> {
    let Normalised { entity, budgets, rate_limits, removed } = body;
    let mut next = snapshot.clone();
    let (mut wrong, mut warnings) = (Vec::new(), Vec::new());
    let mut read = |one: &Written, world: &dyn World| {
        let read = read_entity(one.kind, &one.id, &one.document, env, world, vocabulary);
        let (shape, found) = read.map_or_else(|found| (None, found), |(shape, found)| (Some(shape), found));
        let told = if shape.is_some() { &mut warnings } else { &mut wrong };
        told.extend(found.into_iter().map(|problem| one.place(problem)));
        shape
    };
    let mut written: Vec<_> = budgets.into_iter().chain(rate_limits).collect();
    let mut missing = Vec::new();
    for one in &written {
        match read(one, &next) {
            Some(shape) => next = put(&next, &Placed { shape, order: 0 }, None)?,
            None => missing.push((one.kind, one.id.clone())),
        }
    }
    let shape = read(&entity, &Hopeful { snapshot: &next, missing });
    let Some(shape) = shape.filter(|_| wrong.is_empty()) else { return Err(EditError::Wrong(wrong)) };
    next = put(&next, &Placed { shape: shape.clone(), order }, before)?;
    written.push(entity);
    let removed = release(&mut next, removed);
    Ok(Edited { snapshot: next, shape, written, removed, warnings })
}

/// The policy as it would be if some limits were right that are not. What is wrong with them is told once, and not again of what
/// names them.
struct Hopeful<'a> {
    snapshot: &'a Snapshot,
    missing: Vec<(Kind, Box<str>)>,
}

impl World for Hopeful<'_> {
    fn has(&self, kind: Kind, id: &str) -> bool {
        self.snapshot.has(kind, id) || self.missing.iter().any(|one| (one.0, &*one.1) == (kind, id))
    }

    fn ids(&self, kind: Kind) -> Vec<&str> {
        self.snapshot.ids(kind)
    }

    fn keys_of(&self, provider: &str) -> Option<Vec<&str>> {
        self.snapshot.keys_of(provider)
    }

    fn reset_of(&self, budget: &str) -> Option<ResetDuration> {
        self.snapshot.reset_of(budget)
    }

    fn allows_direct_keys(&self) -> bool {
        self.snapshot.allows_direct_keys()
    }
}

/// Removes those of these limits that nothing names any more, and gives them.
pub fn release(snapshot: &mut Snapshot, limits: Vec<(Kind, Box<str>)>) -> Vec<(Kind, Box<str>)> {
    let mut is_released = |kind: Kind, id: &str| {
        let change = match kind {
            Kind::Budget => Change::RemoveBudget(id.into()),
            Kind::RateLimit => Change::RemoveRateLimit(id.into()),
            _ => return false,
        };
        snapshot.apply(change).map(|next| *snapshot = next).is_ok()
    };
    limits.into_iter().filter(|(kind, id)| is_released(*kind, id)).collect()
}
