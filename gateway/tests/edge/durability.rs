//! What was spent outlives the process, however it ends: killed, told to stop, with a full disk or a damaged journal.

mod full_disk;
mod journal;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fastrand::Rng;
use futures::future::join_all;
use loadtest::fake::{Entry, FakeProvider};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::support::config::{KEY, config, fake, key};
use super::support::leaver::{hang_up_after, last_post};
use super::support::money::{Standing, billed, budget, price_controls, standing};
use super::support::process::{Gateway, Home};
use super::support::scene::{Reply, client, forgetful_client, reply};
use super::support::sse::{Api, reason};
use super::support::{PATIENCE, soon};

/// Clients that ask at the same time.
const CLIENTS: usize = 32;
/// Whole answers and streams of this model cost the same.
const MODEL: &str = "gpt-4o~words=20~delay_ms=2~body_delay_ms=30";
/// A key without a budget.
const FREE_KEY: &str = "sk-bf-canary-free";
/// A key with a budget that can be overspent.
const SOFT_KEY: &str = "sk-bf-canary-soft";
/// A key with a budget for a few calls.
const SMALL_KEY: &str = "sk-bf-canary-small";
/// A key that may ask a few times in an hour.
const RATED_KEY: &str = "sk-bf-canary-rated";
/// How often that is.
const RATE: usize = 5;

/// What a gateway is started with again and again.
fn configuration(base_url: &str) -> Value {
    let mut config = config(base_url);
    // What is cut is estimated; here each call is to cost the same.
    config["client"]["drain_ms"] = json!(60_000);
    price_controls(&mut config);
    let governance = &mut config["governance"];
    let tokens = [("free", FREE_KEY), ("soft", SOFT_KEY), ("small", SMALL_KEY), ("rated", RATED_KEY)];
    let keys = governance["virtual_keys"].as_array_mut().unwrap();
    keys.extend(tokens.map(|(name, token)| key(name, token, &["openai"])));
    keys[0]["budget_id"] = json!("wide");
    keys[2]["budget_id"] = json!("soft");
    keys[3]["budget_id"] = json!("small");
    keys[4]["rate_limit"] = json!({"request_max_limit": RATE, "request_reset_duration": "1h"});
    let mut soft = budget("soft", 100.0);
    soft["mode"] = json!("soft");
    governance["budgets"] = json!([budget("wide", 100.0), soft, budget("small", 0.005)]);
    config
}

/// The body of a request that always costs the same.
fn body(stream: bool) -> String {
    let mut body = Api::Chat.body(MODEL, stream, "12345678");
    body["max_tokens"] = json!(100);
    body.to_string()
}

fn request(client: &Client, gateway: &Gateway, token: &str, stream: bool) -> RequestBuilder {
    client.post(gateway.url("/v1/chat/completions")).bearer_auth(token).body(body(stream))
}

async fn ask(client: &Client, gateway: &Gateway, token: &str) -> Reply {
    reply(request(client, gateway, token, false)).await
}

/// What is spent of the budget that the crowd spends.
async fn wide(gateway: &Gateway) -> Standing {
    standing(&forgetful_client(), gateway, "wide").await
}

/// Clients that ask on and on, whole answers and streams, until the budget is spent or nobody answers any more. Every fourth one
/// always hangs up in the middle.
fn crowd(gateway: &Gateway) -> Vec<JoinHandle<()>> {
    let client = client();
    let visit = |n: usize| {
        let stream = n.is_multiple_of(2);
        if n % 4 == 3 {
            return tokio::spawn(hang_up(gateway.address(), n as u64));
        }
        tokio::spawn(stay(request(&client, gateway, KEY, stream)))
    };
    (0..CLIENTS).map(visit).collect()
}

