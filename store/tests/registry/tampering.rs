//! An audit log that somebody changes who can write the database: each change is found.

use rusqlite::Connection;
use store::registry::{AuditEntry, Defect, Tampered, Write};
use store::{Registry, RegistryError};

use super::{Place, Sqlite, audit};

const ROWS: i64 = 5;

/// A log of a few rows, and a connection that may do everything.
fn log() -> (Sqlite, Registry, Connection) {
    let place = Sqlite::new();
    let registry = place.open();
    for number in 1..=ROWS {
        let before = (number % 2 == 0).then(|| format!("{{\"n\":{number}}}"));
        let entry = AuditEntry { before, ..audit("update", &format!("key-{number}")) };
        registry.commit(&Write { audit: vec![entry], ..Write::default() }).unwrap();
    }
    let connection = Connection::open(place.folder().join("tollgate.db")).unwrap();
    connection.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted;").unwrap();
    // So that thousands of changes take no time.
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    (place, registry, connection)
}

fn tampered(registry: &Registry) -> Option<(i64, Defect)> {
    match registry.verify() {
        Ok(_) => None,
        Err(RegistryError::Tampered(Tampered { seq, what })) => Some((seq, what)),
        Err(error) => panic!("{error}"),
    }
}

/// Does something to the log, and undoes it.
fn found(registry: &Registry, connection: &Connection, change: &str) -> Option<(i64, Defect)> {
    connection
        .execute_batch(
            "CREATE TEMP TABLE kept AS SELECT * FROM audit; CREATE TEMP TABLE head AS SELECT * FROM audit_head;",
        )
        .unwrap();
    connection.execute_batch(change).unwrap();
    let found = tampered(registry);
    connection
        .execute_batch(
            "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept;
             DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM head; DROP TABLE head;",
        )
        .unwrap();
    assert_eq!(tampered(registry), None, "it was undone");
    found
}

#[test]
fn every_byte_counts() {
    let (_place, registry, connection) = log();
    let texts = ["actor", "actor_kind", "address", "action", "kind", "entity_id", "before", "after"];
    let mut changes = 0;
    for (column, kind) in
        texts.map(|column| (column, "TEXT")).into_iter().chain([("previous_mac", "BLOB"), ("mac", "BLOB")])
    {
        for seq in 1..=ROWS {
            let select = format!("SELECT CAST({column} AS BLOB) FROM audit WHERE seq = ?1");
            let Some(bytes): Option<Vec<u8>> = connection.query_row(&select, [seq], |row| row.get(0)).unwrap() else {
                continue;
            };
            let update = format!("UPDATE audit SET {column} = CAST(?2 AS {kind}) WHERE seq = ?1");
            let set = |bytes: &[u8]| assert_eq!(connection.execute(&update, (seq, bytes)).unwrap(), 1);
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << (place % 8);
                set(&changed);
                assert_eq!(tampered(&registry), Some((seq, Defect::Changed)), "{column} {seq} {place}");
                changes += 1;
            }
            set(&bytes);
        }
    }
    assert!(changes > 500, "{changes}");
    assert_eq!(tampered(&registry), None);
}

#[test]
fn every_change_of_the_rows_is_found() {
    let (_place, registry, connection) = log();
    let found = |change: &str| found(&registry, &connection, change);
    for seq in 1..=ROWS {
        let missing = Some((seq, Defect::Missing));
        let changed = Some((seq, Defect::Changed));
        assert_eq!(found(&format!("DELETE FROM audit WHERE seq = {seq}")), missing);
        assert_eq!(found(&format!("DELETE FROM audit WHERE seq >= {seq}")), missing);
        assert_eq!(found(&format!("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = {seq}")), changed);
        assert_eq!(found(&format!("UPDATE audit SET at_ms = -1 WHERE seq = {seq}")), changed);
        assert_eq!(found(&format!("UPDATE audit SET after = NULL WHERE seq = {seq}")), changed);
        assert_eq!(
            found(&format!("UPDATE audit SET actor = '', actor_kind = actor || actor_kind WHERE seq = {seq}")),
            changed
        );
        assert_eq!(found(&format!("UPDATE audit SET mac = x'00' WHERE seq = {seq}")), changed);
    }
    let swap = |one: i64, other: i64| {
        format!(
            "UPDATE audit SET seq = -1 WHERE seq = {one}; UPDATE audit SET seq = {one} WHERE seq = {other}; UPDATE audit SET seq = {other} WHERE seq = -1;"
        )
    };
    for one in 1..=ROWS {
        for other in (1..=ROWS).filter(|other| *other != one) {
            assert_eq!(found(&swap(one, other)), Some((one.min(other), Defect::Changed)));
        }
    }
    let copy = "INSERT INTO audit SELECT {}, at_ms, actor, actor_kind, address, action, kind, entity_id, before, after, previous_mac, mac FROM audit WHERE seq = 5";
    for (seq, what) in [(0, Defect::Added), (-7, Defect::Added), (6, Defect::Changed)] {
        assert_eq!(found(&copy.replace("{}", &seq.to_string())), Some((seq, what)));
    }
    assert_eq!(found("UPDATE audit SET seq = seq + 1 WHERE seq = 5"), Some((5, Defect::Missing)));
}

