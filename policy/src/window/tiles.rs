//! Which window a moment is in. Each is computed from the fixed point that all tile from, never from the one before it.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;

use super::civil::{first_shown, shown};
use super::{BudgetWindow, Period, ResetUnit};

const EPOCH: Date = date(1970, 1, 1);
/// 1970-01-05, in days since 1970-01-01.
const FIRST_MONDAY: i64 = 4;

/// See [`BudgetWindow::at`].
pub(super) fn period(window: &BudgetWindow, began_ms: u64, moment_ms: u64) -> Period {
    // The last millisecond of all is the end that never comes.
    let moment_ms = moment_ms.max(began_ms).min(u64::MAX - 1);
    let period = match window.civil_zone() {
        Some(zone) => Calendar::of(window, zone, began_ms).period(moment_ms),
        None => by_length(window, began_ms, moment_ms),
    };
    let start_ms = period.start_ms.max(began_ms);
    Period { start_ms, end_ms: period.end_ms.max(start_ms) }
}

/// Windows of one length.
fn by_length(window: &BudgetWindow, began_ms: u64, moment_ms: u64) -> Period {
    let length_ms = window.every.nominal_ms().max(1);
    let origin_ms = if window.calendar_aligned { 0 } else { began_ms };
    let before_ms = moment_ms.saturating_sub(origin_ms) / length_ms * length_ms;
    let start_ms = origin_ms.saturating_add(before_ms);
    Period { start_ms, end_ms: start_ms.saturating_add(length_ms) }
}

/// Windows that begin at dates: each so many days or months after the last, counted from an origin.
struct Calendar<'a> {
    zone: &'a TimeZone,
    step: Step,
    /// How many days or months a window has.
    count: i64,
    /// Where one begins: days since 1970-01-01, or months since January of the year 0.
    origin: i64,
    /// On which day of a month.
    day: i8,
    time: Time,
}

#[derive(Clone, Copy)]
enum Step {
    Days,
    Months,
}

impl<'a> Calendar<'a> {
    fn of(window: &BudgetWindow, zone: &'a TimeZone, began_ms: u64) -> Self {
        let (step, units, origin) = match window.every.unit {
            ResetUnit::Week => (Step::Days, 7, FIRST_MONDAY),
            ResetUnit::Month => (Step::Months, 1, 0),
            ResetUnit::Quarter => (Step::Months, 3, 0),
            ResetUnit::Year => (Step::Months, 12, 0),
            ResetUnit::Day | ResetUnit::Hour | ResetUnit::Minute | ResetUnit::Second => (Step::Days, 1, 0),
        };
        let count = i64::from(window.every.count.max(1)) * units;
        let midnight = Self { zone, step, count, origin, day: 1, time: Time::midnight() };
        if window.calendar_aligned {
            return midnight;
        }
        let began = shown(zone, began_ms);
        Self { origin: step.number(began.date()), day: began.day(), time: began.time(), ..midnight }
    }

    fn period(&self, moment_ms: u64) -> Period {
        let number = self.step.number(shown(self.zone, moment_ms).date());
        let near = (number - self.origin).div_euclid(self.count);
        // One less where the day or the hour is still to come, one more where clocks were put back over the beginning.
        let index = [near + 1, near].into_iter().find(|index| self.start(*index) <= moment_ms).unwrap_or(near - 1);
        Period { start_ms: self.start(index), end_ms: self.start(index + 1) }
    }

    /// When the window of this number begins.
    fn start(&self, index: i64) -> u64 {
        let number = self.origin.saturating_add(index.saturating_mul(self.count));
        match self.step.date(number, self.day) {
            Some(date) => first_shown(self.zone, DateTime::from_parts(date, self.time)),
            None if number < self.step.number(EPOCH) => 0,
            None => u64::MAX,
        }
    }
}

impl Step {
    /// How many days since 1970-01-01, or months since January of the year 0, a date is in.
    fn number(self, date: Date) -> i64 {
        match self {
            Self::Days => date.duration_since(EPOCH).as_hours() / 24,
            Self::Months => i64::from(date.year()) * 12 + i64::from(date.month()) - 1,
        }
    }

    /// The date of such a number; in a month, the day named, or its last. `None`: after the year 9999, or long before 1970.
    fn date(self, number: i64, day: i8) -> Option<Date> {
        match self {
            Self::Days => EPOCH.checked_add(SignedDuration::from_secs(number.saturating_mul(86_400))).ok(),
            Self::Months => {
                let year = i16::try_from(number.div_euclid(12)).ok()?;
                let month = i8::try_from(number.rem_euclid(12)).ok()? + 1;
                let first = Date::new(year, month, 1).ok()?;
                Date::new(year, month, day.min(first.days_in_month())).ok()
            }
        }
    }
}
