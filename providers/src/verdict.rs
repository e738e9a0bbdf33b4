//! What a vendor's failed answer failed for. What comes of it (marks, pauses, other targets) is `policy`'s business.

use std::time::Duration;

use policy::request::{Dialect, Fields};
use policy::route::Failure;

use crate::error::VendorError;
use crate::{anthropic, gemini, openai};

mod pace;
pub(crate) mod words;

pub(crate) use pace::duration;
pub use pace::{headroom, retry_after};
use words::{Class, Words};

/// A vendor's answer that is no success.
#[derive(Clone, Copy, Debug)]
pub struct ErrorAnswer<'a> {
    /// The vendor's name in [`crate::vendor::VENDORS`].
    pub vendor: &'a str,
    /// The wire format it speaks.
    pub dialect: Dialect,
    /// The HTTP status.
    pub status: u16,
    /// Its header fields; names in lower case.
    pub headers: &'a dyn Fields,
    /// Its body, or the first 64 KiB of it; need not be JSON.
    pub body: &'a [u8],
    /// The time, in milliseconds since 1970, for a `Retry-After` that is a date.
    pub now_unix_ms: u64,
}

/// What the answer failed for.
///
/// A redirect is [`Failure::BadAnswer`]: no vendor's API redirects, so the base URL is wrong, and following it would take
/// the credential elsewhere. A refused prefill is [`Failure::Final`] here: only who made the request knows whether its last
/// message was the caller's own or put there to go on from ([`refuses_prefill`]).
#[must_use]
pub fn failure_of(answer: &ErrorAnswer<'_>) -> Failure {
    let error = VendorError::read(answer.body);
    if answer.status < 300 {
        return error.map_or(Failure::BadAnswer, |error| failure_in_body(answer.vendor, answer.dialect, &error).0);
    }
    let retry_after = pace::in_headers(answer.headers, answer.now_unix_ms)
        .or_else(|| error.as_ref().and_then(|error| error.retry_after))
        .or_else(|| pace::reset(answer.headers));
    let case = Case {
        vendor: answer.vendor,
        dialect: answer.dialect,
        status: answer.status,
        error: error.as_ref(),
        is_json: answer.body.trim_ascii_start().starts_with(b"{") || error.is_some(),
        retry_after,
    };
    case.failure()
}

/// What an error failed for that came with status 200, as the whole answer or as an event of a stream, and the status that it
/// should have come with. One that names no class known here is [`Failure::BadAnswer`], 502.
#[must_use]
pub fn failure_in_body(vendor: &str, dialect: Dialect, error: &VendorError) -> (Failure, u16) {
    let status = error.status.unwrap_or(400);
    let case = Case { vendor, dialect, status, error: Some(error), is_json: true, retry_after: error.retry_after };
    let failure = case.failure();
    if error.status.is_some() {
        return (failure, status);
    }
    match failure {
        Failure::Final if !case.says(Class::Policy) => (Failure::BadAnswer, 502),
        Failure::CredentialRefused => (failure, 401),
        // Where nobody says that the model is not there, the text may be about the account.
        Failure::NotForCredential if case.says(Class::NoModel) => (failure, 404),
        Failure::NotForCredential => (failure, 403),
        Failure::Throttled { .. } => (failure, 429),
        Failure::Unavailable { .. } => (failure, 503),
        _ => (failure, 400),
    }
}

/// Whether the vendor refuses to go on from a text: the last message may not be the assistant's, or not this one.
#[must_use]
pub fn refuses_prefill(answer: &ErrorAnswer<'_>) -> bool {
    let Some(error) = VendorError::read(answer.body) else { return false };
    let is_refusal = matches!(answer.status, 400 | 422) || answer.status < 300 && error.status == Some(400);
    is_refusal && words_of(answer.dialect).iter().any(|words| words.tell(Class::Prefill, &error))
}

