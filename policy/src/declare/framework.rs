//! The `framework` section: where prices come from.

use std::time::Duration;

use super::json::Json;
use super::node::{Node, Read};
use super::pause::parse_go_duration;
use super::prices::{PriceSource, PricingShape};
use super::scalar::whole;

/// The `framework` section.
#[derive(Clone, Debug)]
pub struct FrameworkShape {
    /// `pricing`
    pub pricing: PricingShape,
}

const DAY: Duration = Duration::from_hours(24);
const LONGEST_SECONDS: u64 = 366 * 86_400;

impl Read for FrameworkShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { pricing: fields.section("pricing") })
    }
}

impl Read for PricingShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            source: fields.with("pricing_url", source).unwrap_or_default(),
            interval: fields.with("pricing_sync_interval", interval).unwrap_or(DAY),
        })
    }
}

/// `file:///path`, or an http or https URL. It may hold a token, so what stands after the host is never shown.
fn source(node: Node<'_>) -> PriceSource {
    let url = Box::<str>::read(node);
    let message = match url.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => return PriceSource::File(path.into()),
        Some(("http" | "https", rest)) => match host_of(rest) {
            Ok(()) => return PriceSource::Url(url),
            Err(message) => message,
        },
        _ if url.is_empty() => return PriceSource::BuiltIn,
        _ => "must be a `file:///absolute/path`, or an http or https URL",
    };
    node.log.error_about_secret(node.path, message);
    PriceSource::BuiltIn
}

/// Says what is wrong with what stands after `https://`.
fn host_of(rest: &str) -> Result<(), &'static str> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err("must not hold blanks, line breaks or characters beyond ASCII")
    } else if authority.contains('@') {
        Err("must not hold a user name or a password")
    } else if authority.is_empty() || authority.starts_with(':') {
        Err("has no host")
    } else {
        Ok(())
    }
}

/// A whole number of seconds, or a Go duration such as `"1h30m"`.
fn interval(node: Node<'_>) -> Duration {
    let range = 1..=LONGEST_SECONDS;
    if matches!(node.json, Json::Number(_)) {
        return Duration::from_secs(whole(node, &range));
    }
    let text = Box::<str>::read(node);
    let fits = |time: &Duration| range.contains(&time.as_secs());
    parse_go_duration(&text).filter(fits).unwrap_or_else(|| {
        if !text.is_empty() {
            node.error("expected a number of seconds or a duration, a second to a year, as in 3600 or \"1h\"");
        }
        DAY
    })
}
