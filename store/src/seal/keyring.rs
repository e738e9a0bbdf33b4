//! The file in which older versions kept the tokens that they made, `virtual-keys.json`.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::provider::Secret;
use serde::Deserialize;

use super::{NONCE_BYTES, SALT_BYTES, Seal, SealError};

/// What stands in the file: for each virtual key's id, its sealed token.
#[derive(Debug, Deserialize)]
struct Keyring {
    salt: String,
    tokens: BTreeMap<String, String>,
}

/// Opens all tokens of such a file. An empty one has none.
///
/// # Errors
/// When it is damaged, or was sealed with another key.
pub fn open_keyring(secret: &Secret, text: &[u8]) -> Result<Vec<(String, Secret)>, SealError> {
    let Keyring { salt, tokens } = serde_json::from_slice(text).map_err(|_| SealError::Damaged)?;
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let salt = STANDARD.decode(salt).map_err(|_| SealError::Damaged)?;
    let salt: [u8; SALT_BYTES] = salt.try_into().map_err(|_| SealError::Damaged)?;
    let seal = Seal::derive(secret, &salt)?;
    let open = |(id, text): (String, String)| Ok((open(&seal.cipher, &id, &text)?, id));
    tokens.into_iter().map(open).map(|opened| opened.map(|(token, id)| (id, token))).collect()
}

fn open(cipher: &Aes256Gcm, id: &str, text: &str) -> Result<Secret, SealError> {
    let bytes = STANDARD.decode(text).map_err(|_| SealError::Damaged)?;
    let (nonce, msg) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
    let payload = Payload { msg, aad: id.as_bytes() };
    // The file does not say which key it was sealed with; the likelier reason is told.
    let token = cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| SealError::OtherKey)?;
    String::from_utf8(token).map(|token| Secret::new(&token)).map_err(|_| SealError::Damaged)
}
