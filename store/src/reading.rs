//! The balances as they stand, read beside a gateway that may be running.

use std::collections::BTreeMap;

use crate::balance::{AbandonedCharge, BudgetState, Page, SliceState};
use crate::balances::Standing;
use crate::fold::{Attempts, Change, SliceId};
use crate::journal::record::Recorded;
use crate::journal::told::Told;
use crate::journal::{Entry, Kind};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Amount, Config, Database, State, StoreError, folder};

/// The balances as they would be if the journal were folded now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What a process would find that was opened now; no attempt was charged for that, and none counts as abandoned.
    pub state: State,
    /// Nano-dollars and tokens that attempts in flight have reserved, summed up by account and window.
    pub held: Vec<Amount>,
}

/// Reads what is kept and changes nothing of it. A folder without a database gives an empty reading; of other nodes on the same
/// database, what they have folded is read.
///
/// # Errors
/// When it cannot be read.
pub fn read(config: impl Into<Config>) -> Result<Reading, StoreError> {
    let Config { folder, database } = config.into();
    let folder = &*folder;
    if !may_be_there(&database)? {
        return Ok(Reading::default());
    }
    let node = folder::node(folder)?;
    // The journal before the database, so that nothing is missed that is folded meanwhile; the newest segment first, so that what
    // is in an older one is complete when anything of a newer one was seen.
    let mut segments = Vec::new();
    for number in folder::segments(folder)?.into_iter().rev() {
        segments.extend(Told::read(folder, number, u64::MAX)?);
    }
    let found = match &database {
        Database::Sqlite { path } => Sqlite::read(path)?,
        Database::Postgres(server) => Postgres::read(server, node.as_deref())?,
    };
    let Some((progress, mut standing)) = found else { return Ok(Reading::default()) };
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
pub fn read_abandoned(config: impl Into<Config>, page: Page) -> Result<Vec<AbandonedCharge>, StoreError> {
    let database = config.into().database;
    if !may_be_there(&database)? {
        return Ok(Vec::new());
    }
    let found = match &database {
        Database::Sqlite { path } => Sqlite::read_abandoned(path, page)?,
        Database::Postgres(server) => Postgres::read_abandoned(server, page)?,
    };
    Ok(found.unwrap_or_default())
}

/// `false`: it would be made by looking for it.
fn may_be_there(database: &Database) -> Result<bool, StoreError> {
    match database {
        Database::Sqlite { path } => path.try_exists().map_err(StoreError::file("read", path)),
        Database::Postgres(_) => Ok(true),
    }
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
