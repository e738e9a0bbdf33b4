//! What is done at start: the journal of the last process is folded, and what it left open is charged in full.

use std::path::Path;

use crate::balances::{Balances, Standing};
use crate::bookkeeper::Bookkeeper;
use crate::fold::{Attempts, Change};
use crate::folder::{self, Folder};
use crate::journal::segment::Segment;
use crate::journal::told::Told;
use crate::{State, StoreError};

/// Takes over from the process before.
pub(crate) fn recover(
    folder: Folder,
    mut balances: Box<dyn Balances>,
    now_ms: u64,
) -> Result<(Bookkeeper, State), StoreError> {
    let path = folder.path();
    let progress = balances.progress()?;
    // A number that no segment ever had: this can be done once.
    let last = folder::highest_number(path)?.max(progress.folded_to) + 1;
    let segments = folder::segments(path)?;
    let attempts = Attempts::of(progress.open);
    let mut trouble = Vec::new();
    let unfolded = segments.iter().copied().filter(|number| *number > progress.folded_to);
    let mut change = Change::up_to(last);
    replay(path, unfolded, &attempts, &mut change, &mut trouble)?;
    let abandoned = change.abandon_all(&attempts, now_ms);
    balances.fold(&change)?;
    remove(path, &segments, &mut trouble);
    let run = balances.begin_run(now_ms)?;
    let Standing { budgets, slices } = balances.standing()?;
    let state = State { run, budgets, slices, abandoned, trouble };
    let segment = Segment::create(path, last + 1)?;
    Ok((Bookkeeper::new(folder, balances, segment, Attempts::default()), state))
}

/// What segments change. What of them is no record is set aside.
fn replay(
    folder: &Path,
    segments: impl Iterator<Item = u64>,
    attempts: &Attempts,
    change: &mut Change,
    trouble: &mut Vec<String>,
) -> Result<(), StoreError> {
    for number in segments {
        let Some(told) = Told::read(folder, number, u64::MAX)? else { continue };
        trouble.extend(told.set_aside(folder, number)?);
        told.records.into_iter().for_each(|record| change.add(attempts, record));
    }
    if change.strays > 0 {
        trouble.push(format!(
            "{} records of the journal name attempts that were not open, and change nothing",
            change.strays
        ));
    }
    Ok(())
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
