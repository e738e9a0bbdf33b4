//! Making, reading, changing and removing entities of each kind.

use serde_json::{Value, json};

use crate::support::{FILE, Scene};

/// For each list: what makes one, what changes it, and what the change shows as.
const CASES: [(&str, &str, &str, &str, &str); 8] = [
    ("virtual-keys", "virtual_key", r#"{"name": "k"}"#, r#"{"description": "d"}"#, "description"),
    ("teams", "team", r#"{"name": "k"}"#, r#"{"name": "l"}"#, "name"),
    ("customers", "customer", r#"{"name": "k"}"#, r#"{"name": "l"}"#, "name"),
    ("budgets", "budget", r#"{"max_limit": 5, "reset_duration": "1d"}"#, r#"{"mode": "soft"}"#, "mode"),
    (
        "rate-limits",
        "rate_limit",
        r#"{"token_max_limit": 5, "token_reset_duration": "1h"}"#,
        r#"{"algorithm": "fixed"}"#,
        "algorithm",
    ),
    (
        "routing-rules",
        "rule",
        r#"{"name": "r", "cel_expression": "model == 'a'", "targets": [{"provider": "openai", "weight": 1}]}"#,
        r#"{"cel_expression": "model == 'b'"}"#,
        "cel_expression",
    ),
    ("model-configs", "model_config", r#"{"model_name": "gpt-4o"}"#, r#"{"provider": "openai"}"#, "provider"),
    (
        "pricing-overrides",
        "pricing_override",
        r#"{"name": "p", "match_type": "exact", "pattern": "gpt-4o", "pricing_patch": {"input_cost_per_token": 0.00001}}"#,
        r#"{"pattern": "gpt-4.1"}"#,
        "pattern",
    ),
];

#[tokio::test]
async fn each_kind_is_made_read_changed_and_removed() {
    let scene = Scene::new(FILE);
    for (list, singular, body, change, field) in CASES {
        let path = format!("/api/governance/{list}");
        let made = scene.post(&path, body).await.is(201).json();
        assert!(made["message"].is_string(), "{list}: {made}");
        let id = made[singular]["id"].as_str().unwrap_or_else(|| panic!("{list}: {made}"));
        let one = format!("{path}/{id}");
        let read = scene.get(&one).await.is(200).json();
        assert_eq!(read[singular]["source"], "api", "{list}: {read}");
        let changed = scene.put(&one, change).await.is(200).json();
        let wanted: Value = serde_json::from_str(change).unwrap();
        assert_eq!(changed[singular][field], wanted[field], "{list}: {changed}");
        assert_eq!(scene.get(&one).await.json()[singular][field], wanted[field], "{list}");
        assert!(scene.delete(&one).await.is(200).json()["message"].is_string());
        scene.get(&one).await.fails(404, "not_found", None);
        scene.put(&one, change).await.fails(404, "not_found", None);
        scene.delete(&one).await.fails(404, "not_found", None);
    }
}

#[tokio::test]
async fn prices_are_changed_by_patch_too() {
    let scene = Scene::new(FILE);
    let made = scene.post("/api/governance/pricing-overrides", CASES[7].2).await.is(201).json();
    let path = format!("/api/governance/pricing-overrides/{}", made["pricing_override"]["id"].as_str().unwrap());
    let patched = scene.ask("PATCH", &path).json(r#"{"pattern": "o3"}"#).send().await.is(200).json();
    assert_eq!(patched["pricing_override"]["pattern"], "o3");
    scene.ask("PATCH", "/api/governance/teams/t1").json("{}").send().await.fails(405, "method_not_allowed", None);
}

#[tokio::test]
async fn a_providers_limits_are_put_under_its_name() {
    let scene = Scene::new(FILE);
    let path = "/api/governance/providers/openai";
    scene.get(path).await.fails(404, "not_found", None);
    let body = r#"{"budget": {"max_limit": 9, "reset_duration": "1M"}}"#;
    let made = scene.put(path, body).await.is(201).json();
    assert_eq!(made["provider"]["budgets"][0]["max_limit"], 9.0);
    scene.put(path, r#"{"budget": {"max_limit": 8, "reset_duration": "1M"}}"#).await.is(200);
    let list = scene.get("/api/governance/providers").await.is(200).json();
    assert_eq!((&list["count"], &list["providers"][0]["name"]), (&json!(1), &json!("openai")));
    scene.post("/api/governance/providers", body).await.fails(405, "method_not_allowed", None);
    scene.delete(path).await.is(200);
    scene.get(path).await.fails(404, "not_found", None);
}

#[tokio::test]
async fn limits_are_shown_in_place_with_what_was_used() {
    let scene = Scene::new(FILE);
    let body = r#"{"name": "k", "team_id": "t1", "budgets": [{"max_limit": 5.5, "reset_duration": "1d"}],
        "rate_limit": {"request_max_limit": 3, "request_reset_duration": "1m"},
        "provider_configs": [{"provider": "openai", "budget": {"max_limit": 1, "reset_duration": "1w"}}]}"#;
    let key = scene.post("/api/governance/virtual-keys", body).await.is(201).json()["virtual_key"].clone();
    let budget = &key["budgets"][0];
    assert_eq!(
        (&budget["max_limit"], &budget["reset_duration"], &budget["current_usage"], &budget["mode"]),
        (&json!(5.5), &json!("1d"), &json!(0.0), &json!("hard"))
    );
    assert_eq!(key["rate_limit"]["request_max_limit"], 3);
    assert_eq!(key["rate_limit"]["request_current_usage"], 0);
    assert_eq!(key["rate_limit"]["token_max_limit"], Value::Null);
    assert_eq!(key["provider_configs"][0]["budgets"][0]["reset_duration"], "1w");
    assert_eq!(key["provider_configs"][0]["rate_limit"], Value::Null);
    let budgets = scene.get("/api/governance/budgets").await.is(200).json();
    assert_eq!(budgets["total_count"], 2);
}

#[tokio::test]
async fn absent_keeps_and_null_removes() {
    let scene = Scene::new(FILE);
    let body = r#"{"id": "k", "name": "k", "description": "d", "team_id": "t1",
        "rate_limit": {"request_max_limit": 3, "request_reset_duration": "1m"}}"#;
    scene.post("/api/governance/virtual-keys", body).await.is(201);
    let path = "/api/governance/virtual-keys/k";
    let kept = scene.put(path, r#"{"is_active": false}"#).await.is(200).json()["virtual_key"].clone();
    assert_eq!((&kept["description"], &kept["team_id"]), (&json!("d"), &json!("t1")));
    assert_eq!(kept["rate_limit"]["request_max_limit"], 3);
    let gone = scene.put(path, r#"{"description": null, "team_id": null}"#).await.is(200).json()["virtual_key"].clone();
    assert!(gone["description"].is_null() && gone["team_id"].is_null(), "{gone}");
    assert_eq!(gone["is_active"], false);
}

#[tokio::test]
async fn what_is_named_elsewhere_stays() {
    let scene = Scene::new(FILE);
    scene.post("/api/governance/teams", r#"{"id": "t2", "name": "two"}"#).await.is(201);
    scene.post("/api/governance/virtual-keys", r#"{"name": "k", "team_id": "t2"}"#).await.is(201);
    scene.delete("/api/governance/teams/t2").await.fails(409, "conflict", None);
    scene.get("/api/governance/teams/t2").await.is(200);
}

#[tokio::test]
async fn a_budget_may_say_whose_it_is() {
    let scene = Scene::new(FILE);
    let path = "/api/governance/budgets";
    scene.post("/api/governance/customers", r#"{"id": "c1", "name": "c", "calendar_aligned": true}"#).await.is(201);
    let owners = [("customer_id", "customers", "customer", "c1"), ("team_id", "teams", "team", "t1")];
    let owners = owners.into_iter().chain([("virtual_key_id", "virtual-keys", "virtual_key", "vk1")]);
    for (field, list, singular, id) in owners {
        for duration in ["1d", "1M"] {
            let body = json!({ "max_limit": 7, "reset_duration": duration, field: id }).to_string();
            let made = scene.post(path, &body).await.is(201).json()["budget"].clone();
            assert_eq!((&made["max_limit"], &made["calendar_aligned"]), (&json!(7.0), &json!(field == "customer_id")));
        }
        let owner = scene.get(&format!("/api/governance/{list}/{id}")).await.is(200).json()[singular].clone();
        let durations: Vec<_> = owner["budgets"].as_array().unwrap().iter().map(|one| &one["reset_duration"]).collect();
        assert_eq!(durations, ["1d", "1M"], "{owner}");
        let budget = format!("{path}/{}", owner["budgets"][0]["id"].as_str().unwrap());
        let put = json!({ "max_limit": 8, field: id }).to_string();
        assert_eq!(scene.put(&budget, &put).await.is(200).json()["budget"]["max_limit"], 8.0);
        let other = json!({ field: "other" }).to_string();
        scene.put(&budget, &other).await.fails(400, "invalid_request_error", Some(field));
    }
    assert_eq!(scene.get(path).await.json()["total_count"], 6);
}

#[tokio::test]
async fn a_budget_of_nobody_or_of_two_is_not_made() {
    let scene = Scene::new(FILE);
    let path = "/api/governance/budgets";
    for (fields, param) in [
        (r#""customer_id": "nobody""#, "customer_id"),
        (r#""team_id": "t1", "virtual_key_id": "vk1""#, "team_id"),
        (r#""team_id": 1"#, "team_id"),
        (r#""provider_config_id": 7"#, "provider_config_id"),
        (r#""team_id": "t1", "max_limit": -1"#, "max_limit"),
        (r#""team_id": "t1", "limit": 1"#, "limit"),
    ] {
        let body = format!(r#"{{"id": "b", "max_limit": 5, "reset_duration": "1d", {fields}}}"#);
        let body = if fields.contains("max_limit") { body.replace(r#""max_limit": 5, "#, "") } else { body };
        scene.post(path, &body).await.fails(400, "invalid_request_error", Some(param));
    }
    assert_eq!(scene.get(path).await.json()["total_count"], 0);
    let body = r#"{"id": "b", "max_limit": 5, "reset_duration": "1d", "team_id": "t1", "customer_id": null}"#;
    scene.post(path, body).await.is(201);
    scene.post(path, body).await.is(409);
    scene.delete("/api/governance/budgets/b").await.is(409);
    let team = scene.put("/api/governance/teams/t1", r#"{"budget_ids": []}"#).await.is(200).json();
    assert_eq!(team["team"]["budgets"], json!([]));
}

/// The entity without what changes by itself.
fn lasting(shown: &Value) -> Value {
    let mut shown = shown.clone();
    shown.as_object_mut().unwrap().remove("updated_at");
    shown
}

#[tokio::test]
async fn what_was_read_may_be_written_back_and_changes_nothing() {
    let scene = Scene::new(FILE);
    let limits = json!({"budgets": [{"max_limit": 5, "reset_duration": "1d"}, {"max_limit": 50, "reset_duration": "1M"}],
        "rate_limit": {"request_max_limit": 5, "request_reset_duration": "1m"}});
    let with = |fields: Value| {
        let mut body = limits.clone();
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body.to_string()
    };
    let key = json!({"name": "limited", "provider_configs": [{"provider": "openai", "weight": 1, "budgets": limits["budgets"],
        "rate_limit": limits["rate_limit"]}]});
    let more = [
        ("virtual-keys", "virtual_key", with(key)),
        ("teams", "team", with(json!({"name": "limited"}))),
        ("customers", "customer", with(json!({"name": "limited", "calendar_aligned": true}))),
        ("model-configs", "model_config", with(json!({"model_name": "gpt-4.1", "provider": "openai"}))),
    ];
    let plain = CASES.iter().map(|(list, singular, body, ..)| (*list, *singular, (*body).to_owned()));
    for (list, singular, body) in plain.chain(more) {
        let path = format!("/api/governance/{list}");
        let id = scene.post(&path, &body).await.is(201).json()[singular]["id"].as_str().unwrap().to_owned();
        let one = format!("{path}/{id}");
        let read = scene.get(&one).await.is(200).json()[singular].clone();
        let back = scene.put(&one, &read.to_string()).await.is(200).json()[singular].clone();
        assert_eq!(lasting(&back), lasting(&read), "{list}");
    }
    scene.put("/api/governance/providers/openai", &limits.to_string()).await.is(201);
    for (path, singular) in [("/api/governance/providers/openai", "/provider"), ("/api/providers/openai", "")] {
        let read = scene.get(path).await.is(200).json().pointer(singular).unwrap().clone();
        let back = scene.put(path, &read.to_string()).await.is(200).json().pointer(singular).unwrap().clone();
        assert_eq!(lasting(&back), lasting(&read), "{path}");
    }
    let config = scene.get("/api/config").await.is(200).text;
    scene.put("/api/config", &config).await.is(200);
}

#[tokio::test]
async fn a_key_is_rotated_without_a_word_and_numbers_are_asked_for_in_words() {
    let scene = Scene::new(FILE);
    let path = "/api/governance/virtual-keys/vk1/rotate";
    let rotated = scene.ask("POST", path).send().await.is(200).json();
    assert!(rotated["virtual_key"]["value"].as_str().unwrap().starts_with("sk-bf-"), "{rotated}");
    scene.ask("POST", path).header("content-type", "text/plain").send().await.is(415);
    for (query, told) in [("limit=-1", "a whole number"), ("limit=99999999999", "too large"), ("export=x", "`true`")] {
        let name = query.split('=').next();
        let answer = scene.get(&format!("/api/governance/virtual-keys?{query}")).await;
        let message = answer.fails(400, "invalid_request_error", name);
        assert!(message.contains(told), "{message}");
    }
}
