//! Tests of budgets' windows.

mod calendar;
mod tiling;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

/// The zones in which clocks have done the strangest things since 1970: changes at midnight and just past it, half an hour, two
/// hours, a day left out.
const ODD: [&str; 17] = [
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
];

/// The moment of a text with an offset, in milliseconds.
fn ms(text: &str) -> u64 {
    let moment: Timestamp = text.parse().unwrap();
    moment.as_millisecond().try_into().unwrap()
}

fn window(every: &str, calendar_aligned: bool, name: &str) -> BudgetWindow {
    BudgetWindow { every: every.parse().unwrap(), calendar_aligned, zone: zone(name).unwrap() }
}

fn aligned(every: &str, name: &str) -> BudgetWindow {
    window(every, true, name)
}

/// The beginnings of consecutive windows, as clocks in UTC show them: that of the first moment's, and so many after it.
fn starts(window: &BudgetWindow, began: &str, first: &str, more: usize) -> Vec<String> {
    let mut period = window.at(ms(began), ms(first));
    let mut starts = vec![utc_text(period.start_ms)];
    for _ in 0..more {
        period = window.at(ms(began), period.end_ms);
        starts.push(utc_text(period.start_ms));
    }
    starts
}

#[test]
fn zones_are_known_by_name_whatever_the_machine_has() {
    for name in ODD {
        assert!(zone(name).is_some(), "{name}");
    }
    assert_eq!(zone("europe/berlin").unwrap().iana_name(), Some("Europe/Berlin"));
    assert_eq!(zone("utc"), Some(TimeZone::UTC));
}

#[test]
fn what_is_no_zone_is_refused() {
    for name in
        ["", " ", "Berlin", "Europe/Atlantis", "CEST", "+02:00", "../etc/passwd", "Etc/Unknown", "Europe/Berlin "]
    {
        assert!(zone(name).is_none(), "{name}");
    }
}

#[test]
fn moments_are_shown_in_whole_seconds_of_utc() {
    assert_eq!(utc_text(0), "1970-01-01T00:00:00Z");
    assert_eq!(utc_text(ms("2026-12-01T00:00:00Z")), "2026-12-01T00:00:00Z");
    assert_eq!(utc_text(ms("2026-12-01T00:00:00Z") - 1), "2026-11-30T23:59:59Z");
    assert_eq!(utc_text(ms("2026-06-01T00:00:00+02:00")), "2026-05-31T22:00:00Z");
    assert_eq!(utc_text(u64::MAX), utc_text(u64::MAX / 2), "the last moment that there is");
    assert!(utc_text(u64::MAX).starts_with("9999-12-"));
}

#[test]
fn windows_are_equal_if_they_count_alike_and_then_their_texts_are() {
    let all: Vec<_> = ["1h", "1d", "2d", "1w", "1M", "1Q", "1Y"]
        .into_iter()
        .flat_map(|every| [false, true].map(|is_aligned| (every, is_aligned)))
        .flat_map(|(every, is_aligned)| {
            ["UTC", "Europe/Berlin", "Asia/Gaza"].map(|zone| window(every, is_aligned, zone))
        })
        .collect();
    for one in &all {
        for other in &all {
            assert_eq!(one == other, one.to_string() == other.to_string(), "{one} and {other}");
        }
    }
    assert_eq!(window("1d", false, "UTC"), window("1d", false, "Europe/Berlin"), "no calendar has a say in it");
    assert_ne!(window("1M", false, "UTC"), window("1M", false, "Europe/Berlin"));
}

#[test]
fn the_text_of_a_window_names_what_it_depends_on() {
    let texts = [
        (window("1d", false, "Europe/Berlin"), "1d"),
        (window("1M", false, "UTC"), "1M"),
        (window("1M", false, "Europe/Berlin"), "1M in Europe/Berlin"),
        (aligned("1h", "Europe/Berlin"), "1h aligned"),
        (aligned("1d", "UTC"), "1d aligned"),
        (aligned("1w", "europe/berlin"), "1w aligned in Europe/Berlin"),
    ];
    for (window, text) in texts {
        assert_eq!(window.to_string(), text);
    }
}
