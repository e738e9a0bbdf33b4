//! Fixtures that are read and written back, and what other formats' conversations become.

mod answers;
mod foreign;
mod requests;
mod streams;

use serde_json::Value;

use crate::translate::Context;

/// The fixtures with this ending: the name of each, and its text in one line where it is a document.
fn fixtures(ending: &str) -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/generate");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = if ending.ends_with("json") { json(&text).to_string() } else { text };
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{ending}");
    found
}

fn fixture(name: &str) -> String {
    fixtures(name).into_iter().find(|(found, _)| found == name).unwrap().1
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Of a client that asked for thoughts.
fn context() -> Context {
    Context {
        request_id: "req-1".to_owned(),
        model: "m".to_owned(),
        asked: br#"{"generation_config":{"thinkingConfig":{"include_thoughts":true}}}"#.as_slice().into(),
        ..Context::default()
    }
}
