//! The outcome of the gate: a plan, or a refusal that says what, why, and when to come back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::id::RateLimitId;
use crate::route::Plan;

/// What the gate decided.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every decision is a plan, and it is moved once")]
pub enum Decision {
    /// It may go ahead, by this plan.
    Admit(Plan),
    /// It may not.
    Refuse(Refusal),
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// Why a request is refused, or why it failed. Stable: clients and dashboards match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code: the `type` of the error body, and the label in metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

reasons! {
    /// A header that the operator requires is missing or has a wrong value.
    MissingRequiredHeaders = "missing_required_headers", 400;
    /// The body is no JSON, names no model, or contradicts itself.
    InvalidRequest = "invalid_request_error", 400;
    /// The body is larger than allowed.
    BodyTooLarge = "invalid_request_error", 413;
    /// The body did not arrive in time.
    BodyTimeout = "request_timeout", 408;
    /// The header block is larger than allowed.
    HeadersTooLarge = "request_header_fields_too_large", 431;
    /// There is nothing at this path.
    NotFound = "not_found_error", 404;
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// A virtual key is needed and none was sent.
    VirtualKeyRequired = "virtual_key_required", 401;
    /// The virtual key is not known.
    VirtualKeyNotFound = "virtual_key_not_found", 401;
    /// The virtual key is inactive or expired.
    VirtualKeyBlocked = "virtual_key_blocked", 403;
    /// Too many failed authentications from this address.
    AuthenticationThrottled = "authentication_throttled", 429;
    /// The provider is not allowed, or not configured.
    ProviderBlocked = "provider_blocked", 403;
    /// The model is not allowed.
    ModelBlocked = "model_blocked", 403;
    /// The operation is not allowed to this key.
    OperationBlocked = "operation_blocked", 403;
    /// A budget is spent, or what is left of it does not pay for the call.
    BudgetExceeded = "budget_exceeded", 402;
    /// What is left of a budget would pay for the call, but calls in flight reserved it.
    BudgetReserved = "budget_reserved", 429;
    /// A limit on requests is reached.
    RequestLimited = "request_limited", 429;
    /// A limit on tokens is reached.
    TokenLimited = "token_limited", 429;
    /// Limits on requests and on tokens are reached.
    RateLimited = "rate_limited", 429;
    /// As many calls are in flight as may be.
    ConcurrencyLimited = "concurrency_limited", 429;
    /// A budget that cannot be overspent applies, and the model has no price.
    ModelUnpriced = "model_unpriced", 403;
    /// What is spent cannot be written down at present, so nothing is spent.
    LedgerUnavailable = "ledger_unavailable", 503;
    /// Nobody serves the model.
    ModelNotFound = "model_not_found", 404;
    /// The provider's every credential refused, or none may be used.
    CredentialsExhausted = "upstream_credentials_exhausted", 502;
    /// The provider did not answer in time.
    UpstreamTimeout = "upstream_timeout", 504;
    /// The provider could not be reached, or broke off.
    UpstreamUnreachable = "upstream_unreachable", 502;
    /// The gateway holds as many request bytes as it may.
    Overloaded = "overloaded_error", 503;
    /// The gateway itself failed.
    Internal = "internal_error", 500;
}

/// A refusal, as a value: safe to show to the client, in whatever dialect.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {message}", reason.as_str())]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// What is refused, why, and what to do. Holds no secret and nothing of another tenant.
    pub message: String,
    /// The field of the request that it is about, if it is about one.
    pub param: Option<Cow<'static, str>>,
    /// When to come back, if that is known.
    pub retry_after: Option<Duration>,
    /// The limits that it is about.
    pub limits: Option<Arc<LimitsLeft>>,
}

/// What is left of the tightest limits of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsLeft {
    /// On requests.
    pub requests: Option<QuotaLeft>,
    /// On tokens.
    pub tokens: Option<QuotaLeft>,
}

/// What is left of one quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaLeft {
    /// Its rate limit.
    pub id: RateLimitId,
    /// How many there are in a window.
    pub most: u64,
    /// How many are left.
    pub left: u64,
    /// The length of the window.
    pub window_ms: u64,
    /// How long until more are left.
    pub frees_in_ms: u64,
}

impl Refusal {
    /// A refusal for this reason.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), param: None, retry_after: None, limits: None }
    }

    /// Names the field of the request that it is about.
    #[must_use]
    pub fn about(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Whether a retry within a minute is useless, so that SDKs should not make one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self.retry_after {
            Some(wait) => wait > Duration::from_mins(1),
            None => self.reason.status() < 500,
        }
    }
}
