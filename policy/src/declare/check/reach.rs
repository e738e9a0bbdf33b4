//! Routing rules that have no effect, or less than it seems: never reached, never matching, or led in circles.

use std::collections::HashMap;

use super::super::path::Path;
use super::super::problem::Log;
use super::super::{File, RuleShape, Scope, TargetShape};
use super::rules::MOST_ENTRIES;

/// The rules of one scope that come before another. A chained one hides what follows as well: the rules are asked again from
/// the first.
#[derive(Default)]
struct Earlier<'a> {
    /// The first that always matches.
    always: Option<&'a RuleShape>,
    /// By expression.
    by_text: HashMap<&'a str, &'a RuleShape>,
}

pub(super) fn check(file: &File, log: &Log<'_>) {
    let root = Path::Root;
    let governance = root.field("governance");
    let list = governance.field("routing_rules");
    let mut rules: Vec<_> = file.governance.rules.iter().enumerate().filter(|(_, rule)| rule.is_enabled).collect();
    rules.sort_by_key(|(index, rule)| (rule.priority, *index));
    let mut earlier_of: HashMap<(Scope, Option<&str>), Earlier<'_>> = HashMap::new();
    for (index, rule) in rules {
        let path = list.item(index);
        let earlier = earlier_of.entry((rule.scope, rule.scope_id.as_deref())).or_default();
        check_reach(rule, earlier, path, log);
        check_rule(rule, path, log);
    }
}

/// What can be told of a rule without the others.
pub(super) fn check_rule(rule: &RuleShape, path: Path<'_>, log: &Log<'_>) {
    if rule.condition.as_ref().is_some_and(|condition| condition.constant() == Some(false)) {
        log.warning(path.field("id"), "never matches: its expression is always false");
    }
    check_chain(rule, path, log);
    check_fallbacks(rule, path.field("fallbacks"), log);
}

fn check_reach<'a>(rule: &'a RuleShape, earlier: &mut Earlier<'a>, path: Path<'_>, log: &Log<'_>) {
    let id = path.field("id");
    let Some(condition) = &rule.condition else { return };
    let text = condition.text().trim();
    if condition.constant() == Some(false) {
        return;
    }
    if let Some(first) = earlier.always {
        return log.warning(id, format!("is never reached: rule `{}` comes first and always matches", first.id));
    }
    if let Some(first) = earlier.by_text.get(text) {
        return log.warning(id, format!("is never reached: rule `{}` comes first and asks the same", first.id));
    }
    earlier.by_text.insert(text, rule);
    earlier.always = Some(rule).filter(|_| condition.constant() == Some(true));
}

/// After a chained rule the rules are asked again with what it chose.
fn check_chain(rule: &RuleShape, path: Path<'_>, log: &Log<'_>) {
    let keeps_all = |target: &TargetShape| target.provider.is_none() && target.model.is_none();
    if rule.is_chained && !rule.targets.is_empty() && rule.targets.iter().all(keeps_all) {
        let message =
            "leads in a circle: its targets keep provider and model, so the rules would be asked the same again";
        log.warning(path.field("chain_rule"), message);
    }
}

fn check_fallbacks(rule: &RuleShape, path: Path<'_>, log: &Log<'_>) {
    let written = |target: &TargetShape| match (&target.provider, &target.model) {
        (Some(provider), Some(model)) => Some(format!("{provider}/{model}")),
        (Some(provider), None) => Some(provider.to_string()),
        (None, _) => None,
    };
    // Where there are more, that is an error already.
    let targets: Vec<_> = rule.targets.iter().take(MOST_ENTRIES).filter_map(written).collect();
    let fallbacks = rule.fallbacks.as_deref().unwrap_or_default();
    let few = fallbacks.iter().take(MOST_ENTRIES).enumerate();
    for (index, fallback) in few.filter(|(_, fallback)| !fallback.is_empty()) {
        let here = path.item(index);
        if targets.iter().any(|target| **target == **fallback) {
            log.warning(here, "is a target of the rule already, so falling back to it changes nothing");
        } else if fallbacks.iter().take(index).any(|earlier| earlier == fallback) {
            log.warning(here, "stands here twice");
        }
    }
}
