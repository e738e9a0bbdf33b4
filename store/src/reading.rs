//! The balances as they stand, read beside a gateway that may be running.

use std::collections::BTreeMap;
use std::path::Path;

use crate::balance::{AbandonedCharge, BudgetState, Page, SliceState};
use crate::balances::Standing;
use crate::fold::{Attempts, Change, SliceId};
use crate::journal::record::Recorded;
use crate::journal::told::Told;
use crate::journal::{Entry, Kind};
use crate::sqlite::Sqlite;
use crate::{Amount, State, StoreError, folder};

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
    let mut segments = Vec::new();
    for number in folder::segments(folder)?.into_iter().rev() {
        segments.extend(Told::read(folder, number, u64::MAX)?);
    }
    let Some((progress, mut standing)) = Sqlite::read(&database)? else { return Ok(Reading::default()) };
    let before = Attempts::of(progress.open);
    let mut change = Change::default();
    for told in segments.iter().rev().filter(|told| told.number() > progress.folded_to) {
        // What is no record may be one that is being written.
        change.add_all(&before, told);
    }
    standing.apply(&change);
    let held =
        held(change.opened.values().copied().chain(before.iter().filter(|one| !change.ended.contains(&one.attempt))));
    let Standing { budgets, slices } = standing;
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
    fn apply(&mut self, change: &Change<'_>) {
        let budgets = self.budgets.drain(..).map(|budget| (budget.id.clone(), budget));
        let mut budgets: BTreeMap<_, _> = budgets.collect();
        for (id, windows) in &change.charges {
            let budget = budgets.entry((*id).to_owned()).or_insert_with(|| BudgetState::unknown(id));
            windows.iter().for_each(|(start_ms, nano)| budget.charge(*start_ms, *nano));
        }
        self.budgets = budgets.into_values().collect();
        let place = |slice: &SliceState| (slice.kind, slice.id.clone(), slice.length_ms, slice.start_ms);
        let mut slices: BTreeMap<_, _> = self.slices.drain(..).map(|slice| (place(&slice), slice)).collect();
        for (SliceId { kind, id, length_ms, start_ms }, counted) in &change.slices {
            let (kind, id, length_ms, start_ms) = (*kind, (*id).to_owned(), *length_ms, *start_ms);
            let slice = SliceState { kind, id, start_ms, length_ms, used: 0 };
            let slice = slices.entry(place(&slice)).or_insert(slice);
            slice.used = counted.apply_to(slice.used);
        }
        let is_counting =
            |slice: &SliceState| SliceState::ends_ms(slice.length_ms, slice.start_ms) >= change.newest_slice_ms;
        self.slices = slices.into_values().filter(is_counting).collect();
    }
}

fn held<'a>(open: impl Iterator<Item = Recorded<'a>>) -> Vec<Amount> {
    let mut held: BTreeMap<Amount, u64> = BTreeMap::new();
    for entry in open.flat_map(Recorded::entries).filter(|entry| entry.kind != Kind::Requests) {
        let sum = held.entry(Amount::from(&Entry { amount: 0, ..entry })).or_default();
        *sum = sum.saturating_add(entry.amount);
    }
    held.into_iter().map(|(account, amount)| Amount { amount, ..account }).collect()
}
