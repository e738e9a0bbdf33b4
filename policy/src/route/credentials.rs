//! The credentials of a target: which of them a caller may use, how they do, and the attempt that is made with one.

use std::sync::Arc;

use super::health::{Health, Reading, Route, State};
use super::{Attempt, Caller, OwnPrice, Target, Weight, candidates};
use crate::catalog::{Catalog, Model};
use crate::demand::Demand;
use crate::id::{CredentialName, ModelName, VirtualKeyId};
use crate::price::WorstCase;
use crate::price::overrides::{PriceOverrides, Priced};
use crate::provider::{Credential, Provider};
use crate::request::{Dialect, Operation};
use crate::settings::Compat;

/// What prices an attempt.
#[derive(Clone, Debug)]
pub(super) struct Pricing {
    pub(super) catalog: Arc<Catalog>,
    pub(super) overrides: Arc<PriceOverrides>,
    pub(super) key: Option<VirtualKeyId>,
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    pub(super) compat: Compat,
    pub(super) demand: Demand,
    /// The output limit of a model whose own is not known.
    pub(super) default_max_output: u64,
}

/// The credentials of a provider that a caller may use for a model, with their weights. One whose weight is `null` is used only by
/// a key that names it, and then after the others.
pub fn usable_credentials<'a>(
    provider: &'a Provider,
    model: &'a ModelName,
    caller: &'a Caller,
) -> impl Iterator<Item = (Weight, &'a Arc<Credential>)> {
    usable(provider, model, None, caller)
}

/// The same; a pinned credential is the only one.
pub(super) fn usable<'a>(
    provider: &'a Provider,
    model: &'a ModelName,
    pinned: Option<&'a CredentialName>,
    caller: &'a Caller,
) -> impl Iterator<Item = (Weight, &'a Arc<Credential>)> {
    let access = caller.access(provider);
    let needs_secret = !(provider.keyless || provider.is_self_hosted) && caller.own_credential.is_none();
    let usable = provider.enabled_credentials().filter(move |credential| {
        pinned.is_none_or(|name| *name == credential.name)
            && credential.is_for(model)
            && !(needs_secret && credential.secret.reveal().is_empty())
            && access.allows_credential(&credential.name)
            && access.allows_model(model, credential.resolve(model))
    });
    usable.filter_map(move |credential| {
        let is_named = || pinned.is_some() || access.names_credential(&credential.name);
        let named = || is_named().then_some(Weight::ZERO);
        Some((credential.weight.or_else(named)?, credential))
    })
}

/// How a credential does for a target.
pub(super) fn reading(health: &dyn Health, catalog: &Catalog, target: &Target, credential: &Credential) -> Reading {
    let Target { provider, model: asked, known, .. } = target;
    let model = credential.resolve(asked);
    let is_known = known.is_some() || credential.names(asked) || candidates::known(catalog, provider, model).is_some();
    health.reading(Route { provider, credential, model, is_known })
}

/// How a target does: as the best of its usable credentials. `None`: it has none.
pub(super) fn reading_of(health: &dyn Health, catalog: &Catalog, target: &Target, caller: &Caller) -> Option<Reading> {
    let credentials = usable(&target.provider, &target.model, target.pinned.as_ref(), caller);
    credentials.map(|(_, credential)| reading(health, catalog, target, credential)).reduce(together)
}

/// Makes the attempt of a target with one of its credentials.
pub(super) fn attempt(pricing: &Pricing, target: &Target, credential: &Arc<Credential>) -> Attempt {
    let Target { provider, model: asked, .. } = target;
    let model = credential.resolve(asked).clone();
    let of_alias = || candidates::known(&pricing.catalog, provider, &model);
    let known = (model != *asked).then(of_alias).flatten().or_else(|| target.known.clone());
    let is_known = known.is_some() || credential.names(asked);
    let own_price = own_price(pricing, target, credential, &model, known.as_deref());
    let served_as = provider.served_as(pricing.dialect, pricing.operation, known.as_deref(), pricing.compat);
    // A plan has targets only that serve what is asked.
    let served_as = served_as.unwrap_or(pricing.operation);
    let (provider, credential) = (Arc::clone(provider), Arc::clone(credential));
    let mut attempt = Attempt {
        provider,
        credential,
        model,
        served_as,
        known,
        is_known,
        own_price,
        worst_case: None,
        likely_tokens: 0,
    };
    attempt.worst_case = worst_case(pricing, &attempt);
    attempt.likely_tokens = likely_tokens(pricing, &attempt);
    attempt
}

