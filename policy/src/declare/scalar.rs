//! Reading of single values: names, numbers, secrets, durations, dates, lists of names.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::id::{CredentialName, CustomerId, ModelName, ProviderName, TeamId, VirtualKeyId};
use crate::list::AllowList;
use crate::money::{NanoUsd, scaled_decimal};
use crate::provider::Secret;
use crate::route::Weight;
use crate::route::balance::Balance;
use crate::window::{self, ResetDuration};

use super::json::Json;
use super::node::{Fields, Node, Read};

impl Read for bool {
    fn read(node: Node<'_>) -> Self {
        match node.json {
            Json::Bool(value) => *value,
            _ => {
                node.wrong_kind("true or false");
                false
            }
        }
    }
}

/// Reads a text, which may be empty.
pub(super) fn any_text(node: Node<'_>) -> Box<str> {
    match node.json.as_text() {
        Some(text) => text.into(),
        None => {
            node.wrong_kind("a text");
            Box::default()
        }
    }
}

/// A text that is not empty.
impl Read for Box<str> {
    fn read(node: Node<'_>) -> Self {
        let text = any_text(node);
        if text.is_empty() && node.json.as_text().is_some() {
            node.error("must not be empty");
        }
        text
    }
}

macro_rules! read_as_text {
    ($($name:ty),*) => {
        $(impl Read for $name {
            fn read(node: Node<'_>) -> Self {
                Self::from(&*Box::<str>::read(node))
            }
        })*
    };
}

read_as_text!(VirtualKeyId, TeamId, CustomerId, ProviderName, CredentialName, ModelName);

impl Read for Secret {
    fn read(node: Node<'_>) -> Self {
        match node.json.as_text() {
            Some(text) => {
                if text.is_empty() {
                    node.log.error_about_secret(node.path, "must not be empty");
                }
                Self::new(text)
            }
            None => {
                if !matches!(node.json, Json::Nothing) {
                    let message = format!("expected a text, found {}", node.json.kind());
                    node.log.error_about_secret(node.path, message);
                }
                Self::new("")
            }
        }
    }
}

/// A secret that is sent in a header, so it must be able to stand in one.
pub(super) fn header_secret(node: Node<'_>) -> Secret {
    let secret = Secret::read(node);
    if !secret.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "contains a blank, a line break or another character that a token cannot have";
        node.log.error_about_secret(node.path, message);
    }
    secret
}

impl Read for ResetDuration {
    fn read(node: Node<'_>) -> Self {
        let text = Box::<str>::read(node);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                node.error("expected a whole number and one of s m h d w M Q Y, as in \"30s\" or \"1M\"");
            }
            Self { count: 1, unit: window::ResetUnit::Second }
        })
    }
}

/// Reads the name of a time zone.
pub(super) fn time_zone(node: Node<'_>) -> TimeZone {
    let name = Box::<str>::read(node);
    window::zone(&name).unwrap_or_else(|| {
        if !name.is_empty() {
            let database = TimeZoneDatabase::bundled();
            let known: Vec<_> = database.available().collect();
            let hint = super::nearest::hint(&name, known.iter().map(|name| name.as_str()));
            node.error(format!("no time zone of the IANA database{hint}"));
        }
        TimeZone::UTC
    })
}

/// A number that is not negative, exactly as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// The number times 10^`scale`, rounded up.
    #[must_use]
    pub fn scaled(&self, scale: i32) -> u128 {
        scaled_decimal(&self.0, scale).unwrap_or(0)
    }

    /// The number as a weight; `None` when it is larger than a billion.
    #[must_use]
    pub fn as_weight(&self) -> Option<Weight> {
        Weight::from_text(&self.0)
    }
}

impl Read for Decimal {
    fn read(node: Node<'_>) -> Self {
        match node.json {
            Json::Number(digits) if scaled_decimal(digits, 12).is_some() => return Self(digits.clone()),
            Json::Number(digits) if digits.starts_with('-') => node.error("must not be negative"),
            Json::Number(_) => node.error("too large"),
            _ => node.wrong_kind("a number"),
        }
        Self("0".into())
    }
}

/// An amount in US dollars.
impl Read for NanoUsd {
    fn read(node: Node<'_>) -> Self {
        let amount = Decimal::read(node);
        Self::from_usd_text(&amount.0).unwrap_or_else(|| {
            node.error("too large");
            Self::ZERO
        })
    }
}

impl Read for Weight {
    fn read(node: Node<'_>) -> Self {
        Decimal::read(node).as_weight().unwrap_or_else(|| {
            node.error("too large for a weight");
            Self::ONE
        })
    }
}

