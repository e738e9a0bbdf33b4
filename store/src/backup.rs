//! Backups of the embedded store, made beside a running gateway, and taken back when none runs.
//!
//! A backup is one point of the journal. The segments are read first, the newest before the older ones, and the database after
//! them: what is folded meanwhile is in the database, and its segment, if it was read, is not folded again, because the database
//! says how far it is folded. So nothing is missing that was written before the newest segment was read, and nothing counts twice.
//! What was open then is charged in full when the backup is taken back, as after a crash.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::folder::{self, Folder};
use crate::journal::told::Told;
use crate::sqlite::backup;
use crate::{Config, Database, StoreError};

/// What a backup holds, or what was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// How long the backup is.
    pub bytes: u64,
    /// How many segments of the journal are in it.
    pub segments: usize,
}

/// Copies the embedded store into a new file, beside a gateway that may be using it.
///
/// # Errors
/// When there is such a file already, the store is a server, or something cannot be read or written; then there is no file.
pub fn back_up(config: impl Into<Config>, to: &Path) -> Result<BackedUp, StoreError> {
    let Config { folder, database } = config.into();
    let Database::Sqlite { path } = database else { return Err(of_a_server()) };
    if to.try_exists().map_err(StoreError::file("looked at", to))? {
        return Err(StoreError::file("made", to)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut told = Vec::new();
    for number in folder::segments(&folder)?.into_iter().rev() {
        told.extend(Told::read(&folder, number, u64::MAX)?);
    }
    let segments: Vec<_> = told.iter().map(|told| (told.number(), told.bytes())).collect();
    let draft = beside(to, "new");
    let made = remove(&draft).and_then(|()| backup::make(&path, &draft, &segments)).and_then(|()| rename(&draft, to));
    if made.is_err() {
        // It says what went wrong before.
        drop(std::fs::remove_file(&draft));
    }
    made?;
    let bytes = std::fs::metadata(to).map_err(StoreError::file("looked at", to))?.len();
    Ok(BackedUp { bytes, segments: segments.len() })
}

/// Puts a backup in the place of the embedded store, which is put aside in the data folder. No gateway may be using it. One that is
/// broken off is begun anew: until it is through, no gateway starts.
///
/// # Errors
/// When it is no backup, a gateway uses the folder, or something cannot be read or written.
pub fn restore(config: impl Into<Config>, from: &Path) -> Result<BackedUp, StoreError> {
    let Config { folder, database } = config.into();
    let Database::Sqlite { path } = database else { return Err(of_a_server()) };
    let bytes = std::fs::metadata(from).map_err(StoreError::file("read", from))?.len();
    let folder = Folder::take_for_restoring(&folder)?;
    let draft = beside(&path, "restored");
    remove(&draft)?;
    let mut segments = Vec::new();
    let opened = backup::open(from, &draft, &mut |number, bytes| {
        segments.push((number, bytes.to_vec()));
        Ok(())
    });
    if opened.is_err() {
        drop(std::fs::remove_file(&draft));
    }
    opened?;
    folder.begin_restoring()?;
    put_aside(folder.path(), &path)?;
    for (number, bytes) in &segments {
        let name = folder::segment(folder.path(), *number);
        let written = std::fs::write(&name, bytes).and_then(|()| File::open(&name)?.sync_all());
        written.map_err(StoreError::file("written", &name))?;
    }
    rename(&draft, &path)?;
    folder.end_restoring()?;
    Ok(BackedUp { bytes, segments: segments.len() })
}

/// Puts the database and the journal of a folder into one of their own.
fn put_aside(folder: &Path, database: &Path) -> Result<(), StoreError> {
    let aside = (1..).map(|number: u32| folder.join(format!("before-restore-{number}"))).find(|aside| !aside.exists());
    let aside = aside.unwrap_or_else(|| folder.join("before-restore"));
    std::fs::create_dir_all(&aside).map_err(StoreError::file("made", &aside))?;
    let beside = ["-wal", "-shm"].map(|ending| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    let segments = folder::segments(folder)?.into_iter().map(|number| folder::segment(folder, number));
    for path in [database.to_owned()].into_iter().chain(beside).chain(segments) {
        let Some(name) = path.file_name() else { continue };
        if path.try_exists().map_err(StoreError::file("looked at", &path))? {
            std::fs::rename(&path, aside.join(name)).map_err(StoreError::file("put aside", &path))?;
        }
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_added_extension(ending)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::file("removed", path)(error)),
        _ => Ok(()),
    }
}

/// Gives a file its name, for ever.
fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(from).and_then(|file| file.sync_all());
    let renamed = synced.and_then(|()| std::fs::rename(from, to)).and_then(|()| File::open(folder)?.sync_all());
    renamed.map_err(StoreError::file("written", to))
}

fn of_a_server() -> StoreError {
    StoreError::Database("it is a server: back it up with its own tools, such as pg_dump".into())
}
