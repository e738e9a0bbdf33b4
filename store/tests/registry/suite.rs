//! The tests themselves. Each takes a place, and knows nothing of what database is there.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::thread;

use policy::provider::Secret;
use store::registry::{
    AuditEntry, AuditFilter, AuditRow, Committed, Entity, Expected, FieldIs, Filter, Origin, Put, Removal, Sort, Unfit,
    Write,
};
use store::seal::{Context, SealError};
use store::{Registry, RegistryError};

use super::{NOW, Place, all, audit, entity, puts, removal};

/// Makes a test of each function here for a kind of place.
macro_rules! run_against {
    ($name:ident, $place:ty) => {
        mod $name {
            use super::suite;
            use super::*;

            $crate::suite::tests! { $place:
                an_empty_registry_has_nothing
                what_is_put_is_found_again
                a_row_that_is_put_again_keeps_its_place_and_its_beginning
                a_new_row_comes_last
                a_write_without_rows_takes_no_revision
                one_row_that_cannot_be_changed_changes_none
                a_row_that_others_changed_is_not_overwritten
                what_is_expected_to_be_absent_may_be_deleted
                a_name_is_taken_once
                names_and_tokens_change_hands_in_one_write
                a_token_is_taken_once
                a_deleted_row_lets_go_of_its_name_and_its_secrets
                a_row_that_is_gone_is_told_once_it_is_asked_for
                what_is_not_there_is_not_removed
                a_row_is_named_once_in_a_write
                what_no_database_keeps_is_refused
                injections_are_texts
                pages_filter_sort_and_count
                a_search_is_no_pattern
                documents_are_found_by_what_their_fields_say
                two_registries_lose_nothing_and_leave_no_gap
                of_two_who_change_a_row_one_is_told
                the_audit_log_is_paged
                the_audit_log_is_verified_as_it_grows
                a_change_that_fails_is_not_in_the_audit_log
                another_encryption_key_opens_nothing
                secrets_are_sealed_for_their_place
                what_only_looks_sealed_is_refused
                a_rotation_seals_everything_anew
                a_rotation_that_cannot_be_written_down_changes_nothing
                who_was_not_told_of_a_rotation_cannot_write
                a_secret_that_is_kept_stays
                a_secret_that_is_reworked_is_what_was_made_of_it
                the_mac_of_a_file_entry_tells_entries_apart
                a_long_text_is_kept_and_found
                what_holds_nul_is_not_found
                who_follows_is_told_of_changes_of_others
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

/// Texts that a careless statement, pattern or document would trip over.
const ODD: [&str; 8] = [
    "'; DROP TABLE entities; --",
    "\" OR \"1\" = \"1",
    "%",
    "_",
    "\\",
    "?1 :name $1 @x {}",
    "\u{202e}\u{1f600} \u{7f} \r\n\t",
    "sealed:v1:",
];

fn token(number: u8) -> [u8; 32] {
    [number; 32]
}

fn with_tokens(id: &str, tokens: &[u8]) -> Entity {
    Entity { token_hashes: tokens.iter().copied().map(token).collect(), ..entity(id) }
}

fn named(id: &str, name: &str) -> Entity {
    Entity { name: Some(name.to_owned()), ..entity(id) }
}

fn expecting(entity: Entity, expected: Expected) -> Write {
    Write { at_ms: NOW + 1, puts: vec![Put { entity, expected }], ..Write::default() }
}

fn filter() -> Filter {
    Filter { kind: "virtual_key".to_owned(), limit: 100, ..Filter::default() }
}

fn ids(registry: &Registry, filter: &Filter) -> Vec<String> {
    registry.page(filter).unwrap().0.into_iter().map(|row| row.id).collect()
}

fn value_of(id: &str) -> Context<'_> {
    Context { kind: "virtual_key", id, field: "value" }
}

fn whole_audit(registry: &Registry) -> Vec<AuditRow> {
    let mut rows = Vec::new();
    let mut take = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    registry.audit_each(&mut take).unwrap();
    rows
}

pub(crate) fn an_empty_registry_has_nothing(place: &impl Place) {
    let registry = place.open();
    assert_eq!(registry.load(&mut |row| panic!("{row:?}")).unwrap(), 0);
    assert_eq!((registry.revision().unwrap(), registry.since(0).unwrap().rows), (0, Vec::new()));
    assert_eq!(registry.get("virtual_key", "a").unwrap(), None);
    assert_eq!(registry.page(&filter()).unwrap(), (Vec::new(), 0));
    assert_eq!(registry.verify().unwrap().rows, 0);
}

pub(crate) fn what_is_put_is_found_again(place: &impl Place) {
    let registry = place.open();
    let full = Entity {
        document: r#"{"a": [1, 2.50, "ü"]}"#.to_owned(),
        origin: Origin::File,
        file_mac: Some([7; 32]),
        order: Some(-5),
        team_id: Some("t".to_owned()),
        customer_id: Some("c".to_owned()),
        ..with_tokens("a", &[1, 2])
    };
    assert_eq!(registry.commit(&puts([full.clone()])).unwrap(), Committed { revision: 1 });
    for registry in [&registry, &place.open()] {
        let row = registry.get("virtual_key", "a").unwrap().unwrap();
        assert_eq!((row.order, row.created_ms, row.updated_ms, row.revision), (-5, NOW, NOW, 1));
        let kept = Entity {
            kind: row.kind.clone(),
            id: row.id.clone(),
            name: row.name.clone(),
            is_name_unique: row.is_name_unique,
            document: row.document.clone(),
            token_hashes: row.token_hashes.clone(),
            origin: row.origin,
            file_mac: row.file_mac,
            order: Some(row.order),
            team_id: row.team_id.clone(),
            customer_id: row.customer_id.clone(),
        };
        assert_eq!(kept, full);
        assert!(!row.is_deleted);
        assert_eq!(all(registry), registry.since(0).unwrap().rows);
        assert_eq!(all(registry), [row]);
    }
}

pub(crate) fn a_row_that_is_put_again_keeps_its_place_and_its_beginning(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([entity("a"), entity("b")])).unwrap();
    registry.commit(&expecting(named("a", "new"), Expected::Revision(1))).unwrap();
    let row = registry.get("virtual_key", "a").unwrap().unwrap();
    assert_eq!((row.order, row.created_ms, row.updated_ms, row.revision), (0, NOW, NOW + 1, 2));
    assert_eq!(registry.get("virtual_key", "b").unwrap().unwrap().revision, 1);
}

pub(crate) fn a_new_row_comes_last(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([Entity { order: Some(7), ..entity("z") }, entity("y")])).unwrap();
    registry.commit(&puts([entity("x"), Entity { order: Some(20), ..entity("v") }, entity("w")])).unwrap();
    let orders: Vec<_> = all(&registry).into_iter().map(|row| (row.id, row.order)).collect();
    let expected = [("z", 7), ("y", 8), ("x", 9), ("v", 20), ("w", 21)];
    assert_eq!(orders, expected.map(|(id, order)| (id.to_owned(), order)));
}

pub(crate) fn a_write_without_rows_takes_no_revision(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    assert_eq!(registry.commit(&Write::default()).unwrap().revision, 1);
    let only_told = Write { audit: vec![audit("login", "")], ..Write::default() };
    assert_eq!(registry.commit(&only_told).unwrap().revision, 1);
    assert_eq!(registry.verify().unwrap().rows, 1);
}

pub(crate) fn one_row_that_cannot_be_changed_changes_none(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    let before = all(&registry);
    let mut write = puts([entity("b"), named("c", "name of a")]);
    write.removals = removal("a", true).removals;
    write.puts.push(Put { entity: entity("d"), expected: Expected::Revision(9) });
    write.audit.push(audit("update", "b"));
    assert!(matches!(registry.commit(&write), Err(RegistryError::Stale { found: None, .. })));
    assert_eq!((all(&registry), registry.revision().unwrap()), (before, 1));
    assert_eq!(registry.verify().unwrap().rows, 0);
}

pub(crate) fn a_row_that_others_changed_is_not_overwritten(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([entity("a")])).unwrap();
    registry.commit(&puts([entity("a")])).unwrap();
    let late = registry.commit(&expecting(named("a", "late"), Expected::Revision(1)));
    assert!(matches!(late, Err(RegistryError::Stale { found: Some(2), .. })), "{late:?}");
    let mut late = removal("a", false);
    late.removals[0].expected = Expected::Revision(1);
    assert!(matches!(registry.commit(&late), Err(RegistryError::Stale { found: Some(2), .. })));
    late.removals[0].expected = Expected::Revision(2);
    registry.commit(&late).unwrap();
}

