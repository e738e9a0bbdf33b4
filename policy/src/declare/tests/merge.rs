//! What the bodies of requests make of stored entities.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::entity::{Kind, Normalised, made_for, merge};
use super::*;

/// Rows by kind and id.
type Rows = HashMap<(Kind, String), Value>;

fn rows(rows: &[(Kind, Value)]) -> Rows {
    rows.iter().map(|(kind, row)| ((*kind, row["id"].as_str().unwrap().to_owned()), row.clone())).collect()
}

fn try_merge(
    kind: Kind,
    id: &str,
    stored: Option<&Value>,
    body: &Value,
    rows: &Rows,
) -> Result<Normalised, Vec<String>> {
    let row = |kind: Kind, id: &str| rows.get(&(kind, id.to_owned())).map(Value::to_string);
    merge(kind, id, stored.map(Value::to_string).as_deref(), &body.to_string(), &row).map_err(lines)
}

/// The document, the budgets and rate limits that are written, each with its place, and the ids of what is let go.
fn merge_all(
    kind: Kind,
    id: &str,
    stored: Option<&Value>,
    body: &Value,
    rows: &Rows,
) -> (Value, Vec<(String, Value)>, Vec<String>) {
    let done = try_merge(kind, id, stored, body, rows).unwrap();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let written = done.budgets.iter().chain(&done.rate_limits);
    let written = written.map(|one| {
        let document = json(&one.document);
        assert_eq!(document["id"], *one.id);
        (one.at.clone(), document)
    });
    let removed = done.removed.iter().map(|(kind, id)| format!("{kind} {id}"));
    (json(&done.entity.document), written.collect(), removed.collect())
}

fn budget(id: &str, most: u32, reset: &str) -> Value {
    json!({"id": id, "max_limit": most, "reset_duration": reset})
}

fn stored_team() -> (Value, Rows) {
    let team = json!({"id": "ml", "name": "ML", "customer_id": "acme", "budget_ids": ["team:ml/1M", "pool"],
        "rate_limit_id": "team:ml"});
    let mut month = budget("team:ml/1M", 100, "1M");
    month["mode"] = "soft".into();
    let rate = json!({"id": "team:ml", "request_max_limit": 10, "request_reset_duration": "1h", "token_max_limit": 5,
        "token_reset_duration": "1m"});
    (team, rows(&[(Kind::Budget, month), (Kind::Budget, budget("pool", 7, "1d")), (Kind::RateLimit, rate)]))
}

#[test]
fn what_is_absent_stays_and_null_removes() {
    let (team, rows) = stored_team();
    let (after, written, removed) =
        merge_all(Kind::Team, "ml", Some(&team), &json!({"name": "Learning", "customer_id": null}), &rows);
    assert_eq!(
        after,
        json!({"id": "ml", "name": "Learning", "budget_ids": ["team:ml/1M", "pool"], "rate_limit_id": "team:ml"})
    );
    assert_eq!((written, removed), (vec![], vec![]));
}

#[test]
fn a_new_entity_has_its_limits_as_entities_of_their_own() {
    let body = json!({"name": "ML", "calendar_aligned": true, "budgets": [{"max_limit": 5, "reset_duration": "monthly"}],
        "rate_limit": {"request_max_limit": 3, "request_reset_duration": "1m"}});
    let (after, written, removed) = merge_all(Kind::Team, "ml", None, &body, &Rows::new());
    assert_eq!(
        after,
        json!({"id": "ml", "name": "ML", "calendar_aligned": true, "budget_ids": ["team:ml/1M"], "rate_limit_id": "team:ml"})
    );
    let month = json!({"id": "team:ml/1M", "max_limit": 5, "reset_duration": "monthly", "calendar_aligned": true});
    let rate = json!({"id": "team:ml", "request_max_limit": 3, "request_reset_duration": "1m"});
    assert_eq!(written, [("budgets[0]".into(), month), ("rate_limit".into(), rate)]);
    assert_eq!(removed, Vec::<String>::new());
}

