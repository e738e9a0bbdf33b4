//! Bringing the tables up to date without starting a gateway.

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Config, Database, StoreError};

/// What was done to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version of its tables before; 0: there were none.
    pub before: u32,
    /// Their version now.
    pub after: u32,
}

/// Runs the migrations that were not run yet. A database that is not there is made, if it is a file.
///
/// # Errors
/// When it cannot be reached, was made by a newer version, or a migration fails.
pub fn migrate(config: impl Into<Config>) -> Result<Migrated, StoreError> {
    let Config { folder, database } = config.into();
    match database {
        Database::Sqlite { path } => {
            std::fs::create_dir_all(&folder).map_err(StoreError::file("made", &folder))?;
            Sqlite::migrate(&path)
        }
        Database::Postgres(server) => Postgres::migrate(&server),
    }
}
