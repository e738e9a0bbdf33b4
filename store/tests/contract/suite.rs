//! The tests themselves. Each takes a place, and knows nothing of what database is there.

use std::sync::Arc;
use std::thread;

use store::{
    Abandoned, AttemptId, Began, BudgetState, Closed, Entry, Journal, Kind, Opened, Outcome, Page, SliceState, State,
    Store, StoreError,
};

use super::{NOW, Place};

/// Makes a test of each function here for a kind of place.
macro_rules! run_against {
    ($name:ident, $place:ty) => {
        mod $name {
            use super::suite;
            use super::*;

            $crate::suite::tests! { $place:
                an_empty_store_knows_nothing
                a_charge_is_found_again
                each_entry_is_charged_what_it_counts
                windows_only_move_forward
                an_unsent_attempt_leaves_no_trace
                a_request_counts_from_the_moment_it_is_opened
                what_is_open_at_the_end_is_charged_in_full_once
                an_attempt_counts_once_however_often_it_is_named
                an_abandoned_end_is_remembered
                pages_of_abandoned_attempts_follow_each_other
                a_charge_is_voided_once
                a_charge_of_an_earlier_window_is_voided_from_the_total
                what_was_spent_is_forgiven_in_its_window_alone
                a_budget_that_begins_is_remembered
                a_changed_window_begins_anew_and_keeps_the_total
                what_was_in_flight_when_windows_changed_counts_in_none_of_the_new
                slices_that_cannot_count_are_forgotten
                runs_only_grow
                a_second_process_is_refused
                nothing_can_be_opened_after_the_end
                amounts_that_no_database_can_keep_are_kept_as_the_most_it_can
                odd_names_are_names
                what_looks_like_a_statement_is_a_name
                openings_at_once_do_not_disturb_each_other
                threads_agree_on_totals
                a_reading_is_what_a_process_would_find
                a_reading_tells_what_is_held
                a_reading_beside_a_running_process_never_goes_back
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

const ALL: Page = Page { before: None, most: 1000 };

fn id(run: u64, number: u64) -> AttemptId {
    AttemptId { run, number }
}

fn budget(id: &str, start_ms: u64, amount: u64) -> Entry<'_> {
    Entry { kind: Kind::Budget, id, start_ms, length_ms: 0, amount }
}

fn requests(id: &str, start_ms: u64) -> Entry<'_> {
    Entry { kind: Kind::Requests, id, start_ms, length_ms: 5_000, amount: 1 }
}

fn tokens(id: &str, start_ms: u64, amount: u64) -> Entry<'_> {
    Entry { kind: Kind::Tokens, id, start_ms, length_ms: 5_000, amount }
}

fn open(store: &Store, attempt: AttemptId, entries: &[Entry<'_>]) {
    open_at(store, attempt, NOW, entries);
}

fn open_at(store: &Store, attempt: AttemptId, at_ms: u64, entries: &[Entry<'_>]) {
    let opened = Opened { attempt, call: 0, at_ms, key: "vk-1", provider: "openai", model: "gpt-4o", entries };
    store.journal().open(&opened).unwrap();
}

fn close(store: &Store, attempt: AttemptId, outcome: Outcome) {
    store.journal().close(Closed { attempt, at_ms: NOW + 1, outcome });
}

fn charged(nano: u64, tokens: u64) -> Outcome {
    Outcome::Charged { nano, tokens }
}

fn state_after(place: &impl Place, store: Store) -> State {
    store.close().unwrap();
    place.open().1
}

fn budget_of<'a>(state: &'a State, id: &str) -> &'a BudgetState {
    state.budgets.iter().find(|budget| budget.id == id).unwrap()
}

fn spent(state: &State, id: &str) -> (u64, u64, u64) {
    let budget = budget_of(state, id);
    (budget.window_ms, budget.spent_nano, budget.total_nano)
}

fn slice(kind: Kind, id: &str, start_ms: u64, used: u64) -> SliceState {
    SliceState { kind, id: id.to_owned(), start_ms, length_ms: 5_000, used }
}

fn began(id: &str, window: &str, began_ms: u64) -> Began {
    Began { id: id.to_owned(), window: window.to_owned(), began_ms }
}

pub(crate) fn an_empty_store_knows_nothing(place: &impl Place) {
    let (store, state) = place.open();
    assert_eq!(state, State { run: NOW, ..State::default() });
    assert_eq!(store.abandoned(ALL).unwrap(), []);
    let state = state_after(place, store);
    assert_eq!(state, State { run: NOW + 1, ..State::default() });
}

pub(crate) fn a_charge_is_found_again(place: &impl Place) {
    let (store, state) = place.open();
    open(&store, id(state.run, 1), &[budget("b", 100, 50)]);
    close(&store, id(state.run, 1), charged(20, 7));
    let state = state_after(place, store);
    assert_eq!(spent(&state, "b"), (100, 20, 20));
    assert_eq!((state.abandoned, state.trouble), (Abandoned::default(), vec![]));
}

pub(crate) fn each_entry_is_charged_what_it_counts(place: &impl Place) {
    let (store, state) = place.open();
    let entries =
        [budget("a", 100, 50), budget("b", 200, 50), requests("r", NOW), tokens("r", NOW, 90), tokens("s", NOW, 90)];
    open(&store, id(state.run, 1), &entries);
    // More than it had reserved: it is charged all the same.
    close(&store, id(state.run, 1), charged(60, 95));
    let state = state_after(place, store);
    assert_eq!((spent(&state, "a"), spent(&state, "b")), ((100, 60, 60), (200, 60, 60)));
    let expected =
        [slice(Kind::Requests, "r", NOW, 1), slice(Kind::Tokens, "r", NOW, 95), slice(Kind::Tokens, "s", NOW, 95)];
    assert_eq!(state.slices, expected);
}

pub(crate) fn windows_only_move_forward(place: &impl Place) {
    let (store, state) = place.open();
    for (number, window_ms) in [(1, 200), (2, 100), (3, 200), (4, 300), (5, 200)] {
        open(&store, id(state.run, number), &[budget("b", window_ms, 50)]);
        close(&store, id(state.run, number), charged(10, 0));
        if number == 2 {
            store.flush().unwrap();
        }
    }
    assert_eq!(spent(&state_after(place, store), "b"), (300, 10, 50));
}

pub(crate) fn an_unsent_attempt_leaves_no_trace(place: &impl Place) {
    for flush in [false, true] {
        let (store, state) = place.open();
        open(&store, id(state.run, 1), &[budget("b", 100, 50), requests("r", NOW), tokens("r", NOW, 9)]);
        if flush {
            store.flush().unwrap();
        }
        close(&store, id(state.run, 1), Outcome::Unsent);
        let state = state_after(place, store);
        assert_eq!(state.budgets, []);
        assert!(state.slices.iter().all(|slice| slice.used == 0), "{:?}", state.slices);
    }
}

pub(crate) fn a_request_counts_from_the_moment_it_is_opened(place: &impl Place) {
    let (store, state) = place.open();
    open(&store, id(state.run, 1), &[requests("r", NOW), tokens("r", NOW, 9)]);
    store.flush().unwrap();
    let seen = place.read().state;
    assert_eq!(seen.slices, [slice(Kind::Requests, "r", NOW, 1)]);
    close(&store, id(state.run, 1), charged(0, 4));
    let expected = [slice(Kind::Requests, "r", NOW, 1), slice(Kind::Tokens, "r", NOW, 4)];
    assert_eq!(state_after(place, store).slices, expected);
}

pub(crate) fn what_is_open_at_the_end_is_charged_in_full_once(place: &impl Place) {
    let (store, state) = place.open();
    let entries = [budget("b", 100, 50), budget("c", 100, 50), requests("r", NOW), tokens("r", NOW, 9)];
    open(&store, id(state.run, 1), &entries);
    store.flush().unwrap();
    open(&store, id(state.run, 2), &entries);
    store.close().unwrap();
    let (store, first) = place.try_open(NOW + 60_000).unwrap();
    assert_eq!(first.abandoned, Abandoned { attempts: 2, nano: 100 });
    assert_eq!(spent(&first, "b"), (100, 100, 100));
    assert_eq!(first.slices, [slice(Kind::Requests, "r", NOW, 2), slice(Kind::Tokens, "r", NOW, 18)]);
    let charges = store.abandoned(ALL).unwrap();
    assert_eq!(charges.len(), 2);
    for charge in &charges {
        assert_eq!((charge.at_ms, charge.attempted.at_ms, charge.voided_at_ms), (NOW + 60_000, NOW, None));
        assert_eq!(
            (&*charge.attempted.key, &*charge.attempted.provider, &*charge.attempted.model),
            ("vk-1", "openai", "gpt-4o")
        );
        assert_eq!(charge.attempted.amounts, entries.iter().map(store::Amount::from).collect::<Vec<_>>());
    }
    let second = state_after(place, store);
    assert_eq!((second.budgets, second.slices), (first.budgets, first.slices));
    assert_eq!(second.abandoned, Abandoned::default());
}

pub(crate) fn an_attempt_counts_once_however_often_it_is_named(place: &impl Place) {
    for flush in [false, true] {
        let (store, state) = place.open();
        let (name, entries) =
            (id(state.run, 1), [budget("b", state.run, 50), requests("r", state.run), tokens("r", state.run, 9)]);
        let then = || {
            if flush {
                store.flush().unwrap()
            }
        };
        close(&store, name, charged(1, 1));
        store.flush().unwrap();
        open(&store, name, &entries);
        then();
        open(&store, name, &[budget("b", state.run, 70)]);
        then();
        close(&store, name, charged(20, 3));
        close(&store, name, charged(30, 3));
        then();
        open(&store, name, &entries);
        close(&store, name, Outcome::Abandoned);
        store.flush().unwrap();
        assert_eq!(store.journal().statistics().strays, 5);
        let after = state_after(place, store);
        let (_, spent, _) = spent(&after, "b");
        assert_eq!(spent, 20);
        let used =
            |kind| after.slices.iter().find(|slice| slice.kind == kind && slice.start_ms == state.run).unwrap().used;
        assert_eq!((used(Kind::Requests), used(Kind::Tokens)), (1, 3));
        assert_eq!(after.abandoned, Abandoned::default());
    }
}

pub(crate) fn an_abandoned_end_is_remembered(place: &impl Place) {
    let (store, state) = place.open();
    open(&store, id(state.run, 1), &[budget("b", 100, 50), tokens("t", NOW, 7)]);
    // Who does not know the time says so.
    store.journal().close(Closed { attempt: id(state.run, 1), at_ms: 0, outcome: Outcome::Abandoned });
    store.flush().unwrap();
    let charges = store.abandoned(ALL).unwrap();
    assert_eq!(
        charges.iter().map(|charge| (charge.attempted.attempt, charge.at_ms)).collect::<Vec<_>>(),
        [(id(state.run, 1), NOW)]
    );
    let state = state_after(place, store);
    assert_eq!((spent(&state, "b"), &*state.slices), ((100, 50, 50), &[slice(Kind::Tokens, "t", NOW, 7)][..]));
    // Not by this process's start.
    assert_eq!(state.abandoned, Abandoned::default());
}

pub(crate) fn pages_of_abandoned_attempts_follow_each_other(place: &impl Place) {
    let (store, state) = place.open();
    for number in 1..=5 {
        open(&store, id(state.run, number), &[budget("b", 100, number)]);
        close(&store, id(state.run, number), Outcome::Abandoned);
        store.flush().unwrap();
    }
    let mut page = Page { before: None, most: 2 };
    let mut seen = Vec::new();
    loop {
        let charges = store.abandoned(page).unwrap();
        let Some(last) = charges.last() else { break };
        assert!(charges.len() <= 2);
        page.before = Some(last.place);
        seen.extend(charges.iter().map(|charge| charge.attempted.attempt.number));
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

pub(crate) fn what_was_spent_is_forgiven_in_its_window_alone(place: &impl Place) {
    let (store, state) = place.open();
    for (number, nano) in [(1, 30), (2, 12)] {
        open(&store, id(state.run, number), &[budget("b", 100, 50)]);
        close(&store, id(state.run, number), charged(nano, 1));
    }
    store.forgive("b", 99, 42).unwrap();
    store.forgive("b", 100, 30).unwrap();
    let state = state_after(place, store);
    assert_eq!(spent(&state, "b"), (100, 12, 42), "what came after the reset counts, and so does the total");
}

pub(crate) fn a_charge_is_voided_once(place: &impl Place) {
    let (store, state) = place.open();
    let entries = [budget("b", 100, 50), requests("r", NOW), tokens("r", NOW, 9)];
    for number in 1..=2 {
        open(&store, id(state.run, number), &entries);
    }
    close(&store, id(state.run, 1), charged(3, 1));
    close(&store, id(state.run, 2), Outcome::Abandoned);
    assert_eq!(store.void(id(state.run, 1), NOW).unwrap(), None, "it was not abandoned");
    assert_eq!(store.void(id(state.run, 9), NOW).unwrap(), None, "it is not known");
    let voided = store.void(id(state.run, 2), NOW + 5).unwrap().unwrap();
    assert_eq!(voided.attempt, id(state.run, 2));
    assert_eq!(
        voided.entries,
        [budget("b", 100, 50), tokens("r", NOW, 9)].iter().map(store::Amount::from).collect::<Vec<_>>()
    );
    assert_eq!(store.void(id(state.run, 2), NOW + 6).unwrap(), None, "it was voided before");
    assert_eq!(store.abandoned(ALL).unwrap()[0].voided_at_ms, Some(NOW + 5));
    let state = state_after(place, store);
    assert_eq!(spent(&state, "b"), (100, 3, 3));
    assert_eq!(state.slices, [slice(Kind::Requests, "r", NOW, 2), slice(Kind::Tokens, "r", NOW, 1)]);
}

pub(crate) fn a_charge_of_an_earlier_window_is_voided_from_the_total(place: &impl Place) {
    let (store, state) = place.open();
    open(&store, id(state.run, 1), &[budget("b", 100, 50)]);
    close(&store, id(state.run, 1), Outcome::Abandoned);
    open(&store, id(state.run, 2), &[budget("b", 200, 50)]);
    close(&store, id(state.run, 2), charged(8, 0));
    assert!(store.void(id(state.run, 1), NOW).unwrap().is_some());
    assert_eq!(spent(&state_after(place, store), "b"), (200, 8, 8));
}

pub(crate) fn a_budget_that_begins_is_remembered(place: &impl Place) {
    let (store, _) = place.open();
    store.adopt(&[began("b", "1d", 77), began("c", "1M", 78)]).unwrap();
    store.adopt(&[began("b", "1d", 99)]).unwrap();
    let state = state_after(place, store);
    let expected = BudgetState { id: "b".into(), window: "1d".into(), began_ms: 77, ..BudgetState::default() };
    assert_eq!(budget_of(&state, "b"), &expected);
    assert_eq!(budget_of(&state, "c").began_ms, 78);
}

pub(crate) fn a_changed_window_begins_anew_and_keeps_the_total(place: &impl Place) {
    let (store, state) = place.open();
    store.adopt(&[began("b", "1d", 77)]).unwrap();
    open(&store, id(state.run, 1), &[budget("b", 177, 50)]);
    close(&store, id(state.run, 1), charged(20, 0));
    store.adopt(&[began("b", "1M", 200)]).unwrap();
    let state = state_after(place, store);
    let expected =
        BudgetState { id: "b".into(), window: "1M".into(), began_ms: 200, window_ms: 0, spent_nano: 0, total_nano: 20 };
    assert_eq!(state.budgets, [expected]);
}

pub(crate) fn what_was_in_flight_when_windows_changed_counts_in_none_of_the_new(place: &impl Place) {
    let (store, state) = place.open();
    store.adopt(&[began("b", "1d", 77), began("c", "1d", 77)]).unwrap();
    for number in 1..=2 {
        open(&store, id(state.run, number), &[budget("b", 900, 50), budget("c", 900, 50)]);
    }
    // The new window began earlier than the old one: a month in place of a day.
    store.adopt(&[began("b", "1M aligned in UTC", 950)]).unwrap();
    open(&store, id(state.run, 3), &[budget("b", 100, 50)]);
    close(&store, id(state.run, 1), charged(20, 0));
    store.flush().unwrap();
    close(&store, id(state.run, 3), charged(5, 0));
    store.close().unwrap();
    let (store, after) = place.open();
    assert_eq!((spent(&after, "b"), spent(&after, "c")), ((100, 5, 75), (900, 70, 70)));
    // Attempt 2 was abandoned, and voiding it takes nothing from the new window.
    assert!(store.void(id(state.run, 2), NOW).unwrap().is_some());
    assert_eq!(spent(&state_after(place, store), "b"), (100, 5, 25));
}

pub(crate) fn slices_that_cannot_count_are_forgotten(place: &impl Place) {
    let (store, state) = place.open();
    let last = NOW - 14 * 5_000;
    // Slices follow a steady clock: another one than that of the records.
    open_at(&store, id(state.run, 1), NOW + 1_000_000, &[requests("r", last - 1), requests("r", last)]);
    store.flush().unwrap();
    open(&store, id(state.run, 2), &[requests("r", NOW)]);
    let expected = [slice(Kind::Requests, "r", last, 1), slice(Kind::Requests, "r", NOW, 1)];
    assert_eq!(place.read().state.slices, expected);
    assert_eq!(state_after(place, store).slices, expected);
}

pub(crate) fn runs_only_grow(place: &impl Place) {
    let mut last = 0;
    for now_ms in [NOW, NOW, NOW - 1_000_000, 0, NOW + 50] {
        let (store, state) = place.try_open(now_ms).unwrap();
        assert!(state.run > last);
        last = state.run;
        store.close().unwrap();
    }
}

pub(crate) fn a_second_process_is_refused(place: &impl Place) {
    let (store, _) = place.open();
    let error = place.try_open(NOW).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)));
    assert_eq!(error.to_string(), format!("{} is used by another gateway", place.folder().display()));
    store.close().unwrap();
    place.open();
}

