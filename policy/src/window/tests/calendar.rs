//! Windows on known days of known calendars.

use super::*;

#[test]
fn months_keep_the_day_that_the_budget_began_on() {
    let monthly = window("1M", false, "UTC");
    let began = "2026-01-31T10:30:00.250Z";
    let expected =
        ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"].map(|day| format!("{day}T10:30:00Z"));
    assert_eq!(starts(&monthly, began, began, 4), expected);
    assert_eq!(starts(&monthly, began, "2028-02-29T10:30:00.250Z", 0), ["2028-02-29T10:30:00Z"], "a leap year");
    let before = monthly.at(ms(began), ms("2028-02-29T10:30:00.249Z"));
    assert_eq!(
        (utc_text(before.start_ms), before.end_ms),
        ("2028-01-31T10:30:00Z".into(), ms("2028-02-29T10:30:00.250Z"))
    );
}

#[test]
fn months_keep_the_time_of_day_over_daylight_saving() {
    let began = "2026-02-15T09:00:00+01:00";
    let berlin = starts(&window("1M", false, "Europe/Berlin"), began, began, 2);
    assert_eq!(berlin, ["2026-02-15T08:00:00Z", "2026-03-15T08:00:00Z", "2026-04-15T07:00:00Z"]);
    let later = starts(&window("1M", false, "Europe/Berlin"), began, "2126-07-20T00:00:00Z", 0);
    assert_eq!(later, ["2126-07-15T07:00:00Z"], "a hundred years later too");
}

#[test]
fn a_month_that_would_begin_in_a_skipped_hour_begins_when_clocks_are_put_forward() {
    let monthly = window("1M", false, "Europe/Berlin");
    let began = "2026-01-29T02:30:00+01:00";
    assert_eq!(starts(&monthly, began, "2026-03-28T00:00:00Z", 1), ["2026-02-28T01:30:00Z", "2026-03-29T01:00:00Z"]);
}

#[test]
fn a_budget_made_in_the_second_of_two_like_hours_begins_there() {
    let monthly = window("1M", false, "Europe/Berlin");
    let began = "2026-10-25T02:30:00+01:00";
    assert_eq!(starts(&monthly, began, began, 1), ["2026-10-25T01:30:00Z", "2026-11-25T01:30:00Z"]);
    assert_eq!(starts(&monthly, began, "2026-10-25T00:45:00Z", 0), ["2026-10-25T01:30:00Z"], "nothing was before it");
}

