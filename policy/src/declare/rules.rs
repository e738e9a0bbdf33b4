//! Routing rules. Read and checked; what they demand is not built yet.

use crate::id::{CredentialName, ProviderName};

use super::node::{Node, Read};
use super::scalar::{Decimal, any_text, one_of};

/// One entry of `governance.routing_rules`.
#[derive(Clone, Debug)]
pub struct RuleShape {
    /// `id`
    pub id: Box<str>,
    /// `name`
    pub name: Box<str>,
    /// `description`
    pub description: Option<Box<str>>,
    /// `enabled`
    pub is_enabled: bool,
    /// `cel_expression`; empty: always.
    pub expression: Box<str>,
    /// `targets`
    pub targets: Vec<TargetShape>,
    /// `fallbacks`: `provider` or `provider/model`.
    pub fallbacks: Vec<Box<str>>,
    /// `scope`
    pub scope: Scope,
    /// `scope_id`: whose rule it is; set unless the scope is global.
    pub scope_id: Option<Box<str>>,
    /// `priority`: lower comes first.
    pub priority: i32,
    /// `chain_rule`: whether the rules are gone through again after this one matched.
    pub is_chained: bool,
}

/// One target of a rule.
#[derive(Clone, Debug)]
pub struct TargetShape {
    /// `provider`; `None`: the request's.
    pub provider: Option<ProviderName>,
    /// `model`; `None`: the request's.
    pub model: Option<Box<str>>,
    /// `key_id`: the name of the provider's key to use.
    pub credential: Option<CredentialName>,
    /// `weight`: its share; a rule's sum to 1.
    pub weight: Decimal,
}

/// Whose calls a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    Global,
    /// A team's.
    Team,
    /// A customer's.
    Customer,
    /// A virtual key's.
    VirtualKey,
}

const SCOPES: [(&str, Scope); 4] = [
    ("global", Scope::Global),
    ("team", Scope::Team),
    ("customer", Scope::Customer),
    ("virtual_key", Scope::VirtualKey),
];

impl Read for RuleShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            description: fields.with("description", any_text),
            is_enabled: fields.or("enabled", true),
            expression: fields.with("cel_expression", any_text).unwrap_or_default(),
            targets: fields.required("targets"),
            fallbacks: fields.list("fallbacks"),
            scope: fields.with("scope", |node| one_of(node, &SCOPES)).flatten().unwrap_or(Scope::Global),
            scope_id: fields.optional("scope_id"),
            priority: fields.or("priority", 0),
            is_chained: fields.or("chain_rule", false),
        })
    }
}

impl Read for TargetShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            provider: fields.with("provider", any_text).filter(|name| !name.is_empty()).map(|name| (*name).into()),
            model: fields.with("model", any_text).filter(|name| !name.is_empty()),
            credential: fields.optional("key_id"),
            weight: fields.required("weight"),
        })
    }
}
