//! Admin API keys. Only hashes of their tokens are kept, in the registry's secrets, as a log of events that is only added to: so it
//! needs no table of its own, every node sees the same, and no two can write the same place.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use policy::key::TokenHash;
use policy::provider::Secret;
use serde::{Deserialize, Serialize};
use store::Registry;
use store::registry::{AuditEntry, Write};

use crate::error::ApiError;

/// What a token begins with, so that people and scanners of secrets know it.
pub(crate) const PREFIX: &str = "tgk-";
const MOST_KEYS: usize = 1_000;
const EVENT: &str = "admin_api_keys/";
/// How many events are read at once.
const AT_ONCE: u64 = 100;

/// An API key, without its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The token's SHA-256, in hexadecimal digits.
    hash: String,
    pub(crate) is_active: bool,
    pub(crate) created_ms: u64,
    pub(crate) expires_at_ms: Option<u64>,
}

/// What is to change of a key. `None`: it stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) name: Option<String>,
    pub(crate) is_active: Option<bool>,
    pub(crate) expires_at_ms: Option<Option<u64>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Put(ApiKey),
    Removed(String),
}

/// The API keys.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    registry: Registry,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// How many events were read.
    events: u64,
    keys: BTreeMap<String, ApiKey>,
    by_hash: HashMap<String, String>,
}

impl ApiKeys {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry, known: Mutex::default() }
    }

    /// The key of a token, if it is good now. Blocks. What cannot be read opens nothing.
    pub(crate) fn find(&self, token: &str, now_ms: u64) -> Result<Option<ApiKey>, ApiError> {
        let known = self.caught_up()?;
        let key = known.by_hash.get(&TokenHash::of(token).to_hex()).and_then(|id| known.keys.get(id));
        let is_good = |key: &&ApiKey| key.is_active && key.expires_at_ms.is_none_or(|end| now_ms < end);
        Ok(key.filter(is_good).cloned())
    }

    /// All of them, by id.
    pub(crate) fn all(&self) -> Result<Vec<ApiKey>, ApiError> {
        Ok(self.caught_up()?.keys.values().cloned().collect())
    }

    /// Makes one, and gives its token, which is known to nobody afterwards.
    pub(crate) fn create(&self, change: Change, audit: &AuditEntry) -> Result<(ApiKey, Secret), ApiError> {
        let mut known = self.caught_up()?;
        if known.keys.len() >= MOST_KEYS {
            return Err(ApiError::conflict(format!("there are {MOST_KEYS} API keys already")));
        }
        let name = change.name.unwrap_or_default();
        known.check_name(&name, None)?;
        let token = random_text(PREFIX, 32)?;
        let key = ApiKey {
            id: random_text("ak-", 12)?,
            name,
            hash: TokenHash::of(&token).to_hex(),
            is_active: change.is_active.unwrap_or(true),
            created_ms: audit.at_ms,
            expires_at_ms: change.expires_at_ms.flatten(),
        };
        self.write(&mut known, &Event::Put(key.clone()), audit, (&key.id, None, Some(&key)))?;
        Ok((key, Secret::new(&token)))
    }

    /// Changes one.
    pub(crate) fn update(&self, id: &str, change: Change, audit: &AuditEntry) -> Result<ApiKey, ApiError> {
        let mut known = self.caught_up()?;
        let before = known.keys.get(id).cloned().ok_or_else(|| no_such(id))?;
        if let Some(name) = &change.name {
            known.check_name(name, Some(id))?;
        }
        let key = ApiKey {
            name: change.name.unwrap_or_else(|| before.name.clone()),
            is_active: change.is_active.unwrap_or(before.is_active),
            expires_at_ms: change.expires_at_ms.unwrap_or(before.expires_at_ms),
            ..before.clone()
        };
        self.write(&mut known, &Event::Put(key.clone()), audit, (id, Some(&before), Some(&key)))?;
        Ok(key)
    }

    /// Takes one away: it opens nothing from now on.
    pub(crate) fn remove(&self, id: &str, audit: &AuditEntry) -> Result<(), ApiError> {
        let mut known = self.caught_up()?;
        let before = known.keys.get(id).cloned().ok_or_else(|| no_such(id))?;
        self.write(&mut known, &Event::Removed(id.to_owned()), audit, (id, Some(&before), None))
    }

    fn caught_up(&self) -> Result<parking_lot::MutexGuard<'_, Known>, ApiError> {
        let mut known = self.known.lock();
        self.catch_up(&mut known)?;
        Ok(known)
    }

    fn catch_up(&self, known: &mut Known) -> Result<(), ApiError> {
        loop {
            // The first time all are new, later rarely one is.
            let count = if known.events == 0 { AT_ONCE } else { 1 };
            let names: Vec<_> = (1..=count).map(|n| place(known.events.saturating_add(n))).collect();
            let found = self.registry.kept(&names)?;
            let is_whole = found.iter().all(Option::is_some);
            for text in found.into_iter().map_while(|secret| secret) {
                let event = serde_json::from_str(text.reveal()).map_err(|error| ApiError::internal(&error))?;
                known.take(event);
            }
            if !is_whole {
                return Ok(());
            }
        }
    }

    /// The audit log is written first: a change that it does not know is worse than one that it knows and that did not come to be.
    fn write(
        &self,
        known: &mut Known,
        event: &Event,
        audit: &AuditEntry,
        (id, before, after): (&str, Option<&ApiKey>, Option<&ApiKey>),
    ) -> Result<(), ApiError> {
        let entry = AuditEntry {
            kind: "api_key".to_owned(),
            entity_id: id.to_owned(),
            before: before.map(ApiKey::shown),
            after: after.map(ApiKey::shown),
            ..audit.clone()
        };
        self.registry.commit(&Write { at_ms: audit.at_ms, audit: vec![entry], ..Write::default() })?;
        let text = serde_json::to_string(event).map_err(|error| ApiError::internal(&error))?;
        let place = place(known.events.saturating_add(1));
        self.registry.keep(&[(place.clone(), Secret::new(&text))])?;
        let is_ours = matches!(&*self.registry.kept(&[place])?, [Some(kept)] if kept.reveal() == text);
        self.catch_up(known)?;
        if is_ours { Ok(()) } else { Err(ApiError::conflict("the API keys were changed meanwhile: try again")) }
    }
}

