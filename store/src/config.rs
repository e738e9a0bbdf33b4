//! Where things are kept, as whoever opens the store says.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use policy::provider::Secret;
use thiserror::Error;

use crate::folder;

/// Where things are kept: the journal in files, balances in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The data folder: the journal is there, whatever the database is.
    pub folder: PathBuf,
    /// The database.
    pub database: Database,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file, for one gateway alone.
    Sqlite {
        /// Where it is.
        path: PathBuf,
    },
    /// A server, which many gateways may share; each has a data folder of its own.
    Postgres(Postgres),
}

/// A PostgreSQL server, version 15 or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// Its name or address, or the folder of its Unix socket.
    pub host: String,
    /// Its port; 5432 by default.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// With which password; empty: with none.
    pub password: Secret,
    /// The database, in UTF-8.
    pub db_name: String,
    /// How the connection is kept from others.
    pub ssl_mode: SslMode,
    /// Certificates (PEM) that the server's is checked against; `None`: those of the system.
    pub ssl_root_cert: Option<PathBuf>,
    /// So many connections at most, and 2 at least; 50 by default.
    pub max_open_conns: usize,
    /// So many are kept while nobody needs them; 5 by default.
    pub max_idle_conns: usize,
}

/// How the connection to a server is kept from others, in libpq's words.
/// Source: <https://www.postgresql.org/docs/15/libpq-ssl.html#LIBPQ-SSL-PROTECTION>, read 2026-11-21.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// By TLS if the server knows it. Whose certificate it shows is not looked at.
    #[default]
    Prefer,
    /// By TLS. Whose certificate it shows is looked at, as by `VerifyCa`, only if it is said who is trusted.
    Require,
    /// By TLS, with a certificate of somebody who is trusted.
    VerifyCa,
    /// By TLS, with such a certificate for the server's name.
    VerifyFull,
}

/// A word that is no mode of TLS that can be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no ssl_mode that can be had: it is one of disable, prefer, require, verify-ca and verify-full")]
pub struct UnknownSslMode(String);

impl Config {
    /// SQLite in the data folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), database: Database::Sqlite { path: folder::database(folder) } }
    }
}

impl Postgres {
    /// How many of the connections are for looking at the request log.
    pub(crate) fn connections_for_logs(&self) -> usize {
        (self.max_open_conns / 8).clamp(1, 4)
    }
}

/// A folder alone has everything.
impl From<&Path> for Config {
    fn from(folder: &Path) -> Self {
        Self::in_folder(folder)
    }
}

impl From<&PathBuf> for Config {
    fn from(folder: &PathBuf) -> Self {
        Self::in_folder(folder)
    }
}

impl From<&Self> for Config {
    fn from(config: &Self) -> Self {
        config.clone()
    }
}

impl FromStr for SslMode {
    type Err = UnknownSslMode;

    fn from_str(word: &str) -> Result<Self, UnknownSslMode> {
        match word {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(UnknownSslMode(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_cannot_do_is_refused() {
        assert_eq!("verify-full".parse(), Ok(SslMode::VerifyFull));
        for word in ["allow", "", "Disable"] {
            let error = word.parse::<SslMode>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{word}`")) && error.contains("verify-ca"), "{error}");
        }
    }
}
