//! The `config_store` section: the database in which what is configured and what was spent is kept.

use super::node::Node;
use super::scalar::one_of;
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
        let database = if is_enabled {
            fields.required_with("type", |node| one_of(node, &DATABASES))
        } else {
            fields.with("type", |node| one_of(node, &DATABASES)).flatten()
        };
        let config = match database {
            Some(Database::Sqlite) => Some(fields.with("config", sqlite).unwrap_or(StoreShape::Sqlite { path: None })),
            Some(Database::Postgres) if is_enabled => Some(fields.required_with("config", postgres)),
            Some(Database::Postgres) => fields.with("config", postgres),
            None => {
                fields.with("config", |node| node.map(|_, _| ()));
                None
            }
        };
        config.filter(|_| is_enabled)
    })
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