impl Known {
    fn take(&mut self, event: Event) {
        self.events = self.events.saturating_add(1);
        match event {
            Event::Put(key) => {
                self.by_hash.insert(key.hash.clone(), key.id.clone());
                self.keys.insert(key.id.clone(), key);
            }
            Event::Removed(id) => {
                if let Some(key) = self.keys.remove(&id) {
                    self.by_hash.remove(&key.hash);
                }
            }
        }
    }

    fn check_name(&self, name: &str, of: Option<&str>) -> Result<(), ApiError> {
        if name.trim().is_empty() || name.len() > 200 || name.contains('\0') {
            return Err(ApiError::invalid("an API key needs a name of 1 to 200 bytes").about("name"));
        }
        let by_other = self.keys.values().any(|key| key.name == name && Some(&*key.id) != of);
        if by_other { Err(ApiError::conflict("the name is taken").about("name")) } else { Ok(()) }
    }
}

impl ApiKey {
    /// As the audit log shows it.
    fn shown(&self) -> String {
        let Self { id, name, is_active, expires_at_ms, .. } = self;
        serde_json::json!({ "id": id, "name": name, "is_active": is_active, "expires_at_ms": expires_at_ms })
            .to_string()
    }
}

fn place(event: u64) -> String {
    format!("{EVENT}{event}")
}

fn no_such(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no API key `{id}`"))
}

fn random_text(prefix: &str, bytes: usize) -> Result<String, ApiError> {
    use base64::Engine as _;
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| ApiError::internal(&error))?;
    Ok(format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)))
}
