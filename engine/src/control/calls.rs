//! What calls change of entities.

use std::cell::RefCell;
use std::time::Duration;

use policy::declare::entity::{Kind, Normalised, Written, made_for, merge};
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
        let normalised = self.merged(kind, id, None, &body)?;
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
        let normalised = self.merged(kind, id, Some(&stored), &body)?;
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

    /// What a body makes of an entity, and of its limits as they are kept.
    pub(super) fn merged(
        &self,
        kind: Kind,
        id: &str,
        stored: Option<&str>,
        body: &str,
    ) -> Result<Normalised, ControlError> {
        // The document of a limit holds no secrets.
        let document = |kind, id: &str| Ok(self.row(kind, id)?.map(|row| row.document));
        merge_with(kind, id, stored, body, document)
    }
}

/// Merges a body into what is stored. A limit that cannot be read is not one that is not there.
fn merge_with(
    kind: Kind,
    id: &str,
    stored: Option<&str>,
    body: &str,
    document: impl Fn(Kind, &str) -> Result<Option<String>, ControlError>,
) -> Result<Normalised, ControlError> {
    let failed = RefCell::new(None);
    let merged = merge(kind, id, stored, body, &|kind, id| {
        document(kind, id).unwrap_or_else(|error| {
            failed.borrow_mut().get_or_insert(error);
            None
        })
    });
    failed.into_inner().map_or_else(|| Ok(merged?), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_cannot_be_read_is_not_made_anew() {
        let body = r#"{"name": "app", "budgets": [{"max_limit": 5, "reset_duration": "1d"}]}"#;
        let merged = |found: Result<Option<String>, ControlError>| {
            merge_with(Kind::Team, "t1", None, body, move |_, _| found.clone()).map(|merged| merged.budgets.len())
        };
        assert_eq!(merged(Ok(None)).unwrap(), 1);
        let away = merged(Err(ControlError::Unavailable("it is away".into())));
        assert!(matches!(away, Err(ControlError::Unavailable(_))), "{away:?}");
    }
}
