//! The audit log, in parts and whole.

use serde_json::{Value, json};

use crate::support::{FILE, Scene};

const LOGS: &str = "/api/governance/audit-logs";

async fn with_teams(count: usize) -> Scene {
    let scene = Scene::new(FILE);
    for n in 0..count {
        scene.post("/api/governance/teams", &format!(r#"{{"id": "a{n}", "name": "team {n}"}}"#)).await.is(201);
    }
    scene
}

#[tokio::test]
async fn each_change_is_told_with_who_made_it_and_from_where() {
    let scene = with_teams(1).await;
    scene.put("/api/governance/teams/a0", r#"{"name": "other"}"#).await.is(200);
    scene.delete("/api/governance/teams/a0").await.is(200);
    let logs = scene.get(&format!("{LOGS}?entity_id=a0&kind=team")).await.is(200).json();
    let lines = logs["audit_logs"].as_array().unwrap();
    let actions: Vec<_> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    assert_eq!((&lines[1]["before"]["name"], &lines[1]["after"]["name"]), (&json!("team 0"), &json!("other")));
    assert_eq!((&lines[0]["after"], &lines[2]["before"]), (&Value::Null, &Value::Null));
    assert_eq!((&lines[0]["actor_kind"], &lines[0]["address"]), (&json!("anonymous"), &json!("192.0.2.7")));
}

#[tokio::test]
async fn parts_go_on_where_the_cursor_says() {
    let scene = with_teams(30).await;
    let mut seen = Vec::new();
    let mut path = format!("{LOGS}?kind=team&limit=7");
    loop {
        let part = scene.get(&path).await.is(200).json();
        seen.extend(part["audit_logs"].as_array().unwrap().iter().map(|line| line["seq"].as_u64().unwrap()));
        let Some(cursor) = part["next_cursor"].as_u64() else { break };
        path = format!("{LOGS}?kind=team&limit=7&cursor={cursor}");
    }
    assert_eq!(seen.len(), 31);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");
}

#[tokio::test]
async fn an_export_has_a_line_of_json_for_each() {
    let scene = with_teams(3).await;
    let answer = scene.get(&format!("{LOGS}/export?action=create&kind=team")).await.is(200);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = lines.iter().map(|line| line["entity_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a2", "a1", "a0", "t1"]);
    assert_eq!(scene.get(&format!("{LOGS}/export?actor=nobody")).await.is(200).text, "");
}

#[tokio::test]
async fn times_and_parameters_that_are_none_are_named() {
    let scene = Scene::new(FILE);
    scene.get(&format!("{LOGS}?start_time=yesterday")).await.fails(400, "invalid_request_error", Some("start_time"));
    scene.get(&format!("{LOGS}?colour=red")).await.fails(400, "invalid_request_error", Some("colour"));
    let later = scene.get(&format!("{LOGS}?start_time=2100-01-01T00:00:00Z")).await.is(200).json();
    assert_eq!(later["count"], 0);
    let before = scene.get(&format!("{LOGS}?end_time=2000-01-01T00:00:00Z")).await.is(200).json();
    assert_eq!(before["count"], 0);
}

#[tokio::test]
async fn no_secret_is_told() {
    let scene = Scene::new(FILE);
    scene.put("/api/providers/openai/keys/main", r#"{"value": "sk-vendor-next"}"#).await.is(200);
    let made = scene.post("/api/governance/virtual-keys", r#"{"name": "k"}"#).await.is(201).json();
    let token = made["virtual_key"]["value"].as_str().unwrap().to_owned();
    let text = scene.get(&format!("{LOGS}/export")).await.is(200).text;
    for secret in ["sk-vendor-secret", "sk-vendor-next", "sk-bf-first", &token] {
        assert!(!text.contains(secret), "{secret}");
    }
}
