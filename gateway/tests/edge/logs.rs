//! The request log: every call is one row, with what the provider counted and what its budget was charged, however it ended.

use serde_json::json;
use store::{CallStatus, LogFilter, LogRow, Logs, Order};

use super::support::limits::{assert_paid, budget, coins};
use super::support::prices::{Tokens, listed};
use super::support::process::Gateway;
use super::support::scene::{Reply, client, reply};
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
