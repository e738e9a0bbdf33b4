use std::fs;

use tempfile::tempdir;

use super::*;

#[test]
fn every_migration_in_the_folder_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), schema::MIGRATIONS.len());
    for (number, (name, migration)) in (1..).zip(names.iter().zip(schema::MIGRATIONS)) {
        let name = name.to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), migration, "{name}");
    }
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
    sqlite.fold(&change).unwrap();
    sqlite.fold(&change).unwrap();
    assert_eq!(sqlite.standing().unwrap().budgets[0].total_nano, 5);
    change.folded_to = 4;
    sqlite.fold(&change).unwrap();
    assert_eq!(sqlite.standing().unwrap().budgets[0].total_nano, 10);
}
