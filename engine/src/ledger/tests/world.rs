//! Random worlds: budgets and rate limits hung at random on all that can have them, and attempts that touch them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::catalog::Model;
use policy::demand::Demand;
use policy::id::{CustomerId, ModelName, ProviderName, TeamId};
use policy::key::{KeyTokens, ProviderAccess, VirtualKey};
use policy::limit::{Algorithm, Budget, Limits, Mode, ModelLimits, Quota, RateLimit};
use policy::list::AllowList;
use policy::money::{NanoUsd, PicoUsd};
use policy::price::{ModelPrice, Rate, Unit};
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, TlsTrust};
use policy::request::{Dialect, Operation, OperationSet};
use policy::route::{Attempt, Caller, OwnPrice, Weight};
use policy::settings::Settings;
use policy::snapshot::{Change, Customer, Snapshot, Team};
use policy::usage::ServiceTier;
use policy::window::BudgetWindow;
use proptest::prelude::*;

pub(crate) const KEYS: usize = 3;
const TEAMS: usize = 2;
const CUSTOMERS: usize = 2;
pub(crate) const PROVIDERS: usize = 2;
pub(crate) const MODELS: usize = 2;
/// The most output of each model; more than the default of the first is never likely.
pub(crate) const MOST_OUTPUT: [u64; MODELS] = [2_000, 16_384];

/// What hangs on one entity: which of the budgets, and which rate limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hung {
    pub(crate) budgets: BTreeSet<usize>,
    pub(crate) rate: Option<usize>,
}

/// A virtual key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) hung: Hung,
    pub(crate) team: Option<usize>,
    pub(crate) customer: Option<usize>,
    /// By provider.
    pub(crate) configs: [Hung; PROVIDERS],
}

/// A team.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) hung: Hung,
    pub(crate) customer: Option<usize>,
}

/// Input and output, in pico-dollars a token.
pub(crate) type Prices = [[Option<(u64, u64)>; MODELS]; PROVIDERS];

/// Entities, and what hangs on them.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) budgets: Vec<Budget>,
    pub(crate) rates: Vec<RateLimit>,
    pub(crate) keys: [Key; KEYS],
    pub(crate) teams: [Group; TEAMS],
    pub(crate) customers: [Hung; CUSTOMERS],
    pub(crate) providers: [Hung; PROVIDERS],
    /// By provider (or none) and name.
    pub(crate) models: BTreeMap<(Option<usize>, String), Hung>,
    pub(crate) prices: Prices,
    pub(crate) refuse_unpriced: bool,
}

/// Where an attempt goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) provider: usize,
    pub(crate) model: usize,
    /// Whether the credential has a name of its own for the model.
    pub(crate) is_aliased: bool,
    /// Whether the price list has another name for it.
    pub(crate) is_listed: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) text_bytes: u64,
    pub(crate) max_output: Option<u64>,
    pub(crate) choices: u32,
}

impl Ask {
    pub(crate) fn demand(self) -> Demand {
        let Self { text_bytes, max_output, choices } = self;
        Demand { text_bytes, max_output, choices, ..Demand::default() }
    }
}

impl Goal {
    pub(crate) fn asked(self) -> ModelName {
        format!("m{}", self.model).into()
    }

    /// The names that the model has.
    pub(crate) fn names(self) -> Vec<String> {
        let (alias, listed) = (format!("d{}", self.model), format!("k{}", self.model));
        let all =
            [Some(format!("m{}", self.model)), self.is_aliased.then_some(alias), self.is_listed.then_some(listed)];
        all.into_iter().flatten().collect()
    }
}

