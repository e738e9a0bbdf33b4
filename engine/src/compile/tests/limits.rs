//! Budgets and rate limits in the snapshot, and what hangs on what on the pages that Tollgate is compatible with.

use policy::limit::{Limits, Mode};
use policy::money::NanoUsd;
use serde_json::{Value, json};

use super::*;

macro_rules! seed {
    ($name:literal) => {
        include_str!(concat!("../../../../policy/tests/seeds/", $name, ".json"))
    };
}

/// The fragments of the page about `config.json`.
pub(super) const PAGE: [&str; 7] = [
    seed!("admin-authentication"),
    seed!("virtual-keys"),
    seed!("budgets"),
    seed!("rate-limits"),
    seed!("routing-rules"),
    seed!("customers-and-teams"),
    seed!("full-example"),
];
/// The Helm page: all its sections, and the example at its end, which says some of it again.
pub(super) const HELM: [&str; 2] = [seed!("helm-sections"), seed!("helm-full-example")];

/// Objects are merged field by field, lists put one after the other; an entry that is there already is not put twice.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for item in from {
                if !into.contains(&item) {
                    into.push(item);
                }
            }
        }
        (into, from) => *into = from,
    }
}

/// The parts as one configuration, without what is to come.
pub(super) fn page(parts: &[&str]) -> Value {
    let mut merged = Value::Null;
    for part in parts {
        merge(&mut merged, serde_json::from_str(part).unwrap());
    }
    merged["governance"].as_object_mut().unwrap().remove("auth_config");
    for later in ["access_profiles", "config_store", "logs_store"] {
        merged.as_object_mut().unwrap().remove(later);
    }
    merged
}

/// The page about the file with the limits that it never defines.
pub(super) fn with_missing(mut page: Value) -> Value {
    let missing = json!({"governance": {
        "budgets": [
            {"id": "budget-acme-monthly", "max_limit": 1000.00, "reset_duration": "1M"},
            {"id": "budget-team-ml", "max_limit": 100.00, "reset_duration": "1M"},
        ],
        "rate_limits": [{"id": "rl-acme-hourly", "request_max_limit": 1000, "request_reset_duration": "1h"}],
    }});
    merge(&mut page, missing);
    page
}

