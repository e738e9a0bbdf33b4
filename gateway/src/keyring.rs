//! Tokens for virtual keys that the configuration gives none: made once, kept sealed in the registry; and the encryption key that
//! seals them, from `encryption_key` or from a key file in the data folder.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::control::{ControlError, MadeToken, made_token, token_name};
use policy::declare::File;
use policy::provider::Secret;
use store::seal::{self, SealError};
use store::{Registry, RegistryError};
use thiserror::Error;

use crate::place;

/// Where older versions kept tokens, and what that file is called once they are in the registry.
const KEYRING: &str = "virtual-keys.json";
const IMPORTED: &str = "virtual-keys.json.imported";
const KEY_FILE: &str = "encryption.key";
/// Where the next key is while everything is sealed with it.
const NEXT_KEY_FILE: &str = "encryption.key.next";
/// No key in a file is shorter.
const LEAST_KEY: usize = 32;
const TOKEN_BYTES: usize = 24;

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
    /// The file of an older version cannot be opened.
    #[error("{KEYRING} in the data folder: {0}")]
    Keyring(#[source] SealError),
    /// The registry.
    #[error("what is configured cannot be opened: {0}")]
    Registry(#[from] RegistryError),
    /// What is kept of a key cannot be read.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The new key is too short for a key file.
    #[error("a key in {KEY_FILE} has at least {LEAST_KEY} characters")]
    ShortKey,
    /// The operating system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Gives a token to every virtual key that has none, the same as ever, and sees to the key file.
pub(crate) fn complete(file: &mut File, data: &Path) -> Result<(), KeyringError> {
    if file.governance.virtual_keys.iter().all(|key| key.value.is_some()) {
        return encryption_key(file, data).map(drop);
    }
    let registry = open(file, data)?;
    complete_from(file, &registry)
}

/// Opens the registry that the configuration names, into which tokens of an older version are taken over.
pub(crate) fn open(file: &File, data: &Path) -> Result<Registry, KeyringError> {
    let encryption_key = encryption_key(file, data)?;
    let opened = open_with(file, data, &encryption_key);
    let is_other = matches!(opened, Err(KeyringError::Registry(RegistryError::Seal(SealError::OtherKey))));
    match NextKey::kept(data)?.filter(|_| file.encryption_key.is_none() && is_other) {
        // A rotation was done, and broken off before the key file was replaced.
        Some(next) => {
            let registry = open_with(file, data, next.key())?;
            next.take()?;
            Ok(registry)
        }
        None => opened,
    }
}

fn open_with(file: &File, data: &Path, encryption_key: &Secret) -> Result<Registry, KeyringError> {
    // Before a new registry is sealed with a key that is not the one of what is there.
    let older = older_tokens(encryption_key, data)?;
    let registry = Registry::open(place::of(file, data), encryption_key)?;
    if let Some(tokens) = older {
        take_over(&registry, &tokens, data)?;
    }
    Ok(registry)
}

/// The tokens of the virtual keys that a file gives none, by id.
pub(crate) fn tokens(file: &File, registry: &Registry) -> Result<HashMap<String, Secret>, KeyringError> {
    let mut file = file.clone();
    file.governance.virtual_keys.retain(|key| key.value.is_none());
    complete_from(&mut file, registry)?;
    let keys = file.governance.virtual_keys.into_iter();
    Ok(keys.filter_map(|key| Some((key.id.to_string(), key.value?))).collect())
}

/// The tokens that open the virtual keys to which a file gives none, a line each.
pub(crate) fn list(file: &mut File, data: &Path) -> Result<String, KeyringError> {
    file.governance.virtual_keys.retain(|key| key.value.is_none());
    if file.governance.virtual_keys.is_empty() {
        return Ok(String::new());
    }
    let registry = open(file, data)?;
    complete_from(file, &registry)?;
    let mut lines = Vec::new();
    for key in &file.governance.virtual_keys {
        let made = made_token(&registry, crate::kept::environment, key.id.as_str())?;
        let shown = match &made {
            MadeToken::Opens(token) => token.reveal(),
            MadeToken::Deleted => "(deleted)",
            MadeToken::NotTaken => key.value.as_ref().map_or("", |token| token.reveal()),
        };
        lines.push(format!("{}\t{shown}", key.id));
    }
    Ok(lines.join("\n"))
}

/// What seals: the configuration's, or else the key file's, which is made if need be.
fn encryption_key(file: &File, data: &Path) -> Result<Secret, KeyringError> {
    fs::create_dir_all(data).map_err(at(data))?;
    match &file.encryption_key {
        Some(key) => Ok(key.clone()),
        None => key_file(&data.join(KEY_FILE)),
    }
}

fn complete_from(file: &mut File, registry: &Registry) -> Result<(), KeyringError> {
    let ids = file.governance.virtual_keys.iter().filter(|key| key.value.is_none()).map(|key| key.id.to_string());
    let ids: Vec<_> = ids.collect();
    let names: Vec<_> = ids.iter().map(|id| token_name(id)).collect();
    let mut made = Vec::new();
    for ((id, name), _) in ids.iter().zip(&names).zip(registry.kept(&names)?).filter(|(_, kept)| kept.is_none()) {
        let token = URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?);
        made.push((name.clone(), Secret::new(&format!("{}{token}", file.client.virtual_key_prefix))));
        tracing::info!(key.id = %id, "a token was made for a virtual key without value; `tollgate keys` shows it");
    }
    if !made.is_empty() {
        registry.keep(&made)?;
    }
    // What is kept now, by another process perhaps, is what counts.
    let without_value = file.governance.virtual_keys.iter_mut().filter(|key| key.value.is_none());
    for (key, kept) in without_value.zip(registry.kept(&names)?) {
        key.value = kept;
    }
    Ok(())
}

/// What an older version kept in a file; `None`: there is none.
fn older_tokens(encryption_key: &Secret, data: &Path) -> Result<Option<Vec<(String, Secret)>>, KeyringError> {
    let path = data.join(KEYRING);
    match fs::read(&path) {
        Ok(text) => seal::open_keyring(encryption_key, &text).map(Some).map_err(KeyringError::Keyring),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

/// Puts that into the registry, and the file aside. A token that is kept already stays.
fn take_over(registry: &Registry, tokens: &[(String, Secret)], data: &Path) -> Result<(), KeyringError> {
    let tokens: Vec<_> = tokens.iter().map(|(id, token)| (token_name(id), token.clone())).collect();
    registry.keep(&tokens)?;
    let path = data.join(KEYRING);
    fs::rename(&path, data.join(IMPORTED)).map_err(at(&path))?;
    tracing::info!(tokens = tokens.len(), file = IMPORTED, "tokens of virtual keys were taken over into the registry");
    Ok(())
}

/// The key that will be in the key file once everything is sealed with it. It is kept beside that file before, so that no moment's
/// end loses it.
#[derive(Debug)]
pub(crate) struct NextKey {
    key: Secret,
    data: PathBuf,
}

impl NextKey {
    /// Keeps a key, or one that is made now.
    pub(crate) fn keep(data: &Path, key: Option<Secret>) -> Result<Self, KeyringError> {
        let key = match key {
            Some(key) => key,
            None => Secret::new(&URL_SAFE_NO_PAD.encode(random::<32>()?)),
        };
        if key.reveal().trim().len() < LEAST_KEY {
            return Err(KeyringError::ShortKey);
        }
        write_whole(&data.join(NEXT_KEY_FILE), key.reveal().trim().as_bytes())?;
        sync(data)?;
        Ok(Self { key: Secret::new(key.reveal().trim()), data: data.to_owned() })
    }

    /// One that was kept and not taken.
    fn kept(data: &Path) -> Result<Option<Self>, KeyringError> {
        let path = data.join(NEXT_KEY_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { key: Secret::new(text.trim()), data: data.to_owned() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// Puts it into the key file.
    pub(crate) fn take(self) -> Result<(), KeyringError> {
        let path = self.data.join(KEY_FILE);
        fs::rename(self.data.join(NEXT_KEY_FILE), &path).map_err(at(&path))?;
        sync(&self.data)
    }

    /// It is not needed.
    pub(crate) fn forget(self) -> Result<(), KeyringError> {
        let path = self.data.join(NEXT_KEY_FILE);
        fs::remove_file(&path).map_err(at(&path))
    }
}

/// Makes names durable that were made in a folder.
fn sync(folder: &Path) -> Result<(), KeyringError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

/// The key in the key file, which is made if it is not there.
fn key_file(path: &Path) -> Result<Secret, KeyringError> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= LEAST_KEY => return Ok(Secret::new(text.trim())),
        Ok(_) => return Err(KeyringError::Damaged(KEY_FILE)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(path)(error)),
    }
    let key = URL_SAFE_NO_PAD.encode(random::<32>()?);
    write_whole(path, key.as_bytes())?;
    tracing::warn!(file = %path.display(), "no `encryption_key` is configured; a key file was made. Keep it: what is sealed with it cannot be opened without it");
    Ok(Secret::new(&key))
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
        for file in fs::read_dir(folder.path()).unwrap() {
            let kept = fs::read(file.unwrap().path()).unwrap();
            assert!(!kept.windows(first.len()).any(|window| window == first.as_bytes()));
        }
    }

    #[test]
    fn both_files_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        token(folder.path(), None).unwrap();
        for name in ["tollgate.db", KEY_FILE] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn another_encryption_key_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        token(folder.path(), Some("one")).unwrap();
        let error = token(folder.path(), Some("two")).unwrap_err();
        assert!(matches!(error, KeyringError::Registry(RegistryError::Seal(SealError::OtherKey))));
        assert!(error.to_string().contains("another encryption key"), "{error}");
    }

    /// Made by the version that kept tokens in a file, with the encryption key `old key`.
    const OLD: &str = include_str!("../../store/src/seal/tests/virtual-keys.json");

    #[test]
    fn tokens_of_an_older_version_are_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEYRING), OLD).unwrap();
        let with_another = token(folder.path(), Some("new key"));
        assert!(matches!(with_another, Err(KeyringError::Keyring(SealError::OtherKey))), "{with_another:?}");
        for _ in 0..2 {
            let mut file = crate::config::read_text(
                "config.json",
                r#"{ "encryption_key": "old key", "governance": { "virtual_keys": [{ "id": "vk-b", "name": "b" }] } }"#,
                &|_| None,
            );
            let file = &mut file.as_mut().unwrap().file;
            complete(file, folder.path()).unwrap();
            let token = file.governance.virtual_keys[0].value.as_ref().unwrap();
            assert_eq!(token.reveal(), "sk-bf-JSYbb7YDjhBb0m1M5zgfSA3_rs0XolrB");
            assert!(!folder.path().join(KEYRING).exists() && folder.path().join(IMPORTED).exists());
        }
    }

    #[test]
    fn many_tokens_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<_> = (0..50).map(|number| format!(r#"{{ "id": "{number}", "name": "{number}" }}"#)).collect();
        let json = format!(r#"{{ "governance": {{ "virtual_keys": [{}] }} }}"#, keys.join(","));
        let tokens = || {
            let mut file = crate::config::read_text("config.json", &json, &|_| None).unwrap().file;
            complete(&mut file, folder.path()).unwrap();
            let reveal = |key: &policy::declare::VirtualKeyShape| key.value.as_ref().unwrap().reveal().to_owned();
            file.governance.virtual_keys.iter().map(reveal).collect::<Vec<_>>()
        };
        let first = tokens();
        assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), 50);
        assert_eq!(tokens(), first);
    }
}
