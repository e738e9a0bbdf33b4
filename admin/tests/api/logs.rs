//! The request log over the API: calls that a store has folded, filtered, paged, summed up.

use std::borrow::Cow;

use serde_json::{Value, json};
use store::{CallStatus, Called, Journal, Store};

use crate::support::{FILE, Scene};

const NOW: u64 = 1_790_000_000_000;

fn call(number: u64) -> Called<'static> {
    let text = |text: &str| Cow::Owned(text.to_owned());
    Called {
        at_ms: NOW + number * 60_000,
        request_id: text(&format!("r-{number}")),
        key: text("vk1"),
        team: text("t1"),
        provider: text(if number.is_multiple_of(2) { "openai" } else { "anthropic" }),
        model: text("gpt-4o"),
        operation: text("chat_completion"),
        status: if number == 3 { CallStatus::Error } else { CallStatus::Success },
        http_status: if number == 3 { 502 } else { 200 },
        total_us: 1_000 * (number + 1),
        total_tokens: 10 * number,
        cost_nano: 1_000_000 * number,
        ..Called::default()
    }
}

/// Management over a folder in which a store has kept six calls.
fn scene() -> Scene {
    let scene = Scene::new(FILE);
    let (store, _) = Store::open(scene.folder.path(), NOW).unwrap();
    let journal = store.journal();
    (0..6).for_each(|number| journal.called(&call(number)));
    store.close().unwrap();
    scene
}

fn ids(page: &Value) -> Vec<&str> {
    page["logs"].as_array().unwrap().iter().map(|log| log["request_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn calls_come_newest_first_page_by_page() {
    let scene = scene();
    let first = scene.get("/api/logs?limit=4").await.is(200).json();
    assert_eq!(ids(&first), ["r-5", "r-4", "r-3", "r-2"]);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = scene.get(&format!("/api/logs?limit=4&cursor={cursor}")).await.is(200).json();
    assert_eq!((ids(&second), &second["pagination"]["next_cursor"]), (vec!["r-1", "r-0"], &json!(null)));
    let log = &first["logs"][0];
    assert_eq!((&log["cost"], &log["latency"], &log["status"]), (&json!(0.005), &json!(6.0), &json!("success")));
    let one = scene.get(&format!("/api/logs/{}", log["id"].as_str().unwrap())).await.is(200).json();
    assert_eq!(&one, log);
    scene.get("/api/logs/nothing").await.fails(404, "not_found", None);
}

#[tokio::test]
async fn filters_orders_and_sums_agree() {
    let scene = scene();
    let failed = scene.get("/api/logs?status=error").await.is(200).json();
    assert_eq!((ids(&failed), &failed["stats"]["success_rate"]), (vec!["r-3"], &json!(0.0)));
    let dear = scene.get("/api/logs?min_cost=0.002&providers=openai&sort_by=cost&order=asc").await.is(200).json();
    assert_eq!(ids(&dear), ["r-2", "r-4"]);
    let stats = scene.get("/api/logs/stats").await.is(200).json();
    assert_eq!((&stats["total_requests"], &stats["total_cost"]), (&json!(6), &json!(0.015)));
    let bars = scene.get("/api/logs/histogram?bucket_size_seconds=60&dimension=provider").await.is(200).json();
    assert_eq!((bars["buckets"].as_array().unwrap().len(), &bars["buckets"][0]["part"]), (6, &json!("openai")));
    let data = scene.get("/api/logs/filterdata").await.is(200).json();
    assert_eq!((&data["providers"], &data["virtual_key_ids"]), (&json!(["anthropic", "openai"]), &json!(["vk1"])));
}

#[tokio::test]
async fn what_is_no_filter_is_named() {
    let scene = scene();
    for (query, field) in [
        ("status=fine", "status"),
        ("start_time=yesterday", "start_time"),
        ("min_cost=-1", "min_cost"),
        ("cursor=xyz", "cursor"),
        ("offset=3", "offset"),
    ] {
        scene.get(&format!("/api/logs?{query}")).await.fails(400, "invalid_request_error", Some(field));
    }
    assert_eq!(
        ids(&scene.get("/api/logs?content_search=%27%3B%20DROP%20TABLE%20request_logs%3B--").await.is(200).json()),
        [""; 0]
    );
    assert_eq!(ids(&scene.get("/api/logs").await.is(200).json()).len(), 6);
}
