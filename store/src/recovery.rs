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
    let attempts = Attempts::of(progress.open).with_untold(balances.untold()?);
    let told = unfolded(path, &segments, progress.folded_to)?;
    let mut trouble = Vec::new();
    let mut change = Change::up_to(last);
    for told in &told {
        let rest = change.add_all(&attempts, told);
        trouble.extend(told.set_aside(rest, path)?);
    }
    if change.strays > 0 {
        let strays = change.strays;
        trouble.push(format!("{strays} records of the journal name attempts that were not open, and change nothing"));
    }
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

/// The segments that are not in the balances yet.
fn unfolded(folder: &Path, segments: &[u64], folded_to: u64) -> Result<Vec<Told>, StoreError> {
    let unfolded = segments.iter().filter(|number| **number > folded_to);
    unfolded.filter_map(|number| Told::read(folder, *number, u64::MAX).transpose()).collect()
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
