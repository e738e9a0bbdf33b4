//! What was spent outlives the process, however it ends: killed, told to stop, with a full disk or a damaged journal.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fastrand::Rng;
use futures::StreamExt as _;
use futures::future::join_all;
use loadtest::fake::{Entry, FakeProvider};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::support::config::{KEY, config, fake, key};
use super::support::money::{Standing, billed, budget, price_controls, standing};
use super::support::process::{Gateway, Home};
use super::support::scene::{Reply, client, forgetful_client, metric, reply};
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

/// A request that always costs the same.
fn request(client: &Client, gateway: &Gateway, token: &str, stream: bool) -> RequestBuilder {
    let mut body = Api::Chat.body(MODEL, stream, "12345678");
    body["max_tokens"] = json!(100);
    client.post(gateway.url("/v1/chat/completions")).bearer_auth(token).body(body.to_string())
}

async fn ask(client: &Client, gateway: &Gateway, token: &str) -> Reply {
    reply(request(client, gateway, token, false)).await
}

/// What is spent of the budget that the crowd spends.
async fn wide(gateway: &Gateway) -> Standing {
    standing(&forgetful_client(), gateway, "wide").await
}

/// Clients that ask on and on, whole answers and streams, until the budget is spent or nobody answers any more.
fn crowd(gateway: &Gateway) -> Vec<JoinHandle<()>> {
    let client = client();
    let visit = |n: usize| {
        let ask = request(&client, gateway, KEY, n.is_multiple_of(2));
        tokio::spawn(async move {
            while let Ok(answer) = soon(ask.try_clone().unwrap().send()).await {
                let status = answer.status();
                let Ok(body) = soon(answer.bytes()).await else { break };
                match status.as_u16() {
                    200 => {}
                    402 => break,
                    429 => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => panic!("{status}: {}", String::from_utf8_lossy(&body)),
                }
            }
        })
    };
    (0..CLIENTS).map(visit).collect()
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

/// `tollgate serve`, for which a file that may not grow is an error, as a full disk is, and not its end.
fn undaunted(home: &Home) -> Command {
    let serve = home.serve();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    shell.env_remove("RUST_LOG").stdin(Stdio::null());
    shell
}

/// Lets no file that the process writes grow beyond so many bytes: `0`, or `unlimited`.
fn let_files_grow(gateway: &Gateway, bytes: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &gateway.pid().to_string(), &format!("--fsize={bytes}:")]);
    assert!(prlimit.status().unwrap().success(), "{bytes}");
}

/// Asks again and again until the answer has this status.
async fn until_status(client: &Client, gateway: &Gateway, wanted: u16) -> Reply {
    soon(async {
        loop {
            let answer = ask(client, gateway, KEY).await;
            if answer.status == wanted {
                return answer;
            }
        }
    })
    .await
}

/// What was billed for the calls of the key with the wide budget: others say who they are.
fn of_wide_budget(entries: &[Entry]) -> u64 {
    entries.iter().filter(|entry| entry.header("x-request-id").unwrap().len() > "other".len()).map(billed).sum()
}

#[tokio::test]
async fn on_a_full_disk_calls_under_hard_budgets_are_refused_and_others_go_on() {
    let fake = fake();
    let client = forgetful_client();
    let home = Home::new(&configuration(&fake.url()));
    let mut gateway = Gateway::start_by(undaunted(&home), home).await;
    // A file may end in the middle of a record, or take nothing at all.
    for bytes in ["0", "1000", "777"] {
        let_files_grow(&gateway, "unlimited");
        until_status(&client, &gateway, 200).await;
        let under_way = tokio::spawn(request(&client, &gateway, KEY, true).send());
        until_seen(&fake, 1).await;
        let_files_grow(&gateway, bytes);
        let refused = until_status(&client, &gateway, 503).await;
        assert_eq!(reason(&refused.json()), Some("ledger_unavailable"), "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("1"));
        for token in [FREE_KEY, SOFT_KEY] {
            for stream in [false, true] {
                let other = reply(request(&client, &gateway, token, stream).header("x-request-id", "other")).await;
                assert_eq!(other.status, 200, "{bytes}: {}", other.text());
            }
        }
        let answer = Reply::of(soon(under_way).await.unwrap().unwrap()).await;
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "what is under way goes on: {}", answer.text());
        assert_eq!(wide(&gateway).await.held, 0);
    }
    assert!(metric(&client, &gateway, "tollgate_journal_failures_total ").await > Some(0));
    let_files_grow(&gateway, "unlimited");
    until_status(&client, &gateway, 200).await;
    let told =
        |line: &Value| line["level"] == "ERROR" && line["fields"]["message"].as_str().unwrap().contains("journal-");
    gateway.events.wait_for("what could not be written", told).await;

    gateway.signal("TERM");
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.output());
    let gateway = Gateway::start_in(gateway.kill(), &[]).await;
    assert_eq!(abandoned_at_start(&gateway), (0, 0));
    let books = of_wide_budget(&closed_books(&fake).await);
    assert_eq!(wide(&gateway).await.spent, books, "nothing was lost, nothing charged that was not sent");
}

#[tokio::test]
async fn a_process_that_ends_on_a_full_disk_loses_no_charge() {
    let fake = fake();
    let client = forgetful_client();
    for signal in ["TERM", "KILL"] {
        fake.books().clear();
        let home = Home::new(&configuration(&fake.url()));
        let mut gateway = Gateway::start_by(undaunted(&home), home).await;
        let under_way = tokio::spawn(request(&client, &gateway, KEY, true).send());
        until_seen(&fake, 1).await;
        let_files_grow(&gateway, "0");
        assert_eq!(Reply::of(soon(under_way).await.unwrap().unwrap()).await.status, 200);
        gateway.signal(signal);
        gateway.ended().await;
        let gateway = Gateway::start_in(gateway.kill(), &[]).await;
        let (attempts, nano) = abandoned_at_start(&gateway);
        let books = of_wide_budget(&closed_books(&fake).await);
        assert_eq!((attempts, wide(&gateway).await.spent), (1, nano), "{signal}: its end could not be written down");
        assert!(nano > books, "{signal}: {books} were billed");
    }
}

