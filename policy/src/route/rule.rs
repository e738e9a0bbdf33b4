//! Routing rules, compiled: whose calls they are for, when they match, and where they send a call.

use std::sync::Arc;

use super::Weight;
use super::balance::Balance;
use crate::id::{CredentialName, CustomerId, ModelName, ProviderName, RuleId, TeamId, VirtualKeyId};

/// One routing rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its name for people.
    pub name: Box<str>,
    /// Whose calls it is for.
    pub scope: RuleScope,
    /// Within a scope, lower ones are asked first.
    pub priority: i32,
    /// Its place in the configuration: among equal priorities, lower ones are asked first.
    pub order: u32,
    /// Where it sends a call; at least one.
    pub targets: Vec<RuleTarget>,
    /// Where a call goes when the targets fail: `provider` (the same model) or `provider/model`. `None`: the rule says
    /// nothing; empty: nowhere.
    pub fallbacks: Option<Arc<[Box<str>]>>,
    /// Whether the rules are asked again with what this one chose.
    pub is_chained: bool,
    /// How its targets share traffic; `None`: as the key or the settings say.
    pub balance: Option<Balance>,
}

/// Whose calls a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleScope {
    /// A virtual key's.
    VirtualKey(VirtualKeyId),
    /// A team's.
    Team(TeamId),
    /// A customer's.
    Customer(CustomerId),
    /// Everybody's.
    Global,
}

/// One target of a rule.
#[derive(Clone, Debug)]
pub struct RuleTarget {
    /// `None`: the request's, or whoever serves the model.
    pub provider: Option<ProviderName>,
    /// `None`: the request's.
    pub model: Option<ModelName>,
    /// The credential to use, and no other.
    pub credential: Option<CredentialName>,
    /// Its share.
    pub weight: Weight,
}
