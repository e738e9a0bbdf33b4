//! The `config_store` section: the database in which what is configured and what was spent is kept. And `logs_store`, which has no
//! other database: rows of the request log are charged and kept in one step.

use super::node::{Fields, Node};
use super::path::Path;
use super::problem::Log;
use super::scalar::{days, one_of, whole};
use crate::provider::Secret;

/// The `config_store` section, where it is enabled.
#[derive(Clone, Debug)]
pub enum StoreShape {
    /// A file of SQLite.
    Sqlite {
        /// `path`; `None`: a file in the data folder.
        path: Option<Box<str>>,
    },
    /// A PostgreSQL server.
    Postgres(PostgresShape),
}

/// The `logs_store` section.
#[derive(Clone, Debug)]
pub struct LogsStoreShape {
    /// `enabled`: whether calls are rows of the request log.
    pub is_enabled: bool,
    /// `retention_days`: rows are kept for so long; `None`: nothing is said.
    pub retention_days: Option<u32>,
    /// `max_size_mb`, in bytes: the oldest rows go once the database needs more; `None`: it may need any number.
    pub max_bytes: Option<u64>,
    /// `type` and `config`: the database that it names; `None`: it names none.
    database: Option<StoreShape>,
}

impl Default for LogsStoreShape {
    fn default() -> Self {
        Self { is_enabled: true, retention_days: None, max_bytes: None, database: None }
    }
}

/// `config` of `config_store` with the type `postgres`.
#[derive(Clone, Debug)]
pub struct PostgresShape {
    /// `host`
    pub host: Box<str>,
    /// `port`
    pub port: u16,
    /// `user`
    pub user: Box<str>,
    /// `password`; `None`: there is none.
    pub password: Option<Secret>,
    /// `db_name`
    pub db_name: Box<str>,
    /// `ssl_mode`
    pub ssl_mode: SslMode,
    /// `ssl_root_cert`: a file of certificates that the server's is checked against; `None`: those of the system.
    pub ssl_root_cert: Option<Box<str>>,
    /// `max_idle_conns`
    pub max_idle_conns: usize,
    /// `max_open_conns`
    pub max_open_conns: usize,
}

/// How a connection to a server is kept from others, in libpq's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// `disable`: not at all.
    Disable,
    /// `prefer`: by TLS if the server knows it.
    #[default]
    Prefer,
    /// `require`: by TLS.
    Require,
    /// `verify-ca`: by TLS, with a certificate of somebody who is trusted.
    VerifyCa,
    /// `verify-full`: by TLS, with such a certificate for the server's name.
    VerifyFull,
}

#[derive(Clone, Copy)]
enum Database {
    Sqlite,
    Postgres,
}

const DATABASES: [(&str, Database); 2] = [("sqlite", Database::Sqlite), ("postgres", Database::Postgres)];
/// `allow` is not among them: the driver cannot try without TLS first.
const SSL_MODES: [(&str, SslMode); 5] = [
    ("disable", SslMode::Disable),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

/// Reads the section; `None`: it is not enabled.
pub(super) fn read(node: Node<'_>) -> Option<StoreShape> {
    node.object(|fields| {
        let is_enabled = fields.or("enabled", false);
        database(fields, is_enabled).filter(|_| is_enabled)
    })
}

/// Reads `logs_store`. Absent, `enabled` is true: the request log is there unless it is switched off.
pub(super) fn read_logs(node: Node<'_>) -> LogsStoreShape {
    const MIB: u64 = 1024 * 1024;
    node.object(|fields| {
        let is_enabled = fields.or("enabled", true);
        let names_one = fields.any(|name| name == "type" || name == "config");
        LogsStoreShape {
            is_enabled,
            retention_days: fields.with("retention_days", days),
            max_bytes: fields.with("max_size_mb", |node| whole(node, &(1..=1_000_000_000)) * MIB),
            database: database(fields, is_enabled && names_one).filter(|_| is_enabled),
        }
    })
}

/// Reads `type` and `config`.
fn database(fields: &mut Fields<'_>, is_needed: bool) -> Option<StoreShape> {
    let database = if is_needed {
        fields.required_with("type", |node| one_of(node, &DATABASES))
    } else {
        fields.with("type", |node| one_of(node, &DATABASES)).flatten()
    };
    match database {
        Some(Database::Sqlite) => Some(fields.with("config", sqlite).unwrap_or(StoreShape::Sqlite { path: None })),
        Some(Database::Postgres) if is_needed => Some(fields.required_with("config", postgres)),
        Some(Database::Postgres) => fields.with("config", postgres),
        None => {
            fields.with("config", |node| node.map(|_, _| ()));
            None
        }
    }
}

impl LogsStoreShape {
    /// Notes an error where it names another database than everything else is kept in.
    pub(super) fn check(&self, kept_in: Option<&StoreShape>, path: Path<'_>, log: &Log<'_>) {
        let Some(named) = &self.database else { return };
        // A server's configuration holds a password.
        let error = |at: Path<'_>, possible: &str| {
            let message = format!("a database of its own for logs is not built: they are kept in {possible}");
            log.error_about_secret(at, message);
        };
        match (named, kept_in) {
            (StoreShape::Sqlite { path: None }, None | Some(StoreShape::Sqlite { .. })) => {}
            (StoreShape::Sqlite { path: own }, Some(StoreShape::Sqlite { path: kept })) if own == kept => {}
            (StoreShape::Sqlite { .. }, None | Some(StoreShape::Sqlite { .. })) => {
                error(
                    path.field("config").field("path"),
                    "the file of `config_store`; leave this out, or name that file",
                );
            }
            (StoreShape::Postgres(own), Some(StoreShape::Postgres(kept))) if own.is_same_as(kept) => {}
            (StoreShape::Postgres(_), Some(StoreShape::Postgres(_))) => {
                error(
                    path.field("config"),
                    "that of `config_store`, whose `host`, `port` and `db_name` this must have",
                );
            }
            (_, kept) => {
                let word = if matches!(kept, Some(StoreShape::Postgres(_))) { "postgres" } else { "sqlite" };
                error(path.field("type"), &format!("that of `config_store`, which is `{word}`"));
            }
        }
    }
}

impl PostgresShape {
    fn is_same_as(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.db_name) == (&other.host, other.port, &other.db_name)
    }
}

fn sqlite(node: Node<'_>) -> StoreShape {
    node.object(|fields| StoreShape::Sqlite { path: fields.optional("path") })
}

fn postgres(node: Node<'_>) -> StoreShape {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    node.object(|fields| {
        StoreShape::Postgres(PostgresShape {
            host: fields.required("host"),
            port: fields.with("port", port).unwrap_or(5432),
            user: fields.required("user"),
            password: fields.optional("password"),
            db_name: fields.required("db_name"),
            ssl_mode: fields.with("ssl_mode", |node| one_of(node, &SSL_MODES)).flatten().unwrap_or_default(),
            ssl_root_cert: fields.optional("ssl_root_cert"),
            max_idle_conns: size(fields.whole("max_idle_conns", 5, 0..=10_000)),
            max_open_conns: size(fields.whole("max_open_conns", 50, 1..=10_000)),
        })
    })
}

/// A number, perhaps written as a text.
fn port(node: Node<'_>) -> u16 {
    let text = super::scalar::text_or_whole(node);
    match text.parse() {
        Ok(port) if port > 0 => port,
        _ => {
            if !text.is_empty() {
                node.error("expected a port from 1 to 65535");
            }
            5432
        }
    }
}
