//! The administrator's password is kept as its hash, whoever wrote it and wherever it came from.

use std::borrow::Cow;

use policy::declare::entity::Kind;
use policy::declare::is_password_hash;
use policy::provider::Secret;
use serde_json::Value;
use store::seal::SealError;

use super::REDACTED;
use super::secrets::{REFERENCE, SEALED};

/// A document whose password in plain text, if it has one, has its hash in its place. What stands for the environment, or is a hash
/// already, stays.
pub(super) fn hashed(kind: Kind, document: &str) -> Result<Cow<'_, str>, SealError> {
    let unchanged = Ok(Cow::Borrowed(document));
    if kind != Kind::AuthConfig {
        return unchanged;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return unchanged };
    let Some(Value::String(password)) = value.get_mut("admin_password") else { return unchanged };
    let is_kept = [SEALED, REFERENCE].iter().any(|prefix| password.starts_with(prefix)) || is_password_hash(password);
    if password.is_empty() || password == REDACTED || is_kept {
        return unchanged;
    }
    *password = store::password::hash(&Secret::new(password))?;
    Ok(Cow::Owned(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(document: &str) -> String {
        let document = hashed(Kind::AuthConfig, document).unwrap().into_owned();
        serde_json::from_str::<Value>(&document).unwrap()["admin_password"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_password_in_plain_text_becomes_its_hash() {
        let hash = password(r#"{"is_enabled": true, "admin_password": "correct horse"}"#);
        assert!(store::password::is_of(&hash, &Secret::new("correct horse")), "{hash}");
        assert_eq!(password(&format!(r#"{{"admin_password": "{hash}"}}"#)), hash);
        assert_eq!(password(r#"{"admin_password": "env.PASSWORD"}"#), "env.PASSWORD");
    }

    #[test]
    fn other_documents_stay_as_they_are() {
        for (kind, document) in [
            (Kind::Client, r#"{"admin_password": "x"}"#),
            (Kind::AuthConfig, r#"{"is_enabled": false}"#),
            (Kind::AuthConfig, r#"{"admin_password": null}"#),
        ] {
            assert_eq!(hashed(kind, document).unwrap(), document);
        }
    }
}
