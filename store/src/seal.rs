//! Encryption at rest: secrets sealed with AES-256-GCM under a key that Argon2id derives from the encryption key.

mod keyring;
pub(crate) mod text;

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::provider::Secret;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::keyring::open_keyring;
use self::text::{KeyName, Sealed};

pub(crate) const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// Why something cannot be sealed, or be opened. None of them holds a secret.
#[derive(Debug, Error)]
pub enum SealError {
    /// It was sealed with another key than the one that is given.
    #[error("what is stored was sealed with another encryption key than the one that is configured now")]
    OtherKey,
    /// The text is not what was sealed in this place: it was changed, or belongs to another place.
    #[error("a sealed value was changed, or belongs to another place")]
    Damaged,
    /// The operating system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The key cannot be derived.
    #[error("the encryption key cannot be used")]
    Derivation,
}

/// The place of a sealed value, which is bound to it: what was sealed for one place opens in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The kind of the row.
    pub kind: &'a str,
    /// The row's id.
    pub id: &'a str,
    /// Which value of the row. It is part of the sealed text and not secret; no two values of a row should have the same, and it
    /// should not depend on an order that may change.
    pub field: &'a str,
}

/// Seals and opens values. It knows the derived key only.
#[derive(Clone)]
pub struct Seal {
    cipher: Aes256Gcm,
    key: KeyName,
}

impl Seal {
    /// Derives the key, which takes some ten milliseconds and 19 MiB for a moment.
    pub(crate) fn derive(secret: &Secret, salt: &[u8; SALT_BYTES]) -> Result<Self, SealError> {
        let mut derived = [0_u8; 32];
        let done = Argon2::default().hash_password_into(secret.reveal().as_bytes(), salt, &mut derived);
        done.map_err(|_| SealError::Derivation)?;
        Ok(Self { cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(derived)), key: KeyName::of(salt) })
    }

    /// Seals a value for a place. The text begins with `sealed:v1:`, and needs no escapes in JSON.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn seal(&self, context: Context<'_>, secret: &Secret) -> Result<String, SealError> {
        let nonce = random::<NONCE_BYTES>()?;
        let (msg, aad) = (secret.reveal().as_bytes(), context.bytes());
        let payload = Payload { msg, aad: &aad };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError::Damaged)?;
        Ok(Sealed::write(self.key, context.field, &[nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// When it was sealed with another key, for another place, or was changed.
    pub fn unseal(&self, context: Context<'_>, text: &str) -> Result<Secret, SealError> {
        let sealed = Sealed::read(text).ok_or(SealError::Damaged)?;
        if sealed.field != context.field {
            return Err(SealError::Damaged);
        }
        self.open(context.kind, context.id, &sealed)
    }

    /// Opens a value of a row, whichever it says that it is.
    pub(crate) fn open(&self, kind: &str, id: &str, sealed: &Sealed) -> Result<Secret, SealError> {
        if sealed.key != self.key {
            return Err(SealError::OtherKey);
        }
        let context = Context { kind, id, field: &sealed.field };
        let (nonce, msg) = sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
        let payload = Payload { msg, aad: &context.bytes() };
        let plain = self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| SealError::Damaged)?;
        String::from_utf8(plain).map(|plain| Secret::new(&plain)).map_err(|_| SealError::Damaged)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seal").field(&self.key).finish()
    }
}

impl Context<'_> {
    /// Each part with its length before it, so that no two places are written alike.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.kind, self.id, self.field] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl KeyName {
    /// Of the salt, which is new with each key and no secret.
    fn of(salt: &[u8; SALT_BYTES]) -> Self {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(salt).into();
        Self([a, b, c, d])
    }
}

/// A token that nobody can guess: the prefix, and 192 random bits in URL-safe base64.
///
/// # Errors
/// When there are no random numbers.
pub fn token(prefix: &str) -> Result<Secret, SealError> {
    let random = URL_SAFE_NO_PAD.encode(random::<24>()?);
    Ok(Secret::new(&format!("{prefix}{random}")))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SealError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
