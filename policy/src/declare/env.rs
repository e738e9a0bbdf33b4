//! Resolves `env.NAME` wherever a text stands, before anything else is read.

use super::json::{Json, Text};
use super::path::Path;
use super::problem::Log;

const PREFIX: &str = "env.";

/// The document with every `env.NAME` replaced by the variable's value. What cannot be had is noted in the log.
pub(super) fn resolve(document: &Json, env: &dyn Fn(&str) -> Option<String>, log: &Log<'_>) -> Json {
    resolve_at(document, Path::Root, env, log)
}

/// Whether anything is to be resolved.
pub(super) fn has_reference(json: &Json) -> bool {
    match json {
        Json::Text(written) => variable(&written.text).is_some(),
        Json::List(items) => items.iter().any(has_reference),
        Json::Object(entries) => entries.iter().any(|(_, value)| has_reference(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Nothing => false,
    }
}

fn resolve_at(json: &Json, path: Path<'_>, env: &dyn Fn(&str) -> Option<String>, log: &Log<'_>) -> Json {
    match json {
        Json::Text(written) => match variable(&written.text) {
            Some(name) => resolve_one(&written.text, name, path, env, log),
            None => json.clone(),
        },
        Json::List(items) => {
            let resolved = items.iter().enumerate().map(|(index, item)| resolve_at(item, path.item(index), env, log));
            Json::List(resolved.collect())
        }
        Json::Object(entries) => {
            let resolve_entry =
                |(name, value): &(Box<str>, Json)| (name.clone(), resolve_at(value, path.field(name), env, log));
            Json::Object(entries.iter().map(resolve_entry).collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Nothing => json.clone(),
    }
}

/// The variable that a text names: all after `env.`, unless that has blanks, as prose has.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|name| !name.contains(char::is_whitespace))
}

fn resolve_one(
    reference: &str,
    name: &str,
    path: Path<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    log: &Log<'_>,
) -> Json {
    // No system lets a variable have such a name; asking for it may even panic.
    let value = if name.is_empty() || name.contains(['=', '\0']) { None } else { env(name) };
    match value {
        Some(text) if !text.is_empty() => {
            return Json::Text(Text { text: text.into(), reference: Some(reference.into()) });
        }
        Some(_) => log.error(path, format!("the environment variable `{name}` is empty")),
        None if name.is_empty() => log.error(path, "names no environment variable"),
        None => log.error(path, format!("the environment variable `{name}` is not set")),
    }
    Json::Nothing
}