async fn stay(request: RequestBuilder) {
    while let Ok(answer) = soon(request.try_clone().unwrap().send()).await {
        let status = answer.status().as_u16();
        let Ok(body) = soon(answer.bytes()).await else { break };
        match status {
            200 => {}
            402 => break,
            429 => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => panic!("{status}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

async fn hang_up(gateway: SocketAddr, seed: u64) {
    let mut dice = Rng::with_seed(seed);
    let mut status = None;
    while status != Some(402) {
        let request = last_post("/v1/chat/completions", "leaver", &body(dice.bool()));
        let Ok(seen) = hang_up_after(gateway, &request, usize::MAX, dice.usize(..6_000)).await else { break };
        status = seen;
    }
}

/// Waits until the provider has seen so many requests more.
async fn until_seen(fake: &FakeProvider, more: usize) {
    let wanted = fake.books().len() + more;
    fake.books().wait_for(|entries| entries.len() >= wanted, PATIENCE).await.unwrap();
}

/// The books, once every exchange in them is over.
async fn closed_books(fake: &FakeProvider) -> Vec<Entry> {
    let is_closed = |entries: &[Entry]| entries.iter().all(|entry| entry.ended_us.is_some());
    fake.books().wait_for(is_closed, PATIENCE).await.unwrap()
}

/// How many attempts a gateway found in flight when it was started, and what it charged for them.
fn abandoned_at_start(gateway: &Gateway) -> (u64, u64) {
    let is_told = |line: &&Value| {
        let message = line["fields"]["message"].as_str();
        message.is_some_and(|text| text.starts_with("calls were in flight when the last process ended"))
    };
    let line = gateway.events.json().iter().find(is_told).cloned();
    let number = |field: &str| line.as_ref().map_or(0, |line| line["fields"][field].as_u64().unwrap());
    (number("attempts"), number("nano"))
}

/// How many attempts were charged in full because nobody saw their end, and what these charges come to.
fn abandoned(data: &Path) -> (u64, u64) {
    let charges = store::read_abandoned(data, store::Page { before: None, most: 100_000 }).unwrap();
    (charges.len() as u64, charges.iter().map(|charge| charge.attempted.nano()).sum())
}

/// Each call in the books is charged once: what it cost if its end was seen, else what it had reserved.
async fn assert_explained(gateway: &Gateway, fake: &FakeProvider) {
    let entries = closed_books(fake).await;
    let whole: Vec<_> = entries.iter().filter(|entry| entry.finished).map(billed).collect();
    let (books, cost) = (entries.iter().map(billed).sum::<u64>(), whole[0]);
    let standing = wide(gateway).await;
    assert_eq!(standing.held, 0);
    assert!(standing.spent >= books, "{standing:?}, and {books} were billed");
    let (attempts, nano) = abandoned(&gateway.folder().data());
    let settled = standing.spent - nano;
    assert_eq!(settled % cost, 0, "a call that was seen to its end cost {cost}: {settled}");
    let settled = settled / cost;
    assert!(settled <= whole.len() as u64, "{settled} were charged, and {} were answered", whole.len());
    let calls = entries.len() as u64;
    assert!(settled + attempts >= calls, "{settled} and {attempts} of {calls} were charged");
}

/// Starts a process and kills it before it has well begun.
async fn false_start(home: &Home, micros: u64) {
    let mut child = home.serve().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    tokio::time::sleep(Duration::from_micros(micros)).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_charge_and_makes_none_twice() {
    let fake = fake();
    let mut home = Home::new(&configuration(&fake.url()));
    let mut dice = Rng::with_seed(4);
    let (mut attempts, mut nano) = (0, 0);
    for round in 0..8 {
        let gateway = Gateway::start_in(home, &[]).await;
        let crowd = crowd(&gateway);
        until_seen(&fake, dice.usize(CLIENTS..400)).await;
        home = gateway.kill();
        join_all(crowd).await.into_iter().for_each(Result::unwrap);
        for _ in 0..round % 3 {
            // Starting takes some ten milliseconds.
            false_start(&home, dice.u64(..30_000)).await;
        }
        let gateway = Gateway::start_in(home, &[]).await;
        let told = abandoned_at_start(&gateway);
        let all = abandoned(&gateway.folder().data());
        let is_told = (attempts + told.0, nano + told.1) == all;
        assert!(is_told || round % 3 > 0, "{told:?} more than {attempts} for {nano} were told, not {all:?}");
        (attempts, nano) = all;
        assert_explained(&gateway, &fake).await;
        home = gateway.kill();
    }
    assert!(attempts > 0, "no call was in flight when the process was killed");

    let before = store::read(&home.data()).unwrap();
    for signal in ["KILL", "TERM"] {
        let mut gateway = Gateway::start_in(home, &[]).await;
        assert_eq!(abandoned_at_start(&gateway), (0, 0), "nothing is charged twice");
        assert_explained(&gateway, &fake).await;
        gateway.signal(signal);
        gateway.ended().await;
        home = gateway.kill();
        assert_eq!(store::read(&home.data()).unwrap(), before, "nothing was asked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_process_again_and_again_overspends_no_budget() {
    let fake = fake();
    let mut config = configuration(&fake.url());
    config["governance"]["budgets"][0]["max_limit"] = json!(0.4);
    let mut home = Home::new(&config);
    let mut dice = Rng::with_seed(9);
    for round in 0..50 {
        let gateway = Gateway::start_in(home, &[]).await;
        let Standing { limit, spent, held } = wide(&gateway).await;
        let books: u64 = closed_books(&fake).await.iter().map(billed).sum();
        // What is charged may be more than the limit: a call may have had the place of one whose end was not written down yet.
        assert!(
            books <= spent.min(limit) && held == 0,
            "round {round}: {books} were billed, {spent} charged, {held} held"
        );
        if ask(&client(), &gateway, KEY).await.status == 402 {
            return;
        }
        let crowd = crowd(&gateway);
        let wanted = fake.books().len() + dice.usize(..2 * CLIENTS);
        while fake.books().len() < wanted && !crowd.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        home = gateway.kill();
        join_all(crowd).await.into_iter().for_each(Result::unwrap);
    }
    panic!("the budget is never used up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_stop_leaves_nothing_open() {
    let fake = fake();
    let mut gateway = Gateway::start(&configuration(&fake.url())).await;
    let crowd = crowd(&gateway);
    until_seen(&fake, 200).await;
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.output());
    join_all(crowd).await.into_iter().for_each(Result::unwrap);
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    assert_eq!(abandoned_at_start(&gateway), (0, 0));
    let entries = closed_books(&fake).await;
    assert!(entries.iter().all(|entry| entry.finished), "each call was served to its end");
    let standing = wide(&gateway).await;
    assert_eq!((standing.spent, standing.held), (entries.iter().map(billed).sum(), 0));
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_charged_all_the_same() {
    for stream in [false, true] {
        let fake = fake();
        let mut config = configuration(&fake.url());
        config["server"] = json!({"shutdown_grace": "1s"});
        let mut gateway = Gateway::start(&config).await;
        let mut body = Api::Chat.body("gpt-4o~words=90~delay_ms=600000~body_delay_ms=600000", stream, "12345678");
        body["max_tokens"] = json!(100);
        let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(KEY).body(body.to_string());
        let call = tokio::spawn(request.send());
        fake.books().wait_for(|entries| entries.iter().any(|entry| entry.status.is_some()), PATIENCE).await.unwrap();
        gateway.signal("TERM");
        assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.output());
        let _ = call.await;
        let books: u64 = closed_books(&fake).await.iter().map(billed).sum();
        let gateway = Gateway::start_in(gateway.kill(), &[]).await;
        let Standing { spent, held, .. } = wide(&gateway).await;
        assert!(spent >= books.max(1) && held == 0, "{spent} for {books}, {held} held");
        assert_eq!(abandoned(&gateway.folder().data()), (1, spent), "nobody saw its end");
    }
}

#[tokio::test]
async fn what_was_used_up_is_used_up_after_the_process_was_killed() {
    let fake = fake();
    let client = forgetful_client();
    let mut gateway = Gateway::start(&configuration(&fake.url())).await;
    let mut paid = 0;
    while ask(&client, &gateway, SMALL_KEY).await.status == 200 {
        paid += 1;
    }
    assert!(paid > 0);
    for _ in 0..RATE {
        assert_eq!(ask(&client, &gateway, RATED_KEY).await.status, 200);
    }
    let asked = fake.books().len();
    for _ in 0..3 {
        let spent = ask(&client, &gateway, SMALL_KEY).await;
        assert_eq!((spent.status, reason(&spent.json())), (402, Some("budget_exceeded")), "{}", spent.text());
        let limited = ask(&client, &gateway, RATED_KEY).await;
        assert_eq!((limited.status, reason(&limited.json())), (429, Some("request_limited")), "{}", limited.text());
        gateway = Gateway::start_in(gateway.kill(), &[]).await;
    }
    assert_eq!(fake.books().len(), asked, "nothing more was asked for");
}

#[tokio::test]
async fn a_data_folder_has_one_gateway() {
    let fake = fake();
    let gateway = Gateway::start(&configuration(&fake.url())).await;
    let second = gateway.folder().run("serve").await;
    let told = String::from_utf8_lossy(&second.stderr);
    let folder = gateway.folder().data();
    assert!(!second.status.success(), "{told}");
    assert!(told.contains(folder.to_str().unwrap()) && told.contains("used by another gateway"), "{told}");
    assert_eq!(ask(&forgetful_client(), &gateway, KEY).await.status, 200, "the first one is not disturbed");
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    assert_eq!(ask(&forgetful_client(), &gateway, KEY).await.status, 200, "a killed one leaves no lock");
}
