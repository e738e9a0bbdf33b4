//! What refers to what, and what may stand only once.

use serde_json::{Value, json};

use super::*;

/// A right file, in whose `governance` a test changes something.
fn governance(change: Value) -> String {
    let mut governance = json!({
        "virtual_keys": [
            {"id": "vk", "name": "vk", "provider_configs": [{"id": "pc", "provider": "openai", "key_ids": ["main"]}]}
        ],
        "teams": [{"id": "ml", "name": "ML"}],
        "customers": [{"id": "acme", "name": "Acme"}],
        "budgets": [{"id": "monthly", "max_limit": 5, "reset_duration": "1M"}],
        "rate_limits": [{"id": "hourly", "request_max_limit": 5, "request_reset_duration": "1h"}],
    });
    let Value::Object(change) = change else { panic!("no object") };
    for (name, value) in change {
        governance[name] = value;
    }
    json!({"providers": {"openai": {"keys": [{"name": "main", "value": "sk"}]}}, "governance": governance}).to_string()
}

fn errors_of(change: Value) -> Vec<String> {
    let found = problems(&governance(change));
    errors(&found).into_iter().map(|line| line.trim_start_matches("governance.").to_owned()).collect()
}

fn warnings_of(change: Value) -> Vec<String> {
    let found = problems(&governance(change));
    assert_eq!(errors(&found), Vec::<&str>::new());
    // Some tests leave the budget and the rate limit of the file hanging on nothing.
    let about_limits = |line: &str| line.ends_with("limits nothing: no entity has it");
    let others = warnings(&found).into_iter().filter(|line| !about_limits(line));
    others.map(|line| line.trim_start_matches("governance.").to_owned()).collect()
}

fn key(fields: Value) -> Value {
    let mut key = json!({"id": "vk", "name": "vk", "provider_configs": []});
    for (name, value) in fields.as_object().unwrap() {
        key[name] = value.clone();
    }
    json!({"virtual_keys": [key]})
}

#[test]
fn the_file_that_is_changed_is_right() {
    assert_eq!(errors_of(json!({})), Vec::<String>::new());
    assert_eq!(warnings_of(json!({})), Vec::<String>::new());
}

#[test]
fn unknown_ids_are_errors_with_the_nearest_one() {
    for (field, id, expected) in [
        ("team_id", "mll", "no team has this id; did you mean `ml`?"),
        ("customer_id", "acm", "no customer has this id; did you mean `acme`?"),
        ("budget_id", "montly", "no budget has this id; did you mean `monthly`?"),
        ("rate_limit_id", "nope", "no rate limit has this id; known: hourly"),
    ] {
        let change = key(json!({field: id}));
        assert_eq!(errors_of(change), [format!("virtual_keys[0].{field} = \"{id}\": {expected}")]);
    }
    for (list, fields) in [
        ("teams", ["customer_id", "budget_id", "rate_limit_id"].as_slice()),
        ("customers", &["budget_id", "rate_limit_id"]),
    ] {
        for field in fields {
            let found = errors_of(json!({list: [{"id": "x", "name": "x", *field: "nope"}]}));
            assert_eq!(found.len(), 1, "{list} {field}");
            assert!(found[0].starts_with(&format!("{list}[0].{field} = \"nope\": no ")), "{found:?}");
        }
    }
}

#[test]
fn an_unknown_provider_is_a_warning() {
    let change = key(json!({"provider_configs": [{"provider": "opena"}, {"provider": "groq", "key_ids": ["x"]}]}));
    assert_eq!(
        warnings_of(change),
        [
            "virtual_keys[0].provider_configs[0].provider = \"opena\": \
             no provider of this name is configured, so nothing goes to it; did you mean `openai`?",
            "virtual_keys[0].provider_configs[1].key_ids[0] = \"x\": \
             its provider is not configured, so this key is not there yet",
            "virtual_keys[0].provider_configs[1].provider = \"groq\": \
             no provider of this name is configured, so nothing goes to it",
        ]
    );
}

