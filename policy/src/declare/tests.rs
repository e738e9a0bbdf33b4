//! Tests of the configuration as a whole; each part has its own file.

use super::entity::Shape;
use super::*;

mod compile;
mod documented;
mod entities;
mod environment;
mod examples;
mod limits;
mod merge;
mod mistakes;
mod mutations;
mod prices;
mod references;
mod rules;
mod seeds;
mod servers;
mod supported;

/// The vendors as the gateway gives them.
const VOCABULARY: Vocabulary<'static> = Vocabulary {
    vendors: &["openai", "anthropic", "gemini", "groq", "mistral", "fireworks", "ollama", "sgl", "vllm", "databricks"],
    without_address: &["ollama", "sgl", "vllm", "databricks"],
    self_hosted: &["ollama", "sgl", "vllm"],
    vendors_later: &["azure", "bedrock", "cohere", "vertex"],
    check_base_url: |_, url| {
        if url.starts_with("http://") || url.starts_with("https://") { Ok(()) } else { Err("no base URL".into()) }
    },
};

/// An environment in which every variable is set.
fn full_env(name: &str) -> Option<String> {
    Some(format!("value-of-{name}"))
}

fn read_text(json: &str) -> Result<(File, Vec<Problem>), Vec<Problem>> {
    read(json, full_env, &VOCABULARY)
}

/// A configuration without any problem.
fn right(json: &str) -> File {
    let (file, warnings) = read_text(json).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(warnings, []);
    file
}

const WARNING: &str = "warning: ";
const LATER: &str = "later: ";

/// The problems of a configuration, one a line, with their severity.
fn problems(json: &str) -> Vec<String> {
    lines(match read_text(json) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    })
}

fn lines(problems: Vec<Problem>) -> Vec<String> {
    let severity = |problem: &Problem| match problem.severity {
        Severity::Error => "",
        Severity::Warning => WARNING,
        Severity::NotSupportedYet => LATER,
    };
    problems.iter().map(|problem| format!("{}{problem}", severity(problem))).collect()
}

fn errors(problems: &[String]) -> Vec<&str> {
    problems.iter().map(|line| &**line).filter(|line| !line.starts_with(WARNING) && !line.starts_with(LATER)).collect()
}

fn warnings(problems: &[String]) -> Vec<&str> {
    problems.iter().filter_map(|line| line.strip_prefix(WARNING)).collect()
}

fn later(problems: &[String]) -> Vec<&str> {
    problems.iter().filter_map(|line| line.strip_prefix(LATER)).collect()
}

/// An entity of a file in the normal form, as decisions see it.
fn normal<T>(file: &File, id: &str, of: impl Fn(&Shape) -> Option<T>) -> T {
    let found = file.entities().into_iter().find_map(|one| (one.shape.id() == id).then(|| of(&one.shape)).flatten());
    found.unwrap_or_else(|| panic!("no {id}"))
}

fn normal_key(file: &File, id: &str) -> crate::key::VirtualKey {
    normal(file, id, |shape| if let Shape::VirtualKey(key) = shape { Some(key.to_policy()) } else { None })
}

fn normal_team(file: &File, id: &str) -> crate::snapshot::Team {
    normal(file, id, |shape| if let Shape::Team(team) = shape { Some(team.to_policy()) } else { None })
}

fn normal_customer(file: &File, id: &str) -> crate::snapshot::Customer {
    normal(file, id, |shape| if let Shape::Customer(one) = shape { Some(one.to_policy()) } else { None })
}

/// A file with one virtual key, to which `fields` are added.
fn with_key(fields: &str) -> String {
    format!(
        r#"{{"providers": {{"openai": {{"keys": [{{"name": "main", "value": "sk"}}]}}}},
            "governance": {{"virtual_keys": [{{"id": "vk", "name": "vk", "value": "token", {fields}}}]}}}}"#
    )
}
