//! Sums of calls, kept as rows arrive, so that what dashboards show does not depend on how many rows there are. Pure.

use std::collections::HashMap;

use crate::balance::plus;
use crate::journal::{CallStatus, Called};
use crate::logs::LogId;

/// So many providers' models are told apart; what is beyond is [`OTHER`]. Who may send any name cannot make up more than that.
pub(crate) const MOST_MODELS: u64 = 10_000;
/// Models that are not told apart.
pub(crate) const OTHER: &str = "other";

/// How long the stretches are that sums are kept of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Size {
    Minute,
    Hour,
    Day,
}

/// Whose calls, besides all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OwnerKind {
    Key,
    Team,
    Customer,
}

/// What calls are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group<'a> {
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) status: CallStatus,
}

/// Sums over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) latency_us: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) total_tokens: u64,
    pub(crate) cost_nano: u64,
}

/// What calls add to the sums.
#[derive(Debug, Default)]
pub(crate) struct Rollups<'a> {
    /// Of all calls: by size and beginning of the stretch.
    pub(crate) all: HashMap<(Size, u64, Group<'a>), Sums>,
    /// Of those of a key, a team or a customer: by the beginning of the hour.
    pub(crate) owners: HashMap<(OwnerKind, &'a str, u64, Group<'a>), Sums>,
}

impl Size {
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// How long such a stretch is.
    pub(crate) fn ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The beginning of the stretch that a moment is in.
    pub(crate) fn floor(self, at_ms: u64) -> u64 {
        at_ms - at_ms % self.ms()
    }

    /// The first beginning of a stretch that is no earlier than a moment. The end of time is one.
    pub(crate) fn ceil(self, at_ms: u64) -> u64 {
        at_ms.checked_next_multiple_of(self.ms()).unwrap_or(u64::MAX)
    }
}

impl OwnerKind {
    /// The word for it in databases.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Customer => "customer",
        }
    }
}

impl Sums {
    /// Of one call.
    pub(crate) fn of(called: &Called<'_>) -> Self {
        Self {
            requests: 1,
            latency_us: called.total_us,
            input_tokens: called.tokens.input_total(),
            output_tokens: called.tokens.output_total(),
            total_tokens: called.total_tokens,
            cost_nano: called.cost_nano,
        }
    }

    /// Both together, as far as a database can keep it.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            requests: plus(self.requests, other.requests),
            latency_us: plus(self.latency_us, other.latency_us),
            input_tokens: plus(self.input_tokens, other.input_tokens),
            output_tokens: plus(self.output_tokens, other.output_tokens),
            total_tokens: plus(self.total_tokens, other.total_tokens),
            cost_nano: plus(self.cost_nano, other.cost_nano),
        }
    }
}

impl<'a> Rollups<'a> {
    /// Of these calls. `may_name` says whether a model, of a provider, is told apart from others.
    pub(crate) fn of(calls: &'a [Called<'_>], may_name: impl Fn(&str, &str) -> bool) -> Self {
        // Calls that are alike are summed up first: there are far fewer kinds than calls.
        let mut alike: HashMap<(u64, [&str; 3], Group<'_>), Sums> = HashMap::new();
        for called in calls {
            let model = if may_name(&called.provider, &called.model) { &called.model } else { OTHER };
            let (provider, operation) = (&*called.provider, &*called.operation);
            let group = Group { provider, model, operation, status: called.status };
            // As the row has it.
            let at_ms = LogId::least_at(called.at_ms).at_ms();
            let owners = [&*called.key, &*called.team, &*called.customer];
            let sums = alike.entry((Size::Minute.floor(at_ms), owners, group)).or_default();
            *sums = sums.plus(Sums::of(called));
        }
        let mut rollups = Self::default();
        alike.into_iter().for_each(|((minute, owners, group), sums)| rollups.add(minute, owners, group, sums));
        rollups
    }

    fn add(&mut self, minute_ms: u64, owners: [&'a str; 3], group: Group<'a>, sums: Sums) {
        for size in Size::ALL {
            let kept = self.all.entry((size, size.floor(minute_ms), group)).or_default();
            *kept = kept.plus(sums);
        }
        let owners = [OwnerKind::Key, OwnerKind::Team, OwnerKind::Customer].into_iter().zip(owners);
        for (kind, owner) in owners.filter(|(_, owner)| !owner.is_empty()) {
            let kept = self.owners.entry((kind, owner, Size::Hour.floor(minute_ms), group)).or_default();
            *kept = kept.plus(sums);
        }
    }
}
