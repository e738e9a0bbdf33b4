//! JSON schemas as Anthropic takes them for structured output and strict tools
//! (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>, 2026-11): objects are closed, and
//! bounds are told in the description, as Anthropic's SDKs do it.

use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::{Json, Str};
use crate::json::Kind;

/// The formats of strings that Anthropic knows.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The schema as Anthropic takes it. `None`: it has objects whose members have no names, which Anthropic cannot hold to a schema.
pub(super) fn closed(schema: &Json<'_>) -> Option<Json<'static>> {
    let (mut sink, mut is_open) = (Sink::default(), false);
    write(&mut sink, &mut Source::of(schema.raw()), &mut is_open).ok().filter(|()| !is_open)?;
    Json::checked(String::from_utf8(sink.into_bytes()).ok()?)
}

fn write(sink: &mut Sink, source: &mut Source<'_>, is_open: &mut bool) -> Result<()> {
    if source.kind()? != Kind::Object {
        sink.json(&source.json()?);
        return Ok(());
    }
    let mut written = Ok(());
    sink.object(|sink| {
        let mut level = Level::default();
        written = source.members(|source, name| level.member(sink, source, name, is_open));
        *is_open |= level.finish(sink);
    });
    written
}

/// What is known of one object of a schema.
#[derive(Debug, Default)]
struct Level<'a> {
    is_object: bool,
    has_properties: bool,
    takes_others: bool,
    description: Option<Str<'a>>,
    /// Bounds, as `minimum: 1`.
    bounds: Vec<String>,
}

impl<'a> Level<'a> {
    fn member(&mut self, sink: &mut Sink, source: &mut Source<'a>, name: &str, is_open: &mut bool) -> Result<()> {
        match name {
            "properties" | "$defs" | "definitions" if source.kind()? == Kind::Object => {
                self.has_properties |= name == "properties";
                named(sink.key(name), source, is_open)
            }
            "items" => write(sink.key(name), source, is_open),
            "anyOf" | "allOf" | "oneOf" if source.kind()? == Kind::Array => {
                list(sink.key(if name == "oneOf" { "anyOf" } else { name }), source, is_open)
            }
            "description" if source.kind()? == Kind::String => {
                self.description = Some(source.text()?);
                Ok(())
            }
            "$schema" | "$id" | "$comment" => source.skip(),
            _ => {
                self.value(sink, name, &source.json()?);
                Ok(())
            }
        }
    }

    fn value(&mut self, sink: &mut Sink, name: &str, value: &Json<'_>) {
        match name {
            "additionalProperties" => self.takes_others = !value.is("false") && !value.is("true"),
            "type" => {
                self.is_object = value.raw().contains("\"object\"");
                sink.json_member(name, value);
            }
            _ if is_taken(name, value) => sink.json_member(name, value),
            _ => self.bounds.push(format!("{name}: {}", value.raw())),
        }
    }

    /// Writes what stands last. Whether the object is one whose members have no names.
    fn finish(self, sink: &mut Sink) -> bool {
        if self.is_object || self.has_properties {
            sink.flag_member("additionalProperties", false);
        }
        let bounds = self.bounds.join(", ");
        let bounds = Str::of(&bounds);
        match self.description {
            Some(description) if bounds.is_empty() => sink.text_member("description", &description),
            Some(mut description) => {
                description.push(&Str::raw_of(" ("));
                description.push(&bounds);
                description.push(&Str::raw_of(")"));
                sink.text_member("description", &description);
            }
            None if bounds.is_empty() => {}
            None => sink.text_member("description", &bounds),
        }
        self.is_object && !self.has_properties && self.takes_others
    }
}

fn named(sink: &mut Sink, source: &mut Source<'_>, is_open: &mut bool) -> Result<()> {
    let mut written = Ok(());
    sink.object(|sink| written = source.members(|source, name| write(sink.key(name), source, is_open)));
    written
}

fn list(sink: &mut Sink, source: &mut Source<'_>, is_open: &mut bool) -> Result<()> {
    let mut written = Ok(());
    sink.array(|sink| written = source.elements(|source| write(sink, source, is_open)));
    written
}

/// Whether Anthropic takes a keyword with this value.
fn is_taken(name: &str, value: &Json<'_>) -> bool {
    match name {
        "$ref" | "const" | "default" | "enum" | "pattern" | "required" | "title" => true,
        "format" => FORMATS.iter().any(|format| value.raw().trim_matches('"') == *format),
        "minItems" => value.is("0") || value.is("1"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn closed_value(schema: &Value) -> Option<Value> {
        let schema = Json::checked(schema.to_string()).unwrap();
        closed(&schema).map(|closed| serde_json::from_str(closed.raw()).unwrap())
    }

    #[test]
    fn what_anthropic_takes_stays() {
        let schema = json!({
            "$defs": {"b": {"type": "object", "properties": {}, "additionalProperties": false}},
            "type": "object", "title": "T", "description": "d",
            "properties": {
                "a": {"type": "string", "format": "date", "enum": ["x"]},
                "b": {"$ref": "#/$defs/b"},
                "c": {"type": ["array", "null"], "items": {"type": "integer"}, "minItems": 1},
                "d": {"anyOf": [{"type": "null"}, {"const": 1}]},
                "e": true,
            },
            "required": ["a"], "additionalProperties": false,
        });
        assert_eq!(closed_value(&schema).unwrap(), schema);
    }

    #[test]
    fn objects_are_closed_and_bounds_told() {
        let schema = json!({
            "$schema": "s", "type": "object", "additionalProperties": true,
            "properties": {
                "n": {"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"},
                "s": {"type": "string", "format": "phone", "minLength": 2},
                "l": {"type": "array", "minItems": 2, "items": {"properties": {}}},
                "o": {"oneOf": [{"type": "object", "properties": {"x": {}}}]},
            },
        });
        let expected = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "n": {"type": "integer", "description": "A number (maximum: 10, minimum: 1)"},
                "s": {"type": "string", "description": "format: \"phone\", minLength: 2"},
                "l": {"type": "array", "items": {"properties": {}, "additionalProperties": false}, "description": "minItems: 2"},
                "o": {"anyOf": [{"type": "object", "properties": {"x": {}}, "additionalProperties": false}]},
            },
        });
        assert_eq!(closed_value(&schema).unwrap(), expected);
    }

    #[test]
    fn members_without_names_cannot_be_held_to_a_schema() {
        let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
        assert_eq!(closed_value(&json!({"type": "object", "properties": {"m": map}})), None);
    }
}
