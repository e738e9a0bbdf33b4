//! Tokens for virtual keys that the configuration gives none: made once, kept sealed in the data folder.
//!
//! Sealed with AES-256-GCM under a key that Argon2id derives from `encryption_key`, or from a key file in the data folder.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use policy::declare::File;
use policy::provider::Secret;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const KEYRING: &str = "virtual-keys.json";
const KEY_FILE: &str = "encryption.key";
const TOKEN_BYTES: usize = 24;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// Why tokens cannot be kept.
#[derive(Debug, Error)]
pub(crate) enum KeyringError {
    /// A file cannot be read or written.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// The file is not what was written.
    #[error("{0} in the data folder is damaged")]
    Damaged(&'static str),
    /// The file was sealed with another key.
    #[error("{KEYRING} in the data folder was sealed with another encryption key")]
    OtherKey,
    /// The operating system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// What stands in the file: for each key's id, its sealed token.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sealed {
    salt: String,
    tokens: BTreeMap<String, String>,
}

struct Seal(Aes256Gcm);

/// Gives a token to every virtual key that has none, the same as ever, and sees to the key file.
pub(crate) fn complete(file: &mut File, data: &Path) -> Result<(), KeyringError> {
    fs::create_dir_all(data).map_err(at(data))?;
    let secret = match &file.encryption_key {
        Some(key) => key.clone(),
        None => key_file(&data.join(KEY_FILE))?,
    };
    let wants_token = file.governance.virtual_keys.iter().any(|key| key.value.is_none());
    if !wants_token {
        return Ok(());
    }
    let path = data.join(KEYRING);
    let mut sealed = read(&path)?;
    let seal = Seal::open(&secret, &mut sealed)?;
    let mut is_new = false;
    for key in file.governance.virtual_keys.iter_mut().filter(|key| key.value.is_none()) {
        let id = key.id.to_string();
        let token = match sealed.tokens.get(&id) {
            Some(text) => seal.unseal(&id, text)?,
            None => {
                let token =
                    format!("{}{}", file.client.virtual_key_prefix, URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?));
                sealed.tokens.insert(id.clone(), seal.seal(&id, &token)?);
                is_new = true;
                tracing::info!(key.id = %id, "a token was made for a virtual key without value; `tollgate keys` shows it");
                token
            }
        };
        key.value = Some(Secret::new(&token));
    }
    if is_new {
        let text = serde_json::to_vec_pretty(&sealed).map_err(|_| KeyringError::Damaged(KEYRING))?;
        write_whole(&path, &text)?;
    }
    Ok(())
}

impl Seal {
    fn open(secret: &Secret, sealed: &mut Sealed) -> Result<Self, KeyringError> {
        if sealed.salt.is_empty() {
            sealed.salt = STANDARD.encode(random::<SALT_BYTES>()?);
        }
        let salt = STANDARD.decode(&sealed.salt).map_err(|_| KeyringError::Damaged(KEYRING))?;
        let mut derived = [0_u8; 32];
        Argon2::default()
            .hash_password_into(secret.reveal().as_bytes(), &salt, &mut derived)
            .map_err(|_| KeyringError::Damaged(KEYRING))?;
        Ok(Self(Aes256Gcm::new(&Key::<Aes256Gcm>::from(derived))))
    }

    /// The id is bound to the token, so that sealed tokens cannot be swapped.
    fn seal(&self, id: &str, token: &str) -> Result<String, KeyringError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = aes_gcm::aead::Payload { msg: token.as_bytes(), aad: id.as_bytes() };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyringError::Damaged(KEYRING))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    fn unseal(&self, id: &str, text: &str) -> Result<String, KeyringError> {
        let damaged = || KeyringError::Damaged(KEYRING);
        let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = aes_gcm::aead::Payload { msg: sealed, aad: id.as_bytes() };
        let token = self.0.decrypt(&Nonce::from(*nonce), payload).map_err(|_| KeyringError::OtherKey)?;
        String::from_utf8(token).map_err(|_| damaged())
    }
}

/// The key in the key file, which is made if it is not there.
fn key_file(path: &Path) -> Result<Secret, KeyringError> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 32 => return Ok(Secret::new(text.trim())),
        Ok(_) => return Err(KeyringError::Damaged(KEY_FILE)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(path)(error)),
    }
    let key = URL_SAFE_NO_PAD.encode(random::<32>()?);
    write_whole(path, key.as_bytes())?;
    tracing::warn!(file = %path.display(), "no `encryption_key` is configured; a key file was made. Keep it: what is sealed with it cannot be opened without it");
    Ok(Secret::new(&key))
}

fn read(path: &Path) -> Result<Sealed, KeyringError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|_| KeyringError::Damaged(KEYRING)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Sealed::default()),
        Err(error) => Err(at(path)(error)),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let draft = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(at(&draft))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&draft))?;
    fs::rename(&draft, path).map_err(at(path))
}

fn random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyringError::Random)?;
    Ok(bytes)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyringError {
    let file = path.display().to_string();
    move |error| KeyringError::Io { file, error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(encryption_key: Option<&str>) -> File {
        let key = encryption_key.map(|key| format!("\"encryption_key\": \"{key}\",")).unwrap_or_default();
        let json = format!(r#"{{ {key} "governance": {{ "virtual_keys": [{{ "id": "vk", "name": "vk" }}] }} }}"#);
        crate::config::read_text("config.json", &json, &|_| None).unwrap().file
    }

    fn token(folder: &Path, encryption_key: Option<&str>) -> Result<String, KeyringError> {
        let mut file = file(encryption_key);
        complete(&mut file, folder)?;
        Ok(file.governance.virtual_keys[0].value.as_ref().unwrap().reveal().to_owned())
    }

    #[test]
    fn a_token_is_made_once_and_kept_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let first = token(folder.path(), None).unwrap();
        assert!(first.starts_with("sk-bf-") && first.len() >= 6 + 32, "{first}");
        assert_eq!(token(folder.path(), None).unwrap(), first);
        let kept = fs::read_to_string(folder.path().join(KEYRING)).unwrap();
        assert!(!kept.contains(&first));
    }

    #[test]
    fn both_files_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        token(folder.path(), None).unwrap();
        for name in [KEYRING, KEY_FILE] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn another_encryption_key_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        token(folder.path(), Some("one")).unwrap();
        assert!(matches!(token(folder.path(), Some("two")), Err(KeyringError::OtherKey)));
    }
}
