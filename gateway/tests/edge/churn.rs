//! The policy is changed again and again, by many at once, while the gateway serves: no call fails, no change is lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::{join, join_all};
use serde_json::{Value, json};

use super::support::config::{KEY, config, fake};
use super::support::database::Database;
use super::support::process::Gateway;
use super::support::scene::{client, reply};

const KEYS: &str = "/api/governance/virtual-keys";

/// How much is done at once.
struct Churn {
    /// Who changes keys, each one of their own.
    writers: usize,
    /// How often each does.
    changes: usize,
    callers: usize,
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    per_second: usize,
    calls: usize,
    /// Resident memory after a tenth of the changes and after all of them, in KiB.
    memory: [u64; 2],
}

async fn call(client: &reqwest::Client, gateway: &Gateway, token: &str) -> u16 {
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    reply(client.post(gateway.url("/v1/chat/completions")).bearer_auth(token).body(body)).await.status
}

fn memory(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

impl Churn {
    #[expect(clippy::disallowed_methods, reason = "what is measured is time; nothing is asserted of it")]
    async fn run(&self, gateway: &Gateway) -> Outcome {
        let client = client();
        for writer in 0..self.writers {
            let body = json!({"id": format!("k{writer}"), "name": format!("k{writer}"),
                "provider_configs": [{"provider": "openai"}]});
            assert_eq!(reply(client.post(gateway.url(KEYS)).json(&body)).await.status, 201);
        }
        let (is_over, calls, done) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let early = AtomicUsize::new(0);
        let call = async || {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(call(&client, gateway, KEY).await, 200);
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        let write = async |writer: usize| {
            for change in 1..=self.changes {
                let body = json!({"description": format!("change {change}"), "is_active": change % 2 == 0});
                let changed = reply(client.put(gateway.url(&format!("{KEYS}/k{writer}"))).json(&body)).await;
                assert_eq!(changed.status, 200, "{}", changed.text());
                if done.fetch_add(1, Ordering::Relaxed) == self.writers * self.changes / 10 {
                    early.store(usize::try_from(memory(gateway)).unwrap(), Ordering::Relaxed);
                }
            }
        };
        let began = Instant::now();
        let writing = async {
            join_all((0..self.writers).map(write)).await;
            is_over.store(true, Ordering::Relaxed);
            began.elapsed()
        };
        let (took, _) = join(writing, join_all((0..self.callers).map(|_| call()))).await;
        self.check(&client, gateway).await;
        let per_second = self.writers * self.changes * 1_000 / usize::try_from(took.as_millis()).unwrap().max(1);
        let memory = [early.into_inner() as u64, memory(gateway)];
        Outcome { per_second, calls: calls.into_inner(), memory }
    }

    /// Each key is as its last change left it, and the audit log tells of all of them.
    async fn check(&self, client: &reqwest::Client, gateway: &Gateway) {
        for writer in 0..self.writers {
            let shown = reply(client.get(gateway.url(&format!("{KEYS}/k{writer}")))).await.json();
            let expected = json!(format!("change {}", self.changes));
            assert_eq!(shown["virtual_key"]["description"], expected, "{shown}");
        }
        let path = format!("/api/governance/audit-logs?entity_id=k0&action=update&limit={}", 100.min(self.changes));
        let told = reply(client.get(gateway.url(&path))).await.json();
        let lines = told.as_object().unwrap().values().find_map(Value::as_array).map_or(0, Vec::len);
        assert_eq!(lines, 100.min(self.changes), "{told}");
    }
}

#[tokio::test]
async fn many_change_the_policy_at_once_and_no_call_fails_and_no_change_is_lost() {
    let (fake, database) = (fake(), Database::new());
    let mut shared = config(&fake.url());
    database.keep(&mut shared);
    for config in [config(&fake.url()), shared] {
        let gateway = Gateway::start(&config).await;
        let outcome = Churn { writers: 8, changes: 10, callers: 2 }.run(&gateway).await;
        assert!(outcome.calls > 0, "{outcome:?}");
    }
}

/// `cargo test -p gateway --test edge churn -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn changes_in_a_second_while_calls_are_served() {
    let (fake, database) = (fake(), Database::new());
    let mut shared = config(&fake.url());
    database.keep(&mut shared);
    for (name, config) in [("SQLite", config(&fake.url())), ("PostgreSQL", shared)] {
        let gateway = Gateway::start(&config).await;
        let outcome = Churn { writers: 48, changes: 200, callers: 8 }.run(&gateway).await;
        let Outcome { per_second, calls, memory: [early, late] } = outcome;
        println!("{name}: {per_second} changes a second beside {calls} calls; {early} KiB, then {late} KiB");
    }
}
