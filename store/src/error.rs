//! What can go wrong with what is kept.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something could not be kept, or not be found.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has the folder or the database file.
    #[error("{} is used by another gateway", .0.display())]
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
    /// A restore was broken off.
    #[error("a restore of {} was broken off: run it again", .0.display())]
    HalfRestored(PathBuf),
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
    /// A migration that was run on the database has another text here.
    #[error("migration {version} of the database is another one than this gateway's: they are of different builds")]
    Altered {
        /// Its number.
        version: u32,
    },
    /// The database server.
    #[error("{place}: {what}")]
    Server {
        /// Which server, which database, which user.
        place: String,
        /// What went wrong.
        what: String,
    },
    /// Another process goes on with this node's journal: the data folder was copied.
    #[error("another gateway has taken over from this one: its data folder is a copy of this one's")]
    TakenOver,
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
