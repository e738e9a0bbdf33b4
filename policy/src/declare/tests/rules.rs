//! Routing rules as they are written.

use serde_json::{Value, json};

use crate::route::Weight;
use crate::route::balance::Balance;
use crate::route::rule::{Rule, RuleScope};

use super::*;

/// A file with these rules, each of which gets what it must have.
fn with_rules(rules: &[Value]) -> String {
    let whole = |(index, rule): (usize, &Value)| {
        let mut whole = json!({
            "id": format!("r{index}"), "name": format!("r{index}"), "targets": [{"provider": "openai", "weight": 1}],
        });
        whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        whole
    };
    json!({
        "providers": {"openai": {"keys": [{"name": "main", "value": "sk"}]}},
        "governance": {
            "teams": [{"id": "ml", "name": "ML"}],
            "customers": [{"id": "acme", "name": "Acme"}],
            "virtual_keys": [{"id": "vk", "name": "vk", "value": "token", "allow_all_providers": true}],
            "routing_rules": rules.iter().enumerate().map(whole).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

fn compiled(rule: Value) -> Rule {
    right(&with_rules(&[rule])).governance.rules[0].to_policy(7)
}

fn warned(rules: &[Value]) -> Vec<String> {
    let found = problems(&with_rules(rules));
    assert_eq!(errors(&found), Vec::<&str>::new());
    warnings(&found).iter().map(|line| line.replace("governance.routing_rules", "")).collect()
}

#[test]
fn a_rule_is_taken_over() {
    let rule = compiled(json!({
        "cel_expression": "model == 'a'", "scope": "team", "scope_id": "ml", "priority": -3, "chain_rule": true,
        "load_balancing": "adaptive", "fallbacks": ["openai/b"],
        "targets": [
            {"provider": "openai", "model": "c", "key_id": "main", "weight": 0.25},
            {"provider": "", "model": "", "weight": 0.75},
        ],
    }));
    assert_eq!((rule.scope, rule.priority, rule.order), (RuleScope::Team("ml".into()), -3, 7));
    assert_eq!(rule.condition.text(), "model == 'a'");
    assert!(rule.is_chained);
    assert_eq!(rule.balance, Some(Balance::Adaptive));
    assert_eq!(rule.fallbacks.as_deref(), Some(["openai/b".into()].as_slice()));
    let [first, second] = &*rule.targets else { panic!("not two") };
    assert_eq!(first.provider.as_ref().unwrap().as_str(), "openai");
    assert_eq!(first.model.as_ref().unwrap().as_str(), "c");
    assert_eq!(first.credential.as_ref().unwrap().as_str(), "main");
    assert_eq!((first.weight, second.weight), (Weight::from_text("0.25").unwrap(), Weight::from_text("0.75").unwrap()));
    assert!(second.provider.is_none() && second.model.is_none() && second.credential.is_none());
}

#[test]
fn what_is_left_out_of_a_rule_has_the_documented_default() {
    let rule = compiled(json!({}));
    assert_eq!((rule.scope, rule.priority), (RuleScope::Global, 0));
    assert_eq!(rule.condition.constant(), Some(true));
    assert!(!rule.is_chained && rule.fallbacks.is_none() && rule.balance.is_none());
    let nowhere = compiled(json!({"fallbacks": []}));
    assert_eq!(nowhere.fallbacks.as_deref(), Some([].as_slice()));
    assert!(compiled(json!({"fallbacks": null})).fallbacks.is_none());
}

#[test]
fn thirds_are_thirds() {
    let third = json!({"provider": "openai", "weight": 0.333_333_3});
    let rule = compiled(json!({"targets": [third, third, third]}));
    assert!(rule.targets.iter().all(|target| target.weight == rule.targets[0].weight));
}

#[test]
fn an_expression_is_compiled_where_it_stands() {
    let found = problems(&with_rules(&[
        json!({"cel_expression": "modle == 'a'"}),
        json!({"cel_expression": "model == "}),
        json!({"cel_expression": "budget_usd > 80.0"}),
        json!({"cel_expression": 7}),
    ]));
    assert_eq!(
        found,
        [
            "governance.routing_rules[0].cel_expression = \"modle == 'a'\": \
             at character 1: no variable `modle` is known; did you mean `model`?",
            "governance.routing_rules[1].cel_expression = \"model == \": at character 10: Syntax error: mismatched input \
             '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, \
             BYTES, IDENTIFIER}",
            "governance.routing_rules[2].cel_expression = \"budget_usd > 80.0\": \
             at character 1: no variable `budget_usd` is known; did you mean `budget_used`?",
            "governance.routing_rules[3].cel_expression = 7: expected a text, found a number",
        ]
    );
}

#[test]
fn a_rule_behind_one_that_always_matches_is_never_reached() {
    let behind = "is never reached: rule `r0` comes first and always matches";
    assert_eq!(warned(&[json!({}), json!({"cel_expression": "model == 'a'"})]), [format!("[1].id = \"r1\": {behind}")]);
    assert_eq!(warned(&[json!({"cel_expression": "1 < 2"}), json!({})]), [format!("[1].id = \"r1\": {behind}")]);
    assert_eq!(warned(&[json!({}), json!({"priority": -1, "cel_expression": "model == 'a'"})]), Vec::<String>::new());
    assert_eq!(warned(&[json!({"enabled": false}), json!({})]), Vec::<String>::new());
    let team = json!({"scope": "team", "scope_id": "ml"});
    assert_eq!(warned(&[json!({}), team]), Vec::<String>::new());
    let chained = json!({"chain_rule": true});
    assert_eq!(warned(&[chained, json!({"cel_expression": "model == 'a'"})]), [format!("[1].id = \"r1\": {behind}")]);
}

#[test]
fn a_rule_that_asks_what_was_asked_or_never_matches_is_named() {
    let same = json!({"cel_expression": "model == 'a'"});
    assert_eq!(
        warned(&[same.clone(), same]),
        ["[1].id = \"r1\": is never reached: rule `r0` comes first and asks the same"]
    );
    assert_eq!(
        warned(&[json!({"cel_expression": "false"})]),
        ["[0].id = \"r0\": never matches: its expression is always false"]
    );
}

#[test]
fn chains_and_fallbacks_that_lead_nowhere_are_named() {
    let chain = json!({"chain_rule": true, "cel_expression": "model == 'a'", "targets": [{"weight": 1}]});
    assert_eq!(
        warned(&[chain]),
        ["[0].chain_rule = true: leads in a circle: its targets keep provider and model, \
          so the rules would be asked the same again"]
    );
    let fallbacks = json!({
        "targets": [{"provider": "openai", "model": "a", "weight": 0.5}, {"provider": "openai", "weight": 0.5}],
        "fallbacks": ["openai/a", "openai/b", "openai/b", "openai"],
    });
    let repeated = "is a target of the rule already, so falling back to it changes nothing";
    assert_eq!(
        warned(&[fallbacks]),
        [
            format!("[0].fallbacks[0] = \"openai/a\": {repeated}"),
            "[0].fallbacks[2] = \"openai/b\": stands here twice".to_owned(),
            format!("[0].fallbacks[3] = \"openai\": {repeated}"),
        ]
    );
}

#[test]
fn a_rule_has_a_hundred_targets_and_fallbacks_at_most() {
    let target = json!({"provider": "openai", "weight": 0.000_5});
    let found =
        problems(&with_rules(&[json!({"targets": vec![target; 2_000], "fallbacks": vec!["openai/b"; 100_000]})]));
    assert_eq!(
        errors(&found),
        [
            "governance.routing_rules[0].fallbacks: has 100000 entries, more than 100",
            "governance.routing_rules[0].targets: has 2000 entries, more than 100",
        ]
    );
}

#[test]
fn a_scope_has_a_thousand_rules_at_most_and_more_are_not_even_compiled() {
    let rules = |count: usize| vec![json!({"cel_expression": "modle == 'a'"}); count];
    let found = problems(&with_rules(&rules(10_000)));
    assert_eq!(found, ["governance.routing_rules: the global scope has 10000 rules, more than 1000"]);
    assert_eq!(problems(&with_rules(&rules(1_000))).len(), 1_000);
    let of_key = json!({"scope": "virtual_key", "scope_id": "vk"});
    let found = problems(&with_rules(&vec![of_key; 1_001]));
    assert_eq!(found, ["governance.routing_rules: virtual key `vk` has 1001 rules, more than 1000"]);
}