/// A list of names that allows: `["*"]` everything, `[]` nothing.
impl Read for AllowList {
    fn read(node: Node<'_>) -> Self {
        let mut seen = BTreeSet::new();
        let names = node.list(|item| {
            let name = Box::<str>::read(item);
            if !name.is_empty() && !seen.insert(name.clone()) {
                item.error("this name stands here twice");
            }
            name
        });
        match names.iter().any(|name| **name == *"*") {
            true if seen.len() > 1 => {
                node.log.error(node.path, "`*` means all and cannot stand beside names");
                Self::All
            }
            true => Self::All,
            false if matches!(node.json, Json::List(_)) => Self::only(names),
            false => Self::All,
        }
    }
}

/// Reads a whole number from `range`.
pub(super) fn whole(node: Node<'_>, range: &RangeInclusive<u64>) -> u64 {
    let (least, most) = (*range.start(), *range.end());
    match node.json {
        Json::Number(digits) => match digits.parse() {
            Ok(number) if range.contains(&number) => return number,
            _ if most == u64::MAX => node.error(format!("expected a whole number, at least {least}")),
            _ => node.error(format!("expected a whole number from {least} to {most}")),
        },
        _ => node.wrong_kind("a whole number"),
    }
    least
}

/// A whole number that may be negative.
impl Read for i32 {
    fn read(node: Node<'_>) -> Self {
        match node.json {
            Json::Number(digits) => match digits.parse() {
                Ok(number) => return number,
                Err(_) => node.error("expected a whole number"),
            },
            _ => node.wrong_kind("a whole number"),
        }
        0
    }
}

/// Reads a time span: `"500ms"`, `"30s"`, `"5m"`, `"1h"`.
pub(super) fn time_span(node: Node<'_>) -> Duration {
    let text = Box::<str>::read(node);
    parse_time_span(&text).unwrap_or_else(|| {
        if !text.is_empty() {
            node.error("expected a whole number and one of ms s m h, as in \"30s\"");
        }
        Duration::ZERO
    })
}

fn parse_time_span(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let count: u64 = digits.parse().ok()?;
    let ms_each = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    count.checked_mul(ms_each).map(Duration::from_millis)
}

/// Reads a moment: `2027-01-31T00:00:00Z`, in milliseconds since 1970.
pub(super) fn moment_ms(node: Node<'_>) -> u64 {
    let text = Box::<str>::read(node);
    let moment = text.parse::<jiff::Timestamp>().ok();
    moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()).unwrap_or_else(|| {
        if !text.is_empty() {
            node.error("expected a date and time with its zone, as in \"2027-01-31T00:00:00Z\"");
        }
        u64::MAX
    })
}

/// A number of days: a century at most.
pub(super) fn days(node: Node<'_>) -> u32 {
    u32::try_from(whole(node, &(1..=36_500))).unwrap_or(1)
}

/// Reads an id that may be written as a text or as a whole number.
pub(super) fn text_or_whole(node: Node<'_>) -> Box<str> {
    match node.json {
        Json::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.clone(),
        _ => Box::read(node),
    }
}

/// Reads one of a few words; `None` after a problem was noted.
pub(super) fn one_of<T: Copy>(node: Node<'_>, words: &[(&'static str, T)]) -> Option<T> {
    let text = Box::<str>::read(node);
    let found = words.iter().find(|(word, _)| **word == *text).map(|(_, value)| *value);
    if found.is_none() && !text.is_empty() {
        let known = words.iter().map(|(word, _)| *word);
        node.error(format!("unknown{}", super::nearest::hint(&text, known)));
    }
    found
}

/// Reads how traffic is spread.
pub(super) fn balance(node: Node<'_>) -> Option<Balance> {
    one_of(node, &[("weighted", Balance::Weighted), ("adaptive", Balance::Adaptive)])
}

impl Fields<'_> {
    /// Reads a small whole number that has a default.
    pub(super) fn small(&mut self, name: &'static str, default: u8, range: RangeInclusive<u8>) -> u8 {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        u8::try_from(self.whole(name, default.into(), range)).unwrap_or(default)
    }

    /// Reads a whole number that has a default.
    pub(super) fn whole(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.with(name, |node| whole(node, &range)).unwrap_or(default)
    }

    /// Reads a whole number of milliseconds that has a default; 0 is allowed if the range says so.
    pub(super) fn millis(&mut self, name: &'static str, default: Duration, range: RangeInclusive<u64>) -> Duration {
        self.with(name, |node| Duration::from_millis(whole(node, &range))).unwrap_or(default)
    }

    /// Reads a whole number of seconds, from 1 to a day, that has a default.
    pub(super) fn seconds(&mut self, name: &'static str, default: Duration) -> Duration {
        self.with(name, |node| Duration::from_secs(whole(node, &(1..=86_400)))).unwrap_or(default)
    }

    /// Reads a weight: absent is 1, `null` is none.
    pub(super) fn weight(&mut self, name: &'static str) -> Option<Weight> {
        self.nullable(name).unwrap_or(Some(Weight::ONE))
    }
}
