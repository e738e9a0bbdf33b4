//! What a virtual key costs in memory, and what changing one costs, does not depend on how many there are. A million of them are to fit
//! in 1.5 GB, with all that a gateway has besides; so a key, with its budget, its rate limit and their accounts, has 1,100 bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use allocation_counter::{AllocationInfo, measure};
use engine::compile::{entity, put};
use engine::ledger::Ledger;
use policy::declare::Vocabulary;
use policy::declare::entity::{Kind, Placed, read_entity};
use policy::key::TokenHash;
use policy::snapshot::Snapshot;
use policy::window::Now;
use store::State;

const VOCABULARY: Vocabulary<'static> = Vocabulary {
    vendors: &["openai"],
    without_address: &[],
    self_hosted: &[],
    vendors_later: &[],
    check_base_url: |_, _| Ok(()),
};
const NOW: Now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };

fn read(kind: Kind, id: &str, document: &str, world: &Snapshot) -> Placed {
    let read = read_entity(kind, id, document, |_| None, world, &VOCABULARY);
    Placed { shape: read.unwrap_or_else(|problems| panic!("{problems:?}")).0, order: 0 }
}

/// As at a start, where nobody else has the policy.
fn add(world: Snapshot, kind: Kind, id: &str, document: &str) -> Snapshot {
    let changes = entity(&read(kind, id, document, &world), None, &world).unwrap();
    world.apply_all(changes).unwrap()
}

/// A key as it is stored, under an id like those that are made for them.
fn key(at: usize, models: &str) -> (String, String) {
    let (id, hash) = (format!("9f2c7a1e-0000-4000-8000-{at:012}"), TokenHash::of(&format!("sk-bf-{at}")).to_hex());
    let document = format!(
        r#"{{"id":"{id}","name":"Service {at}","value_hash":"{hash}","team_id":"t{}","allow_all_providers":false,
            "provider_configs":[{{"provider":"openai","allowed_models":[{models}],"weight":1}}],
            "budget_ids":["virtual_key:{id}/1M"],"rate_limit_id":"virtual_key:{id}"}}"#,
        at / 100
    );
    (id, document)
}

/// So many keys, each with a budget and a rate limit, and a hundred of them in a team.
fn world(keys: usize) -> Snapshot {
    let mut world =
        add(Snapshot::default(), Kind::Provider, "openai", r#"{"keys": [{"name": "main", "value": "sk"}]}"#);
    for at in 0..keys {
        let (id, document) = key(at, r#""gpt-4o","gpt-4o-mini","gpt-4.1""#);
        let (team, budget, rate) =
            (format!("t{}", at / 100), format!("virtual_key:{id}/1M"), format!("virtual_key:{id}"));
        if at % 100 == 0 {
            world = add(world, Kind::Team, &team, &format!(r#"{{"id":"{team}","name":"{team}"}}"#));
        }
        let terms = format!(r#"{{"id":"{budget}","max_limit":100,"reset_duration":"1M"}}"#);
        world = add(world, Kind::Budget, &budget, &terms);
        let terms = format!(r#"{{"id":"{rate}","request_max_limit":100,"request_reset_duration":"1m"}}"#);
        world = add(world, Kind::RateLimit, &rate, &terms);
        world = add(world, Kind::VirtualKey, &id, &document);
    }
    world
}

/// What is left of what was allocated, for each of so many.
fn left(measured: AllocationInfo, keys: usize) -> i64 {
    measured.bytes_current / i64::try_from(keys).unwrap()
}

#[test]
fn a_key_with_a_budget_and_a_rate_limit_has_its_share_of_memory_and_no_more() {
    let keys = 10_000;
    let mut world = Snapshot::default();
    let policy = left(measure(|| world = self::world(keys)), keys);
    let restored = |world: &Snapshot| Some(Ledger::restored(world, &State::default(), None, NOW).0);
    // It takes the place of one without accounts, so what a ledger has in any case does not count.
    let mut ledger = restored(&Snapshot::default());
    let accounts = left(measure(|| ledger = restored(&world)), keys);
    assert_eq!(world.key_count(), keys);
    assert!(ledger.is_some() && policy > 300, "it is measured: {policy}");
    println!("{policy} bytes of policy and {accounts} of accounts for each key");
    assert!(policy + accounts < 1_100, "{policy} bytes of policy and {accounts} of accounts for each key");
}

#[test]
fn a_change_of_one_key_allocates_as_much_among_many_as_among_few() {
    let changing = |keys: usize| {
        let world = world(keys);
        let (id, document) = key(keys / 2, r#""gpt-4o""#);
        let new = read(Kind::VirtualKey, &id, &document, &world);
        let mut changed = None;
        let measured = measure(|| changed = Some(put(&world, &new, None).unwrap()));
        assert_eq!(changed.unwrap().key_count(), keys);
        measured.bytes_total
    };
    let (few, many) = (changing(500), changing(5_000));
    println!("{few} and {many} bytes");
    // A level more of the tree.
    assert!(few > 0 && many < 3 * few, "{few} bytes among five hundred, {many} among five thousand");
    assert!(many < 64 * 1024, "{many} bytes");
}
