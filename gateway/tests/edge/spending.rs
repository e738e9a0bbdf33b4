//! Crowds at a budget: whatever clients and providers do, the providers' books never come to more than it, and hardly to less.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use futures::StreamExt as _;
use loadtest::fake::Entry;
use serde_json::{Value, json};

use super::support::PATIENCE;
use super::support::config::{KEY, key};
use super::support::leaver::{hang_up_after, last_post};
use super::support::money::{DOLLAR, billed, billed_by_call, budget, charged, price_controls, standing};
use super::support::scene::{Scene, forgetful_client, metric, reply};
use super::support::soon;
use super::support::sse::{Api, reason};
use super::support::targets::{Setup, Targets};

const CALLS: usize = 2_000;
/// Calls under way at any time where streams are cut by time.
const AT_ONCE: usize = 250;
/// The output limit of those who set one.
const MAX_OUTPUT: u64 = 120;
/// Calls while providers fail.
const STRAINED_CALLS: usize = 1_000;
/// A key whose calls are a team's too.
const TEAM_KEY: &str = "sk-bf-canary-of-a-team";

/// What a client wants, and how long it stays.
#[derive(Clone, Debug)]
struct Visit {
    api: Api,
    stream: bool,
    model: String,
    max_output: Option<u64>,
    /// After so many bytes written and so many read it hangs up.
    leaves: Option<(usize, usize)>,
}

impl Visit {
    /// A client by its number: every third one leaves.
    fn nth(n: usize) -> Self {
        let mut dice = Rng::with_seed(n as u64);
        let (api, stream) = (Api::ALL[dice.usize(..Api::ALL.len())], dice.bool());
        let leaves = n.is_multiple_of(3).then(|| {
            let written = if dice.u8(..10) == 0 { dice.usize(..1_200) } else { usize::MAX };
            // Few bytes are as likely as many, up to about what an answer has.
            let magnitude = dice.u8(..if stream { 15 } else { 11 });
            let read = dice.usize(..1 << magnitude);
            (written, read)
        });
        let controls = match dice.u8(..20) {
            // Longer than the four bytes that a token is estimated at.
            0 => "~words=80~big=5~nousage",
            1 => "~words=80~chunk_bytes=500",
            2 => "~words=80~delay_ms=1",
            // More than is read for a client that left.
            3 if leaves.is_some() => "~words=110~big=8000",
            _ => "~words=80",
        };
        // Without a limit a text completion would end after 16 tokens, and a long answer that is cut be charged as a very long one.
        let is_limited = leaves.is_none() || api == Api::Completion || controls.contains("8000") || dice.bool();
        let max_output = is_limited.then_some(MAX_OUTPUT);
        Self { api, stream, model: format!("{}{controls}", api.model()), max_output, leaves }
    }

    fn path(&self) -> String {
        self.api.path(&self.model, self.stream)
    }

    fn body(&self) -> String {
        let mut body = self.api.body(&self.model, self.stream, &"12345678".repeat(100));
        let (holder, name) = match self.api {
            Api::Chat | Api::Completion | Api::Messages => (&mut body, "max_tokens"),
            Api::Responses => (&mut body, "max_output_tokens"),
            Api::Gemini | Api::GeminiArray => (&mut body["generationConfig"], "maxOutputTokens"),
        };
        match self.max_output {
            Some(most) => holder[name] = json!(most),
            // Anthropic's API wants a limit.
            None if self.api == Api::Messages => {}
            None => drop(holder.as_object_mut().unwrap().remove(name)),
        }
        body.to_string()
    }

    /// Asks until there is an answer or the budget is spent; the last status seen, if any was.
    async fn pay(&self, scene: &Scene, n: usize) -> Option<u16> {
        let mut dice = Rng::with_seed(n as u64);
        for attempt in 0.. {
            let id = format!("visit-{n}-{attempt}");
            let status = match self.leaves {
                Some((written, read)) => {
                    let request = last_post(&self.path(), &id, &self.body());
                    hang_up_after(scene.gateway.address(), &request, written, read).await.unwrap()
                }
                None => Some(self.stay(scene, &id).await),
            };
            if status != Some(429) {
                return status;
            }
            // About what `Retry-After` says.
            tokio::time::sleep(Duration::from_millis(dice.u64(500..1_500))).await;
        }
        None
    }

