//! The tests themselves. Each takes a place, and knows nothing of what database is there.

use store::{
    CallStatus, Called, Dimension, Journal, LogFilter, LogId, LogRow, Order, Retention, SortBy, Stats, Store,
    TokenCounts, Within,
};

use super::{NOW, Place, called, close, id, open, rows, tell};

/// Makes a test of each function here for a kind of place.
macro_rules! run_against {
    ($name:ident, $place:ty) => {
        mod $name {
            use super::suite;
            use super::*;

            $crate::suite::tests! { $place:
                an_empty_log_has_nothing
                a_call_becomes_a_row_with_all_that_was_told
                calls_of_one_moment_are_rows_of_their_own
                a_call_that_is_told_is_one_row_however_many_attempts_it_had
                attempts_may_be_folded_long_before_their_call_is_told
                a_call_that_nobody_saw_the_end_of_is_one_row_with_all_its_attempts
                an_attempt_that_was_taken_back_is_no_row
                attempts_of_a_call_that_was_told_are_not_told_again_at_the_next_start
                what_was_spent_after_a_call_was_told_is_a_row_too
                a_call_that_is_not_logged_is_no_row_now_or_later
                what_a_process_left_is_no_row_where_calls_are_not_logged
                pages_go_on_where_the_last_one_ended
                rows_are_put_in_order_by_what_they_cost
                what_looks_like_a_statement_is_a_text
                numbers_that_no_database_can_keep_do_not_stop_the_log
                sums_tell_what_rows_tell
                histograms_have_a_bar_for_each_stretch
                models_that_never_answered_are_not_told_apart
                rows_that_are_too_old_go_and_sums_stay
                rows_go_until_the_database_is_small_enough
                moments_are_rounded_where_no_finer_sums_are_kept
            }
        }
    };
}

macro_rules! tests {
    ($place:ty: $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                suite::$test(&<$place as Place>::new());
            }
        )*
    };
}

pub(crate) use {run_against, tests};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Tells of calls, and folds them.
fn log(store: &Store, calls: impl IntoIterator<Item = Called<'static>>) {
    calls.into_iter().for_each(|called| store.journal().called(&called));
    store.flush().unwrap();
}

fn answered(at_ms: u64, model: &str, cost_nano: u64) -> Called<'static> {
    Called {
        provider: "openai".into(),
        model: model.to_owned().into(),
        status: CallStatus::Success,
        total_us: 1_000,
        tokens: TokenCounts { input: 3, output: 4, ..TokenCounts::default() },
        total_tokens: 7,
        cost_nano,
        ..called(at_ms)
    }
}

fn all() -> LogFilter {
    LogFilter::default()
}

fn costs(rows: &[LogRow]) -> Vec<u64> {
    rows.iter().map(|row| row.call.cost_nano).collect()
}

pub(crate) fn an_empty_log_has_nothing(place: &impl Place) {
    let (_store, _) = place.open();
    let logs = place.logs();
    assert_eq!(place.rows(), []);
    assert_eq!(logs.stats(&all()).unwrap(), Stats::default());
    assert_eq!(logs.histogram(&all(), HOUR, None).unwrap().bars, []);
    assert_eq!(logs.row(LogId::default()).unwrap(), None);
    assert_eq!(logs.filter_data().unwrap(), store::FilterData::default());
}

