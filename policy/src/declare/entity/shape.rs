//! An entity with its fields, typed.

use super::super::{
    AuthShape, BudgetShape, ClientShape, CustomerShape, FrameworkShape, ModelConfigShape, PluginShape,
    PriceOverrideShape, ProviderLimitsShape, ProviderShape, RateLimitShape, RuleShape, TeamShape, VirtualKeyShape,
};
use super::Kind;

/// An entity with its fields. Its limits are in the normal form.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `client`
    Client(Box<ClientShape>),
    /// `governance.auth_config`
    AuthConfig(AuthShape),
    /// `plugins`
    Plugins(Vec<PluginShape>),
    /// `framework`
    Framework(FrameworkShape),
    /// One of `providers`
    Provider(Box<ProviderShape>),
    /// A budget
    Budget(BudgetShape),
    /// A rate limit
    RateLimit(RateLimitShape),
    /// One of `governance.providers`
    ProviderLimits(Box<ProviderLimitsShape>),
    /// One of `governance.model_configs`
    ModelConfig(Box<ModelConfigShape>),
    /// One of `governance.customers`
    Customer(Box<CustomerShape>),
    /// One of `governance.teams`
    Team(Box<TeamShape>),
    /// One of `governance.virtual_keys`
    VirtualKey(Box<VirtualKeyShape>),
    /// One of `governance.routing_rules`
    RoutingRule(Box<RuleShape>),
    /// One of `governance.pricing_overrides`
    PricingOverride(Box<PriceOverrideShape>),
}

impl Shape {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Client(_) => Kind::Client,
            Self::AuthConfig(_) => Kind::AuthConfig,
            Self::Plugins(_) => Kind::Plugins,
            Self::Framework(_) => Kind::Framework,
            Self::Provider(_) => Kind::Provider,
            Self::Budget(_) => Kind::Budget,
            Self::RateLimit(_) => Kind::RateLimit,
            Self::ProviderLimits(_) => Kind::ProviderLimits,
            Self::ModelConfig(_) => Kind::ModelConfig,
            Self::Customer(_) => Kind::Customer,
            Self::Team(_) => Kind::Team,
            Self::VirtualKey(_) => Kind::VirtualKey,
            Self::RoutingRule(_) => Kind::RoutingRule,
            Self::PricingOverride(_) => Kind::PricingOverride,
        }
    }

    /// Which of its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Client(_) | Self::AuthConfig(_) | Self::Plugins(_) | Self::Framework(_) => self.kind().as_str(),
            Self::Provider(shape) => shape.name.as_str(),
            Self::Budget(shape) => &shape.id,
            Self::RateLimit(shape) => &shape.id,
            Self::ProviderLimits(shape) => shape.name.as_str(),
            Self::ModelConfig(shape) => &shape.id,
            Self::Customer(shape) => shape.id.as_str(),
            Self::Team(shape) => shape.id.as_str(),
            Self::VirtualKey(shape) => shape.id.as_str(),
            Self::RoutingRule(shape) => &shape.id,
            Self::PricingOverride(shape) => &shape.id,
        }
    }
}

/// An entity and its place among those of its kind.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The entity.
    pub shape: Shape,
    /// Its place, from 0. Among rules of one priority, and among overrides for the same, the lower one counts; providers are
    /// tried in this order where nothing else says.
    pub order: u32,
}
