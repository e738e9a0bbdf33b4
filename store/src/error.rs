//! What can go wrong with what is kept.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something could not be kept, or not be found.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has the folder.
    #[error("the data folder {} is used by another gateway", .0.display())]
    InUse(PathBuf),
    /// A file or a folder.
    #[error("{} cannot be {what}: {source}", path.display())]
    File {
        /// What was to be done with it: `read`, `written`, ….
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database.
    #[error("the database: {0}")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// The database was made by a newer version.
    #[error("the database has version {found}; this gateway knows versions up to {known}: run the newer gateway again")]
    Newer {
        /// Its version.
        found: u32,
        /// The newest one that is known here.
        known: u32,
    },
    /// The thread that writes.
    #[error("the ledger's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
