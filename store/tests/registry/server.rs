//! What only a server can do to a registry: it refuses, it goes and comes back, and others are in the way.

use std::thread;

use store::registry::{Defect, Tampered, Write};
use store::{Postgres, RegistryError, StoreError};

use super::wire::Wire;
use super::{OnServer, Place, all, audit, entity, open_on, puts, removal};

fn through(place: &OnServer, wire: &Wire) -> Postgres {
    Postgres { host: "127.0.0.1".to_owned(), port: wire.port(), ..place.server() }
}

fn wire(place: &OnServer) -> Wire {
    Wire::to(&place.0.host, place.0.port)
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let place = OnServer::new();
    let wire = wire(&place);
    wire.cut();
    let error = open_on(through(&place, &wire), "key").unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let told = error.to_string();
    assert!(told.contains(&format!("127.0.0.1:{}", wire.port())) && told.contains(&place.0.name), "{told}");
}

#[test]
fn a_server_that_goes_and_comes_back_is_used_again() {
    let place = OnServer::new();
    let wire = wire(&place);
    let registry = open_on(through(&place, &wire), "key").unwrap();
    registry.commit(&puts([entity("a")])).unwrap();
    wire.cut();
    let refused = registry.commit(&puts([entity("b")])).unwrap_err();
    assert!(matches!(refused, RegistryError::Store(StoreError::Server { .. })), "{refused:?}");
    assert!(registry.revision().unwrap_err().is_unavailable());
    assert!(!registry.changes().wait(std::time::Duration::ZERO));
    wire.mend();
    assert_eq!(registry.revision().unwrap(), 1);
    assert_eq!(registry.commit(&puts([entity("b")])).unwrap().revision, 2);
}

#[test]
fn a_commit_whose_answer_is_lost_counts_once() {
    let place = OnServer::new();
    let wire = wire(&place);
    let registry = open_on(through(&place, &wire), "key").unwrap();
    for number in 1..=3_u64 {
        let id = number.to_string();
        wire.lose_next_commit();
        let write = Write { audit: vec![audit("create", &id)], ..puts([entity(&id)]) };
        assert_eq!(registry.commit(&write).unwrap().revision, number);
        assert!(wire.has_lost_commit());
    }
    // One that could not be done twice.
    wire.lose_next_commit();
    registry.commit(&removal("1", false)).unwrap();
    assert_eq!((all(&registry).len(), registry.revision().unwrap()), (2, 4));
    assert_eq!(registry.verify().unwrap().rows, 3);
}

