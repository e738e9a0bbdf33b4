//! Names of things, as types that cannot be mixed up.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// Identifies a virtual key; budgets, logs and rules refer to it. Never the token itself.
    VirtualKeyId
}
name! {
    /// Identifies a team.
    TeamId
}
name! {
    /// Identifies a customer.
    CustomerId
}
name! {
    /// The name under which a provider is configured, such as `openai` or `groq-eu`.
    ProviderName
}
name! {
    /// The name of one credential of a provider, unique within that provider.
    CredentialName
}
name! {
    /// A model's name as the provider knows it, or an alias.
    ModelName
}
name! {
    /// Identifies a routing rule.
    RuleId
}
name! {
    /// Identifies an override of prices.
    PriceOverrideId
}
name! {
    /// Identifies a budget. Entities that share a budget share one account.
    BudgetId
}
name! {
    /// Identifies a rate limit. Entities that share one share its account.
    RateLimitId
}