pub(crate) fn nothing_can_be_opened_after_the_end(place: &impl Place) {
    let (store, state) = place.open();
    let journal = store.journal();
    store.close().unwrap();
    let entries = [budget("b", 100, 50)];
    let opened = Opened {
        attempt: id(state.run, 1),
        call: 0,
        at_ms: NOW,
        key: "",
        provider: "p",
        model: "m",
        entries: &entries,
    };
    let error = journal.open(&opened).unwrap_err().to_string();
    assert!(error.contains("the journal is being closed"), "{error}");
    journal.close(Closed { attempt: id(state.run, 1), at_ms: NOW, outcome: charged(1, 1) });
    assert_eq!(place.open().1.budgets, []);
}

pub(crate) fn amounts_that_no_database_can_keep_are_kept_as_the_most_it_can(place: &impl Place) {
    let (store, state) = place.open();
    for number in [u64::MAX, 1] {
        open_at(
            &store,
            id(state.run, number),
            u64::MAX,
            &[budget("b", u64::MAX, u64::MAX), tokens("t", u64::MAX, u64::MAX)],
        );
        store.flush().unwrap();
        close(&store, id(state.run, number), charged(u64::MAX, u64::MAX));
        store.flush().unwrap();
    }
    let state = state_after(place, store);
    let most = i64::MAX.cast_unsigned();
    assert_eq!((spent(&state, "b"), state.slices[0].used), ((most, most, most), most));
}