pub(crate) fn a_call_becomes_a_row_with_all_that_was_told(place: &impl Place) {
    let (store, run) = place.open();
    let call = Called {
        call: Some(id(run, 9)),
        at_ms: NOW + 5,
        request_id: "r-1".into(),
        key: "vk".into(),
        team: "t".into(),
        customer: "c".into(),
        provider: "openai".into(),
        credential: "main".into(),
        model: "gpt-4o-2024".into(),
        model_asked: "openai/gpt-4o".into(),
        operation: "chat_completion".into(),
        dialect: "openai".into(),
        status: CallStatus::Error,
        http_status: 502,
        vendor_status: 500,
        reason: "upstream_error".into(),
        reason_text: "it's \"broken\"".into(),
        is_stream: true,
        is_priced: true,
        first_content_us: Some(0),
        total_us: 123_456,
        paused_us: 7,
        tokens: TokenCounts {
            input: 1,
            input_audio: 2,
            cache_read: 3,
            output: 4,
            reasoning: 5,
            searches: 6,
            ..TokenCounts::default()
        },
        total_tokens: 15,
        source: "partial".into(),
        cost_nano: 99,
        vendor_cost_nano: Some(98),
        attempts: 3,
        retries: 1,
        trail: "openai/main=unavailable:503".into(),
        rules: "a,b".into(),
        price_override: "po".into(),
        bytes_in: 10,
        bytes_out: 20,
        is_unlogged: false,
    };
    log(&store, [call.clone(), called(NOW)]);
    let found = place.rows();
    let [row, least] = <&[LogRow; 2]>::try_from(&*found).unwrap();
    assert_eq!((&row.call, row.id.at_ms()), (&call, NOW + 5));
    assert_eq!(least.call, called(NOW));
    assert_eq!(place.logs().row(row.id).unwrap().as_ref(), Some(row));
    assert_eq!(row.id.to_string().parse::<LogId>().unwrap(), row.id);
    let data = place.logs().filter_data().unwrap();
    assert_eq!(
        (data.keys, data.teams, data.customers),
        (vec!["vk".to_owned()], vec!["t".to_owned()], vec!["c".to_owned()])
    );
}

pub(crate) fn calls_of_one_moment_are_rows_of_their_own(place: &impl Place) {
    let (store, _) = place.open();
    for _ in 0..3 {
        log(&store, (0..100).map(|_| called(NOW)));
    }
    assert_eq!(place.rows().len(), 300);
    assert_eq!(place.logs().stats(&all()).unwrap().total_requests, 300);
}

pub(crate) fn a_call_that_is_told_is_one_row_however_many_attempts_it_had(place: &impl Place) {
    let (store, run) = place.open();
    for (number, call) in [(1, 0), (2, 1), (3, 1)] {
        open(&store, id(run, number), call);
        close(&store, id(run, number), 10);
    }
    tell(&store, id(run, 1));
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!(costs(&place.rows()), [77]);
}

pub(crate) fn attempts_may_be_folded_long_before_their_call_is_told(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    store.flush().unwrap();
    assert_eq!(place.rows(), []);
    open(&store, id(run, 2), 1);
    store.flush().unwrap();
    close(&store, id(run, 2), 10);
    store.flush().unwrap();
    tell(&store, id(run, 1));
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!(costs(&place.rows()), [77]);
}

pub(crate) fn a_call_that_nobody_saw_the_end_of_is_one_row_with_all_its_attempts(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    store.flush().unwrap();
    open(&store, id(run, 2), 1);
    close(&store, id(run, 2), 5);
    open(&store, id(run, 3), 1);
    open(&store, id(run, 4), 0);
    store.close().unwrap();
    for _ in 0..2 {
        let (_store, _) = place.open();
        let rows = place.rows();
        let told = |row: &LogRow| (row.call.call, row.call.attempts, row.call.cost_nano, row.call.total_tokens);
        let mut told: Vec<_> = rows.iter().map(told).collect();
        told.sort_unstable();
        assert_eq!(told, [(Some(id(run, 1)), 3, 15, 4), (Some(id(run, 4)), 1, 0, 0)]);
        let call = &rows[0].call;
        assert_eq!((call.status, &*call.key, &*call.model), (CallStatus::Abandoned, "vk-1", "gpt-4o"));
        assert_eq!(place.logs().stats(&all()).unwrap().cost_nano, 15);
    }
}

pub(crate) fn an_attempt_that_was_taken_back_is_no_row(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    let outcome = store::Outcome::Unsent;
    store.journal().close(store::Closed { attempt: id(run, 1), at_ms: NOW, outcome });
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!(place.rows(), []);
}

pub(crate) fn attempts_of_a_call_that_was_told_are_not_told_again_at_the_next_start(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    store.flush().unwrap();
    tell(&store, id(run, 1));
    store.flush().unwrap();
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!(costs(&place.rows()), [77]);
}

pub(crate) fn what_was_spent_after_a_call_was_told_is_a_row_too(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    tell(&store, id(run, 1));
    store.flush().unwrap();
    close(&store, id(run, 1), 10);
    store.close().unwrap();
    let (_store, _) = place.open();
    let mut costs = costs(&place.rows());
    costs.sort_unstable();
    assert_eq!(costs, [10, 77]);
}

