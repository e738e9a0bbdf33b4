//! What a row of the request log keeps as JSON: all that nobody looks for. What there is nothing to say in is left out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::journal::{AttemptId, Called, TokenCounts};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Detail<'a> {
    #[serde(skip_serializing_if = "is_default")]
    run: u64,
    #[serde(skip_serializing_if = "is_default")]
    call: u64,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    credential: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    dialect: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_default")]
    http_status: u16,
    #[serde(skip_serializing_if = "is_default")]
    vendor_status: u16,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    reason: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    reason_text: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_default")]
    stream: bool,
    #[serde(skip_serializing_if = "is_default")]
    priced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_content_us: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    paused_us: u64,
    #[serde(skip_serializing_if = "is_default")]
    tokens: TokenCounts,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    source: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_cost_nano: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    attempts: u32,
    #[serde(skip_serializing_if = "is_default")]
    retries: u32,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    trail: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    rules: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "is_empty")]
    price_override: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_default")]
    bytes_in: u64,
    #[serde(skip_serializing_if = "is_default")]
    bytes_out: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::ptr_arg, reason = "serde hands a reference to the field")]
fn is_empty(text: &Cow<'_, str>) -> bool {
    text.is_empty()
}

impl<'a> Detail<'a> {
    pub(crate) fn of(called: &'a Called<'_>) -> Self {
        let name = called.call.unwrap_or_default();
        Self {
            run: name.run,
            call: name.number,
            credential: Cow::Borrowed(&called.credential),
            dialect: Cow::Borrowed(&called.dialect),
            http_status: called.http_status,
            vendor_status: called.vendor_status,
            reason: Cow::Borrowed(&called.reason),
            reason_text: Cow::Borrowed(&called.reason_text),
            stream: called.is_stream,
            priced: called.is_priced,
            first_content_us: called.first_content_us,
            paused_us: called.paused_us,
            tokens: called.tokens,
            source: Cow::Borrowed(&called.source),
            vendor_cost_nano: called.vendor_cost_nano,
            attempts: called.attempts,
            retries: called.retries,
            trail: Cow::Borrowed(&called.trail),
            rules: Cow::Borrowed(&called.rules),
            price_override: Cow::Borrowed(&called.price_override),
            bytes_in: called.bytes_in,
            bytes_out: called.bytes_out,
        }
    }

    /// The same, for those who keep what is told of a failure by itself.
    pub(crate) fn without_reason_text(self) -> Self {
        Self { reason_text: Cow::Borrowed(""), ..self }
    }

    /// A call with these, and nothing else in it.
    pub(crate) fn into_call(self) -> Called<'a> {
        let name = AttemptId { run: self.run, number: self.call };
        Called {
            call: (name != AttemptId::default()).then_some(name),
            credential: self.credential,
            dialect: self.dialect,
            http_status: self.http_status,
            vendor_status: self.vendor_status,
            reason: self.reason,
            reason_text: self.reason_text,
            is_stream: self.stream,
            is_priced: self.priced,
            first_content_us: self.first_content_us,
            paused_us: self.paused_us,
            tokens: self.tokens,
            source: self.source,
            vendor_cost_nano: self.vendor_cost_nano,
            attempts: self.attempts,
            retries: self.retries,
            trail: self.trail,
            rules: self.rules,
            price_override: self.price_override,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            ..Called::default()
        }
    }
}
