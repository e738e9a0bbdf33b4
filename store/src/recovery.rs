//! What is done at start: the journal of the last process is folded, and what it left open is charged in full.

use std::path::Path;

use crate::balances::{Balances, Standing};
use crate::bookkeeper::Bookkeeper;
use crate::fold::{Attempts, Change};
use crate::folder::{self, Folder};
use crate::journal::segment::Segment;
use crate::journal::told::Told;
use crate::pen::Pen;
use crate::{State, StoreError};

/// Takes over from the process before. Calls that it left are rows of the request log, if calls are logged.
pub(crate) fn recover(
    folder: Folder,
    mut balances: Box<dyn Balances>,
    now_ms: u64,
    are_logged: bool,
) -> Result<(Bookkeeper, State), StoreError> {
    let path = folder.path();
    let progress = balances.progress()?;
    // A number that no segment ever had: this can be done once.
    let last = folder::highest_number(path)?.max(progress.folded_to) + 1;
    let segments = folder::segments(path)?;
    let mut attempts = Attempts::of(progress.open).with_untold(balances.untold()?);
    let mut trouble = Vec::new();
    let mut strays = 0;
    for number in segments.iter().filter(|number| **number > progress.folded_to) {
        strays += fold_one(path, *number, &mut *balances, &mut attempts, &mut trouble)?;
    }
    if strays > 0 {
        trouble.push(format!("{strays} records of the journal name attempts that were not open, and change nothing"));
    }
    let mut change = Change::up_to(last);
    let abandoned = change.abandon_all(&attempts, now_ms, are_logged);
    balances.fold(&change, &mut || {})?;
    remove(path, &segments, &mut trouble);
    let run = balances.begin_run(now_ms)?;
    let lease = balances.lease().get();
    let Standing { budgets, slices } = balances.standing()?;
    let state = State { run, budgets, slices, abandoned, trouble, lease };
    let segment = Segment::create(path, last + 1)?;
    Ok((Bookkeeper::new(Pen::new(folder, segment), balances, Attempts::default()), state))
}

/// Folds a segment that is not in the balances yet: each by itself, for a database may have been away for long, and a transaction must not
/// take so. Says how many of its records changed nothing.
fn fold_one(
    folder: &Path,
    number: u64,
    balances: &mut dyn Balances,
    attempts: &mut Attempts,
    trouble: &mut Vec<String>,
) -> Result<u64, StoreError> {
    let Some(told) = Told::read(folder, number, u64::MAX)? else { return Ok(0) };
    let mut change = Change::up_to(number);
    let rest = change.add_all(attempts, &told);
    trouble.extend(told.set_aside(rest, folder)?);
    balances.fold(&change, &mut || {})?;
    let strays = change.strays;
    let carried_over = change.carried_over();
    attempts.apply(carried_over);
    Ok(strays)
}

fn remove(folder: &Path, segments: &[u64], trouble: &mut Vec<String>) {
    for number in segments {
        let path = folder::segment(folder, *number);
        // Should it stay, the next process does not fold it again.
        if let Err(error) = std::fs::remove_file(&path) {
            trouble.push(StoreError::file("removed", &path)(error).to_string());
        }
    }
}

#[cfg(test)]
mod tests;
