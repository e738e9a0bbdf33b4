//! The balances as they stand, read beside a gateway that may be running.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::balance::{AbandonedCharge, BudgetState, Page, SliceState};
use crate::balances::Standing;
use crate::fold::{Attempts, Change, SliceId};
use crate::journal::Kind;
use crate::journal::told::Told;
use crate::sqlite::Sqlite;
use crate::{Amount, Attempted, State, StoreError, folder};

/// The balances as they would be if the journal were folded now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What a process would find that was opened now; no attempt was charged for that, and none counts as abandoned.
    pub state: State,
    /// Nano-dollars and tokens that attempts in flight have reserved, summed up by account and window.
    pub held: Vec<Amount>,
}

/// Reads a data folder and changes nothing in it. One without a database gives an empty reading.
///
/// # Errors
/// When it cannot be read.
pub fn read(folder: &Path) -> Result<Reading, StoreError> {
    let database = folder::database(folder);
    if !database.try_exists().map_err(StoreError::file("read", &database))? {
        return Ok(Reading::default());
    }
    // The journal before the database, so that nothing is missed that is folded meanwhile; the newest segment first, so that what
    // is in an older one is complete when anything of a newer one was seen.
    let mut segments = BTreeMap::new();
    for number in folder::segments(folder)?.into_iter().rev() {
        segments.extend(Told::read(folder, number, u64::MAX)?.map(|told| (number, told)));
    }
    let Some((progress, mut standing)) = Sqlite::read(&database)? else { return Ok(Reading::default()) };
    let mut attempts = Attempts::of(progress.open);
    let mut change = Change::default();
    for (_, told) in segments.into_iter().filter(|(number, _)| *number > progress.folded_to) {
        told.records.into_iter().for_each(|record| change.add(&attempts, record));
    }
    standing.apply(&change);
    attempts.apply(change);
    let Standing { budgets, slices } = standing;
    let held = held(attempts.open.values());
    Ok(Reading { state: State { budgets, slices, ..State::default() }, held })
}

/// Reads the attempts that were charged as abandoned, newest first, and changes nothing; as far as the journal is folded.
///
/// # Errors
/// When they cannot be read.
pub fn read_abandoned(folder: &Path, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
    let database = folder::database(folder);
    if !database.try_exists().map_err(StoreError::file("read", &database))? {
        return Ok(Vec::new());
    }
    Ok(Sqlite::read_abandoned(&database, page)?.unwrap_or_default())
}

impl Standing {
    /// The same after a change, as a database would have it.
    fn apply(&mut self, change: &Change) {
        let mut budgets: BTreeMap<String, BudgetState> =
            self.budgets.drain(..).map(|budget| (budget.id.clone(), budget)).collect();
        for (id, windows) in &change.charges {
            let budget = budgets.entry(id.clone()).or_insert_with(|| BudgetState::unknown(id));
            windows.iter().for_each(|(start_ms, nano)| budget.charge(*start_ms, *nano));
        }
        self.budgets = budgets.into_values().collect();
        let mut slices: HashMap<SliceId, u64> = self.slices.drain(..).map(SliceState::into_parts).collect();
        for (id, counted) in &change.slices {
            let used = slices.entry(id.clone()).or_default();
            *used = counted.apply_to(*used);
        }
        let slices: BTreeMap<SliceId, u64> = slices.into_iter().collect();
        let counting =
            slices.into_iter().filter(|(id, _)| SliceState::ends_ms(id.length_ms, id.start_ms) >= change.newest_ms);
        self.slices = counting.map(SliceState::from_parts).collect();
    }
}

impl SliceState {
    fn into_parts(self) -> (SliceId, u64) {
        let Self { kind, id, start_ms, length_ms, used } = self;
        (SliceId { kind, id, length_ms, start_ms }, used)
    }

    fn from_parts((SliceId { kind, id, length_ms, start_ms }, used): (SliceId, u64)) -> Self {
        Self { kind, id, start_ms, length_ms, used }
    }
}

fn held<'a>(open: impl Iterator<Item = &'a Attempted>) -> Vec<Amount> {
    let mut held: BTreeMap<Amount, u64> = BTreeMap::new();
    for amount in open.flat_map(|attempted| &attempted.amounts).filter(|amount| amount.kind != Kind::Requests) {
        let sum = held.entry(Amount { amount: 0, ..amount.clone() }).or_default();
        *sum = sum.saturating_add(amount.amount);
    }
    held.into_iter().map(|(account, amount)| Amount { amount, ..account }).collect()
}
