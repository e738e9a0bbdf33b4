//! What the gate costs: from the token to the plan, for a key among many.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use policy::admit::{Presented, admit, enter};
use policy::catalog::Catalog;
use policy::decision::Decision;
use policy::demand::Demand;
use policy::key::{KeyTokens, ProviderAccess, TokenHash, VirtualKey};
use policy::list::AllowList;
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, Operation, OperationSet, Request};
use policy::route::health::AllWell;
use policy::route::{Circumstances, Dice, Walk, Weight};
use policy::snapshot::{Change, Snapshot};
use policy::window::Now;

struct First;

impl Dice for First {
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

fn provider(name: &str, order: u32) -> Change {
    let credential = Credential {
        name: "main".into(),
        secret: Secret::new("secret"),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        weight: Some(Weight::ONE),
        aliases: std::collections::BTreeMap::new(),
        is_enabled: true,
        endpoint: None,
    };
    Change::PutProvider(Arc::new(Provider {
        name: name.into(),
        vendor: "openai",
        is_custom: name != "openai",
        order,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: vec![Arc::new(credential)],
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    }))
}

fn key(number: usize) -> Change {
    let access = |provider: &str| ProviderAccess {
        id: None,
        provider: provider.into(),
        models: AllowList::only(["gpt-4o", "gpt-4o-mini"]),
        denied_models: AllowList::nothing(),
        credentials: AllowList::All,
        weight: Some(Weight::ONE),
        limits: policy::limit::Limits::default(),
    };
    Change::PutVirtualKey(Arc::new(VirtualKey {
        id: format!("vk-{number}").into(),
        name: format!("key {number}").into(),
        tokens: KeyTokens::from_buf([TokenHash::of(&format!("sk-bf-{number}"))]),
        is_active: true,
        expires_at_ms: None,
        team: None,
        customer: None,
        providers: vec![access("openai"), access("second")],
        unlisted_providers: false,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: policy::limit::Limits::default(),
    }))
}

fn world(keys: usize) -> Snapshot {
    let mut catalog = Catalog::default();
    catalog.extend_from_json(include_str!("../../conf/model-prices.json")).expect("the shipped list is readable");
    let changes = [Change::Catalog(Arc::new(catalog)), provider("openai", 0), provider("second", 1)];
    let changes = changes.into_iter().chain((0..keys).map(key));
    changes.fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).expect("nothing contradicts"))
}

fn admission(criterion: &mut Criterion) {
    for keys in [10, 100_000] {
        let snapshot = world(keys);
        let token = format!("sk-bf-{}", keys / 2);
        let presented = Presented { explicit: None, general: [Some(token.as_str()), None, None, None, None] };
        let now = Now::default();
        criterion.bench_function(&format!("enter, one of {keys} keys"), |bencher| {
            bencher.iter(|| enter(&snapshot, black_box(&presented), Operation::ChatCompletion, now));
        });
        let demand = Demand { text_bytes: 1_000, max_output: Some(500), choices: 1, ..Demand::default() };
        let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o") };
        let caller = enter(&snapshot, &presented, Operation::ChatCompletion, now).expect("the key is known");
        let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
        criterion.bench_function(&format!("plan over two providers, {keys} keys"), |bencher| {
            bencher.iter_batched(
                || caller.clone(),
                |caller| match admit(&snapshot, caller, black_box(&request), &mut now) {
                    Decision::Admit(plan) => Walk::begin(plan, &mut now).plan().targets.len(),
                    Decision::Refuse(refusal) => refusal.message.len(),
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, admission);
criterion_main!(benches);