pub(crate) fn odd_names_are_names(place: &impl Place) {
    let (store, state) = place.open();
    let long = "é".repeat(20_000);
    let names = ["", "a'b\"c", "x\0y", "\u{1F4B0}", &long];
    for (number, name) in (0..).zip(names) {
        open(&store, id(state.run, number), &[budget(name, 100, 5), requests(name, NOW)]);
        close(&store, id(state.run, number), charged(number + 1, 0));
    }
    let state = state_after(place, store);
    assert_eq!((state.budgets.len(), state.slices.len()), (5, 5));
    for (number, name) in (0..).zip(names) {
        assert_eq!(spent(&state, name), (100, number + 1, number + 1));
    }
}

pub(crate) fn what_looks_like_a_statement_is_a_name(place: &impl Place) {
    let names = [
        "'; DROP TABLE budgets; --",
        "\"; DELETE FROM slices; --",
        "' OR '1'='1",
        "$1",
        "?1",
        "%",
        "\\'; DROP TABLE abandoned; --",
        r"\0",
        "{a,b}",
        "NULL",
        "a,b",
        "\u{202e}",
    ];
    let (store, state) = place.open();
    for (number, name) in (1..).zip(names) {
        let entries = [budget(name, 100, number), requests(name, NOW), tokens(name, NOW, number)];
        let attempt = id(state.run, number);
        let opened = Opened { attempt, call: 0, at_ms: NOW, key: name, provider: name, model: name, entries: &entries };
        store.journal().open(&opened).unwrap();
        store.flush().unwrap();
        close(&store, attempt, Outcome::Abandoned);
        store.adopt(&[began(name, name, number)]).unwrap();
    }
    let charges = store.abandoned(ALL).unwrap();
    assert_eq!(charges.len(), names.len());
    for (charge, name) in charges.iter().rev().zip(names) {
        let attempted = &charge.attempted;
        assert_eq!((&*attempted.key, &*attempted.provider, &*attempted.model), (name, name, name));
        assert!(attempted.amounts.iter().all(|amount| amount.id == name));
        assert!(store.void(attempted.attempt, NOW).unwrap().is_some());
    }
    let state = state_after(place, store);
    for (number, name) in (1..).zip(names) {
        let budget = budget_of(&state, name);
        assert_eq!((&*budget.window, budget.began_ms, budget.total_nano), (name, number, 0));
        assert_eq!(state.slices.iter().filter(|slice| slice.id == name).count(), 2);
    }
    // A budget, two slices, an attempt and its three amounts for each, and nothing that was not named.
    assert_eq!(place.rows(), names.len() as u64 * 7);
}

