//! How long it takes to look at many rows. Not run by itself: `cargo test -p store --test logs -- --ignored --nocapture`.

#![allow(clippy::print_stdout, reason = "it is for its figures")]

use std::time::{Duration, Instant};

use store::{CallStatus, Called, Dimension, Journal, LogFilter, Logs, Order, SortBy, Store, TokenCounts, Within};

use super::{NOW, OnServer, Place, Sqlite};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
const YEAR: u64 = 365 * DAY;
const KEYS: u64 = 5_000;
const MODELS: [(&str, &str); 8] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("gemini", "gemini-2.5-pro"),
    ("gemini", "gemini-2.5-flash"),
    ("bedrock", "claude-sonnet-4-5"),
];

/// A call somewhere in the year before now, most of them in the last month.
fn call(n: u64, of: u64) -> Called<'static> {
    let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    let span = if n.is_multiple_of(4) { YEAR } else { 30 * DAY };
    let (provider, model) = MODELS[(dice % 8) as usize];
    let key = dice / 8 % KEYS;
    let is_failure = dice.is_multiple_of(29);
    Called {
        at_ms: NOW - span + n * span / of,
        request_id: format!("0195f2c1-{:04x}-7{:03x}-8000-{dice:012x}", n >> 12 & 0xffff, n & 0xfff).into(),
        key: format!("vk-{key}").into(),
        team: format!("team-{}", key % 100).into(),
        customer: format!("customer-{}", key % 10).into(),
        provider: provider.into(),
        credential: "main".into(),
        model: model.into(),
        model_asked: format!("{provider}/{model}").into(),
        operation: "chat_completion".into(),
        dialect: "openai".into(),
        status: if is_failure { CallStatus::Error } else { CallStatus::Success },
        http_status: if is_failure { 502 } else { 200 },
        vendor_status: 200,
        is_stream: dice.is_multiple_of(2),
        is_priced: true,
        first_content_us: Some(300_000 + dice % 500_000),
        total_us: 400_000 + dice % 3_000_000,
        tokens: TokenCounts { input: dice % 3_000, output: dice % 700, ..TokenCounts::default() },
        total_tokens: dice % 3_000 + dice % 700,
        source: "reported".into(),
        cost_nano: dice % 40_000_000,
        attempts: 1,
        bytes_in: dice % 9_000,
        bytes_out: dice % 5_000,
        ..Called::default()
    }
}

fn fill(store: &Store, count: u64) {
    for n in 0..count {
        store.journal().called(&call(n, count));
        if n % 20_000 == 0 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
}

/// The middle one of five.
fn time(what: &str, work: impl Fn()) -> Duration {
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{:>9.1} ms  {what} (at best {:.1})", times[2].as_secs_f64() * 1_000.0, times[0].as_secs_f64() * 1_000.0);
    times[2]
}

fn look(logs: &Logs) {
    let since = |span| LogFilter { from_ms: Some(NOW - span), to_ms: Some(NOW), ..LogFilter::default() };
    let stats = |filter: &LogFilter| assert!(logs.stats(filter).unwrap().total_requests > 0);
    let bars = |filter: &LogFilter, bar, by| assert!(!logs.histogram(filter, bar, by).unwrap().bars.is_empty());
    for (name, span, bar) in [("day", DAY, 5 * MINUTE), ("month", 30 * DAY, 60 * MINUTE), ("year", YEAR, DAY)] {
        time(&format!("stats of a {name}"), || stats(&since(span)));
        time(&format!("histogram of a {name}, by model"), || bars(&since(span), bar, Some(Dimension::Model)));
    }
    time("histogram of a year, by the hour", || bars(&since(YEAR), 60 * MINUTE, None));
    let key = LogFilter { keys: vec!["vk-77".into()], ..since(YEAR) };
    let team = LogFilter { teams: vec!["team-7".into()], ..since(YEAR) };
    time("stats of a key's year", || stats(&key));
    time("stats of a team's year", || stats(&team));
    time("histogram of a team's month", || {
        bars(&LogFilter { from_ms: Some(NOW - 30 * DAY), ..team.clone() }, DAY, None)
    });
    let page = |filter: &LogFilter| drop(logs.page(filter, Order::NewestFirst, None, 50).unwrap());
    time("page of the newest", || page(&since(YEAR)));
    time("page of a key", || page(&key));
    time("page of a team", || page(&team));
    time("page of failures of a key", || page(&LogFilter { statuses: vec![CallStatus::Error], ..key.clone() }));
    time("page of a model's failures", || {
        let models = vec!["gemini-2.5-pro".into()];
        page(&LogFilter { models, statuses: vec![CallStatus::Error], ..since(YEAR) });
    });
    time("page of what there is none of", || page(&LogFilter { providers: vec!["nobody".into()], ..since(YEAR) }));
    time("page of a search that finds nothing", || page(&LogFilter { search: Some("nothing".into()), ..since(YEAR) }));
    time("page by request id", || page(&LogFilter { request_id: Some("nothing".into()), ..since(YEAR) }));
    time("the dearest", || drop(logs.sorted(&since(YEAR), SortBy::Cost, true, 0, 50).unwrap()));
    let dear = Within { least: Some(39_000_000), most: None };
    time("stats of the dear", || stats(&LogFilter { cost_nano: dear, ..since(YEAR) }));
    time("filter data", || drop(logs.filter_data().unwrap()));
}

fn fill_and_look<P: Place>(fill: impl Fn(&P, &Store, u64)) {
    for count in [200_000, 2_000_000] {
        let place = P::new();
        let (store, _) = place.open();
        let begin = Instant::now();
        fill(&place, &store, count);
        println!("{count} rows, kept in {:.1} s", begin.elapsed().as_secs_f64());
        look(&place.logs());
        println!("{:>9.1} MB", place.bytes() as f64 / 1e6);
    }
}

#[test]
#[ignore = "it takes a minute, and is for its figures"]
fn looking_at_many_rows() {
    fill_and_look(|_: &Sqlite, store, count| fill(store, count));
}

#[test]
#[ignore = "it takes minutes, and is for its figures"]
fn looking_at_many_rows_on_a_server() {
    // By statements: a fold of so many takes too long for this.
    let statements = include_str!("two_million.sql").replace("{now}", &NOW.to_string());
    fill_and_look(|place: &OnServer, _, count| place.1.execute(&statements.replace("{count}", &count.to_string())));
}