#[test]
fn every_change_of_the_end_is_found() {
    let (_place, registry, connection) = log();
    let found = |change: &str| found(&registry, &connection, change).map(|(_, what)| what);
    let end = Some(Defect::End);
    assert_eq!(found("DELETE FROM audit_head"), end);
    assert_eq!(found("DELETE FROM audit_head; DELETE FROM audit"), end);
    assert_eq!(found("UPDATE audit_head SET seq = 4"), end);
    assert_eq!(found("UPDATE audit_head SET row_count = 4"), end);
    assert_eq!(found("UPDATE audit_head SET seq = 4, row_count = 4, mac = (SELECT mac FROM audit WHERE seq = 4)"), end);
    assert_eq!(
        found(
            "UPDATE audit_head SET seq = 4, row_count = 4, mac = (SELECT mac FROM audit WHERE seq = 4), head_mac = mac; DELETE FROM audit WHERE seq = 5"
        ),
        end
    );
    assert_eq!(found("UPDATE audit_head SET head_mac = x'00'"), end);
}

#[test]
fn an_end_that_was_changed_is_not_gone_on_from() {
    let (_place, registry, connection) = log();
    connection.execute_batch("UPDATE audit_head SET seq = 4, mac = (SELECT mac FROM audit WHERE seq = 4); DELETE FROM audit WHERE seq = 5").unwrap();
    let write = Write { audit: vec![audit("update", "a")], ..super::puts([super::entity("a")]) };
    let refused = registry.commit(&write).unwrap_err();
    assert!(matches!(refused, RegistryError::Tampered(Tampered { what: Defect::End, .. })), "{refused}");
    assert!(super::all(&registry).is_empty());
    assert_eq!(tampered(&registry).map(|(_, what)| what), Some(Defect::End), "it was not covered up");
}

#[test]
fn the_database_itself_refuses_to_change_the_log() {
    let place = Sqlite::new();
    let registry = place.open();
    registry.commit(&Write { audit: vec![audit("update", "a")], ..Write::default() }).unwrap();
    let connection = Connection::open(place.folder().join("tollgate.db")).unwrap();
    for change in ["UPDATE audit SET actor = ''", "DELETE FROM audit"] {
        let error = connection.execute(change, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[test]
fn a_damaged_sealed_value_does_not_keep_others_from_being_rotated() {
    use policy::provider::Secret;
    use store::seal::Context;

    let place = Sqlite::new();
    let registry = place.open();
    let seal = |id| registry.seal().seal(Context { kind: "virtual_key", id, field: "" }, &Secret::new(id)).unwrap();
    let with = |id| store::registry::Entity { document: format!("[\"{}\"]", seal(id)), ..super::entity(id) };
    registry.commit(&super::puts(["a", "b"].map(with))).unwrap();
    let connection = Connection::open(place.folder().join("tollgate.db")).unwrap();
    let swap = "UPDATE entities SET document = (SELECT document FROM entities WHERE id = 'b') WHERE id = 'a'";
    assert_eq!(connection.execute(swap, []).unwrap(), 1);
    let rotated = registry.rotate(&Secret::new("new"), &audit("rotate", "")).unwrap();
    assert_eq!((rotated.values, rotated.damaged), (1, vec![("virtual_key".to_owned(), "a".to_owned())]));
}
