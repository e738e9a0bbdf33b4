//! What is left of rate limits, as clients are told: the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11, and OpenAI's.

use std::fmt::Write;

use pingora::Result;
use pingora::http::ResponseHeader;
use policy::decision::{LimitsLeft, QuotaLeft};

/// No vendor's unit for tokens is registered, so it bears our name.
const TOKENS: &str = ";qu=\"tollgate-tokens\"";

/// Adds what is left of the tightest limits. `wait_ms`: how long nothing is left, for a refusal.
pub(super) fn add(header: &mut ResponseHeader, left: &LimitsLeft, wait_ms: Option<u64>) -> Result<()> {
    let (mut policies, mut quotas) = (String::new(), String::new());
    let dimensions = [("requests", "", &left.requests), ("tokens", TOKENS, &left.tokens)];
    for (what, unit, quota) in dimensions {
        let Some(quota) = quota else { continue };
        let name = name(quota, what);
        let frees_in_ms = if quota.left == 0 { wait_ms.unwrap_or(quota.frees_in_ms) } else { quota.frees_in_ms };
        let separator = if policies.is_empty() { "" } else { ", " };
        let window = quota.window_ms.div_ceil(1_000);
        // Writing to a string cannot fail.
        let _ = write!(policies, "{separator}{name};q={}{unit};w={}", whole(quota.most), whole(window));
        let frees_in = whole(frees_in_ms.div_ceil(1_000));
        let _ = write!(quotas, "{separator}{name};r={};t={frees_in}", whole(quota.left));
        header.insert_header(format!("x-ratelimit-limit-{what}"), quota.most)?;
        header.insert_header(format!("x-ratelimit-remaining-{what}"), quota.left)?;
        header.insert_header(format!("x-ratelimit-reset-{what}"), span(frees_in_ms))?;
    }
    if !policies.is_empty() {
        header.insert_header("ratelimit-policy", policies)?;
        header.insert_header("ratelimit", quotas)?;
    }
    Ok(())
}

/// The largest integer of structured fields has fifteen digits.
fn whole(number: u64) -> u64 {
    number.min(999_999_999_999_999)
}

/// A quota's name as a string of structured fields (RFC 9651): visible ASCII.
fn name(quota: &QuotaLeft, what: &str) -> String {
    let id = quota.id.as_str().chars().map(|letter| match letter {
        '"' | '\\' => '_',
        ' '..='~' => letter,
        _ => '_',
    });
    format!("\"{}.{what}\"", id.collect::<String>())
}

/// A span of time as OpenAI writes it: `120ms`, `6m0s`, `1h2m3s`.
fn span(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        _ if ms < 1_000 => format!("{ms}ms"),
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(id: &str, most: u64, left: u64, frees_in_ms: u64) -> Option<QuotaLeft> {
        Some(QuotaLeft { id: id.into(), most, left, window_ms: 3_600_000, frees_in_ms })
    }

    fn told(left: &LimitsLeft, wait_ms: Option<u64>, name: &str) -> Option<String> {
        let mut header = ResponseHeader::build(200, None).unwrap();
        add(&mut header, left, wait_ms).unwrap();
        header.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn both_forms_tell_the_same() {
        let left = LimitsLeft { requests: quota("rl", 100, 99, 61_000), tokens: quota("rl", 5_000, 0, 400) };
        let told = |name| told(&left, None, name).unwrap();
        assert_eq!(
            told("ratelimit-policy"),
            r#""rl.requests";q=100;w=3600, "rl.tokens";q=5000;qu="tollgate-tokens";w=3600"#
        );
        assert_eq!(told("ratelimit"), r#""rl.requests";r=99;t=61, "rl.tokens";r=0;t=1"#);
        assert_eq!(told("x-ratelimit-limit-requests"), "100");
        assert_eq!(told("x-ratelimit-remaining-tokens"), "0");
        assert_eq!(told("x-ratelimit-reset-requests"), "1m1s");
        assert_eq!(told("x-ratelimit-reset-tokens"), "400ms");
    }

    #[test]
    fn a_refusals_wait_is_told_where_nothing_is_left() {
        let left = LimitsLeft { requests: quota("r\"l\u{e9}", 1, 0, 5_000), tokens: None };
        assert_eq!(told(&left, Some(9_000), "ratelimit").unwrap(), r#""r_l_.requests";r=0;t=9"#);
        assert_eq!(told(&left, Some(3_723_000), "x-ratelimit-reset-requests").unwrap(), "1h2m3s");
    }

    #[test]
    fn without_limits_nothing_is_told() {
        assert_eq!(told(&LimitsLeft::default(), None, "ratelimit"), None);
    }
}
