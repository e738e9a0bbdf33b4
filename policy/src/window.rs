//! Time as an argument: moments, reset durations, and the windows that budgets are counted in.

mod civil;
mod duration;
mod tiles;

pub use civil::{utc_text, zone};
pub use duration::{ResetDuration, ResetDurationError, ResetUnit};

use std::fmt;

use jiff::tz::TimeZone;

/// The time of a decision. Given by the caller, never asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump when the clock is set.
    pub wall_ms: u64,
    /// The same for the moment at which the process started, and from then on counted steadily: never goes back, whatever is
    /// done to the clock.
    pub mono_ms: u64,
}

/// How the windows of a budget follow each other, without a gap.
///
/// Two are equal if they count alike: the zone of windows that no calendar has a say in makes no difference.
#[derive(Clone, Debug)]
pub struct BudgetWindow {
    /// How long each of them is. Months, quarters and years are civil ones.
    pub every: ResetDuration,
    /// Whether they begin where the calendar says (the first of a month, a Monday, midnight) rather than where the budget began.
    pub calendar_aligned: bool,
    /// Whose calendar and midnight: one that [`zone`] knows.
    pub zone: TimeZone,
}

/// One window: from `start_ms` up to and without `end_ms`, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first millisecond.
    pub start_ms: u64,
    /// The first one of the next; the largest number there is: it never ends.
    pub end_ms: u64,
}

impl Period {
    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(self, moment_ms: u64) -> bool {
        (self.start_ms..self.end_ms).contains(&moment_ms)
    }
}

impl BudgetWindow {
    /// One that tiles from the budget's beginning.
    #[must_use]
    pub fn tiled(every: ResetDuration) -> Self {
        Self { every, calendar_aligned: false, zone: TimeZone::UTC }
    }

    /// The window that a moment is in. `began_ms`: when the budget was made; its first window begins there, and a moment before
    /// that is in it.
    ///
    /// Windows that are not aligned tile from there:
    /// - seconds to weeks by their length; a day has 24 hours, whatever the clocks of the zone do;
    /// - months, quarters and years to the same day and time of day in the zone, or to the last day of a month that has no
    ///   such day. Each is computed from the beginning, so that a short month moves none of the later ones:
    ///   31 January → 28 February → 31 March.
    ///
    /// Aligned windows tile from a fixed point of the calendar; the first is what is left of the one that the budget began in:
    /// - seconds, minutes and hours from 1970-01-01T00:00Z, so that `1h` begins on the hour in UTC;
    /// - days from 1970-01-01, weeks from Monday 1970-01-05, at midnight in the zone, so that a day may have 23 or 25 hours;
    /// - months, quarters and years from January of the year 0, on the first at midnight in the zone. So `1Q` and `3M` are the
    ///   quarters of the calendar, and `10Y` its decades.
    ///
    /// Where clocks are put forward over the time at which a window would begin, it begins when they are; where they are put
    /// back over it, when they show it first. A window that would end after the year 9999 never ends.
    #[must_use]
    pub fn at(&self, began_ms: u64, moment_ms: u64) -> Period {
        tiles::period(self, began_ms, moment_ms)
    }

    /// The zone, where it matters.
    fn civil_zone(&self) -> Option<&TimeZone> {
        let is_civil = match self.every.unit {
            ResetUnit::Second | ResetUnit::Minute | ResetUnit::Hour => false,
            ResetUnit::Day | ResetUnit::Week => self.calendar_aligned,
            ResetUnit::Month | ResetUnit::Quarter | ResetUnit::Year => true,
        };
        is_civil.then_some(&self.zone)
    }
}

impl PartialEq for BudgetWindow {
    fn eq(&self, other: &Self) -> bool {
        self.every == other.every
            && self.calendar_aligned == other.calendar_aligned
            && self.civil_zone() == other.civil_zone()
    }
}

impl Eq for BudgetWindow {}

/// The form in which it is kept: another text is another window. `1M`, `1d aligned`, `1M aligned in Europe/Berlin`; the zone is
/// named where it matters and is not UTC.
impl fmt::Display for BudgetWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.every)?;
        if self.calendar_aligned {
            f.write_str(" aligned")?;
        }
        match self.civil_zone().and_then(TimeZone::iana_name) {
            None | Some("UTC") => Ok(()),
            Some(zone) => write!(f, " in {zone}"),
        }
    }
}

#[cfg(test)]
mod tests;
