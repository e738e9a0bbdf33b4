//! `config.json` as it lies on disk: read, its `env.` references resolved, checked. What stands in it is `policy::declare`'s.

mod error;

use std::fs::File as DiskFile;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use policy::declare::{self, File, Problem};
use policy::provider::Secret;

pub(crate) use error::ConfigError;

/// The largest file that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A configuration that can be served.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What stands in it.
    pub(crate) file: File,
    /// What is questionable in it.
    pub(crate) warnings: Vec<Problem>,
    /// The file's name, for messages.
    pub(crate) name: String,
    /// The file as it was written: secrets may stand in it.
    pub(crate) text: Secret,
    /// The file on disk, as it was before it was read: who finds it different may find something else in it. `None`: it is none.
    pub(crate) stamp: Option<Stamp>,
}

/// Tells whether a file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path).ok()?;
        Some(Self { modified: found.modified().ok()?, bytes: found.len(), inode: found.ino() })
    }
}

/// Reads a configuration file.
///
/// # Errors
/// When the file cannot be read, is larger than 16 MiB, or cannot be served.
pub(crate) fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let name = path.display().to_string();
    let stamp = Stamp::of(path);
    let text = match read(path) {
        Ok(text) => text,
        Err(message) => return Err(ConfigError::other(&name, &message)),
    };
    Ok(Loaded { stamp, ..read_text(&name, &text, &|variable| std::env::var(variable).ok())? })
}

fn read(path: &Path) -> Result<String, String> {
    let file = DiskFile::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {} MiB", MAX_BYTES / (1024 * 1024)));
    }
    let text =
        String::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Reads a configuration from its text; `env` gives the value of an environment variable.
pub(crate) fn read_text(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    match declare::read(text, env, &engine::control::vocabulary()) {
        Ok((file, warnings)) => {
            Ok(Loaded { file, warnings, name: name.to_owned(), text: Secret::new(text), stamp: None })
        }
        Err(problems) => Err(ConfigError::new(name, problems)),
    }
}

#[cfg(test)]
mod tests;