#[test]
fn a_budget_of_the_same_duration_is_the_same_and_those_not_named_are_let_go() {
    let (team, rows) = stored_team();
    let of = |body: Value| merge_all(Kind::Team, "ml", Some(&team), &body, &rows);
    // `24h` is no day: days may have other lengths.
    let (after, written, removed) = of(
        json!({"budgets": [{"max_limit": 200, "reset_duration": "monthly"}, {"max_limit": 1, "reset_duration": "1h"}]}),
    );
    assert_eq!(after["budget_ids"], json!(["team:ml/1M", "team:ml/1h"]));
    let month = json!({"id": "team:ml/1M", "max_limit": 200, "reset_duration": "monthly", "mode": "soft"});
    let hour = json!({"id": "team:ml/1h", "max_limit": 1, "reset_duration": "1h"});
    assert_eq!(written, [("budgets[0]".into(), month), ("budgets[1]".into(), hour)]);
    // The pool was not made for the team, so it stays.
    assert_eq!(removed, Vec::<String>::new());

    let (after, written, removed) = of(json!({"budgets": [{"max_limit": 8, "reset_duration": "1d"}]}));
    assert_eq!(after["budget_ids"], json!(["pool"]));
    assert_eq!(written, [("budgets[0]".into(), budget("pool", 8, "1d"))]);
    assert_eq!(removed, ["budget team:ml/1M"]);

    let (after, written, removed) = of(json!({"budgets": null}));
    assert_eq!((after.get("budget_ids"), written), (None, vec![]));
    assert_eq!(removed, ["budget team:ml/1M"]);

    let (after, _, removed) = of(json!({"budget_ids": ["pool"]}));
    assert_eq!((&after["budget_ids"], removed), (&json!(["pool"]), vec!["budget team:ml/1M".to_owned()]));
}

#[test]
fn one_budget_without_a_duration_is_the_one_that_there_is() {
    let customer = json!({"id": "acme", "name": "Acme", "budget_ids": ["b"]});
    let rows = rows(&[(Kind::Budget, budget("b", 1, "1M"))]);
    let (after, written, _) =
        merge_all(Kind::Customer, "acme", Some(&customer), &json!({"budget": {"max_limit": 9}}), &rows);
    assert_eq!((after, written), (customer, vec![("budget".into(), budget("b", 9, "1M"))]));
}

#[test]
fn a_rate_limit_is_merged_and_goes_when_it_limits_nothing() {
    let (team, rows) = stored_team();
    let of = |body: Value| merge_all(Kind::Team, "ml", Some(&team), &json!({"rate_limit": body}), &rows);
    let (after, written, _) = of(json!({"request_max_limit": 20, "token_max_limit": null}));
    assert_eq!(after, team);
    let rate = json!({"id": "team:ml", "request_max_limit": 20, "request_reset_duration": "1h"});
    assert_eq!(written, [("rate_limit".into(), rate)]);
    for gone in [json!(null), json!({"request_max_limit": null, "token_max_limit": null})] {
        let (after, written, removed) = of(gone);
        assert_eq!(
            (after.get("rate_limit_id"), written, removed),
            (None, vec![], vec!["rate_limit team:ml".to_owned()])
        );
    }
}

fn stored_key() -> (Value, Rows) {
    let key = json!({"id": "vk", "name": "vk", "value_hash": "00", "allow_all_providers": false, "provider_configs": [
        {"id": 7, "provider": "openai", "weight": 2, "budget_ids": ["provider_config:7/1d"], "rate_limit_id": "shared"},
        {"provider": "anthropic", "budget_ids": ["provider_config:vk/anthropic/1d"],
            "rate_limit_id": "provider_config:vk/anthropic"},
    ]});
    let rate = json!({"id": "provider_config:vk/anthropic", "max_concurrent_requests": 1});
    let of = |id: &str| (Kind::Budget, budget(id, 1, "1d"));
    (key, rows(&[of("provider_config:7/1d"), of("provider_config:vk/anthropic/1d"), (Kind::RateLimit, rate)]))
}

