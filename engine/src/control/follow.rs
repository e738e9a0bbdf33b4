//! What others have changed: put in force row by row, at the cost of those rows alone.

use std::collections::VecDeque;
use std::sync::Arc;

use policy::declare::entity::Kind;
use policy::id::BudgetId;
use policy::snapshot::Change;
use store::registry::Row;
use store::seal::Seal;

use super::kept::{Kept, Position};
use super::load::{Read, load};
use super::{Control, ControlError, Env};
use crate::compile::removal;

/// Who is so many rows behind loads everything.
const MOST: usize = 20_000;

impl Control {
    /// Puts in force what other processes have changed in the store since. Gives whether anything was.
    ///
    /// # Errors
    /// When it cannot be read, or an entity cannot be put in force: then none of it is, and what was in force stays.
    pub fn follow(&self) -> Result<bool, ControlError> {
        let mut turn = self.0.turn.lock();
        let before = turn.revision;
        self.catch_up(&mut turn)?;
        Ok(turn.revision != before)
    }

    pub(super) fn catch_up(&self, turn: &mut Position) -> Result<(), ControlError> {
        let parts = &self.0.parts;
        if parts.registry.revision()? == turn.revision {
            return Ok(());
        }
        let feed = parts.registry.since(turn.revision)?;
        // A database that was put back to an older copy of itself has forgotten rows, and does not tell of them.
        let is_ahead = feed.revision > turn.revision && feed.rows.len() <= MOST;
        let mut position = turn.clone();
        position.last_orders.clear();
        let kept = Kept { snapshot: (*self.snapshot()).clone(), position };
        let budgets = feed.rows.iter().filter(|row| row.kind == Kind::Budget.as_str());
        let budgets: Vec<BudgetId> = budgets.map(|row| BudgetId::from(row.id.as_str())).collect();
        let followed = if is_ahead { follow(kept, feed.rows, &parts.registry.seal(), parts.env) } else { None };
        if let Some(kept) = followed {
            self.put_in_force(kept, feed.revision, budgets, turn);
            return Ok(());
        }
        let catalog = Arc::clone(self.snapshot().catalog());
        let loaded = load(&parts.registry, catalog, parts.env);
        let kept = loaded.map_err(|error| ControlError::internal(error.to_string()))?;
        let budgets = kept.snapshot.budgets().map(|budget| budget.id.clone()).collect();
        let revision = kept.position.revision;
        self.put_in_force(kept, revision, budgets, turn);
        Ok(())
    }
}

/// What is in force after rows have changed. `None`: they cannot be put in force one by one, so the whole must tell.
fn follow(mut kept: Kept, rows: Vec<Row>, seal: &Seal, env: Env) -> Option<Kept> {
    let (mut gone, mut living) = (Vec::new(), Vec::new());
    for row in rows {
        let kind: Kind = row.kind.parse().ok()?;
        if row.is_deleted { gone.push((kind, row)) } else { living.push((kind, row)) }
    }
    gone.sort_by_key(|(kind, _)| std::cmp::Reverse(*kind));
    living.sort_by_key(|(kind, row)| (*kind, row.order));
    // Another key may have the token of one that is gone. What still names one names it no longer in the end.
    let (keys, others): (Vec<_>, Vec<_>) = gone.into_iter().partition(|(kind, _)| *kind == Kind::VirtualKey);
    let mut late: Vec<_> = keys.into_iter().filter(|(kind, row)| remove(&mut kept, *kind, &row.id).is_none()).collect();
    put_all(&mut kept, living.into(), seal, env)?;
    late.extend(others);
    late.sort_by_key(|(kind, _)| std::cmp::Reverse(*kind));
    late.iter().try_for_each(|(kind, row)| remove(&mut kept, *kind, &row.id))?;
    Some(kept)
}

/// Puts rows, and those that contradict what another one of them changes after that.
fn put_all(kept: &mut Kept, mut rows: VecDeque<(Kind, Row)>, seal: &Seal, env: Env) -> Option<()> {
    let mut in_vain = 0;
    while let Some((kind, row)) = rows.pop_front() {
        if put(kept, kind, &row, seal, env).is_some() {
            in_vain = 0;
            continue;
        }
        rows.push_back((kind, row));
        in_vain += 1;
        if in_vain > rows.len() {
            return None;
        }
    }
    Some(())
}

fn put(kept: &mut Kept, kind: Kind, row: &Row, seal: &Seal, env: Env) -> Option<()> {
    let read = Read::of(&kept.snapshot, seal, env, row).ok()?;
    let before = kept.claims().model_of(kind, &row.id).filter(|model| !read.is_for(model));
    let moved = before.into_iter().flat_map(|model| removal(kind, &row.id, Some(model)));
    apply(kept, moved.chain(read.changes))?;
    kept.claims_mut().put(read.claimed);
    Some(())
}

fn remove(kept: &mut Kept, kind: Kind, id: &str) -> Option<()> {
    let model = kept.claims().model_of(kind, id);
    apply(kept, removal(kind, id, model))?;
    kept.claims_mut().remove(kind, id);
    Some(())
}

/// All of them, or none.
fn apply(kept: &mut Kept, changes: impl IntoIterator<Item = Change>) -> Option<()> {
    kept.snapshot = kept.snapshot.clone().apply_all(changes).ok()?;
    Some(())
}
