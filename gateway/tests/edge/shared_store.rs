//! Gateways that keep everything in one PostgreSQL: what one changes is live on the other, only the first keeps hard budgets, and a
//! database that goes away is missed by nobody who only calls.

use std::time::Duration;

use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

use super::support::config::{KEY, add_key, config, fake, key};
use super::support::database::Database;
use super::support::limits::{COIN, budget, coin_body, govern, with_price};
use super::support::process::{Gateway, Home};
use super::support::scene::{Reply, client, reply};
use super::support::sse::{Api, reason};
use super::support::{PATIENCE, soon};

const OTHER: &str = "sk-bf-canary-other";
const HARD: &str = "sk-bf-canary-hard";
const SOFT: &str = "sk-bf-canary-soft";

/// Three keys: one without limits, one under a hard budget, one under a soft one.
fn shared(fake: &FakeProvider, database: &Database) -> Value {
    let mut config = config(&fake.url());
    database.keep(&mut config);
    with_price(&mut config);
    for (name, token, mode) in [("hard", HARD, "hard"), ("soft", SOFT, "soft")] {
        let mut budget = budget(name, 1_000);
        budget["mode"] = json!(mode);
        govern(&mut config, "budgets", budget);
        let mut key = key(name, token, &["openai"]);
        key["budget_id"] = json!(name);
        add_key(&mut config, key);
    }
    config
}

async fn ask(gateway: &Gateway, token: &str) -> Reply {
    let body = coin_body(Api::Chat, COIN, false, Some(7)).to_string();
    let request = client().post(gateway.url("/v1/chat/completions")).bearer_auth(token);
    reply(request.header("content-type", "application/json").body(body)).await
}

async fn readyz(gateway: &Gateway) -> (u16, String) {
    let answer = reply(client().get(gateway.url("/readyz"))).await;
    (answer.status, answer.text())
}