pub(crate) fn a_call_that_is_not_logged_is_no_row_now_or_later(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    store.flush().unwrap();
    let not_logged = |call| Called { call, is_unlogged: true, ..answered(NOW, "m", 10) };
    log(&store, [not_logged(Some(id(run, 1))), not_logged(None), answered(NOW, "m", 3)]);
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!(costs(&place.rows()), [3]);
    assert_eq!(place.logs().stats(&all()).unwrap().cost_nano, 3);
}

pub(crate) fn what_a_process_left_is_no_row_where_calls_are_not_logged(place: &impl Place) {
    let (store, run) = place.open();
    open(&store, id(run, 1), 0);
    close(&store, id(run, 1), 10);
    open(&store, id(run, 2), 0);
    store.close().unwrap();
    let (store, state) = Store::open_for(place.config(), NOW, false).unwrap();
    assert_eq!(state.abandoned.attempts, 1);
    store.close().unwrap();
    let (_store, _) = place.open();
    assert_eq!((place.rows(), place.logs().stats(&all()).unwrap()), (vec![], Stats::default()));
}

pub(crate) fn pages_go_on_where_the_last_one_ended(place: &impl Place) {
    let (store, _) = place.open();
    log(&store, (0..50).map(|n| answered(NOW + n / 5, "m", n)));
    let newest = rows(&place.logs(), &all(), Order::NewestFirst, 1);
    assert_eq!(newest.len(), 50);
    assert!(newest.is_sorted_by(|a, b| a.id > b.id));
    let mut oldest = rows(&place.logs(), &all(), Order::OldestFirst, 7);
    oldest.reverse();
    assert_eq!(oldest, newest);
    let page = place.logs().page(&all(), Order::NewestFirst, None, 50).unwrap();
    assert_eq!((page.rows, page.next), (newest, None));
}

pub(crate) fn rows_are_put_in_order_by_what_they_cost(place: &impl Place) {
    let (store, _) = place.open();
    log(&store, [5, 1, 9, 3].map(|cost| answered(NOW + cost, "m", cost)));
    let logs = place.logs();
    let sorted = |is_descending, offset| costs(&logs.sorted(&all(), SortBy::Cost, is_descending, offset, 2).unwrap());
    assert_eq!(
        (sorted(true, 0), sorted(true, 2), sorted(false, 1), sorted(true, 9)),
        (vec![9, 5], vec![3, 1], vec![3, 5], vec![])
    );
}

pub(crate) fn what_looks_like_a_statement_is_a_text(place: &impl Place) {
    let (store, _) = place.open();
    let odd = ["'; DROP TABLE request_logs; --", "\" OR 1=1", "%", "_", "\0", "\\", "ä\u{202e}", "{\"a\":1}", ""];
    let call = |(n, odd): (usize, &&'static str)| Called {
        request_id: (*odd).into(),
        key: (*odd).into(),
        team: (*odd).into(),
        customer: (*odd).into(),
        provider: (*odd).into(),
        model: (*odd).into(),
        operation: (*odd).into(),
        reason_text: (*odd).into(),
        trail: (*odd).into(),
        ..answered(NOW + n as u64, "", 1)
    };
    let calls: Vec<_> = odd.iter().enumerate().map(call).collect();
    log(&store, calls.clone());
    let logs = place.logs();
    for (odd, call) in odd.iter().zip(&calls) {
        let texts = vec![(*odd).to_owned()];
        let by = |filter: LogFilter| {
            let found = rows(&logs, &filter, Order::NewestFirst, 100);
            assert_eq!(found.iter().map(|row| &row.call).collect::<Vec<_>>(), [call], "{filter:?}");
            if filter.request_id.is_none() {
                assert_eq!(logs.stats(&filter).unwrap().total_requests, 1, "{filter:?}");
            }
        };
        by(LogFilter { request_id: Some((*odd).to_owned()), ..all() });
        by(LogFilter { providers: texts.clone(), ..all() });
        by(LogFilter { models: texts.clone(), ..all() });
        by(LogFilter { operations: texts.clone(), ..all() });
        if !odd.is_empty() {
            by(LogFilter { keys: texts.clone(), ..all() });
            by(LogFilter { teams: texts.clone(), ..all() });
            by(LogFilter { customers: texts, ..all() });
        }
        let search = LogFilter { search: Some((*odd).to_owned()), ..all() };
        assert!(rows(&logs, &search, Order::NewestFirst, 100).iter().any(|row| row.call == *call));
    }
}

