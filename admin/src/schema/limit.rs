//! Budgets and rate limits.

use super::entity;

entity! {
    /// A budget, and in replies what was used of it.
    body #[serde(deny_unknown_fields)] BudgetBody, reply Budget;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// How much may be spent in a window, in US dollars.
        #[schema(minimum = 0)]
        max_limit: f64,
        /// How long a window is: `30s`, `5m`, `1h`, `1d`, `1w`, `1M`, `1Q`, `1Y`.
        reset_duration: String,
        /// Whether windows begin where the calendar says.
        calendar_aligned: bool,
        /// Whose calendar: a name of the IANA database.
        timezone: String,
        /// `hard`: never overspent; `soft`: charged afterwards.
        mode: String,
    }
    said {}
    body {}
    reply {
        /// What was charged in the window under way, in US dollars.
        current_usage: f64,
        /// What calls in flight reserved besides, in US dollars.
        reserved: f64,
        /// When the window ends (RFC 3339); `null`: it has not begun.
        #[schema(required)]
        resets_at: Option<String>,
    }
}

/// A budget of its own. A new one may say whose it is: one owner at most, who then has it besides those that it has.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnedBudgetBody {
    /// Its id; a new one that names none is given one.
    pub id: Option<String>,
    /// How much may be spent in a window, in US dollars.
    #[schema(minimum = 0)]
    pub max_limit: Option<f64>,
    /// How long a window is: `30s`, `5m`, `1h`, `1d`, `1w`, `1M`, `1Q`, `1Y`.
    pub reset_duration: Option<String>,
    /// Whether windows begin where the calendar says.
    pub calendar_aligned: Option<bool>,
    /// Whose calendar: a name of the IANA database.
    pub timezone: Option<String>,
    /// `hard`: never overspent; `soft`: charged afterwards.
    pub mode: Option<String>,
    /// The virtual key that has it.
    pub virtual_key_id: Option<String>,
    /// The team that has it.
    pub team_id: Option<String>,
    /// The customer that has it.
    pub customer_id: Option<String>,
}

entity! {
    /// A rate limit: each limit with its window, and in replies what was used of it.
    body #[serde(deny_unknown_fields)] RateLimitBody, reply RateLimit;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// `rolling` or `fixed`.
        algorithm: String,
    }
    said {
        /// How many tokens in a window.
        #[schema(minimum = 1)]
        token_max_limit: u64,
        /// How long that window is.
        token_reset_duration: String,
        /// How many requests in a window.
        #[schema(minimum = 1)]
        request_max_limit: u64,
        /// How long that window is.
        request_reset_duration: String,
        /// How many calls at one time.
        #[schema(minimum = 1)]
        max_concurrent_requests: u32,
    }
    body {}
    reply {
        /// Tokens used in the window under way.
        token_current_usage: u64,
        /// Requests made in the window under way.
        request_current_usage: u64,
        /// Calls in flight.
        concurrent_requests: u32,
    }
}