/// Asks until the answer is as wanted.
async fn until<T>(what: &str, ask: impl AsyncFn() -> T, is_wanted: impl Fn(&T) -> bool) {
    let asking = async {
        while !is_wanted(&ask().await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "{what}");
}

#[tokio::test]
async fn two_gateways_have_one_policy_and_the_first_keeps_hard_budgets() {
    let (fake, database) = (fake(), Database::new());
    let mut config = shared(&fake, &database);
    let first = Gateway::start(&config).await;
    let second = Gateway::start(&config).await;
    assert_eq!((ask(&second, KEY).await.status, ask(&second, OTHER).await.status), (200, 401));

    add_key(&mut config, key("other", OTHER, &["openai"]));
    first.folder().write(&config.to_string());
    until("it is live on the other", async || ask(&second, OTHER).await, |reply| reply.status == 200).await;

    assert_eq!((ask(&first, HARD).await.status, ask(&second, SOFT).await.status), (200, 200));
    let refused = ask(&second, HARD).await;
    assert_eq!((refused.status, reason(&refused.json())), (503, Some("ledger_unavailable")));
    assert!(refused.text().contains("stop the other one and restart this one"), "{}", refused.text());
    until("it says so", async || readyz(&second).await, |(_, text)| text.contains("another gateway")).await;
    assert_eq!(readyz(&first).await, (200, "ok\n".to_owned()));

    drop(first.kill());
    // As time would have it.
    database.execute("UPDATE lease SET until = now() - interval '1 second'");
    let home = second.kill();
    home.write(&config.to_string());
    let second = Gateway::start_in(home, &[]).await;
    assert_eq!(ask(&second, HARD).await.status, 200, "it has taken over");
    assert_eq!(readyz(&second).await, (200, "ok\n".to_owned()));
}

/// What management tells of the log.
async fn told(gateway: &Gateway, path: &str) -> Value {
    let answer = reply(client().get(gateway.url(path))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn two_gateways_have_one_request_log_and_each_tells_all_of_it() {
    let (fake, database) = (fake(), Database::new());
    let config = shared(&fake, &database);
    let first = Gateway::start(&config).await;
    let second = Gateway::start(&config).await;
    let answers = [ask(&first, HARD).await, ask(&second, SOFT).await, ask(&second, OTHER).await];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 401]);
    let mut asked: Vec<_> = answers.iter().map(Reply::request_id).collect();
    asked.sort_unstable();
    for gateway in [&first, &second] {
        let is_whole = |page: &Value| page["logs"].as_array().unwrap().len() == 3;
        until("all rows are there", async || told(gateway, "/api/logs").await, is_whole).await;
        let page = told(gateway, "/api/logs").await;
        let mut ids: Vec<_> = page["logs"].as_array().unwrap().iter().map(|log| &log["request_id"]).collect();
        ids.sort_unstable_by_key(|id| id.as_str());
        assert_eq!(ids, asked.iter().map(|id| json!(id)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        let one = told(gateway, "/api/logs?virtual_key_ids=vk-hard").await;
        assert_eq!((&one["logs"][0]["status"], &one["stats"]["total_requests"]), (&json!("success"), &json!(1)));
        let id = one["logs"][0]["id"].as_str().unwrap();
        assert_eq!(told(gateway, &format!("/api/logs/{id}")).await, one["logs"][0]);
        let stats = told(gateway, "/api/logs/stats").await;
        assert_eq!((&stats["total_requests"], &stats["counted_from"]), (&json!(3), &Value::Null));
        let bars = told(gateway, "/api/logs/histogram?bucket_size_seconds=86400&dimension=status").await;
        let parts = bars["buckets"].as_array().unwrap().iter();
        let counted: u64 = parts.map(|bar| bar["total_requests"].as_u64().unwrap()).sum();
        assert_eq!(counted, 3, "{bars}");
        assert_eq!(told(gateway, "/api/logs/filterdata").await["virtual_key_ids"], json!(["vk-hard", "vk-soft"]));
    }
}

#[tokio::test]
async fn calls_go_on_without_the_store_and_what_is_edited_meanwhile_counts_once_it_is_back() {
    let (fake, database) = (fake(), Database::new());
    let wire = database.wire();
    let mut config = shared(&fake, &database);
    config["config_store"]["config"]["host"] = json!("127.0.0.1");
    config["config_store"]["config"]["port"] = json!(wire.port());
    let gateway = Gateway::start(&config).await;
    wire.cut();
    until(
        "it is told",
        async || readyz(&gateway).await,
        |(status, text)| *status == 200 && text.starts_with("degraded: the store cannot be reached"),
    )
    .await;
    add_key(&mut config, key("other", OTHER, &["openai"]));
    gateway.folder().write(&config.to_string());
    for token in [KEY, HARD, SOFT] {
        assert_eq!(ask(&gateway, token).await.status, 200, "{token}");
    }
    assert_eq!(ask(&gateway, OTHER).await.status, 401);
    wire.mend();
    until("the edit counts", async || ask(&gateway, OTHER).await, |reply| reply.status == 200).await;
    until("it is well", async || readyz(&gateway).await, |found| *found == (200, "ok\n".to_owned())).await;
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named_and_nothing_starts() {
    let (fake, database) = (fake(), Database::new());
    let wire = database.wire();
    wire.cut();
    let mut config = shared(&fake, &database);
    config["config_store"]["config"]["host"] = json!("127.0.0.1");
    config["config_store"]["config"]["port"] = json!(wire.port());
    config["config_store"]["config"]["password"] = json!("canary-password");
    let output = soon(Home::new(&config).run("serve")).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let line = told.lines().find(|line| line.starts_with("tollgate: ")).unwrap();
    assert!(line.contains(&format!("PostgreSQL at 127.0.0.1:{}", wire.port())), "{line}");
    assert!(!told.contains("canary-password") && !told.contains("panicked"), "{told}");
}

#[tokio::test]
async fn a_row_of_the_audit_log_that_was_changed_is_named() {
    let (fake, database) = (fake(), Database::new());
    let gateway = Gateway::start(&shared(&fake, &database)).await;
    let verify = || async {
        let mut command = gateway.folder().command("audit");
        // The subcommand comes before the options.
        let mut own = std::process::Command::new(command.get_program());
        own.args(["audit", "verify"]).args(command.get_args().skip(1)).arg("--data").arg(gateway.folder().data());
        command = own;
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let output = verify().await;
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("is whole"), "{output:?}");
    database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2");
    let output = verify().await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("tampered with: row 2 was changed"), "{told}");
}

const KEYS: &str = "/api/governance/virtual-keys";

async fn put(gateway: &Gateway, path: &str, body: Value) -> Reply {
    reply(client().put(gateway.url(path)).json(&body)).await
}

#[tokio::test]
async fn a_key_that_one_gateway_revokes_opens_nothing_on_the_other() {
    let (fake, database) = (fake(), Database::new());
    let config = shared(&fake, &database);
    let (first, second) = (Gateway::start(&config).await, Gateway::start(&config).await);
    assert_eq!((ask(&first, KEY).await.status, ask(&second, KEY).await.status), (200, 200));
    let path = format!("{KEYS}/vk-everything");
    for (is_active, status) in [(false, 403), (true, 200)] {
        let changed = put(&first, &path, json!({"is_active": is_active})).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(ask(&first, KEY).await.status, status);
        until("it is so on the other", async || ask(&second, KEY).await, |reply| reply.status == status).await;
    }
    assert_eq!(reply(client().delete(second.url(&path))).await.status, 200);
    assert_eq!(ask(&second, KEY).await.status, 401);
    until("it is gone on the other", async || ask(&first, KEY).await, |reply| reply.status == 401).await;
}

#[tokio::test]
async fn a_change_is_refused_while_the_store_is_away_and_changes_nothing() {
    let (fake, database) = (fake(), Database::new());
    let wire = database.wire();
    let mut config = shared(&fake, &database);
    config["config_store"]["config"]["host"] = json!("127.0.0.1");
    config["config_store"]["config"]["port"] = json!(wire.port());
    let gateway = Gateway::start(&config).await;
    let path = format!("{KEYS}/vk-everything");
    wire.cut();
    for _ in 0..2 {
        let refused = put(&gateway, &path, json!({"is_active": false})).await;
        let kind = refused.json()["error"]["type"].clone();
        assert_eq!((refused.status, kind), (503, json!("unavailable")), "{}", refused.text());
        assert_eq!(ask(&gateway, KEY).await.status, 200, "calls go on");
    }
    until("it is told", async || readyz(&gateway).await, |(_, text)| text.starts_with("degraded")).await;
    wire.mend();
    until("it is well", async || readyz(&gateway).await, |found| *found == (200, "ok\n".to_owned())).await;
    assert_eq!(put(&gateway, &path, json!({"is_active": false})).await.status, 200);
    assert_eq!(ask(&gateway, KEY).await.status, 403);
}

/// The lease of the hard budgets lasts for some seconds, and this waits for them.
#[tokio::test]
async fn hard_budgets_are_refused_before_another_gateway_can_take_them_and_taken_again_if_none_did() {
    let (fake, database) = (fake(), Database::new());
    let wire = database.wire();
    let mut config = shared(&fake, &database);
    config["config_store"]["config"]["host"] = json!("127.0.0.1");
    config["config_store"]["config"]["port"] = json!(wire.port());
    // It is asked for again and again.
    config["governance"]["budgets"][0]["max_limit"] = json!(1_000_000);
    let gateway = Gateway::start(&config).await;
    assert_eq!(ask(&gateway, HARD).await.status, 200);
    wire.cut();
    until("it has lapsed", async || ask(&gateway, HARD).await, |reply| reply.status == 503).await;
    let refused = ask(&gateway, HARD).await;
    assert_eq!(reason(&refused.json()), Some("ledger_unavailable"), "{}", refused.text());
    assert!(refused.text().contains("cannot be reached"), "{}", refused.text());
    assert_eq!((ask(&gateway, SOFT).await.status, ask(&gateway, KEY).await.status), (200, 200));
    let told = |(_, text): &(u16, String)| text.contains("calls under hard budgets are refused");
    until("it is told", async || readyz(&gateway).await, told).await;
    wire.mend();
    until("it is held again", async || ask(&gateway, HARD).await, |reply| reply.status == 200).await;
}
