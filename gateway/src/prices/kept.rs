//! The last good list of a URL, kept in the data folder for the next start.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::MAX_BYTES;
use super::fetch::Validators;
use crate::keyring::write_whole;

const FILE: &str = "price-list.json";

/// A list that was fetched, and from where.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The SHA-256 of the URL, which may hold a token.
    source: String,
    seen_ms: u64,
    validators: Validators,
    list: Option<Box<RawValue>>,
}

impl Kept {
    /// A list that was seen at a URL; its text is given when it is written.
    pub(super) fn new(url: &str, validators: &Validators, seen_ms: u64) -> Self {
        Self { source: hash(url), seen_ms, validators: validators.clone(), list: None }
    }

    /// The list of a URL that is kept in a data folder; `None` where none is, or one of another URL.
    pub(super) fn read(data: &Path, url: &str) -> Result<Option<Self>, String> {
        let path = data.join(FILE);
        let length = match fs::metadata(&path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        // What stands beside the list is small.
        if length > MAX_BYTES + 64 * 1024 {
            return Err(format!("{}: {}", path.display(), super::too_large()));
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let kept: Self = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((kept.source == hash(url)).then_some(kept))
    }

    /// Writes it with the list's text, for its owner only.
    pub(super) fn write(mut self, data: &Path, list: &str) -> Result<(), String> {
        let list = RawValue::from_string(list.trim().to_owned()).map_err(|error| error.to_string())?;
        self.list = Some(list);
        let bytes = serde_json::to_vec(&self).map_err(|error| error.to_string())?;
        write_whole(&data.join(FILE), &bytes).map_err(|error| error.to_string())
    }

    /// The list's text.
    pub(super) fn list(&self) -> &str {
        self.list.as_ref().map_or("", |list| list.get())
    }

    pub(super) fn validators(&self) -> Validators {
        self.validators.clone()
    }

    /// When the URL was seen to have it, in milliseconds since 1970.
    pub(super) fn seen_ms(&self) -> u64 {
        self.seen_ms
    }
}

fn hash(url: &str) -> String {
    Sha256::digest(url.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