pub(crate) fn what_is_expected_to_be_absent_may_be_deleted(place: &impl Place) {
    let registry = place.open();
    registry.commit(&expecting(entity("a"), Expected::Absent)).unwrap();
    let again = registry.commit(&expecting(entity("a"), Expected::Absent));
    assert!(matches!(again, Err(RegistryError::Exists { .. })), "{again:?}");
    registry.commit(&removal("a", true)).unwrap();
    let later = Write { at_ms: NOW + 9, ..expecting(entity("a"), Expected::Absent) };
    registry.commit(&later).unwrap();
    assert_eq!(registry.get("virtual_key", "a").unwrap().unwrap().created_ms, NOW + 9, "it is another one");
}

pub(crate) fn a_name_is_taken_once(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([named("a", "n")])).unwrap();
    match registry.commit(&puts([named("b", "n")])) {
        Err(RegistryError::Taken { name, by, .. }) => assert_eq!((&*name, &*by), ("n", "a")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(registry.commit(&puts([named("b", "m"), named("c", "m")])), Err(RegistryError::Taken { .. })));
    let other_kind = Entity { kind: "team".to_owned(), ..named("b", "n") };
    let not_unique = Entity { is_name_unique: false, ..named("c", "n") };
    let nameless = Entity { name: None, ..entity("d") };
    let nameless_too = Entity { name: None, ..entity("e") };
    registry.commit(&puts([other_kind, not_unique, nameless, nameless_too, named("f", "N")])).unwrap();
    registry.commit(&puts([named("a", "n")])).unwrap();
}

