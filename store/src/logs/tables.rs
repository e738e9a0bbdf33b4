//! What a database must be able to do for those who look at the request log, and how they ask.

use std::collections::BTreeMap;
use std::fmt;

use super::plan::{Kept, Stretch};
use super::rollup::{OwnerKind, Sums};
use super::{Bar, Dimension, LogFilter, LogId, LogRow, Order, SortBy, Stats};
use crate::{CallStatus, StoreError};

/// A row's id is the moment when its call began, in milliseconds since 1970, and a number of so many bits.
pub(crate) const NUMBER_BITS: u32 = 21;
/// Later moments are kept as this one: in the year 2109.
const LATEST_MS: u64 = (1 << (63 - NUMBER_BITS)) - 1;

/// The tables of a request log.
pub(crate) trait Tables: fmt::Debug + Send + Sync {
    /// Shows rows in order. `next` says where to go on if these were not all.
    fn rows(&self, scan: &Scan<'_>, show: &mut dyn FnMut(LogRow), next: &mut Option<LogId>) -> Result<(), StoreError>;

    /// Shows sums over the rows that are looked at. Gives the last of them if others follow.
    fn count(&self, scan: &Scan<'_>, show: &mut dyn FnMut(&(CallStatus, Sums))) -> Result<Option<LogId>, StoreError>;

    /// The first so many of the rows that are looked at, by a number and then by time.
    fn ordered(&self, scan: &Scan<'_>, by: SortBy, is_descending: bool, most: usize) -> Result<Vec<LogId>, StoreError>;

    /// These rows, as far as they are there, in this order.
    fn named(&self, ids: &[LogId]) -> Result<Vec<LogRow>, StoreError>;

    /// Which sums are kept.
    fn kept(&self) -> Result<Kept, StoreError>;

    /// Shows the sums of a stretch. They may be summed up further, but not over parts that differ.
    fn sums(&self, of: &Of<'_>, stretch: &Stretch, parts: Parts, show: &mut dyn FnMut(Sum)) -> Result<(), StoreError>;

    /// Providers and their models, as far as they are told apart.
    fn models(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// The first so many owners of a kind.
    fn owners(&self, kind: OwnerKind, most: u32) -> Result<Vec<String>, StoreError>;
}

/// Rows that are looked at one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) filter: &'a LogFilter,
    pub(crate) order: Order,
    /// The row behind which it begins.
    pub(crate) after: Option<LogId>,
    /// How many rows are shown.
    pub(crate) most: Option<u32>,
    /// How many are looked at.
    pub(crate) most_looked_at: u32,
}

/// What sums are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Of<'a> {
    pub(crate) providers: &'a [String],
    pub(crate) models: &'a [String],
    pub(crate) operations: &'a [String],
    pub(crate) statuses: &'a [CallStatus],
    /// Of these owners alone.
    pub(crate) owners: Option<(OwnerKind, &'a [String])>,
}

/// What is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Stretches of this length; one that is longer than all of time: nothing.
    pub(crate) bar_ms: u64,
    pub(crate) by: Option<Dimension>,
}

/// Sums of calls that ended alike, in a stretch.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) start_ms: u64,
    /// Of which part, where it was asked for.
    pub(crate) part: String,
    pub(crate) sums: (CallStatus, Sums),
}

impl<'a> Of<'a> {
    /// What a filter asks for; `None`: sums do not tell it.
    pub(crate) fn all_of(filter: &'a LogFilter) -> Option<Self> {
        let is_of_calls = filter.request_id.is_none() && filter.search.is_none();
        let is_open = filter.latency_us.is_open() && filter.tokens.is_open() && filter.cost_nano.is_open();
        let owners = [&filter.keys, &filter.teams, &filter.customers];
        let kinds = owners.into_iter().filter(|owners| !owners.is_empty()).count();
        (is_of_calls && is_open && kinds <= 1).then(|| Self::nearest_to(filter))
    }

    /// As much of a filter as sums can tell.
    pub(crate) fn nearest_to(filter: &'a LogFilter) -> Self {
        let owners = [
            (OwnerKind::Key, &*filter.keys),
            (OwnerKind::Team, &*filter.teams),
            (OwnerKind::Customer, &*filter.customers),
        ];
        Self {
            providers: &filter.providers,
            models: &filter.models,
            operations: &filter.operations,
            statuses: &filter.statuses,
            owners: owners.into_iter().find(|(_, owners)| !owners.is_empty()),
        }
    }
}

/// Bars that are being put together.
#[derive(Debug)]
pub(crate) struct Bars {
    bar_ms: u64,
    bars: BTreeMap<(u64, String), Stats>,
}

impl Bars {
    pub(crate) fn new(bar_ms: u64) -> Self {
        Self { bar_ms, bars: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, sum: Sum) {
        let start_ms = sum.start_ms - sum.start_ms.checked_rem(self.bar_ms).unwrap_or_default();
        self.bars.entry((start_ms, sum.part)).or_default().add(&sum.sums);
    }

    pub(crate) fn into_rows(self) -> Vec<Bar> {
        self.bars.into_iter().map(|((start_ms, part), stats)| Bar { start_ms, part, stats }).collect()
    }
}

impl Dimension {
    /// The column that has it.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Operation => "operation",
            Self::Status => "status",
        }
    }
}

impl LogId {
    /// The least that a call could have which began at this moment.
    pub(crate) fn least_at(at_ms: u64) -> Self {
        Self(at_ms.min(LATEST_MS) << NUMBER_BITS)
    }

    /// One for a call that began at this moment. Two with different numbers are different, mostly.
    pub(crate) fn of(at_ms: u64, number: u64) -> Self {
        Self(Self::least_at(at_ms).0 | (number & ((1 << NUMBER_BITS) - 1)))
    }
}
