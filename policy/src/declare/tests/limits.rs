//! Budgets and rate limits in all their forms: what each comes to, and what is wrong with them.

use serde_json::{Value, json};

use crate::limit::{Algorithm, Limits, Mode, Quota};
use crate::money::NanoUsd;

use super::*;

/// A file with one of each entity that can have limits, in which `change` replaces lists of `governance`.
fn file(change: Value) -> String {
    let mut governance = json!({
        "customers": [{"id": "acme", "name": "Acme"}],
        "teams": [{"id": "ml", "name": "ML", "customer_id": "acme"}],
        "virtual_keys": [
            {"id": "vk", "name": "vk", "team_id": "ml", "provider_configs": [{"id": 7, "provider": "openai"}]}
        ],
    });
    for (name, value) in change.as_object().unwrap() {
        governance[name] = value.clone();
    }
    json!({"providers": {"openai": {"keys": [{"name": "main", "value": "sk"}]}}, "governance": governance}).to_string()
}

/// The same, with `fields` on one entity: a pointer into `governance`.
fn on(entity: &str, fields: &Value) -> String {
    let mut whole: Value = serde_json::from_str(&file(json!({
        "model_configs": [{"id": "m", "model_name": "gpt-4o", "provider": "openai"}],
        "providers": [{"name": "openai"}],
    })))
    .unwrap();
    let entity = whole.pointer_mut(&format!("/governance{entity}")).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        entity[name] = value.clone();
    }
    whole.to_string()
}