pub(crate) fn numbers_that_no_database_can_keep_do_not_stop_the_log(place: &impl Place) {
    let (store, _) = place.open();
    let huge = Called {
        total_us: u64::MAX,
        total_tokens: u64::MAX,
        tokens: TokenCounts { input: u64::MAX, output: u64::MAX, ..TokenCounts::default() },
        cost_nano: u64::MAX,
        ..answered(u64::MAX, "m", 0)
    };
    for _ in 0..3 {
        log(&store, [huge.clone(), huge.clone()]);
    }
    assert_eq!(store.trouble(), Vec::<String>::new());
    let stats = place.logs().stats(&all()).unwrap();
    assert_eq!((stats.total_requests, stats.cost_nano), (6, i64::MAX as u64));
    assert_eq!(place.rows().len(), 6);
}

pub(crate) fn sums_tell_what_rows_tell(place: &impl Place) {
    let (store, _) = place.open();
    let failed = Called { status: CallStatus::Error, ..answered(NOW + MINUTE, "m", 5) };
    log(&store, [answered(NOW, "m", 10), failed, answered(NOW + 2 * DAY, "n", 20)]);
    let logs = place.logs();
    let stats = logs.stats(&all()).unwrap();
    assert_eq!((stats.total_requests, stats.successes, stats.cost_nano), (3, 2, 35));
    assert_eq!((stats.total_tokens, stats.input_tokens, stats.output_tokens), (21, 9, 12));
    assert_eq!(stats.average_latency_us(), 1_000);
    assert!((stats.success_rate() - 200.0 / 3.0).abs() < 1e-9);
    let of = |filter: &LogFilter| logs.stats(filter).unwrap().cost_nano;
    assert_eq!(of(&LogFilter { to_ms: Some(NOW + MINUTE), ..all() }), 10);
    assert_eq!(of(&LogFilter { from_ms: Some(NOW + MINUTE), ..all() }), 25);
    assert_eq!(of(&LogFilter { models: vec!["n".into()], ..all() }), 20);
    assert_eq!(of(&LogFilter { statuses: vec![CallStatus::Error], ..all() }), 5);
    // What sums do not tell is counted.
    let dear = Within { least: Some(10), most: None };
    let counted = logs.stats(&LogFilter { cost_nano: dear, ..all() }).unwrap();
    assert_eq!((counted.total_requests, counted.cost_nano, counted.counted_from_ms), (2, 30, None));
    assert_eq!((counted.input_tokens, counted.output_tokens, counted.total_tokens), (6, 8, 14));
}

pub(crate) fn histograms_have_a_bar_for_each_stretch(place: &impl Place) {
    let (store, _) = place.open();
    let calls = [(0, "m"), (4 * MINUTE, "n"), (5 * MINUTE, "m"), (2 * HOUR, "m")];
    log(&store, calls.map(|(after, model)| answered(NOW + after, model, 1)));
    let logs = place.logs();
    let bars = |bar_ms, by| {
        let histogram = logs.histogram(&LogFilter { from_ms: Some(NOW), ..all() }, bar_ms, by).unwrap();
        assert_eq!(histogram.bar_ms, bar_ms);
        let bars = histogram.bars.into_iter();
        bars.map(|bar| ((bar.start_ms - NOW) / MINUTE, bar.part, bar.stats.total_requests)).collect::<Vec<_>>()
    };
    let bar = |minute, part: &str, requests| (minute, part.to_owned(), requests);
    assert_eq!(bars(5 * MINUTE, None), [bar(0, "", 2), bar(5, "", 1), bar(120, "", 1)]);
    assert_eq!(bars(HOUR, Some(Dimension::Model)), [bar(0, "m", 2), bar(0, "n", 1), bar(120, "m", 1)]);
    assert_eq!(bars(MINUTE, Some(Dimension::Status)).len(), 4);
    let none = LogFilter { to_ms: Some(NOW), ..all() };
    assert_eq!(logs.histogram(&none, HOUR, None).unwrap().bars, []);
}

