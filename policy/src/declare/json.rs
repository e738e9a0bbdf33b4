//! A JSON document as written: fields in their order, also those written twice, numbers as decimal text.

mod write;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::problem::Problem;

/// One JSON value.
#[derive(Clone, Debug)]
pub(super) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as decimal text.
    Number(Box<str>),
    /// A text.
    Text(Text),
    /// `[…]`
    List(Vec<Self>),
    /// `{…}`
    Object(Vec<(Box<str>, Self)>),
    /// Stands for what could not be had and is reported already. Reading it gives a stand-in and no further problem.
    Nothing,
}

/// A text, perhaps from the environment.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The text, after `env.` is resolved.
    pub(super) text: Box<str>,
    /// The `env.NAME` that stands in the file instead of it. Problems show this, never the variable's value.
    pub(super) reference: Option<Box<str>>,
}

/// Parses a text; what is no JSON is one problem of the whole document.
pub(super) fn parse(text: &str) -> Result<Json, Vec<Problem>> {
    serde_json::from_str(text).map_err(|error| {
        let message = match error.classify() {
            serde_json::error::Category::Eof => format!("not JSON: ends too early, at line {}", error.line()),
            _ => format!("not JSON: {error}"),
        };
        vec![Problem::of_document(message)]
    })
}

impl Json {
    /// The value of a field; of the last one if it is written twice.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().rev().find(|(known, _)| **known == *name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// Whether it is `[]`.
    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self, Self::List(items) if items.is_empty())
    }

    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null | Self::Nothing => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The value as a problem shows it; `None` for lists and objects.
    pub(super) fn shown(&self) -> Option<String> {
        const LONGEST: usize = 80;
        let text = match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.to_string(),
            Self::Text(text) => format!("{:?}", &**text.reference.as_ref().unwrap_or(&text.text)),
            Self::Null | Self::Nothing | Self::List(_) | Self::Object(_) => return None,
        };
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => Some(format!("{}…", text.get(..end).unwrap_or_default())),
            None => Some(text),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    /// The shortest text that stands for the number: what was written, unless that had more than 17 digits.
    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(Text { text: value.into(), reference: None }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            object.push((name.into(), value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_repeated_fields_and_numbers_stay_as_written() {
        let json: Json = serde_json::from_str(r#"{"b": 0.7, "a": 1e-6, "b": 500.00, "c": -3}"#).unwrap();
        let Json::Object(entries) = json else { panic!("no object") };
        let shown: Vec<_> = entries.iter().map(|(name, value)| format!("{name}={}", value.shown().unwrap())).collect();
        assert_eq!(shown, ["b=0.7", "a=0.000001", "b=500", "c=-3"]);
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = Json::Text(Text { text: "ü".repeat(200).into(), reference: None });
        let shown = long.shown().unwrap();
        assert_eq!(shown.chars().count(), 81);
        assert!(shown.ends_with('…'));
    }

    #[test]
    fn a_value_from_the_environment_is_shown_as_its_reference() {
        let secret = Json::Text(Text { text: "secret".into(), reference: Some("env.KEY".into()) });
        assert_eq!(secret.shown().as_deref(), Some("\"env.KEY\""));
    }
}
