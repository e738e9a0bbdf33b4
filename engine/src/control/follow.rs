//! What others have changed: put in force row by row, at the cost of those rows alone.

use std::collections::VecDeque;
use std::sync::Arc;

use policy::declare::entity::Kind;
use policy::id::BudgetId;
use policy::key::{KeyTokens, VirtualKey};
use policy::snapshot::Change;
use store::registry::Row;
use store::seal::Seal;

use super::kept::{Kept, Position, Stuck};
use super::load::{LoadError, Read, load};
use super::{Control, ControlError, Env};
use crate::compile::removal;

/// Who is so many rows behind loads everything.
const MOST: usize = 20_000;

impl Control {
    /// Puts in force what other processes have changed in the store since. Gives whether anything was.
    ///
    /// # Errors
    /// When it cannot be read, or an entity cannot be put in force: then what was in force stays, but for virtual keys. Those that were
    /// deleted or revoked open nothing any more, nor do those that have changed and cannot be put in force.
    pub fn follow(&self) -> Result<bool, ControlError> {
        let mut turn = self.0.turn.lock();
        let before = turn.revision;
        self.catch_up(&mut turn)?;
        Ok(turn.revision != before)
    }

    pub(super) fn catch_up(&self, turn: &mut Position) -> Result<(), ControlError> {
        let parts = &self.0.parts;
        let revision = parts.registry.revision()?;
        match &turn.stuck {
            None if revision == turn.revision => return Ok(()),
            Some(stuck) if revision == stuck.revision => return Err(ControlError::internal(&*stuck.why)),
            _ => {}
        }
        let feed = parts.registry.since(turn.revision)?;
        // A database that was put back to an older copy of itself has forgotten rows, and does not tell of them.
        // Keys that were closed meanwhile come back with the whole.
        let is_ahead = turn.stuck.is_none() && feed.revision > turn.revision && feed.rows.len() <= MOST;
        let mut position = turn.clone();
        position.last_orders.clear();
        let kept = Kept { snapshot: (*self.snapshot()).clone(), position };
        let budgets = budgets_of(&feed.rows);
        let followed = if is_ahead { follow(kept, feed.rows, &parts.registry.seal(), parts.env) } else { None };
        if let Some(kept) = followed {
            self.put_in_force(kept, feed.revision, budgets, turn);
            return Ok(());
        }
        let catalog = Arc::clone(self.snapshot().catalog());
        let kept = match load(&parts.registry, catalog, parts.env) {
            Ok(kept) => kept,
            Err(LoadError::Registry(error)) => return Err(error.into()),
            Err(error) => return Err(self.close_keys(turn, error.to_string())?),
        };
        let budgets = kept.snapshot.budgets().map(|budget| budget.id.clone()).collect();
        let revision = kept.position.revision;
        self.put_in_force(kept, revision, budgets, turn);
        Ok(())
    }

    /// What others have changed cannot be put in force, so it is not taken over, but for what closes keys. Gives what is to be told.
    fn close_keys(&self, turn: &mut Position, why: String) -> Result<ControlError, ControlError> {
        let parts = &self.0.parts;
        let feed = parts.registry.since(turn.revision)?;
        let kept = Kept { snapshot: (*self.snapshot()).clone(), position: turn.clone() };
        let budgets = budgets_of(&feed.rows);
        let kept = close(kept, feed.rows, &parts.registry.seal(), parts.env);
        self.put_in_force(kept, turn.revision, budgets, turn);
        let told = ControlError::internal(&*why);
        turn.stuck = Some(Stuck { revision: feed.revision, why });
        Ok(told)
    }
}

fn budgets_of(rows: &[Row]) -> Vec<BudgetId> {
    rows.iter().filter(|row| row.kind == Kind::Budget.as_str()).map(|row| row.id.as_str().into()).collect()
}

/// What is in force when the whole cannot be: virtual keys that have changed are as they are now, with what they lean on, and open nothing
/// where they are gone or that cannot be. All else is as before.
fn close(mut kept: Kept, rows: Vec<Row>, seal: &Seal, env: Env) -> Kept {
    let mut living = Vec::new();
    for row in rows {
        let Ok(kind) = row.kind.parse::<Kind>() else { continue };
        if kind == Kind::VirtualKey {
            shut(&mut kept, &row.id);
        }
        let is_leant_on = matches!(kind, Kind::Budget | Kind::RateLimit | Kind::Customer | Kind::Team);
        if !row.is_deleted && (kind == Kind::VirtualKey || is_leant_on) {
            living.push((kind, row));
        }
    }
    living.sort_by_key(|(kind, row)| (*kind, row.order));
    put_all(&mut kept, living.into(), seal, env);
    kept
}

/// A virtual key opens nothing. Rules may still name it, and another one may have its token.
fn shut(kept: &mut Kept, id: &str) {
    let Some(key) = kept.snapshot.key(id) else { return };
    let shut = VirtualKey { is_active: false, tokens: KeyTokens::new(), ..(**key).clone() };
    let done = apply(kept, [Change::PutVirtualKey(Arc::new(shut))]);
    debug_assert!(done.is_some(), "it names what it named before");
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
