//! `tollgate seal rotate`: everything that is sealed is sealed anew under another encryption key.

use std::path::Path;

use engine::clock::Clock;
use policy::declare::File;
use policy::provider::Secret;
use store::RegistryError;
use store::registry::{AuditEntry, Rotated};
use thiserror::Error;

use crate::keyring::{self, KeyringError, NextKey};

/// The environment variable that has the new key.
pub(crate) const NEW_KEY: &str = "TOLLGATE_NEW_ENCRYPTION_KEY";

/// Why nothing was sealed anew.
#[derive(Debug, Error)]
pub(crate) enum SealError {
    /// The store or a key file.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store.
    #[error("nothing was sealed anew: {0}")]
    Registry(#[from] RegistryError),
    /// No new key is given.
    #[error("say what the new key is: {NEW_KEY} in the environment, or --new-key-file")]
    NoKey,
    /// The file of the new key.
    #[error("--new-key-file {file}: {why}")]
    KeyFile {
        /// The file.
        file: String,
        /// Why it cannot be used.
        why: String,
    },
}

/// Seals everything anew, and says what was done. Where the key is in the data folder's key file, that is replaced last.
///
/// # Errors
/// When there is no new key, or it cannot be done; then everything is sealed as before.
pub(crate) fn rotate(file: &File, data: &Path, new_key_file: Option<&Path>) -> Result<String, SealError> {
    let given = given(new_key_file)?;
    let registry = keyring::open(file, data)?;
    let next = if file.encryption_key.is_none() { Some(NextKey::keep(data, given.clone())?) } else { None };
    let key = next.as_ref().map(|next| next.key().clone()).or(given).ok_or(SealError::NoKey)?;
    match registry.rotate(&key, &entry()) {
        Ok(rotated) => {
            let of_file = next.map(NextKey::take).transpose()?;
            Ok(told(&rotated, of_file.is_some()))
        }
        Err(error) => {
            // What may have been done needs the key.
            if let Some(next) = next.filter(|_| !matches!(error, RegistryError::Uncertain)) {
                next.forget()?;
            }
            Err(error.into())
        }
    }
}

fn given(new_key_file: Option<&Path>) -> Result<Option<Secret>, SealError> {
    let Some(path) = new_key_file else {
        return Ok(std::env::var(NEW_KEY).ok().filter(|key| !key.is_empty()).map(|key| Secret::new(&key)));
    };
    let wrong = |why: String| SealError::KeyFile { file: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".to_owned())),
        key => Ok(Some(Secret::new(key))),
    }
}

fn entry() -> AuditEntry {
    AuditEntry {
        at_ms: Clock::start().now().wall_ms,
        actor: "tollgate seal rotate".to_owned(),
        actor_kind: "command".to_owned(),
        action: "rotate".to_owned(),
        kind: "encryption_key".to_owned(),
        ..AuditEntry::default()
    }
}

fn told(rotated: &Rotated, is_in_file: bool) -> String {
    let mut told = format!("{} values were sealed anew", rotated.values);
    for (kind, id) in &rotated.damaged {
        told.push_str(&format!("\na value of the {kind} `{id}` was damaged before, and is as it was"));
    }
    told.push_str(if is_in_file {
        "\nthe key file in the data folder has the new key"
    } else {
        "\n`encryption_key` must be the new key from now on"
    });
    told.push_str("; restart every gateway on this store");
    told
}
