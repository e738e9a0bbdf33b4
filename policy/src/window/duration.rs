//! The syntax of reset durations.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

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
