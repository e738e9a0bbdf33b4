//! What a large policy costs: loading it from the store, changing one key of it, and its memory. `KEYS=1000000` for the large one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints what it found"
)]
#![allow(clippy::disallowed_methods, reason = "what is measured is time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::clock::Clock;
use engine::control::{Actor, ActorKind, Bookkeeping, Control, Parts, load};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use policy::catalog::Catalog;
use policy::declare::entity::Kind;
use policy::key::TokenHash;
use policy::provider::Secret;
use store::registry::{Entity, Expected, Origin, Put, Registry, Write};
use store::{AttemptId, Began, StoreError, Voided};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TEAMS: usize = 1_000;

#[derive(Debug)]
struct Forgetful;

impl Bookkeeping for Forgetful {
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

fn nothing(_name: &str) -> Option<String> {
    None
}

fn entity(kind: Kind, id: &str, document: String) -> Put {
    let entity = Entity {
        kind: kind.as_str().to_owned(),
        id: id.to_owned(),
        name: Some(id.to_owned()),
        is_name_unique: false,
        document,
        token_hashes: Vec::new(),
        origin: Origin::Api,
        file_mac: None,
        order: None,
        team_id: None,
        customer_id: None,
    };
    Put { entity, expected: Expected::Anything }
}

fn key(at: usize) -> Put {
    let (id, hash) = (format!("vk-{at:07}"), TokenHash::of(&format!("sk-bf-{at}")));
    let team = at % TEAMS;
    let document = format!(
        r#"{{"id":"{id}","name":"{id}","value_hash":"{}","team_id":"t{team}","allow_all_providers":false,
            "provider_configs":[{{"provider":"openai","allowed_models":["gpt-4o","gpt-4o-mini"],"weight":1}}],
            "budget_ids":["b-{at}"],"rate_limit_id":"r{team}"}}"#,
        hash.to_hex(),
    );
    let mut put = entity(Kind::VirtualKey, &id, document);
    put.entity.token_hashes = vec![hash.to_bytes()];
    put.entity.team_id = Some(format!("t{team}"));
    put
}

fn fill(registry: &Registry, keys: usize) {
    let provider = r#"{"keys":[{"name":"main","value":"env-less"}]}"#.to_owned();
    let team = |at: usize| format!(r#"{{"id":"t{at}","name":"t{at}"}}"#);
    let rate = |at: usize| format!(r#"{{"id":"r{at}","request_max_limit":100,"request_reset_duration":"1m"}}"#);
    let budget = |at: usize| format!(r#"{{"id":"b-{at}","max_limit":100,"reset_duration":"1M"}}"#);
    let first = std::iter::once(entity(Kind::Provider, "openai", provider));
    let teams = (0..TEAMS).map(|at| entity(Kind::Team, &format!("t{at}"), team(at)));
    let rates = (0..TEAMS).map(|at| entity(Kind::RateLimit, &format!("r{at}"), rate(at)));
    let budgets = (0..keys).map(|at| entity(Kind::Budget, &format!("b-{at}"), budget(at)));
    let mut all = first.chain(teams).chain(rates).chain(budgets).chain((0..keys).map(key));
    loop {
        let puts: Vec<_> = all.by_ref().take(20_000).collect();
        if puts.is_empty() {
            return;
        }
        registry.commit(&Write { at_ms: 1, puts, ..Write::default() }).unwrap();
    }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let keys = std::env::var("KEYS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
    fill(&registry, keys);
    let before = resident_mib();
    let began = Instant::now();
    let kept = load(&registry, Arc::new(Catalog::default()), nothing).unwrap();
    println!("{keys} keys with a budget each: loaded in {:.2?}", began.elapsed());
    println!("{keys} keys: {} MiB, {} MiB before", resident_mib(), before);
    assert_eq!(kept.snapshot.key_count(), keys);
    let parts = Parts {
        registry,
        live: Arc::new(Live::new(kept.snapshot)),
        ledger: Arc::new(Ledger::new(None, 0)),
        health: Arc::new(RouteHealth::default()),
        books: Arc::new(Forgetful),
        clock: Clock::start(),
        env: nothing,
    };
    let control = Control::new(parts, kept.position);
    let actor = Actor { name: "bench", kind: ActorKind::System, address: "" };
    let put = |at: usize, body: &str| {
        let began = Instant::now();
        control.update(Kind::VirtualKey, &format!("vk-{at:07}"), body, &actor).unwrap();
        began.elapsed()
    };
    let plain = (0..100).map(|at| put(at, r#"{"is_active": false}"#)).collect();
    println!("a PUT of a key, live when it returns: median {:.2?}", median(plain));
    let budget = r#"{"budgets": [{"max_limit": 7, "reset_duration": "1d"}]}"#;
    let limits = (100..200).map(|at| put(at, budget)).collect();
    println!("a PUT that replaces its budget: median {:.2?}", median(limits));
}
