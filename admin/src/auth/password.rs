//! Passwords: kept as argon2id hashes, verified away from the threads that serve, few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use parking_lot::Mutex;
use policy::provider::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Each verification takes 19 MiB and some 20 ms of a core.
const AT_ONCE: usize = 2;
/// So many more may wait for that.
const WAITING: usize = 32;

/// Hashes a password as it is kept: argon2id in the PHC string format, with a salt of its own.
///
/// # Errors
/// When there is no randomness, or the password is longer than 4 GiB.
pub fn hash(password: &Secret) -> Result<String, HashError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| HashError)?;
    let hashed = Argon2::default().hash_password_with_salt(password.reveal().as_bytes(), &salt);
    Ok(hashed.map_err(|_| HashError)?.to_string())
}

/// That a password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be hashed")]
pub struct HashError;

/// Verifies passwords.
#[derive(Debug)]
pub(crate) struct Verifier {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    salt: [u8; 32],
    /// What was right the last time, so that who sends a password with every request need not wait for every one.
    known: Mutex<Option<[u8; 32]>>,
}

impl Verifier {
    pub(crate) fn new(salt: [u8; 32]) -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            salt,
            known: Mutex::new(None),
        }
    }

    /// Whether this very password was found to be right for this hash before.
    pub(crate) fn knows(&self, hash: &str, password: &Secret) -> bool {
        let digest = self.digest(hash, password);
        self.known.lock().is_some_and(|known| bool::from(known.ct_eq(&digest)))
    }

    /// Whether it is the password of a hash.
    pub(crate) async fn verify(&self, hash: &str, password: &Secret) -> Result<bool, ApiError> {
        let busy = || ApiError::unavailable("too many log-ins at one time");
        let _place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy())?;
        let (of, with) = (hash.to_owned(), password.clone());
        let work = move || {
            let is_right = PasswordHash::new(&of)
                .is_ok_and(|of| Argon2::default().verify_password(with.reveal().as_bytes(), &of).is_ok());
            drop(permit);
            is_right
        };
        let is_right = tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?;
        if is_right {
            *self.known.lock() = Some(self.digest(hash, password));
        }
        Ok(is_right)
    }

    fn digest(&self, hash: &str, password: &Secret) -> [u8; 32] {
        let mut over = Sha256::new();
        over.update(self.salt);
        over.update((hash.len() as u64).to_le_bytes());
        over.update(hash);
        over.update(password.reveal());
        over.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right_and_it_is_known_from_then_on() {
        let password = Secret::new("correct horse");
        let hash = hash(&password).unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let verifier = Verifier::new([7; 32]);
        assert!(!verifier.verify(&hash, &Secret::new("correct horsf")).await.unwrap());
        assert!(!verifier.knows(&hash, &password));
        assert!(verifier.verify(&hash, &password).await.unwrap());
        assert!(verifier.knows(&hash, &password));
        assert!(!verifier.knows(&hash, &Secret::new("")));
        assert!(!verifier.knows(&super::hash(&password).unwrap(), &password), "another hash is another password");
    }

    #[tokio::test]
    async fn what_is_no_hash_is_nobodys() {
        let verifier = Verifier::new([7; 32]);
        for hash in ["", "correct horse", "$argon2id$"] {
            assert!(!verifier.verify(hash, &Secret::new(hash)).await.unwrap(), "{hash}");
        }
    }
}
