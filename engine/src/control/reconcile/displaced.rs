//! Limits of a model that the file now limits with another entity: they are not kept beside those of the file, as they would be in
//! force nowhere, or on some nodes alone.

use policy::declare::entity::{Kind, made_for};
use store::registry::Row;

use super::{Entries, Reconciled, put};
use crate::control::ControlError;
use crate::control::change::{Draft, Lost};

/// Limits that a call gave a model, and that the file took it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced {
    /// Whose model it was.
    pub id: String,
    /// The model config of the file that has it now.
    pub by: String,
    /// Whether it is gone. Otherwise it is in the file too, and is what it is there.
    pub is_removed: bool,
}

/// Removes what the file took a model from, or makes it again what it is in the file; `late` is removed anyway.
pub(super) fn settle(
    draft: &mut Draft<'_>,
    entries: &Entries<'_>,
    late: &[Row],
    done: &mut Reconciled,
) -> Result<(), ControlError> {
    let kind = Kind::ModelConfig;
    while let Some(Lost { id, by }) = draft.next_lost() {
        let is_known = done.displaced.iter().any(|known| *known.id == *id);
        if is_known || is_among(late, kind, &id) {
            continue;
        }
        let of_file = entries.wanted.get(&(kind.as_str(), &*id));
        match of_file {
            Some(entity) => put(draft, entries, entity, done)?,
            None => remove(draft, entries, late, &id, done)?,
        }
        done.displaced.push(Displaced { id: id.to_string(), by: by.to_string(), is_removed: of_file.is_none() });
    }
    Ok(())
}

/// Removes it with the limits that were made for it alone, but for those that the file has or had.
fn remove(
    draft: &mut Draft<'_>,
    entries: &Entries<'_>,
    late: &[Row],
    id: &str,
    done: &mut Reconciled,
) -> Result<(), ControlError> {
    let kind = Kind::ModelConfig;
    let Some(row) = draft.row(kind, id)? else { return Ok(()) };
    let mut made = made_for(kind, id, &row.document);
    made.retain(|(kind, id)| !entries.wanted.contains_key(&(kind.as_str(), &**id)) && !is_among(late, *kind, id));
    draft.remove(&row)?;
    draft.remove_unused(made)?;
    done.removed += 1;
    Ok(())
}

fn is_among(rows: &[Row], kind: Kind, id: &str) -> bool {
    rows.iter().any(|row| row.kind == kind.as_str() && row.id == id)
}
