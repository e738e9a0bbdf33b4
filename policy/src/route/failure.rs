//! What an attempt failed for, in the terms that decide what comes next. Reading it out of a vendor's answer is the
//! providers' business.

use std::time::Duration;

/// What an attempt failed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The credential was refused, or has no money or quota left: another one may do.
    CredentialRefused,
    /// The credential may not use the model, or its deployment is not there: another one may do.
    NotForCredential,
    /// The vendor's rate limit was reached: another credential may do, or the same one later.
    Throttled {
        /// When to come back, if the vendor says so.
        retry_after: Option<Duration>,
    },
    /// The vendor could not serve (408, 409, 5xx): the same route may do after a pause.
    Unavailable {
        /// When to come back, if the vendor says so.
        retry_after: Option<Duration>,
    },
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// The connection broke before there was an answer.
    Broken {
        /// Whether the vendor can hardly have worked on it, so that it may be asked again.
        may_repeat: bool,
    },
    /// A deadline passed: the same route is not tried again.
    Silent,
    /// The answer began and is none: an error in place of it, nothing at all, no such format, or it broke off.
    BadAnswer,
    /// The input is longer than the model's context window: no target of the same model can do.
    TooLong,
    /// The target does not take the text that it was to go on from.
    PrefillRefused,
    /// The request itself is at fault, or was refused for what it says: the answer goes to the caller.
    Final,
}

impl Failure {
    /// The name in logs, metrics and `x-tollgate-attempts`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialRefused => "credential_refused",
            Self::NotForCredential => "not_for_credential",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Broken { .. } => "broken",
            Self::Silent => "timeout",
            Self::BadAnswer => "bad_answer",
            Self::TooLong => "context_length_exceeded",
            Self::PrefillRefused => "prefill_refused",
            Self::Final => "refused",
        }
    }

    /// When the vendor says to come back.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after } => retry_after,
            _ => None,
        }
    }

    /// Whether the route is the worse for it: such failures open its circuit.
    #[must_use]
    pub const fn blames_route(self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Unreachable | Self::Broken { .. } | Self::Silent | Self::BadAnswer
        )
    }
}
