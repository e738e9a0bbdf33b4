//! The data folder: its lock, and the names of what lies in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::StoreError;

const LOCK: &str = "tollgate.lock";
const DATABASE: &str = "tollgate.db";
const NODE: &str = "node";
const RESTORING: &str = "restoring";

/// A data folder that no other process uses while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes a folder, which is made if need be.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let folder = Self::take_for_restoring(path)?;
        check_restored(path)?;
        Ok(folder)
    }

    /// The same, though a restore may have been broken off.
    pub(crate) fn take_for_restoring(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(StoreError::file("made", path))?;
        let lock = lock(&path.join(LOCK), path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the node that this folder is of; `None`: it was never given one.
    pub(crate) fn node(&self) -> Result<Option<String>, StoreError> {
        node(&self.path)
    }

    /// Gives this folder's node a name, for ever.
    pub(crate) fn name_node(&self, name: &str) -> Result<(), StoreError> {
        let (path, draft) = (self.path.join(NODE), self.path.join("node.new"));
        let written = std::fs::write(&draft, name).and_then(|()| File::open(&draft)?.sync_all());
        let named = written.and_then(|()| std::fs::rename(&draft, &path)).and_then(|()| self.sync());
        named.map_err(StoreError::file("written", &path))
    }

    /// Lets nobody else take the folder from here on, whatever becomes of this process.
    pub(crate) fn begin_restoring(&self) -> Result<(), StoreError> {
        let path = self.path.join(RESTORING);
        let made = File::create(&path).and_then(|file| file.sync_all()).and_then(|()| self.sync());
        made.map_err(StoreError::file("written", &path))
    }

    /// It is whole again.
    pub(crate) fn end_restoring(&self) -> Result<(), StoreError> {
        let path = self.path.join(RESTORING);
        let removed = self.sync().and_then(|()| std::fs::remove_file(&path)).and_then(|()| self.sync());
        removed.map_err(StoreError::file("removed", &path))
    }

    /// Makes names durable that were made or removed.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Fails if a restore was broken off.
pub(crate) fn check_restored(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(RESTORING);
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(StoreError::HalfRestored(folder.to_owned())),
        Err(error) => Err(StoreError::file("looked at", &path)(error)),
    }
}

/// Locks what no two processes may use, by a file of this name.
pub(crate) fn lock(name: &Path, what: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(name);
    let lock = lock.map_err(StoreError::file("opened", name))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(what.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::file("locked", name)(error)),
    }
}

/// The name of the node that a folder is of.
pub(crate) fn node(folder: &Path) -> Result<Option<String>, StoreError> {
    let path = folder.join(NODE);
    match std::fs::read_to_string(&path) {
        Ok(name) => Ok(Some(name.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::file("read", &path)(error)),
    }
}

/// Where the database is.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Where a segment of the journal is.
pub(crate) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("journal-{number:016x}.log"))
}

/// Where the part of a segment is put that is no record.
pub(crate) fn set_aside(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("journal-{number:016x}.log.corrupt"))
}

/// The numbers of the segments that are there, in order. A folder that is not there has none.
pub(crate) fn segments(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut numbers = numbers(folder, ".log")?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// A number that no segment here has or had, as far as can be seen.
pub(crate) fn highest_number(folder: &Path) -> Result<u64, StoreError> {
    let both = [numbers(folder, ".log")?, numbers(folder, ".log.corrupt")?];
    Ok(both.into_iter().flatten().max().unwrap_or_default())
}

fn numbers(folder: &Path, ending: &str) -> Result<Vec<u64>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::file("read", folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(StoreError::file("read", folder))?.file_name();
        numbers.extend(name.to_str().and_then(|name| number(name, ending)));
    }
    Ok(numbers)
}

fn number(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(ending)?;
    let is_ours = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}