#[test]
fn days_and_weeks_that_are_not_aligned_have_one_length() {
    let began = "2026-03-28T12:00:00Z";
    let daily = starts(&window("1d", false, "Europe/Berlin"), began, began, 2);
    assert_eq!(daily, ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"]);
    let fortnightly = starts(&window("2w", false, "UTC"), began, "2026-04-20T00:00:00Z", 1);
    assert_eq!(fortnightly, ["2026-04-11T12:00:00Z", "2026-04-25T12:00:00Z"]);
}

#[test]
fn quarters_and_years_that_are_not_aligned_are_civil_ones() {
    let began = "2023-11-30T06:00:00Z";
    assert_eq!(starts(&window("1Q", false, "UTC"), began, began, 2).last().unwrap(), "2024-05-30T06:00:00Z");
    assert_eq!(starts(&window("1Q", false, "UTC"), began, "2024-03-01T00:00:00Z", 0), ["2024-02-29T06:00:00Z"]);
    let leap = "2024-02-29T00:00:00Z";
    let years =
        ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"].map(|day| format!("{day}T00:00:00Z"));
    assert_eq!(starts(&window("1Y", false, "UTC"), leap, leap, 4), years);
}

#[test]
fn aligned_windows_begin_where_the_calendar_says() {
    let began = "2020-01-01T00:00:00Z";
    let at = "2026-11-21T14:25:36Z";
    let cases = [
        ("30s", "2026-11-21T14:25:30Z"),
        ("1m", "2026-11-21T14:25:00Z"),
        ("1h", "2026-11-21T14:00:00Z"),
        ("6h", "2026-11-21T12:00:00Z"),
        ("1d", "2026-11-21T00:00:00Z"),
        ("1w", "2026-11-16T00:00:00Z"),
        ("1M", "2026-11-01T00:00:00Z"),
        ("2M", "2026-11-01T00:00:00Z"),
        ("3M", "2026-10-01T00:00:00Z"),
        ("1Q", "2026-10-01T00:00:00Z"),
        ("2Q", "2026-07-01T00:00:00Z"),
        ("1Y", "2026-01-01T00:00:00Z"),
        ("5Y", "2025-01-01T00:00:00Z"),
    ];
    for (every, start) in cases {
        assert_eq!(starts(&aligned(every, "UTC"), began, at, 0), [start], "{every}");
    }
}

#[test]
fn aligned_windows_of_several_days_or_weeks_tile_from_1970() {
    let began = "1970-01-01T00:00:00Z";
    assert_eq!(
        starts(&aligned("2d", "UTC"), began, "1970-01-04T12:00:00Z", 1),
        ["1970-01-03T00:00:00Z", "1970-01-05T00:00:00Z"]
    );
    assert_eq!(
        starts(&aligned("2w", "UTC"), began, "1970-01-20T00:00:00Z", 1),
        ["1970-01-19T00:00:00Z", "1970-02-02T00:00:00Z"]
    );
    let first = aligned("1w", "UTC").at(0, 0);
    assert_eq!((first.start_ms, utc_text(first.end_ms)), (0, "1970-01-05T00:00:00Z".into()), "the rest of the week");
}

#[test]
fn the_first_aligned_window_is_what_is_left_of_it() {
    let began = ms("2026-11-21T14:00:00Z");
    let first = aligned("1M", "UTC").at(began, began);
    assert_eq!(first, Period { start_ms: began, end_ms: ms("2026-12-01T00:00:00Z") });
    assert_eq!(aligned("1M", "UTC").at(began, ms("2026-11-02T00:00:00Z")), first, "an earlier moment is in it");
}

#[test]
fn a_day_has_23_or_25_hours_when_clocks_are_changed() {
    let hours = |day: &str| {
        let period = aligned("1d", "Europe/Berlin").at(0, ms(&format!("{day}T10:00:00Z")));
        (utc_text(period.start_ms), (period.end_ms - period.start_ms) / 3_600_000)
    };
    assert_eq!(hours("2026-03-28"), ("2026-03-27T23:00:00Z".into(), 24));
    assert_eq!(hours("2026-03-29"), ("2026-03-28T23:00:00Z".into(), 23));
    assert_eq!(hours("2026-10-25"), ("2026-10-24T22:00:00Z".into(), 25));
    assert_eq!(hours("2126-10-27"), ("2126-10-26T22:00:00Z".into(), 25), "the rule holds for ever: the last Sunday");
}

#[test]
fn a_day_without_midnight_begins_when_clocks_are_put_forward() {
    // On 2018-11-04 clocks in São Paulo went from 00:00 to 01:00.
    let sao_paulo = aligned("1d", "America/Sao_Paulo");
    let expected = ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"];
    assert_eq!(starts(&sao_paulo, "2018-01-01T00:00:00Z", "2018-11-03T12:00:00Z", 2), expected);
}

#[test]
fn a_midnight_inside_the_skipped_hour_does_not_delay_the_day() {
    // As in Toronto in 1919. There was none of the kind since 1970, so that one is made up: each year on the second Sunday of
    // March clocks go from 23:30 of the day before to 00:30.
    let zone = TimeZone::posix("EST5EDT,M3.2.0/-0:30,M11.1.0/1").unwrap();
    let daily = BudgetWindow { every: "1d".parse().unwrap(), calendar_aligned: true, zone };
    let expected = ["2026-03-07T05:00:00Z", "2026-03-08T04:30:00Z", "2026-03-09T04:00:00Z"];
    assert_eq!(starts(&daily, "2026-01-01T00:00:00Z", "2026-03-07T12:00:00Z", 2), expected);
}

#[test]
fn a_midnight_that_is_shown_twice_begins_the_day_once() {
    // On 2026-11-01 clocks in Havana go from 01:00 back to 00:00; on 2010-11-07 they went from 00:01 back to 23:01 in St. John's.
    let havana = starts(&aligned("1d", "America/Havana"), "2026-01-01T00:00:00Z", "2026-10-31T12:00:00Z", 2);
    assert_eq!(havana, ["2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"]);
    let st_johns = aligned("1d", "America/St_Johns");
    let expected = ["2010-11-06T02:30:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"];
    assert_eq!(starts(&st_johns, "2010-01-01T00:00:00Z", "2010-11-06T12:00:00Z", 2), expected);
    let shown_as_the_day_before = st_johns.at(0, ms("2010-11-07T03:00:00Z"));
    assert_eq!(utc_text(shown_as_the_day_before.start_ms), "2010-11-07T02:30:00Z");
}

#[test]
fn a_day_that_was_left_out_has_no_window() {
    // Apia went from the end of 2011-12-29 to the beginning of 2011-12-31.
    let apia = aligned("1d", "Pacific/Apia");
    let expected = ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"];
    assert_eq!(starts(&apia, "2011-01-01T00:00:00Z", "2011-12-29T12:00:00Z", 2), expected);
}

#[test]
fn windows_after_the_last_date_never_end_and_no_number_is_too_large() {
    for every in ["1s", "1h", "1d", "1w", "1M", "1Q", "1Y", "4294967295s", "4294967295d", "4294967295w", "4294967295Y"]
    {
        for is_aligned in [false, true] {
            for name in ["UTC", "Pacific/Apia", "America/New_York"] {
                let window = window(every, is_aligned, name);
                for began_ms in [0, 1, ms("2026-11-21T14:25:36Z"), u64::MAX - 1] {
                    let period = window.at(began_ms, u64::MAX - 1);
                    assert!(
                        period.contains(u64::MAX - 1) && period.start_ms >= began_ms,
                        "{window} {began_ms} {period:?}"
                    );
                    assert_eq!(window.at(began_ms, u64::MAX), period, "{window} {began_ms}");
                }
                assert_eq!(window.at(u64::MAX, 0).end_ms, u64::MAX, "{window}");
            }
        }
    }
    assert_eq!(aligned("1M", "UTC").at(0, ms("9999-12-15T00:00:00Z")).end_ms, u64::MAX);
    assert_eq!(
        aligned("4294967295Y", "UTC").at(0, ms("2026-01-01T00:00:00Z")),
        Period { start_ms: 0, end_ms: u64::MAX }
    );
}
