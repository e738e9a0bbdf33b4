//! What is told of a store that cannot be followed.

use engine::clock::Clock;
use engine::control::{Parts, load};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use policy::provider::Secret;
use store::registry::{Entity, Expected, Origin, Put, Removal, Write};
use store::{AttemptId, Began, StoreError, Voided};

use super::*;

#[derive(Debug)]
struct NoBooks;

impl control::Bookkeeping for NoBooks {
    fn adopt(&self, _budgets: &[Began]) -> Result<(), StoreError> {
        Ok(())
    }

    fn forgive(&self, _budget: &str, _start_ms: u64, _nano: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn void(&self, _attempt: AttemptId, _at_ms: u64) -> Result<Option<Voided>, StoreError> {
        Ok(None)
    }
}

fn follower(folder: &Path, life: &Arc<Life>) -> Follower {
    let registry = Registry::open(folder, &Secret::new("an encryption key")).unwrap();
    let kept = load(&registry, Arc::default(), |_| None).unwrap();
    let changes = registry.changes();
    let parts = Parts {
        registry,
        live: Arc::new(Live::new(kept.snapshot)),
        ledger: Arc::new(Ledger::new(None, 0)),
        health: Arc::new(RouteHealth::default()),
        books: Arc::new(NoBooks),
        clock: Clock::start(),
        env: |_| None,
    };
    Follower {
        control: Control::new(parts, kept.position),
        changes,
        life: Arc::clone(life),
        told: None,
        path: folder.join("config.json"),
        seen: None,
        put_off: None,
        at_start: serde_json::Value::Null,
    }
}

#[test]
fn a_store_that_cannot_be_put_in_force_is_told_until_it_can() {
    let (folder, life) = (tempfile::tempdir().unwrap(), Arc::new(Life::default()));
    let mut follower = follower(folder.path(), &life);
    let registry = follower.control.registry().clone();
    let entity = Entity {
        kind: "a_kind_of_later".into(),
        id: "x".into(),
        name: None,
        is_name_unique: false,
        document: "{}".into(),
        token_hashes: Vec::new(),
        origin: Origin::Api,
        file_mac: None,
        order: None,
        team_id: None,
        customer_id: None,
    };
    let puts = vec![Put { entity, expected: Expected::Anything }];
    registry.commit(&Write { at_ms: 1, puts, ..Write::default() }).unwrap();
    assert_eq!(life.trouble(), None);
    for _ in 0..2 {
        assert!(!follower.follow(), "edits of the file wait");
        assert!(life.trouble().is_some_and(|told| told.contains("cannot be put in force")), "{:?}", life.trouble());
    }
    let removal =
        Removal { kind: "a_kind_of_later".into(), id: "x".into(), is_remembered: false, expected: Expected::Anything };
    registry.commit(&Write { at_ms: 2, removals: vec![removal], ..Write::default() }).unwrap();
    assert!(follower.follow());
    assert_eq!(life.trouble(), None);
}
