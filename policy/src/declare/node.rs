//! Typed reading of a document. A value that is wrong is noted in the log and replaced by a stand-in,
//! so that one pass finds every mistake and the cross-checks still run.

use super::json::Json;
use super::nearest::hint;
use super::not_yet;
use super::path::Path;
use super::problem::Log;

/// A value of the document, with its place and the log.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    /// The value.
    pub(super) json: &'a Json,
    /// Its place.
    pub(super) path: Path<'a>,
    /// Where problems are noted.
    pub(super) log: &'a Log<'a>,
}

/// What can be read from a [`Node`].
pub(super) trait Read: Sized {
    /// The value, or a stand-in after a problem was noted.
    fn read(node: Node<'_>) -> Self;
}

static NOTHING: Json = Json::Nothing;

impl<'a> Node<'a> {
    /// The whole document.
    pub(super) fn document(json: &'a Json, log: &'a Log<'a>) -> Self {
        Self { json, path: Path::Root, log }
    }

    /// Notes an error about this value.
    pub(super) fn error(&self, message: impl Into<String>) {
        self.log.error(self.path, message);
    }

    /// Notes that the value is not of the expected kind. A list or an object that was expected may hold secrets,
    /// so what stands in its place is not shown.
    pub(super) fn wrong_kind(&self, expected: &str) {
        let message = format!("expected {expected}, found {}", self.json.kind());
        match self.json {
            Json::Nothing => {}
            _ if expected.contains("list") || expected.contains("object") => {
                self.log.error_about_secret(self.path, message);
            }
            _ => self.error(message),
        }
    }

    /// Reads an object. `build` asks for its fields; those that it does not ask for are unknown.
    pub(super) fn object<T>(self, build: impl FnOnce(&mut Fields<'_>) -> T) -> T {
        let entries: &[(Box<str>, Json)] = match self.json {
            Json::Object(entries) => entries,
            _ => {
                self.wrong_kind("an object");
                &[]
            }
        };
        let mut fields = Fields { node: self, entries, known: Vec::new() };
        let value = build(&mut fields);
        fields.finish();
        value
    }

    /// Reads an object whose field names are free, in the order of the file. A name that stands twice is an error.
    pub(super) fn map<T>(self, mut read: impl FnMut(&str, Node<'_>) -> T) -> Vec<T> {
        let Json::Object(entries) = self.json else {
            self.wrong_kind("an object");
            return Vec::new();
        };
        let mut seen = std::collections::HashSet::new();
        let mut values = Vec::with_capacity(entries.len());
        for (name, json) in entries {
            let node = Node { json, path: self.path.field(name), log: self.log };
            if seen.insert(&**name) {
                values.push(read(name, node));
            } else {
                self.log.error_about_secret(node.path, "this name stands here twice");
            }
        }
        values
    }

    /// Reads a list.
    pub(super) fn list<T>(self, mut read: impl FnMut(Node<'_>) -> T) -> Vec<T> {
        let Json::List(items) = self.json else {
            self.wrong_kind("a list");
            return Vec::new();
        };
        let read_item = |(index, json)| read(Node { json, path: self.path.item(index), log: self.log });
        items.iter().enumerate().map(read_item).collect()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: Node<'_>) -> Self {
        node.list(T::read)
    }
}

/// The fields of an object while it is read.
pub(super) struct Fields<'a> {
    node: Node<'a>,
    entries: &'a [(Box<str>, Json)],
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Reads a field with a function. `None` when it is absent or `null`.
    pub(super) fn with<T>(&mut self, name: &'static str, read: impl FnOnce(Node<'_>) -> T) -> Option<T> {
        let json = self.find(name)?;
        match json {
            Json::Null | Json::Nothing => None,
            _ => Some(read(Node { json, path: self.node.path.field(name), log: self.node.log })),
        }
    }

    /// Reads a field. `None` when it is absent or `null`.
    pub(super) fn optional<T: Read>(&mut self, name: &'static str) -> Option<T> {
        self.with(name, T::read)
    }

    /// Reads a field that has a default.
    pub(super) fn or<T: Read>(&mut self, name: &'static str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// Reads a list that is empty when absent.
    pub(super) fn list<T: Read>(&mut self, name: &'static str) -> Vec<T> {
        self.optional(name).unwrap_or_default()
    }

    /// Reads a section: absent, it is read as an empty object.
    pub(super) fn section<T: Read>(&mut self, name: &'static str) -> T {
        static EMPTY: Json = Json::Object(Vec::new());
        match self.optional(name) {
            Some(section) => section,
            None => T::read(Node { json: &EMPTY, path: self.node.path.field(name), log: self.node.log }),
        }
    }

    /// Reads a field that must be there.
    pub(super) fn required<T: Read>(&mut self, name: &'static str) -> T {
        let path = self.node.path;
        let log = self.node.log;
        let json = match self.find(name) {
            Some(json) => json,
            None => {
                // An object that is none itself was reported already.
                if matches!(self.node.json, Json::Object(_)) {
                    log.error(path.field(name), "required, but missing");
                }
                &NOTHING
            }
        };
        T::read(Node { json, path: path.field(name), log })
    }

    /// Reads a field that must be there with a function.
    pub(super) fn required_with<T>(&mut self, name: &'static str, read: impl FnOnce(Node<'_>) -> T) -> T {
        let (path, log) = (self.node.path, self.node.log);
        let json = self.find(name).filter(|json| !matches!(json, Json::Null));
        if json.is_none() && matches!(self.node.json, Json::Object(_)) {
            log.error(path.field(name), "required, but missing");
        }
        read(Node { json: json.unwrap_or(&NOTHING), path: path.field(name), log })
    }

    /// Reads a field of which `null` means something else than being absent: `None` when absent.
    pub(super) fn nullable<T: Read>(&mut self, name: &'static str) -> Option<Option<T>> {
        match self.find(name)? {
            Json::Null => Some(None),
            json => Some(Some(T::read(Node { json, path: self.node.path.field(name), log: self.node.log }))),
        }
    }

    /// Reads a list or map under either of two names, of which the first is preferred.
    pub(super) fn either<T: Read>(&mut self, name: &'static str, synonym: &'static str) -> Option<T> {
        let first = self.optional(name);
        let second = self.optional(synonym);
        if first.is_some() && second.is_some() {
            let message = format!("means the same as `{name}`: write only one of them");
            self.node.log.error(self.node.path.field(synonym), message);
        }
        first.or(second)
    }

    /// Whether the document is an entity in the normal form.
    pub(super) fn is_normal(&self) -> bool {
        self.node.log.is_normal()
    }

    /// Whether a field of such a name is there, known or not.
    pub(super) fn any(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.entries.iter().any(|(name, _)| is_wanted(name))
    }

    fn find(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        #[cfg(test)]
        self.node.log.looked_for.borrow_mut().insert(name);
        self.entries.iter().rev().find(|(known, _)| **known == *name).map(|(_, json)| json)
    }

    fn finish(self) {
        let Node { path, log, .. } = self.node;
        for (place, (name, _)) in self.entries.iter().enumerate() {
            if self.entries.iter().take(place).any(|(earlier, _)| earlier == name) {
                log.error_about_secret(path.field(name), "this field stands here twice");
            } else if !self.known.contains(&&**name) {
                let later = not_yet::fields_of(log.kind(), path);
                if !later.contains(&&**name) {
                    let known = self.known.iter().copied().chain(later.iter().copied());
                    log.error_about_secret(path.field(name), format!("unknown field{}", hint(name, known)));
                }
            }
        }
    }
}
