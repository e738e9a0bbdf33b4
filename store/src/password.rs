//! Passwords as they are kept: argon2id hashes in the PHC string format, each with a salt of its own.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use policy::provider::Secret;

use crate::seal::{SALT_BYTES, SealError, random};

/// Hashes a password. It takes 19 MiB and some 20 ms of a core.
///
/// # Errors
/// When there are no random numbers, or the password is longer than 4 GiB.
pub fn hash(password: &Secret) -> Result<String, SealError> {
    let salt = random::<SALT_BYTES>()?;
    let hashed = Argon2::default().hash_password_with_salt(password.reveal().as_bytes(), &salt);
    Ok(hashed.map_err(|_| SealError::Derivation)?.to_string())
}

/// Whether it is the password of a hash. What is no hash is nobody's. It takes what the hash was made with.
#[must_use]
pub fn is_of(hash: &str, password: &Secret) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_is_right_whatever_is_in_it() {
        for password in ["correct horse", "", "пароль 🔑", "a:b", &"x".repeat(100_000)] {
            let password = Secret::new(password);
            let hash = hash(&password).unwrap();
            assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
            assert!(is_of(&hash, &password));
            assert!(!is_of(&hash, &Secret::new(&format!("{}x", password.reveal()))));
            assert_ne!(super::hash(&password).unwrap(), hash, "the same password has another salt");
        }
    }

    #[test]
    fn what_is_no_hash_is_nobodys() {
        for hash in ["", "correct horse", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ"] {
            assert!(!is_of(hash, &Secret::new(hash)), "{hash}");
        }
    }

    /// Made by the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -e`.
    #[test]
    fn hashes_of_other_programs_are_read() {
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(is_of(hash, &Secret::new("password")));
        assert!(!is_of(hash, &Secret::new("Password")));
    }
}