/// All that a budget hangs on.
fn hangs_on(snapshot: &Snapshot, budget: &str, among: &[&str]) -> Vec<String> {
    let has = |limits: &Limits| limits.budgets.contains(&budget.into());
    let limits_of = |name: &str| {
        let (kind, name) = name.split_once(' ').unwrap();
        match kind {
            "key" => snapshot.key(name).unwrap().limits.clone(),
            "team" => snapshot.team(&name.into()).unwrap().limits.clone(),
            "customer" => snapshot.customer(&name.into()).unwrap().limits.clone(),
            "provider" => snapshot.limits_of_provider(&name.into()).cloned().unwrap_or_default(),
            "model" => {
                let (provider, model) = name.split_once('/').unwrap();
                snapshot
                    .limits_of_model(Some(&provider.into()), model)
                    .map(|one| one.limits.clone())
                    .unwrap_or_default()
            }
            _ => panic!("{kind}"),
        }
    };
    among.iter().filter(|name| has(&limits_of(name))).map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_whole_helm_page_shares_one_budget_among_all_that_name_it() {
    let snapshot = compiled(&page(&HELM).to_string()).unwrap();
    assert_eq!(snapshot.budgets().filter(|budget| budget.id.as_str() == "budget-production").count(), 1);
    assert_eq!((snapshot.budgets().count(), snapshot.rate_limits().count(), snapshot.key_count()), (4, 4, 7));
    let budget = snapshot.budget(&"budget-production".into()).unwrap();
    assert_eq!((budget.limit, budget.mode), (NanoUsd(500_000_000_000), Mode::Hard));
    assert_eq!(budget.window.to_string(), "1M");

    let everything = [
        "key vk-dev-all",
        "key vk-openai-prod",
        "key vk-multi",
        "key vk-platform-team",
        "key vk-testing",
        "key vk-batch",
        "key vk-production",
        "team team-platform",
        "team team-ml",
        "customer customer-acme",
        "customer customer-startup",
        "provider openai",
        "provider anthropic",
        "model openai/gpt-4o",
        "model anthropic/claude-3-5-sonnet-20241022",
    ];
    assert_eq!(
        hangs_on(&snapshot, "budget-production", &everything),
        [
            "key vk-openai-prod",
            "key vk-multi",
            "key vk-batch",
            "key vk-production",
            "team team-ml",
            "customer customer-acme",
            "provider openai",
            "provider anthropic",
            "model openai/gpt-4o",
        ]
    );
    assert_eq!(hangs_on(&snapshot, "budget-dev", &everything), ["key vk-dev-all", "customer customer-startup"]);
    assert_eq!(hangs_on(&snapshot, "budget-enterprise", &everything), ["team team-platform"]);
    assert_eq!(hangs_on(&snapshot, "budget-testing", &everything), ["key vk-testing"]);
}

#[test]
fn the_rate_limits_of_the_helm_page_hang_where_it_says() {
    let snapshot = compiled(&page(&HELM).to_string()).unwrap();
    let of_key = |id: &str| snapshot.key(id).unwrap().limits.rate_limit.clone();
    assert_eq!(of_key("vk-batch"), Some("rate-limit-burst".into()));
    assert_eq!(of_key("vk-platform-team"), None);
    let claude = snapshot.limits_of_model(Some(&"anthropic".into()), "claude-3-5-sonnet-20241022").unwrap();
    assert_eq!((claude.limits.budgets.len(), &claude.limits.rate_limit), (0, &Some("rate-limit-standard".into())));
    assert!(snapshot.limits_of_model(None, "claude-3-5-sonnet-20241022").is_none());
    let burst = snapshot.rate_limit(&"rate-limit-burst".into()).unwrap();
    let (requests, tokens) = (burst.requests.unwrap(), burst.tokens.unwrap());
    assert_eq!((requests.most, requests.window.nominal_ms()), (500, 60_000));
    assert_eq!((tokens.most, tokens.window.nominal_ms()), (50_000, 60_000));
}

#[test]
fn the_page_about_the_file_compiles_once_the_limits_that_it_lacks_are_defined() {
    let page = with_missing(page(&PAGE));
    let snapshot = compiled(&page.to_string()).unwrap();
    for (budget, owner) in [
        ("budget-platform-monthly", "key vk-team-platform"),
        ("budget-platform", "key vk-platform"),
        ("budget-acme-monthly", "customer customer-acme"),
        ("budget-team-ml", "team team-ml"),
    ] {
        let all = ["key vk-team-platform", "key vk-platform", "customer customer-acme", "team team-ml"];
        assert_eq!(hangs_on(&snapshot, budget, &all), [owner]);
    }
    assert_eq!(snapshot.key("vk-platform").unwrap().limits.rate_limit, Some("rl-platform".into()));
    let acme = snapshot.customer(&"customer-acme".into()).unwrap();
    assert_eq!(acme.limits.rate_limit, Some("rl-acme-hourly".into()));
}

#[test]
fn limits_that_are_written_in_place_are_put_in_force_before_what_has_them() {
    let budget = json!({"max_limit": 1, "reset_duration": "1d"});
    let crowd = json!({"max_concurrent_requests": 3});
    let file = json!({
        "client": {"unpriced_models": "allow", "min_clamped_tokens": 16},
        "providers": {"openai": {"keys": [{"name": "a", "value": "sk"}]}},
        "governance": {
            "customers": [{"id": "acme", "name": "Acme", "budget": budget}],
            "teams": [{"id": "ml", "name": "ML", "budget": budget, "rate_limit": crowd}],
            "virtual_keys": [{"id": "vk", "name": "vk", "value": "token", "rate_limit": crowd, "provider_configs": [
                {"provider": "openai", "budget": budget}
            ]}],
            "providers": [{"name": "openai", "rate_limit": crowd}],
            "model_configs": [{"id": "m", "model_name": "gpt-4o", "budget": budget}],
        },
    });
    let snapshot = compiled(&file.to_string()).unwrap();
    let mut budgets: Vec<_> = snapshot.budgets().map(|budget| budget.id.as_str()).collect();
    budgets.sort_unstable();
    assert_eq!(budgets, ["customer:acme/1d", "model:gpt-4o/1d", "provider_config:vk/openai/1d", "team:ml/1d"]);
    let mut rate_limits: Vec<_> = snapshot.rate_limits().map(|limit| limit.id.as_str()).collect();
    rate_limits.sort_unstable();
    assert_eq!(rate_limits, ["provider:openai", "team:ml", "virtual_key:vk"]);
    let of_config = &snapshot.key("vk").unwrap().providers[0].limits;
    assert_eq!(of_config.budgets.as_slice(), ["provider_config:vk/openai/1d".into()]);
    assert_eq!(snapshot.limits_of_provider(&"openai".into()).unwrap().rate_limit, Some("provider:openai".into()));
    let of_model = snapshot.limits_of_model(None, "gpt-4o").unwrap();
    assert_eq!(of_model.limits.budgets.as_slice(), ["model:gpt-4o/1d".into()]);
    assert!(!snapshot.settings().refuse_unpriced);
    assert_eq!(snapshot.settings().min_clamped_tokens, 16);
}
