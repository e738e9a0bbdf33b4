//! Who may log in: `governance.auth_config` as it is kept now. A password that the environment holds is hashed as soon as it is seen.

use engine::control::Env;
use parking_lot::Mutex;
use policy::declare::entity::Kind;
use policy::declare::is_password_hash;
use policy::provider::Secret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::Registry;
use store::seal::Context;
use subtle::ConstantTimeEq;

use crate::error::ApiError;

const FIELD: &str = "admin_password";

/// Who may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthConfig {
    /// Whether management needs authentication.
    pub(crate) is_enabled: bool,
    /// The user's name.
    pub(crate) username: String,
    /// The argon2id hash of the password, in the PHC string format; empty: nobody's.
    pub(crate) password_hash: String,
    /// Tells this name and this password from others, on every node alike, and tells nothing of them.
    pub(crate) mark: String,
}

impl AuthConfig {
    pub(crate) fn is_user(&self, name: &str) -> bool {
        self.username.as_bytes().ct_eq(name.as_bytes()).into()
    }
}

/// Reads who may log in from the registry, as often as the registry has changed.
#[derive(Debug)]
pub(crate) struct Authority {
    registry: Registry,
    env: Env,
    salt: [u8; 32],
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    revision: u64,
    config: AuthConfig,
    /// Of the password in plain text that the hash was made of.
    made_of: Option<[u8; 32]>,
}

impl Authority {
    pub(crate) fn new(registry: Registry, env: Env, salt: [u8; 32]) -> Self {
        Self { registry, env, salt, known: Mutex::new(None) }
    }

    /// Who may log in. Blocks. While the registry cannot be read, what was known last counts.
    pub(crate) fn config(&self) -> Result<AuthConfig, ApiError> {
        let mut known = self.known.lock();
        let read = self.registry.revision().map_err(ApiError::from).and_then(|revision| match &*known {
            Some(known) if known.revision == revision => Ok(known.clone()),
            _ => self.read(revision, known.as_ref()),
        });
        match (read, &*known) {
            (Ok(new), _) => Ok(known.insert(new).config.clone()),
            (Err(_), Some(last)) => Ok(last.config.clone()),
            (Err(error), None) => Err(error),
        }
    }

    fn read(&self, revision: u64, before: Option<&Known>) -> Result<Known, ApiError> {
        let kind = Kind::AuthConfig.as_str();
        let row = self.registry.get(kind, kind)?;
        let document: Value = match row {
            Some(row) => serde_json::from_str(&row.document).map_err(|_| unreadable())?,
            None => Value::Null,
        };
        let is_enabled = match document.get("is_enabled") {
            Some(Value::Bool(is_enabled)) => *is_enabled,
            None | Some(Value::Null) => false,
            Some(_) => return Err(unreadable()),
        };
        let username = self.text(&document, "admin_username")?;
        let password = self.text(&document, FIELD)?;
        let mark = self.registry.file_mac("tollgate.session", &username, password.as_bytes());
        let mark = mark.iter().map(|byte| format!("{byte:02x}")).collect();
        let (password_hash, made_of) = if password.is_empty() || is_password_hash(&password) {
            (password, None)
        } else {
            self.hash(&password, before)?
        };
        Ok(Known { revision, config: AuthConfig { is_enabled, username, password_hash, mark }, made_of })
    }

    /// A field's value, opened and resolved; empty where it is absent.
    fn text(&self, document: &Value, field: &str) -> Result<String, ApiError> {
        let text = document.get(field).and_then(Value::as_str).unwrap_or_default();
        if let Some(name) = text.strip_prefix("env.") {
            return Ok((self.env)(name).unwrap_or_default());
        }
        if !text.starts_with("sealed:") {
            return Ok(text.to_owned());
        }
        let kind = Kind::AuthConfig.as_str();
        let opened = self.registry.seal().unseal(Context { kind, id: kind, field }, text);
        Ok(opened.map_err(|error| ApiError::internal(&error))?.reveal().to_owned())
    }

    fn hash(&self, password: &str, before: Option<&Known>) -> Result<(String, Option<[u8; 32]>), ApiError> {
        let digest: [u8; 32] = Sha256::new().chain_update(self.salt).chain_update(password).finalize().into();
        if let Some(known) = before.filter(|known| known.made_of == Some(digest)) {
            return Ok((known.config.password_hash.clone(), Some(digest)));
        }
        let hash = store::password::hash(&Secret::new(password)).map_err(|error| ApiError::internal(&error))?;
        Ok((hash, Some(digest)))
    }
}

/// What is kept of who may log in means nothing: nobody is let in by guesses.
fn unreadable() -> ApiError {
    ApiError::internal(&"what is kept of the administrator (`auth_config`) cannot be read")
}

#[cfg(test)]
mod tests {
    use store::registry::{Entity, Expected, Origin, Put, Write};

    use super::*;

    fn keep(registry: &Registry, document: &str) {
        let kind = Kind::AuthConfig.as_str().to_owned();
        let entity = Entity {
            id: kind.clone(),
            kind,
            name: None,
            is_name_unique: false,
            document: document.to_owned(),
            token_hashes: Vec::new(),
            origin: Origin::Api,
            file_mac: None,
            order: None,
            team_id: None,
            customer_id: None,
        };
        let puts = vec![Put { entity, expected: Expected::Anything }];
        registry.commit(&Write { at_ms: 1, puts, ..Write::default() }).unwrap();
    }

    #[test]
    fn what_cannot_be_read_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
        let fresh = || Authority::new(registry.clone(), |_| None, [0; 32]);
        assert!(!fresh().config().unwrap().is_enabled, "nobody was named");
        for unreadable in [r#"{"is_enabled": "yes"}"#, r#"{"is_enabled": 1}"#, r#"{"is_enabled": {}}"#] {
            keep(&registry, r#"{"is_enabled": true, "admin_username": "root"}"#);
            let before = fresh();
            assert!(before.config().unwrap().is_enabled);
            keep(&registry, unreadable);
            assert!(fresh().config().is_err(), "{unreadable}");
            assert!(before.config().unwrap().is_enabled, "what was known last counts");
        }
    }
}
