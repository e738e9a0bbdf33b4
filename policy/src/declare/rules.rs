//! Routing rules. Their expressions are compiled while they are read, so that a mistake is told with its place.

use std::collections::HashMap;
use std::sync::Arc;

use crate::id::{CredentialName, ProviderName};
use crate::route::balance::Balance;
use crate::route::expr::Condition;
use crate::route::rule::MOST_RULES;

use super::json::Json;
use super::node::{Node, Read};
use super::scalar::{Decimal, any_text, balance, one_of};

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
    /// `cel_expression`, compiled; empty or absent: always. `None` only where it cannot be, which is an error.
    pub condition: Option<Arc<Condition>>,
    /// `targets`
    pub targets: Vec<TargetShape>,
    /// `fallbacks`: `provider` or `provider/model`. `None` when absent: the rule says nothing; empty: nowhere.
    pub fallbacks: Option<Vec<Box<str>>>,
    /// `scope`
    pub scope: Scope,
    /// `scope_id`: whose rule it is; set unless the scope is global.
    pub scope_id: Option<Box<str>>,
    /// `priority`: lower comes first.
    pub priority: i32,
    /// `chain_rule`: whether the rules are gone through again after this one matched.
    pub is_chained: bool,
    /// `load_balancing`; absent: as the key or the `client` section says.
    pub balance: Option<Balance>,
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

/// Reads `routing_rules`. Where one scope has too many, none is read: each of them would be compiled.
pub(super) fn rules(node: Node<'_>) -> Vec<RuleShape> {
    let mut count_of = HashMap::new();
    if let Json::List(items) = node.json {
        for item in items {
            let text = |name| item.field(name).and_then(Json::as_text).unwrap_or_default();
            *count_of.entry((text("scope"), text("scope_id"))).or_insert(0) += 1;
        }
    }
    match count_of.into_iter().find(|(_, count)| *count > MOST_RULES) {
        None => node.list(RuleShape::read),
        Some(((scope, id), count)) => {
            let whose = match id {
                "" => "the global scope has".to_owned(),
                id => format!("{} `{id}` has", scope.replace('_', " ")),
            };
            node.error(format!("{whose} {count} rules, more than {MOST_RULES}"));
            Vec::new()
        }
    }
}

fn condition(node: Node<'_>) -> Option<Arc<Condition>> {
    let text = any_text(node);
    node.json.as_text()?;
    Condition::compile(&text).map(Arc::new).map_err(|error| node.error(error.to_string())).ok()
}

impl Read for RuleShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self {
            id: fields.required("id"),
            name: fields.required("name"),
            description: fields.with("description", any_text),
            is_enabled: fields.or("enabled", true),
            condition: fields.with("cel_expression", condition).unwrap_or_else(|| Some(Condition::always().into())),
            targets: fields.required("targets"),
            fallbacks: fields.optional("fallbacks"),
            scope: fields.with("scope", |node| one_of(node, &SCOPES)).flatten().unwrap_or(Scope::Global),
            scope_id: fields.optional("scope_id"),
            priority: fields.or("priority", 0),
            is_chained: fields.or("chain_rule", false),
            balance: fields.with("load_balancing", balance).flatten(),
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
