//! Tokens of virtual keys: new ones beside old ones for a while, and old ones shown again.

use std::time::Duration;

use policy::declare::entity::{Kind, Written};
use policy::provider::Secret;

use super::change::{Source, new_token};
use super::{Actor, Control, ControlError, Created, secrets};

impl Control {
    /// Gives a virtual key a new token. The one that it had opens it for so long yet.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be kept.
    pub fn rotate(&self, id: &str, keep_old: Duration, actor: &Actor<'_>) -> Result<Created, ControlError> {
        let mut turn = self.0.turn.lock();
        self.catch_up(&mut turn)?;
        let kind = Kind::VirtualKey;
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let token = new_token(&self.snapshot())?;
        let keep_ms = u64::try_from(keep_old.as_millis()).unwrap_or(u64::MAX);
        let document =
            secrets::rotated(&row.document, &token, self.now().wall_ms.saturating_add(keep_ms), self.0.parts.env);
        let mut draft = self.draft(actor, "rotate");
        let written = Written { kind, id: id.into(), document, at: String::new() };
        draft.put(&written, Some(&row), Source::of(Some(&row)))?;
        self.finish(draft, &mut turn)?;
        let entry = self.get(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        Ok(Created { entry, token: Some(token) })
    }

    /// The newest token of a virtual key. The audit log tells who asked.
    ///
    /// # Errors
    /// When there is no such key, its token is not kept, or the audit log cannot be written.
    pub fn reveal(&self, id: &str, actor: &Actor<'_>) -> Result<Secret, ControlError> {
        let mut turn = self.0.turn.lock();
        let kind = Kind::VirtualKey;
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let token = secrets::token(&self.0.parts.registry.seal(), &row, self.0.parts.env)?;
        let token = token.ok_or_else(|| ControlError::ReadOnly(format!("the token of `{id}` is not kept")))?;
        self.tell(actor, "reveal", (kind.as_str(), id), &mut turn)?;
        Ok(token)
    }
}