/// What can have limits: where it stands, and whose limits it has.
const ENTITIES: [(&str, Owner<'static>, &str); 6] = [
    ("/virtual_keys/0", Owner::VirtualKey("vk"), "virtual_key:vk"),
    ("/virtual_keys/0/provider_configs/0", Owner::ProviderConfig("7"), "provider_config:7"),
    ("/teams/0", Owner::Team("ml"), "team:ml"),
    ("/customers/0", Owner::Customer("acme"), "customer:acme"),
    ("/model_configs/0", Owner::Model { provider: Some("openai"), model: "gpt-4o" }, "model:openai/gpt-4o"),
    ("/providers/0", Owner::Provider("openai"), "provider:openai"),
];

fn read_limited(json: &str) -> File {
    let (file, warnings) = read_text(json).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let others = warnings.iter().filter(|problem| !problem.message.starts_with("limits nothing"));
    assert_eq!(others.count(), 0, "{warnings:#?}");
    file
}

fn ids(limits: &Limits) -> Vec<&str> {
    limits.budgets.iter().map(|id| id.as_str()).collect()
}

/// The errors of a configuration, without the path up to the entity.
fn errors_of(json: &str) -> Vec<String> {
    let found = problems(json);
    errors(&found).into_iter().map(|line| line.trim_start_matches("governance.").to_owned()).collect()
}

#[test]
fn each_entity_takes_its_limits_in_place_and_they_have_ids_of_its_own() {
    for (place, owner, id) in ENTITIES {
        let file = read_limited(&on(
            place,
            &json!({
                "budget": {"max_limit": 10, "reset_duration": "monthly"},
                "budgets": [{"max_limit": 1, "reset_duration": "1d"}, {"id": "mine", "max_limit": 0.5, "reset_duration": "1h"}],
                "rate_limit": {"request_max_limit": 5, "request_reset_duration": "1m"},
            }),
        ));
        let limits = file.limits();
        let of = limits.of(owner);
        assert_eq!(ids(&of), [format!("{id}/1M"), format!("{id}/1d"), "mine".into()], "{place}");
        assert_eq!(of.rate_limit.as_ref().map(|id| id.as_str()), Some(id), "{place}");
        let amounts: Vec<_> = limits.budgets.iter().map(|budget| (budget.id.as_str(), budget.limit)).collect();
        let dollars = |text| NanoUsd::from_usd_text(text).unwrap();
        let (monthly, daily) = (format!("{id}/1M"), format!("{id}/1d"));
        assert_eq!(amounts, [(&*monthly, dollars("10")), (&*daily, dollars("1")), ("mine", dollars("0.5"))]);
        let others = ENTITIES.iter().filter(|(_, other, _)| *other != owner);
        assert!(others.map(|(_, other, _)| limits.of(*other)).all(|limits| limits.is_empty()), "{place}");
    }
}

#[test]
fn each_entity_names_limits_by_their_ids() {
    for (place, owner, _) in ENTITIES {
        let mut whole: Value =
            serde_json::from_str(&on(place, &json!({"budget_id": "shared", "rate_limit_id": "hourly"}))).unwrap();
        whole["governance"]["budgets"] = json!([{"id": "shared", "max_limit": 1, "reset_duration": "1d"}]);
        whole["governance"]["rate_limits"] = json!([{"id": "hourly", "max_concurrent_requests": 1}]);
        let file = read_limited(&whole.to_string());
        let limits = file.limits();
        let of = limits.of(owner);
        assert_eq!((ids(&of), of.rate_limit.clone()), (vec!["shared"], Some("hourly".into())), "{place}");
        assert_eq!((limits.budgets.len(), limits.rate_limits.len()), (1, 1));
    }
}

#[test]
fn an_entity_has_what_it_names_what_stands_on_it_and_what_names_it_each_once() {
    for (field, owner_id, place, owner) in [
        ("virtual_key_id", "vk", "/virtual_keys/0", Owner::VirtualKey("vk")),
        ("provider_config_id", "7", "/virtual_keys/0/provider_configs/0", Owner::ProviderConfig("7")),
        ("team_id", "ml", "/teams/0", Owner::Team("ml")),
        ("customer_id", "acme", "/customers/0", Owner::Customer("acme")),
    ] {
        let inline = json!({"budget_id": "a", "budgets": [{"id": "b", "max_limit": 1, "reset_duration": "1d"}]});
        let mut whole: Value = serde_json::from_str(&on(place, &inline)).unwrap();
        whole["governance"]["budgets"] = json!([
            {"id": "a", "max_limit": 1, "reset_duration": "1M", field: owner_id},
            {"id": "c", "max_limit": 1, "reset_duration": "1h", field: owner_id},
        ]);
        let file = read_limited(&whole.to_string());
        assert_eq!(ids(&file.limits().of(owner)), ["a", "b", "c"], "{field}");
    }
}

#[test]
fn a_key_brings_its_limits_and_those_of_its_providers() {
    let json = file(json!({
        "virtual_keys": [{"id": "vk", "name": "vk", "budget": {"max_limit": 9, "reset_duration": "1M"}, "provider_configs": [
            {"provider": "openai", "budget": {"max_limit": 3, "reset_duration": "1w"},
                "rate_limit": {"max_concurrent_requests": 4}}
        ]}],
        "teams": [{"id": "ml", "name": "ML", "budget": {"max_limit": 9, "reset_duration": "1M"}}],
        "customers": [{"id": "acme", "name": "Acme", "rate_limit": {"max_concurrent_requests": 2}}],
    }));
    let file = right(&json);
    let key = normal_key(&file, "vk");
    assert_eq!(ids(&key.limits), ["virtual_key:vk/1M"]);
    assert_eq!(ids(&key.providers[0].limits), ["provider_config:vk/openai/1w"]);
    assert_eq!(key.providers[0].limits.rate_limit, Some("provider_config:vk/openai".into()));
    assert_eq!(ids(&normal_team(&file, "ml").limits), ["team:ml/1M"]);
    assert_eq!(normal_customer(&file, "acme").limits.rate_limit, Some("customer:acme".into()));
}

#[test]
fn a_model_has_limits_with_a_provider_and_without() {
    let config = |id: &str, limit: u32| json!({"id": id, "model_name": "gpt-4o", "rate_limit": {"max_concurrent_requests": limit}});
    let mut at_openai = config("a", 1);
    at_openai["provider"] = "openai".into();
    let file = right(&file(json!({"model_configs": [at_openai, config("b", 2)]})));
    let of = ["a", "b"].map(|id| {
        normal(&file, id, |shape| if let Shape::ModelConfig(config) = shape { Some(config.to_policy()) } else { None })
    });
    assert_eq!((of[0].provider.clone(), of[1].provider.clone()), (Some("openai".into()), None));
    assert!(of.iter().all(|one| one.model.as_str() == "gpt-4o"));
    let ids = of.iter().map(|one| one.limits.rate_limit.clone().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), ["model:openai/gpt-4o".into(), "model:gpt-4o".into()]);
}

