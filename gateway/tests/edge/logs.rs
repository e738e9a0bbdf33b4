//! The request log: every call is one row, with what the provider counted and what its budget was charged, however it ended.

use engine::clock::Clock;
use serde_json::{Value, json};
use store::{CallStatus, Called, Journal, LogFilter, LogRow, Logs, Order, Stats, Store};

use super::support::limits::{assert_paid, budget, coins};
use super::support::prices::{Tokens, listed};
use super::support::process::{Gateway, Home, says};
use super::support::scene::{Reply, client, reply, until_metric};
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, assert_served};
use super::support::{PATIENCE, soon};

fn with_budget(api: Api, count: usize) -> Setup {
    let setup = coins(api.vendor(), count).govern("budgets", budget("b", 1_000_000));
    setup.key_field("budget_id", json!("b")).network("circuit_breaker", json!(false))
}

/// So many rows, the oldest first, once they are there.
async fn rows(gateway: &Gateway, count: usize) -> Vec<LogRow> {
    let logs = Logs::open(&gateway.folder().data()).unwrap();
    soon(async {
        loop {
            let page = logs.page(&LogFilter::default(), Order::OldestFirst, None, 1_000).unwrap();
            if page.rows.len() >= count {
                assert_eq!(page.rows.len(), count, "{:?}", page.rows);
                return page.rows;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

/// The row of an answer.
fn row_of<'a>(rows: &'a [LogRow], answer: &Reply) -> &'a store::Called<'static> {
    let mut found = rows.iter().filter(|row| row.call.request_id == answer.request_id());
    let row = &found.next().unwrap().call;
    assert!(found.next().is_none());
    row
}

#[tokio::test]
async fn a_row_has_the_tokens_of_the_providers_books_and_the_cost_of_the_ledger() {
    for api in [Api::Chat, Api::Completion, Api::Responses, Api::Messages, Api::Gemini] {
        let targets = with_budget(api, 1).does(0, "~words=33~cached=700~reasoning=77").start().await;
        let mut answers = vec![];
        for stream in [false, true] {
            let answer = targets.asked(api, stream).await;
            assert_paid(&answer);
            let usage = targets.fakes[0].books().last().unwrap().usage.unwrap();
            let tokens = Tokens::of(api, &usage);
            answers.push((answer, tokens.nano_dollars(&listed(api)), tokens, stream));
        }
        targets.until_idle().await;
        let rows = rows(&targets.gateway, answers.len()).await;
        for (answer, cost, tokens, stream) in &answers {
            let row = row_of(&rows, answer);
            assert_eq!(
                (row.status, row.http_status, row.cost_nano),
                (CallStatus::Success, 200, *cost),
                "{api:?}: {row:?}"
            );
            let told = Tokens {
                input: row.tokens.input,
                audio_in: row.tokens.input_audio,
                cached: row.tokens.cache_read,
                write: row.tokens.cache_write,
                write_1h: row.tokens.cache_write_1h,
                output: row.tokens.output,
                reasoning: row.tokens.reasoning,
                audio_out: row.tokens.output_audio,
            };
            assert_eq!(told, *tokens, "{api:?}: {row:?}");
            assert_eq!(row.total_tokens, row.tokens.input_total() + row.tokens.output_total());
            assert_eq!((&*row.key, &*row.provider, &*row.source), ("vk-everything", "p0", "reported"));
            assert_eq!((row.is_stream, row.attempts, row.is_priced), (*stream, 1, true));
        }
        let spent: u64 = rows.iter().map(|row| row.call.cost_nano).sum();
        assert_eq!(targets.gauge("spent", "b").await, spent);
        let stats = Logs::open(&targets.gateway.folder().data()).unwrap().stats(&LogFilter::default()).unwrap();
        assert_eq!((stats.total_requests, stats.successes, stats.cost_nano), (2, 2, spent));
    }
}

#[tokio::test]
async fn what_failed_what_was_refused_and_what_went_elsewhere_are_rows_too() {
    let targets = with_budget(Api::Chat, 2).does(0, "~status=503").retries(0).start().await;
    let moved = targets.asked(Api::Chat, false).await;
    assert_served(&moved, 1, &[("p0", "unavailable")]);
    targets.let_do(1, "~status=503");
    let failed = targets.asked(Api::Chat, false).await;
    let stranger = reply(targets.ask_as("sk-bf-nobody", false)).await;
    assert_eq!((failed.status, stranger.status), (503, 401));
    let rows = rows(&targets.gateway, 3).await;
    let row = row_of(&rows, &moved);
    assert_eq!((row.status, row.attempts, &*row.provider), (CallStatus::Success, 2, "p1"));
    assert!(row.trail.starts_with("p0/") && row.trail.ends_with("=unavailable:503"), "{row:?}");
    let row = row_of(&rows, &failed);
    assert_eq!((row.status, row.http_status, row.vendor_status, row.cost_nano), (CallStatus::Error, 503, 503, 0));
    let row = row_of(&rows, &stranger);
    assert_eq!((row.status, row.http_status, row.attempts), (CallStatus::Refused, 401, 0));
    assert_eq!((&*row.key, &*row.provider, row.reason.is_empty()), ("", "", false), "{row:?}");
}

#[tokio::test]
async fn a_call_that_a_killed_gateway_left_is_a_row_with_what_it_was_charged() {
    let targets = with_budget(Api::Chat, 1).start().await;
    assert_paid(&targets.asked(Api::Chat, false).await);
    targets.until_idle().await;
    // Its end is written down some milliseconds after its client has the answer.
    assert_eq!(rows(&targets.gateway, 1).await.len(), 1);
    let spent = targets.gauge("spent", "b").await;
    targets.let_do(0, "~first_delay_ms=60000");
    let asking = targets.ask(Api::Chat, false).send();
    let asking = tokio::spawn(asking);
    targets.fakes[0].books().wait_for(|entries| entries.len() == 2, PATIENCE).await.unwrap();
    let Targets { gateway, fakes: _fakes, .. } = targets;
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    assert!(soon(asking).await.unwrap().is_err());
    let rows = rows(&gateway, 2).await;
    assert_eq!(
        rows.iter().map(|row| row.call.status).collect::<Vec<_>>(),
        [CallStatus::Success, CallStatus::Abandoned]
    );
    let lost = &rows[1].call;
    assert_eq!((&*lost.key, &*lost.provider, &*lost.source, lost.attempts), ("vk-everything", "p0", "abandoned", 1));
    let charged = super::support::money::standing(&client(), &gateway, "b").await;
    assert_eq!(charged.spent, spent + lost.cost_nano, "{lost:?}");
    assert!(lost.cost_nano > 0);
}

const DAY_MS: u64 = 86_400_000;
const TRIMMED: &str = "rows of the request log were too old or too many, and were removed";

/// A folder whose log has calls that began so long ago, in milliseconds.
fn with_calls(config: &Value, ages_ms: impl IntoIterator<Item = u64>) -> Home {
    let home = Home::new(config);
    let now_ms = Clock::start().now().wall_ms;
    let (store, _) = Store::open(&home.data(), now_ms).unwrap();
    for age_ms in ages_ms {
        let (request_id, trail) = (age_ms.to_string().into(), "x".repeat(600).into());
        store.journal().called(&Called { at_ms: now_ms - age_ms, request_id, trail, ..Called::default() });
    }
    store.close().unwrap();
    home
}

async fn set_client(gateway: &Gateway, section: Value) {
    let changed = client().put(gateway.url("/api/config")).json(&json!({"client_config": section}));
    let changed = reply(changed).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
}

fn all_sums(gateway: &Gateway) -> Stats {
    Logs::open(&gateway.folder().data()).unwrap().stats(&LogFilter::default()).unwrap()
}

#[tokio::test]
async fn rows_that_are_too_old_go_at_start_and_when_the_time_is_shortened_and_sums_stay() {
    const REMOVED: &str = "tollgate_request_log_rows_removed_total ";
    let config = coins("openai", 1).with(|config| config["logs_store"] = json!({"retention_days": 5})).config;
    let home = with_calls(&config, [6 * DAY_MS, 3 * DAY_MS, DAY_MS / 2]);
    let gateway = Gateway::start_in(home, &[]).await;
    until_metric(&client(), &gateway, REMOVED, 1).await;
    let left = rows(&gateway, 2).await;
    assert_eq!(left[0].call.request_id, (3 * DAY_MS).to_string());
    let told = gateway.events.wait_for("what was removed", |line| says(line, TRIMMED)).await;
    assert_eq!(told["fields"]["rows"], 1, "{told}");
    // A longer time than the store's own is none.
    set_client(&gateway, json!({"log_retention_days": 300})).await;
    set_client(&gateway, json!({"log_retention_days": 2})).await;
    until_metric(&client(), &gateway, REMOVED, 2).await;
    let left = rows(&gateway, 1).await;
    assert_eq!(left[0].call.request_id, (DAY_MS / 2).to_string());
    assert_eq!(all_sums(&gateway).total_requests, 3);
}

#[tokio::test]
async fn the_oldest_rows_go_until_the_database_is_small_enough() {
    let config = coins("openai", 1).with(|config| config["logs_store"] = json!({"max_size_mb": 1})).config;
    let gateway = Gateway::start_in(with_calls(&config, 1..=4_000), &[]).await;
    let (logs, filter) = (Logs::open(&gateway.folder().data()).unwrap(), LogFilter::default());
    let of = |ms: u64| LogFilter { request_id: Some(ms.to_string()), ..filter.clone() };
    let is_there = |ms: u64| !logs.page(&of(ms), Order::NewestFirst, None, 1).unwrap().rows.is_empty();
    soon(async {
        while is_there(4_000) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    gateway.events.wait_for("what was removed", |line| says(line, TRIMMED)).await;
    assert!(is_there(1), "the newest stay");
}

#[tokio::test]
async fn without_logging_a_call_is_charged_and_is_no_row_even_if_the_gateway_is_killed() {
    let targets = with_budget(Api::Chat, 1).client("enable_logging", json!(false)).start().await;
    assert_paid(&targets.asked(Api::Chat, false).await);
    targets.until_idle().await;
    let spent = targets.gauge("spent", "b").await;
    assert!(spent > 0);
    targets.let_do(0, "~first_delay_ms=60000");
    let asking = tokio::spawn(targets.ask(Api::Chat, false).send());
    targets.fakes[0].books().wait_for(|entries| entries.len() == 2, PATIENCE).await.unwrap();
    let Targets { gateway, fakes, client } = targets;
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    assert!(soon(asking).await.unwrap().is_err());
    assert!(super::support::money::standing(&client, &gateway, "b").await.spent > spent);
    // From now on there are rows again, and nothing of what was before is among them.
    set_client(&gateway, json!({"enable_logging": true})).await;
    let targets = Targets { gateway, fakes, client };
    targets.let_do(0, "~words=5");
    let answer = targets.asked(Api::Chat, false).await;
    assert_paid(&answer);
    let rows = rows(&targets.gateway, 1).await;
    row_of(&rows, &answer);
    targets.logged(&answer).await;
    assert_eq!(all_sums(&targets.gateway).total_requests, 1);
}

#[tokio::test]
async fn logging_that_is_switched_off_while_the_gateway_runs_leaves_no_more_rows_nor_lines() {
    let targets = with_budget(Api::Chat, 1).start().await;
    let before = targets.asked(Api::Chat, false).await;
    targets.logged(&before).await;
    set_client(&targets.gateway, json!({"enable_logging": false})).await;
    let unseen = targets.asked(Api::Chat, false).await;
    assert_paid(&unseen);
    targets.until_idle().await;
    set_client(&targets.gateway, json!({"enable_logging": true})).await;
    let after = targets.asked(Api::Chat, false).await;
    let found = rows(&targets.gateway, 2).await;
    assert!([&before, &after].iter().all(|answer| row_of(&found, answer).cost_nano > 0));
    targets.logged(&after).await;
    let lines: Vec<Value> = targets.gateway.access.json();
    assert!(lines.iter().all(|line| line["request.id"] != *unseen.request_id()), "{lines:?}");
}

#[tokio::test]
async fn without_a_store_for_logs_there_are_lines_and_no_rows() {
    let setup = with_budget(Api::Chat, 1).with(|config| config["logs_store"] = json!({"enabled": false}));
    let targets = setup.start().await;
    let answer = targets.asked(Api::Chat, false).await;
    assert_paid(&answer);
    targets.logged(&answer).await;
    targets.until_idle().await;
    // What is charged is in the database, and with it all that there would be of the call.
    let data = targets.gateway.folder().data();
    let mut gateway = targets.gateway;
    gateway.signal("TERM");
    gateway.ended().await;
    let logs = Logs::open(&data).unwrap();
    assert_eq!(logs.stats(&LogFilter::default()).unwrap(), Stats::default());
    assert_eq!(logs.page(&LogFilter::default(), Order::NewestFirst, None, 1).unwrap().rows, []);
}
