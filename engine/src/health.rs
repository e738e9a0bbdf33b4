//! How routes do, as calls find out: circuits, marks, latency, errors, retries. Shared by all requests, and outside the
//! snapshot, so that it survives every swap. Time is an argument: microseconds of the process's monotonic clock.

mod budget;
mod circuit;
mod fade;
mod flight;
mod mark;
mod pace;
mod table;
mod watched;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use policy::id::{CredentialName, ModelName, ProviderName};
use policy::provider::Provider;
use policy::route::health::{Health, Reading, Route};

use self::budget::RetryBudget;
use self::table::Table;
use self::watched::{WatchedCredential, WatchedRoute};

pub use self::flight::Flight;

/// More routes than this are not watched: names come from the configuration and the price list, so it takes a great many.
const MAX_ROUTES: usize = 65_536;

/// A credential's models that are neither configured nor in the price list share so many entries.
const GROUPS_OF_UNKNOWN: u64 = 64;

/// What of a credential is watched together.
#[derive(Hash)]
enum Watch<'a> {
    Model(&'a ModelName),
    Group(u64),
}

/// How all routes do.
///
/// An entry is found by a keyed hash of its names alone. Two routes that share one would share their health: with 65,536
/// routes the odds are below one in a thousand million, and nobody outside knows the key.
#[derive(Debug)]
pub struct RouteHealth {
    hasher: RandomState,
    routes: Table<WatchedRoute>,
    credentials: Table<WatchedCredential>,
    budgets: Table<RetryBudget>,
}

impl Default for RouteHealth {
    fn default() -> Self {
        Self::with_room_for(MAX_ROUTES)
    }
}

impl RouteHealth {
    /// Nothing is known yet, and no more than so many routes will be.
    #[must_use]
    pub fn with_room_for(routes: usize) -> Self {
        let hasher = RandomState::new();
        Self {
            hasher,
            routes: Table::with_room_for(routes),
            credentials: Table::with_room_for(routes),
            budgets: Table::with_room_for(routes),
        }
    }

    /// How routes do at one moment.
    #[must_use]
    pub const fn at(&self, now_us: u64) -> View<'_> {
        View { health: self, now_us }
    }

    /// A call begins on a route. `None` when its circuit is open, or is being tried by another call.
    #[must_use]
    pub fn begin(&self, route: Route<'_>, now_us: u64) -> Option<Flight> {
        Flight::begin(self.watched(route), route, now_us)
    }

    /// Counts a first attempt at a provider, as opposed to one more after a pause: first attempts pay for retries.
    pub fn count_first(&self, provider: &Provider) {
        self.budget(provider).earn();
    }

    /// Takes one of the retries that a provider's first attempts paid for; `false` where there is none.
    #[must_use]
    pub fn take_retry(&self, provider: &Provider) -> bool {
        self.budget(provider).take()
    }

    /// All routes that calls were made on, in no particular order. Marks count whether or not the secret that they were
    /// made for has been changed since: who merely looks on does not know the present one.
    #[must_use]
    pub fn routes(&self, now_us: u64) -> Vec<RouteReport> {
        let report = |route: &Arc<WatchedRoute>| RouteReport {
            provider: route.credential().provider().clone(),
            credential: route.credential().name().clone(),
            model: route.model().cloned(),
            reading: route.reading(None, now_us),
        };
        self.routes.all().iter().map(report).collect()
    }

    /// Forgets routes that the configuration no longer has; those with calls under way stay until the next time.
    pub fn retain(&self, is_configured: impl Fn(&ProviderName, &CredentialName) -> bool) {
        let is_kept = |credential: &WatchedCredential| is_configured(credential.provider(), credential.name());
        self.routes.retain(|is_shared, route| is_shared || is_kept(route.credential()));
        self.credentials.retain(|is_shared, credential| is_shared || is_kept(credential));
    }

    fn watched(&self, route: Route<'_>) -> Arc<WatchedRoute> {
        let hash = self.route_hash(route);
        self.routes.find_or_insert(hash, || {
            let hash_of_credential = self.credential_hash(route);
            let credential = self.credentials.find_or_insert(hash_of_credential, || WatchedCredential::of(route));
            WatchedRoute::of(route, credential, hash)
        })
    }

    fn budget(&self, provider: &Provider) -> Arc<RetryBudget> {
        self.budgets.find_or_insert(self.hasher.hash_one(&provider.name), RetryBudget::default)
    }

    fn route_hash(&self, route: Route<'_>) -> u64 {
        let model = if route.is_known { Watch::Model(route.model) } else { Watch::Group(self.group(route.model)) };
        self.hasher.hash_one((&route.provider.name, &route.credential.name, model))
    }

    /// Models that nobody names but the caller are watched in groups, so that they take no more room than so many; which
    /// group one falls into, nobody outside can tell.
    fn group(&self, model: &ModelName) -> u64 {
        self.hasher.hash_one(model) % GROUPS_OF_UNKNOWN
    }

    fn credential_hash(&self, route: Route<'_>) -> u64 {
        self.hasher.hash_one((&route.provider.name, &route.credential.name))
    }
}

/// How routes do at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    health: &'a RouteHealth,
    now_us: u64,
}

impl Health for View<'_> {
    fn reading(&self, route: Route<'_>) -> Reading {
        let health = self.health;
        let secret = Some(&route.credential.secret);
        let known = health.routes.with(health.route_hash(route), |watched| watched.reading(secret, self.now_us));
        let of_credential =
            || health.credentials.with(health.credential_hash(route), |watched| watched.reading(secret, self.now_us));
        known.or_else(of_credential).unwrap_or(Reading::WELL)
    }

    fn take_retry(&self, provider: &Provider) -> bool {
        self.health.take_retry(provider)
    }
}

/// A route and how it does, for metrics and management.
#[derive(Clone, Debug)]
pub struct RouteReport {
    /// The provider.
    pub provider: ProviderName,
    /// The credential.
    pub credential: CredentialName,
    /// The model; `None`: all those together that neither price list nor configuration names.
    pub model: Option<ModelName>,
    /// How it does.
    pub reading: Reading,
}

#[cfg(test)]
mod tests;
