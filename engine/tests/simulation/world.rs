//! Simulated upstreams and time: events in order, and dice with a seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use engine::health::RouteHealth;
use policy::id::ModelName;
use policy::list::AllowList;
use policy::provider::{Credential, Deadlines, Endpoint, Provider, Retries, Secret, TlsTrust};
use policy::request::{Dialect, OperationSet};
use policy::route::balance::{Candidate, Choice, pick};
use policy::route::health::{Health, Route, State};
use policy::route::{Dice, Weight};

pub(crate) const MS: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// Dice that fall the same way each time.
pub(crate) struct Seeded(fastrand::Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Exponentially distributed, so that arrivals are a Poisson process.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "simulated times"
    )]
    pub(crate) fn exponential(&mut self, mean_us: u64) -> u64 {
        (-(1.0 - self.0.f64()).ln() * mean_us as f64) as u64
    }
}

impl Dice for Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.u64(0..bound) }
    }
}

fn provider(name: &str) -> Provider {
    Provider {
        name: name.into(),
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

/// Where a call may go.
pub(crate) struct Upstream {
    provider: Provider,
    credential: Credential,
    model: ModelName,
    weight: Weight,
}

impl Upstream {
    pub(crate) fn new(name: &str, weight: &str) -> Self {
        let credential = Credential {
            name: "main".into(),
            secret: Secret::new("sk"),
            models: AllowList::All,
            denied_models: AllowList::nothing(),
            weight: Some(Weight::ONE),
            aliases: BTreeMap::new(),
            is_enabled: true,
            endpoint: None,
        };
        Self {
            provider: provider(name),
            credential,
            model: "gpt-4o".into(),
            weight: Weight::from_text(weight).unwrap(),
        }
    }

    pub(crate) fn route(&self) -> Route<'_> {
        Route { provider: &self.provider, credential: &self.credential, model: &self.model, is_known: true }
    }
}

/// The upstreams that a call tries, in order.
pub(crate) fn order(
    upstreams: &[Upstream],
    health: &RouteHealth,
    choice: Choice,
    dice: &mut Seeded,
    now_us: u64,
) -> Vec<usize> {
    let candidate = |upstream: &Upstream| {
        let reading = health.at(now_us).reading(upstream.route());
        let is_usable = !matches!(reading.state, State::Down { .. });
        Candidate { weight: upstream.weight, reading, is_usable }
    };
    let mut candidates: Vec<_> = upstreams.iter().map(candidate).collect();
    let mut order = Vec::new();
    while let Some(picked) = pick(&candidates, choice, dice) {
        candidates[picked].is_usable = false;
        order.push(picked);
    }
    order
}

/// What is to happen, earliest first; of what happens at the same time, what was put in first.
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Option<E>>,
}

impl<E> Agenda<E> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new() }
    }

    pub(crate) fn put(&mut self, at_us: u64, event: E) {
        self.heap.push(Reverse((at_us, self.events.len())));
        self.events.push(Some(event));
    }

    pub(crate) fn next(&mut self) -> Option<(u64, E)> {
        let Reverse((at_us, number)) = self.heap.pop()?;
        Some((at_us, self.events[number].take().unwrap()))
    }
}