/// The journal's newest file.
fn newest_segment(data: &Path) -> PathBuf {
    let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max().unwrap()
}

/// A folder whose process was killed before it had folded what it wrote last, and the file with that.
async fn with_journal(mut home: Home, fake: &FakeProvider) -> (Home, PathBuf) {
    loop {
        let gateway = Gateway::start_in(home, &[]).await;
        let crowd = crowd(&gateway);
        until_seen(fake, 100).await;
        home = gateway.kill();
        join_all(crowd).await.into_iter().for_each(Result::unwrap);
        let segment = newest_segment(&home.data());
        if std::fs::metadata(&segment).unwrap().len() > 4_000 {
            return (home, segment);
        }
    }
}

/// What a folder says of the wide budget, if all that is open is charged in full.
fn kept(data: &Path) -> u64 {
    let reading = store::read(data).unwrap();
    let spent = reading.state.budgets.iter().filter(|budget| budget.id == "wide").map(|budget| budget.spent_nano);
    let held = reading.held.iter().filter(|amount| amount.id == "wide").map(|amount| amount.amount);
    spent.chain(held).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_journal_counts_up_to_the_damage_and_the_rest_is_set_aside() {
    let fake = fake();
    let mut home = Home::new(&configuration(&fake.url()));
    let damages: [(&str, fn(&mut Vec<u8>)); 5] = [
        ("cut off in its last record", |bytes| bytes.truncate(bytes.len() - 3)),
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a bit is wrong in the middle", |bytes| bytes[2_000] ^= 4),
        ("a bit is wrong in the first byte", |bytes| bytes[0] ^= 1),
        ("zeros behind it", |bytes| bytes.extend([0; 4_096])),
    ];
    for (what, damage) in damages {
        let (folder, segment) = with_journal(home, &fake).await;
        let mut bytes = std::fs::read(&segment).unwrap();
        let (undamaged, whole) = (bytes.clone(), kept(&folder.data()));
        damage(&mut bytes);
        std::fs::write(&segment, &bytes).unwrap();
        let good = kept(&folder.data());

        let gateway = Gateway::start_in(folder, &[]).await;
        let name = segment.file_name().unwrap().to_str().unwrap();
        let is_told = |line: &Value| {
            line["level"] == "ERROR" && line["fields"]["message"].as_str().is_some_and(|text| text.contains(name))
        };
        gateway.events.wait_for("which file is damaged", is_told).await;
        let spent = wide(&gateway).await.spent;
        assert_eq!(spent, good, "{what}: what is before the damage counts");
        assert!(spent == whole || !bytes.starts_with(&undamaged), "{what}: {spent} of {whole}");
        let rest = std::fs::read(segment.with_extension("log.corrupt")).unwrap();
        assert!(!rest.is_empty() && bytes.ends_with(&rest), "{what}: {} bytes are set aside", rest.len());
        assert_eq!(ask(&forgetful_client(), &gateway, KEY).await.status, 200, "{what}");

        let gateway = Gateway::start_in(gateway.kill(), &[]).await;
        assert!(!gateway.events.json().iter().any(is_told), "{what}: it is told once");
        assert!(wide(&gateway).await.spent > spent, "{what}");
        home = gateway.kill();
    }
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

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    // A file may be removed meanwhile.
    files.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_does_not_grow_with_the_calls() {
    const CALLS: usize = 6_000;
    let fake = fake();
    // Long names make long records: without folding these calls would take more than 6 MB.
    let [own, team, customer, provider] =
        ["own", "team", "customer", "provider"].map(|owner| format!("{owner}-{}", "budget-".repeat(35)));
    let mut config = configuration(&fake.url());
    let governance = &mut config["governance"];
    governance["budgets"]
        .as_array_mut()
        .unwrap()
        .extend([&own, &team, &customer, &provider].map(|id| budget(id, 100.0)));
    governance["customers"] = json!([{"id": "customer", "name": "customer", "budget_id": customer}]);
    governance["teams"] = json!([{"id": "team", "name": "team", "customer_id": "customer", "budget_id": team}]);
    governance["providers"] = json!([{"name": "openai", "budget_id": provider}]);
    governance["virtual_keys"][0]["team_id"] = json!("team");
    governance["virtual_keys"][0]["budget_id"] = json!(own);
    let gateway = Gateway::start(&config).await;
    let client = client();
    let mut body = Api::Chat.body("gpt-4o~words=1", false, "12345678");
    body["max_tokens"] = json!(1);
    let body = body.to_string();
    let calls = (0..CALLS).map(|_| {
        let request = client.post(gateway.url("/v1/chat/completions")).bearer_auth(KEY).body(body.clone());
        async { assert_eq!(reply(request).await.status, 200) }
    });
    futures::stream::iter(calls).buffer_unordered(8).collect::<Vec<()>>().await;
    let data = gateway.folder().data();
    soon(async {
        while size(&data) > 2_000_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for id in [own, team, customer, provider] {
        let standing = standing(&client, &gateway, &id).await;
        assert_eq!((standing.spent, standing.held), (fake.books().entries().iter().map(billed).sum(), 0), "{id}");
    }
}