#[test]
fn a_budget_is_read_whole_and_hard_in_utc_unless_it_says_otherwise() {
    let file = right(&file(json!({
        "budgets": [
            {"id": "plain", "max_limit": 500.00, "reset_duration": "1M", "team_id": "ml"},
            {"id": "said", "max_limit": 0, "reset_duration": "1Q", "customer_id": "acme", "mode": "soft",
                "calendar_aligned": true, "timezone": "Europe/Berlin"},
        ],
    })));
    let [plain, said] = &*file.limits().budgets else { panic!("not two") };
    assert_eq!((plain.limit, plain.mode), (NanoUsd(500_000_000_000), Mode::Hard));
    assert_eq!(plain.window.to_string(), "1M");
    assert_eq!((said.limit, said.mode), (NanoUsd::ZERO, Mode::Soft));
    assert_eq!(said.window.to_string(), "1Q aligned in Europe/Berlin");
}

#[test]
fn a_rate_limit_is_read_whole_and_rolls_unless_it_says_otherwise() {
    let file = right(&file(json!({
        "teams": [{"id": "ml", "name": "ML", "rate_limit_id": "said"}],
        "customers": [{"id": "acme", "name": "Acme", "rate_limit_id": "plain"}],
        "rate_limits": [
            {"id": "plain", "token_max_limit": 1000, "token_reset_duration": "1M"},
            {"id": "said", "request_max_limit": 5, "request_reset_duration": "30s", "max_concurrent_requests": 3,
                "algorithm": "fixed"},
        ],
    })));
    let [plain, said] = &*file.limits().rate_limits else { panic!("not two") };
    let quota = |most, window: &str| Some(Quota { most, window: window.parse().unwrap() });
    assert_eq!((plain.requests, plain.tokens, plain.concurrent), (None, quota(1_000, "1M"), None));
    assert_eq!(plain.algorithm, Algorithm::Rolling);
    assert_eq!((said.requests, said.tokens, said.concurrent), (quota(5, "30s"), None, Some(3)));
    assert_eq!(said.algorithm, Algorithm::Fixed);
}

#[test]
fn an_owner_that_follows_the_calendar_aligns_all_of_its_budgets_and_no_others() {
    let budget = |reset: &str| json!({"max_limit": 1, "reset_duration": reset});
    for (place, aligned) in [
        ("/virtual_keys/0", vec!["provider_config:7/1d", "shared", "virtual_key:vk/1d"]),
        ("/teams/0", vec!["shared", "team:ml/1d"]),
        ("/customers/0", vec!["customer:acme/1d", "owned"]),
        ("/providers/0", vec!["provider:openai/1d"]),
    ] {
        let mut whole: Value = serde_json::from_str(&file(json!({
            "virtual_keys": [{"id": "vk", "name": "vk", "budget_id": "shared", "budget": budget("1d"),
                "provider_configs": [{"id": "7", "provider": "openai", "budget": budget("1d")}]}],
            "teams": [{"id": "ml", "name": "ML", "budget_id": "shared", "budget": budget("1d")}],
            "customers": [{"id": "acme", "name": "Acme", "budget": budget("1d")}],
            "budgets": [
                {"id": "shared", "max_limit": 1, "reset_duration": "1M"},
                {"id": "owned", "max_limit": 1, "reset_duration": "1M", "customer_id": "acme"},
            ],
            "providers": [{"name": "openai", "budget": budget("1d")}],
        })))
        .unwrap();
        whole.pointer_mut(&format!("/governance{place}")).unwrap()["calendar_aligned"] = true.into();
        let file = right(&whole.to_string());
        let limits = file.limits();
        let mut found: Vec<_> = limits.budgets.iter().filter(|budget| budget.window.calendar_aligned).collect();
        found.sort_by_key(|budget| budget.id.clone());
        assert_eq!(found.iter().map(|budget| budget.id.as_str()).collect::<Vec<_>>(), aligned, "{place}");
        assert_eq!(limits.budgets.len(), 7);
    }
}

