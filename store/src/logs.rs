//! The request log: every call as one row, and sums of them. Rows come from the journal; they are read beside whoever writes them.

pub(crate) mod detail;
mod fold;
pub(crate) mod plan;
pub(crate) mod rollup;
pub(crate) mod tables;
mod trim;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

pub(crate) use fold::{Calls, Untold};
pub use trim::{Retention, Trimmed, Trimming};
pub(crate) use trim::{STEP, Trim};

use crate::postgres::PostgresLogs;
use crate::sqlite::SqliteLogs;
use crate::{CallStatus, Called, Config, Database, Store, StoreError};
use rollup::{OwnerKind, Sums};
use tables::{Bars, Of, Parts, Scan, Tables};

/// A page looks at no more rows than that; where that is not enough, it says where to go on.
const MOST_LOOKED_AT: u32 = 20_000;
/// Rows that are put into another order, or summed up one by one, are at most so many of the newest.
const MOST_COUNTED: u32 = 100_000;
/// No page is longer.
const LONGEST_PAGE: u32 = 1_000;

/// The request log, for looking at it. It never waits for those who write, nor they for it.
#[derive(Debug)]
pub struct Logs {
    tables: Box<dyn Tables>,
}

/// Names a row, for ever. A row of a later call has a greater one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub(crate) u64);

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRow {
    /// Its name.
    pub id: LogId,
    /// The call.
    pub call: Called<'static>,
}

/// Which rows. What is empty or `None` lets all through; of several values any will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Calls that began at this moment or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Calls that began earlier than this.
    pub to_ms: Option<u64>,
    /// Providers of the last attempt.
    pub providers: Vec<String>,
    /// Models of the last attempt, as the provider calls them.
    pub models: Vec<String>,
    /// What was asked for.
    pub operations: Vec<String>,
    /// How it ended.
    pub statuses: Vec<CallStatus>,
    /// Virtual keys.
    pub keys: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Customers.
    pub customers: Vec<String>,
    /// The id that the client was told.
    pub request_id: Option<String>,
    /// How long it took, in microseconds.
    pub latency_us: Within,
    /// All tokens together.
    pub tokens: Within,
    /// What it cost, in nano-dollars.
    pub cost_nano: Within,
    /// A text that occurs in the request's id, in a model's name, or in what is told of a failure.
    pub search: Option<String>,
}

/// A range of numbers; both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// The least.
    pub least: Option<u64>,
    /// The most.
    pub most: Option<u64>,
}

/// In which order rows come, as to time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// What rows are put in order by, other than time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// How long it took.
    Latency,
    /// All tokens together.
    Tokens,
    /// What it cost.
    Cost,
}

/// A page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The rows. They may be fewer than were asked for, or none, although others follow.
    pub rows: Vec<LogRow>,
    /// Where the next page goes on; `None`: there is nothing more.
    pub next: Option<LogId>,
}

/// Sums over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many there are.
    pub total_requests: u64,
    /// Those whose client got its whole answer.
    pub successes: u64,
    /// How long all of them took together, in microseconds.
    pub latency_us: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// All tokens.
    pub total_tokens: u64,
    /// What they cost, in nano-dollars.
    pub cost_nano: u64,
    /// There were too many to look at: these are the newest, those from this moment on.
    pub counted_from_ms: Option<u64>,
}

/// What bars of a histogram are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The provider.
    Provider,
    /// The model.
    Model,
    /// What was asked for.
    Operation,
    /// How it ended.
    Status,
}

/// Sums over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How long each bar is: what was asked for, or more where no shorter sums are kept.
    pub bar_ms: u64,
    /// The bars that are not empty, in order.
    pub bars: Vec<Bar>,
}

/// A bar, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// When it begins, in milliseconds since 1970.
    pub start_ms: u64,
    /// Which part; empty where bars are not divided.
    pub part: String,
    /// What is in it.
    pub stats: Stats,
}

/// What there is to filter by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterData {
    /// Providers and their models.
    pub models: Vec<(String, String)>,
    /// Virtual keys; the first thousand.
    pub keys: Vec<String>,
    /// Teams; the first thousand.
    pub teams: Vec<String>,
    /// Customers; the first thousand.
    pub customers: Vec<String>,
}

