//! What is wrong with a configuration, and the log in which it is collected while everything is read.

use std::cell::RefCell;
use std::fmt;

use super::entity::Kind;
use super::json::Json;
use super::path::Path;

/// One thing that is wrong, or questionable, in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `governance.virtual_keys[2].provider_configs[0].weight`. Empty for the document itself.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong. Never contains a secret.
    pub message: String,
    /// The offending value as JSON, where it is short and no secret. A value from the environment is shown as `env.NAME`.
    pub value: Option<String>,
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but perhaps does not do what was meant.
    Warning,
    /// The configuration is right, but asks for what is not built yet; it cannot be used.
    NotSupportedYet,
}

impl Problem {
    /// A problem of the document as a whole.
    pub(super) fn of_document(message: String) -> Self {
        Self { path: String::new(), severity: Severity::Error, message, value: None }
    }

    /// Whether the configuration can be used all the same.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }
}

/// `path = value: message`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.path, &self.value) {
            ("", _) => f.write_str(&self.message),
            (path, Some(value)) => write!(f, "{path} = {value}: {}", self.message),
            (path, None) => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Collects the problems of one document.
pub(super) struct Log<'a> {
    document: &'a Json,
    /// What the document is; `None`: a whole file.
    kind: Option<Kind>,
    /// Whether it was taken already, and what it refers to may have changed since.
    is_kept: bool,
    found: RefCell<Vec<(Vec<usize>, Problem)>>,
    /// The names of all fields that were looked for, so that a test can compare them with the documentation.
    #[cfg(test)]
    pub(super) looked_for: RefCell<std::collections::BTreeSet<&'static str>>,
}

impl<'a> Log<'a> {
    /// An empty log for a document.
    pub(super) fn new(document: &'a Json) -> Self {
        Self {
            document,
            kind: None,
            is_kept: false,
            found: RefCell::default(),
            #[cfg(test)]
            looked_for: RefCell::default(),
        }
    }

    /// An empty log for the document of one entity.
    pub(super) fn of_entity(document: &'a Json, kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::new(document) }
    }

    /// An empty log for the document of one entity that was taken already.
    pub(super) fn of_kept(document: &'a Json, kind: Kind) -> Self {
        Self { is_kept: true, ..Self::of_entity(document, kind) }
    }

    /// What the document is; `None`: a whole file.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether the document is an entity in the normal form.
    pub(super) fn is_normal(&self) -> bool {
        self.kind.is_some()
    }

    /// The same log, going on with another form of the same document.
    pub(super) fn onto(self, document: &'a Json) -> Self {
        Self { document, ..self }
    }

    /// What stands at `path`, and a position by which places sort.
    pub(super) fn locate(&self, path: Path<'_>) -> (Option<&'a Json>, Vec<usize>) {
        path.locate(self.document)
    }

    /// Where in the list at `path` a text stands.
    pub(super) fn index_of(&self, path: Path<'_>, text: &str) -> Option<usize> {
        match self.locate(path).0 {
            Some(Json::List(items)) => items.iter().position(|item| item.as_text() == Some(text)),
            _ => None,
        }
    }

    /// Notes an error about the value at `path`, and shows the value.
    pub(super) fn error(&self, path: Path<'_>, message: impl Into<String>) {
        self.note(path, Severity::Error, message.into(), true);
    }

    /// Notes that the value at `path` does not fit what it refers to: an error for who writes it, and a warning where it is kept already,
    /// as what it refers to may be changed without it.
    pub(super) fn misfit(&self, path: Path<'_>, message: impl Into<String>) {
        let severity = if self.is_kept { Severity::Warning } else { Severity::Error };
        self.note(path, severity, message.into(), true);
    }

    /// Notes an error about the value at `path`, which may be a secret.
    pub(super) fn error_about_secret(&self, path: Path<'_>, message: impl Into<String>) {
        self.note(path, Severity::Error, message.into(), false);
    }

    /// Notes a warning about the value at `path`, and shows the value.
    pub(super) fn warning(&self, path: Path<'_>, message: impl Into<String>) {
        self.note(path, Severity::Warning, message.into(), true);
    }

    /// Notes that what `path` asks for is not built yet.
    pub(super) fn not_yet(&self, path: Path<'_>, what: &str) {
        self.note(path, Severity::NotSupportedYet, format!("not supported yet: {what}"), false);
    }

    fn note(&self, path: Path<'_>, severity: Severity, message: String, show: bool) {
        let (value, position) = self.locate(path);
        let value = value.filter(|_| show).and_then(Json::shown);
        self.found.borrow_mut().push((position, Problem { path: path.to_string(), severity, message, value }));
    }

    /// The problems in the order of the document.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        found.into_iter().map(|(_, problem)| problem).collect()
    }
}
