use std::fs;

use tempfile::tempdir;

use super::*;
use crate::migrations::check_folder;

#[test]
fn every_migration_in_the_folder_is_run() {
    check_folder("sqlite", &schema::MIGRATIONS);
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_version_usable() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    let mut sqlite = Sqlite::open(&path).unwrap();
    let mut known = schema::MIGRATIONS.to_vec();
    known.push("CREATE TABLE half (x INTEGER) STRICT; INSERT INTO half VALUES ('no number')");
    let error = schema::migrate_by(&mut sqlite.connection, &known).unwrap_err();
    assert!(error.to_string().contains("cannot store TEXT value in INTEGER column"), "{error}");
    drop(sqlite);
    let mut sqlite = Sqlite::open(&path).unwrap();
    assert!(sqlite.connection.prepare("SELECT * FROM half").is_err(), "nothing of it is there");
    // Mended, it is run.
    *known.last_mut().unwrap() = "CREATE TABLE half (x INTEGER) STRICT";
    schema::migrate_by(&mut sqlite.connection, &known).unwrap();
    sqlite.connection.prepare("SELECT x FROM half").unwrap();
}

#[test]
fn a_migration_that_was_run_with_another_text_is_told() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    let sqlite = Sqlite::open(&path).unwrap();
    sqlite.connection.execute("UPDATE schema_version SET checksum = 'x' WHERE version = 1", []).unwrap();
    drop(sqlite);
    assert!(matches!(Sqlite::open(&path).unwrap_err(), StoreError::Altered { version: 1 }));
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT").unwrap();
    connection.execute_batch(schema::MIGRATIONS[0]).unwrap();
    connection.execute_batch("INSERT INTO schema_version VALUES (1); UPDATE progress SET folded_to = 7").unwrap();
    drop(connection);
    assert_eq!(Sqlite::read(&path).unwrap().unwrap().0.folded_to, 7);
    let mut sqlite = Sqlite::open(&path).unwrap();
    assert_eq!(sqlite.progress().unwrap().folded_to, 7);
    drop(sqlite);
    Sqlite::open(&path).unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    let sqlite = Sqlite::open(&path).unwrap();
    sqlite.connection.execute("INSERT INTO schema_version (version) VALUES (99)", []).unwrap();
    drop(sqlite);
    let is_newer = |error: &StoreError| matches!(error, StoreError::Newer { found: 99, .. });
    assert!(is_newer(&Sqlite::open(&path).unwrap_err()));
    assert!(is_newer(&Sqlite::read(&path).unwrap_err()));
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_none() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    fs::write(&path, [b'x'; 8192]).unwrap();
    assert!(Sqlite::open(&path).unwrap_err().to_string().contains("not a database"));
}

#[test]
fn a_database_whose_tables_are_not_made_yet_reads_as_empty() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.db");
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
    assert_eq!(Sqlite::read(&path).unwrap(), None);
}

#[test]
fn a_commit_is_durable_before_the_journal_is_deleted() {
    let folder = tempdir().unwrap();
    let sqlite = Sqlite::open(&folder.path().join("x.db")).unwrap();
    let pragma = |name: &str| sqlite.connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
    assert_eq!(pragma("journal_mode").unwrap(), "wal");
    let synchronous: u8 = sqlite.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    assert_eq!(synchronous, 2, "FULL");
}

#[test]
fn a_stretch_is_folded_once() {
    let folder = tempdir().unwrap();
    let mut sqlite = Sqlite::open(&folder.path().join("x.db")).unwrap();
    let mut change = Change::up_to(3);
    change.charges.entry("b").or_default().insert(100, 5);
    sqlite.fold(&change, &mut || {}).unwrap();
    sqlite.fold(&change, &mut || {}).unwrap();
    assert_eq!(sqlite.standing().unwrap().budgets[0].total_nano, 5);
    change.folded_to = 4;
    sqlite.fold(&change, &mut || {}).unwrap();
    assert_eq!(sqlite.standing().unwrap().budgets[0].total_nano, 10);
}
