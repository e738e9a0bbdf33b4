//! A database that is locked, damaged, read-only, or of another version; and one that older versions left.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use policy::provider::Secret;
use rusqlite::Connection;
use store::registry::Entity;
use store::{Registry, RegistryError, Store, StoreError};

use super::{NOW, Place, Sqlite, all, entity, puts};

fn connection(place: &Sqlite) -> Connection {
    Connection::open(place.folder().join("tollgate.db")).unwrap()
}

#[test]
fn it_lives_beside_the_balances() {
    let place = Sqlite::new();
    let (store, _) = Store::open(place.folder(), NOW).unwrap();
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    store.flush().unwrap();
    store.close().unwrap();
    let (_store, _) = Store::open(place.folder(), NOW).unwrap();
    assert_eq!(all(&registry).len(), 1);
}

#[test]
fn a_database_that_others_do_not_let_go_of_is_said_to_be_busy() {
    let place = Sqlite::new();
    let registry = place.open();
    let other = connection(&place);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = registry.commit(&puts([entity("a")])).unwrap_err();
    assert!(matches!(error, RegistryError::Busy) && error.is_unavailable());
    assert_eq!(registry.revision().unwrap(), 0, "it can be read meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(registry.commit(&puts([entity("a")])).unwrap().revision, 1);
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_none() {
    let place = Sqlite::new();
    fs::write(place.folder().join("tollgate.db"), [b'x'; 8192]).unwrap();
    let error = place.try_open("key").unwrap_err();
    assert!(matches!(error, RegistryError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("no database"), "{error}");
}

#[test]
fn a_newer_database_is_left_alone() {
    let place = Sqlite::new();
    place.open();
    connection(&place).execute("INSERT INTO schema_version (version) VALUES (99)", []).unwrap();
    assert!(matches!(place.try_open("key"), Err(RegistryError::Store(StoreError::Newer { found: 99, .. }))));
}

#[test]
fn a_row_that_nobody_wrote_is_said_to_be_damaged() {
    let place = Sqlite::new();
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    for (change, back) in [
        ("token_hashes = x'00'", "token_hashes = x''"),
        ("file_mac = x'00'", "file_mac = NULL"),
        ("document = CAST(x'ff' AS TEXT)", "document = '{}'"),
    ] {
        connection(&place).execute(&format!("UPDATE entities SET {change}"), []).unwrap();
        let error = registry.load(&mut |_| ()).unwrap_err();
        assert!(matches!(error, RegistryError::Damaged(_)), "{change}: {error:?}");
        connection(&place).execute(&format!("UPDATE entities SET {back}"), []).unwrap();
    }
    assert_eq!(all(&registry).len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Sqlite::new();
    fs::write(place.folder().join("file"), "").unwrap();
    let error = Registry::open(&place.folder().join("file/below"), &Secret::new("key")).unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}

#[test]
fn the_file_is_for_its_owner_only() {
    let check = |place: &Sqlite| {
        for name in ["tollgate.db", "tollgate.db-wal", "tollgate.db-shm"] {
            let mode = fs::metadata(place.folder().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    };
    let (place, other) = (Sqlite::new(), Sqlite::new());
    let _registry = place.open();
    check(&place);
    let _store = Store::open(other.folder(), NOW).unwrap();
    check(&other);
}

#[test]
fn nothing_readable_of_a_secret_is_in_the_files() {
    let place = Sqlite::new();
    let registry = place.open();
    let context = store::seal::Context { kind: "virtual_key", id: "a", field: "value" };
    let sealed = registry.seal().seal(context, &Secret::new("canary-4711")).unwrap();
    registry.commit(&puts([Entity { document: format!("[\"{sealed}\"]"), ..entity("a") }])).unwrap();
    registry.keep(&[("b".to_owned(), Secret::new("canary-4711"))]).unwrap();
    let mut files = 0;
    for file in fs::read_dir(place.folder()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"canary-4711"));
        files += usize::from(!bytes.is_empty());
    }
    assert!(files >= 2, "{files}");
}
