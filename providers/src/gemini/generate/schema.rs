//! Gemini's own schemas, a subset of OpenAPI 3.0 with types in capitals (<https://ai.google.dev/api/caching#Schema>, 2026-11), as
//! JSON schemas: everyone else has those.

use super::names::{members, one_or_many, word};
use crate::hub::sink::Sink;
use crate::hub::source::{ReadError, Result, Source};
use crate::hub::text::Json;
use crate::json::Kind;

/// Schemas within schemas, at most.
const MAX_DEPTH: usize = 64;

/// Reads a schema as the JSON schema that it means. `None`: it is null.
pub(super) fn read(source: &mut Source<'_>) -> Result<Option<Json<'static>>> {
    if source.is_null()? {
        return Ok(None);
    }
    let mut sink = Sink::default();
    schema(source, &mut sink, MAX_DEPTH)?;
    let text = String::from_utf8(sink.into_bytes()).unwrap_or_default();
    Json::checked(text).map(Some).ok_or_else(|| ReadError::wrong("a schema"))
}

/// What is written last, since other members change it.
#[derive(Default)]
struct Late<'a> {
    types: Vec<String>,
    is_nullable: bool,
    choices: Option<Json<'a>>,
    any_of: Option<Source<'a>>,
}

fn schema(source: &mut Source<'_>, sink: &mut Sink, depth: usize) -> Result<()> {
    if depth == 0 {
        return source.wrong("a schema of 64 levels at most");
    }
    let mut read = Ok(());
    sink.object(|sink| {
        let mut late = Late::default();
        read = members(source, |source, name| late.member(source, name, sink, depth - 1))
            .and_then(|()| late.finish(sink, depth - 1));
    });
    read
}

impl<'a> Late<'a> {
    fn member(&mut self, source: &mut Source<'a>, name: &str, sink: &mut Sink, depth: usize) -> Result<()> {
        if source.kind()? == Kind::Null && name != "default" {
            return source.skip();
        }
        match name {
            "type" => one_or_many(source, |source| {
                self.types.extend(word(source)?.filter(|word| word != "TYPE_UNSPECIFIED"));
                Ok(())
            }),
            "nullable" => {
                self.is_nullable = source.flag()?.unwrap_or(false);
                Ok(())
            }
            "enum" => {
                self.choices = source.json_or_null()?;
                Ok(())
            }
            "anyOf" => {
                self.any_of = Some(source.clone());
                source.skip()
            }
            "properties" | "defs" | "$defs" => named(name, source, sink, depth),
            "items" | "additionalProperties" => nested(name, source, sink, depth),
            "oneOf" | "allOf" | "prefixItems" => {
                sink.key(name);
                list(source, sink, depth, |_| {})
            }
            _ => plain(name, source, sink),
        }
    }

    /// What may be null as well is null's type, choice or schema as well.
    fn finish(self, sink: &mut Sink, depth: usize) -> Result<()> {
        let is_nullable = self.is_nullable;
        if let Some(mut any_of) = self.any_of {
            sink.key("anyOf");
            list(&mut any_of, sink, depth, |sink| {
                if is_nullable {
                    sink.object(|sink| sink.plain_member("type", "null"));
                }
            })?;
        }
        if let Some(choices) = self.choices {
            write_choices(&choices, is_nullable, sink);
        }
        let mut types: Vec<_> = self.types.iter().map(|name| name.to_ascii_lowercase()).collect();
        if is_nullable && !types.is_empty() && !types.iter().any(|name| name == "null") {
            types.push("null".to_owned());
        }
        match types.as_slice() {
            [] => {}
            [one] => sink.plain_member("type", one),
            many => sink.key("type").array(|sink| many.iter().for_each(|name| sink.plain(name))),
        }
        Ok(())
    }
}

/// Members that JSON schema has under another name, does not have, or has as they are.
fn plain(name: &str, source: &mut Source<'_>, sink: &mut Sink) -> Result<()> {
    match name {
        "propertyOrdering" => source.skip(),
        "example" => {
            let example = source.json()?;
            sink.key("examples").array(|sink| sink.json(&example));
            Ok(())
        }
        "ref" | "$ref" => {
            let target = source.text()?.plain().replace("#/defs/", "#/$defs/");
            sink.plain_member("$ref", &target);
            Ok(())
        }
        // It says no more than `enum` does.
        "format" => {
            let format = source.json()?;
            if !format.is("\"enum\"") {
                sink.json_member(name, &format);
            }
            Ok(())
        }
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            count(name, source, sink)
        }
        _ => {
            let value = source.json()?;
            sink.json_member(name, &value);
            Ok(())
        }
    }
}

