//! Routing rules, compiled: whose calls they are for, when they match, and where they send a call.

mod memo;
mod set;
mod used;

pub(super) use used::OfCaller;

pub use set::{MOST_RULES, RuleSet, TooManyRules};
pub use used::Used;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::balance::Balance;
use super::expr::{Condition, Content, Match};
use super::{Caller, Dropped, Weight};
use crate::id::{CredentialName, CustomerId, ModelName, ProviderName, RuleId, TeamId, VirtualKeyId};
use crate::key::VirtualKey;
use crate::request::Operation;
use crate::snapshot::{Customer, Snapshot, Team};

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
    /// When it matches.
    pub condition: Arc<Condition>,
    /// Where it sends a call; at least one.
    pub targets: Vec<RuleTarget>,
    /// Where a call goes when the targets fail: `provider` (the same model) or `provider/model`. `None`: the rule says
    /// nothing; empty: nowhere.
    pub fallbacks: Option<Arc<[Box<str>]>>,
    /// Whether the rules are asked again with what this one chose.
    pub is_chained: bool,
    /// How its targets share traffic; `None`: as the key or the settings say.
    pub balance: Option<Balance>,
    /// How often its condition could not be evaluated.
    pub failures: Failures,
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

impl fmt::Display for RuleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VirtualKey(id) => write!(f, "virtual key `{id}`"),
            Self::Team(id) => write!(f, "team `{id}`"),
            Self::Customer(id) => write!(f, "customer `{id}`"),
            Self::Global => f.write_str("the global scope"),
        }
    }
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

/// How often a rule's condition could not be evaluated; all copies of the rule count together.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<AtomicU64>);

impl Failures {
    /// The number so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who calls, as rules see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Who<'a> {
    /// The virtual key, or none for an anonymous call.
    pub key: Option<&'a VirtualKey>,
    /// Its team.
    pub team: Option<&'a Team>,
    /// Its customer, or its team's.
    pub customer: Option<&'a Customer>,
}

impl<'a> Who<'a> {
    /// The caller, with the team and the customer that the key's calls are for.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot, caller: &'a Caller) -> Self {
        let Some(key) = caller.key.as_deref() else { return Self::default() };
        let team = key.team.as_ref().and_then(|id| snapshot.team(id)).map(|team| &**team);
        let customer = key.customer.as_ref().or_else(|| team?.customer.as_ref());
        let customer = customer.and_then(|id| snapshot.customer(id)).map(|customer| &**customer);
        Self { key: Some(key), team, customer }
    }

    /// Id and name of key, team and customer; empty for what is not there.
    pub(super) fn ids_and_names(&self) -> [(&'a str, &'a str); 3] {
        [
            self.key.map_or(("", ""), |key| (key.id.as_str(), &*key.name)),
            self.team.map_or(("", ""), |team| (team.id.as_str(), &*team.name)),
            self.customer.map_or(("", ""), |customer| (customer.id.as_str(), &*customer.name)),
        ]
    }
}

/// What is asked, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a, 'r> {
    /// The model, without the provider.
    pub model: &'a str,
    /// The provider that is named; empty where none is.
    pub provider: &'a str,
    /// What is asked for.
    pub operation: Operation,
    /// The rest of the request; one for all questions about a request, so that it is read once.
    pub content: &'a Content<'r>,
    /// What is used of limits; one for all questions about a model and a provider, so that it is read once.
    pub used: &'a Used<'a>,
}

/// Sees how a plan is made.
pub trait Observer {
    /// A rule was considered, with this result.
    fn considered(&mut self, rule: &Arc<Rule>, result: Match);

    /// No target was left; these could not be used.
    fn gave_up(&mut self, _dropped: &[Dropped]) {}
}

/// Looks away.
impl Observer for () {
    fn considered(&mut self, _rule: &Arc<Rule>, _result: Match) {}
}

#[cfg(test)]
mod tests;
