//! Time as an argument, and the syntax of reset durations.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use thiserror::Error;

/// The time of a decision. Given by the caller, never asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump when the clock is set.
    pub wall_ms: u64,
    /// The same for the moment at which the process started, and from then on counted steadily: never goes back, whatever is
    /// done to the clock.
    pub mono_ms: u64,
}

/// The unit of a [`ResetDuration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetUnit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
    /// `M`, a civil month
    Month,
    /// `Q`, three civil months
    Quarter,
    /// `Y`, a civil year
    Year,
}

/// How long a budget or rate limit counts before it starts again: `30s`, `5m`, `1h`, `1d`, `1w`, `1M`, `1Q`, `1Y`,
/// or `daily`, `weekly`, `monthly`, `yearly`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetDuration {
    /// How many units; at least 1.
    pub count: u32,
    /// The unit.
    pub unit: ResetUnit,
}

/// Text that is no reset duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no reset duration: expected a positive whole number and one of s m h d w M Q Y, as in `30s` or `1M`")]
pub struct ResetDurationError(String);

const UNITS: [(char, ResetUnit); 8] = [
    ('s', ResetUnit::Second),
    ('m', ResetUnit::Minute),
    ('h', ResetUnit::Hour),
    ('d', ResetUnit::Day),
    ('w', ResetUnit::Week),
    ('M', ResetUnit::Month),
    ('Q', ResetUnit::Quarter),
    ('Y', ResetUnit::Year),
];

impl FromStr for ResetDuration {
    type Err = ResetDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let once = |unit| Ok(Self { count: 1, unit });
        match text {
            "daily" => return once(ResetUnit::Day),
            "weekly" => return once(ResetUnit::Week),
            "monthly" => return once(ResetUnit::Month),
            "yearly" => return once(ResetUnit::Year),
            _ => {}
        }
        let error = || ResetDurationError(text.to_owned());
        let letter = text.chars().next_back().ok_or_else(error)?;
        let (_, unit) = UNITS.iter().find(|(known, _)| *known == letter).ok_or_else(error)?;
        let digits = text.strip_suffix(letter).ok_or_else(error)?;
        let count = digits.parse::<u32>().ok().filter(|count| *count > 0).ok_or_else(error)?;
        Ok(Self { count, unit: *unit })
    }
}

impl fmt::Display for ResetDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = UNITS.iter().find(|(_, unit)| *unit == self.unit).map_or('?', |(letter, _)| *letter);
        write!(f, "{}{letter}", self.count)
    }
}

impl ResetDuration {
    /// Its length where every day has 24 hours: a month counts as 30 days, a quarter as 90, a year as 365.
    #[must_use]
    pub fn nominal_ms(self) -> u64 {
        const DAY: u64 = 24 * 3_600_000;
        let unit = match self.unit {
            ResetUnit::Second => 1_000,
            ResetUnit::Minute => 60_000,
            ResetUnit::Hour => 3_600_000,
            ResetUnit::Day => DAY,
            ResetUnit::Week => 7 * DAY,
            ResetUnit::Month => 30 * DAY,
            ResetUnit::Quarter => 90 * DAY,
            ResetUnit::Year => 365 * DAY,
        };
        u64::from(self.count).saturating_mul(unit)
    }
}

/// How the windows of a budget follow each other, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetWindow {
    /// How long each of them is. Months, quarters and years are civil ones.
    pub every: ResetDuration,
    /// Whether they begin where the calendar says (the first of a month, a Monday, midnight) rather than where the budget began.
    pub calendar_aligned: bool,
    /// Whose calendar and midnight.
    pub zone: TimeZone,
}

/// One window: from `start_ms` up to and without `end_ms`, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first millisecond.
    pub start_ms: u64,
    /// The first one of the next.
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

    /// The window that a moment is in. `began_ms`: when the budget was made; windows that are not aligned tile from there.
    /// A moment before that is in the first window.
    #[must_use]
    pub fn at(&self, began_ms: u64, moment_ms: u64) -> Period {
        // TODO(helper): months and calendars
        let length = self.every.nominal_ms().max(1);
        let start_ms = began_ms + (moment_ms.saturating_sub(began_ms) / length) * length;
        Period { start_ms, end_ms: start_ms + length }
    }
}

/// The form in which it is kept: another text is another window. `1M`, `1M aligned in Europe/Berlin`.
impl fmt::Display for BudgetWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        match (self.calendar_aligned, zone) {
            (false, "UTC") => write!(f, "{}", self.every),
            (false, zone) => write!(f, "{} in {zone}", self.every),
            (true, zone) => write!(f, "{} aligned in {zone}", self.every),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_duration_is_read() {
        for text in ["30s", "5m", "1h", "1d", "1w", "1M", "1Q", "1Y"] {
            let duration: ResetDuration = text.parse().unwrap();
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!("monthly".parse::<ResetDuration>().unwrap().to_string(), "1M");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "1", "h", "0h", "-1h", "1.5d", "1x", "1 h", "1hh", "99999999999h", "ü"] {
            assert!(text.parse::<ResetDuration>().is_err(), "{text}");
        }
    }
}
