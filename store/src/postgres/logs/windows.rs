//! In which steps rows are looked for: the partitions of a few days, then of more. Pure.
//!
//! A statement over all partitions would have to plan for each of them and lock them all, with all their indexes.

use super::days::Day;
use crate::logs::tables::Scan;
use crate::logs::{LogId, Order};
use crate::number::column;

/// One step is over so many days at most.
const MOST_DAYS: usize = 32;

/// Rows from one place to another; both belong to it.
pub(super) type Window = (i64, i64);

/// Where rows are to be looked for, one window after the other, of these days, which are in order.
pub(super) fn of(scan: &Scan<'_>, days: &[Day]) -> Vec<Window> {
    let whole = whole(scan);
    let clip = |(first, last): Window| (first.max(whole.0), last.min(whole.1));
    let is_any = |(first, last): &Window| first <= last;
    let days = days.iter().filter(|day| day.rows > 0).map(Day::places).map(clip).filter(is_any);
    let mut days: Vec<_> = days.collect();
    if scan.order == Order::NewestFirst {
        days.reverse();
    }
    let (mut windows, mut rest, mut size) = (Vec::new(), &*days, 1);
    while let Some((some, more)) = rest.split_at_checked(size.min(rest.len())).filter(|(some, _)| !some.is_empty()) {
        let first = some.iter().map(|(first, _)| *first).min().unwrap_or_default();
        let last = some.iter().map(|(_, last)| *last).max().unwrap_or_default();
        windows.push((first, last));
        rest = more;
        size = size.saturating_mul(2).min(MOST_DAYS);
    }
    windows
}

/// What is left of a window behind a row.
pub(super) fn behind((first, last): Window, order: Order, place: i64) -> Window {
    match order {
        Order::NewestFirst => (first, last.min(place.saturating_sub(1))),
        Order::OldestFirst => (first.max(place.saturating_add(1)), last),
    }
}

fn whole(scan: &Scan<'_>) -> Window {
    let place = |at_ms| column(LogId::least_at(at_ms).0);
    let first = scan.filter.from_ms.map_or(0, place);
    let last = scan.filter.to_ms.map_or(i64::MAX, |to_ms| place(to_ms).saturating_sub(1));
    scan.after.map_or((first, last), |after| behind((first, last), scan.order, column(after.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogFilter;

    const DAY: u64 = 86_400_000;

    fn days(numbers: impl IntoIterator<Item = u64>) -> Vec<Day> {
        let day = |number| Day { start_ms: number * DAY, has_partition: true, rows: 1, most_rows: 1 };
        numbers.into_iter().map(day).collect()
    }

    fn scan(filter: &LogFilter, order: Order, after: Option<LogId>) -> Scan<'_> {
        Scan { filter, order, after, most: None, most_looked_at: 1 }
    }

    #[test]
    fn windows_grow_and_hold_every_day_once() {
        let (days, filter) = (days(1_000..1_365), LogFilter::default());
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let windows = of(&scan(&filter, order, None), &days);
            assert!(windows.len() < 18, "{windows:?}");
            for day in &days {
                let places = day.places();
                let found = windows.iter().filter(|window| window.0 <= places.0 && places.1 <= window.1);
                assert_eq!(found.count(), 1);
            }
            let is_newest_first = order == Order::NewestFirst;
            assert!(windows.is_sorted_by(|a, b| if is_newest_first { a.0 > b.1 } else { a.1 < b.0 }), "{windows:?}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_looked_at() {
        let days = days([10, 11, 20]);
        let filter = LogFilter { from_ms: Some(10 * DAY + 5), to_ms: Some(11 * DAY + 7), ..LogFilter::default() };
        let place = |at_ms| column(LogId::least_at(at_ms).0);
        let first_day = (place(10 * DAY + 5), place(11 * DAY) - 1);
        assert_eq!(
            of(&scan(&filter, Order::NewestFirst, None), &days),
            [(place(11 * DAY), place(11 * DAY + 7) - 1), first_day]
        );
        let after = Some(LogId::least_at(11 * DAY));
        assert_eq!(of(&scan(&filter, Order::NewestFirst, after), &days), [first_day]);
        let after = Some(LogId::of(11 * DAY + 6, u64::MAX));
        assert_eq!(of(&scan(&filter, Order::OldestFirst, after), &days), []);
    }

    #[test]
    fn days_without_rows_are_passed_over() {
        let mut days = days([1, 2, 3]);
        days[1].rows = 0;
        let filter = LogFilter::default();
        assert_eq!(of(&scan(&filter, Order::OldestFirst, None), &days), [days[0].places(), days[2].places()]);
    }
}
