//! Why a transaction was not done, and whether it may be tried again.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::{RegistryError, StoreError};

/// Why a transaction was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused something, or the connection broke.
    Driver(Error),
    /// There is no connection to be had, or the server is not one for this: why, in words.
    Told(String),
    /// It took too long.
    Slow,
    /// The database holds what this program did not write.
    Damaged(&'static str),
    /// Something else than the server.
    Store(StoreError),
}

/// What a failure means for the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It was rolled back for another's sake.
    TryAgain,
    /// The connection is gone, and with it what was not committed.
    Reconnect,
    /// None.
    GiveUp,
}

impl Failure {
    pub(super) fn remedy(&self) -> Remedy {
        let Self::Driver(error) = self else { return Remedy::GiveUp };
        match error.code() {
            Some(code) => remedy_of(code),
            None if error.is_closed() || is_io(error) => Remedy::Reconnect,
            None => Remedy::GiveUp,
        }
    }

    /// Whether the connection must not be used again.
    pub(super) fn spoils_connection(&self) -> bool {
        matches!(self, Self::Slow) || self.remedy() == Remedy::Reconnect
    }

    /// As others see it.
    pub(super) fn at(self, place: &str) -> StoreError {
        let what = match self {
            Self::Store(error) => return error,
            Self::Driver(error) => told(&error),
            Self::Told(what) => what,
            Self::Slow => "it does not answer in time".to_owned(),
            Self::Damaged(what) => what.to_owned(),
        };
        StoreError::Server { place: place.to_owned(), what }
    }
}

/// As those see it who ask for what is configured.
pub(super) fn refused(failure: Failure, place: &str) -> RegistryError {
    match &failure {
        Failure::Damaged(what) => return RegistryError::Damaged(what),
        Failure::Driver(error) => match error.code() {
            Some(
                &(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED),
            ) => return RegistryError::Busy,
            Some(&SqlState::DISK_FULL) => return RegistryError::DiskFull,
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => return RegistryError::ReadOnly,
            _ => {}
        },
        _ => {}
    }
    failure.at(place).into()
}

fn remedy_of(code: &SqlState) -> Remedy {
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Remedy::TryAgain,
        // CockroachDB says 40003 when the connection to one of its nodes broke during a commit.
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => Remedy::Reconnect,
        _ if code.code().starts_with("08") => Remedy::Reconnect,
        _ => Remedy::GiveUp,
    }
}

fn is_io(error: &Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// An error with its causes, in one line. The driver tells none of them by itself.
pub(super) fn told(error: &Error) -> String {
    if let Some(refused) = error.as_db_error() {
        let detail = refused.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail} [{}]", refused.message(), refused.code().code());
    }
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        Self::Told(match error {
            PoolError::Backend(error) => told(&error),
            PoolError::Timeout(_) => "no connection can be had in time".to_owned(),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_happened_is_simply_tried_again() {
        let remedy = |code| remedy_of(&SqlState::from_code(code));
        assert_eq!((remedy("40001"), remedy("40P01")), (Remedy::TryAgain, Remedy::TryAgain));
        for code in ["57P01", "57P02", "08006", "08003", "40003"] {
            assert_eq!(remedy(code), Remedy::Reconnect, "{code}");
        }
        for code in ["57014", "42501", "53100", "23505", "25006", "22021"] {
            assert_eq!(remedy(code), Remedy::GiveUp, "{code}");
        }
    }
}
