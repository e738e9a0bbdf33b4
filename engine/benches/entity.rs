//! What it costs to put one virtual key in force, from its stored document, among many.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use engine::compile::{entity, put};
use policy::declare::Vocabulary;
use policy::declare::entity::{Kind, Placed, read_entity};
use policy::key::TokenHash;
use policy::snapshot::Snapshot;

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 100_000;
const VOCABULARY: Vocabulary<'static> = Vocabulary {
    vendors: &["openai", "anthropic"],
    without_address: &[],
    self_hosted: &[],
    vendors_later: &["azure"],
    check_base_url: |_, _| Ok(()),
};

fn read(kind: Kind, id: &str, document: &str, world: &Snapshot) -> Placed {
    let read = read_entity(kind, id, document, |_| None, world, &VOCABULARY);
    Placed { shape: read.unwrap_or_else(|problems| panic!("{problems:?}")).0, order: 0 }
}

/// A key as it is stored: a team, two providers, limits of its own and with a provider.
fn key(at: usize) -> (String, String) {
    let (id, hash) = (format!("vk-{at}"), TokenHash::of(&format!("sk-bf-{at}")).to_hex());
    let team = at % 100;
    let document = format!(
        r#"{{"id":"{id}","name":"Service {at}","description":"What service {at} uses","value_hash":"{hash}","is_active":true,
            "team_id":"team-{team}","allow_all_providers":false,"provider_configs":[
            {{"provider":"openai","weight":0.7,"allowed_models":["gpt-4o","gpt-4o-mini"],"key_ids":["main"],"budget_ids":["pool"]}},
            {{"provider":"anthropic","weight":0.3,"allowed_models":["*"]}}],
            "budget_ids":["pool"],"rate_limit_id":"hourly"}}"#
    );
    (id, document)
}

fn world() -> Snapshot {
    let mut world = Snapshot::default();
    let mut add = |kind: Kind, id: &str, document: &str| {
        world = put(&world, &read(kind, id, document, &world), None).unwrap();
    };
    for provider in ["openai", "anthropic"] {
        add(Kind::Provider, provider, r#"{"keys": [{"name": "main", "value": "sk"}]}"#);
    }
    add(Kind::Budget, "pool", r#"{"id": "pool", "max_limit": 5, "reset_duration": "1M"}"#);
    add(Kind::RateLimit, "hourly", r#"{"id": "hourly", "request_max_limit": 5, "request_reset_duration": "1h"}"#);
    for team in 0..100 {
        let id = format!("team-{team}");
        add(Kind::Team, &id, &format!(r#"{{"id": "{id}", "name": "Team {team}"}}"#));
    }
    for at in 0..KEYS {
        let (id, document) = key(at);
        add(Kind::VirtualKey, &id, &document);
    }
    world
}

fn one_key(bench: &mut Criterion) {
    let world = world();
    let (id, document) = key(KEYS / 2);
    bench.bench_function(&format!("a key's document read, checked and compiled, among {KEYS}"), |timer| {
        timer.iter(|| entity(&read(Kind::VirtualKey, &id, black_box(&document), &world), None, &world).unwrap());
    });
    bench.bench_function(&format!("the same and put in force, among {KEYS}"), |timer| {
        timer.iter(|| put(&world, &read(Kind::VirtualKey, &id, black_box(&document), &world), None).unwrap());
    });
}

criterion_group!(benches, one_key);
criterion_main!(benches);
