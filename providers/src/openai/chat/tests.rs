//! Fixtures read, written and read again; what vendors do otherwise; speed is measured by the benchmark.

use super::*;

mod answers;
mod requests;
mod streams;

/// A fixture's text.
fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/chat/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of all fixtures that end so.
fn fixtures(end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("{}/fixtures/chat", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(end));
    names.sort();
    assert!(!names.is_empty());
    names
}