pub(crate) fn models_that_never_answered_are_not_told_apart(place: &impl Place) {
    let (store, _) = place.open();
    let failed = |model: &str| Called { status: CallStatus::Error, ..answered(NOW, model, 0) };
    log(&store, [failed("made-up-1"), failed("made-up-2"), answered(NOW, "real", 0)]);
    log(&store, [failed("real"), failed("made-up-3")]);
    let logs = place.logs();
    assert_eq!(logs.filter_data().unwrap().models, [("openai".to_owned(), "real".to_owned())]);
    let of = |model: &str| logs.stats(&LogFilter { models: vec![model.to_owned()], ..all() }).unwrap().total_requests;
    assert_eq!((of("real"), of("other"), of("made-up-1")), (2, 3, 0));
    assert_eq!(place.rows().len(), 5);
}

pub(crate) fn rows_that_are_too_old_go_and_sums_stay(place: &impl Place) {
    let (store, _) = place.open();
    let midnight = NOW.next_multiple_of(DAY);
    log(&store, (0..1_300).map(|n| answered(midnight - 1_200 + n, "m", 1)));
    let retention = Retention { age_ms: Some(DAY), bytes: None };
    assert_eq!(store.trim_logs(&retention, midnight + DAY - 1_200).unwrap().rows, 0);
    assert_eq!(store.trim_logs(&retention, midnight + DAY).unwrap().rows, 1_200);
    let left = place.rows();
    assert_eq!((left.len(), left[99].id.at_ms()), (100, midnight));
    assert_eq!(place.logs().stats(&all()).unwrap().total_requests, 1_300);
}

pub(crate) fn rows_go_until_the_database_is_small_enough(place: &impl Place) {
    let (store, _) = place.open();
    log(&store, (0..5_000).map(|n| answered(NOW + n, "m", 1)));
    let keep = |bytes| Retention { age_ms: None, bytes: Some(bytes) };
    assert_eq!(store.trim_logs(&keep(1 << 30), NOW).unwrap().rows, 0);
    let fewer = place.fewer_bytes();
    let removed = store.trim_logs(&keep(fewer), NOW).unwrap().rows;
    assert!((500..5_000).contains(&removed), "{removed}");
    let left = place.rows();
    assert_eq!(left.len() as u64, 5_000 - removed);
    assert_eq!(left[left.len() - 1].id.at_ms(), NOW + removed, "the oldest went");
    assert_eq!(store.trim_logs(&keep(fewer), NOW).unwrap().rows, 0);
    // What cannot be reached is not tried for ever.
    assert_eq!(store.trim_logs(&keep(0), NOW).unwrap().rows, 5_000 - removed);
}

pub(crate) fn moments_are_rounded_where_no_finer_sums_are_kept(place: &impl Place) {
    let (store, _) = place.open();
    let mut minutes: Vec<_> =
        (0..120).map(|n| Called { key: "vk".into(), ..answered(NOW + n * MINUTE, "m", 1) }).collect();
    minutes.push(answered(NOW + 200 * DAY, "m", 1));
    log(&store, minutes);
    let logs = place.logs();
    let between = |from: u64, to: u64| {
        let filter = LogFilter { from_ms: Some(NOW + from), to_ms: Some(NOW + to), ..all() };
        logs.stats(&filter).unwrap().total_requests
    };
    assert_eq!((between(5 * MINUTE, 10 * MINUTE), between(0, 2 * HOUR)), (5, 120));
    let trimmed = store.trim_logs(&Retention::default(), NOW + 5 * DAY).unwrap();
    assert_eq!((trimmed.rows, trimmed.sums), (0, 120));
    assert_eq!((between(5 * MINUTE, 10 * MINUTE), between(0, 2 * HOUR)), (60, 120));
    let shown = LogFilter { from_ms: Some(NOW), ..all() };
    assert_eq!(logs.histogram(&shown, MINUTE, None).unwrap().bar_ms, HOUR);
    let key = LogFilter { keys: vec!["vk".into()], ..all() };
    assert_eq!(logs.stats(&key).unwrap().total_requests, 120);
    // Both hours, all and the key's.
    assert_eq!(store.trim_logs(&Retention::default(), NOW + 200 * DAY).unwrap().sums, 4);
    assert_eq!(logs.stats(&key).unwrap().total_requests, 0);
    assert_eq!((between(5 * MINUTE, 10 * MINUTE), between(0, 201 * DAY)), (120, 121));
    assert_eq!(logs.histogram(&shown, MINUTE, None).unwrap().bar_ms, DAY);
}
