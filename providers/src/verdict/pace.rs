//! How fast a vendor lets itself be asked: when to come back after a refusal, and how much of its limits is left.

use std::time::{Duration, UNIX_EPOCH};

use policy::request::Fields;

use crate::error::VendorError;

/// A wait longer than this is a mistake, or no wait at all.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The limits that vendors report, as what is left and what there is.
const LIMITS: [(&str, &str); 6] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-limit"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-limit"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-limit"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-limit"),
];

/// When the vendor says to come back: `retry-after-ms`, `x-ms-retry-after-ms`, `Retry-After` (RFC 9110 §10.2.3; fractions of a
/// second are taken too), Google's `RetryInfo` in the body, and, where there is none of them, the reset of a limit of which
/// nothing is left. `None`: it does not say, or nothing sensible; so are times past, and those more than a day away.
#[must_use]
pub fn retry_after(headers: &dyn Fields, body: &[u8], now_unix_ms: u64) -> Option<Duration> {
    in_headers(headers, now_unix_ms).or_else(|| VendorError::read(body)?.retry_after).or_else(|| reset(headers))
}

/// What is left of the vendor's own limits, of the one of which the least is left, in thousandths of it. `None`: it reports none.
#[must_use]
pub fn headroom(headers: &dyn Fields) -> Option<u16> {
    LIMITS.into_iter().filter_map(|(remaining, limit)| left(headers, remaining, limit)).min()
}

fn left(headers: &dyn Fields, remaining: &str, limit: &str) -> Option<u16> {
    let remaining: u64 = headers.field(remaining)?.trim().parse().ok()?;
    let limit: u64 = headers.field(limit)?.trim().parse().ok()?;
    let thousandths = remaining.min(limit).saturating_mul(1_000).checked_div(limit)?;
    u16::try_from(thousandths).ok()
}

/// When to come back, as the headers made for it say.
pub(crate) fn in_headers(headers: &dyn Fields, now_unix_ms: u64) -> Option<Duration> {
    let millis = |name| scaled(headers.field(name)?.trim(), NANOS_PER_MILLI);
    let wait = millis("retry-after-ms").or_else(|| millis("x-ms-retry-after-ms"));
    wait.or_else(|| {
        let value = headers.field("retry-after")?.trim();
        scaled(value, NANOS_PER_SECOND).or_else(|| until(value, now_unix_ms))
    })
}

/// When the limits of which nothing is left are reset, the last of them.
pub(crate) fn reset(headers: &dyn Fields) -> Option<Duration> {
    const RESETS: [(&str, &str); 2] = [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ];
    let waits = RESETS.into_iter().filter_map(|(remaining, reset)| {
        let is_spent = headers.field(remaining)?.trim() == "0";
        let value = headers.field(reset).filter(|_| is_spent)?.trim();
        duration(value).or_else(|| scaled(value, NANOS_PER_SECOND))
    });
    waits.max()
}

/// The time until an HTTP date. `None`: it is none, or is past.
fn until(date: &str, now_unix_ms: u64) -> Option<Duration> {
    let then = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    then.checked_sub(Duration::from_millis(now_unix_ms)).filter(|wait| *wait <= LONGEST)
}

/// A duration with units, as in `6m0s`, `20ms` and `1.5s`. `None`: it is none, or is longer than a day.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = None;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at_checked(rest.find(|c: char| c.is_ascii_alphabetic())?)?;
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at_checked(end)?;
        let wait = scaled(number, unit_nanos(unit)?)?;
        sum = Some(wait.checked_add(sum.unwrap_or_default())?);
        rest = next;
    }
    sum.filter(|wait| *wait <= LONGEST)
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "d" => 86_400 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "s" => NANOS_PER_SECOND,
        "ms" => NANOS_PER_MILLI,
        "us" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// A decimal number of such units. `None`: it is none, is negative, or is longer than a day.
fn scaled(number: &str, unit_nanos: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let nanos = whole.parse::<u64>().ok()?.checked_mul(unit_nanos)?;
    // Nine digits say all that a nanosecond can hold of a second.
    let (mut part, mut unit) = (0_u64, unit_nanos);
    for digit in fraction.bytes().take(9) {
        unit /= 10;
        part += unit * u64::from(digit - b'0');
    }
    let wait = Duration::from_nanos(nanos.checked_add(part)?);
    (wait <= LONGEST).then_some(wait)
}

#[cfg(test)]
mod tests;
