//! How what is kept is gone through.

use policy::provider::Secret;
use store::registry::Origin;

use super::*;

fn row(kind: Kind, id: &str) -> Row {
    Row {
        kind: kind.as_str().into(),
        id: id.into(),
        name: None,
        is_name_unique: false,
        document: "{}".into(),
        token_hashes: Vec::new(),
        origin: Origin::Api,
        file_mac: None,
        is_deleted: false,
        order: 0,
        created_ms: 0,
        updated_ms: 0,
        revision: 1,
        team_id: None,
        customer_id: None,
    }
}

#[test]
fn what_waits_is_gone_through_once_however_many_keys_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
    let mut loading = Loading::of((Snapshot::default(), Claims::default()), registry.seal(), |_| None);
    loading.take(row(Kind::RoutingRule, "r1"));
    (0..100).for_each(|number| loading.take(row(Kind::VirtualKey, &format!("vk{number}"))));
    assert_eq!(loading.rounds, 1);
    assert_eq!((loading.waiting.len(), loading.many.len()), (1, 100), "the rule waits for the keys");
}