    async fn stay(&self, scene: &Scene, id: &str) -> u16 {
        let answer = reply(scene.post(&self.path()).header("x-request-id", id).body(self.body())).await;
        let refused = match answer.status {
            200 => {
                assert!(!self.stream || answer.text().contains(self.api.end_mark()), "{self:?}: {}", answer.text());
                return 200;
            }
            402 => "budget_exceeded",
            429 => "budget_reserved",
            other => panic!("{other}: {self:?}: {}", answer.text()),
        };
        assert_eq!(reason(&answer.json()), Some(refused), "{self:?}");
        answer.status
    }
}

/// How many calls can be under way at once, all of them if the system lets processes have the files: two for each call here, for
/// its client and its provider, and two in the gateway. What they would reserve is more than the budget.
fn most_at_once() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let files = files.map_or(1_024, |files| files.parse().unwrap_or(usize::MAX));
    (files.saturating_sub(400) / 2).clamp(AT_ONCE, CALLS)
}

/// The books, once every exchange in them is over.
async fn closed_books(scene: &Scene) -> Vec<Entry> {
    let is_closed = |entries: &[Entry]| entries.iter().all(|entry| entry.ended_us.is_some());
    scene.fake.books().wait_for(is_closed, PATIENCE).await.unwrap()
}