impl Logs {
    /// Opens what a store keeps, which must have been opened before. A server is waited for by each look: not to be called where
    /// asynchronous tasks are driven.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(config: impl Into<Config>) -> Result<Self, StoreError> {
        match config.into().database {
            Database::Sqlite { path } => Ok(Self { tables: Box::new(SqliteLogs::open(&path)) }),
            Database::Postgres(server) => Ok(Self { tables: Box::new(PostgresLogs::open(&server)?) }),
        }
    }

    /// A page of rows. It goes on behind `after`, or begins; it has no more than a thousand rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page(
        &self,
        filter: &LogFilter,
        order: Order,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let most = limit.clamp(1, LONGEST_PAGE);
        let scan = Scan { filter, order, after, most: Some(most), most_looked_at: MOST_LOOKED_AT };
        let (mut rows, mut next) = (Vec::new(), None);
        self.tables.rows(&scan, &mut |row| rows.push(row), &mut next)?;
        Ok(LogPage { rows, next })
    }

    /// Rows in another order than that of time, among the newest hundred thousand that there are between the two moments.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sorted(
        &self,
        filter: &LogFilter,
        by: SortBy,
        is_descending: bool,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<LogRow>, StoreError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit.min(LONGEST_PAGE)).unwrap_or_default();
        let ids = self.tables.ordered(&counted(filter), by, is_descending, offset.saturating_add(limit))?;
        self.tables.named(ids.get(offset..).unwrap_or_default())
    }

    /// One row; `None`: there is none of that name, or no longer.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn row(&self, id: LogId) -> Result<Option<LogRow>, StoreError> {
        Ok(self.tables.named(&[id])?.pop())
    }

    /// Sums of what a filter lets through. Without conditions on single calls (a request's id, latency, tokens, cost, a search) and
    /// with owners of one kind at most they come from sums that are kept, and moments are rounded to the minute: to the hour where
    /// owners are asked for, or the minutes are not kept any more. Else they are counted, over a hundred thousand rows at most.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn stats(&self, filter: &LogFilter) -> Result<Stats, StoreError> {
        let mut stats = Stats::default();
        let Some(of) = Of::all_of(filter) else {
            let end = self.tables.count(&counted(filter), &mut |sums| stats.add(sums))?;
            stats.counted_from_ms = end.map(LogId::at_ms);
            return Ok(stats);
        };
        let (from_ms, to_ms) = (filter.from_ms.unwrap_or_default(), filter.to_ms.unwrap_or(u64::MAX));
        let stretches = match of.owners {
            Some(_) => plan::hours_between(from_ms, to_ms),
            None => plan::between(from_ms, to_ms, self.tables.kept()?),
        };
        let whole = Parts { bar_ms: u64::MAX, by: None };
        for stretch in stretches {
            self.tables.sums(&of, &stretch, whole, &mut |sum| stats.add(&sum.sums))?;
        }
        Ok(stats)
    }

    /// Sums over time, in bars of a length, which is rounded to whole minutes. Conditions on single calls are not regarded.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn histogram(&self, filter: &LogFilter, bar_ms: u64, by: Option<Dimension>) -> Result<Histogram, StoreError> {
        let of = Of::nearest_to(filter);
        let (from_ms, to_ms) = (filter.from_ms.unwrap_or_default(), filter.to_ms.unwrap_or(u64::MAX));
        let kept = self.tables.kept()?;
        let kept = if of.owners.is_some() { plan::Kept { minutes_from_ms: u64::MAX, hours_from_ms: 0 } } else { kept };
        let (bar_ms, size) = plan::bars(bar_ms, from_ms, kept);
        let stretch = plan::Stretch { size, from_ms: size.floor(from_ms), to_ms: size.ceil(to_ms) };
        let mut bars = Bars::new(bar_ms);
        self.tables.sums(&of, &stretch, Parts { bar_ms, by }, &mut |sum| bars.add(sum))?;
        Ok(Histogram { bar_ms, bars: bars.into_rows() })
    }

    /// What there is to filter by.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn filter_data(&self) -> Result<FilterData, StoreError> {
        let owners = |kind| self.tables.owners(kind, LONGEST_PAGE);
        Ok(FilterData {
            models: self.tables.models()?,
            keys: owners(OwnerKind::Key)?,
            teams: owners(OwnerKind::Team)?,
            customers: owners(OwnerKind::Customer)?,
        })
    }
}

impl Store {
    /// Removes rows of the request log that are too old or too many, and sums that nobody needs so fine any more. Done in small
    /// steps, between which the writer does its work.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn trim_logs(&self, retention: &Retention, now_ms: u64) -> Result<Trimmed, StoreError> {
        let mut trimming = retention.begin(now_ms);
        while self.trim_logs_on(&mut trimming)? {}
        Ok(trimming.trimmed())
    }

    /// Does one such step; `false`: there is nothing more to remove.
    ///
    /// # Errors
    /// When nothing can be removed; the step may be taken again.
    pub fn trim_logs_on(&self, trimming: &mut Trimming) -> Result<bool, StoreError> {
        let Some(trim) = trimming.next() else { return Ok(false) };
        let removed = self.ask(move |bookkeeper| bookkeeper.trim_logs(trim))?;
        trimming.is_done(trim, removed);
        Ok(true)
    }
}

/// The newest rows that a filter lets through.
fn counted(filter: &LogFilter) -> Scan<'_> {
    Scan { filter, order: Order::NewestFirst, after: None, most: None, most_looked_at: MOST_COUNTED }
}

impl LogId {
    /// When its call began, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(self) -> u64 {
        self.0 >> tables::NUMBER_BITS
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for LogId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl SortBy {
    pub(crate) fn of(self, sums: &Sums) -> u64 {
        match self {
            Self::Latency => sums.latency_us,
            Self::Tokens => sums.total_tokens,
            Self::Cost => sums.cost_nano,
        }
    }
}

impl Stats {
    /// Of a hundred calls, how many were answered; 0 of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn success_rate(&self) -> f64 {
        if self.total_requests == 0 { 0.0 } else { self.successes as f64 * 100.0 / self.total_requests as f64 }
    }

    /// How long a call took, in microseconds; 0 of none.
    #[must_use]
    pub fn average_latency_us(&self) -> u64 {
        self.latency_us.checked_div(self.total_requests).unwrap_or_default()
    }

    fn add(&mut self, (status, sums): &(CallStatus, Sums)) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.total_requests, sums.requests);
        add(&mut self.successes, if *status == CallStatus::Success { sums.requests } else { 0 });
        add(&mut self.latency_us, sums.latency_us);
        add(&mut self.input_tokens, sums.input_tokens);
        add(&mut self.output_tokens, sums.output_tokens);
        add(&mut self.total_tokens, sums.total_tokens);
        add(&mut self.cost_nano, sums.cost_nano);
    }
}

impl Within {
    /// Whether a number is in it.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.least.is_none_or(|least| least <= number) && self.most.is_none_or(|most| number <= most)
    }

    pub(crate) fn is_open(&self) -> bool {
        *self == Self::default()
    }
}