impl World {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let settings = Settings { refuse_unpriced: self.refuse_unpriced, ..Settings::default() };
        let budgets = self.budgets.iter().map(|one| Change::PutBudget(Arc::new(one.clone())));
        let rates = self.rates.iter().map(|one| Change::PutRateLimit(Arc::new(one.clone())));
        let first = std::iter::once(Change::Settings(Arc::new(settings))).chain(budgets).chain(rates);
        let all = first.chain(self.holders());
        all.fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
    }

    fn holders(&self) -> impl Iterator<Item = Change> {
        let customers = self.customers.iter().enumerate().map(|(at, hung)| {
            let (id, name) = (customer_id(at), "customer".into());
            Change::PutCustomer(Arc::new(Customer { id, name, limits: self.limits(hung) }))
        });
        let teams = self.teams.iter().enumerate().map(|(at, team)| {
            let customer = team.customer.map(customer_id);
            let (id, name) = (team_id(at), "team".into());
            Change::PutTeam(Arc::new(Team { id, name, customer, limits: self.limits(&team.hung) }))
        });
        let keys = (0..KEYS).map(|at| Change::PutVirtualKey(Arc::new(self.key(at))));
        let of_providers = self.providers.iter().enumerate();
        let providers = of_providers.map(|(at, hung)| Change::LimitProvider(provider_name(at), self.limits(hung)));
        let models = self.models.iter().map(|((provider, model), hung)| {
            let (provider, model) = (provider.map(provider_name), model.as_str().into());
            Change::LimitModel(ModelLimits { provider, model, limits: self.limits(hung) })
        });
        customers.chain(teams).chain(keys).chain(providers).chain(models)
    }

    fn limits(&self, hung: &Hung) -> Limits {
        Limits {
            budgets: hung.budgets.iter().map(|at| self.budgets[*at].id.clone()).collect(),
            rate_limit: hung.rate.map(|at| self.rates[at].id.clone()),
        }
    }

    fn key(&self, at: usize) -> VirtualKey {
        let key = &self.keys[at];
        let access = |(provider, hung): (usize, &Hung)| ProviderAccess {
            id: None,
            provider: provider_name(provider),
            models: AllowList::All,
            denied_models: AllowList::nothing(),
            credentials: AllowList::All,
            weight: Some(Weight::ONE),
            limits: self.limits(hung),
        };
        VirtualKey {
            id: format!("vk{at}").into(),
            name: format!("vk{at}").into(),
            tokens: KeyTokens::new(),
            is_active: true,
            expires_at_ms: None,
            team: key.team.map(team_id),
            customer: key.customer.map(customer_id),
            providers: key.configs.iter().enumerate().map(access).collect(),
            unlisted_providers: false,
            operations: OperationSet::ALL,
            balance: None,
            keeps_content: None,
            limits: self.limits(&key.hung),
        }
    }

    pub(crate) fn caller(&self, snapshot: &Snapshot, key: Option<usize>) -> Caller {
        let key = key.map(|at| snapshot.key(&format!("vk{at}")).cloned().unwrap());
        Caller { key, own_credential: None }
    }

    pub(crate) fn price(&self, goal: Goal) -> Option<ModelPrice> {
        let (input, output) = self.prices[goal.provider][goal.model]?;
        let rate = |unit, price| Rate { unit, tier: ServiceTier::Standard, above_tokens: 0, price: PicoUsd(price) };
        Some(ModelPrice::new(vec![rate(Unit::Input, input), rate(Unit::Output, output)]))
    }

    pub(crate) fn attempt(&self, goal: Goal, ask: Ask) -> Attempt {
        let Goal { model, is_aliased, is_listed, .. } = goal;
        let (demand, price) = (ask.demand(), self.price(goal));
        let known = Model { name: format!("k{model}").into(), ..Model::default() };
        let likely_output = demand.output_bound(MOST_OUTPUT[model].min(Settings::default().default_max_output_tokens));
        Attempt {
            provider: Arc::new(provider(goal.provider)),
            credential: Arc::new(Credential::none()),
            model: if is_aliased { format!("d{model}").into() } else { goal.asked() },
            served_as: Operation::ChatCompletion,
            known: is_listed.then(|| Arc::new(known)),
            is_known: true,
            worst_case: price.as_ref().map(|price| price.worst_case(&demand, None, MOST_OUTPUT[model])),
            own_price: price.map(|price| OwnPrice { set_by: "own".into(), price }),
            likely_tokens: demand.input_estimate() + likely_output,
        }
    }
}

fn team_id(at: usize) -> TeamId {
    format!("t{at}").into()
}

fn customer_id(at: usize) -> CustomerId {
    format!("c{at}").into()
}

fn provider_name(at: usize) -> ProviderName {
    format!("p{at}").into()
}

fn provider(at: usize) -> Provider {
    Provider {
        name: provider_name(at),
        vendor: "openai",
        is_custom: true,
        order: 0,
        dialect: Dialect::OpenAi,
        operations: OperationSet::ALL,
        endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1, prefix: "".into() },
        credentials: Vec::new(),
        keyless: false,
        is_self_hosted: false,
        extra_headers: Vec::new(),
        deadlines: Deadlines::default(),
        retries: Retries::default(),
        tls: TlsTrust::default(),
    }
}

pub(crate) fn budget_window() -> impl Strategy<Value = BudgetWindow> {
    let every = prop::sample::select(vec!["30s", "1m", "1h", "6h", "1d", "1w", "1M"]);
    (every, any::<bool>()).prop_map(|(every, calendar_aligned)| BudgetWindow {
        calendar_aligned,
        ..BudgetWindow::tiled(every.parse().unwrap())
    })
}

pub(crate) fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![3 => Just(Mode::Hard), 1 => Just(Mode::Soft)]
}

pub(crate) fn limit() -> impl Strategy<Value = NanoUsd> {
    prop_oneof![1 => Just(0), 2 => 1_u64..5_000, 6 => 5_000_u64..200_000, 3 => 200_000_u64..3_000_000].prop_map(NanoUsd)
}