#[test]
fn a_key_that_a_configured_provider_lacks_is_an_error() {
    for name in ["key_ids", "keys"] {
        let change = key(json!({"provider_configs": [{"provider": "openai", name: ["main", "mian"]}]}));
        let at = format!("virtual_keys[0].provider_configs[0].{name}[1]");
        let why = "provider `openai` has no key of this name; did you mean `main`?";
        assert_eq!(errors_of(change), [format!("{at} = \"mian\": {why}")]);
    }
}

#[test]
fn a_key_has_a_team_or_a_customer() {
    assert_eq!(
        errors_of(key(json!({"team_id": "ml", "customer_id": "acme"}))),
        ["virtual_keys[0].customer_id = \"acme\": a key has a `team_id` or a `customer_id`, not both"]
    );
}

#[test]
fn what_must_be_unique_is() {
    let twins = |field: &str| {
        let mut twins = json!([
            {"id": "a", "name": "a", "value": "token-a", "provider_configs": []},
            {"id": "b", "name": "b", "value": "token-b", "provider_configs": []},
        ]);
        twins[1][field] = twins[0][field].clone();
        json!({"virtual_keys": twins})
    };
    for field in ["id", "name", "value"] {
        let same = format!("the same as `governance.virtual_keys[0].{field}`; it must be unique");
        assert_eq!(errors_of(twins(field)), [format!("virtual_keys[1].{field}: {same}")]);
    }
    let config = json!({"provider": "openai"});
    assert_eq!(
        errors_of(key(json!({"provider_configs": [config, config]}))),
        ["virtual_keys[0].provider_configs[1].provider: \
          the same as `governance.virtual_keys[0].provider_configs[0].provider`; it must be unique"]
    );
    for (list, entry) in [
        ("teams", json!({"id": "x", "name": "x"})),
        ("customers", json!({"id": "x", "name": "x"})),
        ("budgets", json!({"id": "x", "max_limit": 1, "reset_duration": "1d"})),
        ("rate_limits", json!({"id": "x", "token_max_limit": 1, "token_reset_duration": "1d"})),
    ] {
        let found = errors_of(json!({list: [entry, entry]}));
        assert_eq!(found, [format!("{list}[1].id: the same as `governance.{list}[0].id`; it must be unique")]);
    }
    let models = ["a", "b"].map(|model| json!({"id": "x", "model_name": model}));
    assert_eq!(
        errors_of(json!({"model_configs": models})),
        ["model_configs[1].id: the same as `governance.model_configs[0].id`; it must be unique"]
    );
}

#[test]
fn the_ids_of_provider_configs_are_unique_among_all_keys() {
    let key = |id: &str| json!({"id": id, "name": id, "provider_configs": [{"id": 1, "provider": "openai"}]});
    assert_eq!(
        errors_of(json!({"virtual_keys": [key("a"), key("b")]})),
        ["virtual_keys[1].provider_configs[0].id = 1: another provider config has this id; it must be unique"]
    );
}

#[test]
fn a_budget_has_one_owner_and_an_owner_one_budget_of_a_duration() {
    let budget = |id: &str, reset: &str, owner: &str, of: &str| json!({"id": id, "max_limit": 1, "reset_duration": reset, owner: of});
    let mut torn = budget("a", "1d", "team_id", "ml");
    torn["virtual_key_id"] = "vk".into();
    assert_eq!(
        errors_of(json!({"budgets": [torn]})),
        ["budgets[0].team_id = \"ml\": a budget has one owner, and this one has `virtual_key_id` already"]
    );
    let same = [budget("a", "1M", "team_id", "ml"), budget("b", "monthly", "team_id", "ml")];
    assert_eq!(
        errors_of(json!({"budgets": same})),
        ["budgets[1].reset_duration = \"monthly\": budget `a` of the same owner has the same duration"]
    );
    let different = [budget("a", "1M", "team_id", "ml"), budget("b", "1d", "team_id", "ml")];
    assert_eq!(errors_of(json!({"budgets": different})), Vec::<String>::new());
    let by_reference = json!({
        "teams": [{"id": "ml", "name": "ML", "budget_id": "a"}],
        "budgets": [{"id": "a", "max_limit": 1, "reset_duration": "1M"}, budget("b", "1M", "team_id", "ml")],
    });
    assert_eq!(
        errors_of(by_reference),
        ["budgets[1].reset_duration = \"1M\": budget `a` of the same owner has the same duration"]
    );
    let twice_the_same = json!({
        "teams": [{"id": "ml", "name": "ML", "budget_id": "a"}],
        "budgets": [budget("a", "1M", "team_id", "ml")],
    });
    assert_eq!(errors_of(twice_the_same), Vec::<String>::new());
}