/// Numbers of 64 bits, which Google's JSON has as strings too.
fn count(name: &str, source: &mut Source<'_>, sink: &mut Sink) -> Result<()> {
    if source.kind()? != Kind::String {
        let number = source.json()?;
        sink.json_member(name, &number);
        return Ok(());
    }
    let digits: Option<u64> = source.text()?.plain().parse().ok();
    let count = digits.ok_or_else(|| ReadError::wrong("a whole number, not negative"))?;
    sink.count_member(name, count);
    Ok(())
}

/// Schemas by names that are the client's own.
fn named(name: &str, source: &mut Source<'_>, sink: &mut Sink, depth: usize) -> Result<()> {
    let mut read = Ok(());
    sink.key(if name == "defs" { "$defs" } else { name }).object(|sink| {
        read = source.members(|source, name| {
            sink.key(name);
            schema(source, sink, depth)
        });
    });
    read
}

fn nested(name: &str, source: &mut Source<'_>, sink: &mut Sink, depth: usize) -> Result<()> {
    if source.kind()? == Kind::Object {
        sink.key(name);
        return schema(source, sink, depth);
    }
    plain(name, source, sink)
}

fn list(source: &mut Source<'_>, sink: &mut Sink, depth: usize, more: impl FnOnce(&mut Sink)) -> Result<()> {
    let mut read = Ok(());
    sink.array(|sink| {
        read = one_or_many(source, |source| schema(source, sink, depth));
        more(sink);
    });
    read
}

fn write_choices(choices: &Json<'_>, is_nullable: bool, sink: &mut Sink) {
    let inner = choices.raw().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim_ascii);
    match inner.filter(|inner| is_nullable && !inner.is_empty()) {
        Some(inner) => sink.key("enum").array(|sink| {
            sink.json(&Json::read(inner));
            sink.null();
        }),
        None => sink.json_member("enum", choices),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(schema: &str) -> String {
        read(&mut Source::of(schema)).unwrap().unwrap().raw().to_owned()
    }

    #[test]
    fn a_schema_of_geminis_becomes_a_json_schema() {
        for (schema, expected) in [
            (r#"{"type":"STRING"}"#, r#"{"type":"string"}"#),
            (r#"{"type":"object"}"#, r#"{"type":"object"}"#),
            (r#"{"type":"TYPE_UNSPECIFIED"}"#, "{}"),
            (r#"{"type":["STRING","NULL"]}"#, r#"{"type":["string","null"]}"#),
            (
                r#"{"nullable":true,"type":"INTEGER","format":"int32"}"#,
                r#"{"format":"int32","type":["integer","null"]}"#,
            ),
            (
                r#"{"type":"STRING","format":"enum","enum":["a","b"],"nullable":true}"#,
                r#"{"enum":["a","b",null],"type":["string","null"]}"#,
            ),
            (
                r#"{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"ARRAY","items":{"type":"BOOLEAN"},"min_items":"1","maxItems":3,"title":null}"#,
                r#"{"items":{"type":"boolean"},"minItems":1,"maxItems":3,"type":"array"}"#,
            ),
            (
                r##"{"type":"OBJECT","properties":{"any_of":{"ref":"#/defs/Pet"},"type":{"type":"STRING","example":"x"}},
                "property_ordering":["type"],"required":["type"],"defs":{"Pet":{"type":"OBJECT"}},"additionalProperties":false}"##,
                concat!(
                    r##"{"properties":{"any_of":{"$ref":"#/$defs/Pet"},"type":{"examples":["x"],"type":"string"}},"##,
                    r#""required":["type"],"$defs":{"Pet":{"type":"object"}},"additionalProperties":false,"type":"object"}"#,
                ),
            ),
        ] {
            assert_eq!(converted(schema), expected, "{schema}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused_at_its_place() {
        for (schema, message) in [
            (r#"{"properties":{"a":{"type":7}}}"#, "`properties.a.type` must be a string"),
            (r#"{"items":{"anyOf":[{"nullable":1}]}}"#, "`items[0].nullable` must be true or false"),
            (r#"{"maxItems":"x"}"#, "`maxItems` must be a whole number, not negative"),
            (r#"[]"#, "`` must be an object"),
        ] {
            assert_eq!(read(&mut Source::of(schema)).unwrap_err().to_string(), message, "{schema}");
        }
        let deep = format!("{}{}{}", r#"{"items":"#.repeat(70), "{}", "}".repeat(70));
        assert!(
            read(&mut Source::of(&deep)).unwrap_err().to_string().ends_with("must be a schema of 64 levels at most")
        );
        assert_eq!(read(&mut Source::of("null")).unwrap(), None);
    }
}
