//! The journal: replayed as far as it is good, and folded before it grows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use loadtest::fake::FakeProvider;
use serde_json::{Value, json};

use super::super::support::config::{KEY, fake};
use super::super::support::money::{billed, budget, standing};
use super::super::support::process::{Gateway, Home};
use super::super::support::scene::{client, forgetful_client, reply};
use super::super::support::soon;
use super::super::support::sse::Api;
use super::{ask, configuration, crowd, until_seen, wide};

/// What happens to a file.
type Damage = fn(&mut Vec<u8>);

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
    let damages: [(&str, Damage); 5] = [
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

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    let is_journal = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with("tollgate.db");
    // A file may be removed meanwhile.
    files.filter_map(|entry| Some(entry.ok().filter(is_journal)?.metadata().ok()?.len())).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_does_not_grow_with_the_calls() {
    const CALLS: usize = 4_000;
    let fake = fake();
    // Long names make long records: without folding these calls would take about 5 MB.
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
