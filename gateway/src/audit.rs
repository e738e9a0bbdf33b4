//! `tollgate audit`: whether the audit log is what was written, and all of it as JSON Lines. Both may be asked beside a running gateway.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use policy::declare::File;
use policy::window::utc_text;
use serde_json::json;
use store::RegistryError;
use store::registry::AuditRow;
use thiserror::Error;

use crate::keyring::{self, KeyringError};

/// Why the log could not be read, or what is wrong with it.
#[derive(Debug, Error)]
pub(crate) enum AuditError {
    /// The store cannot be opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It cannot be read, or was tampered with.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It cannot be written out.
    #[error("the audit log cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Checks every row, and says how many there are.
///
/// # Errors
/// When a row was changed, moved, added or taken away: it is named. Or when the log cannot be read.
pub(crate) fn verify(file: &File, data: &Path) -> Result<String, AuditError> {
    let verified = keyring::open(file, data)?.verify()?;
    Ok(format!("the audit log is whole: {} rows", verified.rows))
}

/// Writes every row, a line each, oldest first. `before` and `after` are texts, so that they are what the MACs are over.
///
/// # Errors
/// When the log cannot be read or written.
pub(crate) fn export(file: &File, data: &Path, to: &mut dyn Write) -> Result<(), AuditError> {
    let mut written = Ok(());
    keyring::open(file, data)?.audit_each(&mut |row| {
        written = writeln!(to, "{}", line(&row));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| to.flush())?;
    Ok(())
}

fn line(row: &AuditRow) -> serde_json::Value {
    let entry = &row.entry;
    json!({
        "seq": row.seq,
        "at": utc_text(entry.at_ms),
        "at_ms": entry.at_ms,
        "actor": entry.actor,
        "actor_kind": entry.actor_kind,
        "address": entry.address,
        "action": entry.action,
        "kind": entry.kind,
        "entity_id": entry.entity_id,
        "before": entry.before,
        "after": entry.after,
        "previous_mac": hex(&row.previous_mac),
        "mac": hex(&row.mac),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
