//! Passwords are verified away from the threads that serve, few at a time.

use std::sync::Arc;

use parking_lot::Mutex;
use policy::provider::Secret;
use sha2::{Digest, Sha256};
use store::password;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Each verification takes 19 MiB and some 20 ms of a core, if its hash was made here.
const AT_ONCE: usize = 2;
/// So many more may wait for that.
const WAITING: usize = 32;

/// Verifies passwords.
#[derive(Debug)]
pub(crate) struct Verifier {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    salt: [u8; 32],
    /// What was right the last time, so that who sends a password with every request need not wait for every one.
    known: Mutex<Option<[u8; 32]>>,
}

/// The right to verify one password now.
#[derive(Debug)]
pub(crate) struct Turn {
    running: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
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

    /// Waits until a password may be verified. Who waited should look again at what it knew before.
    pub(crate) async fn turn(&self) -> Result<Turn, ApiError> {
        let busy = || ApiError::unavailable("too many log-ins at one time");
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy())?;
        Ok(Turn { running, _waiting: waiting })
    }

    /// Whether it is the password of a hash.
    pub(crate) async fn verify(&self, turn: Turn, hash: &str, password: &Secret) -> Result<bool, ApiError> {
        let (of, with) = (hash.to_owned(), password.clone());
        let work = move || {
            let is_right = password::is_of(&of, &with);
            // Also where nobody waits for the answer any more.
            drop(turn.running);
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
    async fn a_password_that_was_right_is_known_from_then_on() {
        let password = Secret::new("correct horse");
        let hash = password::hash(&password).unwrap();
        let verifier = Verifier::new([7; 32]);
        let verify = async |with: &Secret| verifier.verify(verifier.turn().await?, &hash, with).await;
        assert!(!verify(&Secret::new("correct horsf")).await.unwrap());
        assert!(!verifier.knows(&hash, &password));
        assert!(verify(&password).await.unwrap());
        assert!(verifier.knows(&hash, &password));
        assert!(!verifier.knows(&hash, &Secret::new("")));
        let other = password::hash(&password).unwrap();
        assert!(!verifier.knows(&other, &password), "another hash is another password");
    }

    #[tokio::test]
    async fn few_are_verified_at_once_and_not_many_wait() {
        let verifier = Arc::new(Verifier::new([7; 32]));
        let turns = [verifier.turn().await.unwrap(), verifier.turn().await.unwrap()];
        let wait = |verifier: Arc<Verifier>| tokio::spawn(async move { verifier.turn().await.map(drop) });
        let waiting: Vec<_> = (0..WAITING).map(|_| wait(Arc::clone(&verifier))).collect();
        while verifier.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        verifier.turn().await.unwrap_err();
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        drop(turns);
        for waited in waiting {
            waited.await.unwrap().unwrap();
        }
        verifier.turn().await.unwrap();
    }
}
