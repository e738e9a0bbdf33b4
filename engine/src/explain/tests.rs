mod walk;

use policy::decision::Reason;
use policy::declare::{Vocabulary, read};
use policy::request::{Dialect, Operation};
use policy::route::DropReason;
use policy::route::health::AllWell;

use policy::window::Now;

use super::*;
use crate::compile::compile;
use crate::dice::ThreadDice;
use crate::ledger::Ledger;

/// Two providers that both have `m` and `n`, and a key that weighs the second three times as much, for `n` alone; these rules.
fn policy(rules: &str) -> Snapshot {
    let providers = ["a", "b"].map(|name| {
        format!(
            r#""{name}": {{"keys": [{{"name": "{name}1", "value": "sk", "models": ["m", "n"]}},
                {{"name": "{name}2", "value": "sk", "models": ["m", "n"], "weight": 0}}],
                "network_config": {{"base_url": "http://localhost"}},
                "custom_provider_config": {{"base_provider_type": "openai"}}}}"#
        )
    });
    let json = format!(
        r#"{{"providers": {{{}}}, "governance": {{"routing_rules": {rules}, "virtual_keys": [{{"id": "k", "name": "k",
            "value": "token", "provider_configs": [{{"provider": "a", "weight": 1}},
            {{"provider": "b", "weight": 3, "allowed_models": ["n"]}}]}}]}}}}"#,
        providers.join(", ")
    );
    let vocabulary = Vocabulary {
        vendors: &["openai"],
        without_address: &[],
        self_hosted: &[],
        vendors_later: &[],
        check_base_url: |_, _| Ok(()),
    };
    let (file, _) = read(&json, |_| None, &vocabulary).unwrap_or_else(|problems| panic!("{problems:#?}"));
    compile(&file, Arc::default()).unwrap()
}

fn caller(snapshot: &Snapshot) -> Caller {
    Caller { key: snapshot.key("k").cloned(), own_credential: None }
}

fn explained(rules: &str, model: &str) -> Explanation {
    let snapshot = policy(rules);
    let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, model);
    explain(
        &snapshot,
        &caller(&snapshot),
        &request,
        &AllWell,
        Books { ledger: &Ledger::new(None, 1), now: Now::default() },
    )
}

fn firsts(explanation: &Explanation) -> Vec<(&str, u32)> {
    let first = |one: &PlannedTarget| one.times_first;
    explanation.targets.iter().map(|one| (one.target.provider.name.as_str(), first(one))).collect()
}

#[test]
fn without_chance_one_plan_says_all() {
    let told = explained("[]", "m");
    assert_eq!((told.plans, firsts(&told)), (1, vec![("a", 1)]));
    let credentials: Vec<_> =
        told.targets[0].attempts.iter().map(|one| (one.attempt.credential.name.as_str(), one.times_first)).collect();
    assert_eq!(credentials, [("a1", 1), ("a2", 0)]);
    let dropped: Vec<_> = told.dropped.iter().map(|one| (one.provider.as_str(), one.reason)).collect();
    assert_eq!(dropped, [("b", DropReason::ModelBlocked)]);
    assert!(told.is_admitted() && told.refusal.is_none());
}

#[test]
fn shares_are_counted_by_the_weights_and_add_up() {
    let told = explained("[]", "n");
    let firsts = firsts(&told);
    assert_eq!(firsts.iter().map(|one| one.1).sum::<u32>(), PLANS);
    assert!(matches!(firsts[..], [("b", most), ("a", _)] if most.abs_diff(7_500) < 200), "{firsts:?}");
    assert_eq!(firsts, self::firsts(&explained("[]", "n")), "the dice are fixed");
}

#[test]
fn what_a_plan_under_any_dice_does_is_told() {
    let rules = r#"[{"id": "r", "name": "r", "targets": [{"provider": "a", "weight": 0.5}, {"provider": "b", "weight": 0.5}],
        "chain_rule": true}]"#;
    for model in ["m", "n", "a/m", "b/m", "other"] {
        let snapshot = policy(rules);
        let request = Request::new(Dialect::OpenAi, Operation::ChatCompletion, model);
        let told = explain(
            &snapshot,
            &caller(&snapshot),
            &request,
            &AllWell,
            Books { ledger: &Ledger::new(None, 1), now: Now::default() },
        );
        for _ in 0..100 {
            let mut now = Circumstances { health: &AllWell, accounts: &(), dice: &mut ThreadDice, seen: &mut () };
            match admit(&snapshot, caller(&snapshot), &request, &mut now) {
                Decision::Admit(plan) => {
                    let walk = Walk::begin(plan, &mut now);
                    let (target, attempt) = walk.target().zip(walk.attempt()).unwrap();
                    let known = told.targets.iter().find(|known| is_same(&known.target, target)).unwrap();
                    let credential = &attempt.credential.name;
                    let known = known.attempts.iter().find(|known| known.attempt.credential.name == *credential);
                    assert!(known.is_some_and(|known| known.times_first > 0), "{model}: {attempt:?}");
                }
                Decision::Refuse(refusal) => {
                    assert_eq!(told.refusal.as_ref().map(|told| &told.0), Some(&refusal), "{model}");
                }
            }
        }
    }
}

#[test]
fn a_refusal_comes_with_what_was_dropped_and_the_rules_that_were_asked() {
    let rule = r#"[{"id": "r", "name": "r", "cel_expression": "model == 'n'", "targets": [{"weight": 1}]}]"#;
    let told = explained(rule, "b/m");
    let (refusal, times) = told.refusal.as_ref().unwrap();
    assert_eq!((refusal.reason, *times, told.plans), (Reason::ModelBlocked, 1, 1));
    assert_eq!(told.dropped.iter().map(|one| one.reason).collect::<Vec<_>>(), [DropReason::ModelBlocked]);
    let considered: Vec<_> = told.ways[0].considered.iter().map(|(rule, result)| (rule.id.as_str(), *result)).collect();
    assert_eq!(considered, [("r", Match::No)]);
    assert!(!told.is_admitted() && told.targets.is_empty());
}
