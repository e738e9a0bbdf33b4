//! All rules, by whose calls they are for.

use std::sync::Arc;

use imbl::HashMap;
use thiserror::Error;

use super::memo::{Memo, Question};
use super::{Facts, Observer, Rule, RuleScope, Who};
use crate::id::RuleId;
use crate::route::expr::Match;

/// How many rules one key, one team, one customer, or the global scope may have.
pub const MOST_RULES: usize = 1_000;

/// A scope has as many rules as it may have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} has {MOST_RULES} rules already, and may not have more")]
pub struct TooManyRules(pub RuleScope);

/// All rules. Cheap to clone; a change costs as much as its scope has rules.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: HashMap<RuleId, Arc<Rule>>,
    /// Each in the order in which they are asked; never empty.
    lists: HashMap<RuleScope, Arc<[Arc<Rule>]>>,
    /// How many rules look at who calls.
    about_who: usize,
    /// What rules said that depend on nothing but the question. A changed set starts a new one.
    memo: Arc<Memo>,
}

impl RuleSet {
    /// The rule of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.get(id)
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All rules, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.values()
    }

    /// The rules of a scope, in the order in which they are asked.
    #[must_use]
    pub fn of_scope(&self, scope: &RuleScope) -> &[Arc<Rule>] {
        self.lists.get(scope).map_or(&[], |list| list)
    }

    /// Adds a rule, or replaces the one of the same id.
    ///
    /// # Errors
    /// When its scope is full. The set stays as it was.
    pub fn put(&mut self, rule: Arc<Rule>) -> Result<(), TooManyRules> {
        let others = self.of_scope(&rule.scope).iter().filter(|other| other.id != rule.id).count();
        if others >= MOST_RULES {
            return Err(TooManyRules(rule.scope.clone()));
        }
        self.remove(&rule.id);
        let mut list = self.of_scope(&rule.scope).to_vec();
        let place = |one: &Arc<Rule>| (one.priority, one.order, one.id.clone());
        let key = place(&rule);
        let index = list.partition_point(|one| place(one) < key);
        list.insert(index, Arc::clone(&rule));
        self.lists.insert(rule.scope.clone(), list.into());
        self.about_who += usize::from(rule.condition.needs().who);
        self.rules.insert(rule.id.clone(), rule);
        self.memo = Arc::default();
        Ok(())
    }

    /// Removes a rule, if it is there.
    pub fn remove(&mut self, id: &RuleId) {
        let Some(old) = self.rules.remove(id) else { return };
        let rest: Arc<[_]> = self.of_scope(&old.scope).iter().filter(|one| one.id != *id).cloned().collect();
        match rest.is_empty() {
            true => self.lists.remove(&old.scope),
            false => self.lists.insert(old.scope.clone(), rest),
        };
        self.about_who -= usize::from(old.condition.needs().who);
        self.memo = Arc::default();
    }

    /// The first rule that matches: those of the key are asked first, then those of the team, the customer, and everybody.
    /// `seen` is told each rule that is considered.
    pub fn first_match(&self, who: &Who<'_>, facts: &Facts<'_, '_>, seen: &mut dyn Observer) -> Option<Arc<Rule>> {
        if self.rules.is_empty() {
            return None;
        }
        let lists = self.lists_of(who);
        let question = Question::of(who, facts, lists.map(|list| list.is_some()), self.about_who > 0);
        let rules = || lists.into_iter().flatten().flat_map(|list| list.iter());
        let known = self.memo.answers(&question, || answers(rules(), who, facts));
        for (rule, answer) in rules().zip(known.iter()) {
            let result = answer.unwrap_or_else(|| rule.condition.evaluate(who, facts));
            if result == Match::Failed {
                rule.failures.note();
            }
            seen.considered(rule, result);
            if result == Match::Yes {
                return Some(Arc::clone(rule));
            }
        }
        None
    }

    fn lists_of(&self, who: &Who<'_>) -> [Option<&Arc<[Arc<Rule>]>>; 4] {
        let list = |scope: Option<RuleScope>| self.lists.get(&scope?);
        [
            list(who.key.map(|key| RuleScope::VirtualKey(key.id.clone()))),
            list(who.team.map(|team| RuleScope::Team(team.id.clone()))),
            list(who.customer.map(|customer| RuleScope::Customer(customer.id.clone()))),
            list(Some(RuleScope::Global)),
        ]
    }
}

/// What rules say that look at nothing that is different in each request, up to the first that matches; `None` for the others.
fn answers<'r>(
    rules: impl Iterator<Item = &'r Arc<Rule>>,
    who: &Who<'_>,
    facts: &Facts<'_, '_>,
) -> Box<[Option<Match>]> {
    let mut answers = Vec::new();
    for rule in rules {
        let answer = rule.condition.needs().is_lasting().then(|| rule.condition.evaluate(who, facts));
        answers.push(answer);
        if answer == Some(Match::Yes) {
            break;
        }
    }
    answers.into()
}
