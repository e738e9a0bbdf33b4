//! Parts of lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::registry::{Entity, Expected, Origin, Put, Write};

use crate::support::{FILE, Scene};

const KEYS: &str = "/api/governance/virtual-keys";

async fn with_keys(count: usize) -> Scene {
    let scene = Scene::new(FILE);
    for n in 0..count {
        let team = if n % 2 == 0 { r#", "team_id": "t1""# } else { "" };
        let body = format!(r#"{{"id": "k{n:03}", "name": "name {n:03}"{team}}}"#);
        scene.post(KEYS, &body).await.is(201);
    }
    scene
}

fn ids(list: &Value) -> Vec<&str> {
    list["virtual_keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn without_a_parameter_all_are_given() {
    let scene = with_keys(30).await;
    let list = scene.get(KEYS).await.is(200).json();
    assert_eq!((&list["count"], &list["total_count"]), (&json!(31), &json!(31)));
    assert_eq!(ids(&list).len(), 31);
}

#[tokio::test]
async fn parts_together_are_the_whole_and_each_row_is_in_one() {
    let scene = with_keys(30).await;
    let mut seen = BTreeSet::new();
    for offset in [0, 12, 24] {
        let path = format!("{KEYS}?limit=12&offset={offset}&sort_by=name");
        let list = scene.get(&path).await.is(200).json();
        assert_eq!((&list["limit"], &list["offset"], &list["total_count"]), (&json!(12), &json!(offset), &json!(31)));
        for id in ids(&list) {
            assert!(seen.insert(id.to_owned()), "{id} is in two parts");
        }
    }
    assert_eq!(seen.len(), 31);
    assert_eq!(scene.get(&format!("{KEYS}?offset=31")).await.is(200).json()["count"], 0);
    assert_eq!(scene.get(&format!("{KEYS}?offset=1")).await.json()["count"], 25, "a part is 25 unless one says");
    assert_eq!(scene.get(&format!("{KEYS}?limit=5000")).await.json()["limit"], 100, "and 100 at most");
    assert_eq!(scene.get(&format!("{KEYS}?limit=5&export=true")).await.json()["count"], 31);
}

#[tokio::test]
async fn rows_are_found_by_part_of_the_name_by_team_and_in_either_order() {
    let scene = with_keys(6).await;
    let found = scene.get(&format!("{KEYS}?search=NAME%20003")).await.is(200).json();
    assert_eq!(ids(&found), ["k003"]);
    let of_team = scene.get(&format!("{KEYS}?team_id=t1&sort_by=name&order=desc")).await.is(200).json();
    assert_eq!(ids(&of_team), ["k004", "k002", "k000", "vk1"]);
    assert_eq!(of_team["total_count"], 4);
    assert!(ids(&scene.get(&format!("{KEYS}?search=%25")).await.is(200).json()).is_empty(), "% is no joker");
}

#[tokio::test]
async fn rules_are_found_by_scope() {
    let scene = Scene::new(FILE);
    let rules = "/api/governance/routing-rules";
    for (name, scope) in [("a", ""), ("b", r#", "scope": "team", "scope_id": "t1""#), ("c", r#", "scope": "global""#)] {
        let body = format!(r#"{{"name": "{name}", "targets": [{{"provider": "openai", "weight": 1}}]{scope}}}"#);
        scene.post(rules, &body).await.is(201);
    }
    let of_team = scene.get(&format!("{rules}?scope=team&scope_id=t1")).await.is(200).json();
    assert_eq!((&of_team["total_count"], &of_team["rules"][0]["name"]), (&json!(1), &json!("b")));
    let global = scene.get(&format!("{rules}?scope=global&limit=1")).await.is(200).json();
    assert_eq!((&global["total_count"], &global["count"]), (&json!(2), &json!(1)));
}

/// More rows than a list gives at once, put where the API's own writes would put them, in one transaction.
fn with_many(kind: &str, document: impl Fn(u32) -> Value) -> Scene {
    let scene = Scene::new(FILE);
    let puts = (0..MANY).map(|n| {
        let entity = Entity {
            kind: kind.to_owned(),
            id: format!("many-{n:05}"),
            name: Some(format!("name {n:05}")),
            is_name_unique: false,
            document: document(n).to_string(),
            token_hashes: Vec::new(),
            origin: Origin::Api,
            file_mac: None,
            order: None,
            team_id: None,
            customer_id: None,
        };
        Put { entity, expected: Expected::Absent }
    });
    scene.control.registry().commit(&Write { puts: puts.collect(), at_ms: 1, ..Write::default() }).unwrap();
    scene
}

const MANY: u32 = 12_000;

#[tokio::test]
async fn filters_look_at_every_rule_however_many_there_are() {
    let scope = |n| if n % 6_000 == 5_999 { "team" } else { "global" };
    let scene = with_many("routing_rule", |n| json!({ "name": format!("name {n:05}"), "scope": scope(n) }));
    let rules = "/api/governance/routing-rules";
    let of_team = scene.get(&format!("{rules}?scope=team&limit=1&offset=1")).await.is(200).json();
    assert_eq!((&of_team["total_count"], &of_team["rules"][0]["name"]), (&json!(2), &json!("name 11999")));
    let global = scene.get(&format!("{rules}?scope=global&limit=100&offset=11950")).await.is(200).json();
    assert_eq!((&global["total_count"], &global["count"]), (&json!(MANY - 2), &json!(48)));
}

#[tokio::test]
async fn a_search_and_a_part_reach_the_last_of_many_keys() {
    let scene = with_many("virtual_key", |n| json!({ "id": format!("many-{n:05}"), "name": format!("name {n:05}") }));
    let found = scene.get(&format!("{KEYS}?search=11999")).await.is(200).json();
    assert_eq!((ids(&found), &found["total_count"]), (vec!["many-11999"], &json!(1)));
    let last = scene.get(&format!("{KEYS}?limit=50&offset={}&sort_by=name", MANY - 1)).await.is(200).json();
    assert_eq!((&last["total_count"], &last["count"]), (&json!(MANY + 1), &json!(2)));
    let all = scene.get(KEYS).await.is(200).json();
    assert_eq!((&all["limit"], &all["count"]), (&json!(10_000), &json!(10_000)));
    assert_eq!(all["total_count"], MANY + 1, "that there are more is told");
}

#[tokio::test]
async fn parameters_that_are_wrong_or_unknown_are_named() {
    let scene = Scene::new(FILE);
    let cases = [
        ("limit=abc", "limit"),
        ("limit=-1", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("sort_by=secret", "sort_by"),
        ("order=sideways", "order"),
        ("colour=red", "colour"),
        ("scope=team", "scope"),
    ];
    for (query, param) in cases {
        let answer = scene.get(&format!("{KEYS}?{query}")).await.is(400);
        let body = answer.json();
        assert_eq!(body["error"]["param"], param, "{query}: {body}");
    }
    scene.get(&format!("{KEYS}?search=%00")).await.fails(400, "invalid_request_error", None);
}
