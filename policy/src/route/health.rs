//! How a route does at present, as far as decisions are concerned. Who watches routes, and how, is not known here.

use std::fmt;

use crate::id::ModelName;
use crate::provider::{Credential, Provider};

/// One way to a model: a provider, one of its credentials, and the model as the provider calls it.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// The credential.
    pub credential: &'a Credential,
    /// The provider's name for the model.
    pub model: &'a ModelName,
    /// Whether the price list or the configuration names the model. Any other name is the caller's invention: of
    /// those, many are watched together.
    pub is_known: bool,
}

/// What is known of a route at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whether it may be used.
    pub state: State,
    /// How much of its share of traffic it gets, in thousandths: less than 1,000 while it comes back.
    pub share: u16,
    /// Calls under way.
    pub in_flight: u32,
    /// Those of them that wait for their first content.
    pub waiting: u32,
    /// Microseconds to the first content: quick to rise, slow to fall; fading where nothing was seen for long. 0 where
    /// nothing was seen yet.
    pub latency_us: u64,
    /// Failed attempts among the latest, in thousandths.
    pub errors: u16,
    /// What the vendor says is left of its own limits, in thousandths; 1,000 where it says nothing.
    pub headroom: u16,
}

/// Whether a route may be used. Times are milliseconds on the process's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may.
    Up,
    /// Its circuit is open, and one call may try it now.
    Probe,
    /// Its credential was refused or throttled: used only where nothing better is left.
    Marked {
        /// Until when.
        until_ms: u64,
        /// Why.
        mark: Mark,
    },
    /// Its circuit is open: it is not used.
    Down {
        /// Until when; then one call may try it.
        until_ms: u64,
    },
}

/// Why a route is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The credential was refused.
    Refused,
    /// The credential may not use the model.
    NotForModel,
    /// The vendor's rate limit was reached.
    Throttled,
}

impl Reading {
    /// A route of which nothing bad is known.
    pub const WELL: Self =
        Self { state: State::Up, share: 1_000, in_flight: 0, waiting: 0, latency_us: 0, errors: 0, headroom: 1_000 };

    /// A route that cannot be used for as long as one can see.
    pub const DOWN: Self = Self { state: State::Down { until_ms: u64::MAX }, ..Self::WELL };
}

/// Knows how routes do.
pub trait Health: fmt::Debug {
    /// The reading of a route.
    fn reading(&self, route: Route<'_>) -> Reading;

    /// Takes one of the retries that a provider's first attempts pay for: whether it may be asked once more after a pause.
    fn take_retry(&self, provider: &Provider) -> bool;
}

/// All routes are well: for decisions that no traffic came before.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllWell;

impl Health for AllWell {
    fn reading(&self, _route: Route<'_>) -> Reading {
        Reading::WELL
    }

    fn take_retry(&self, _provider: &Provider) -> bool {
        true
    }
}
