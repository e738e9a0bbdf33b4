//! What a large policy costs: loading it from the store, changing one key of it, and its memory. `KEYS=1000000` for the large one.
//! Each key has a budget and a rate limit, and a hundred are a team.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints what it found"
)]
#![allow(clippy::disallowed_methods, reason = "what is measured is time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::clock::Clock;
use engine::control::{Actor, ActorKind, Bookkeeping, Control, Kept, Parts, load};
use engine::health::RouteHealth;
use engine::ledger::Ledger;
use engine::live::Live;
use policy::catalog::Catalog;
use policy::declare::entity::Kind;
use policy::key::TokenHash;
use policy::provider::Secret;
use policy::window::Now;
use store::registry::{Entity, Expected, Origin, Put, Registry, Write};
use store::{AttemptId, Began, State, StoreError, Voided};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many keys are a team.
const TEAM: usize = 100;

const BENCH: Actor<'static> = Actor { name: "bench", kind: ActorKind::System, address: "" };

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
    let team = at / TEAM;
    let document = format!(
        r#"{{"id":"{id}","name":"{id}","value_hash":"{}","team_id":"t{team}","allow_all_providers":false,
            "provider_configs":[{{"provider":"openai","allowed_models":["gpt-4o","gpt-4o-mini"],"weight":1}}],
            "budget_ids":["b-{at}"],"rate_limit_id":"r-{at}"}}"#,
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
    let rate = |at: usize| format!(r#"{{"id":"r-{at}","request_max_limit":100,"request_reset_duration":"1m"}}"#);
    let budget = |at: usize| format!(r#"{{"id":"b-{at}","max_limit":100,"reset_duration":"1M"}}"#);
    let first = std::iter::once(entity(Kind::Provider, "openai", provider));
    let teams = (0..=keys / TEAM).map(|at| entity(Kind::Team, &format!("t{at}"), team(at)));
    let rates = (0..keys).map(|at| entity(Kind::RateLimit, &format!("r-{at}"), rate(at)));
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

/// What the process has of memory now (`VmRSS`), or had at most (`VmHWM`).
fn memory_mib(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// How long all cores together have worked for the process: what a busy machine does not change. The kernel counts in hundredths.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// Does something, and tells how long it took and what memory there is then.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (began, before) = (Instant::now(), worked());
    let done = work();
    let (took, cores) = (began.elapsed(), worked() - before);
    let (now, peak) = (memory_mib("VmRSS"), memory_mib("VmHWM"));
    println!("{what}: {took:.2?} ({cores:.2?} of all cores together); {now} MiB, at most {peak} MiB");
    done
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn removed(control: &Control, at: usize) -> Duration {
    let began = Instant::now();
    control.remove(Kind::VirtualKey, &format!("vk-{at:07}"), &BENCH).unwrap();
    began.elapsed()
}

fn main() {
    let keys = std::env::var("KEYS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
    timed(&format!("{keys} keys, each with a budget and a rate limit, made"), || fill(&registry, keys));
    drop(registry);
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let registry = Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap();
    let catalog = Arc::new(Catalog::default());
    let Kept { snapshot, position } = timed("loaded", || load(&registry, catalog, nothing).unwrap());
    assert_eq!(snapshot.key_count(), keys);
    let (state, now) = (State::default(), Now { wall_ms: 1, mono_ms: 1 });
    let (ledger, began) = timed("accounts", || Ledger::restored(&snapshot, &state, None, now));
    drop(began);
    let parts = Parts {
        registry,
        live: Arc::new(Live::new(snapshot)),
        ledger: Arc::new(ledger),
        health: Arc::new(RouteHealth::default()),
        books: Arc::new(Forgetful),
        clock: Clock::start(),
        env: nothing,
    };
    let control = Control::new(parts, position);
    let put = |at: usize, body: &str| {
        let began = Instant::now();
        control.update(Kind::VirtualKey, &format!("vk-{at:07}"), body, &BENCH).unwrap();
        began.elapsed()
    };
    let plain = (0..100).map(|at| put(at, r#"{"is_active": false}"#)).collect();
    println!("a PUT of a key, live when it returns: median {:.2?}", median(plain));
    let budget = r#"{"budgets": [{"max_limit": 7, "reset_duration": "1d"}]}"#;
    let limits = (100..200).map(|at| put(at, budget)).collect();
    println!("a PUT that replaces its budget: median {:.2?}", median(limits));
    let gone = (200..300).map(|at| removed(&control, at)).collect();
    println!("a DELETE: median {:.2?}; {} MiB", median(gone), memory_mib("VmRSS"));
}