pub(crate) fn openings_at_once_do_not_disturb_each_other(place: &impl Place) {
    const GATEWAYS: u32 = 4;
    let opened: Vec<_> = thread::scope(|scope| {
        let open = |number| scope.spawn(move || Store::open(place.beside(number), NOW));
        let threads: Vec<_> = (0..GATEWAYS).map(open).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let is_shared = place.beside(0).folder != place.beside(1).folder;
    let (opened, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
    assert!(refused.iter().all(|refused| matches!(refused, Err(StoreError::InUse(_)))), "{refused:?}");
    assert_eq!(opened.len(), if is_shared { GATEWAYS as usize } else { 1 });
    let leases = opened.iter().flatten().filter(|(store, _)| store.is_only_node()).count();
    assert_eq!(leases, 1);
    let mut runs: Vec<_> = opened.iter().flatten().map(|(_, state)| state.run).collect();
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), opened.len());
}

pub(crate) fn threads_agree_on_totals(place: &impl Place) {
    const THREADS: u64 = 8;
    const EACH: u64 = 400;
    let (store, state) = place.open();
    let store = Arc::new(store);
    let thread_of = |thread: u64| {
        let (store, run) = (Arc::clone(&store), state.run);
        thread::spawn(move || {
            let own = format!("own-{thread}");
            for number in (0..EACH).map(|number| number * THREADS + thread) {
                open(&store, id(run, number), &[budget("shared", 100, 50), budget(&own, 100, 50), requests("r", NOW)]);
                match number % 3 {
                    0 => close(&store, id(run, number), charged(7, 0)),
                    1 => close(&store, id(run, number), Outcome::Unsent),
                    _ => close(&store, id(run, number), Outcome::Abandoned),
                }
            }
        })
    };
    let threads: Vec<_> = (0..THREADS).map(thread_of).collect();
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        store.flush().unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let store = Arc::into_inner(store).unwrap();
    let state = state_after(place, store);
    let cost = |number: u64| [7, 0, 50][usize::try_from(number % 3).unwrap()];
    let total: u64 = (0..THREADS * EACH).map(cost).sum();
    assert_eq!(spent(&state, "shared"), (100, total, total));
    for thread in 0..THREADS {
        let total: u64 = (0..EACH).map(|number| cost(number * THREADS + thread)).sum();
        assert_eq!(spent(&state, &format!("own-{thread}")), (100, total, total));
    }
    let sent = (0..THREADS * EACH).filter(|number| number % 3 != 1).count() as u64;
    assert_eq!(state.slices, [slice(Kind::Requests, "r", NOW, sent)]);
}

pub(crate) fn a_reading_is_what_a_process_would_find(place: &impl Place) {
    assert_eq!(place.read(), store::Reading::default());
    let (store, state) = place.open();
    store.adopt(&[began("b", "1d", 77)]).unwrap();
    for number in 0..60 {
        let slice_ms = NOW + number / 7 * 5_000;
        let at_ms = NOW + number * 2_000;
        let entries = [budget("b", 100 + number / 10, 50), requests("r", slice_ms), tokens("r", slice_ms, number)];
        open_at(&store, id(state.run, number), at_ms, &entries);
        close(
            &store,
            id(state.run, number),
            if number % 4 == 0 { Outcome::Abandoned } else { charged(number, number) },
        );
        if number % 20 == 19 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    open_at(&store, id(state.run, 100), NOW + 120_000, &[budget("b", 100, 5), requests("r", NOW + 120_000)]);
    let reading = place.read();
    close(&store, id(state.run, 100), charged(0, 0));
    let after = state_after(place, store);
    assert_eq!(reading.state.slices, after.slices);
    assert_eq!(reading.state.budgets, after.budgets);
    assert_eq!(place.read().state.budgets, after.budgets);
}

pub(crate) fn a_reading_tells_what_is_held(place: &impl Place) {
    let (store, state) = place.open();
    open(&store, id(state.run, 1), &[budget("b", 100, 50), requests("r", NOW), tokens("r", NOW, 9)]);
    open(&store, id(state.run, 2), &[budget("b", 100, 30)]);
    store.flush().unwrap();
    open(&store, id(state.run, 3), &[budget("b", 100, 7)]);
    open(&store, id(state.run, 4), &[budget("b", 200, 6)]);
    close(&store, id(state.run, 2), charged(1, 0));
    store.flush().unwrap();
    let held = place.read().held;
    let expected = [budget("b", 100, 57), budget("b", 200, 6), tokens("r", NOW, 9)];
    assert_eq!(held, expected.iter().map(store::Amount::from).collect::<Vec<_>>());
}

pub(crate) fn a_reading_beside_a_running_process_never_goes_back(place: &impl Place) {
    const ATTEMPTS: u64 = 4_000;
    let (store, state) = place.open();
    let (store, run) = (&store, state.run);
    thread::scope(|scope| {
        let calls = scope.spawn(move || {
            for number in 0..ATTEMPTS {
                open(store, id(run, number), &[budget("b", 100, 5)]);
                close(store, id(run, number), charged(5, 0));
                if number % 50 == 0 {
                    store.flush().unwrap();
                }
            }
        });
        let mut before = 0;
        while !calls.is_finished() {
            // Reserved or charged: the sum only grows, whatever is moved from the journal to the balances meanwhile.
            let reading = place.read();
            let charged = reading.state.budgets.first().map_or(0, |budget| budget.spent_nano);
            let sum = charged + reading.held.first().map_or(0, |held| held.amount);
            assert!((before..=ATTEMPTS * 5).contains(&sum), "{before}, then {sum}");
            before = sum;
        }
    });
}
