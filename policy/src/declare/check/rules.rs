//! Routing rules.

use super::super::json::Json;
use super::super::path::Path;
use super::super::problem::Log;
use super::super::{File, RuleShape, Scope, TargetShape};
use super::{Known, unique};

/// Weights are compared in trillionths; a rule's may miss 1 by a millionth.
const WEIGHT_SCALE: i32 = 12;
const ONE: u128 = 1_000_000_000_000;
const TOLERANCE: u128 = 1_000_000;
/// How many targets, and how many fallbacks, a rule may have.
pub(super) const MOST_ENTRIES: usize = 100;

pub(super) fn check(file: &File, known: &Known<'_>, log: &Log<'_>) {
    let root = Path::Root;
    let governance = root.field("governance");
    let list = governance.field("routing_rules");
    let rules = &file.governance.rules;
    unique(rules.iter().map(|rule| &*rule.id).enumerate(), list, "id", log);
    check_names(rules, list, log);
    for (index, rule) in rules.iter().enumerate() {
        check_rule(rule, known, list.item(index), log);
    }
}

pub(super) fn check_rule(rule: &RuleShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    check_scope(rule, known, path, log);
    check_lengths(rule, path, log);
    check_weights(rule, path.field("targets"), log);
    let targets = path.field("targets");
    for (index, target) in rule.targets.iter().enumerate() {
        check_target(target, known, targets.item(index), log);
    }
    let fallbacks = path.field("fallbacks");
    for (index, fallback) in rule.fallbacks.iter().flatten().enumerate() {
        let provider = fallback.split_once('/').map_or(&**fallback, |(provider, _)| provider);
        known.expect_provider(provider, fallbacks.item(index), log);
    }
}

/// Within one scope, a name means one rule.
fn check_names(rules: &[RuleShape], list: Path<'_>, log: &Log<'_>) {
    let mut seen = std::collections::HashSet::new();
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.name.is_empty()) {
        if !seen.insert((rule.scope, &rule.scope_id, &rule.name)) {
            log.error(list.item(index).field("name"), "another rule of the same scope has this name");
        }
    }
}

fn check_scope(rule: &RuleShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    let at = path.field("scope_id");
    let ids = match rule.scope {
        Scope::Global if rule.scope_id.is_some() => {
            return log.error(at, "a global rule has no `scope_id`; set `scope`");
        }
        Scope::Global => return,
        Scope::Team => &known.teams,
        Scope::Customer => &known.customers,
        Scope::VirtualKey => &known.virtual_keys,
    };
    if rule.scope_id.is_none() && log.locate(at).0.is_none() {
        log.error(
            at,
            format!("required unless `scope` is \"global\", but missing: the id of the {}", ids.kind.label()),
        );
    }
    ids.expect(rule.scope_id.as_deref(), at, log);
}

fn check_lengths(rule: &RuleShape, path: Path<'_>, log: &Log<'_>) {
    let fallbacks = rule.fallbacks.as_ref().map_or(0, Vec::len);
    for (field, count) in [("targets", rule.targets.len()), ("fallbacks", fallbacks)] {
        if count > MOST_ENTRIES {
            log.error(path.field(field), format!("has {count} entries, more than {MOST_ENTRIES}"));
        }
    }
}

fn check_weights(rule: &RuleShape, path: Path<'_>, log: &Log<'_>) {
    if rule.targets.is_empty() {
        if log.locate(path).0.is_some_and(|json| json.is_empty_list()) {
            log.error(path, "must have at least one target");
        }
        return;
    }
    let is_number = |index| matches!(log.locate(path.item(index).field("weight")).0, Some(Json::Number(_)));
    if !(0..rule.targets.len()).all(is_number) {
        return;
    }
    let parts: Vec<_> = rule.targets.iter().map(|target| target.weight.scaled(WEIGHT_SCALE)).collect();
    let sum = parts.iter().fold(0_u128, |sum, part| sum.saturating_add(*part));
    if sum.abs_diff(ONE) > TOLERANCE {
        log.error(path, format!("the weights must sum to 1, and sum to {}", decimal(sum)));
    }
}

/// A number of trillionths as people write it.
fn decimal(trillionths: u128) -> String {
    let text = format!("{}.{:012}", trillionths / ONE, trillionths % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn check_target(target: &TargetShape, known: &Known<'_>, path: Path<'_>, log: &Log<'_>) {
    let Some(provider) = &target.provider else { return };
    known.expect_provider(provider.as_str(), path.field("provider"), log);
    if let Some(credential) = &target.credential {
        known.expect_credential(provider.as_str(), credential.as_str(), path.field("key_id"), log);
    }
}