/// No more output is expected than the default limit: a model's own is far beyond most answers, and so is what many clients write.
fn likely_tokens(pricing: &Pricing, attempt: &Attempt) -> u64 {
    let known = attempt.known.as_ref().and_then(|known| known.max_output).unwrap_or(u64::MAX);
    let demand = &pricing.demand;
    let most = demand
        .max_output
        .filter(|_| !demand.limit_is_open)
        .unwrap_or(u64::MAX)
        .min(known)
        .min(pricing.default_max_output);
    let output =
        if pricing.operation.has_output_limit() { most.saturating_mul(demand.choices.max(1).into()) } else { 0 };
    demand.input_estimate().saturating_add(output)
}

/// A limit that the client sets beyond what the model can do limits nothing, so the model's own counts: a call reserves no more
/// than it can cost.
fn worst_case(pricing: &Pricing, attempt: &Attempt) -> Option<WorstCase> {
    let known = attempt.known.as_deref();
    let context_window = known.and_then(|known| known.context_window);
    let known_output = known.and_then(|known| known.max_output);
    let most = known_output.map(|most| most.max(context_window.unwrap_or(0)));
    let demand = &pricing.demand;
    let written = demand.max_output.filter(|_| !demand.limit_is_open);
    let max_output = written.map(|written| written.min(most.unwrap_or(u64::MAX)));
    let tier_is_open = demand.tier_is_open || (has_class_of_its_own(attempt) && !demand.tier_is_named);
    let demand = Demand { max_output, tier_is_open, ..*demand };
    let worst =
        attempt.price()?.worst_case(&demand, context_window, known_output.unwrap_or(pricing.default_max_output));
    let is_assumed = demand.limit_is_assumed || (max_output.is_none() && known_output.is_none());
    Some(worst.assumed(is_assumed))
}

/// Whether an account at the vendor can have a price class for requests that name none: at OpenAI a project can
/// (<https://platform.openai.com/docs/guides/priority-processing>, 2026-11).
fn has_class_of_its_own(attempt: &Attempt) -> bool {
    attempt.provider.vendor == "openai"
}

/// The price of an attempt where an override applies: its rates, and those of the price list that it does not set.
fn own_price(
    pricing: &Pricing,
    target: &Target,
    credential: &Credential,
    model: &ModelName,
    known: Option<&Model>,
) -> Option<OwnPrice> {
    let found = pricing.overrides.find(&Priced {
        key: pricing.key.as_ref(),
        provider: &target.provider.name,
        credential: &credential.name,
        models: [Some(model.as_str()), Some(target.model.as_str()), known.map(|known| &*known.name)],
        operation: pricing.operation,
    })?;
    let listed = known.and_then(|known| known.price.clone()).unwrap_or_default();
    let price = listed.with(&found.rates);
    price.has_token_rates().then(|| OwnPrice { set_by: found.id.clone(), price })
}

/// How near a route is to being used, from 0: up, due for a probe, marked, down.
pub(super) fn rank(state: State) -> u8 {
    match state {
        State::Up => 0,
        State::Probe => 1,
        State::Marked { .. } => 2,
        State::Down { .. } => 3,
    }
}

/// Two ways to one target: the better one, or what both can do.
pub(super) fn together(one: Reading, other: Reading) -> Reading {
    match rank(one.state).cmp(&rank(other.state)) {
        std::cmp::Ordering::Less => one,
        std::cmp::Ordering::Greater => other,
        std::cmp::Ordering::Equal => Reading {
            state: sooner(one.state, other.state),
            share: one.share.max(other.share),
            in_flight: one.in_flight.saturating_add(other.in_flight),
            waiting: one.waiting.saturating_add(other.waiting),
            latency_us: faster(one.latency_us, other.latency_us),
            errors: one.errors.min(other.errors),
            headroom: one.headroom.max(other.headroom),
        },
    }
}

fn sooner(one: State, other: State) -> State {
    match (one, other) {
        (State::Down { until_ms: first }, State::Down { until_ms: second })
        | (State::Marked { until_ms: first, .. }, State::Marked { until_ms: second, .. })
            if second < first =>
        {
            other
        }
        _ => one,
    }
}

/// The smaller one that was measured.
fn faster(one: u64, other: u64) -> u64 {
    if one == 0 || (other != 0 && other < one) { other } else { one }
}
