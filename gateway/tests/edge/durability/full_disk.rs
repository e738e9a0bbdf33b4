//! A disk without room: what cannot be written down is not sent, and nothing is lost.

use std::process::{Command, Stdio};

use loadtest::fake::Entry;
use reqwest::Client;
use serde_json::Value;

use super::super::support::config::{KEY, fake};
use super::super::support::money::billed;
use super::super::support::process::{Gateway, Home};
use super::super::support::scene::{Reply, forgetful_client, metric, reply};
use super::super::support::soon;
use super::super::support::sse::reason;
use super::{FREE_KEY, SOFT_KEY, abandoned_at_start, ask, closed_books, configuration, request, until_seen, wide};

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
    entries.iter().filter(|entry| entry.header("x-request-id") != Some("other")).map(billed).sum()
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
