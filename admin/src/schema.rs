//! The shapes of entities in requests and replies, for the document of the API. Requests are read by `policy`, whose word counts;
//! replies are the documents that are kept, with their limits in place.

mod caller;
mod limit;
mod provider;
mod rule;

pub use caller::*;
pub use limit::*;
pub use provider::*;
pub use rule::*;

/// An entity as requests write it and as replies show it, each field that both have written once: those that every reply has
/// (`known`) and those that are there if they were said (`said`). In a `PUT` absent fields stay as they are, and `null` removes.
macro_rules! entity {
    (
        $(#[$about:meta])*
        body $(#[$strict:meta])? $body:ident, reply $reply:ident;
        known { $($(#[$of_known:meta])* $known:ident: $known_type:ty,)* }
        said { $($(#[$of_said:meta])* $said:ident: $said_type:ty,)* }
        body { $($(#[$of_written:meta])* $written:ident: $written_type:ty,)* }
        reply { $($(#[$of_shown:meta])* $shown:ident: $shown_type:ty,)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        $(#[$strict])?
        pub struct $body {
            $($(#[$of_known])* pub $known: Option<$known_type>,)*
            $($(#[$of_said])* pub $said: Option<$said_type>,)*
            $($(#[$of_written])* pub $written: Option<$written_type>,)*
        }

        $(#[$about])*
        #[derive(Debug, utoipa::ToSchema)]
        pub struct $reply {
            $($(#[$of_known])* pub $known: $known_type,)*
            $($(#[$of_said])* pub $said: Option<$said_type>,)*
            $($(#[$of_shown])* pub $shown: $shown_type,)*
        }
    };
}

/// An entity that was made once, by somebody.
macro_rules! kept {
    (
        $(#[$about:meta])*
        body $(#[$strict:meta])? $body:ident, reply $reply:ident;
        known { $($known:tt)* }
        said { $($said:tt)* }
        body { $($written:tt)* }
        reply { $($shown:tt)* }
    ) => {
        $crate::schema::entity! {
            $(#[$about])*
            body $(#[$strict])? $body, reply $reply;
            known { $($known)* }
            said { $($said)* }
            body { $($written)* }
            reply {
                $($shown)*
                /// `file` or `api`: who declared it.
                source: String,
                /// When it was made (RFC 3339).
                created_at: String,
                /// When it was changed last (RFC 3339).
                updated_at: String,
            }
        }
    };
}

/// An entity that budgets and a rate limit may stand on.
macro_rules! limited {
    (
        $(#[$about:meta])*
        as $made:ident:
        body $body:ident, reply $reply:ident;
        known { $($known:tt)* }
        said { $($said:tt)* }
        body { $($written:tt)* }
        reply { $($shown:tt)* }
    ) => {
        $crate::schema::$made! {
            $(#[$about])*
            body #[serde(deny_unknown_fields)] $body, reply $reply;
            known { $($known)* }
            said {
                $($said)*
                /// Budgets that are declared elsewhere. In replies all that it has, which `budgets` shows.
                budget_ids: Vec<String>,
                /// A rate limit that is declared elsewhere. In replies the one that it has, which `rate_limit` shows.
                rate_limit_id: String,
            }
            body {
                $($written)*
                /// Its one budget.
                budget: $crate::schema::BudgetBody,
                /// Its budgets: all that there are from now on. One of the same duration keeps its usage.
                budgets: Vec<$crate::schema::BudgetBody>,
                /// Its rate limit.
                rate_limit: $crate::schema::RateLimitBody,
            }
            reply {
                $($shown)*
                /// Its budgets.
                budgets: Vec<$crate::schema::Budget>,
                /// Its rate limit.
                #[schema(required)]
                rate_limit: Option<$crate::schema::RateLimit>,
            }
        }
    };
}

pub(crate) use {entity, kept, limited};
