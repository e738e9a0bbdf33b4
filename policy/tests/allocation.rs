//! The accepted path of the gate does not allocate, and a first attempt pays nothing for those that are not made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use policy::admit::{Presented, enter};
use policy::id::{CredentialName, ProviderName, VirtualKeyId};
use policy::key::{KeyTokens, TokenHash, VirtualKey};
use policy::limit::{Algorithm, Budget, Limits, Mode, ModelLimits, Quota, RateLimit};
use policy::list::AllowList;
use policy::money::NanoUsd;
use policy::price::overrides::{ModelPattern, PriceOverride, PriceOverrides, PriceScope, Priced};
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, TlsTrust};
use policy::request::{Dialect, Operation, OperationSet, Request};
use policy::route::health::AllWell;
use policy::route::{Caller, Circumstances, Dice, Walk, plan};
use policy::snapshot::{Change, Snapshot};
use policy::window::{BudgetWindow, Now};

fn world() -> Snapshot {
    let key = VirtualKey {
        id: "vk".into(),
        name: "vk".into(),
        tokens: KeyTokens::from_buf([TokenHash::of("sk-bf-known")]),
        is_active: true,
        expires_at_ms: Some(u64::MAX),
        team: None,
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: policy::limit::Limits::default(),
    };
    Snapshot::default().apply(Change::PutVirtualKey(Arc::new(key))).unwrap()
}

#[test]
fn a_known_key_enters_without_an_allocation() {
    let world = world();
    for token in [Some("sk-bf-known"), None] {
        let presented = Presented { explicit: token, general: [Some("sk-bf-known"), None, None, Some("other"), None] };
        let measured = allocation_counter::measure(|| {
            let caller = enter(&world, &presented, Operation::ChatCompletion, Now::default());
            assert!(caller.is_ok_and(|caller| caller.key.is_some()));
        });
        assert_eq!(measured.count_total, 0);
    }
}

#[test]
fn a_refusal_does_allocate_so_the_measure_is_alive() {
    let world = world();
    let presented = Presented { explicit: Some("unknown"), ..Presented::default() };
    let measured = allocation_counter::measure(|| {
        assert!(enter(&world, &presented, Operation::ChatCompletion, Now::default()).is_err());
    });
    assert!(measured.count_total > 0);
}

struct First;

impl Dice for First {
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// So many providers, each with three credentials, that all serve `m`.
fn serving(providers: u32) -> Snapshot {
    let names = ["a", "b", "c"];
    let credential = |name: &str| Credential {
        name: name.into(),
        models: AllowList::only(["m"]),
        secret: policy::provider::Secret::new(name),
        ..Credential::none()
    };
    let provider = |order: u32| Provider {
        name: format!("p{order}").into(),
        vendor: "openai",
        is_custom: true,
        order,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: true, host: "localhost".into(), port: 1, prefix: "".into() },
        credentials: names.map(|name| Arc::new(credential(name))).into(),
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    };
    let changes = (0..providers).map(|order| Change::PutProvider(Arc::new(provider(order))));
    changes.fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

#[test]
fn a_first_attempt_allocates_nothing_for_those_that_are_not_made() {
    let allocations = |providers: u32| {
        let world = serving(providers);
        let measured = allocation_counter::measure(|| {
            let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
            let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, "m");
            let walk = Walk::begin(plan(&world, Caller::default(), &request, &mut now).unwrap(), &mut now);
            assert_eq!(walk.plan().targets.len(), providers as usize);
            assert!(walk.attempt().is_some());
        });
        measured.count_total
    };
    let alone = allocations(1);
    assert!(alone <= 3, "the model's name, as it was asked for: {alone}");
    assert_eq!([allocations(2), allocations(3), allocations(4)], [alone; 3]);
}

/// The same, with a budget and a rate limit on each provider and on the model.
fn limited(world: Snapshot, providers: u32) -> Snapshot {
    let window = BudgetWindow::tiled("1M".parse().unwrap());
    let quota = Some(Quota { most: 10, window: window.every });
    let budget = Budget { id: "b".into(), limit: NanoUsd(1), window, mode: Mode::Hard };
    let (requests, tokens, algorithm) = (quota, quota, Algorithm::Rolling);
    let rate_limit = RateLimit { id: "r".into(), requests, tokens, concurrent: Some(1), algorithm };
    let both = || Limits { budgets: ["b".into()].into_iter().collect(), rate_limit: Some("r".into()) };
    let of_model = ModelLimits { provider: None, model: "m".into(), limits: both() };
    let first =
        [Change::PutBudget(Arc::new(budget)), Change::PutRateLimit(Arc::new(rate_limit)), Change::LimitModel(of_model)];
    let each = (0..providers).map(|order| Change::LimitProvider(format!("p{order}").into(), both()));
    first.into_iter().chain(each).fold(world, |world, change| world.apply(change).unwrap())
}

#[test]
fn limits_that_are_not_used_up_are_looked_at_without_an_allocation() {
    let allocations = |world: &Snapshot| {
        let measured = allocation_counter::measure(|| {
            let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut First, seen: &mut () };
            let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, "m");
            assert_eq!(plan(world, Caller::default(), &request, &mut now).unwrap().targets.len(), 4);
        });
        measured.count_total
    };
    assert_eq!(allocations(&limited(serving(4), 4)), allocations(&serving(4)));
}

#[test]
fn looking_for_an_override_of_prices_allocates_nothing_with_and_without_any() {
    let mut overrides = PriceOverrides::default();
    let (key, provider, credential) =
        (VirtualKeyId::from("vk"), ProviderName::from("openai"), CredentialName::from("main"));
    let attempt = Priced {
        key: Some(&key),
        provider: &provider,
        credential: &credential,
        models: [Some("gpt-4o"), Some("fast"), None],
        operation: Operation::ChatCompletion,
    };
    for pattern in [None, Some("other"), Some("gpt-4o")] {
        if let Some(model) = pattern {
            let new = PriceOverride {
                id: model.into(),
                name: model.into(),
                scope: PriceScope::Global,
                pattern: ModelPattern::Exact(model.into()),
                operations: OperationSet::ALL,
                order: 0,
                rates: Vec::new(),
            };
            overrides.put(Arc::new(new)).unwrap();
        }
        let measured = allocation_counter::measure(|| {
            assert_eq!(overrides.find(&attempt).is_some(), pattern == Some("gpt-4o"));
        });
        assert_eq!(measured.count_total, 0, "{pattern:?}");
    }
}
