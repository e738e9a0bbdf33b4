//! Every JSON example of the documents that Tollgate is compatible with.

use serde_json::{Value, json};

use crate::request::{Dialect, Operation, Request};
use crate::route::expr::{Content, Match};
use crate::route::rule::{Facts, Rule, Used, Who};

use super::*;

const PAGE: [&str; 7] = [
    include_str!("../../../tests/seeds/admin-authentication.json"),
    include_str!("../../../tests/seeds/virtual-keys.json"),
    include_str!("../../../tests/seeds/budgets.json"),
    include_str!("../../../tests/seeds/rate-limits.json"),
    include_str!("../../../tests/seeds/routing-rules.json"),
    include_str!("../../../tests/seeds/customers-and-teams.json"),
    FULL,
];
const FULL: &str = include_str!("../../../tests/seeds/full-example.json");
pub(super) const HELM: &str = include_str!("../../../tests/seeds/helm-sections.json");
pub(super) const HELM_FULL: &str = include_str!("../../../tests/seeds/helm-full-example.json");

/// Objects are merged field by field, lists put one after the other.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

/// All fragments of the page as one configuration.
fn page() -> Value {
    let mut merged = Value::Null;
    for fragment in PAGE {
        merge(&mut merged, serde_json::from_str(fragment).unwrap());
    }
    merged
}

const MISSING: [&str; 3] = [
    "governance.customers[0].budget_id = \"budget-acme-monthly\": no budget has this id; \
     known: budget-platform-monthly, budget-platform",
    "governance.customers[0].rate_limit_id = \"rl-acme-hourly\": no rate limit has this id; \
     known: rl-platform-hourly, rl-platform",
    "governance.teams[0].budget_id = \"budget-team-ml\": no budget has this id; \
     known: budget-platform-monthly, budget-platform",
];

#[test]
fn the_full_example_is_right() {
    assert_eq!(problems(FULL), Vec::<String>::new());
}

#[test]
fn the_merged_page_names_all_three_limits_that_it_never_defines() {
    let problems = problems(&page().to_string());
    assert_eq!(errors(&problems), MISSING);
}

/// The page with the limits that it never defines.
pub(super) fn whole_page() -> Value {
    let mut page = page();
    let limits = json!({"governance": {
        "budgets": [
            {"id": "budget-acme-monthly", "max_limit": 1000.00, "reset_duration": "1M"},
            {"id": "budget-team-ml", "max_limit": 100.00, "reset_duration": "1M"},
        ],
        "rate_limits": [{"id": "rl-acme-hourly", "request_max_limit": 1000, "request_reset_duration": "1h"}],
    }});
    merge(&mut page, limits);
    page
}

#[test]
fn the_merged_page_is_right_once_its_limits_are_defined() {
    let page = whole_page();
    let problems = problems(&page.to_string());
    assert_eq!(errors(&problems), Vec::<&str>::new());
    assert_eq!(
        warnings(&problems),
        [
            "governance.rate_limits[0].id = \"rl-platform-hourly\": limits nothing: no entity has it",
            "governance.routing_rules[0].targets[0].provider = \"azure\": \
             no provider of this name is configured, so nothing goes to it",
            "governance.routing_rules[2].id = \"fallback-to-anthropic\": \
             is never reached: rule `route-cost-split` comes first and always matches",
        ]
    );
}

#[test]
fn what_is_supported_of_the_page_is_read() {
    let mut page: Value = serde_json::from_str(FULL).unwrap();
    merge(&mut page, serde_json::from_str(PAGE[1]).unwrap());
    page["governance"].as_object_mut().unwrap().remove("auth_config");
    let (file, warnings) = read_text(&page.to_string()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(file.version, Version::V2);
    let names: Vec<_> = file.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["anthropic", "openai"]);
    let key = &file.governance.virtual_keys[1];
    assert_eq!(key.value.as_ref().map(Secret::reveal), Some("value-of-VK_PLATFORM_TEAM"));
    assert_eq!(key.providers.as_ref().map(Vec::len), Some(2));
    let of_platform = file.limits().of(Owner::VirtualKey("vk-platform"));
    assert_eq!(of_platform.budgets.as_slice(), ["budget-platform".into()]);
    assert_eq!(of_platform.rate_limit, Some("rl-platform".into()));
}

/// The rules of a page, whatever else it lacks.
fn rules(page: &str) -> Vec<Rule> {
    let written: Json = serde_json::from_str(page).unwrap();
    let log = Log::new(&written);
    let file = File::read(Node::document(&written, &log));
    file.governance.rules.iter().zip(0..).map(|(rule, order)| rule.to_policy(order)).collect()
}

#[test]
fn each_rule_of_the_pages_matches_what_its_page_says() {
    let rules: Vec<_> = [PAGE[4], FULL, HELM].into_iter().flat_map(rules).collect();
    assert_eq!(rules.len(), 6);
    let (short, long) = (r#"{"max_tokens": 4000}"#, r#"{"max_tokens": 4001}"#);
    for (id, model, body, expected) in [
        ("route-gpt4-to-azure", "gpt-4o", "{}", Match::Yes),
        ("route-gpt4-to-azure", "gpt-4o-mini", "{}", Match::No),
        ("route-cost-split", "anything", "{}", Match::Yes),
        ("fallback-to-anthropic", "anything", "", Match::Yes),
        ("route-gpt-to-azure", "gpt-4o-mini", "{}", Match::Yes),
        ("route-gpt-to-azure", "claude-sonnet-4", "{}", Match::No),
        ("route-heavy-to-groq", "gpt-4o", long, Match::Yes),
        ("route-heavy-to-groq", "gpt-4o", short, Match::No),
        ("route-heavy-to-groq", "gpt-4o", "{}", Match::No),
        ("route-heavy-to-groq", "gpt-4.1", long, Match::No),
        ("route-ml-team-bedrock", "anything", "{}", Match::Yes),
    ] {
        let rule = rules.iter().find(|rule| rule.id.as_str() == id).unwrap();
        let request =
            Request { body: body.as_bytes(), ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, model) };
        let content = Content::of(&request);
        let facts =
            Facts { model, provider: "", operation: request.operation, content: &content, used: &Used::default() };
        assert_eq!(rule.condition.evaluate(&Who::default(), &facts), expected, "{id} of {model} with {body}");
    }
}

#[test]
fn the_helm_page_asks_for_nothing_but_what_is_to_come() {
    let problems = problems(HELM);
    assert_eq!(errors(&problems), Vec::<&str>::new());
    assert_eq!(paths(later(&problems)), ["access_profiles"]);
    // The page is about governance alone: the providers that it names are configured on others.
    let unconfigured = ["no provider of this name is configured", "its provider is not configured"];
    let strange: Vec<_> =
        warnings(&problems).into_iter().filter(|line| !unconfigured.iter().any(|known| line.contains(known))).collect();
    assert_eq!(strange, Vec::<&str>::new());
}

#[test]
fn the_full_example_of_the_helm_page_asks_for_nothing_but_what_is_to_come() {
    let problems = problems(HELM_FULL);
    assert_eq!(errors(&problems), Vec::<&str>::new());
    assert_eq!(
        warnings(&problems),
        [
            "governance.budgets[1].id = \"budget-dev\": limits nothing: no entity has it",
            "governance.virtual_keys[0].provider_configs[0].provider = \"openai\": \
             no provider of this name is configured, so nothing goes to it",
        ]
    );
    assert_eq!(paths(later(&problems)), Vec::<&str>::new());
}

fn paths(lines: Vec<&str>) -> Vec<&str> {
    lines.into_iter().map(|line| line.split(':').next().unwrap()).collect()
}
