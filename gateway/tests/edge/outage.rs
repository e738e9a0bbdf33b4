//! A primary that goes out of service under load while a standby is well.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use serde_json::json;

use super::support::scene::forgetful_client;
use super::support::sse::Api;
use super::support::targets::{Setup, Targets, trail};
use super::support::{PATIENCE, soon};

/// Callers that ask without a pause, each one call after the other.
const CALLERS: usize = 24;
/// Calls that see the primary well, before and after.
const WELL: usize = 100;
/// Calls that see it down.
const DOWN: usize = 400;

/// How the primary is made to fail, and mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// Its port refuses, and its connections are reset.
    Gone,
    /// It answers 503.
    Unavailable,
    /// It takes requests and never answers; the deadline is short.
    Mute,
}

impl Outage {
    fn begin(self, targets: &Targets) {
        match self {
            Self::Gone => targets.fakes[0].go_down().unwrap(),
            Self::Unavailable => targets.let_do(0, "~status=503"),
            Self::Mute => targets.let_do(0, "~noanswer"),
        }
    }

    fn end(self, targets: &Targets) {
        match self {
            Self::Gone => targets.fakes[0].come_back().unwrap(),
            Self::Unavailable | Self::Mute => targets.let_do(0, ""),
        }
    }
}

/// What the callers have seen so far.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    /// Attempts that failed, those among them that no provider could see.
    failed: AtomicUsize,
    is_over: AtomicBool,
}

/// Asks until told to stop; each call must be answered.
async fn caller(targets: &Targets, api: Api, stream: bool, tally: &Tally) {
    while !tally.is_over.load(Ordering::Relaxed) {
        let reply = targets.asked(api, stream).await;
        assert_eq!(reply.status, 200, "{:?}: {}", trail(&reply), reply.text());
        assert!(!stream || reply.text().contains(api.end_mark()), "{:?}: {}", trail(&reply), reply.text());
        tally.failed.fetch_add(trail(&reply).len(), Ordering::Relaxed);
        tally.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until so many more calls have been answered.
async fn answered(tally: &Tally, more: usize) {
    let wanted = tally.answered.load(Ordering::Relaxed) + more;
    soon(async {
        while tally.answered.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn assert_outage_is_survived(api: Api, outage: Outage) {
    // A stream that breaks off in its middle is an answer too where another provider may go on with it.
    let setup = Setup::of(api.vendor(), 2).client("stream_recovery", json!("resume"));
    let deadline = if outage == Outage::Mute { 500 } else { 30_000 };
    let mut targets = setup.network_of(0, "stream_header_timeout_ms", json!(deadline)).start().await;
    // After a break in mid-stream the gateway may close a connection, which it could not announce in a header long out.
    targets.client = forgetful_client();
    let tally = Tally::default();
    let is_stream = |n: usize| outage == Outage::Mute || n.is_multiple_of(2);
    let callers = join_all((0..CALLERS).map(|n| caller(&targets, api, is_stream(n), &tally)));
    let story = async {
        answered(&tally, WELL).await;
        outage.begin(&targets);
        answered(&tally, DOWN).await;
        outage.end(&targets);
        let books = targets.fakes[0].books();
        let before = books.len();
        books.wait_for(|all| all.len() > before + WELL, PATIENCE).await.unwrap();
        tally.is_over.store(true, Ordering::Relaxed);
    };
    join(callers, story).await;
    let (answered, failed) = (tally.answered.into_inner(), tally.failed.into_inner());
    let seen: usize = targets.seen().iter().sum();
    assert!(failed > 0 && seen >= answered, "{outage:?}: {answered} calls, {failed} failed attempts, {seen} seen");
    for attempts in [answered + failed, seen] {
        assert!(attempts * 10 <= answered * 12, "{outage:?}: {attempts} attempts for {answered} calls");
    }
    targets.until_idle().await;
}

#[tokio::test]
async fn a_primary_that_is_gone_is_not_missed_and_taken_back() {
    assert_outage_is_survived(Api::Chat, Outage::Gone).await;
}

#[tokio::test]
async fn a_primary_that_is_out_of_service_is_not_missed_and_taken_back() {
    assert_outage_is_survived(Api::Messages, Outage::Unavailable).await;
}

#[tokio::test]
async fn a_primary_that_says_nothing_is_not_missed_and_taken_back() {
    assert_outage_is_survived(Api::Gemini, Outage::Mute).await;
}
