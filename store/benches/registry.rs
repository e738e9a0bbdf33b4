//! What it costs to load, change, page and verify what is configured. A load of 1,000,000 rows takes ten times what is told here.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::provider::Secret;
use store::Registry;
use store::registry::{AuditEntry, Entity, Expected, Filter, Origin, Put, Write};
use store::seal::Context;
use tempfile::TempDir;

const NOW: u64 = 1_795_000_000_000;
const ROWS: u64 = 100_000;

/// A virtual key as the API keeps it: its token sealed, two providers, a budget and a rate limit.
fn key(registry: &Registry, number: u64) -> Entity {
    let id = format!("vk-{number:08}");
    let context = Context { kind: "virtual_key", id: &id, field: "value" };
    let token = Secret::new(&format!("sk-bf-{number:032}"));
    let sealed = registry.seal().seal(context, &token).unwrap();
    let document = format!(
        r#"{{"id":"{id}","name":"key {number}","value":"{sealed}","is_active":true,"team_id":"team-{}","budget_id":"b-{number}",
        "rate_limit_id":"r-{number}","provider_configs":[{{"provider":"openai","weight":0.5,"allowed_models":["gpt-4o"]}},
        {{"provider":"anthropic","weight":0.5,"allowed_models":["*"]}}]}}"#,
        number % 100,
    );
    let mut hash = [0; 32];
    hash.iter_mut().zip(number.to_le_bytes().iter().cycle()).for_each(|(to, from)| *to = from.wrapping_mul(167));
    Entity {
        kind: "virtual_key".to_owned(),
        name: Some(format!("key {number}")),
        is_name_unique: true,
        document,
        token_hashes: vec![hash],
        origin: Origin::Api,
        file_mac: None,
        order: None,
        team_id: Some(format!("team-{}", number % 100)),
        customer_id: None,
        id,
    }
}

fn entry(id: &str) -> AuditEntry {
    AuditEntry {
        at_ms: NOW,
        actor: "admin@example.com".to_owned(),
        actor_kind: "user".to_owned(),
        address: "203.0.113.7".to_owned(),
        action: "update".to_owned(),
        kind: "virtual_key".to_owned(),
        entity_id: id.to_owned(),
        before: Some(format!("{{\"name\":\"{}\"}}", "x".repeat(200))),
        after: Some(format!("{{\"name\":\"{}\"}}", "y".repeat(200))),
    }
}

/// A registry with so many keys, and as many rows in its audit log.
fn filled() -> (TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("key")).unwrap();
    for first in (0..ROWS).step_by(10_000) {
        let keys: Vec<_> = (first..first + 10_000).map(|number| key(&registry, number)).collect();
        let audit = keys.iter().map(|key| entry(&key.id)).collect();
        let puts = keys.into_iter().map(|entity| Put { entity, expected: Expected::Absent }).collect();
        registry.commit(&Write { at_ms: NOW, puts, audit, ..Write::default() }).unwrap();
    }
    (folder, registry)
}

fn registry(bench: &mut Criterion) {
    let (_folder, registry) = filled();
    bench.bench_function("load 100,000 keys", |bencher| {
        bencher.iter(|| {
            let mut rows = 0_u64;
            registry.load(&mut |row| rows += u64::from(!black_box(row).is_deleted)).unwrap();
            assert_eq!(rows, ROWS);
        });
    });
    bench.bench_function("verify 100,000 rows of the audit log", |bencher| {
        bencher.iter(|| assert!(registry.verify().unwrap().rows >= ROWS));
    });
    let (filter, searching) = filters();
    bench.bench_function("a page of 100,000 keys", |bencher| {
        bencher.iter(|| assert_eq!(registry.page(&filter).unwrap().0.len(), 50));
    });
    bench.bench_function("a page of what is found in 100,000 keys", |bencher| {
        bencher.iter(|| assert_eq!(registry.page(&searching).unwrap().1, 1));
    });
    let number = Cell::new(0);
    bench.bench_function("change one key of 100,000, audited and durable", |bencher| {
        bencher.iter(|| {
            number.set((number.get() + 7919) % ROWS);
            let entity = key(&registry, number.get());
            let audit = vec![entry(&entity.id)];
            let puts = vec![Put { entity, expected: Expected::Anything }];
            registry.commit(&Write { at_ms: NOW, puts, audit, ..Write::default() }).unwrap()
        });
    });
    let revision = registry.revision().unwrap();
    bench.bench_function("ask for what is new when nothing is", |bencher| {
        bencher.iter(|| assert!(registry.since(black_box(revision)).unwrap().rows.is_empty()));
    });
}

fn filters() -> (Filter, Filter) {
    let filter = Filter { kind: "virtual_key".to_owned(), limit: 50, ..Filter::default() };
    (filter.clone(), Filter { search: Some("KEY 99998".to_owned()), ..filter })
}

fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10)
}

criterion_group!(name = benches; config = brief(); targets = registry);
criterion_main!(benches);
