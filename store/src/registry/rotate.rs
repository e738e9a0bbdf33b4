//! Sealing everything anew under another encryption key.

use policy::provider::Secret;

use super::audit::AuditEntry;
use super::commit::{append, next_revision};
use super::database::{Change, Document};
use super::keys::{Draft, Keys, place};
use super::{RegistryError, commit};
use crate::seal::text::{PREFIX, Sealed, replace_all};
use crate::seal::{Context, Seal, SealError};

const AT_ONCE: u32 = 1_000;

/// What was sealed anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// How many values of documents.
    pub values: u64,
    /// Kind and id of rows that hold a value which the old key does not open, because somebody changed it. It is as it was.
    pub damaged: Vec<(String, String)>,
}

pub(super) fn rotate(
    change: &dyn Change,
    old: &Keys,
    new: &Draft,
    audit: &AuditEntry,
) -> Result<Rotated, RegistryError> {
    new.keep_salt(change)?;
    for (name, text) in change.notes()?.iter().filter(|(_, text)| text.starts_with(PREFIX)) {
        let secret = old.seal.unseal(place(name), text)?;
        change.set_note(name, &new.seal.seal(place(name), &secret)?)?;
    }
    let mut rotated = Rotated::default();
    let revision = next_revision(change)?;
    let mut after = (String::new(), String::new());
    loop {
        let documents = change.documents(PREFIX, &after, AT_ONCE)?;
        let Some(last) = documents.last() else { break };
        after = (last.kind.clone(), last.id.clone());
        for document in &documents {
            if let Some(text) = rotated.reseal(document, &old.seal, &new.seal)? {
                change.redocument(&document.kind, &document.id, &text, revision)?;
            }
        }
    }
    if rotated.values > 0 {
        change.set_revision(revision)?;
    }
    commit::check_entry(audit)?;
    append(change, &old.chain, std::slice::from_ref(audit))?;
    Ok(rotated)
}

impl Rotated {
    fn reseal(&mut self, document: &Document, old: &Seal, new: &Seal) -> Result<Option<String>, SealError> {
        let Document { kind, id, document } = document;
        let mut is_damaged = false;
        let resealed = replace_all(document, |sealed: &Sealed| {
            let Ok(secret): Result<Secret, _> = old.open(kind, id, sealed) else {
                is_damaged = true;
                return Ok(None);
            };
            self.values = self.values.saturating_add(1);
            new.seal(Context { kind, id, field: &sealed.field }, &secret).map(Some)
        });
        if is_damaged {
            self.damaged.push((kind.clone(), id.clone()));
        }
        resealed
    }
}
