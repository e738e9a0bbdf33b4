//! The reference in `docs/configuration.md` names every field.

use std::collections::BTreeSet;

use super::super::not_yet::NOT_SUPPORTED_YET;
use super::*;

const EVERY_FIELD: &str = include_str!("../../../tests/every-field.json");
const REFERENCE: &str = include_str!("../../../../docs/configuration.md");

/// The names of all fields that are looked for, collected while a file with all of them is read.
fn fields() -> BTreeSet<&'static str> {
    let written: Json = serde_json::from_str(EVERY_FIELD).unwrap();
    let log = Log::new(&written);
    File::read(Node::document(&written, &log));
    let fields = log.looked_for.borrow().clone();
    // The other form of `config_store.config`.
    fields.into_iter().chain(["path"]).collect()
}

#[test]
fn the_file_with_every_field_has_every_field_and_is_right() {
    assert_eq!(errors(&problems(EVERY_FIELD)), Vec::<&str>::new());
    assert_eq!(warnings(&problems(EVERY_FIELD)), Vec::<&str>::new());
    for field in fields().into_iter().filter(|field| *field != "path") {
        assert!(EVERY_FIELD.contains(&format!("\"{field}\":")), "{field} is missing in every-field.json");
    }
}

#[test]
fn every_field_is_in_the_reference() {
    for field in fields() {
        assert!(REFERENCE.contains(&format!("`{field}`")), "`{field}` is missing in docs/configuration.md");
    }
}

#[test]
fn all_that_is_not_supported_yet_is_in_the_reference() {
    for row in NOT_SUPPORTED_YET {
        let name = row.path.trim_end_matches("[]").rsplit('.').find(|name| *name != "*").unwrap();
        assert!(REFERENCE.contains(&format!("`{name}`")), "`{name}` is missing in docs/configuration.md");
    }
}

#[test]
fn the_examples_of_the_reference_are_read() {
    let examples: Vec<_> = REFERENCE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 3);
    for example in examples {
        let found = problems(example);
        assert!(errors(&found).is_empty() && later(&found).is_empty(), "{example}\n{found:#?}");
    }
}