#[test]
fn provider_configs_are_all_that_there_are_and_keep_their_ids() {
    let (key, rows) = stored_key();
    let of = |configs: Value| {
        let (after, written, removed) =
            merge_all(Kind::VirtualKey, "vk", Some(&key), &json!({"provider_configs": configs}), &rows);
        (after.get("provider_configs").cloned(), written, removed)
    };
    // With its id: what is absent stays.
    let (configs, written, removed) = of(json!([{"id": "7", "provider": "openai", "weight": null}]));
    let expected = json!([{"id": "7", "provider": "openai", "weight": null, "budget_ids": ["provider_config:7/1d"],
        "rate_limit_id": "shared"}]);
    assert_eq!((configs, written), (Some(expected), vec![]));
    assert_eq!(removed, ["budget provider_config:vk/anthropic/1d", "rate_limit provider_config:vk/anthropic"]);

    // Without: what is absent goes, and usage stays where the duration is the same.
    let (configs, written, removed) = of(json!([
        {"provider": "openai", "budgets": [{"max_limit": 4, "reset_duration": "1d"}]}, {"provider": "anthropic"}]));
    let expected =
        json!([{"id": 7, "provider": "openai", "budget_ids": ["provider_config:7/1d"]}, {"provider": "anthropic"}]);
    assert_eq!(configs, Some(expected));
    assert_eq!(written, [("provider_configs[0].budgets[0]".into(), budget("provider_config:7/1d", 4, "1d"))]);
    assert_eq!(removed, ["budget provider_config:vk/anthropic/1d", "rate_limit provider_config:vk/anthropic"]);

    let (configs, _, removed) = of(json!(null));
    assert_eq!((configs, removed.len()), (None, 3));
}

