//! The file with every field, wrong in every place.

use serde_json::{Value, json};

use super::*;

fn every_field() -> Value {
    serde_json::from_str(include_str!("../../../tests/every-field.json")).unwrap()
}

/// The pointers of all values in a document.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            places(value, &format!("{here}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{here}/{index}"), found));
        }
        _ => {}
    }
}

fn all_places() -> Vec<String> {
    let mut found = Vec::new();
    places(&every_field(), "", &mut found);
    assert!(found.len() > 150);
    found
}

fn error_count(document: &Value) -> usize {
    errors(&problems(&document.to_string())).len()
}

#[test]
fn whatever_stands_in_a_place_it_is_read_without_a_panic() {
    for place in all_places() {
        for wrong in [json!(null), json!(true), json!(-1.5), json!("x"), json!([[]]), json!({"x": {}}), json!("env.X")]
        {
            let mut document = every_field();
            *document.pointer_mut(&place).unwrap() = wrong;
            error_count(&document);
        }
    }
}

#[test]
fn what_is_of_the_wrong_kind_is_always_an_error() {
    for place in all_places() {
        let mut document = every_field();
        let value = document.pointer_mut(&place).unwrap();
        *value = if value.is_object() { json!(true) } else { json!({}) };
        assert!(error_count(&document) > 0, "{place}");
    }
}

/// Objects whose field names are free.
const FREE: [&str; 6] =
    ["providers", "aliases", "deployments", "extra_headers", "required_headers", "allowed_requests"];

#[test]
fn an_unknown_field_is_an_error_in_every_object() {
    for place in all_places() {
        let mut document = every_field();
        let is_free = place == "/providers" || FREE.iter().any(|name| place.ends_with(name));
        match document.pointer_mut(&place).unwrap() {
            Value::Object(fields) if !is_free => fields.insert("qqq".into(), json!("canary-4711")),
            _ => continue,
        };
        let problems = problems(&document.to_string());
        let errors = errors(&problems);
        assert_eq!(errors.len(), 1, "{place}: {errors:#?}");
        assert!(errors[0].contains("qqq: unknown field") && !errors[0].contains("canary"), "{errors:#?}");
    }
}
