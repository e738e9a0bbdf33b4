//! The ledger as it is found at start: the store in the data folder opened, what earlier processes left taken over.

use std::sync::Arc;

use anyhow::{Context, Result};
use engine::ledger::Ledger;
use policy::snapshot::Snapshot;
use policy::window::Now;
use store::{Config, Lease, Store, StoreError};

/// The ledger, and the store that keeps it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) ledger: Arc<Ledger>,
}

/// Opens both for a policy. Calls that the last process left are rows of the request log, if calls are logged.
pub(crate) fn open(place: &Config, snapshot: &Snapshot, are_logged: bool, now: Now) -> Result<Opened> {
    let data = &place.folder;
    std::fs::create_dir_all(data).with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    let (store, state) = Store::open_for(place, now.wall_ms, are_logged)?;
    if state.lease == Lease::Elsewhere {
        tracing::warn!(
            "another gateway uses the same database: this one refuses calls under hard budgets, until the other one is stopped \
             and this one is restarted"
        );
    }
    for trouble in &state.trouble {
        tracing::error!("the journal was damaged: {trouble}");
    }
    if state.abandoned.attempts > 0 {
        let (attempts, nano) = (state.abandoned.attempts, state.abandoned.nano);
        tracing::warn!(
            attempts,
            nano,
            "calls were in flight when the last process ended; each is charged in full as abandoned"
        );
    }
    let (ledger, began) = Ledger::restored(snapshot, &state, Some(store.journal()), now);
    store.adopt(&began)?;
    Ok(Opened { store, ledger: Arc::new(ledger) })
}

/// The ledger as it stands, for looking at alone; beside a running gateway too.
pub(crate) fn read(place: &Config, snapshot: &Snapshot, now: Now) -> std::result::Result<Ledger, StoreError> {
    let reading = store::read(place)?;
    let (ledger, _) = Ledger::restored(snapshot, &reading.state, None, now);
    ledger.note_held(&reading.held);
    Ok(ledger)
}
