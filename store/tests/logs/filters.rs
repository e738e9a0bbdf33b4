//! Filters, against what they are meant to let through.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::{CallStatus, Called, Journal, LogFilter, LogRow, Order, Stats, TokenCounts, Within};

use super::{NOW, OnServer, Place, Sqlite, rows};

const HOUR: u64 = 3_600_000;

fn word(of: &'static str, most: usize) -> impl Strategy<Value = String> {
    (0..most).prop_map(move |n| if n == 0 { String::new() } else { format!("{of}{n}") })
}

fn calls() -> impl Strategy<Value = Called<'static>> {
    let texts = (word("k", 4), word("t", 3), word("c", 3), word("p", 3), word("m", 4), word("o", 3), word("r", 4));
    let numbers = (0..200 * HOUR, 0..5_u64, 0..5_u64, 0..5_u64);
    (texts, numbers, 0..CallStatus::ALL.len(), prop::option::of("[a-cA-C]{1,3}")).prop_map(
        |(texts, numbers, status, told)| {
            let (key, team, customer, provider, model, operation, request_id) = texts;
            let (after, total_us, output, cost_nano) = numbers;
            Called {
                at_ms: NOW + after,
                request_id: request_id.into(),
                key: key.into(),
                team: team.into(),
                customer: customer.into(),
                provider: provider.into(),
                model: model.into(),
                operation: operation.into(),
                status: CallStatus::ALL[status],
                total_us,
                tokens: TokenCounts { output, ..TokenCounts::default() },
                total_tokens: output,
                cost_nano,
                reason_text: told.unwrap_or_default().into(),
                ..Called::default()
            }
        },
    )
}

fn some(of: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(word(of, most), 1..3)]
}

fn within() -> impl Strategy<Value = Within> {
    let end = || prop_oneof![3 => Just(None), 1 => (0..5_u64).prop_map(Some)];
    (end(), end()).prop_map(|(least, most)| Within { least, most })
}

fn filters() -> impl Strategy<Value = LogFilter> {
    let texts = (some("p", 3), some("m", 4), some("o", 3), some("k", 4), some("t", 3), some("c", 3));
    let moment = || prop::option::of((0..210 * 60_u64).prop_map(|minute| NOW + minute * 60_000));
    let statuses = prop_oneof![
        2 => Just(vec![]),
        1 => prop::collection::vec((0..CallStatus::ALL.len()).prop_map(|n| CallStatus::ALL[n]), 1..4)
    ];
    let request_id = prop_oneof![5 => Just(None), 1 => word("r", 4).prop_map(Some)];
    let search = prop_oneof![5 => Just(None), 1 => "[a-cA-Cm1]{0,2}".prop_map(Some)];
    let single = (within(), within(), within(), request_id, search);
    (texts, moment(), moment(), statuses, single).prop_map(|(texts, from_ms, to_ms, statuses, single)| {
        let (providers, models, operations, keys, teams, customers) = texts;
        let (latency_us, tokens, cost_nano, request_id, search) = single;
        LogFilter {
            from_ms,
            to_ms,
            providers,
            models,
            operations,
            statuses,
            keys,
            teams,
            customers,
            request_id,
            latency_us,
            tokens,
            cost_nano,
            search,
        }
    })
}

/// What a filter is meant to do.
fn lets_through(filter: &LogFilter, call: &Called<'_>) -> bool {
    let any = |words: &[String], word: &str| words.is_empty() || words.iter().any(|one| one == word);
    let finds = |search: &String| {
        let texts = [&call.request_id, &call.model, &call.model_asked, &call.reason_text];
        texts.into_iter().any(|text| text.to_ascii_lowercase().contains(&search.to_ascii_lowercase()))
    };
    filter.from_ms.is_none_or(|from| call.at_ms >= from)
        && filter.to_ms.is_none_or(|to| call.at_ms < to)
        && any(&filter.providers, &call.provider)
        && any(&filter.models, &call.model)
        && any(&filter.operations, &call.operation)
        && any(&filter.keys, &call.key)
        && any(&filter.teams, &call.team)
        && any(&filter.customers, &call.customer)
        && (filter.statuses.is_empty() || filter.statuses.contains(&call.status))
        && filter.request_id.as_ref().is_none_or(|id| *id == call.request_id)
        && filter.latency_us.contains(call.total_us)
        && filter.tokens.contains(call.total_tokens)
        && filter.cost_nano.contains(call.cost_nano)
        && filter.search.as_ref().is_none_or(finds)
}

fn in_order(rows: &[LogRow]) -> Vec<&Called<'static>> {
    let mut calls: Vec<_> = rows.iter().map(|row| &row.call).collect();
    calls.sort_by_key(|call| format!("{call:?}"));
    calls
}

