//! Random changes against a plain model, and the feed of changes from every revision on.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use store::registry::{Entity, Expected, Put, Removal, Row, Write};
use store::{Registry, RegistryError};

use super::{NOW, OnServer, Place, Sqlite, all, audit, entity};

type Id = (String, String);
type State = BTreeMap<Id, Row>;

/// A change of one row; the numbers choose among few, so that rows meet.
#[derive(Clone, Debug)]
enum Step {
    Put { kind: u8, id: u8, name: u8, is_unique: bool, tokens: Vec<u8>, expected: u8 },
    Remove { kind: u8, id: u8, is_remembered: bool, expected: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..2_u8, 0..6_u8, 0..5_u8, any::<bool>(), vec(0..6_u8, 0..3), 0..9_u8);
    let put = put.prop_map(|(kind, id, name, is_unique, tokens, expected)| Step::Put {
        kind,
        id,
        name,
        is_unique,
        tokens,
        expected,
    });
    let remove = (0..2_u8, 0..6_u8, any::<bool>(), 0..9_u8)
        .prop_map(|(kind, id, is_remembered, expected)| Step::Remove { kind, id, is_remembered, expected });
    prop_oneof![3 => put, 1 => remove]
}

fn named(kind: u8, id: u8) -> Id {
    (format!("kind{kind}"), format!("id{id}"))
}

/// Mostly what succeeds; now and then what cannot.
fn expected(number: u8, row: Option<&Row>) -> Expected {
    match (number, row) {
        (0, _) => Expected::Absent,
        (1, _) => Expected::Revision(1),
        (2..5, Some(row)) => Expected::Revision(row.revision),
        _ => Expected::Anything,
    }
}

fn write(state: &State, steps: &[Step]) -> Write {
    let mut write = Write { at_ms: NOW, ..Write::default() };
    for step in steps {
        match step {
            Step::Put { kind, id, name, is_unique, tokens, expected: number } => {
                let (kind, id) = named(*kind, *id);
                let expected = expected(*number, state.get(&(kind.clone(), id.clone())));
                let name = (*name > 0).then(|| format!("name{name}"));
                let token_hashes = tokens.iter().map(|token| [*token; 32]).collect();
                let entity = Entity { kind, name, is_name_unique: *is_unique, token_hashes, ..entity(&id) };
                write.puts.push(Put { entity, expected });
            }
            Step::Remove { kind, id, is_remembered, expected: number } => {
                let (kind, id) = named(*kind, *id);
                let expected = expected(*number, state.get(&(kind.clone(), id.clone())));
                write.removals.push(Removal { kind, id, is_remembered: *is_remembered, expected });
            }
        }
    }
    write.audit.push(audit("write", ""));
    write
}

/// The state after a write, if that is one that may be: said without the order in which things are done.
fn model(state: &State, write: &Write, revision: u64) -> Option<State> {
    let mut after = state.clone();
    let mut named = BTreeSet::new();
    for Removal { kind, id, is_remembered, expected } in &write.removals {
        let key = (kind.clone(), id.clone());
        let row = state.get(&key).filter(|row| is_as(*expected, Some(row)) && (!row.is_deleted || !is_remembered))?;
        after.remove(&key);
        if *is_remembered {
            let (document, token_hashes) = (String::new(), Vec::new());
            let row = Row { document, token_hashes, is_deleted: true, revision, ..row.clone() };
            after.insert(key.clone(), row);
        }
        named.insert(key).then_some(())?;
    }
    for Put { entity, expected } in &write.puts {
        let key = (entity.kind.clone(), entity.id.clone());
        is_as(*expected, state.get(&key)).then_some(())?;
        let living = state.get(&key).filter(|row| !row.is_deleted);
        let last = after.values().filter(|row| row.kind == key.0).map(|row| row.order).max();
        let order = living.map_or(last.map_or(0, |last| last + 1), |row| row.order);
        after.insert(key.clone(), row(entity, order, revision));
        named.insert(key).then_some(())?;
    }
    is_whole(&after).then_some(after)
}

fn row(entity: &Entity, order: i64, revision: u64) -> Row {
    Row {
        kind: entity.kind.clone(),
        id: entity.id.clone(),
        name: entity.name.clone(),
        is_name_unique: entity.is_name_unique && entity.name.is_some(),
        document: entity.document.clone(),
        token_hashes: entity.token_hashes.clone(),
        origin: entity.origin,
        file_mac: entity.file_mac,
        is_deleted: false,
        order,
        created_ms: NOW,
        updated_ms: NOW,
        revision,
        team_id: None,
        customer_id: None,
    }
}

