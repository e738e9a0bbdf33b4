//! Pauses, written as milliseconds or as Go durations.

use std::time::Duration;

use super::json::Json;
use super::node::{Node, Read};
use super::scalar::whole;

/// Reads a pause: a whole number of milliseconds, or a Go duration such as `"1.5s"` or `"1m30s"`; at most a day.
pub(super) fn pause(node: Node<'_>) -> Duration {
    const MOST: Duration = Duration::from_hours(24);
    if matches!(node.json, Json::Number(_)) {
        return Duration::from_millis(whole(node, &(0..=86_400_000)));
    }
    let text = Box::<str>::read(node);
    parse_go_duration(&text).filter(|pause| *pause <= MOST).unwrap_or_else(|| {
        if !text.is_empty() {
            node.error("expected a number of milliseconds or a duration up to a day, as in 500, \"500ms\" or \"1.5s\"");
        }
        Duration::ZERO
    })
}

/// A sum of decimal numbers, each with its unit, as Go's `time.ParseDuration` reads it; never negative.
pub(super) fn parse_go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut nanos = 0_u64;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(unit_at)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, after) = tail.split_at_checked(unit_end)?;
        let nanos_each = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        nanos = nanos.checked_add(times(number, nanos_each)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_nanos(nanos))
}

/// A decimal number times a whole one, rounded down.
fn times(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(digits(fraction)?) * u128::from(factor) / u128::from(scale);
    digits(whole)?.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}