/// The access log's line of each call that reached the provider, by its request id.
async fn log_of(scene: &Scene, calls: &BTreeMap<String, u64>) -> BTreeMap<String, Value> {
    let by_id = |lines: &[Value]| {
        let with_id = |line: &Value| Some((line["request.id"].as_str()?.to_owned(), line.clone()));
        lines.iter().filter_map(with_id).collect::<BTreeMap<_, _>>()
    };
    let is_whole = |lines: &[Value]| {
        let lines = by_id(lines);
        calls.keys().all(|id| lines.contains_key(id))
    };
    by_id(&scene.gateway.access.wait_until("a line for each call in the books", is_whole).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_callers_spend_a_dollar_and_no_more() {
    let scene = Scene::with(|config| {
        // However slow the machine is, it is their length that answers are cut for.
        config["client"]["drain_ms"] = json!(60_000);
        config["governance"]["budgets"] = json!([budget("dollar", 1.0)]);
        config["governance"]["virtual_keys"][0]["budget_id"] = json!("dollar");
        price_controls(config);
    })
    .await;
    let visits = (0..CALLS).map(|n| {
        let scene = &scene;
        async move { Visit::nth(n).pay(scene, n).await }
    });
    let statuses: Vec<_> = futures::stream::iter(visits).buffer_unordered(most_at_once()).collect().await;
    scene.until_metric("tollgate_requests_in_flight ", 1).await;

    let entries = closed_books(&scene).await;
    let books: u64 = entries.iter().map(billed).sum();
    assert!(books <= DOLLAR, "{books} were billed");
    assert!(books >= DOLLAR / 10 * 9, "only {books} were billed");
    let standing = standing(&scene.client, &scene.gateway, "dollar").await;
    assert_eq!((standing.limit, standing.held), (DOLLAR, 0));
    assert!(standing.spent <= DOLLAR && standing.spent >= books, "{standing:?}, and {books} were billed");
    assert_eq!(scene.metric("tollgate_hold_exceeded_total ").await, Some(0));

    let calls = billed_by_call(&entries);
    let log = log_of(&scene, &calls).await;
    assert_eq!(log.values().map(charged).sum::<u64>(), standing.spent, "the log and the ledger");
    let mut sources = BTreeMap::<&str, usize>::new();
    for (id, line) in &log {
        let Some(source) = line["tokens.source"].as_str() else { continue };
        let billed = calls.get(id).copied().unwrap_or(0);
        *sources.entry(source).or_default() += 1;
        assert!(charged(line) >= billed, "{billed} were billed: {line}");
        assert!(charged(line) == billed || source != "reported", "{billed} were billed: {line}");
    }
    assert!(sources["reported"] > 600 && sources["estimated"] > 20, "{sources:?}");
    let seen = |status| statuses.iter().filter(|seen| **seen == Some(status)).count();
    assert!(seen(200) > 400 && seen(402) > 200, "{} were served, {} refused", seen(200), seen(402));
    let left = log.values().filter(|line| line["client.left"] == true).count();
    assert!(left > 150, "{left} clients left");
    let reserved = log.values().filter(|line| line["error.type"] == "budget_reserved").count();
    assert!(reserved > 100, "{reserved} times it was only reserved");
}

/// Callers of streams, each of whom leaves early.
const LEAVERS: usize = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_whose_streams_are_cut_by_time_spends_no_more_than_its_budget() {
    let scene = Scene::with(|config| {
        config["client"]["drain_ms"] = json!(50);
        config["governance"]["budgets"] = json!([budget("quarter", 0.25)]);
        config["governance"]["virtual_keys"][0]["budget_id"] = json!("quarter");
        price_controls(config);
    })
    .await;
    let visits = (0..LEAVERS).map(|n| {
        let mut dice = Rng::with_seed(n as u64);
        let api = Api::ALL[dice.usize(..Api::ALL.len())];
        let pace = ["", "~delay_ms=1", "~delay_ms=20", "~delay_ms=100"][dice.usize(..4)];
        let most = 1 << dice.u8(..13);
        let leaves = Some((usize::MAX, dice.usize(..most)));
        let model = format!("{}~words=80{pace}", api.model());
        let visit = Visit { api, stream: true, model, max_output: Some(MAX_OUTPUT), leaves };
        let scene = &scene;
        async move { visit.pay(scene, n).await }
    });
    let _: Vec<_> = futures::stream::iter(visits).buffer_unordered(AT_ONCE).collect().await;
    scene.until_metric("tollgate_requests_in_flight ", 1).await;

    let entries = closed_books(&scene).await;
    let books: u64 = entries.iter().map(billed).sum();
    let standing = standing(&scene.client, &scene.gateway, "quarter").await;
    assert!(books <= standing.spent && standing.spent <= DOLLAR / 4, "{books} were billed: {standing:?}");
    assert!(standing.spent >= DOLLAR / 40 * 9 && standing.held == 0, "{standing:?}");
    let log = log_of(&scene, &billed_by_call(&entries)).await;
    let cut = log.values().filter(|line| line["tokens.source"] == "estimated").count();
    assert!(cut > 50, "{cut} streams were cut");
}

/// What goes wrong at the providers, by turns; the numbers are events of a stream, or bytes of an answer that is none.
const FAULTS: [&str; 10] = [
    "",
    "~failevery=3~status=500",
    "~failevery=2~error=overloaded",
    "~failevery=3~status=429~retry_after_ms=5",
    "~failevery=4~hangup_after=20",
    "~failevery=4~cut_after=30",
    "~failevery=5~reset_before_header",
    "~failevery=3~error_200",
    "~failevery=4~error_after=10",
    "~badkey=refused-credential",
];

/// Two keys with a budget in common, a team with one of its own, and a provider with a third; its other one is the way out.
fn strained() -> Setup {
    let providers = Setup::of("openai", 2).retries(1);
    providers.network("circuit_breaker", json!(false)).client("drain_ms", json!(60_000)).with(|config| {
        let governance = &mut config["governance"];
        let mut team_key = key("team", TEAM_KEY, &["p0", "p1"]);
        (team_key["team_id"], team_key["budget_id"]) = (json!("team"), json!("shared"));
        governance["virtual_keys"].as_array_mut().unwrap().push(team_key);
        governance["virtual_keys"][0]["budget_id"] = json!("shared");
        governance["virtual_keys"][0]["rate_limit"] = json!({"max_concurrent_requests": 30});
        governance["teams"] = json!([{"id": "team", "name": "team", "budget_id": "team"}]);
        governance["providers"] = json!([{"name": "p0", "budget_id": "p0"}]);
        governance["budgets"] = json!([budget("shared", 0.5), budget("team", 0.2), budget("p0", 0.3)]);
        price_controls(config);
    })
}

/// Asks until there is an answer, an error that will not go away, or no money left. Every fifth caller leaves early.
async fn pay_strained(targets: &Targets, n: usize) -> u16 {
    let mut dice = Rng::with_seed(n as u64);
    let (token, name) = if dice.bool() { (KEY, "one") } else { (TEAM_KEY, "team") };
    let stream = dice.bool();
    let model = format!("gpt-4o~words=60{}", FAULTS[dice.usize(..FAULTS.len())]);
    let mut body = Api::Chat.body(&model, stream, "12345678");
    body["max_tokens"] = json!(100);
    for attempt in 0.. {
        let request = targets.client.post(targets.gateway.url("/v1/chat/completions")).bearer_auth(token);
        let request = request.header("x-request-id", format!("{name}-{n}-{attempt}")).body(body.to_string());
        let asking = async {
            let answer = soon(request.send()).await.unwrap();
            let status = answer.status().as_u16();
            // A stream may break off.
            let _ = soon(answer.bytes()).await;
            status
        };
        let stays = if n.is_multiple_of(5) { Duration::from_millis(dice.u64(..40)) } else { PATIENCE };
        match tokio::time::timeout(stays, asking).await {
            Ok(429) => {}
            Ok(status) => return status,
            Err(_) => return 0,
        }
        tokio::time::sleep(Duration::from_millis(dice.u64(20..100))).await;
    }
    0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_budget_of_several_is_overspent_while_providers_fail() {
    let mut targets = strained().start().await;
    targets.client = forgetful_client();
    let targets = targets;
    let visits = (0..STRAINED_CALLS).map(|n| pay_strained(&targets, n));
    let statuses: Vec<_> = futures::stream::iter(visits).buffer_unordered(100).collect().await;
    targets.until_idle().await;
    assert!(statuses.contains(&402), "{statuses:?}");

    let walked = targets.walked();
    let of = |wanted: &dyn Fn(usize, &str) -> bool| {
        let mine = |(target, entry): &&(usize, Entry)| wanted(*target, entry.header("x-request-id").unwrap());
        walked.iter().filter(mine).map(|(_, entry)| billed(entry)).sum::<u64>()
    };
    let books = [
        ("shared", of(&|_, _| true)),
        ("team", of(&|_, id| id.starts_with("team-"))),
        ("p0", of(&|target, _| target == 0)),
    ];
    for (name, billed) in books {
        let standing = standing(&targets.client, &targets.gateway, name).await;
        assert_eq!(standing.held, 0, "{name}");
        assert!(billed <= standing.spent && standing.spent <= standing.limit, "{name}: {billed}, {standing:?}");
        assert!(standing.spent > standing.limit / 10 * 9, "{name} was to be used up: {standing:?}");
    }
    let exceeded = metric(&targets.client, &targets.gateway, "tollgate_hold_exceeded_total ").await;
    assert_eq!(exceeded, Some(0));
}

#[tokio::test]
async fn an_estimate_never_exceeds_what_was_held() {
    let scene = Scene::with(|config| {
        config["governance"]["budgets"] = json!([budget("dollar", 1.0)]);
        config["governance"]["virtual_keys"][0]["budget_id"] = json!("dollar");
        price_controls(config);
    })
    .await;
    // Each word is one token, and looks like a hundred.
    for (stream, controls) in [(false, "~nousage"), (true, "~nousage"), (true, "~by_tokens~cut_after=49")] {
        for api in Api::ALL {
            let model = format!("{}~words=50~big=400{controls}", api.model());
            let visit = Visit { api, stream, model, max_output: Some(50), leaves: None };
            let answer = reply(scene.post(&visit.path()).body(visit.body())).await;
            assert_eq!(answer.status, 200, "{visit:?}: {}", answer.text());
            let line = scene.logged(&answer).await;
            assert_ne!(line["tokens.source"], "reported", "{visit:?}: {line}");
            assert_eq!(line["tokens.output"], 50, "{visit:?}: {line}");
        }
    }
    assert_eq!(scene.metric("tollgate_hold_exceeded_total ").await, Some(0));
}

#[tokio::test]
async fn what_came_in_time_is_charged_as_reported_though_the_process_was_too_busy_to_read_it() {
    let scene = Scene::with(|config| config["client"]["drain_ms"] = json!(200)).await;
    scene.let_fake("~words=20~lockstep=busy");
    let books = scene.fake.books();
    for round in 0..5 {
        books.clear();
        let id = format!("busy-{round}");
        (0..3).for_each(|_| books.ack("busy"));
        let mut answer = soon(scene.ask(Api::Chat, "gpt-4o", true).header("x-request-id", &id).send()).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("w1") {
            seen.extend(soon(answer.chunk()).await.unwrap().unwrap());
        }
        drop(answer);
        // So that it sees the client leave, and then sees nothing until its time for draining is over.
        tokio::time::sleep(Duration::from_millis(50)).await;
        scene.gateway.signal("STOP");
        (0..30).for_each(|_| books.ack("busy"));
        let entries = books.wait_for(|entries| entries[0].ended_us.is_some(), PATIENCE).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.gateway.signal("CONT");
        let line = scene.logged_as(&id).await;
        assert_eq!((&line["client.left"], &line["tokens.source"]), (&json!(true), &json!("reported")), "{line}");
        assert_eq!(charged(&line), billed(&entries[0]), "{line}");
    }
}
