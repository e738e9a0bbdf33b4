//! The schema of what a tool takes, as OpenAI's API wants it.

use crate::hub::sink::Sink;
use crate::hub::source::Source;
use crate::hub::text::Json;

/// Writes a tool's schema. An object's must name its type and its properties, even where there are none.
pub(super) fn write(schema: &Json<'_>, sink: &mut Sink) {
    let Ok(members) = Source::of(schema.raw()).unread_members() else { return sink.json(schema) };
    let kind = members.json("type");
    let has_properties = members.json("properties").is_some();
    let is_object = kind.as_ref().is_none_or(|kind| kind.raw().contains("\"object\""));
    if !is_object || (kind.is_some() && has_properties) {
        return sink.json(schema);
    }
    sink.object(|sink| {
        if kind.is_none() {
            sink.plain_member("type", "object");
        }
        members.iter().for_each(|(name, value)| sink.json_member(name, &value));
        if !has_properties {
            sink.key("properties").object(|_| {});
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objects_schema_names_its_type_and_properties() {
        for (schema, written) in [
            ("{}", r#"{"type":"object","properties":{}}"#),
            (r#"{"type":"object"}"#, r#"{"type":"object","properties":{}}"#),
            (
                r#"{"type":"object","properties":null,"additionalProperties":false}"#,
                r#"{"type":"object","additionalProperties":false,"properties":{}}"#,
            ),
            (r#"{"properties":{"a":{}}}"#, r#"{"type":"object","properties":{"a":{}}}"#),
            (r#"{"type":["object","null"]}"#, r#"{"type":["object","null"],"properties":{}}"#),
            (r#"{"properties":{}, "type":"object"}"#, r#"{"properties":{}, "type":"object"}"#),
            (r#"{"type":"string"}"#, r#"{"type":"string"}"#),
            ("true", "true"),
        ] {
            let mut sink = Sink::with_capacity(64);
            write(&Json::read(schema), &mut sink);
            assert_eq!(String::from_utf8(sink.into_bytes()).unwrap(), written, "{schema}");
        }
    }
}
