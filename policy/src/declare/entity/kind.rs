//! The kinds of entities: their names, their places in the file, and which of them must be there before others.

use std::fmt;
use std::str::FromStr;

/// A kind of entity. They sort so that what is referred to comes first: put in force in this order, and removed in the
/// opposite one, no entity ever names one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `client`
    Client,
    /// `governance.auth_config`
    AuthConfig,
    /// `plugins`, all of them
    Plugins,
    /// `framework`
    Framework,
    /// One of `providers`
    Provider,
    /// One of `governance.budgets`, or one that was written on its owner
    Budget,
    /// One of `governance.rate_limits`, or one that was written on its owner
    RateLimit,
    /// One of `governance.providers`
    ProviderLimits,
    /// One of `governance.model_configs`
    ModelConfig,
    /// One of `governance.customers`
    Customer,
    /// One of `governance.teams`
    Team,
    /// One of `governance.virtual_keys`
    VirtualKey,
    /// One of `governance.routing_rules`
    RoutingRule,
    /// One of `governance.pricing_overrides`
    PricingOverride,
}

/// What of a file is read when the process starts, and at no other time: no entity.
pub const AT_START: [&str; 10] = [
    "$schema",
    "version",
    "encryption_key",
    "server",
    "tls",
    "admin",
    "config_store",
    "logs_store",
    "access_profiles",
    "source_of_truth",
];

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Self; 14] = [
        Self::Client,
        Self::AuthConfig,
        Self::Plugins,
        Self::Framework,
        Self::Provider,
        Self::Budget,
        Self::RateLimit,
        Self::ProviderLimits,
        Self::ModelConfig,
        Self::Customer,
        Self::Team,
        Self::VirtualKey,
        Self::RoutingRule,
        Self::PricingOverride,
    ];

    /// The name under which it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::AuthConfig => "auth_config",
            Self::Plugins => "plugins",
            Self::Framework => "framework",
            Self::Provider => "provider",
            Self::Budget => "budget",
            Self::RateLimit => "rate_limit",
            Self::ProviderLimits => "provider_limits",
            Self::ModelConfig => "model_config",
            Self::Customer => "customer",
            Self::Team => "team",
            Self::VirtualKey => "virtual_key",
            Self::RoutingRule => "routing_rule",
            Self::PricingOverride => "pricing_override",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client section",
            Self::AuthConfig => "auth_config section",
            Self::Plugins => "list of plugins",
            Self::Framework => "framework section",
            Self::Provider => "provider",
            Self::Budget => "budget",
            Self::RateLimit => "rate limit",
            Self::ProviderLimits => "provider's limits",
            Self::ModelConfig => "model config",
            Self::Customer => "customer",
            Self::Team => "team",
            Self::VirtualKey => "virtual key",
            Self::RoutingRule => "routing rule",
            Self::PricingOverride => "price override",
        }
    }

    /// Whether there is just one. Its id is the name of its kind.
    #[must_use]
    pub const fn is_single(self) -> bool {
        matches!(self, Self::Client | Self::AuthConfig | Self::Plugins | Self::Framework)
    }

    /// The field of its document that holds its id. `None`: the id stands beside the document alone.
    #[must_use]
    pub const fn id_field(self) -> Option<&'static str> {
        match self {
            Self::Client | Self::AuthConfig | Self::Plugins | Self::Framework | Self::Provider => None,
            Self::ProviderLimits => Some("name"),
            _ => Some("id"),
        }
    }

    /// Where it stands in a file; `*` is any name, `[]` any item.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::AuthConfig => "governance.auth_config",
            Self::Plugins => "plugins",
            Self::Framework => "framework",
            Self::Provider => "providers.*",
            Self::Budget => "governance.budgets[]",
            Self::RateLimit => "governance.rate_limits[]",
            Self::ProviderLimits => "governance.providers[]",
            Self::ModelConfig => "governance.model_configs[]",
            Self::Customer => "governance.customers[]",
            Self::Team => "governance.teams[]",
            Self::VirtualKey => "governance.virtual_keys[]",
            Self::RoutingRule => "governance.routing_rules[]",
            Self::PricingOverride => "governance.pricing_overrides[]",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    /// From the name under which it is stored.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_kinds_sort_as_they_are_listed() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!(Kind::ALL.is_sorted());
        assert!("virtual-key".parse::<Kind>().is_err());
    }

    /// `*` and `[]` aside, every section of the file with every field is a kind's or is read at the start.
    #[test]
    fn every_section_of_a_file_is_an_entity_or_read_at_the_start() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../../tests/every-field.json")).unwrap();
        let places: Vec<_> = Kind::ALL.map(|kind| kind.place().trim_end_matches(".*").trim_end_matches("[]")).into();
        for name in file.as_object().unwrap().keys().filter(|name| *name != "governance") {
            assert!(places.contains(&&**name) != AT_START.contains(&&**name), "{name}");
        }
        for name in file["governance"].as_object().unwrap().keys() {
            assert!(places.contains(&&*format!("governance.{name}")), "{name}");
        }
    }
}
