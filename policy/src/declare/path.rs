//! Places in a JSON document, built on the stack while it is walked.

use std::fmt;

use super::json::Json;

/// A place in a JSON document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    /// The document itself.
    Root,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of a list, from 0.
    Item(&'a Path<'a>, usize),
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Into a field.
    Field(&'a str),
    /// Into an item.
    Item(usize),
}

impl<'a> Path<'a> {
    /// The place of a field in here.
    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    /// The place of an item in here.
    pub(super) fn item(&'a self, index: usize) -> Self {
        Self::Item(self, index)
    }

    /// The steps from the document to here.
    pub(super) fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut here = self;
        loop {
            match here {
                Self::Root => break,
                Self::Field(parent, name) => {
                    steps.push(Step::Field(name));
                    here = parent;
                }
                Self::Item(parent, index) => {
                    steps.push(Step::Item(*index));
                    here = parent;
                }
            }
        }
        steps.reverse();
        steps
    }

    /// What stands here, and a position by which places sort in the order of the document.
    /// The place of a field that is missing comes after the fields that are there.
    pub(super) fn locate<'j>(&self, document: &'j Json) -> (Option<&'j Json>, Vec<usize>) {
        let mut here = Some(document);
        let mut position = Vec::new();
        for step in self.steps() {
            let (next, place) = match (here, step) {
                (Some(Json::Object(entries)), Step::Field(name)) => {
                    let place = entries.iter().rposition(|(known, _)| **known == *name);
                    let value = place.and_then(|place| entries.get(place)).map(|(_, value)| value);
                    (value, place.unwrap_or(entries.len()))
                }
                (Some(Json::List(items)), Step::Item(index)) => (items.get(index), index),
                _ => (None, 0),
            };
            position.push(place);
            here = next;
        }
        (here, position)
    }
}

/// `governance.virtual_keys[2].name`; a name that would be misread stands in brackets: `providers["a.b"]`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'))
        };
        for (place, step) in self.steps().into_iter().enumerate() {
            match step {
                Step::Field(name) if is_plain(name) && place == 0 => f.write_str(name)?,
                Step::Field(name) if is_plain(name) => write!(f, ".{name}")?,
                Step::Field(name) => write!(f, "[{name:?}]")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_a_person_would() {
        let (root, name) = (Path::Root, "a.b");
        let providers = root.field("providers");
        let odd = providers.field(name);
        let keys = odd.field("keys");
        assert_eq!(keys.item(2).field("value").to_string(), r#"providers["a.b"].keys[2].value"#);
        assert_eq!(root.to_string(), "");
    }

    #[test]
    fn places_sort_as_in_the_document() {
        let document: Json = serde_json::from_str(r#"{"b": [1, 2], "a": 3}"#).unwrap();
        let root = Path::Root;
        let b = root.field("b");
        let (value, second) = b.item(1).locate(&document);
        assert_eq!(value.and_then(Json::shown).as_deref(), Some("2"));
        assert!(second < root.field("a").locate(&document).1);
        assert!(root.field("a").locate(&document).1 < root.field("missing").locate(&document).1);
    }
}
