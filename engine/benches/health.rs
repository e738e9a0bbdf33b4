//! What watching routes and choosing among them costs, without contention.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use engine::dice::ThreadDice;
use engine::health::RouteHealth;
use policy::id::ModelName;
use policy::list::AllowList;
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, OperationSet};
use policy::route::Weight;
use policy::route::balance::{Balance, Candidate, Choice, Stick, pick};
use policy::route::health::{Health, Reading, Route};

fn provider() -> Provider {
    Provider {
        name: "openai".into(),
        vendor: "openai",
        is_custom: false,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: true, host: "api.openai.com".into(), port: 443, prefix: "".into() },
        credentials: Vec::new(),
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    }
}

fn credential() -> Credential {
    Credential {
        name: "production".into(),
        secret: Secret::new("sk-proj-0123456789"),
        models: AllowList::All,
        denied_models: AllowList::nothing(),
        weight: Some(Weight::ONE),
        aliases: BTreeMap::new(),
        is_enabled: true,
        endpoint: None,
    }
}

fn watching(bench: &mut Criterion) {
    let (provider, credential, model) = (provider(), credential(), ModelName::from("gpt-4o-mini"));
    let route = Route { provider: &provider, credential: &credential, model: &model, is_known: true };
    let health = RouteHealth::default();
    drop(health.begin(route, 0));
    let mut now_us = 0;
    bench.bench_function("reading", |timer| {
        timer.iter(|| {
            now_us += 10;
            black_box(health.at(now_us).reading(black_box(route)))
        });
    });
    bench.bench_function("begin, first content, succeeded", |timer| {
        timer.iter(|| {
            now_us += 10;
            if let Some(mut flight) = health.begin(black_box(route), now_us) {
                flight.first_content(now_us + 5);
                flight.succeeded(now_us + 9);
            }
        });
    });
}

fn choosing(bench: &mut Criterion) {
    let doing = |number: u32| {
        let latency_us = 100_000 + 1_000 * u64::from(number);
        let reading = Reading { in_flight: number, waiting: number, latency_us, ..Reading::WELL };
        Candidate { weight: Weight::ONE, reading, is_usable: true }
    };
    let four = [1, 2, 3, 4].map(doing);
    let choices = [
        ("weighted, of four", Choice { balance: Balance::Weighted, stick_to: None }),
        ("adaptive, of four", Choice { balance: Balance::Adaptive, stick_to: None }),
        ("session, of four", Choice { balance: Balance::Weighted, stick_to: Some(Stick::Session(7)) }),
    ];
    for (name, choice) in choices {
        bench.bench_function(name, |timer| timer.iter(|| pick(black_box(&four), choice, &mut ThreadDice)));
    }
}

criterion_group!(benches, watching, choosing);
criterion_main!(benches);