#[test]
fn a_key_follows_the_calendar_with_all_its_budgets_and_leaves_it_with_its_own() {
    let (mut key, mut rows) = stored_key();
    key["budget_ids"] = json!(["pool"]);
    rows.insert((Kind::Budget, "pool".into()), budget("pool", 1, "1M"));
    let aligned = |key: &Value, value: bool, rows: &Rows| {
        let (_, written, _) = merge_all(Kind::VirtualKey, "vk", Some(key), &json!({"calendar_aligned": value}), rows);
        assert!(written.iter().all(|(at, one)| at == "calendar_aligned" && one["calendar_aligned"] == value));
        written.into_iter().map(|(_, one)| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let own = ["provider_config:7/1d", "provider_config:vk/anthropic/1d"];
    assert_eq!(aligned(&key, true, &rows), ["pool", own[0], own[1]]);
    assert_eq!(aligned(&key, false, &rows), Vec::<String>::new());
    key["calendar_aligned"] = true.into();
    assert_eq!(aligned(&key, false, &rows), own);
    assert_eq!(aligned(&key, true, &rows), Vec::<String>::new());
}

#[test]
fn a_new_value_takes_the_place_of_the_hash_and_no_body_brings_one() {
    let (key, rows) = stored_key();
    let (after, ..) = merge_all(Kind::VirtualKey, "vk", Some(&key), &json!({"value": "sealed"}), &rows);
    assert_eq!((after.get("value_hash"), &after["value"]), (None, &json!("sealed")));
    let (after, ..) = merge_all(Kind::VirtualKey, "vk", Some(&key), &json!({"is_active": false}), &rows);
    assert_eq!(after["value_hash"], "00");
    let refused = try_merge(Kind::VirtualKey, "vk", Some(&key), &json!({"value_hash": "11"}), &rows);
    assert_eq!(refused.unwrap_err(), ["value_hash: unknown field"]);
    let (after, ..) = merge_all(Kind::VirtualKey, "new", None, &json!({"name": "n"}), &rows);
    assert_eq!(after, json!({"id": "new", "name": "n", "allow_all_providers": false}));
}

#[test]
fn bodies_that_contradict_themselves_are_refused_with_all_places() {
    let (key, rows) = stored_key();
    let day = json!({"max_limit": 1, "reset_duration": "1d"});
    for (body, expected) in [
        (json!([]), vec!["expected an object, found a list"]),
        (
            json!({"budgets": [day, day]}),
            vec!["budgets[1].reset_duration = \"1d\": another budget of the same owner has the same duration"],
        ),
        (
            json!({"budgets": 5, "budget_id": 5}),
            vec![
                "budget_id = 5: expected the id of a budget, found a number",
                "budgets: expected a list, found a number",
            ],
        ),
        (
            json!({"rate_limit": {"max_concurrent_requests": 1}, "rate_limit_id": "x"}),
            vec!["rate_limit: there is a `rate_limit_id` already: write only one of them"],
        ),
        (
            json!({"provider_configs": [{"id": 8, "provider": "openai"}]}),
            vec!["provider_configs[0].id = 8: this key has no provider config of this id"],
        ),
        (
            json!({"budget": {"id": "provider_config:7/1d", "max_limit": 1, "reset_duration": "1w"}}),
            vec!["budget.id = \"provider_config:7/1d\": another budget has this id; it must be unique"],
        ),
    ] {
        assert_eq!(try_merge(Kind::VirtualKey, "vk", Some(&key), &body, &rows).unwrap_err(), expected, "{body}");
    }
    let twice = merge(Kind::Team, "ml", None, r#"{"name": "a", "name": "b"}"#, &|_, _| None);
    assert_eq!(lines(twice.unwrap_err()), ["name: this field stands here twice"]);
    let taken = rows_with_taken();
    let refused = try_merge(Kind::Team, "ml", None, &json!({"name": "a", "budget": day}), &taken);
    assert_eq!(refused.unwrap_err(), ["budget: another budget has the id `team:ml/1d`: give this one an `id`"]);
}

#[test]
fn limits_that_are_no_objects_are_refused() {
    let (team, rows) = stored_team();
    for (body, place) in [
        (json!({"rate_limit": [null, null]}), "rate_limit"),
        (json!({"budget": "100"}), "budget"),
        (json!({"budgets": [[]]}), "budgets[0]"),
    ] {
        let refused = try_merge(Kind::Team, "ml", Some(&team), &body, &rows).unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].starts_with(&format!("{place}: expected an object")), "{refused:?}");
    }
}

fn rows_with_taken() -> Rows {
    rows(&[(Kind::Budget, budget("team:ml/1d", 1, "1d"))])
}

#[test]
fn what_was_made_for_an_entity_goes_with_it() {
    let (key, _) = stored_key();
    let gone = made_for(Kind::VirtualKey, "vk", &key.to_string());
    let gone: Vec<_> = gone.iter().map(|(kind, id)| format!("{kind} {id}")).collect();
    assert_eq!(
        gone,
        [
            "budget provider_config:7/1d",
            "budget provider_config:vk/anthropic/1d",
            "rate_limit provider_config:vk/anthropic",
        ]
    );
    assert_eq!(made_for(Kind::RoutingRule, "r", "{}"), []);
}

#[test]
fn entities_without_limits_take_the_fields_of_the_body() {
    let rule = json!({"id": "r", "name": "r", "targets": [{"weight": 1}], "fallbacks": ["openai"]});
    let (after, ..) =
        merge_all(Kind::RoutingRule, "r", Some(&rule), &json!({"targets": [], "fallbacks": null}), &Rows::new());
    assert_eq!(after, json!({"id": "r", "name": "r", "targets": []}));
    let done = merge(Kind::Plugins, "plugins", Some("[]"), r#"[{"name": "logging"}]"#, &|_, _| None).unwrap();
    assert_eq!(done.entity.document, r#"[{"name":"logging"}]"#);
}
