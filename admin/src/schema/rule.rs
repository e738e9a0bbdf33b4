//! Routing rules, and prices of the operator's own.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::kept;

kept! {
    /// A routing rule.
    body #[serde(deny_unknown_fields)] RoutingRuleBody, reply RoutingRule;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// Its name.
        name: String,
    }
    said {
        /// What it is for.
        description: String,
        /// When it applies; empty or absent: always.
        cel_expression: String,
        /// Where calls go. The weights sum to 1.
        targets: Vec<TargetBody>,
        /// Where they go next: `provider` or `provider/model`.
        fallbacks: Vec<String>,
        /// `global`, `customer`, `team` or `virtual_key`.
        scope: String,
        /// Whose, unless it is everybody's.
        scope_id: String,
        /// Lower ones come first.
        priority: i32,
        /// Whether it is asked at all.
        enabled: bool,
        /// Whether the rules are asked again with what it chose.
        chain_rule: bool,
        /// How its targets are spread: `weighted` or `adaptive`.
        load_balancing: String,
    }
    body {}
    reply {}
}

/// A target of a routing rule.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TargetBody {
    /// The provider; absent: the request's.
    pub provider: Option<String>,
    /// The model; absent: the request's.
    pub model: Option<String>,
    /// The name of the provider's key to use.
    pub key_id: Option<String>,
    /// Its share.
    pub weight: f64,
}

kept! {
    /// A price of the operator's own.
    body #[serde(deny_unknown_fields)] PricingOverrideBody, reply PricingOverride;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// Its name.
        name: String,
        /// The model, or how its name begins with a `*` at the end.
        pattern: String,
    }
    said {
        /// Whose calls: `global`, `provider`, `provider_key`, `virtual_key`, `virtual_key_provider` or `virtual_key_provider_key`.
        scope_kind: String,
        /// The virtual key, where the scope has one.
        virtual_key_id: String,
        /// The provider's name, where the scope has one.
        provider_id: String,
        /// The name of the provider's key, where the scope has one.
        provider_key_id: String,
        /// `exact` or `wildcard`.
        match_type: String,
        /// The operations that it is for; absent: all.
        request_types: Vec<String>,
        /// The prices that are set, in US dollars.
        #[schema(value_type = Option<Object>)]
        pricing_patch: BTreeMap<String, f64>,
    }
    body {}
    reply {}
}