fn budgets() -> impl Strategy<Value = Vec<Budget>> {
    let numbered = |all: Vec<(NanoUsd, BudgetWindow, Mode)>| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(at, (limit, window, mode))| Budget { id: format!("b{at}").into(), limit, window, mode })
            .collect()
    };
    prop::collection::vec((limit(), budget_window(), mode()), 1..=5).prop_map(numbered)
}

pub(crate) fn quota(most: std::ops::Range<u64>) -> impl Strategy<Value = Option<Quota>> {
    // Windows of whole slices: what is left of a slice that is not whole is the counter's own business.
    let window = prop::sample::select(vec!["30s", "1m", "5m", "1h", "1d", "1M"]);
    let quota = (most, window).prop_map(|(most, window)| Quota { most, window: window.parse().unwrap() });
    prop::option::weighted(0.7, quota)
}

pub(crate) fn rate_limit() -> impl Strategy<Value = RateLimit> {
    let concurrent = prop::option::weighted(0.4, 1_u32..5);
    let algorithm = prop_oneof![3 => Just(Algorithm::Rolling), 1 => Just(Algorithm::Fixed)];
    (quota(1..12), quota(1..40_000), concurrent, algorithm).prop_map(|(requests, tokens, concurrent, algorithm)| {
        RateLimit { id: "".into(), requests, tokens, concurrent, algorithm }
    })
}

fn rates() -> impl Strategy<Value = Vec<RateLimit>> {
    prop::collection::vec(rate_limit(), 0..=4).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered.map(|(at, limit)| RateLimit { id: format!("r{at}").into(), ..limit }).collect()
    })
}

fn hung(budgets: usize, rates: usize) -> BoxedStrategy<Hung> {
    let several = prop_oneof![
        4 => Just(BTreeSet::new()),
        4 => (0..budgets).prop_map(|at| BTreeSet::from([at])),
        1 => prop::collection::btree_set(0..budgets, 1..=budgets),
    ];
    let rate = if rates == 0 { Just(None).boxed() } else { prop::option::weighted(0.4, 0..rates).boxed() };
    (several, rate).prop_map(|(budgets, rate)| Hung { budgets, rate }).boxed()
}

fn keys(hung: &BoxedStrategy<Hung>) -> impl Strategy<Value = [Key; KEYS]> + use<> {
    let (team, customer) = (prop::option::of(0..TEAMS), prop::option::of(0..CUSTOMERS));
    let configs = prop::array::uniform2(hung.clone());
    let key = (hung.clone(), team, customer, configs).prop_map(|(hung, team, customer, configs)| Key {
        hung,
        team,
        customer: customer.filter(|_| team.is_none()),
        configs,
    });
    prop::array::uniform3(key)
}

fn models(hung: &BoxedStrategy<Hung>) -> impl Strategy<Value = BTreeMap<(Option<usize>, String), Hung>> + use<> {
    let name = prop::sample::select(vec!["m0", "m1", "d0", "d1", "k0", "k1"]).prop_map(str::to_owned);
    prop::collection::btree_map((prop::option::of(0..PROVIDERS), name), hung.clone(), 0..4)
}

fn prices() -> impl Strategy<Value = Prices> {
    let price = prop::option::weighted(0.9, (0_u64..5_000, 0_u64..30_000));
    prop::array::uniform2(prop::array::uniform2(price))
}

/// Any world.
pub(crate) fn world() -> impl Strategy<Value = World> {
    (budgets(), rates()).prop_flat_map(|(budgets, rates)| {
        let hung = hung(budgets.len(), rates.len());
        let group =
            (hung.clone(), prop::option::of(0..CUSTOMERS)).prop_map(|(hung, customer)| Group { hung, customer });
        let teams = prop::array::uniform2(group);
        let (customers, providers) = (prop::array::uniform2(hung.clone()), prop::array::uniform2(hung.clone()));
        let refuse_unpriced = prop::bool::weighted(0.7);
        (keys(&hung), teams, customers, providers, models(&hung), prices(), refuse_unpriced).prop_map(
            move |(keys, teams, customers, providers, models, prices, refuse_unpriced)| World {
                budgets: budgets.clone(),
                rates: rates.clone(),
                keys,
                teams,
                customers,
                providers,
                models,
                prices,
                refuse_unpriced,
            },
        )
    })
}

/// Where an attempt may go.
pub(crate) fn goal() -> impl Strategy<Value = Goal> {
    (0..PROVIDERS, 0..MODELS, any::<bool>(), any::<bool>()).prop_map(|(provider, model, is_aliased, is_listed)| Goal {
        provider,
        model,
        is_aliased,
        is_listed,
    })
}

/// What a call may ask for.
pub(crate) fn ask() -> impl Strategy<Value = Ask> {
    (0_u64..4_000, prop::option::of(1_u64..4_000), 0_u32..3).prop_map(|(text_bytes, max_output, choices)| Ask {
        text_bytes,
        max_output,
        choices,
    })
}