pub(crate) fn names_and_tokens_change_hands_in_one_write(place: &impl Place) {
    let registry = place.open();
    let both = |a: &str, b: &str, tokens: [&[u8]; 2]| {
        let a = Entity { name: Some(a.to_owned()), ..with_tokens("a", tokens[0]) };
        puts([a, Entity { name: Some(b.to_owned()), ..with_tokens("b", tokens[1]) }])
    };
    registry.commit(&both("n", "m", [&[1, 2], &[3]])).unwrap();
    registry.commit(&both("m", "n", [&[3], &[1, 4]])).unwrap();
    assert_eq!(registry.get("virtual_key", "b").unwrap().unwrap().name.as_deref(), Some("n"));
    registry.commit(&puts([with_tokens("c", &[2])])).unwrap();
    let taken = registry.commit(&puts([with_tokens("d", &[4])]));
    assert!(matches!(taken, Err(RegistryError::TokenTaken { by, .. }) if by == "b"));
    // From one that goes to one that comes.
    let write = Write { removals: removal("a", true).removals, ..puts([named("e", "m"), with_tokens("f", &[3])]) };
    registry.commit(&write).unwrap();
}

pub(crate) fn a_token_is_taken_once(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([with_tokens("a", &[1, 1, 2])])).unwrap();
    let other = Entity { kind: "other".to_owned(), ..with_tokens("b", &[2]) };
    match registry.commit(&puts([other])) {
        Err(RegistryError::TokenTaken { kind, id, by_kind, by }) => {
            assert_eq!([&*kind, &*id, &*by_kind, &*by], ["other", "b", "virtual_key", "a"]);
        }
        other => panic!("{other:?}"),
    }
    registry.commit(&puts([with_tokens("a", &[1])])).unwrap();
    registry.commit(&puts([with_tokens("b", &[2])])).unwrap();
}

pub(crate) fn a_deleted_row_lets_go_of_its_name_and_its_secrets(place: &impl Place) {
    let registry = place.open();
    let made = Entity { origin: Origin::File, file_mac: Some([3; 32]), ..with_tokens("a", &[1]) };
    registry.commit(&puts([made])).unwrap();
    registry.commit(&removal("a", true)).unwrap();
    assert_eq!(registry.get("virtual_key", "a").unwrap(), None);
    assert_eq!(registry.page(&filter()).unwrap().1, 0);
    let [row] = &*all(&registry) else { panic!("it is remembered") };
    assert!(row.is_deleted && row.token_hashes.is_empty() && row.document.is_empty());
    assert_eq!((row.origin, row.file_mac, row.revision), (Origin::File, Some([3; 32]), 2));
    assert_eq!(row.name.as_deref(), Some("name of a"));
    registry.commit(&puts([Entity { name: row.name.clone(), ..with_tokens("b", &[1]) }])).unwrap();
    registry.commit(&removal("a", false)).unwrap();
    assert_eq!(all(&registry).len(), 1);
}

pub(crate) fn a_row_that_is_gone_is_told_once_it_is_asked_for(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([entity("a"), entity("b")])).unwrap();
    registry.commit(&removal("a", false)).unwrap();
    registry.commit(&puts([entity("c")])).unwrap();
    let feed = registry.since(1).unwrap();
    let told: Vec<_> = feed.rows.iter().map(|row| (&*row.id, row.is_deleted, row.revision)).collect();
    assert_eq!((told, feed.revision), (vec![("a", true, 2), ("c", false, 3)], 3));
    registry.commit(&puts([entity("a")])).unwrap();
    let told: Vec<_> = registry.since(1).unwrap().rows.into_iter().map(|row| (row.id, row.is_deleted)).collect();
    assert_eq!(told, [("c".to_owned(), false), ("a".to_owned(), false)]);
}

pub(crate) fn what_is_not_there_is_not_removed(place: &impl Place) {
    let registry = place.open();
    for is_remembered in [true, false] {
        assert!(matches!(registry.commit(&removal("a", is_remembered)), Err(RegistryError::Unknown { .. })));
    }
    registry.commit(&puts([entity("a")])).unwrap();
    registry.commit(&removal("a", true)).unwrap();
    assert!(matches!(registry.commit(&removal("a", true)), Err(RegistryError::Unknown { .. })), "it is deleted");
}

pub(crate) fn a_row_is_named_once_in_a_write(place: &impl Place) {
    let registry = place.open();
    let twice = Err(Unfit::Twice);
    let outcome = |write: &Write| match registry.commit(write) {
        Err(RegistryError::Unfit { why, .. }) => Err(why),
        other => Ok(other.unwrap()),
    };
    assert_eq!(outcome(&puts([entity("a"), entity("a")])), twice);
    let both = Write { removals: removal("a", true).removals, ..puts([entity("a")]) };
    assert_eq!(outcome(&both), twice);
}

