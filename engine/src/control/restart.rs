//! What is read when the gateway starts and at no other time: a change of it is kept, and waits for a restart.

use policy::declare::entity::{Kind, Shape, read_entity};
use serde_json::Value;
use store::registry::Registry;

use super::{Control, ControlError, Env, Kept, vocabulary};

/// The fields of `client` that are read at start alone: bounds on what is held for
/// calls, and who is believed. Of `framework` it is all.
pub const CLIENT_AT_START: [&str; 6] = [
    "max_request_body_size_mb",
    "max_buffered_bytes",
    "request_body_timeout_ms",
    "drain_ms",
    "trusted_proxies",
    "auth_failures_per_minute",
];

/// The sections as they were at some moment.
#[derive(Debug)]
pub(super) struct Sections {
    client: Value,
    framework: Value,
}

impl Sections {
    pub(super) fn of(registry: &Registry) -> Result<Self, ControlError> {
        let section = |kind: Kind| -> Result<Value, ControlError> {
            let row = registry.get(kind.as_str(), kind.as_str())?;
            Ok(row.and_then(|row| serde_json::from_str(&row.document).ok()).unwrap_or_default())
        };
        Ok(Self { client: section(Kind::Client)?, framework: section(Kind::Framework)? })
    }

    /// The places where these differ in what is read at start alone.
    fn differences(&self, other: &Self) -> Vec<String> {
        let client = client_at_start(&self.client, &other.client).map(|field| format!("client.{field}"));
        let is_same = fields(&self.framework) == fields(&other.framework);
        client.chain((!is_same).then(|| "framework".to_owned())).collect()
    }
}

/// The fields of two `client` sections that differ and are read at start alone.
pub fn client_at_start<'a>(one: &'a Value, other: &'a Value) -> impl Iterator<Item = &'static str> + use<'a> {
    CLIENT_AT_START.into_iter().filter(|field| said(one, field) != said(other, field))
}

/// `null` is as if the field were not there.
fn said<'a>(section: &'a Value, field: &str) -> Option<&'a Value> {
    section.get(field).filter(|value| !value.is_null())
}

/// A section without fields says what no section says.
fn fields(section: &Value) -> Option<&Value> {
    Some(section).filter(|section| section.as_object().is_some_and(|fields| !fields.is_empty()))
}

/// A section as it is kept: what the file said of it, or what calls have made of that. `None`: it is not kept.
///
/// # Errors
/// When it cannot be read.
pub fn section(registry: &Registry, env: Env, kept: &Kept, kind: Kind) -> Result<Option<Shape>, ControlError> {
    let Some(row) = registry.get(kind.as_str(), kind.as_str())? else { return Ok(None) };
    Ok(Some(read_entity(kind, kind.as_str(), &row.document, env, &kept.snapshot, &vocabulary())?.0))
}

impl Control {
    /// The places in the sections that were changed since this was made, and are in force only after a restart.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn waits_for_restart(&self) -> Result<Vec<String>, ControlError> {
        let Some(started) = &self.0.started else { return Ok(Vec::new()) };
        Ok(Sections::of(&self.0.parts.registry)?.differences(started))
    }
}
