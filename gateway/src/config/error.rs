//! Why a configuration cannot be served, as it is printed.

use std::error::Error;
use std::fmt;

use policy::declare::Problem;

/// Everything that keeps a configuration from being served.
#[derive(Debug)]
pub(crate) struct ConfigError {
    name: String,
    problems: Vec<Problem>,
    /// What is wrong with the file as such.
    other: Option<String>,
}

impl ConfigError {
    /// The problems of a file's content.
    pub(crate) fn new(name: &str, problems: Vec<Problem>) -> Self {
        Self { name: name.to_owned(), problems, other: None }
    }

    /// Something else that is wrong with the file.
    pub(crate) fn other(name: &str, message: &str) -> Self {
        Self { name: name.to_owned(), problems: Vec::new(), other: Some(message.to_owned()) }
    }
}

/// One line for each problem: `config.json: path = value: message`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, problems, other } = self;
        let line = |problem: &Problem| {
            let severity = if problem.is_warning() { "warning: " } else { "" };
            format!("{name}: {severity}{problem}")
        };
        let mut lines: Vec<_> = problems.iter().map(line).collect();
        lines.extend(other.as_ref().map(|message| format!("{name}: {message}")));
        f.write_str(&lines.join("\n"))
    }
}

impl Error for ConfigError {}