/// `(the budget, its only error behind the path)`
const MISTAKES_OF_A_BUDGET: &[(&str, &str)] = &[
    (r#"{"max_limit": -0.01, "reset_duration": "1d"}"#, ".max_limit = -0.01: must not be negative"),
    (r#"{"max_limit": "NaN", "reset_duration": "1d"}"#, ".max_limit = \"NaN\": expected a number, found a text"),
    (r#"{"max_limit": "5", "reset_duration": "1d"}"#, ".max_limit = \"5\": expected a number, found a text"),
    (r#"{"max_limit": 1e11, "reset_duration": "1d"}"#, ".max_limit = 100000000000: too large"),
    (r#"{"reset_duration": "1d"}"#, ".max_limit: required, but missing"),
    (r#"{"max_limit": 5}"#, ".reset_duration: required, but missing"),
    (
        r#"{"max_limit": 5, "reset_duration": "0d"}"#,
        ".reset_duration = \"0d\": expected a whole number and one of s m h d w M Q Y, as in \"30s\" or \"1M\"",
    ),
    (r#"{"max_limit": 5, "reset_duration": "1d", "mode": "sotf"}"#, ".mode = \"sotf\": unknown; did you mean `soft`?"),
    (
        r#"{"max_limit": 5, "reset_duration": "1d", "timezone": "Europe/Berlim"}"#,
        ".timezone = \"Europe/Berlim\": no time zone of the IANA database; did you mean `Europe/Berlin`?",
    ),
    (
        r#"{"max_limit": 5, "reset_duration": "1d", "team_id": "ml"}"#,
        ".team_id: unknown field; known: id, max_limit, reset_duration, calendar_aligned, timezone, mode",
    ),
];

#[test]
fn each_mistake_of_a_budget_is_told_as_it_should_be() {
    for (budget, expected) in MISTAKES_OF_A_BUDGET {
        let json = on("/teams/0", &json!({"budget": serde_json::from_str::<Value>(budget).unwrap()}));
        assert_eq!(errors_of(&json), [format!("teams[0].budget{expected}")], "{budget}");
        let json = on("/teams/0", &json!({"budgets": [serde_json::from_str::<Value>(budget).unwrap()]}));
        assert_eq!(errors_of(&json), [format!("teams[0].budgets[0]{expected}")], "{budget}");
    }
    let nan = file(json!({"budgets": []})).replace("\"budgets\":[]", "\"budgets\":[{\"max_limit\":NaN}]");
    assert!(errors_of(&nan)[0].starts_with("not JSON: expected value"), "{:?}", errors_of(&nan));
}

/// `(the rate limit, its only error behind the path)`
const MISTAKES_OF_A_RATE_LIMIT: &[(&str, &str)] = &[
    (r#"{"max_concurrent_requests": 0}"#, ".max_concurrent_requests = 0: expected a whole number from 1 to 4294967295"),
    (
        r#"{"max_concurrent_requests": 5, "algorithm": "sliding"}"#,
        ".algorithm = \"sliding\": unknown; known: rolling, fixed",
    ),
    (
        r#"{"request_max_limit": 5.5, "request_reset_duration": "1h"}"#,
        ".request_max_limit = 5.5: expected a whole number, at least 1",
    ),
    (
        r#"{"request_max_limit": 5, "max_concurrent_requests": 5}"#,
        ".request_reset_duration: required with `request_max_limit`, but missing",
    ),
    (
        r#"{"token_reset_duration": "1h", "max_concurrent_requests": 5}"#,
        ".token_max_limit: required with `token_reset_duration`, but missing",
    ),
    (
        r#"{"request_max_limit": null}"#,
        ": limits nothing: has none of `request_max_limit`, `token_max_limit` and `max_concurrent_requests`",
    ),
];

#[test]
fn each_mistake_of_a_rate_limit_is_told_as_it_should_be() {
    for (limit, expected) in MISTAKES_OF_A_RATE_LIMIT {
        let limit: Value = serde_json::from_str(limit).unwrap();
        let json = on("/customers/0", &json!({"rate_limit": limit}));
        assert_eq!(errors_of(&json), [format!("customers[0].rate_limit{expected}")], "{limit}");
    }
}

#[test]
fn a_rate_limit_is_named_or_written_not_both() {
    for (place, ..) in ENTITIES {
        let both = json!({"rate_limit": {"max_concurrent_requests": 1}, "rate_limit_id": "hourly"});
        let mut whole: Value = serde_json::from_str(&on(place, &both)).unwrap();
        whole["governance"]["rate_limits"] = json!([{"id": "hourly", "max_concurrent_requests": 1}]);
        let found = errors_of(&whole.to_string());
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].ends_with("rate_limit: there is a `rate_limit_id` already: write only one of them"));
    }
}

#[test]
fn unknown_ids_are_errors_wherever_they_are_named() {
    for (place, ..) in ENTITIES {
        let found = errors_of(&on(place, &json!({"budget_id": "x", "rate_limit_id": "y"})));
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].ends_with("budget_id = \"x\": no budget has this id"), "{found:?}");
        assert!(found[1].ends_with("rate_limit_id = \"y\": no rate limit has this id"), "{found:?}");
    }
}

#[test]
fn an_owner_has_one_budget_of_a_duration_however_they_are_written() {
    let daily = json!({"max_limit": 1, "reset_duration": "1d"});
    let named = json!({"id": "mine", "max_limit": 1, "reset_duration": "daily"});
    for (fields, expected) in [
        (
            json!({"budgets": [daily, daily]}),
            "teams[0].budgets[1].reset_duration = \"1d\": another budget of the same owner has the same duration",
        ),
        (
            json!({"budget": named, "budgets": [daily]}),
            "teams[0].budgets[0].reset_duration = \"1d\": budget `mine` of the same owner has the same duration",
        ),
        (
            json!({"budget_id": "listed", "budget": daily}),
            "teams[0].budget.reset_duration = \"1d\": budget `listed` of the same owner has the same duration",
        ),
    ] {
        let mut whole: Value = serde_json::from_str(&on("/teams/0", &fields)).unwrap();
        whole["governance"]["budgets"] = json!([{"id": "listed", "max_limit": 1, "reset_duration": "1d"}]);
        assert_eq!(errors_of(&whole.to_string()), [expected]);
    }
    let mut whole: Value = serde_json::from_str(&on("/teams/0", &json!({"budget": daily}))).unwrap();
    whole["governance"]["budgets"] = json!([{"id": "listed", "max_limit": 1, "reset_duration": "1d", "team_id": "ml"}]);
    assert_eq!(
        errors_of(&whole.to_string()),
        ["budgets[0].reset_duration = \"1d\": another budget of the same owner has the same duration"]
    );
}

#[test]
fn the_ids_of_limits_are_unique_written_or_made() {
    let budget = json!({"max_limit": 1, "reset_duration": "1d"});
    let named = json!({"id": "mine", "max_limit": 1, "reset_duration": "1d"});
    let team = |id: &str, budget: &Value| json!({"id": id, "name": id, "budget": budget});
    assert_eq!(
        errors_of(&file(json!({"teams": [team("a", &named), team("b", &named)], "virtual_keys": []}))),
        ["teams[1].budget.id = \"mine\": another budget has this id; it must be unique"]
    );
    let listed = json!([{"id": "team:a/1d", "max_limit": 1, "reset_duration": "1d", "customer_id": "acme"}]);
    assert_eq!(
        errors_of(&file(json!({"teams": [team("a", &budget)], "budgets": listed, "virtual_keys": []}))),
        ["teams[0].budget: another budget has the id `team:a/1d`: give this one an `id`"]
    );
    let limit = json!({"max_concurrent_requests": 1});
    let models = json!([
        {"id": "a", "provider": "openai", "model_name": "x", "rate_limit": limit},
        {"id": "b", "model_name": "openai/x", "rate_limit": limit},
    ]);
    assert_eq!(
        errors_of(&file(json!({"model_configs": models}))),
        ["model_configs[1].rate_limit: another rate limit has the id `model:openai/x`: give this one an `id`"]
    );
}

#[test]
fn a_budget_that_is_written_on_one_entity_can_be_named_by_another() {
    let file = right(&file(json!({
        "teams": [{"id": "ml", "name": "ML", "budget": {"id": "pool", "max_limit": 1, "reset_duration": "1d"},
            "rate_limit": {"id": "crowd", "max_concurrent_requests": 5}}],
        "customers": [{"id": "acme", "name": "Acme", "budget_id": "pool", "rate_limit_id": "crowd"}],
    })));
    let limits = file.limits();
    assert_eq!(limits.of(Owner::Team("ml")), limits.of(Owner::Customer("acme")));
    assert_eq!((limits.budgets.len(), limits.rate_limits.len()), (1, 1));
}

#[test]
fn a_model_may_name_several_budgets() {
    let budget = |id: &str, reset: &str| json!({"id": id, "max_limit": 1, "reset_duration": reset});
    let with = |ids: Value| {
        let model = json!({"id": "m", "model_name": "x", "budget_id": "a", "budget_ids": ids});
        let budgets = json!([budget("a", "1M"), budget("b", "1d"), budget("c", "24h"), budget("d", "daily")]);
        file(json!({"model_configs": [model], "budgets": budgets}))
    };
    let file = read_limited(&with(json!(["b", "a", "c"])));
    assert_eq!(ids(&file.limits().of(Owner::Model { provider: None, model: "x" })), ["a", "b", "c"]);
    assert_eq!(
        errors_of(&with(json!(["b", "d", "e"]))),
        [
            "model_configs[0].budget_ids[1] = \"d\": budget `b` of the same owner has the same duration",
            "model_configs[0].budget_ids[2] = \"e\": no budget has this id; did you mean `a`?",
        ]
    );
}

#[test]
fn a_model_has_limits_once_and_is_one() {
    let config = |id: &str, model: &str, provider: Value| json!({"id": id, "model_name": model, "provider": provider, "rate_limit": {"max_concurrent_requests": 1}});
    let twice = json!([
        config("a", "x", "openai".into()),
        config("b", "x", Value::Null),
        config("c", "x", "openai".into()),
        config("d", "*", "openai".into()),
    ]);
    assert_eq!(
        errors_of(&file(json!({"model_configs": twice}))),
        [
            "model_configs[2].model_name = \"x\": `governance.model_configs[0]` is for the same model and provider",
            "model_configs[3].model_name = \"*\": names no model; limits of a provider as a whole stand in `providers`",
        ]
    );
}

#[test]
fn what_limits_nothing_is_a_warning() {
    let found = problems(&file(json!({
        "budgets": [{"id": "a", "max_limit": 1, "reset_duration": "1d"}],
        "rate_limits": [
            {"id": "b", "max_concurrent_requests": 1},
            {"id": "c", "max_concurrent_requests": 1, "algorithm": "fixed"},
        ],
        "model_configs": [{"id": "m", "model_name": "gpt-4o"}],
        "providers": [{"name": "openai", "rate_limit_id": "c"}],
    })));
    assert_eq!(
        warnings(&found),
        [
            "governance.budgets[0].id = \"a\": limits nothing: no entity has it",
            "governance.model_configs[0]: limits nothing: has neither a budget nor a rate limit",
            "governance.rate_limits[0].id = \"b\": limits nothing: no entity has it",
            "governance.rate_limits[1].algorithm = \"fixed\": \
             changes nothing: calls in flight have no window, and nothing else is limited here",
        ]
    );
    assert_eq!(errors(&found), Vec::<&str>::new());
}

#[test]
fn a_time_zone_that_makes_no_difference_is_a_warning() {
    let idle = "changes nothing: such windows are the same in every zone";
    let budget = |reset: &str, aligned: bool| {
        let zone = "Asia/Tokyo";
        json!({"max_limit": 1, "reset_duration": reset, "timezone": zone, "calendar_aligned": aligned})
    };
    for (reset, aligned, warned) in [
        ("1h", false, true),
        ("1h", true, true),
        ("1d", false, true),
        ("1d", true, false),
        ("2w", false, true),
        ("1M", false, false),
        ("1Y", true, false),
    ] {
        let teams = json!([{"id": "ml", "name": "ML", "budget": budget(reset, aligned)}]);
        let found = problems(&file(json!({"teams": teams})));
        let expected = format!("warning: governance.teams[0].budget.timezone = \"Asia/Tokyo\": {idle}");
        assert_eq!(found, Vec::from_iter(warned.then_some(expected)), "{reset} {aligned}");
    }
    let mut listed = budget("1d", false);
    listed["id"] = "listed".into();
    let of = |aligned: bool| {
        let teams = json!([{"id": "ml", "name": "ML", "budget_id": "listed", "calendar_aligned": aligned}]);
        problems(&file(json!({"teams": teams, "budgets": [listed]})))
    };
    assert_eq!(of(true), Vec::<String>::new());
    assert_eq!(of(false), [format!("warning: governance.budgets[0].timezone = \"Asia/Tokyo\": {idle}")]);
}

#[test]
fn what_settings_say_of_prices_and_limits_is_one_of_few() {
    assert_eq!(
        problems(r#"{"client": {"unpriced_models": "deny", "min_clamped_tokens": 0}}"#),
        [
            "client.unpriced_models = \"deny\": unknown; known: refuse, allow",
            "client.min_clamped_tokens = 0: expected a whole number from 1 to 100000000",
        ]
    );
}

#[test]
fn budgets_that_are_aligned_where_there_is_none_are_a_warning() {
    for entity in ["/virtual_keys/0", "/teams/0", "/customers/0", "/providers/0"] {
        let place = format!("governance{}.calendar_aligned", entity.replace("/0", "[0]").replace('/', "."));
        let expected = format!("warning: {place} = true: changes nothing: there is no budget here");
        let aligned = |fields: Value| {
            let mut whole = json!({"calendar_aligned": true});
            whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = problems(&on(entity, &whole));
            found.contains(&expected)
        };
        assert!(aligned(json!({})), "{entity}");
        assert!(aligned(json!({"rate_limit": {"max_concurrent_requests": 1}})), "{entity}");
        assert!(!aligned(json!({"calendar_aligned": false})), "{entity}");
        assert!(!aligned(json!({"budget": {"max_limit": 1, "reset_duration": "1d"}})), "{entity}");
    }
    let listed = json!([{"id": "b", "team_id": "ml", "max_limit": 1, "reset_duration": "1d"}]);
    let teams = json!([{"id": "ml", "name": "ML", "calendar_aligned": true}]);
    assert_eq!(problems(&file(json!({"teams": teams, "budgets": listed}))), Vec::<String>::new());
}