#[test]
fn the_owner_of_a_budget_exists() {
    for owner in ["virtual_key_id", "provider_config_id", "team_id", "customer_id"] {
        let found = errors_of(json!({"budgets": [{"id": "a", "max_limit": 1, "reset_duration": "1d", owner: "nope"}]}));
        assert_eq!(found.len(), 1, "{owner}");
        assert!(found[0].starts_with(&format!("budgets[0].{owner} = \"nope\": no ")), "{found:?}");
    }
}

#[test]
fn limits_have_sensible_numbers() {
    let budget = |limit: Value| json!({"budgets": [{"id": "a", "max_limit": limit, "reset_duration": "1d"}]});
    assert_eq!(errors_of(budget(json!(0))), Vec::<String>::new());
    assert_eq!(errors_of(budget(json!(-1))), ["budgets[0].max_limit = -1: must not be negative"]);
    let limit = |fields: Value| {
        let mut limit = fields;
        limit["id"] = "a".into();
        errors_of(json!({"rate_limits": [limit]}))
    };
    assert_eq!(
        limit(json!({"request_max_limit": 0, "request_reset_duration": "1h"})),
        ["rate_limits[0].request_max_limit = 0: expected a whole number, at least 1"]
    );
    assert_eq!(
        limit(json!({"token_max_limit": 5})),
        ["rate_limits[0].token_reset_duration: required with `token_max_limit`, but missing"]
    );
    assert_eq!(
        limit(json!({"token_max_limit": 5, "token_reset_duration": "1h", "request_reset_duration": "1h"})),
        ["rate_limits[0].request_max_limit: required with `request_reset_duration`, but missing"]
    );
    assert_eq!(
        limit(json!({})),
        ["rate_limits[0]: limits nothing: \
          has none of `request_max_limit`, `token_max_limit` and `max_concurrent_requests`"]
    );
}

fn rule(fields: Value) -> Vec<String> {
    let mut rule = json!({"id": "r", "name": "r", "targets": [{"provider": "openai", "weight": 1.0}]});
    for (name, value) in fields.as_object().unwrap() {
        rule[name] = value.clone();
    }
    errors_of(json!({"routing_rules": [rule]}))
}

#[test]
fn the_weights_of_a_rule_sum_to_one() {
    let targets = |weights: &[f64]| {
        let targets: Vec<_> = weights.iter().map(|weight| json!({"weight": weight})).collect();
        rule(json!({"targets": targets}))
    };
    for right in [[0.7, 0.3].as_slice(), &[1.0], &[0.333_333_3, 0.333_333_3, 0.333_333_4], &[0.999_999, 0.000_000_5]] {
        assert_eq!(targets(right), Vec::<String>::new(), "{right:?}");
    }
    assert_eq!(targets(&[0.7, 0.2]), ["routing_rules[0].targets: the weights must sum to 1, and sum to 0.9"]);
    assert_eq!(targets(&[1.000_01]), ["routing_rules[0].targets: the weights must sum to 1, and sum to 1.00001"]);
    assert_eq!(targets(&[]), ["routing_rules[0].targets: must have at least one target"]);
    assert_eq!(
        rule(json!({"targets": [{"provider": "openai"}]})),
        ["routing_rules[0].targets[0].weight: required, but missing"]
    );
}

