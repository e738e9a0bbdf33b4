//! What the registry promises, whatever database is behind it: one suite, run against each. What is said of SQLite's own files is
//! in modules of their own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/database.rs"]
mod database;
#[path = "registry/feed.rs"]
mod feed;
#[path = "registry/kill.rs"]
mod kill;
#[path = "registry/server.rs"]
mod server;
#[path = "registry/suite.rs"]
mod suite;
#[path = "registry/tampering.rs"]
mod tampering;
#[path = "registry/trouble.rs"]
mod trouble;
#[path = "support/wire.rs"]
mod wire;

use std::path::Path;

use policy::provider::Secret;
use store::registry::{AuditEntry, Entity, Expected, Origin, Put, Removal, Row, Write};
use store::{Config, Database, Postgres, Registry, RegistryError, SslMode};
use tempfile::TempDir;

use self::database::TestDatabase;

/// A database that a registry can be opened on again and again, by several at a time.
trait Place {
    fn new() -> Self;
    fn try_open(&self, key: &str) -> Result<Registry, RegistryError>;

    fn open(&self) -> Registry {
        self.try_open("key").unwrap()
    }
}

/// A Saturday in November.
const NOW: u64 = 1_795_000_000_000;

struct Sqlite(TempDir);

impl Sqlite {
    fn folder(&self) -> &Path {
        self.0.path()
    }
}

impl Place for Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn try_open(&self, key: &str) -> Result<Registry, RegistryError> {
        Registry::open(self.folder(), &Secret::new(key))
    }
}

struct OnServer(TestDatabase);

impl OnServer {
    fn server(&self) -> Postgres {
        let TestDatabase { host, port, user, password, name, .. } = &self.0;
        Postgres {
            host: host.clone(),
            port: *port,
            user: user.clone(),
            password: Secret::new(password),
            db_name: name.clone(),
            ssl_mode: SslMode::Disable,
            ssl_root_cert: None,
            max_open_conns: 8,
            max_idle_conns: 2,
        }
    }
}

impl Place for OnServer {
    fn new() -> Self {
        Self(TestDatabase::new())
    }

    fn try_open(&self, key: &str) -> Result<Registry, RegistryError> {
        open_on(self.server(), key)
    }
}

/// The folder has no part in it.
fn open_on(server: Postgres, key: &str) -> Result<Registry, RegistryError> {
    Registry::open(Config { folder: "/nowhere".into(), database: Database::Postgres(server) }, &Secret::new(key))
}

suite::run_against!(sqlite, Sqlite);
suite::run_against!(postgres, OnServer);

/// A virtual key without a token, as the API would make it.
fn entity(id: &str) -> Entity {
    Entity {
        kind: "virtual_key".to_owned(),
        id: id.to_owned(),
        name: Some(format!("name of {id}")),
        is_name_unique: true,
        document: "{}".to_owned(),
        token_hashes: Vec::new(),
        origin: Origin::Api,
        file_mac: None,
        order: None,
        team_id: None,
        customer_id: None,
    }
}

fn put(entity: Entity) -> Put {
    Put { entity, expected: Expected::Anything }
}

fn puts(entities: impl IntoIterator<Item = Entity>) -> Write {
    Write { at_ms: NOW, puts: entities.into_iter().map(put).collect(), ..Write::default() }
}

fn removal(id: &str, is_remembered: bool) -> Write {
    let (kind, id) = ("virtual_key".to_owned(), id.to_owned());
    let removal = Removal { kind, id, is_remembered, expected: Expected::Anything };
    Write { at_ms: NOW, removals: vec![removal], ..Write::default() }
}

fn audit(action: &str, id: &str) -> AuditEntry {
    AuditEntry {
        at_ms: NOW,
        actor: "ada".to_owned(),
        actor_kind: "user".to_owned(),
        address: "127.0.0.1".to_owned(),
        action: action.to_owned(),
        kind: "virtual_key".to_owned(),
        entity_id: id.to_owned(),
        before: None,
        after: Some("{}".to_owned()),
    }
}

fn all(registry: &Registry) -> Vec<Row> {
    let mut rows = Vec::new();
    registry.load(&mut |row| rows.push(row)).unwrap();
    rows
}
