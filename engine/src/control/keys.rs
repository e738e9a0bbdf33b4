//! Tokens of virtual keys: new ones beside old ones for a while, and old ones shown again.

use std::time::Duration;

use policy::declare::entity::Kind;
use policy::provider::Secret;
use store::registry::Registry;

use super::{Actor, Control, ControlError, Created, Env, secrets};

/// The name under which the token is kept that was made for a virtual key to which the file gives none.
#[must_use]
pub fn token_name(id: &str) -> String {
    format!("virtual_key/{id}/token")
}

/// What became of the token that was made for a virtual key of the file.
#[derive(Debug)]
pub enum MadeToken {
    /// This one opens the key; it may be a later one.
    Opens(Secret),
    /// The key was deleted by a call: nothing opens it.
    Deleted,
    /// The key was not taken from the file yet.
    NotTaken,
}

/// The token that opens a virtual key of the file to which the file gives none.
///
/// # Errors
/// When it cannot be read or opened.
pub fn made_token(registry: &Registry, env: Env, id: &str) -> Result<MadeToken, ControlError> {
    let kind = Kind::VirtualKey.as_str();
    if let Some(row) = registry.get(kind, id)? {
        let token = secrets::token(&registry.seal(), &row, env)?;
        return Ok(token.map_or(MadeToken::NotTaken, MadeToken::Opens));
    }
    let was_deleted = registry.remembered(kind, id)?.is_some();
    Ok(if was_deleted { MadeToken::Deleted } else { MadeToken::NotTaken })
}

impl Control {
    /// Gives a virtual key a new token. The one that it had opens it for so long yet.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be kept.
    pub fn rotate(&self, id: &str, keep_old: Duration, actor: &Actor<'_>) -> Result<Created, ControlError> {
        let id = id.to_owned();
        self.change(actor, "rotate", move |draft| draft.rotate(&id, keep_old))?.created()
    }

    /// The newest token of a virtual key. The audit log tells who asked.
    ///
    /// # Errors
    /// When there is no such key, its token is not kept, or the audit log cannot be written.
    pub fn reveal(&self, id: &str, actor: &Actor<'_>) -> Result<Secret, ControlError> {
        let kind = Kind::VirtualKey;
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let token = secrets::token(&self.0.parts.registry.seal(), &row, self.0.parts.env)?;
        let token = token.ok_or_else(|| ControlError::ReadOnly(format!("the token of `{id}` is not kept")))?;
        self.tell(actor, "reveal", (kind.as_str(), id))?;
        Ok(token)
    }
}
