//! Between moments and what clocks and calendars show.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

/// The time zone of a name of the IANA database (`Europe/Berlin`, upper and lower case alike), or of `UTC`; `None`: there is none
/// of that name. The database is the one that the program was built with, so that every machine counts alike and none needs to
/// have it.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())
}

/// A moment as people and programs read it, in whole seconds: `2026-12-01T00:00:00Z`. One after the year 9999 is shown as the
/// last before it that there is.
#[must_use]
pub fn utc_text(moment_ms: u64) -> String {
    let whole_seconds = Timestamp::from_second(timestamp(moment_ms).as_second());
    whole_seconds.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// What clocks show at a moment; at one after the year 9999, what they show at its end.
pub(super) fn shown(zone: &TimeZone, moment_ms: u64) -> DateTime {
    zone.to_datetime(timestamp(moment_ms))
}

/// The first moment at which clocks show this time or a later one, in milliseconds since 1970; 0 for one before that, and the
/// largest number for one after the year 9999. A later time is never shown first at an earlier moment.
pub(super) fn first_shown(zone: &TimeZone, time: DateTime) -> u64 {
    let shown = zone.to_ambiguous_timestamp(time);
    let moment = match shown.offset() {
        AmbiguousOffset::Gap { .. } => after_gap(zone, time).map_or_else(|| shown.compatible(), Ok),
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => shown.compatible(),
    };
    moment.map_or(u64::MAX, |moment| u64::try_from(moment.as_millisecond()).unwrap_or(0))
}

/// When clocks are put forward over a time.
fn after_gap(zone: &TimeZone, time: DateTime) -> Option<Timestamp> {
    let before = zone.to_ambiguous_timestamp(time).earlier().ok()?;
    let mut changes = zone.following(before).take(3).map(|change| change.timestamp());
    changes.find(|change| zone.to_datetime(*change) >= time)
}

fn timestamp(moment_ms: u64) -> Timestamp {
    i64::try_from(moment_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}
