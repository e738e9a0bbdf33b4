//! The document of the API is what is checked in, and the routes are what it says.

use serde_json::Value;

use crate::support::{FILE, Scene};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[tokio::test]
async fn the_document_is_the_one_that_is_checked_in() {
    let scene = Scene::new(FILE);
    let served = scene.get("/api/openapi.json").await.is(200).json();
    let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == text, "openapi.json is not what the code says: UPDATE_GOLDEN=1 cargo test -p admin document");
}

#[tokio::test]
async fn each_operation_of_the_document_is_there() {
    let scene = Scene::new(FILE);
    let document = scene.get("/api/openapi.json").await.is(200).json();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            count += 1;
            let path = path.replace("{run}", "9").replace("{number}", "9").replace('{', "no-").replace('}', "");
            let method = method.to_uppercase();
            let answer = scene.ask(&method, &path).json("{}").send().await;
            let told = operation["responses"].as_object().unwrap();
            assert!(told.contains_key(answer.status.as_str()), "{method} {path}: {} is not told", answer.status);
            assert_ne!(answer.status.as_u16(), 405, "{method} {path}");
            let nothing_there = answer.text.contains("there is nothing at");
            assert!(!nothing_there, "{method} {path}");
        }
    }
    assert!(count > 60, "{count}");
}

#[tokio::test]
async fn what_a_new_one_needs_is_said_by_the_shape_of_its_body_and_asked_for() {
    let scene = Scene::new(FILE);
    let document = scene.get("/api/openapi.json").await.is(200).json();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let body = &item["post"]["requestBody"]["content"]["application/json"]["schema"]["allOf"];
        for needs in body.as_array().into_iter().flatten().skip(1) {
            count += 1;
            let first = needs["required"].as_array().or_else(|| needs["anyOf"][0]["required"].as_array()).unwrap();
            let message = scene.post(&path.replace("{provider}", "openai"), "{}").await.is(400).text;
            assert!(message.contains(first[0].as_str().unwrap()), "{path}: {message}");
        }
        assert!(item["put"]["requestBody"]["content"]["application/json"]["schema"]["allOf"].is_null(), "{path}");
    }
    assert_eq!(count, 10);
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(admin::document()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|one| one["operationId"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(document["openapi"], "3.1.0");
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, references));
        }
        _ => {}
    }
}
