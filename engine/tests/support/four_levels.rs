//! Many keys, each limited on four levels: itself, its team, its customer, and the provider. Each level has a budget and a rate
//! limit, of requests, tokens and calls in flight.

use std::sync::Arc;

use engine::ledger;
use policy::admit::{Presented, admit, enter};
use policy::catalog::Catalog;
use policy::decision::Decision;
use policy::demand::Demand;
use policy::key::{KeyTokens, TokenHash, VirtualKey};
use policy::limit::{Accounts, Algorithm, Budget, Limits, Mode, Quota, RateLimit};
use policy::list::AllowList;
use policy::money::NanoUsd;
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, Operation, OperationSet, Request};
use policy::route::health::AllWell;
use policy::route::{Circumstances, Dice, Walk};
use policy::snapshot::{Change, Customer, Snapshot, Team};
use policy::usage::{Metered, Usage, UsageSource};
use policy::window::{BudgetWindow, Now};

pub(crate) const NOW: Now = Now { wall_ms: 1_790_000_000_000, mono_ms: 1_790_000_000_000 };
const PRICES: &str = r#"{"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 128000,
    "max_output_tokens": 16384, "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}}"#;

/// Twenty keys share a team, and twenty teams a customer.
pub(crate) const KEYS_OF_A_CUSTOMER: usize = 400;

struct First;

impl Dice for First {
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// So many keys.
pub(crate) fn snapshot(keys: usize) -> Snapshot {
    let teams = keys.div_ceil(20);
    let of_provider = limited("p0").into_iter().chain([Change::LimitProvider("openai".into(), limits("p0"))]);
    let customers = (0..keys.div_ceil(KEYS_OF_A_CUSTOMER)).flat_map(|at| {
        let id = format!("c{at}");
        let put = Customer { id: id.as_str().into(), name: id.as_str().into(), limits: limits(&id) };
        limited(&id).into_iter().chain([Change::PutCustomer(Arc::new(put))])
    });
    let teams = (0..teams).flat_map(|at| {
        let (id, customer) = (format!("t{at}"), Some(format!("c{}", at / 20).into()));
        let put = Team { id: id.as_str().into(), name: id.as_str().into(), customer, limits: limits(&id) };
        limited(&id).into_iter().chain([Change::PutTeam(Arc::new(put))])
    });
    let keys = (0..keys).flat_map(|at| {
        let put = Change::PutVirtualKey(Arc::new(key(at)));
        limited(&format!("k{at}")).into_iter().chain([put])
    });
    with_provider(of_provider.chain(customers).chain(teams).chain(keys))
}

/// One key without limits, and a provider with a budget.
#[allow(dead_code, reason = "not all who use this ask for it")]
pub(crate) fn one_budget() -> Snapshot {
    let [budget, _] = limited("p0");
    let limits = Limits { budgets: ["p0-budget".into()].into_iter().collect(), rate_limit: None };
    let key = VirtualKey { team: None, limits: Limits::default(), ..key(0) };
    let rest = [budget, Change::LimitProvider("openai".into(), limits), Change::PutVirtualKey(Arc::new(key))];
    with_provider(rest.into_iter())
}

/// A provider, and what else there is.
fn with_provider(rest: impl Iterator<Item = Change>) -> Snapshot {
    let mut catalog = Catalog::default();
    catalog.extend_from_json(PRICES).unwrap();
    let first = [Change::Catalog(Arc::new(catalog)), Change::PutProvider(Arc::new(provider()))];
    first.into_iter().chain(rest).fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn limits(of: &str) -> Limits {
    Limits {
        budgets: [format!("{of}-budget").into()].into_iter().collect(),
        rate_limit: Some(format!("{of}-rate").into()),
    }
}

/// A budget and a rate limit that are never reached.
fn limited(of: &str) -> [Change; 2] {
    let (limit, mode) = (NanoUsd(u64::MAX / 2), Mode::Hard);
    let window = BudgetWindow::tiled("1M".parse().unwrap());
    let budget = Budget { id: format!("{of}-budget").into(), limit, window, mode };
    let quota = Some(Quota { most: u64::MAX / 2, window: "1m".parse().unwrap() });
    let rate = RateLimit {
        id: format!("{of}-rate").into(),
        requests: quota,
        tokens: quota,
        concurrent: Some(u32::MAX),
        algorithm: Algorithm::Rolling,
    };
    [Change::PutBudget(Arc::new(budget)), Change::PutRateLimit(Arc::new(rate))]
}

pub(crate) fn token(at: usize) -> String {
    format!("sk-bf-{at}")
}

fn key(at: usize) -> VirtualKey {
    VirtualKey {
        id: format!("k{at}").into(),
        name: format!("key {at}").into(),
        tokens: KeyTokens::from_buf([TokenHash::of(&token(at))]),
        is_active: true,
        expires_at_ms: None,
        team: Some(format!("t{}", at / 20).into()),
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        keeps_content: None,
        limits: limits(&format!("k{at}")),
    }
}

fn provider() -> Provider {
    let credential = Credential { name: "main".into(), secret: Secret::new("secret"), ..Credential::none() };
    Provider {
        name: "openai".into(),
        vendor: "openai",
        is_custom: false,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: true, host: "localhost".into(), port: 1, prefix: "".into() },
        credentials: vec![Arc::new(Credential { models: AllowList::only(["gpt-4o"]), ..credential })],
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    }
}

/// From a token to the first attempt of a call.
pub(crate) fn walk(snapshot: &Snapshot, token: &str, accounts: &dyn Accounts) -> Walk {
    let presented = Presented { general: [Some(token), None, None, None, None], ..Presented::default() };
    let caller = enter(snapshot, &presented, Operation::ChatCompletion, NOW).unwrap();
    let demand = Demand { text_bytes: 1_000, max_output: Some(500), choices: 1, ..Demand::default() };
    let request = Request { demand, ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o") };
    let mut now = Circumstances { health: &AllWell, accounts, dice: &mut First, seen: &mut () };
    match admit(snapshot, caller, &request, &mut now) {
        Decision::Admit(plan) => Walk::begin(plan, &mut now),
        Decision::Refuse(refusal) => panic!("{refusal}"),
    }
}

/// What is reserved for the attempt that a call is at.
pub(crate) fn wanted<'a>(snapshot: &'a Snapshot, walk: &'a Walk) -> ledger::Request<'a> {
    ledger::Request {
        snapshot,
        caller: &walk.plan().caller,
        asked: &walk.target().unwrap().model,
        attempt: walk.attempt().unwrap(),
        more_input: 0,
        may_clamp: false,
        is_admitted: false,
        now: NOW,
    }
}

/// What an answer used.
pub(crate) fn used() -> Metered {
    let usage = Usage { input: 300, output: 200, ..Usage::default() };
    Metered { usage, source: UsageSource::Reported }
}