pub(crate) fn what_no_database_keeps_is_refused(place: &impl Place) {
    let registry = place.open();
    let why = |write: &Write| match registry.commit(write) {
        Err(RegistryError::Unfit { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let nul = || Some("\0".to_owned());
    assert_eq!(why(&puts([entity("")])), Unfit::Nameless);
    assert_eq!(why(&puts([Entity { kind: String::new(), ..entity("a") }])), Unfit::Nameless);
    registry.commit(&puts([Entity { team_id: Some(String::new()), ..named("empty", "") }])).unwrap();
    assert_eq!(registry.get("virtual_key", "empty").unwrap().unwrap().name.as_deref(), Some(""));
    assert_eq!(why(&puts([named("a", "b\0c")])), Unfit::Nul);
    assert_eq!(why(&puts([Entity { id: "\0".to_owned(), ..entity("") }])), Unfit::Nul);
    assert_eq!(why(&puts([Entity { team_id: nul(), ..entity("a") }])), Unfit::Nul);
    assert_eq!(why(&puts([Entity { customer_id: nul(), ..entity("a") }])), Unfit::Nul);
    assert_eq!(why(&Write { removals: removal("\0", true).removals, ..Write::default() }), Unfit::Nul);
    let unnamed = registry.keep(&[("a\0".to_owned(), Secret::new("x"))]);
    assert!(matches!(unnamed, Err(RegistryError::Unfit { why: Unfit::Nul, .. })));
    let told = AuditEntry { actor: "\0".to_owned(), ..audit("login", "") };
    assert_eq!(why(&Write { audit: vec![told], ..Write::default() }), Unfit::Nul);
    for document in ["", "{", "{} {}", "{\"a\": 1,}"] {
        assert_eq!(why(&puts([Entity { document: document.to_owned(), ..entity("a") }])), Unfit::NotJson);
    }
    let long = format!("\"{}\"", "x".repeat(16 << 20));
    assert_eq!(why(&puts([Entity { document: long, ..entity("a") }])), Unfit::TooLong);
    let escaped = Entity { document: "\"\\u0000\"".to_owned(), ..entity("a") };
    registry.commit(&puts([escaped])).unwrap();
}

pub(crate) fn injections_are_texts(place: &impl Place) {
    let registry = place.open();
    for odd in ODD {
        let document = serde_json::to_string(odd).unwrap();
        let text = || Some(odd.to_owned());
        let put = Entity { kind: odd.to_owned(), document, team_id: text(), customer_id: text(), ..named(odd, odd) };
        let told = AuditEntry {
            actor: odd.to_owned(),
            actor_kind: odd.to_owned(),
            address: odd.to_owned(),
            kind: odd.to_owned(),
            before: text(),
            after: text(),
            ..audit(odd, odd)
        };
        let write = Write { audit: vec![told.clone()], ..puts([put.clone()]) };
        let revision = registry.commit(&write).unwrap().revision;
        let row = registry.get(odd, odd).unwrap().unwrap();
        assert_eq!((&row.document, &row.name, &row.team_id), (&put.document, &put.name, &put.team_id));
        let filter = Filter {
            kind: odd.to_owned(),
            search: text(),
            team_id: text(),
            customer_id: text(),
            limit: 9,
            ..Filter::default()
        };
        assert_eq!(registry.page(&filter).unwrap(), (vec![row.clone()], 1), "{odd:?}");
        let filter = AuditFilter {
            actor: text(),
            kind: text(),
            entity_id: text(),
            action: text(),
            limit: 9,
            ..AuditFilter::default()
        };
        let found = registry.audit_page(&filter).unwrap();
        assert_eq!((found.len(), &found[0].entry), (1, &told), "{odd:?}");
        let taken = registry.commit(&puts([Entity { id: "other".to_owned(), ..put.clone() }]));
        assert!(matches!(taken, Err(RegistryError::Taken { by, .. }) if by == odd));
        registry.keep(&[(odd.to_owned(), Secret::new(odd))]).unwrap();
        assert_eq!(registry.kept(&[odd.to_owned()]).unwrap(), [Some(Secret::new(odd))]);
        let expected = Expected::Revision(revision);
        let removal = Removal { kind: odd.to_owned(), id: odd.to_owned(), is_remembered: true, expected };
        registry.commit(&Write { removals: vec![removal], ..Write::default() }).unwrap();
    }
    assert_eq!(registry.verify().unwrap().rows, ODD.len() as u64);
}

pub(crate) fn pages_filter_sort_and_count(place: &impl Place) {
    let registry = place.open();
    let rows = [("1", Some("beta"), "t"), ("2", Some("Alpha"), "u"), ("3", None, "t"), ("4", Some("alpha"), "t")];
    for (at_ms, (id, name, team)) in (NOW..).zip(rows) {
        let name = name.map(str::to_owned);
        let put = Entity { name, team_id: Some(team.to_owned()), customer_id: Some(format!("c{team}")), ..entity(id) };
        registry.commit(&Write { at_ms, ..puts([put]) }).unwrap();
    }
    registry.commit(&puts([Entity { kind: "team".to_owned(), ..entity("5") }, entity("6")])).unwrap();
    registry.commit(&removal("6", true)).unwrap();
    let again = Entity { name: Some("beta".to_owned()), ..entity("1") };
    let again = Entity { team_id: Some("t".to_owned()), customer_id: Some("ct".to_owned()), ..again };
    registry.commit(&Write { at_ms: NOW + 9, ..puts([again]) }).unwrap();
    let check = |filter: &Filter, expected: &[&str]| {
        assert_eq!(ids(&registry, filter), expected, "{filter:?}");
        let reversed = Filter { is_descending: true, ..filter.clone() };
        let backwards: Vec<_> = expected.iter().rev().copied().collect();
        assert_eq!(ids(&registry, &reversed), backwards, "{filter:?} backwards");
        assert_eq!(registry.page(filter).unwrap().1, expected.len() as u64);
    };
    check(&filter(), &["3", "2", "4", "1"]);
    check(&Filter { sort: Sort::Created, ..filter() }, &["1", "2", "3", "4"]);
    check(&Filter { sort: Sort::Updated, ..filter() }, &["2", "3", "4", "1"]);
    check(&Filter { search: Some("ALPHA".to_owned()), ..filter() }, &["2", "4"]);
    check(&Filter { search: Some("3".to_owned()), ..filter() }, &["3"]);
    check(&Filter { search: Some(String::new()), ..filter() }, &["3", "2", "4", "1"]);
    check(&Filter { team_id: Some("t".to_owned()), ..filter() }, &["3", "4", "1"]);
    check(&Filter { customer_id: Some("cu".to_owned()), ..filter() }, &["2"]);
    check(&Filter { team_id: Some("t".to_owned()), customer_id: Some("cu".to_owned()), ..filter() }, &[]);
    let part = Filter { limit: 2, offset: 1, ..filter() };
    assert_eq!((ids(&registry, &part), registry.page(&part).unwrap().1), (vec!["2".to_owned(), "4".to_owned()], 4));
    let beyond = Filter { offset: u64::MAX, ..filter() };
    assert_eq!(registry.page(&beyond).unwrap(), (Vec::new(), 4));
}

pub(crate) fn documents_are_found_by_what_their_fields_say(place: &impl Place) {
    let registry = place.open();
    let saying = |id: &str, document: &str| Entity { document: document.to_owned(), ..entity(id) };
    let rows = [
        saying("a", r#"{"scope": "team", "scope_id": "t'1"}"#),
        saying("b", r#"{"scope": "team", "scope_id": "t2"}"#),
        saying("c", r#"{"scope": null, "nested": {"scope": "team"}}"#),
        saying("d", r#"{"name": "scope"}"#),
        saying("e", r#"{"scope": "team"}"#),
        Entity { kind: "other".to_owned(), document: "[1]".to_owned(), ..entity("z") },
    ];
    registry.commit(&puts(rows)).unwrap();
    registry.commit(&removal("e", true)).unwrap();
    let found = |fields: &[(&'static str, &str)], limit| {
        let fields = fields.iter().map(|(name, text)| FieldIs { name, text: (*text).to_owned(), absent: "global" });
        let filter = Filter { kind: "virtual_key".to_owned(), fields: fields.collect(), limit, ..Filter::default() };
        let (rows, total) = registry.page(&filter).unwrap();
        (rows.into_iter().map(|row| row.id).collect::<Vec<_>>().join(" "), total)
    };
    assert_eq!(found(&[("scope", "team")], 10), ("a b".to_owned(), 2));
    assert_eq!(found(&[("scope", "team")], 1), ("a".to_owned(), 2));
    assert_eq!(found(&[("scope", "global")], 10), ("c d".to_owned(), 2));
    assert_eq!(found(&[("scope", "team"), ("scope_id", "t'1")], 10), ("a".to_owned(), 1));
    for odd in ODD {
        assert_eq!(found(&[("scope", odd)], 10), (String::new(), 0), "{odd}");
    }
    assert_eq!(found(&[("scope", "\0")], 10), (String::new(), 0));
}

pub(crate) fn a_search_is_no_pattern(place: &impl Place) {
    let registry = place.open();
    registry.commit(&puts([named("a", "100% of it"), named("b", "100 of it"), named("c", "a_b\\c")])).unwrap();
    let found = |search: &str| ids(&registry, &Filter { search: Some(search.to_owned()), ..filter() });
    assert_eq!(found("100%"), ["a"]);
    assert_eq!(found("%"), ["a"]);
    assert_eq!(found("_"), ["c"]);
    assert_eq!(found("\\"), ["c"]);
    assert_eq!(found(&"%".repeat(100_000)), Vec::<String>::new());
}

pub(crate) fn two_registries_lose_nothing_and_leave_no_gap(place: &impl Place) {
    const EACH: usize = 40;
    place.open();
    let registries = [place.open(), place.open()];
    let revisions: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = registries.iter().flat_map(|registry| [registry, registry]).enumerate().collect();
        let run = |(number, registry): (usize, &Registry)| {
            let commit = |count: usize| {
                let id = format!("{number}-{count}");
                let write = Write { audit: vec![audit("create", &id)], ..puts([entity(&id)]) };
                registry.commit(&write).unwrap().revision
            };
            (0..EACH).map(commit).collect::<Vec<_>>()
        };
        let threads: Vec<_> = threads.into_iter().map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let revisions: BTreeSet<u64> = revisions.into_iter().collect();
    let expected: BTreeSet<u64> = (1..=4 * EACH as u64).collect();
    assert_eq!(revisions, expected);
    for registry in registries {
        let rows = all(&registry);
        assert_eq!(rows.iter().map(|row| row.revision).collect::<BTreeSet<_>>(), expected);
        assert_eq!(rows.iter().map(|row| row.order).collect::<BTreeSet<_>>().len(), 4 * EACH);
        assert_eq!(registry.verify().unwrap().rows, 4 * EACH as u64);
    }
}

pub(crate) fn of_two_who_change_a_row_one_is_told(place: &impl Place) {
    const UPDATES: u64 = 30;
    let first = place.open();
    first.commit(&puts([Entity { document: "0".to_owned(), ..entity("a") }])).unwrap();
    let registries = [first, place.open()];
    thread::scope(|scope| {
        for registry in &registries {
            scope.spawn(move || (0..UPDATES).for_each(|_| count_up(registry)));
        }
    });
    let row = registries[0].get("virtual_key", "a").unwrap().unwrap();
    assert_eq!((row.document, row.revision), ((2 * UPDATES).to_string(), 2 * UPDATES + 1));
}

/// Reads, adds and writes until nobody was faster.
fn count_up(registry: &Registry) {
    loop {
        let row = registry.get("virtual_key", "a").unwrap().unwrap();
        let count = row.document.parse::<u64>().unwrap() + 1;
        let next = Entity { document: count.to_string(), ..entity("a") };
        match registry.commit(&expecting(next, Expected::Revision(row.revision))) {
            Ok(_) => return,
            Err(RegistryError::Stale { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn the_audit_log_is_paged(place: &impl Place) {
    let registry = place.open();
    for number in 0..10_u64 {
        let actor = if number % 2 == 0 { "ada" } else { "bob" };
        let entry = AuditEntry { at_ms: NOW + number, actor: actor.to_owned(), ..audit("create", &number.to_string()) };
        registry.commit(&Write { audit: vec![entry], ..Write::default() }).unwrap();
    }
    let page = |filter: AuditFilter| -> Vec<u64> {
        registry.audit_page(&filter).unwrap().into_iter().map(|row| row.seq).collect()
    };
    let every = || AuditFilter { limit: 100, ..AuditFilter::default() };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(page(AuditFilter { limit: 3, ..every() }), [10, 9, 8]);
    assert_eq!(page(AuditFilter { limit: 3, before: Some(8), ..every() }), [7, 6, 5]);
    assert_eq!(page(AuditFilter { actor: text("bob"), before: Some(7), ..every() }), [6, 4, 2]);
    assert_eq!(page(AuditFilter { entity_id: text("4"), kind: text("virtual_key"), ..every() }), [5]);
    assert_eq!(page(AuditFilter { from_ms: Some(NOW + 3), to_ms: Some(NOW + 5), ..every() }), [5, 4]);
    assert_eq!(page(AuditFilter { action: text("delete"), ..every() }), Vec::<u64>::new());
    assert_eq!(page(AuditFilter { kind: text("team"), ..every() }), Vec::<u64>::new());
    let rows = whole_audit(&registry);
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert!(rows.windows(2).all(|pair| pair[1].previous_mac == pair[0].mac));
    let mut taken = 0;
    let mut take_two = |_| {
        taken += 1;
        if taken == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    registry.audit_each(&mut take_two).unwrap();
    assert_eq!(taken, 2);
}

pub(crate) fn the_audit_log_is_verified_as_it_grows(place: &impl Place) {
    let registry = place.open();
    let odd = AuditEntry { at_ms: u64::MAX, before: Some(String::new()), after: None, ..audit("ü", "\u{1f600}") };
    registry.commit(&Write { audit: vec![odd, audit("a", "b"), audit("a", "b")], ..Write::default() }).unwrap();
    assert_eq!(registry.verify().unwrap().rows, 3);
    drop(registry);
    let registry = place.open();
    registry.commit(&Write { audit: vec![audit("a", "b")], ..puts([entity("a")]) }).unwrap();
    assert_eq!(registry.verify().unwrap().rows, 4);
}

pub(crate) fn a_change_that_fails_is_not_in_the_audit_log(place: &impl Place) {
    let registry = place.open();
    let write = Write { audit: vec![audit("delete", "a")], ..removal("a", true) };
    registry.commit(&write).unwrap_err();
    assert_eq!(registry.verify().unwrap().rows, 0);
}

pub(crate) fn another_encryption_key_opens_nothing(place: &impl Place) {
    place.open();
    let error = place.try_open("other").unwrap_err();
    assert!(matches!(error, RegistryError::Seal(SealError::OtherKey)));
    assert!(error.to_string().contains("another encryption key"), "{error}");
    place.open();
}

pub(crate) fn secrets_are_sealed_for_their_place(place: &impl Place) {
    let seal = place.open().seal();
    let secret = Secret::new("sk-live-ümlaut\0");
    let here = Context { kind: "provider", id: "openai", field: "keys/main/value" };
    let text = seal.seal(here, &secret).unwrap();
    assert!(text.starts_with("sealed:v1:") && !text.contains("sk-live"), "{text}");
    assert_ne!(text, seal.seal(here, &secret).unwrap(), "no two are alike");
    let again = place.open().seal();
    assert_eq!(again.unseal(here, &text).unwrap(), secret);
    let elsewhere = [
        Context { kind: "team", ..here },
        Context { id: "openai2", ..here },
        Context { field: "keys/other/value", ..here },
        Context { kind: "provideropenai", id: "", ..here },
    ];
    for context in elsewhere {
        assert!(matches!(again.unseal(context, &text), Err(SealError::Damaged)), "{context:?}");
    }
    assert!(!format!("{seal:?}").contains("sk-live"));
}

pub(crate) fn what_only_looks_sealed_is_refused(place: &impl Place) {
    let registry = place.open();
    let sealed = registry.seal().seal(value_of("a"), &Secret::new("x")).unwrap();
    let refused = |id: &str, document: String| match registry.commit(&puts([Entity { document, ..entity(id) }])) {
        Err(RegistryError::Unfit { why, .. }) => why == Unfit::Seal,
        other => panic!("{id}: {other:?}"),
    };
    assert!(refused("b", format!(r#"{{"value":"{sealed}"}}"#)), "sealed for another row");
    let other_key = sealed.replacen(&sealed[10..16], "AAAAAA", 1);
    assert!(refused("a", format!(r#"{{"value":"{other_key}"}}"#)));
    let good = [
        format!(r#"{{"value":"{sealed}"}}"#),
        r#""sealed:v1:""#.to_owned(),
        r#""sealed:v1:a:b:c:d""#.to_owned(),
        r#""not sealed:v1:AAAAAA:AAAA:AAAA""#.to_owned(),
    ];
    for document in good {
        registry.commit(&puts([Entity { document, ..entity("a") }])).unwrap();
    }
}

pub(crate) fn a_rotation_seals_everything_anew(place: &impl Place) {
    let registry = place.open();
    let old = registry.seal();
    let document = |id| format!(r#"{{"n":1.50,"x":["{}"]}}"#, old.seal(value_of(id), &Secret::new(id)).unwrap());
    let sealed = ["a", "b", "c"].map(|id| Entity { document: document(id), ..entity(id) });
    registry.commit(&puts(sealed.into_iter().chain([entity("plain")]))).unwrap();
    registry.keep(&[("kept".to_owned(), Secret::new("secret"))]).unwrap();
    let mac = registry.file_mac("k", "i", b"content");
    let rotated = registry.rotate(&Secret::new("new"), &audit("rotate", "")).unwrap();
    assert_eq!((rotated.values, rotated.damaged), (3, Vec::new()));
    assert!(matches!(place.try_open("key"), Err(RegistryError::Seal(SealError::OtherKey))));
    for registry in [registry, place.try_open("new").unwrap()] {
        assert_eq!((registry.revision().unwrap(), registry.since(1).unwrap().rows.len()), (2, 3));
        for row in all(&registry).iter().filter(|row| row.id != "plain") {
            let text = row.document.strip_prefix(r#"{"n":1.50,"x":[""#).unwrap().strip_suffix("\"]}").unwrap();
            assert_eq!(registry.seal().unseal(value_of(&row.id), text).unwrap().reveal(), row.id);
            assert!(matches!(old.unseal(value_of(&row.id), text), Err(SealError::OtherKey)));
        }
        assert_eq!(registry.kept(&["kept".to_owned()]).unwrap(), [Some(Secret::new("secret"))]);
        assert_eq!(registry.file_mac("k", "i", b"content"), mac);
        assert_eq!(registry.verify().unwrap().rows, 1);
    }
    place.try_open("new").unwrap().commit(&puts([entity("later")])).unwrap();
}

pub(crate) fn a_rotation_that_cannot_be_written_down_changes_nothing(place: &impl Place) {
    let registry = place.open();
    let nul = AuditEntry { actor: "\0".to_owned(), ..audit("rotate", "") };
    registry.rotate(&Secret::new("new"), &nul).unwrap_err();
    assert!(place.try_open("new").is_err());
    place.open().commit(&puts([entity("a")])).unwrap();
    registry.commit(&puts([entity("b")])).unwrap();
}

pub(crate) fn who_was_not_told_of_a_rotation_cannot_write(place: &impl Place) {
    let (registry, other) = (place.open(), place.open());
    registry.rotate(&Secret::new("new"), &audit("rotate", "")).unwrap();
    let is_told = |error: RegistryError| matches!(error, RegistryError::Seal(SealError::OtherKey));
    assert!(is_told(other.commit(&puts([entity("a")])).unwrap_err()));
    assert!(is_told(other.keep(&[("a".to_owned(), Secret::new("b"))]).unwrap_err()));
    assert!(is_told(other.rotate(&Secret::new("third"), &audit("rotate", "")).unwrap_err()));
    assert_eq!(other.verify().unwrap().rows, 1);
    assert_eq!(all(&other), []);
}

pub(crate) fn a_secret_that_is_kept_stays(place: &impl Place) {
    let registry = place.open();
    let names = ["a", "b"].map(str::to_owned);
    assert_eq!(registry.kept(&names).unwrap(), [None, None]);
    registry.keep(&[("a".to_owned(), Secret::new("first"))]).unwrap();
    place.open().keep(&[("a".to_owned(), Secret::new("second")), ("b".to_owned(), Secret::new("third"))]).unwrap();
    assert_eq!(registry.kept(&names).unwrap(), [Some(Secret::new("first")), Some(Secret::new("third"))]);
}

pub(crate) fn a_secret_that_is_reworked_is_what_was_made_of_it(place: &impl Place) {
    let registry = place.open();
    let add = |registry: &Registry| {
        let mut before = None;
        let more =
            |text: Option<Secret>| format!("{}+", text.map_or_else(String::new, |text| text.reveal().to_owned()));
        registry
            .rework("a", &mut |text| {
                before.clone_from(&text);
                Some(Secret::new(&more(text)))
            })
            .unwrap();
        before
    };
    assert_eq!(add(&registry), None);
    let others: Vec<_> = (0..4).map(|_| place.open()).collect();
    thread::scope(|scope| {
        for other in &others {
            scope.spawn(|| add(other));
        }
    });
    assert_eq!(add(&registry), Some(Secret::new("+++++")), "nobody's is lost");
    registry.rework("a", &mut |_| None).unwrap();
    registry.rotate(&Secret::new("another key"), &audit("rotate", "encryption_key")).unwrap();
    assert_eq!(registry.kept(&["a".to_owned()]).unwrap(), [Some(Secret::new("++++++"))]);
    assert_eq!(registry.revision().unwrap(), 0, "it is nothing that others follow");
    registry.rework("a\0", &mut |_| None).unwrap_err();
}

pub(crate) fn the_mac_of_a_file_entry_tells_entries_apart(place: &impl Place) {
    let registry = place.open();
    let macs = [("k", "i", "c"), ("k", "i", "d"), ("k", "j", "c"), ("l", "i", "c"), ("ki", "", "c"), ("k", "", "ic")];
    let macs: BTreeSet<_> = macs.iter().map(|(kind, id, text)| registry.file_mac(kind, id, text.as_bytes())).collect();
    assert_eq!(macs.len(), 6);
    assert_eq!(place.open().file_mac("k", "i", b"c"), registry.file_mac("k", "i", b"c"));
}

/// Longer than an index takes.
pub(crate) fn a_long_text_is_kept_and_found(place: &impl Place) {
    let registry = place.open();
    let long = |last: &str| format!("{}{last}", "Ü-".repeat(5_000));
    let with = |last: &str| Entity {
        team_id: Some(long(last)),
        customer_id: Some(long(last)),
        document: serde_json::to_string(&long(last)).unwrap(),
        ..named(&long(last), &long(last))
    };
    let told = AuditEntry { entity_id: long("a"), actor: long("a"), ..audit("create", "") };
    let write = Write { audit: vec![told], ..puts([with("b"), with("a")]) };
    registry.commit(&write).unwrap();
    let taken = registry.commit(&puts([Entity { id: "other".to_owned(), ..with("a") }]));
    assert!(matches!(taken, Err(RegistryError::Taken { by, .. }) if by == long("a")));
    assert_eq!(ids(&registry, &filter()), [long("a"), long("b")]);
    assert_eq!(ids(&registry, &Filter { team_id: Some(long("b")), ..filter() }), [long("b")]);
    assert_eq!(ids(&registry, &Filter { customer_id: Some(long("c")), ..filter() }), Vec::<String>::new());
    let of_actor = |last: &str| AuditFilter { actor: Some(long(last)), limit: 9, ..AuditFilter::default() };
    assert_eq!(registry.audit_page(&of_actor("a")).unwrap().len(), 1);
    assert_eq!(registry.audit_page(&of_actor("b")).unwrap().len(), 0);
    let kind = Entity { kind: "k".repeat(201), ..entity("a") };
    assert!(matches!(registry.commit(&puts([kind])), Err(RegistryError::Unfit { why: Unfit::TooLong, .. })));
}

pub(crate) fn what_holds_nul_is_not_found(place: &impl Place) {
    let registry = place.open();
    registry.commit(&Write { audit: vec![audit("create", "a")], ..puts([entity("a")]) }).unwrap();
    let nul = || Some("\0".to_owned());
    assert_eq!(registry.get("\0", "a").unwrap(), None);
    assert_eq!(registry.get("virtual_key", "a\0").unwrap(), None);
    assert_eq!(registry.kept(&["\0".to_owned()]).unwrap(), [None]);
    for filter in [
        Filter { kind: "\0".to_owned(), ..filter() },
        Filter { search: nul(), ..filter() },
        Filter { team_id: nul(), ..filter() },
        Filter { customer_id: nul(), ..filter() },
    ] {
        assert_eq!(registry.page(&filter).unwrap(), (Vec::new(), 0), "{filter:?}");
    }
    let none = || AuditFilter { limit: 9, ..AuditFilter::default() };
    for filter in [AuditFilter { actor: nul(), ..none() }, AuditFilter { entity_id: nul(), ..none() }] {
        assert_eq!(registry.audit_page(&filter).unwrap(), []);
    }
}

pub(crate) fn who_follows_is_told_of_changes_of_others(place: &impl Place) {
    const LONG: std::time::Duration = std::time::Duration::from_secs(60);
    let (registry, other) = (place.open(), place.open());
    let mut changes = registry.changes();
    assert!(changes.wait(LONG), "what was before is not known");
    assert!(!changes.wait(std::time::Duration::ZERO));
    for number in 1..=3 {
        other.commit(&puts([entity(&number.to_string())])).unwrap();
        assert!(changes.wait(LONG));
        assert!(!changes.wait(std::time::Duration::ZERO));
        assert_eq!(registry.revision().unwrap(), number);
    }
    other.commit(&Write { audit: vec![audit("login", "")], ..Write::default() }).unwrap();
    assert!(!changes.wait(std::time::Duration::ZERO), "no row was changed");
}
