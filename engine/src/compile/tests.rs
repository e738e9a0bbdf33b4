use std::time::Duration;

use policy::declare::{Vocabulary, read};
use policy::provider::Retries;
use policy::route::rule::RuleScope;

use super::*;

mod edits;
mod entities;
mod limits;
mod servers;

/// A configuration in whose environment every variable is set.
fn compiled(json: &str) -> Result<Snapshot, CompileError> {
    let vocabulary = Vocabulary {
        vendors: &["openai", "anthropic"],
        without_address: &[],
        self_hosted: &[],
        vendors_later: &[],
        check_base_url: |_, _| Ok(()),
    };
    let env = |name: &str| Some(format!("value-of-{name}"));
    let (file, _) = read(json, env, &vocabulary).unwrap_or_else(|problems| panic!("{problems:#?}"));
    compile(&file, Arc::default())
}

#[test]
fn enabled_rules_are_put_in_force_in_the_order_of_the_file() {
    let snapshot = compiled(
        r#"{
            "providers": {"openai": {"keys": [{"name": "a", "value": "sk"}],
                "network_config": {"max_retries": 5, "retry_backoff_initial": "1s"}}},
            "governance": {
                "customers": [{"id": "acme", "name": "Acme"}],
                "teams": [{"id": "ml", "name": "ML"}],
                "virtual_keys": [{"id": "vk", "name": "vk", "value": "token", "allow_all_providers": true}],
                "routing_rules": [
                    {"id": "second", "name": "1", "cel_expression": "model == 'a'", "targets": [{"weight": 1}]},
                    {"id": "off", "name": "2", "enabled": false, "targets": [{"weight": 1}]},
                    {"id": "third", "name": "3", "targets": [{"weight": 1}]},
                    {"id": "first", "name": "4", "cel_expression": "model == 'b'", "priority": -1,
                        "targets": [{"weight": 1}]},
                    {"id": "of-key", "name": "5", "scope": "virtual_key", "scope_id": "vk", "targets": [{"weight": 1}]},
                    {"id": "of-team", "name": "6", "scope": "team", "scope_id": "ml", "targets": [{"weight": 1}]},
                    {"id": "of-customer", "name": "7", "scope": "customer", "scope_id": "acme",
                        "targets": [{"weight": 1}]}
                ]
            }
        }"#,
    )
    .unwrap();
    let ids = |scope: RuleScope| -> Vec<_> {
        snapshot.rules().of_scope(&scope).iter().map(|rule| rule.id.as_str().to_owned()).collect()
    };
    assert_eq!(ids(RuleScope::Global), ["first", "second", "third"]);
    assert_eq!(ids(RuleScope::VirtualKey("vk".into())), ["of-key"]);
    assert_eq!(ids(RuleScope::Team("ml".into())), ["of-team"]);
    assert_eq!(ids(RuleScope::Customer("acme".into())), ["of-customer"]);
    assert!(snapshot.rules().get("off").is_none());
    let retries = snapshot.provider("openai").unwrap().retries;
    let second = Duration::from_secs(1);
    assert_eq!(retries, Retries { max: 5, backoff_initial: second, ..Retries::default() });
}