fn is_as(expected: Expected, row: Option<&Row>) -> bool {
    match expected {
        Expected::Anything => true,
        Expected::Absent => row.is_none_or(|row| row.is_deleted),
        Expected::Revision(revision) => row.is_some_and(|row| row.revision == revision),
    }
}

/// Whether every name and token has one owner.
fn is_whole(state: &State) -> bool {
    let living = || state.values().filter(|row| !row.is_deleted);
    let names = living().filter(|row| row.is_name_unique).map(|row| (&row.kind, &row.name));
    let tokens = living().flat_map(|row| row.token_hashes.iter().collect::<BTreeSet<_>>());
    are_different(names) && are_different(tokens)
}

fn are_different<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

/// What is compared: whether a deleted row's name was unique does not matter to anyone.
fn state(rows: impl IntoIterator<Item = Row>) -> State {
    let id = |row: &Row| (row.kind.clone(), row.id.clone());
    let plain = |row: Row| Row { is_name_unique: row.is_name_unique && !row.is_deleted, ..row };
    rows.into_iter().map(|row| (id(&row), plain(row))).collect()
}

/// Puts a feed over an older state. What is gone for good and what is remembered as deleted are the same to who follows.
fn replay(mut older: State, registry: &Registry, revision: u64) -> State {
    let feed = registry.since(revision).unwrap();
    assert!(feed.rows.is_sorted_by_key(|row| row.revision));
    assert!(feed.rows.iter().all(|row| row.revision > revision && row.revision <= feed.revision));
    older.extend(state(feed.rows));
    living(older)
}

fn living(state: State) -> State {
    state.into_iter().filter(|(_, row)| !row.is_deleted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_changes_come_to_what_a_model_says(writes in vec(vec(step(), 1..4), 1..30)) {
        compare(&Sqlite::new(), &writes)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_changes_on_a_server_come_to_what_a_model_says(writes in vec(vec(step(), 1..4), 1..20)) {
        compare(&OnServer::new(), &writes)?;
    }
}

/// Makes changes in a new place and in the model, and follows them from every revision on.
fn compare(place: &impl Place, writes: &[Vec<Step>]) -> Result<(), TestCaseError> {
    let registry = place.open();
    let mut now = State::new();
    let mut history = vec![now.clone()];
    for steps in writes {
        let write = write(&now, steps);
        let revision = history.len() as u64;
        match (registry.commit(&write), model(&now, &write, revision)) {
            (Ok(committed), Some(after)) => {
                prop_assert_eq!(committed.revision, revision);
                now = after;
                history.push(now.clone());
            }
            (Err(error), None) => prop_assert!(!error.is_unavailable(), "{}", error),
            (done, after) => prop_assert!(false, "{done:?}, but {}", after.is_some()),
        }
        prop_assert_eq!(&state(all(&registry)), &state(now.values().cloned()));
    }
    prop_assert_eq!(registry.verify().unwrap().rows, history.len() as u64 - 1);
    for (revision, older) in (0..).zip(history) {
        prop_assert_eq!(replay(older, &registry, revision), living(now.clone()), "from {}", revision);
    }
    prop_assert_eq!(state(all(&place.open())), state(now.into_values()));
    Ok(())
}

#[test]
fn a_load_is_of_one_moment() {
    load_at_one_moment(&Sqlite::new());
    load_at_one_moment(&OnServer::new());
}

fn load_at_one_moment(place: &impl Place) {
    let (registry, other) = (place.open(), place.open());
    let one = |number: u32| super::puts([Entity { document: number.to_string(), ..entity(&number.to_string()) }]);
    for number in 0..10 {
        registry.commit(&one(number)).unwrap();
    }
    let mut rows = 0;
    let revision = registry.load(&mut |_| {
        rows += 1;
        // Neither another registry nor this one is kept from writing by who loads.
        other.commit(&one(rows)).unwrap();
        registry.commit(&one(100 + rows)).unwrap();
    });
    assert_eq!((rows, revision.unwrap()), (10, 10));
    assert_eq!(registry.since(10).unwrap().rows.len(), 20);
}

#[test]
fn an_error_tells_no_token() {
    let registry = Sqlite::new().open();
    let with = |id| Entity { token_hashes: vec![[0xab; 32]], ..entity(id) };
    registry.commit(&super::puts([with("a")])).unwrap();
    let error = registry.commit(&super::puts([with("b")])).unwrap_err();
    assert!(matches!(error, RegistryError::TokenTaken { .. }));
    assert!(!format!("{error} {error:?}").contains("171"));
}
