use super::*;

fn id(number: u64) -> AttemptId {
    AttemptId { run: 1, number }
}

fn opened(number: u64, at_ms: u64) -> Record {
    let of = |kind, amount| Amount { kind, id: "x".into(), start_ms: 10, length_ms: 5, amount };
    let amounts = vec![of(Kind::Budget, 50), of(Kind::Requests, 1), of(Kind::Tokens, 9)];
    Record::Opened(Attempted { attempt: id(number), at_ms, amounts, ..Attempted::default() })
}

fn closed(number: u64, at_ms: u64, outcome: Outcome) -> Record {
    Record::Closed(Closed { attempt: id(number), at_ms, outcome })
}

fn change(before: &Attempts, records: impl IntoIterator<Item = Record>) -> Change {
    let mut change = Change::up_to(1);
    records.into_iter().for_each(|record| change.add(before, record));
    change
}

#[test]
fn an_attempt_that_is_still_open_is_carried_over() {
    let mut attempts = Attempts::default();
    attempts.apply(change(&attempts, [opened(1, 0), opened(2, 0), closed(1, 0, Outcome::Unsent)]));
    assert_eq!(attempts.open.keys().collect::<Vec<_>>(), [&id(2)]);
    let second = change(&attempts, [closed(2, 0, Outcome::Charged { nano: 3, tokens: 4 })]);
    assert_eq!((second.charges["x"][&10], second.ended.contains(&id(2)), second.strays), (3, true, 0));
    attempts.apply(second);
    assert!(attempts.open.is_empty());
}

#[test]
fn requests_and_their_return_cancel_out_in_any_order_of_folds() {
    let mut attempts = Attempts::default();
    let first = change(&attempts, [opened(1, 0), opened(2, 0)]);
    let used: Vec<_> = first.slices.values().map(|counted| counted.apply_to(0)).collect();
    assert_eq!(used, [2]);
    attempts.apply(first);
    let second = change(&attempts, [closed(1, 0, Outcome::Unsent)]);
    assert_eq!(second.slices.values().map(|counted| counted.apply_to(2)).collect::<Vec<_>>(), [1]);
    // A slice that was forgotten meanwhile does not become a negative one.
    assert_eq!(second.slices.values().map(|counted| counted.apply_to(0)).collect::<Vec<_>>(), [0]);
}

#[test]
fn what_is_abandoned_is_charged_once() {
    let mut attempts = Attempts::default();
    attempts.apply(change(&attempts, [opened(1, 7)]));
    let mut second = change(&attempts, [opened(2, 9)]);
    second.add(&attempts, opened(3, 9));
    second.add(&attempts, closed(3, 9, Outcome::Unsent));
    assert_eq!(second.abandon_all(&attempts, 8), Abandoned { attempts: 2, nano: 100 });
    assert_eq!(second.abandon_all(&attempts, 8), Abandoned::default());
    assert_eq!(second.charges["x"][&10], 100);
    let mut found: Vec<_> = second.abandoned.iter().map(|(attempted, at_ms)| (attempted.attempt, *at_ms)).collect();
    found.sort_unstable();
    // Not before it was opened, whatever the clock says.
    assert_eq!(found, [(id(1), 8), (id(2), 9)]);
    attempts.apply(second);
    assert!(attempts.open.is_empty());
}

#[test]
fn the_newest_time_is_that_of_any_record() {
    assert_eq!(
        change(&Attempts::default(), [opened(1, 7), closed(1, 12, Outcome::Unsent), opened(2, 3)]).newest_ms,
        12
    );
}

#[test]
fn only_what_was_reserved_on_a_changed_budget_is_detached() {
    let mut attempts = Attempts::default();
    attempts.apply(change(&attempts, [opened(1, 0)]));
    assert_eq!(attempts.detached(&HashSet::from(["y"])), []);
    let detached = attempts.detached(&HashSet::from(["x"]));
    let starts: Vec<_> = detached[0].amounts.iter().map(|amount| (amount.kind, amount.start_ms)).collect();
    assert_eq!(starts, [(Kind::Budget, 0), (Kind::Requests, 10), (Kind::Tokens, 10)]);
}
