use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug)]
struct Headers(HashMap<String, String>);

impl Fields for Headers {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn each(&self, _show: &mut dyn FnMut(&str, &str)) {}
}

fn headers(fields: &[(&str, &str)]) -> Headers {
    Headers(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// 1994-11-06 08:49:37 UTC, the moment of RFC 9110's examples.
const THEN_MS: u64 = 784_111_777_000;

fn wait_of(name: &str, value: &str) -> Option<u128> {
    retry_after(&headers(&[(name, value)]), b"", THEN_MS - 2_500).map(|wait| wait.as_millis())
}

#[test]
fn every_form_of_a_wait_is_read() {
    let cases = [
        ("retry-after", "0", Some(0)),
        ("retry-after", " 120 ", Some(120_000)),
        ("retry-after", "1.5", Some(1_500)),
        ("retry-after", "86400", Some(86_400_000)),
        ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some(2_500)),
        ("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT", Some(2_500)),
        ("retry-after", "Sun Nov  6 08:49:37 1994", Some(2_500)),
        ("retry-after-ms", "20", Some(20)),
        ("retry-after-ms", "20.5", Some(20)),
        ("x-ms-retry-after-ms", "999", Some(999)),
    ];
    for (name, value, expected) in cases {
        assert_eq!(wait_of(name, value), expected, "{name}: {value}");
    }
}

#[test]
fn a_wait_that_makes_no_sense_is_none() {
    let values = [
        "",
        "-1",
        "+1",
        "1e3",
        "NaN",
        "inf",
        ".5",
        "5.",
        "1.2.3",
        "1 s",
        "soon",
        "86401",
        "99999999999999999999",
        "Sun, 06 Nov 1994 08:49:34 GMT",
        "Sun, 06 Nov 2094 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    ];
    for value in values {
        assert_eq!(wait_of("retry-after", value), None, "{value}");
    }
    assert_eq!(wait_of("retry-after-ms", "86400001"), None);
}

#[test]
fn the_finest_wait_is_asked_first_and_a_broken_one_passed_over() {
    let wait = |fields: &[(&str, &str)]| retry_after(&headers(fields), b"", 0).map(|wait| wait.as_millis());
    assert_eq!(wait(&[("retry-after", "1"), ("retry-after-ms", "210")]), Some(210));
    assert_eq!(wait(&[("retry-after", "1"), ("x-ms-retry-after-ms", "210")]), Some(210));
    assert_eq!(wait(&[("retry-after", "1"), ("retry-after-ms", "-5")]), Some(1_000));
}

#[test]
fn durations_have_units() {
    let cases = [
        ("6m0s", Some(360_000)),
        ("20ms", Some(20)),
        ("1h2m3.5s", Some(3_723_500)),
        ("2m59.56s", Some(179_560)),
        ("32s", Some(32_000)),
        ("1d", Some(86_400_000)),
        ("0s", Some(0)),
        ("1d1ms", None),
        ("21599.960323804s", Some(21_599_960)),
        ("-3s", None),
        ("3", None),
        ("s", None),
        ("3s4", None),
        ("3y", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(duration(text).map(|wait| wait.as_millis()), expected, "{text}");
    }
}

#[test]
fn a_reset_counts_only_where_nothing_is_left() {
    let wait = |fields: &[(&str, &str)]| retry_after(&headers(fields), b"", 0).map(|wait| wait.as_millis());
    let requests = ("x-ratelimit-reset-requests", "20ms");
    let tokens = ("x-ratelimit-reset-tokens", "6m0s");
    assert_eq!(wait(&[requests, tokens]), None);
    assert_eq!(wait(&[("x-ratelimit-remaining-requests", "1"), requests]), None);
    assert_eq!(wait(&[("x-ratelimit-remaining-requests", "0"), requests, tokens]), Some(20));
    let both = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-remaining-tokens", "0"), requests, tokens];
    assert_eq!(wait(&both), Some(360_000));
    assert_eq!(wait(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "7")]), Some(7_000));
    let epoch = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1741305600000")];
    assert_eq!(wait(&epoch), None);
}

#[test]
fn headroom_is_that_of_the_tightest_limit() {
    type Given = &'static [(&'static str, &'static str)];
    let cases: &[(Given, Option<u16>)] = &[
        (&[], None),
        (&[("x-ratelimit-remaining-requests", "50"), ("x-ratelimit-limit-requests", "100")], Some(500)),
        (
            &[
                ("x-ratelimit-remaining-requests", "50"),
                ("x-ratelimit-limit-requests", "100"),
                ("x-ratelimit-remaining-tokens", "1"),
                ("x-ratelimit-limit-tokens", "3"),
            ],
            Some(333),
        ),
        (
            &[
                ("anthropic-ratelimit-requests-remaining", "9"),
                ("anthropic-ratelimit-requests-limit", "10"),
                ("anthropic-ratelimit-output-tokens-remaining", "0"),
                ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ],
            Some(0),
        ),
        (&[("x-ratelimit-remaining-tokens", "200"), ("x-ratelimit-limit-tokens", "100")], Some(1_000)),
        (&[("x-ratelimit-remaining-tokens", "5")], None),
        (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-limit-tokens", "0")], None),
        (&[("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-limit-tokens", "-1")], None),
    ];
    for (fields, expected) in cases {
        assert_eq!(headroom(&headers(fields)), *expected, "{fields:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_sensible_wait_or_none(text in "[-+0-9.a-zA-Z, :]{0,40}") {
        for wait in [duration(&text), scaled(&text, NANOS_PER_SECOND), until(&text, 0)].into_iter().flatten() {
            prop_assert!(wait <= LONGEST);
        }
    }

    #[test]
    fn seconds_are_read_back(millis in 0_u64..=86_400_000) {
        let text = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        prop_assert_eq!(scaled(&text, NANOS_PER_SECOND), Some(Duration::from_millis(millis)));
        prop_assert_eq!(duration(&format!("{text}s")), Some(Duration::from_millis(millis)));
    }

    #[test]
    fn headroom_is_a_share(remaining in any::<u64>(), limit in any::<u64>()) {
        let (remaining, limit) = (remaining.to_string(), limit.to_string());
        let fields = [("x-ratelimit-remaining-tokens", &*remaining), ("x-ratelimit-limit-tokens", &*limit)];
        prop_assert!(headroom(&headers(&fields)).is_none_or(|left| left <= 1_000));
    }
}