#[test]
fn a_rule_of_a_scope_says_whose_it_is() {
    assert_eq!(rule(json!({"scope": "team", "scope_id": "ml"})), Vec::<String>::new());
    assert_eq!(
        rule(json!({"scope": "team"})),
        ["routing_rules[0].scope_id: required unless `scope` is \"global\", but missing: the id of the team"]
    );
    assert_eq!(
        rule(json!({"scope": "customer", "scope_id": "acm"})),
        ["routing_rules[0].scope_id = \"acm\": no customer has this id; did you mean `acme`?"]
    );
    assert_eq!(
        rule(json!({"scope_id": "ml"})),
        ["routing_rules[0].scope_id = \"ml\": a global rule has no `scope_id`; set `scope`"]
    );
    assert_eq!(
        rule(json!({"scope": "virtual-key", "scope_id": "vk"}))[0],
        "routing_rules[0].scope = \"virtual-key\": unknown; did you mean `virtual_key`?"
    );
}

#[test]
fn what_a_rule_names_is_looked_up() {
    let pinned = |name: &str| rule(json!({"targets": [{"provider": "openai", "key_id": name, "weight": 1}]}));
    assert_eq!(pinned("main"), Vec::<String>::new());
    assert_eq!(
        pinned("x"),
        ["routing_rules[0].targets[0].key_id = \"x\": provider `openai` has no key of this name; known: main"]
    );
    let rule =
        json!({"id": "r", "name": "r", "targets": [{"provider": "azure", "weight": 1}], "fallbacks": ["groq/x"]});
    let unconfigured = "no provider of this name is configured, so nothing goes to it";
    assert_eq!(
        warnings_of(json!({"routing_rules": [rule]})),
        [
            format!("routing_rules[0].fallbacks[0] = \"groq/x\": {unconfigured}"),
            format!("routing_rules[0].targets[0].provider = \"azure\": {unconfigured}"),
        ]
    );
}

#[test]
fn limits_of_models_and_providers_are_looked_up() {
    assert_eq!(
        errors_of(json!({
            "model_configs": [{"id": "m", "model_name": "gpt-4o", "budget_id": "x"}],
            "providers": [{"name": "openai", "rate_limit_id": "y"}, {"name": "openai"}],
        })),
        [
            "model_configs[0].budget_id = \"x\": no budget has this id; known: monthly",
            "providers[0].rate_limit_id = \"y\": no rate limit has this id; known: hourly",
            "providers[1].name: the same as `governance.providers[0].name`; it must be unique",
        ]
    );
}

#[test]
fn what_is_suspicious_is_a_warning() {
    let warnings_of = |json: &str| {
        let found = problems(json);
        assert_eq!(errors(&found), Vec::<&str>::new());
        warnings(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings_of(r#"{"governance": {"virtual_keys": [{"id": "a", "name": "a"}]}}"#),
        ["governance.virtual_keys[0]: allows no provider: has neither `provider_configs` nor `allow_all_providers`"]
    );
    assert_eq!(warnings_of(r#"{"version": 1, "governance": {"virtual_keys": [{"id": "a", "name": "a"}]}}"#).len(), 0);
    assert_eq!(
        warnings_of(r#"{"providers": {"openai": {"keys": []}}}"#),
        ["providers.openai: has no keys, so nothing goes to it"]
    );
    let direct = r#"{"client": {"allow_direct_keys": true}, "providers": {"openai": {"keys": []}}}"#;
    assert_eq!(warnings_of(direct).len(), 0);
    let blind = r#"{"client": {"allow_direct_keys": true},
        "providers": {"openai": {"network_config": {"insecure_skip_verify": true}}}}"#;
    assert_eq!(
        warnings_of(blind),
        ["providers.openai.network_config.insecure_skip_verify = true: \
          accepts any certificate: anyone in between can read and change the traffic"]
    );
}
