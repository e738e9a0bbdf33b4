use super::*;
use crate::journal::{Opened, record};

fn id(number: u64) -> AttemptId {
    AttemptId { run: 1, number }
}

/// Appends a record to a segment.
type Line = Box<dyn Fn(&mut Vec<u8>)>;

fn opened(number: u64, at_ms: u64) -> Line {
    Box::new(move |bytes| {
        let of = |kind, amount| Entry { kind, id: "x", start_ms: 10, length_ms: 5, amount };
        let entries = [of(Kind::Budget, 50), of(Kind::Requests, 1), of(Kind::Tokens, 9)];
        let opened =
            Opened { attempt: id(number), call: 0, at_ms, key: "k", provider: "p", model: "m", entries: &entries };
        record::write_opened(bytes, &opened).unwrap();
    })
}

fn closed(number: u64, at_ms: u64, outcome: Outcome) -> Line {
    Box::new(move |bytes| record::write_closed(bytes, &Closed { attempt: id(number), at_ms, outcome }).unwrap())
}

fn told(lines: impl IntoIterator<Item = Line>) -> Told {
    let mut bytes = Vec::new();
    lines.into_iter().for_each(|write| write(&mut bytes));
    Told::of(0, bytes)
}

fn change<'a>(before: &'a Attempts, told: &'a Told) -> Change<'a> {
    let mut change = Change::up_to(1);
    assert_eq!(change.add_all(before, told), b"");
    change
}

/// What is known after these.
fn attempts_after(lines: impl IntoIterator<Item = Line>) -> Attempts {
    let mut attempts = Attempts::default();
    attempts.apply(change(&Attempts::default(), &told(lines)).carried_over());
    attempts
}

fn names(attempts: &Attempts) -> Vec<AttemptId> {
    attempts.iter().map(|recorded| recorded.attempt).collect()
}

fn counts(change: &Change<'_>, before: u64) -> Vec<u64> {
    change.slices.values().map(|counted| counted.apply_to(before)).collect()
}

#[test]
fn an_attempt_that_is_still_open_is_carried_over() {
    let mut attempts = attempts_after([opened(1, 0), opened(2, 0), closed(1, 0, Outcome::Unsent)]);
    assert_eq!(names(&attempts), [id(2)]);
    let told = told([closed(2, 0, Outcome::Charged { nano: 3, tokens: 4 })]);
    let second = change(&attempts, &told);
    assert_eq!((second.charges["x"][&10], second.ended.contains(&id(2)), second.strays), (3, true, 0));
    let carried_over = second.carried_over();
    attempts.apply(carried_over);
    assert_eq!(names(&attempts), []);
}

#[test]
fn requests_and_their_return_cancel_out_in_any_order_of_folds() {
    let first = told([opened(1, 0), opened(2, 0)]);
    assert_eq!(counts(&change(&Attempts::default(), &first), 0), [2]);
    let attempts = attempts_after([opened(1, 0), opened(2, 0)]);
    let second = told([closed(1, 0, Outcome::Unsent)]);
    let second = change(&attempts, &second);
    assert_eq!(counts(&second, 2), [1]);
    // A slice that was forgotten meanwhile does not become a negative one.
    assert_eq!(counts(&second, 0), [0]);
}

#[test]
fn what_is_abandoned_is_charged_once() {
    let mut attempts = attempts_after([opened(1, 7)]);
    let told = told([opened(2, 9), opened(3, 9), closed(3, 9, Outcome::Unsent)]);
    let mut second = change(&attempts, &told);
    assert_eq!(second.abandon_all(&attempts, 8, true), Abandoned { attempts: 2, nano: 100 });
    assert_eq!(second.abandon_all(&attempts, 8, true), Abandoned::default());
    assert_eq!(second.charges["x"][&10], 100);
    let mut found: Vec<_> = second.abandoned.iter().map(|(recorded, at_ms)| (recorded.attempt, *at_ms)).collect();
    found.sort_unstable();
    // Not before it was opened, whatever the clock says.
    assert_eq!(found, [(id(1), 8), (id(2), 9)]);
    let carried_over = second.carried_over();
    attempts.apply(carried_over);
    assert_eq!(names(&attempts), []);
}

#[test]
fn the_newest_time_is_that_of_any_record() {
    let told = told([opened(1, 7), closed(1, 12, Outcome::Unsent), opened(2, 3)]);
    assert_eq!(change(&Attempts::default(), &told).newest_ms, 12);
}

#[test]
fn only_what_was_reserved_on_a_changed_budget_is_detached() {
    let attempts = attempts_after([opened(1, 0)]);
    assert_eq!(attempts.detached(&HashSet::from(["y"])), []);
    let detached = attempts.detached(&HashSet::from(["x"]));
    let starts: Vec<_> = detached[0].amounts.iter().map(|amount| (amount.kind, amount.start_ms)).collect();
    assert_eq!(starts, [(Kind::Budget, 0), (Kind::Requests, 10), (Kind::Tokens, 10)]);
    assert_eq!((&*detached[0].key, &*detached[0].provider, &*detached[0].model), ("k", "p", "m"));
}
