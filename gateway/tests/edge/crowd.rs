//! A thousand requests at once, of every kind, some of which are given up: afterwards nothing is left over and all is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use serde_json::Value;

use super::support::config::without_circuits;
use super::support::scene::{Scene, client, h2_client, reply};
use super::support::soon;
use super::support::sse::Api;

const REQUESTS: usize = 1_000;
/// Requests under way at any time, and so at most as many connections.
const AT_ONCE: usize = 64;

/// What a request of the crowd is like.
fn controls(n: usize) -> &'static str {
    match n % 10 {
        0 => "~words=400~delay_ms=1~big=16",
        1 => "~status=500",
        2 => "~cut_after=6",
        // Without a word from the vendor, a reset of a pooled connection would look like one that was dead before.
        3 => "~reset_after=2",
        4 => "~chunk_bytes=50",
        5 => "~header_stall_ms=5",
        6 => "~nousage",
        _ => "",
    }
}

async fn one(scene: &Scene, n: usize) {
    let (api, stream) = (Api::ALL[n % 6], n.is_multiple_of(10) || n.is_multiple_of(3));
    let model = format!("{}{}", api.model(), controls(n));
    let request = scene.ask(api, &model, stream).header("x-request-id", format!("crowd-{n}"));
    if n.is_multiple_of(10) {
        // Long enough to be left in the middle.
        // A pooled connection may be the one on which a broken stream has just ended.
        if let Ok(mut response) = soon(request.send()).await {
            let _ = soon(response.chunk()).await;
        }
        return;
    }
    if n.is_multiple_of(17) {
        let asking = tokio::spawn(request.send());
        tokio::task::yield_now().await;
        asking.abort();
        return;
    }
    // A stream that breaks after its beginning closes the connection; one more try gets an answer or an error, never a hang.
    if let Ok(response) = soon(request.send()).await {
        let _ = soon(response.bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_leaves_nothing_behind_and_every_attempt_is_accounted_for() {
    for client in [client(), h2_client()] {
        let mut scene = Scene::with(|config| {
            config["client"]["drain_ms"] = 50.into();
            without_circuits(config);
        })
        .await;
        scene.client = client;
        let scene = scene;
        futures::stream::iter((0..REQUESTS).map(|n| one(&scene, n)))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<()>>()
            .await;
        scene.until_metric("tollgate_requests_in_flight ", 1).await;
        scene.until_metric("tollgate_held_body_bytes ", 0).await;

        let mut asked = BTreeMap::<String, u64>::new();
        for entry in scene.fake.books().entries() {
            *asked.entry(entry.header("x-request-id").unwrap().to_owned()).or_default() += 1;
        }
        assert!(asked.len() > 800, "{}", asked.len());
        let id = |line: &Value| line["request.id"].as_str().unwrap_or_default().to_owned();
        let all_told = |lines: &[Value]| {
            let told: BTreeSet<_> = lines.iter().map(id).collect();
            asked.keys().all(|id| told.contains(id))
        };
        let lines = scene.gateway.access.wait_until("a line for each request in the books", all_told).await;
        let lines: Vec<_> = lines.into_iter().filter(|line| id(line).starts_with("crowd-")).collect();
        assert_eq!(lines.iter().map(id).collect::<BTreeSet<_>>().len(), lines.len(), "one line for each request");
        for line in &lines {
            let attempts = line["attempts"].as_u64().unwrap();
            let seen = asked.get(&id(line)).copied().unwrap_or(0);
            // A request that is cut while it is being sent may or may not arrive.
            let is_cut_early = line["client.left"] == true && line["http.status"] == 0;
            assert!(attempts == seen || (is_cut_early && attempts == seen + 1), "the vendor saw {seen}: {line}");
        }
        assert_eq!(scene.metric("tollgate_unsettled_attempts_total ").await, Some(0), "every attempt was settled");
        assert_eq!(scene.metric("tollgate_access_log_lines_dropped_total ").await, Some(0));
        let left = lines.iter().filter(|line| line["client.left"] == true).count();
        assert!(left >= 50, "{left} clients left");
        assert_eq!(reply(scene.client.get(scene.gateway.url("/readyz"))).await.status, 200);
    }
}