/// Whether the vendor's text and body of such a failure may go to the caller. What is said of a credential may quote it, whole
/// or in part, or name the account; that a model is not there (404) is safe to say, why a credential may not use it (403) is not.
#[must_use]
pub const fn is_safe_to_show(failure: Failure, status: u16) -> bool {
    match failure {
        Failure::CredentialRefused => false,
        Failure::NotForCredential => status == 404,
        _ => true,
    }
}

/// Whether an error is about this, in whoever's words.
pub(crate) fn speaks_of(class: Class, error: &VendorError) -> bool {
    words_of(Dialect::OpenAi).iter().any(|words| words.tell(class, error))
}

/// Whose words are to be understood. Many servers speak OpenAI's dialect, and some pass on what other vendors say.
const fn words_of(dialect: Dialect) -> &'static [Words] {
    const OPENAI: &[Words] = &[openai::error::WORDS, anthropic::error::WORDS, gemini::error::WORDS];
    const ANTHROPIC: &[Words] = &[anthropic::error::WORDS, openai::error::WORDS];
    const GEMINI: &[Words] = &[gemini::error::WORDS];
    match dialect {
        Dialect::OpenAi => OPENAI,
        Dialect::Anthropic => ANTHROPIC,
        Dialect::Gemini => GEMINI,
    }
}

/// One error, with all that is known of it.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    vendor: &'a str,
    dialect: Dialect,
    status: u16,
    /// What the body says. `None`: nothing that can be read.
    error: Option<&'a VendorError>,
    /// Whether the body looks like an API's, and not like a web server's page.
    is_json: bool,
    retry_after: Option<Duration>,
}

impl Case<'_> {
    fn failure(&self) -> Failure {
        match self.status {
            401 | 402 => Failure::CredentialRefused,
            408 | 409 | 500..=599 => self.unavailable(),
            // Groq's own status: its flex tier has no capacity left for now.
            498 if self.vendor == "groq" => self.unavailable(),
            429 => self.at_limit(),
            400..=499 => self.refused(),
            _ => Failure::BadAnswer,
        }
    }

    fn at_limit(&self) -> Failure {
        if self.says(Class::Credential) {
            Failure::CredentialRefused
        } else if self.says(Class::Overloaded) {
            self.unavailable()
        } else {
            self.throttled()
        }
    }

    /// What a 4xx means that has no meaning of its own.
    fn refused(&self) -> Failure {
        // Policy comes first: whatever else such a refusal says, going elsewhere with it would be to evade it.
        if self.says(Class::Policy) {
            Failure::Final
        } else if self.says(Class::Credential) {
            Failure::CredentialRefused
        } else if self.says(Class::Overloaded) {
            self.unavailable()
        } else if self.says(Class::Throttled) {
            self.throttled()
        } else if matches!(self.status, 400 | 413 | 422) && self.is_too_long() {
            Failure::TooLong
        } else if self.status == 403 || self.says(Class::NoModel) || self.status == 404 && self.is_not_there() {
            Failure::NotForCredential
        } else {
            Failure::Final
        }
    }

    /// Whether a 404 is about the model or the address, and not about something that the request names.
    fn is_not_there(&self) -> bool {
        !self.is_json || self.says(Class::NotThere)
    }

    const fn unavailable(&self) -> Failure {
        Failure::Unavailable { retry_after: self.retry_after }
    }

    const fn throttled(&self) -> Failure {
        Failure::Throttled { retry_after: self.retry_after }
    }

    fn says(&self, class: Class) -> bool {
        self.error.is_some_and(|error| words_of(self.dialect).iter().any(|words| words.tell(class, error)))
    }

    fn is_too_long(&self) -> bool {
        // OpenAI limits every string of a request; only those that are read by the model are its input.
        const INPUT: [&str; 4] = ["messages", "input", "prompt", "instructions"];
        let is_input = |param: &String| INPUT.iter().any(|name| param.starts_with(name));
        let is_long_string = |error: &&VendorError| error.code.as_deref() == Some("string_above_max_length");
        match self.error.filter(is_long_string) {
            Some(error) => error.param.as_ref().is_some_and(is_input),
            None => self.says(Class::TooLong),
        }
    }
}

#[cfg(test)]
mod tests;
