//! Tests of the configuration as a whole; each part has its own file.

use super::*;

mod seeds;

/// The vendors as the gateway will give them.
const VOCABULARY: Vocabulary<'static> = Vocabulary {
    vendors: &["openai", "anthropic", "gemini"],
    vendors_later: &["azure", "bedrock", "vertex", "cohere", "groq", "mistral", "ollama", "sgl", "vllm"],
    check_base_url: |_, url| {
        if url.starts_with("http://") || url.starts_with("https://") { Ok(()) } else { Err("no URL".into()) }
    },
};

/// An environment in which every variable is set.
fn full_env(name: &str) -> Option<String> {
    Some(format!("value-of-{name}"))
}

fn read_text(json: &str) -> Result<(File, Vec<Problem>), Vec<Problem>> {
    read(json, full_env, &VOCABULARY)
}

/// The problems of a configuration, one a line, with their severity.
fn problems(json: &str) -> Vec<String> {
    let problems = match read_text(json) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    let severity = |problem: &Problem| match problem.severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
        Severity::NotSupportedYet => "later: ",
    };
    problems.iter().map(|problem| format!("{}{problem}", severity(problem))).collect()
}
