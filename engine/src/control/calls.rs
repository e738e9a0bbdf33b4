//! What calls change of entities.

use std::time::Duration;

use policy::declare::entity::{Kind, Written, made_for, merge};
use policy::provider::Secret;

use super::change::{Draft, Source, new_token};
use super::owned::Owned;
use super::{ControlError, secrets};

/// What is given back beside the entities: a new token.
pub(super) type Given = Result<Option<Secret>, ControlError>;

impl Draft<'_> {
    /// Makes an entity from the body of a request.
    pub(super) fn create(&mut self, kind: Kind, id: &str, body: &str) -> Given {
        if self.row(kind, id)?.is_some() {
            return Err(ControlError::Exists { kind, id: id.to_owned() });
        }
        let body = secrets::restored(kind, body, "{}")?;
        let normalised = merge(kind, id, None, &body, &|kind, id| self.document(kind, id))?;
        self.put_all(normalised, None)
    }

    /// Changes an entity by the body of a request.
    pub(super) fn update(&mut self, kind: Kind, id: &str, body: &str) -> Given {
        let before = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let stored = self.opened(&before)?;
        let body = match Owned::read(kind, body)? {
            Some(owned) => self.without_owner(id, owned)?,
            None => secrets::restored(kind, body, &stored)?,
        };
        let normalised = merge(kind, id, Some(&stored), &body, &|kind, id| self.document(kind, id))?;
        self.put_all(normalised, Some(&before))
    }

    /// Changes a section of which there is one, or makes it.
    pub(super) fn put_section(&mut self, kind: Kind, body: &str) -> Given {
        let id = kind.as_str();
        if self.row(kind, id)?.is_some() { self.update(kind, id, body) } else { self.create(kind, id, body) }
    }

    /// Removes an entity, and the limits that were made for it alone.
    pub(super) fn remove_with_limits(&mut self, kind: Kind, id: &str) -> Given {
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let made = made_for(kind, id, &row.document);
        self.remove(&row)?;
        self.remove_unused(made)?;
        Ok(None)
    }

    /// Gives a virtual key a new token.
    pub(super) fn rotate(&mut self, id: &str, keep_old: Duration) -> Given {
        let kind = Kind::VirtualKey;
        let row = self.row(kind, id)?.ok_or_else(|| ControlError::not_found(kind, id))?;
        let token = new_token(self.snapshot())?;
        let keep_ms = u64::try_from(keep_old.as_millis()).unwrap_or(u64::MAX);
        let document = secrets::rotated(&row.document, &token, self.at_ms().saturating_add(keep_ms), self.env());
        let written = Written { kind, id: id.into(), document, at: String::new() };
        self.put(&written, Some(&row), Source::of(Some(&row)))?;
        self.replace_token(id, &token);
        Ok(Some(token))
    }

    /// The document of a limit, which holds no secrets.
    pub(super) fn document(&self, kind: Kind, id: &str) -> Option<String> {
        self.row(kind, id).ok().flatten().map(|row| row.document)
    }
}
