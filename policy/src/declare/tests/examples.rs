//! Every configuration in `conf/` is right, and can be used.

use std::path::{Path as FilePath, PathBuf};

use super::*;

fn conf() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../conf")
}

fn json_files(folder: &FilePath) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// An environment with sensible base URLs.
fn env(name: &str) -> Option<String> {
    Some(if name.ends_with("_BASE_URL") { "https://example.com".into() } else { format!("value-of-{name}") })
}

#[test]
fn every_example_can_be_used() {
    let is_config = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with("model-prices");
    let files: Vec<_> =
        json_files(&conf()).into_iter().filter(is_config).chain(json_files(&conf().join("examples"))).collect();
    assert!(files.len() >= 5, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, warnings) = read(&text, env, &VOCABULARY).unwrap_or_else(|problems| panic!("{path:?}: {problems:#?}"));
        assert_eq!(warnings, [], "{path:?}");
    }
}

#[test]
fn the_quickstart_has_a_key_for_everything_and_one_for_one_model() {
    let text = std::fs::read_to_string(conf().join("quickstart.json")).unwrap();
    let (file, _) = read(&text, env, &VOCABULARY).unwrap();
    let key = |index: usize| {
        let shape = &file.governance.virtual_keys[index];
        let token = shape.value.as_ref().unwrap();
        (token.reveal(), normal_key(&file, shape.id.as_str()))
    };
    let allows = |key: &crate::key::VirtualKey, provider: &str, model: &str| {
        key.access(provider).allows_model(&model.into(), &model.into())
    };
    let (token, open) = key(0);
    assert_eq!(token, "sk-bf-quickstart");
    for provider in ["openai", "anthropic", "gemini"] {
        assert!(allows(&open, provider, "any-model"), "{provider}");
    }
    let (token, restricted) = key(1);
    assert_eq!(token, "sk-bf-restricted");
    assert!(allows(&restricted, "openai", "gpt-4o-mini"));
    assert!(!allows(&restricted, "openai", "gpt-4o") && !allows(&restricted, "anthropic", "gpt-4o-mini"));
}
