//! Tests of reading from disk and of what is printed.

use super::*;

fn printed(text: &str) -> String {
    read_text("config.json", text, &|_| None).unwrap_err().to_string()
}

#[test]
fn every_problem_has_its_own_line_with_the_file() {
    let text = r#"{
        "client": {"drain_ms": "soon"},
        "governance": {"virtual_keys": [{"id": "a", "name": "a", "provider_configs": [{"allowed_model": []}]}]}
    }"#;
    assert_eq!(
        printed(text),
        "config.json: client.drain_ms = \"soon\": expected a whole number, found a text\n\
         config.json: governance.virtual_keys[0].provider_configs[0].allowed_model: \
         unknown field; did you mean `allowed_models`?\n\
         config.json: governance.virtual_keys[0].provider_configs[0].provider: required, but missing"
    );
}

#[test]
fn a_syntax_error_has_its_line_and_column() {
    assert_eq!(printed("{\n  \"client\": {,}\n}"), "config.json: not JSON: key must be a string at line 2 column 14");
}

#[test]
fn a_base_url_is_checked_and_not_repeated() {
    let text = r#"{"providers": {"openai": {
        "keys": [{"name": "a", "value": "b"}], "network_config": {"base_url": "https://me:secret@host"}
    }}}"#;
    let printed = printed(text);
    assert!(printed.starts_with("config.json: providers.openai.network_config.base_url: must not"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("no/such/config.json")).unwrap_err().to_string();
    assert!(error.starts_with("no/such/config.json: cannot be read: "), "{error}");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(MAX_BYTES + 1).unwrap();
    let error = load(file.path()).unwrap_err().to_string();
    assert!(error.ends_with(": larger than 16 MiB"), "{error}");
}

#[test]
fn warnings_do_not_keep_a_configuration_from_being_served() {
    let text = r#"{"governance": {"virtual_keys": [
        {"id": "a", "name": "a", "provider_configs": [{"provider": "openai"}]}
    ]}}"#;
    let loaded = read_text("config.json", text, &|_| None).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.file.governance.virtual_keys.len(), 1);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_another_one_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, "{}").unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.stamp, Stamp::of(&path));
    std::fs::write(&path, r#"{"client": {}}"#).unwrap();
    assert!(loaded.stamp.is_some() && loaded.stamp != Stamp::of(&path));
}