#[test]
fn a_change_that_a_server_rolls_back_for_anothers_sake_is_made_again() {
    let place = OnServer::new();
    let name = &place.0.name;
    place.0.execute(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"));
    let registries = [place.open(), place.open(), place.open()];
    thread::scope(|scope| {
        for (number, registry) in registries.iter().enumerate() {
            scope.spawn(move || {
                for count in 0..20 {
                    let id = format!("{number}-{count}");
                    registry.commit(&Write { audit: vec![audit("create", &id)], ..puts([entity(&id)]) }).unwrap();
                }
            });
        }
    });
    assert_eq!((registries[0].revision().unwrap(), registries[0].verify().unwrap().rows), (60, 60));
}

#[test]
fn a_row_that_another_does_not_let_go_of_is_said_to_be_busy() {
    let place = OnServer::new();
    let registry = place.open();
    let lock = place.0.lock("SELECT revision FROM registry_revision WHERE one = 1 FOR UPDATE");
    let error = registry.commit(&puts([entity("a")])).unwrap_err();
    assert!(matches!(error, RegistryError::Busy), "{error:?}");
    assert_eq!(registry.revision().unwrap(), 0, "it can be read meanwhile");
    drop(lock);
    assert_eq!(registry.commit(&puts([entity("a")])).unwrap().revision, 1);
}

#[test]
fn a_database_that_is_read_only_is_said_to_be() {
    let place = OnServer::new();
    let registry = place.open();
    let name = &place.0.name;
    place.0.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    place.0.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let error = registry.commit(&puts([entity("a")])).unwrap_err();
    assert!(matches!(error, RegistryError::ReadOnly) && error.is_unavailable(), "{error:?}");
}

#[test]
fn every_change_of_the_log_is_found() {
    let place = OnServer::new();
    let registry = place.open();
    for number in 1..=4 {
        let write = Write { audit: vec![audit("update", &number.to_string())], ..Write::default() };
        registry.commit(&write).unwrap();
    }
    place.0.execute("CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE head AS SELECT * FROM audit_head");
    for (change, seq, what) in [
        ("UPDATE audit SET actor = 'bob' WHERE seq = 2", 2, Defect::Changed),
        ("UPDATE audit SET mac = '\\x00' WHERE seq = 3", 3, Defect::Changed),
        ("UPDATE audit SET at_ms = -1 WHERE seq = 3", 3, Defect::Changed),
        ("UPDATE audit SET before = '' WHERE seq = 1", 1, Defect::Changed),
        ("DELETE FROM audit WHERE seq = 1", 1, Defect::Missing),
        ("DELETE FROM audit WHERE seq = 4", 4, Defect::Missing),
        ("UPDATE audit SET seq = -9223372036854775808 WHERE seq = 4", i64::MIN, Defect::Added),
        ("DELETE FROM audit_head", 4, Defect::End),
        ("UPDATE audit_head SET head_mac = '\\x00'", 4, Defect::End),
    ] {
        place.0.execute(change);
        match registry.verify() {
            Err(RegistryError::Tampered(found)) => assert_eq!(found, Tampered { seq, what }, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
        place.0.execute(
            "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM head",
        );
        assert_eq!(registry.verify().unwrap().rows, 4, "it was undone");
    }
}

#[test]
fn a_row_that_nobody_wrote_is_said_to_be_damaged() {
    let place = OnServer::new();
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    for (change, back) in [("token_hashes = '\\x00'", "token_hashes = ''"), ("file_mac = '\\x00'", "file_mac = NULL")] {
        place.0.execute(&format!("UPDATE entities SET {change}"));
        let error = registry.load(&mut |_| ()).unwrap_err();
        assert!(matches!(error, RegistryError::Damaged(_)), "{change}: {error:?}");
        place.0.execute(&format!("UPDATE entities SET {back}"));
    }
    assert_eq!(all(&registry).len(), 1);
}

#[test]
fn rows_are_found_along_indexes() {
    let place = OnServer::new();
    place.open();
    place.0.execute(
        "INSERT INTO entities SELECT 'k' || n % 3, sha256(CAST(n AS text)::bytea), n, n, sha256(CAST(n AS text)::bytea), '{}',
             '', 'api', NULL, false, n, n, n, n, NULL, NULL FROM generate_series(1, 20000) AS g (n);
         INSERT INTO audit SELECT n, n, '', '', '', '', 'k', n, NULL, NULL, '', '' FROM generate_series(1, 20000) AS g (n);
         ANALYZE",
    );
    let plan = |query: &str| place.0.ask_all(&format!("EXPLAIN {query}"));
    for (query, index) in [
        ("SELECT id FROM entities WHERE kind = 'k1' AND id_hash = ''", "entities_pkey"),
        ("SELECT id FROM entities WHERE kind = 'k1' AND unique_name_hash = ''", "entities_by_unique_name"),
        ("SELECT max(position) FROM entities WHERE kind = 'k1'", "entities_by_position"),
        ("SELECT * FROM entities WHERE revision > 19000 ORDER BY revision, kind, position, id", "entities_by_revision"),
        (
            "SELECT * FROM entities WHERE NOT is_deleted AND kind = 'k1' ORDER BY substr(name, 1, 200) DESC NULLS LAST,
             name DESC NULLS LAST, id DESC LIMIT 9",
            "entities_by_name",
        ),
        (
            "SELECT * FROM entities WHERE NOT is_deleted AND kind = 'k1' ORDER BY created_ms, id LIMIT 9",
            "entities_by_creation",
        ),
        ("SELECT * FROM audit WHERE seq < 9 ORDER BY seq DESC LIMIT 9", "audit_pkey"),
    ] {
        let plan = plan(query);
        assert!(plan.contains(index), "{query}: {plan}");
    }
}