/// What stats are meant to be, of these calls.
fn sums<'a>(calls: impl Iterator<Item = &'a Called<'a>>) -> Stats {
    calls.fold(Stats::default(), |sum, call| Stats {
        total_requests: sum.total_requests + 1,
        successes: sum.successes + u64::from(call.status == CallStatus::Success),
        latency_us: sum.latency_us + call.total_us,
        output_tokens: sum.output_tokens + call.total_tokens,
        total_tokens: sum.total_tokens + call.total_tokens,
        cost_nano: sum.cost_nano + call.cost_nano,
        ..sum
    })
}

type Asked = (Vec<Called<'static>>, Vec<LogFilter>, usize, u64);

/// Calls, filters, how many calls are folded at a time, and how many hours bars are long.
fn asked() -> impl Strategy<Value = Asked> {
    (prop::collection::vec(calls(), 1..120), prop::collection::vec(filters(), 1..30), 1..50_usize, 1..50_u64)
}

fn check(place: &impl Place, (calls, filters, batch, bar_hours): Asked) -> Result<(), TestCaseError> {
    let (store, _) = place.open();
    // Once they have answered, all models are told apart.
    let known = (0..3).flat_map(|p| (0..4).map(move |m| (p, m))).map(|(p, m)| {
        let word = |of: &str, n: i32| if n == 0 { String::new() } else { format!("{of}{n}") };
        Called { provider: word("p", p).into(), model: word("m", m).into(), ..Called::default() }
    });
    known.for_each(|call| store.journal().called(&call));
    store.flush().unwrap();
    for batch in calls.chunks(batch) {
        batch.iter().for_each(|call| store.journal().called(call));
        store.flush().unwrap();
    }
    let logs = place.logs();
    for filter in &filters {
        let filter = LogFilter { from_ms: Some(filter.from_ms.unwrap_or(NOW)), ..filter.clone() };
        let meant: Vec<_> = calls.iter().filter(|call| lets_through(&filter, call)).cloned().collect();
        let meant_rows: Vec<_> = meant.iter().map(|call| LogRow { call: call.clone(), ..LogRow::default() }).collect();
        let newest = rows(&logs, &filter, Order::NewestFirst, 5);
        prop_assert!(newest.is_sorted_by(|a, b| a.id > b.id));
        prop_assert_eq!(in_order(&newest), in_order(&meant_rows), "{:?}", filter);
        prop_assert_eq!(rows(&logs, &filter, Order::OldestFirst, 500).len(), meant.len());

        let is_hour = |at: Option<u64>| at.is_none_or(|at| at.is_multiple_of(HOUR));
        let owners = [&filter.keys, &filter.teams, &filter.customers].into_iter().filter(|one| !one.is_empty()).count();
        let has_nobody =
            [&filter.keys, &filter.teams, &filter.customers].into_iter().any(|one| one.contains(&String::new()));
        if owners != 1 || (is_hour(filter.from_ms) && is_hour(filter.to_ms) && !has_nobody) {
            prop_assert_eq!(logs.stats(&filter).unwrap(), sums(meant.iter()), "{:?}", filter);
        }
        if owners == 0 {
            let whole = LogFilter { from_ms: Some(NOW), to_ms: None, ..filter.clone() };
            let plain = LogFilter {
                request_id: None,
                search: None,
                latency_us: Within::default(),
                tokens: Within::default(),
                cost_nano: Within::default(),
                ..whole.clone()
            };
            let mut bars: BTreeMap<u64, Vec<&Called<'_>>> = BTreeMap::new();
            for call in calls.iter().filter(|call| lets_through(&plain, call)) {
                bars.entry(call.at_ms - call.at_ms % (bar_hours * HOUR)).or_default().push(call);
            }
            let meant: Vec<_> = bars.into_iter().map(|(start, calls)| (start, sums(calls.into_iter()))).collect();
            // Sums of days begin with the day.
            if !(bar_hours * HOUR).is_multiple_of(24 * HOUR) {
                let histogram = logs.histogram(&whole, bar_hours * HOUR, None).unwrap();
                let told: Vec<_> = histogram.bars.into_iter().map(|bar| (bar.start_ms, bar.stats)).collect();
                prop_assert_eq!(told, meant, "{:?}", whole);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_sums_and_bars_are_those_that_a_filter_lets_through(asked in asked()) {
        check(&Sqlite::new(), asked)?;
    }
}

proptest! {
    // Each case makes a database.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn they_are_so_on_a_server_too(asked in asked()) {
        check(&OnServer::new(), asked)?;
    }
}
