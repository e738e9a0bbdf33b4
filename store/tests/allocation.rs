//! Writing an attempt down allocates nothing, and neither does its end, or its call's, but for the queues' growth.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use store::{AttemptId, Called, Closed, Entry, Journal, Kind, Opened, Outcome, Store};

#[test]
fn opening_and_closing_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path(), 1_000_000).unwrap();
    let journal = store.journal();
    let entries: Vec<_> = ["vk-budget", "team-budget", "customer-budget", "provider-budget"]
        .into_iter()
        .flat_map(|id| [(Kind::Budget, id), (Kind::Tokens, id)])
        .map(|(kind, id)| Entry { kind, id, start_ms: 5, length_ms: 0, amount: 7 })
        .collect();
    let call = |number| {
        let attempt = AttemptId { run: state.run, number };
        let (key, provider, model) = ("vk-1", "openai", "gpt-4o");
        journal.open(&Opened { attempt, call: 0, at_ms: 5, key, provider, model, entries: &entries }).unwrap();
        journal.close(Closed { attempt, at_ms: 6, outcome: Outcome::Charged { nano: 1, tokens: 2 } });
        let called = Called { call: Some(attempt), key: key.into(), model: model.into(), ..Called::default() };
        journal.called(&called);
    };
    call(0);
    let least = (1..=20).map(|number| allocation_counter::measure(|| call(number)).count_total).min();
    assert_eq!(least, Some(0));
}
