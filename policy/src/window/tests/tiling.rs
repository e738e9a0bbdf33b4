//! Windows of any kind, at any moment.

use jiff::ToSpan;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

/// Until the year 2200.
const LAST: u64 = 7_258_118_400_000;

fn any_unit() -> impl Strategy<Value = ResetUnit> {
    use ResetUnit::{Day, Hour, Minute, Month, Quarter, Second, Week, Year};
    proptest::sample::select(vec![Second, Minute, Hour, Day, Week, Month, Quarter, Year])
}

/// Any zone of the database, and the odd ones more often.
fn any_zone() -> impl Strategy<Value = TimeZone> {
    let all: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let names = prop_oneof![proptest::sample::select(all), proptest::sample::select(ODD.map(str::to_owned).to_vec())];
    names.prop_filter_map("a zone", |name| zone(&name))
}

fn any_window(count: impl Strategy<Value = u32>) -> impl Strategy<Value = BudgetWindow> {
    (any_unit(), count, any::<bool>(), any_zone()).prop_map(|(unit, count, calendar_aligned, zone)| BudgetWindow {
        every: ResetDuration { count, unit },
        calendar_aligned,
        zone,
    })
}

/// Moments near a change of the clocks are where it is easy to be wrong.
fn near_a_change(zone: &TimeZone, moment_ms: u64, shift_ms: i64) -> u64 {
    let moment = Timestamp::from_millisecond(moment_ms.try_into().unwrap()).unwrap();
    let change = zone.following(moment).next().map_or(moment, |change| change.timestamp());
    u64::try_from(change.as_millisecond() + shift_ms).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Contained, from the beginning on, without gap or overlap on either side: so windows are monotone too.
    #[test]
    fn windows_tile(
        window in any_window(prop_oneof![1..5_u32, 1..1_000_u32]),
        began_ms in 0..LAST,
        moment_ms in 0..LAST,
        shift_ms in -100_000_000..100_000_000_i64,
        is_near_a_change: bool,
    ) {
        let moment_ms = if is_near_a_change { near_a_change(&window.zone, moment_ms, shift_ms) } else { moment_ms };
        let period = window.at(began_ms, moment_ms);
        prop_assert!(period.contains(moment_ms.max(began_ms)), "{period:?}");
        prop_assert!(period.start_ms >= began_ms);
        prop_assert_eq!(window.at(began_ms, period.start_ms), period);
        prop_assert_eq!(window.at(began_ms, period.end_ms - 1), period);
        let next = window.at(began_ms, period.end_ms);
        prop_assert_eq!(next.start_ms, period.end_ms);
        prop_assert!(next.end_ms > next.start_ms);
        if period.start_ms > began_ms {
            prop_assert_eq!(window.at(began_ms, period.start_ms - 1).end_ms, period.start_ms);
        } else {
            prop_assert_eq!(window.at(began_ms, 0), period, "the first");
        }
    }

    #[test]
    fn no_moment_and_no_count_is_too_large(
        window in any_window(any::<u32>()),
        began_ms: u64,
        moment_ms: u64,
    ) {
        let period = window.at(began_ms, moment_ms);
        prop_assert!(period.start_ms >= began_ms && period.start_ms <= period.end_ms);
        let last = u64::MAX - 1;
        prop_assert!(began_ms > last || period.contains(moment_ms.clamp(began_ms, last)), "{period:?}");
        let next = window.at(began_ms, period.end_ms);
        prop_assert!(next.start_ms == period.end_ms || next == period && period.end_ms == u64::MAX);
    }

    /// Against a calendar's own addition, from the beginning.
    #[test]
    fn the_windows_of_a_month_begin_so_many_months_after_the_beginning(
        zone in any_zone(),
        began_ms in 0..LAST,
        count in 1..30_u32,
        windows in 0..40_u32,
        into_ms in 0..600_000_000_u64,
    ) {
        let window = BudgetWindow { every: ResetDuration { count, unit: ResetUnit::Month }, calendar_aligned: false, zone };
        let began = Timestamp::from_millisecond(began_ms.try_into().unwrap()).unwrap().to_zoned(window.zone.clone());
        let expected = began.checked_add(i64::from(count * windows).months()).unwrap();
        prop_assume!(!window.zone.to_ambiguous_zoned(expected.datetime()).is_ambiguous());
        prop_assume!(expected.time() == began.time());
        let start_ms = u64::try_from(expected.timestamp().as_millisecond()).unwrap();
        prop_assert_eq!(window.at(began_ms, start_ms + into_ms).start_ms, start_ms);
    }

    /// Clocks show the first moment of a window's day as midnight, or as what they were put forward to; just before it, they
    /// show another day.
    #[test]
    fn an_aligned_window_begins_with_its_day(
        unit in proptest::sample::select(vec![ResetUnit::Day, ResetUnit::Week, ResetUnit::Month, ResetUnit::Quarter, ResetUnit::Year]),
        zone in any_zone(),
        moment_ms in 0..LAST,
        shift_ms in -100_000_000..100_000_000_i64,
    ) {
        let moment_ms = near_a_change(&zone, moment_ms, shift_ms);
        let window = BudgetWindow { every: ResetDuration { count: 1, unit }, calendar_aligned: true, zone };
        let period = window.at(0, moment_ms);
        prop_assume!(period.start_ms > 0);
        let shown = |ms: u64| window.zone.to_datetime(Timestamp::from_millisecond(ms.try_into().unwrap()).unwrap());
        let (first, before) = (shown(period.start_ms), shown(period.start_ms - 1));
        prop_assert!(before.date() < first.date(), "{before} {first}");
        let begins = match unit {
            ResetUnit::Day => true,
            ResetUnit::Week => first.weekday() == jiff::civil::Weekday::Monday,
            ResetUnit::Month => first.day() == 1,
            ResetUnit::Quarter => first.day() == 1 && [1, 4, 7, 10].contains(&first.month()),
            _ => first.day_of_year() == 1,
        };
        prop_assert!(begins, "{first}");
        prop_assert!(first.time() == jiff::civil::Time::midnight() || before.duration_until(first).as_millis() > 1);
    }
}
